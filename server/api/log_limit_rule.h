/* log_limit_rule.h: lines that strangers can cause: so many in an interval, the others are counted.
 *
 * memory   values only
 * threads  pure
 * source   docs/server.md "HTTP", who asks without a token
 */
#ifndef RINGWARD_LOG_LIMIT_RULE_H
#define RINGWARD_LOG_LIMIT_RULE_H

#include "common/base/clock.h"

enum { LOG_LIMIT_RULE_LINES = 10, LOG_LIMIT_RULE_INTERVAL_MS = 60 * 1000 };

struct log_limit_rule {
    struct rw_mono since; /* of the interval */
    uint32_t lines;       /* written in it */
    uint64_t left_out;    /* since the last interval that began */
};

/* Whether this line is written. *left_out_out: lines left out before, to be told of now; 0: none. */
bool log_limit_rule_next(struct log_limit_rule *l, struct rw_mono now, uint64_t *left_out_out);

#endif
