/* slow_rule.h: has content become far dearer than the release before it was on the same endpoint?
 *
 * Judged are processor time per file or event, which other load on the host hardly moves, and resident memory.
 * Shared by agent and simulator.
 *
 * memory   values only
 * threads  pure
 * source   docs/health.md "Storm, slow and mute"
 */
#ifndef RINGWARD_SLOW_RULE_H
#define RINGWARD_SLOW_RULE_H

#include "common/base/err.h"

enum { SLOW_RULE_FACTOR = 4, SLOW_RULE_FACTOR_MIN = 2, SLOW_RULE_FACTOR_MAX = 1000 };

struct slow_rule_counts {
    int64_t scanned; /* files and events */
    int64_t scan_us; /* processor time of scanning them */
    int64_t rss_kib; /* resident memory of the sensor; 0: unknown */
};
enum slow_rule {
    SLOW_NO, /* also: too little was seen to tell */
    SLOW_SCAN,
    SLOW_MEMORY,
};
/* `factor`: so many times the processor time per scan of the release before is slow. */
enum slow_rule slow_rule_decide(int64_t factor, const struct slow_rule_counts *before,
                                const struct slow_rule_counts *now);

#endif
