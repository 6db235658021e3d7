/* fleet_resume.h: what a person resumed, told to the ledger by that person and not by the server.
 *
 * A file of which each line is the number of a release: it is appended before the resume is asked for. While a rollout
 * is held nobody gets a permit, so the first one that was asked for behind a line is the first one behind the resume:
 * who is lost by then was lost before it, and his place is free again under the first law.
 *
 * memory   nothing of its own
 * threads  the loop's thread only
 * source   docs/health.md "After a resume"; INV-1
 */
#ifndef RINGWARD_FLEET_RESUME_H
#define RINGWARD_FLEET_RESUME_H

#include "tests/fleet/fleet_life.h"

/* Reads the file if it has grown, and counts its lines for each release that is known. No file: nothing was resumed.
 * Fails with RW_E_PROTOCOL (a line that is no number), RW_E_TOO_BIG, RW_E_IO. */
RW_RC fleet_resume_look(struct fleet_run *f, struct rw_err *err);
/* Before a permit is counted: begins anew if it is the first one behind a resume. */
void fleet_resume_before(struct fleet_run *f, uint32_t who, uint16_t release);

#endif
