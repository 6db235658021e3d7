/* check_yara.h: what the YARA validator does with the content and the samples that it is given.
 *
 * It reports what matched; it never learns what had to match (the launcher judges).
 * memory   fills what the caller owns
 * threads  one thread
 * source   docs/protocol.md 11; INV-5: runs inside the box only
 */
#ifndef RINGWARD_CHECK_YARA_H
#define RINGWARD_CHECK_YARA_H

#include "agent/prove/check_input.h"
#include "agent/prove/check_said.h"

/* Judges what was read. libyara must be ready (yara_begin). A refusal is a success of this function. Fails with
 * RW_E_NOMEM, or with RW_E_IO and RW_E_SYNTAX when the *samples* cannot be read. */
RW_RC check_yara_run(struct check_input *in, struct check_said *said, struct rw_err *err);

#endif
