/* rollout_view.h: pieces that the rollout object and the explain object share.
 *
 * memory   borrows what it writes
 * threads  the core thread only
 * source   docs/protocol.md 8; shared by the rollout_*.c files only
 */
#ifndef RINGWARD_ROLLOUT_VIEW_H
#define RINGWARD_ROLLOUT_VIEW_H

#include "common/json/json_write.h"
#include "server/rollout/rollout_live.h"

void rollout_view_time(struct json_writer *w, const char *name, struct rw_wall t);
/* A fraction as text. */
void rollout_view_number(struct json_writer *w, const char *name, double value);
/* Member "cohort". */
void rollout_view_cohort(struct json_writer *w, const struct beacon_cohort *c);
const char *rollout_view_state(int state);
/* Why the whole stands where it stands; perhaps in dst. */
const char *rollout_view_reason(const struct rollout *ro, char dst[static ROLLOUT_REASON_BYTES]);
/* Fails with RW_E_NOT_FOUND. */
RW_RC rollout_view_find(const struct rollout_run *r, const char *family, int64_t release,
                        const struct rollout **out, struct rw_err *err);

#endif
