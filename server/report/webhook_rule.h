/* webhook_rule.h: which events a target wants, when it is tried again, what it loses when it is away for too long.
 *
 * memory   values only
 * threads  pure
 * source   docs/server.md "Webhooks"
 */
#ifndef RINGWARD_WEBHOOK_RULE_H
#define RINGWARD_WEBHOOK_RULE_H

#include "common/base/err.h"

enum { WEBHOOK_RULE_WAIT_MAX_MS = 300000 };

/* `events` is a comma-separated list of patterns: "*", "rollout.*" or "rollout.halt". */
bool webhook_rule_wants(const char *events, const char *action);
/* Is the list one that can be read? No empty pattern, '*' only at the end of one. */
bool webhook_rule_list_ok(const char *events);
/* Milliseconds until the next try after `failures` (>= 1) in a row: 1 s doubled up to 5 min, of which between the half
 * and all is waited, by `random`. A longer `retry_after_s` of the receiver (negative: none) holds, up to 5 min. */
int64_t webhook_rule_wait_ms(unsigned failures, uint32_t random, int64_t retry_after_s);
/* How many of the oldest records behind `cursor` are given up so that at most `keep` wait. */
int64_t webhook_rule_drop(int64_t cursor, int64_t tip, int64_t keep);

#endif
