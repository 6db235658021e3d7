/* poll_rule.h: when to ask the server again: jitter, back-off, Retry-After.
 *
 * `random` is any 32-bit random number, drawn by the caller.
 * memory   values only
 * threads  pure
 * source   docs/trust.md "HTTP": thousands of agents must not meet in one second
 */
#ifndef RINGWARD_POLL_RULE_H
#define RINGWARD_POLL_RULE_H

#include "common/base/err.h"

/* The first poll of a life: within 30 s or one interval, whichever is shorter. */
int64_t poll_rule_first_ms(int64_t interval_ms, uint32_t random);
/* Between half and one and a half intervals, so the mean is the interval. Never less than 100 ms. */
int64_t poll_rule_next_ms(int64_t interval_ms, uint32_t random);
/* After `failures` >= 1 failures in a row: base * 2^(failures-1), at most max, then its upper half at random. */
int64_t poll_rule_back_off_ms(int64_t base_ms, int64_t max_ms, int64_t failures, uint32_t random);
/* After `failures` >= 1 failed polls in a row: as poll_rule_next_ms of the interval, doubled with each failure up to a
 * minute where the interval is shorter than that. So a fleet never asks more often in an outage than without one, and
 * no endpoint learns of a halt or a way back later than it would have anyway. */
int64_t poll_rule_failed_ms(int64_t interval_ms, int64_t failures, uint32_t random);
/* After `failures` >= 1 failed self-tests of the box in a row: as poll_rule_back_off_ms from one interval on, up to an
 * hour, or to the interval where that is longer. A busy host fails by the clock, and need not wait for content. */
int64_t poll_rule_self_ms(int64_t interval_ms, int64_t failures, uint32_t random);
/* What the server asked for, held between 1 s and 6 h, plus up to a tenth at random. Negative: nothing asked;
 * gives 0 then. */
int64_t poll_rule_retry_after_ms(int64_t asked_s, uint32_t random);
/* The interval in force: what the server asks for (0: nothing) may shorten it, never lengthen it. */
int64_t poll_rule_interval_ms(int64_t configured_ms, int64_t asked_s);

#endif
