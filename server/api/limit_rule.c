#include "server/api/limit_rule.h"

#define SECOND_US INT64_C(1000000)

enum { RETRY_MORE_S = 4, RETRY_S_MAX = 3600, PLACES_MAX = 1 << 24 };

/* Far from overflow, whatever a clock says: some 73,000 years. */
#define NOW_MS_MAX (INT64_MAX / 4000)

static int64_t between(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

struct limit_rate limit_rule_rate(int64_t per_s, int64_t burst_ms)
{
    if (per_s <= 0) { return (struct limit_rate){.every_us = 0}; }
    int64_t every_us = SECOND_US / between(per_s, 1, LIMIT_PER_S_MAX);
    int64_t burst_us = between(burst_ms, 0, LIMIT_BURST_MS_MAX) * 1000;
    return (struct limit_rate){.every_us = every_us,
                               .burst_us = burst_us < every_us ? every_us : burst_us};
}

struct limit_verdict limit_rule_take(const struct limit_rate *rate, int64_t paid_us, int64_t now_ms)
{
    int64_t now_us = between(now_ms, 0, NOW_MS_MAX) * 1000;
    if (rate->every_us == 0) { return (struct limit_verdict){.pass = true, .paid_us = paid_us}; }
    int64_t paid = between(paid_us, now_us, now_us + rate->burst_us);
    int64_t over_us = paid + rate->every_us - now_us - rate->burst_us;
    if (over_us > 0) {
        return (struct limit_verdict){
            .pass = false, .paid_us = paid, .wait_ms = (over_us + 999) / 1000};
    }
    return (struct limit_verdict){.pass = true, .paid_us = paid + rate->every_us};
}

int64_t limit_rule_retry_s(int64_t wait_ms, uint32_t random)
{
    int64_t s = (between(wait_ms, 1, RETRY_S_MAX * INT64_C(1000)) + 999) / 1000;
    return s + (int64_t)random % (s + RETRY_MORE_S + 1);
}

bool limit_rule_share(size_t capacity, size_t used, size_t own, size_t more, unsigned share)
{
    if (capacity > PLACES_MAX || used > capacity || more > capacity - used) { return false; }
    if (own > used || share >= LIMIT_SHARE_MAX) { return own <= used; }
    return (own + more - 1) * (LIMIT_SHARE_MAX - share) < (capacity - used) * share;
}
