/* check_template.h: what the template validator does with the content, the samples and the sensor's manifest.
 *
 * Order: limits and form (the reader), schema against the *installed sensor*, dry run of every criterion against a
 * guard page, samples. A sample is a text of events, one per line; a sample that holds none matches nothing.
 * memory   fills what the caller owns
 * threads  one thread
 * source   docs/protocol.md 11 and 14; INV-5: runs inside the box only
 */
#ifndef RINGWARD_CHECK_TEMPLATE_H
#define RINGWARD_CHECK_TEMPLATE_H

#include "agent/prove/check_input.h"
#include "agent/prove/check_said.h"

/* A refusal is a success of this function. Fails with RW_E_NOMEM, with RW_E_IO and RW_E_SYNTAX when the *samples*
 * cannot be read, and with RW_E_PROCESS when the engine contradicts itself. */
RW_RC check_template_run(struct check_input *in, struct check_said *said, struct rw_err *err);

#endif
