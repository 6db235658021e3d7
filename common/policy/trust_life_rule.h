/* trust_life_rule.h: how much of its life a signature has left, and when somebody must be told.
 *
 * Documents of ours say when they were made. Others, and those of before, are judged by the lives of docs/trust.md
 * "Roles": one that was signed for less is near its end from the beginning then, and that is told too.
 *
 * memory   values only
 * threads  pure
 * source   docs/trust.md "Roles"
 */
#ifndef RINGWARD_TRUST_LIFE_RULE_H
#define RINGWARD_TRUST_LIFE_RULE_H

#include "common/base/clock.h"

#include <stdbool.h>
#include <stdint.h>

enum trust_life {
    TRUST_LIFE_OK,
    TRUST_LIFE_HALF,    /* at most half is left: plan the renewal */
    TRUST_LIFE_QUARTER, /* at most a quarter: do it */
    TRUST_LIFE_TENTH,   /* at most a tenth: now */
    TRUST_LIFE_OVER,
};

/* "root", "targets", "content-...", "ring-...", "snapshot", "timestamp"; others as content. Seconds; 0: "expedite",
 * which may lie expired. */
int64_t trust_life_rule_s(const char *role);
/* The life that a document has: from when it says it was made to its end; where it does not say, or speaks of a time
 * that is yet to come, the one above. 0 as above. */
int64_t trust_life_rule_of(const char *role, struct rw_wall made, struct rw_wall expires,
                           struct rw_wall now);
/* Signed by a running server, which does it anew at half of the life. */
bool trust_life_rule_online(const char *role);
/* `life_s` 0 is always well. The signer of an online role may be a little late without a fault: its half begins at
 * 45 percent. */
enum trust_life trust_life_rule_judge(int64_t left_s, int64_t life_s, bool online);
/* 0..100, rounded down; more than a life counts as 100. */
int64_t trust_life_rule_percent(int64_t left_s, int64_t life_s);
/* "ok", "half", "quarter", "tenth", "expired". */
const char *trust_life_rule_name(enum trust_life life);

#endif
