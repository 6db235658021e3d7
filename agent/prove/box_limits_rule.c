#include "agent/prove/box_limits_rule.h"

#include <stdio.h>

enum {
    SIZE_GROWTH = 4,
    SIZE_SHRINK = 10,
    SIZE_GROWTH_FLOOR_BYTES = 64 * 1024, /* new content up to this size may be any multiple */
    SIZE_SHRINK_FLOOR_BYTES = 4 * 1024,  /* content before up to this size may become anything */
    COUNT_FLOOR = 20,                    /* so many rules may come or go at once */
    MEMORY_FLOOR_KIB = 16 * 1024,
    CPU_FLOOR_MS = 250,
    SLOWEST_FLOOR_US = 100 * 1000,
    SLOWEST_GROWTH = 5,
    ALERTS_OF = 1000,
};

/* a > b * (num/den)^steps, without leaving 64 bits: `b` grows until it reaches `a` or the steps end. */
static bool exceeds(int64_t a, int64_t b, int64_t num, int64_t den, int64_t steps)
{
    for (int64_t i = 0; i < steps && b < a; i++) {
        if (b > INT64_MAX / num) { return false; }
        b = (b * num + den - 1) / den;
    }
    return a > b;
}

static bool say(bool ok, char reason[static BOX_LIMITS_REASON_BYTES], const char *what,
                struct box_limits_rule_pair p, const char *bound)
{
    reason[0] = '\0';
    if (ok) { return true; }
    (void)snprintf(reason, BOX_LIMITS_REASON_BYTES, "%s %lld, the release before %lld: %s", what,
                   (long long)p.now, (long long)p.before, bound);
    return false;
}

bool box_limits_rule_size(struct box_limits_rule_pair bytes,
                          char reason[static BOX_LIMITS_REASON_BYTES])
{
    bool large = bytes.now > SIZE_GROWTH_FLOOR_BYTES &&
                 exceeds(bytes.now, bytes.before, SIZE_GROWTH, 1, bytes.steps);
    bool small = bytes.before > SIZE_SHRINK_FLOOR_BYTES &&
                 exceeds(bytes.before, bytes.now, SIZE_SHRINK, 1, bytes.steps);
    return say(!large && !small, reason, "size in bytes", bytes,
               large ? "more than 4 times as large" : "less than a tenth");
}

bool box_limits_rule_count(struct box_limits_rule_pair rules,
                           char reason[static BOX_LIMITS_REASON_BYTES])
{
    bool more = rules.now - rules.before > COUNT_FLOOR &&
                exceeds(rules.now, rules.before, 2, 1, rules.steps);
    bool fewer = rules.before - rules.now > COUNT_FLOOR &&
                 exceeds(rules.before, rules.now, 2, 1, rules.steps);
    return say(!more && !fewer, reason, "number of rules", rules,
               more ? "more than twice as many" : "less than half");
}

bool box_limits_rule_memory(struct box_limits_rule_pair kib,
                            char reason[static BOX_LIMITS_REASON_BYTES])
{
    bool over =
        kib.now - kib.before > MEMORY_FLOOR_KIB && exceeds(kib.now, kib.before, 3, 2, kib.steps);
    return say(!over, reason, "memory in KiB", kib, "more than 1.5 times and 16 MiB more");
}

bool box_limits_rule_cpu(struct box_limits_rule_pair ms,
                         char reason[static BOX_LIMITS_REASON_BYTES])
{
    bool over = ms.now - ms.before > CPU_FLOOR_MS && exceeds(ms.now, ms.before, 5, 2, ms.steps);
    return say(!over, reason, "processor time in ms", ms, "more than 2.5 times and 250 ms more");
}

bool box_limits_rule_slowest(struct box_limits_rule_pair us,
                             char reason[static BOX_LIMITS_REASON_BYTES])
{
    bool over =
        us.now > SLOWEST_FLOOR_US && exceeds(us.now, us.before, SLOWEST_GROWTH, 1, us.steps);
    return say(!over, reason, "slowest sample in us", us, "more than 5 times and above 100 ms");
}

bool box_limits_rule_is_small(int64_t kib, int64_t ms, int64_t us)
{
    return kib <= MEMORY_FLOOR_KIB && ms <= CPU_FLOOR_MS && us <= SLOWEST_FLOOR_US;
}

bool box_limits_rule_alerts(int64_t hits, int64_t files,
                            char reason[static BOX_LIMITS_REASON_BYTES])
{
    bool ok = hits == 0 || (hits <= files && hits * ALERTS_OF <= files);
    reason[0] = '\0';
    if (ok) { return true; }
    (void)snprintf(reason, BOX_LIMITS_REASON_BYTES,
                   "rules that alert hit %lld of %lld clean files, at most 1 in %d",
                   (long long)hits, (long long)files, ALERTS_OF);
    return false;
}
