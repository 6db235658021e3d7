#include "agent/poll/poll_rule.h"

enum {
    FIRST_MS_MAX = 30 * 1000,
    NEXT_MS_MIN = 100,
    RETRY_S_MIN = 1,
    RETRY_S_MAX = 6 * 3600,
    DOUBLINGS_MAX = 30,
    FAILED_MS_MAX = 60 * 1000, /* of an interval that is shorter */
    SELF_MS_MAX = 3600 * 1000, /* the same */
};

/* 0 <= result <= span */
static int64_t part(int64_t span, uint32_t random)
{
    return (int64_t)((double)span * ((double)random / 4294967295.0));
}

int64_t poll_rule_first_ms(int64_t interval_ms, uint32_t random)
{
    return part(interval_ms < FIRST_MS_MAX ? interval_ms : FIRST_MS_MAX, random);
}

int64_t poll_rule_next_ms(int64_t interval_ms, uint32_t random)
{
    int64_t ms = interval_ms / 2 + part(interval_ms, random);
    return ms < NEXT_MS_MIN ? NEXT_MS_MIN : ms;
}

static int64_t doubled(int64_t base_ms, int64_t max_ms, int64_t failures)
{
    int64_t ms = base_ms;
    for (int64_t i = 1; i < failures && i < DOUBLINGS_MAX && ms < max_ms; i++) {
        ms *= 2;
    }
    return ms > max_ms ? max_ms : ms;
}

int64_t poll_rule_back_off_ms(int64_t base_ms, int64_t max_ms, int64_t failures, uint32_t random)
{
    int64_t ms = doubled(base_ms, max_ms, failures);
    return ms / 2 + part(ms - ms / 2, random);
}

int64_t poll_rule_failed_ms(int64_t interval_ms, int64_t failures, uint32_t random)
{
    int64_t max_ms = interval_ms > FAILED_MS_MAX ? interval_ms : FAILED_MS_MAX;
    return poll_rule_next_ms(doubled(interval_ms, max_ms, failures), random);
}

int64_t poll_rule_self_ms(int64_t interval_ms, int64_t failures, uint32_t random)
{
    int64_t max_ms = interval_ms > SELF_MS_MAX ? interval_ms : SELF_MS_MAX;
    return poll_rule_back_off_ms(interval_ms, max_ms, failures, random);
}

int64_t poll_rule_retry_after_ms(int64_t asked_s, uint32_t random)
{
    if (asked_s < 0) { return 0; }
    int64_t s = asked_s < RETRY_S_MIN ? RETRY_S_MIN : asked_s;
    int64_t ms = (s > RETRY_S_MAX ? RETRY_S_MAX : s) * 1000;
    return ms + part(ms / 10, random);
}

int64_t poll_rule_interval_ms(int64_t configured_ms, int64_t asked_s)
{
    return asked_s >= 1 && asked_s < configured_ms / 1000 ? asked_s * 1000 : configured_ms;
}
