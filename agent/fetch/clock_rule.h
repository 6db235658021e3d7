/* clock_rule.h: can this host's clock be believed?
 *
 * A clock that is behind hides expiry, one that is ahead makes everything look expired. The floor is a time that has
 * certainly passed already; no date that an online key signed ever moves it.
 *
 * memory   values only
 * threads  pure
 * source   docs/trust.md "Time"
 */
#ifndef RINGWARD_CLOCK_RULE_H
#define RINGWARD_CLOCK_RULE_H

#include "common/base/clock.h"

enum clock_rule_state {
    CLOCK_RULE_OK,
    CLOCK_RULE_BEHIND, /* expiry is judged by the floor meanwhile; bakes by the clock, so they only last longer */
    CLOCK_RULE_AHEAD, /* nothing is installed: all metadata look expired */
};

struct clock_rule_evidence {
    struct rw_wall wall;  /* what the clock says */
    struct rw_wall floor; /* 0: none */
    bool answered;        /* the server gave a timestamp in this poll */
    struct rw_wall root_expires;
    struct rw_wall timestamp_expires; /* of what the server gave, verified or not */
};

enum clock_rule_state clock_rule_judge(const struct clock_rule_evidence *e);
/* The time that expiry is judged by: the later of both. */
struct rw_wall clock_rule_now(struct rw_wall wall, struct rw_wall floor);
/* "ok", "behind", "ahead". */
const char *clock_rule_name(enum clock_rule_state s);

#endif
