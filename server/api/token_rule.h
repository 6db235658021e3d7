/* token_rule.h: is an endpoint's token still good, and is it time for the next one?
 *
 * memory   values only
 * threads  pure
 * source   docs/agent.md "Identity and token"
 */
#ifndef RINGWARD_TOKEN_RULE_H
#define RINGWARD_TOKEN_RULE_H

#include "common/base/clock.h"

struct token_rule_life {
    int64_t life_s;       /* from issue to refusal; 0: tokens do not age */
    struct rw_wall since; /* tokens issued before were called in; 0: none */
    int64_t overlap_s;    /* ... and are good for so long after it */
};

enum token_rule_state {
    TOKEN_GOOD,
    TOKEN_RENEW, /* good, and its bearer should ask for the next one: half of its life is over, or it was called in */
    TOKEN_OVER,
};

/* A token of the future (a clock was set back) is good: it was made with the secret. */
enum token_rule_state token_rule_judge(const struct token_rule_life *l, struct rw_wall issued,
                                       struct rw_wall now);

#endif
