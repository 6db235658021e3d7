#include "server/rollout/second_rule.h"

#include <string.h>

enum second_rule_state second_rule_now(enum second_rule_state stored, struct rw_wall until,
                                       struct rw_wall now)
{
    return stored == SECOND_OPEN && now.s >= until.s ? SECOND_EXPIRED : stored;
}

enum second_rule_answer second_rule_decide(enum second_rule_state state, const char *asked_by,
                                           const char *who, bool confirms)
{
    if (state == SECOND_EXPIRED) { return SECOND_TOO_LATE; }
    if (state != SECOND_OPEN) { return SECOND_DECIDED; }
    /* A nameless token is nobody in particular, so it is never a second person. */
    bool another = who[0] != '\0' && strcmp(asked_by, who) != 0;
    return !confirms || another ? SECOND_MAY : SECOND_SAME_PERSON;
}
