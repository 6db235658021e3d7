/* box_release.h: what is looked at besides hits: envelope, the validator's own checks, field coverage, alert rate.
 *
 * Every check is written into the verdict with its numbers, whatever the outcome; one that is not in order turns an
 * acceptance into a refusal.
 * memory   borrows everything
 * threads  no shared state
 * source   docs/sandbox.md "Checks"
 */
#ifndef RINGWARD_BOX_RELEASE_H
#define RINGWARD_BOX_RELEASE_H

#include "agent/prove/box_check.h"

/* `before` n 0: there is no release before. */
void box_release_envelope(const struct box_check_request *req, struct rw_span content,
                          struct rw_span before, struct verdict *v);
/* Of the first run, when it was accepted or refused by the validator. */
void box_release_facts(const struct box_judge_run *run, struct verdict *v);
/* Every field of every type needs a must-match vector that an instance matched by more than a wildcard on it. */
void box_release_coverage(const struct box_check_request *req, const struct box_judge_run *run,
                          const struct box_samples *samples, struct verdict *v);
void box_release_alerts(struct verdict *v);

#endif
