/* signer_rule.h: versions and renewal of online roles as pure decisions.
 *
 * memory   values only
 * threads  pure
 * source   docs/trust.md "The checking signer"
 */
#ifndef RINGWARD_SIGNER_RULE_H
#define RINGWARD_SIGNER_RULE_H

#include "common/base/clock.h"

enum {
    SIGNER_RING_LIFE_S = 7 * 86400,
    SIGNER_SNAPSHOT_LIFE_S = 7 * 86400,
    SIGNER_TIMESTAMP_LIFE_S = 36 * 3600,
    /* What our clocks may differ from those of whoever wrote signed_at. */
    SIGNER_CLOCK_SLACK_S = 600,
    /* How far ahead engineers may date a release, so that they need not sign within one quarter of an hour. */
    SIGNER_DATED_AHEAD_S_MAX = 86400,
    /* Behind a write to a file whose times are whole seconds, or twos of them. */
    SIGNER_WHOLE_SECONDS_S = 3,
};

/* The version after everything that was ever signed: max(published, floor) + 1. Versions never reach 2^31, so that
 * no peer rounds them. Fails with RW_E_RANGE. */
RW_RC signer_rule_next_version(int64_t published, int64_t floor, int64_t *out, struct rw_err *err);
/* When a role that is signed now ends: after its life, never after root does. */
struct rw_wall signer_rule_expires(struct rw_wall now, int64_t life_s, struct rw_wall root_expires);
/* Whether less than half of a role's life is left, also when it is over, and signing it anew would give it more. */
bool signer_rule_renew_due(struct rw_wall expires, int64_t life_s, struct rw_wall now,
                           struct rw_wall root_expires);

/* Whether a release that says it was signed at this time may become public now: its bake counts from then, so it is at
 * most the slack in the past; ahead it only delays, within a day. */
bool signer_rule_signed_now(struct rw_wall signed_at, struct rw_wall now);

/* Whether any write to a file from `now` on, by the clock that stamps files, shows in its time of change. Such times
 * have the grain of that clock's tick: two writes within one look the same. A file system that keeps whole seconds
 * needs longer. */
bool signer_rule_settled(int64_t changed_ns, int64_t now_ns);

#endif
