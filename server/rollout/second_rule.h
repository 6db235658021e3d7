/* second_rule.h: may this person decide about that request? Four eyes: who asked never confirms.
 *
 * memory   values only
 * threads  pure
 * source   docs/rollout.md "Second person"
 */
#ifndef RINGWARD_SECOND_RULE_H
#define RINGWARD_SECOND_RULE_H

#include "common/base/clock.h"

enum second_rule_state {
    SECOND_OPEN,      /* waits for another person */
    SECOND_CONFIRMED, /* and what was asked for has happened */
    SECOND_REFUSED,
    SECOND_EXPIRED, /* never stored: an open one behind its time */
    SECOND_STATES,
};

enum second_rule_answer {
    SECOND_MAY,
    SECOND_SAME_PERSON,
    SECOND_TOO_LATE, /* it has lapsed */
    SECOND_DECIDED,  /* confirmed or refused before */
};

/* What a stored request is now. */
enum second_rule_state second_rule_now(enum second_rule_state stored, struct rw_wall until,
                                       struct rw_wall now);
/* `state` as second_rule_now gives it. A refusal is open to everyone, also to who asked. */
enum second_rule_answer second_rule_decide(enum second_rule_state state, const char *asked_by,
                                           const char *who, bool confirms);

#endif
