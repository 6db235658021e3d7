#include "common/policy/slow_rule.h"

enum {
    SCANNED_MIN = 8,
    SCAN_US_MORE = 5000, /* below that nobody feels it, whatever the factor says */
    MEMORY_FACTOR = 2,   /* while it loads, a sensor may hold both sets */
    MEMORY_KIB_MORE = 128 * 1024,
};

static bool scans_slower(int64_t factor, const struct slow_rule_counts *before,
                         const struct slow_rule_counts *now)
{
    if (before->scanned < SCANNED_MIN || now->scanned < SCANNED_MIN) { return false; }
    double was_us = (double)before->scan_us / (double)before->scanned;
    double is_us = (double)now->scan_us / (double)now->scanned;
    return is_us >= (double)factor * was_us && is_us - was_us >= (double)SCAN_US_MORE;
}

enum slow_rule slow_rule_decide(int64_t factor, const struct slow_rule_counts *before,
                                const struct slow_rule_counts *now)
{
    if (scans_slower(factor, before, now)) { return SLOW_SCAN; }
    bool larger = before->rss_kib > 0 &&
                  (double)now->rss_kib > MEMORY_FACTOR * (double)before->rss_kib + MEMORY_KIB_MORE;
    return larger ? SLOW_MEMORY : SLOW_NO;
}
