#include "common/policy/window_rule.h"

#include "common/base/num.h"

int64_t window_rule_allowed(const struct window_rule_law *law, const struct window_rule_counts *c)
{
    int64_t factor_m = 0;
    int64_t grown_m = 0;
    int64_t allowed = 0;
    if (c->survived < 0 || law->start < 0 || law->per_survivor_m < 0) { return 0; }
    if (!rw_add_i64(law->per_survivor_m, 1000, &factor_m) ||
        !rw_mul_i64(c->survived, factor_m, &grown_m) ||
        !rw_add_i64(law->start, grown_m / 1000, &allowed)) {
        return INT64_MAX;
    }
    return allowed;
}

int64_t window_rule_room(const struct window_rule_law *law, const struct window_rule_counts *c)
{
    if (c->exposed < 0 || c->survived < 0 || c->survived > c->exposed) { return 0; }
    int64_t allowed = window_rule_allowed(law, c);
    return allowed > c->exposed ? allowed - c->exposed : 0;
}

int64_t window_rule_room_all(const struct window_rule_law *laws,
                             const struct window_rule_counts *counts, size_t n)
{
    int64_t least = window_rule_room(&laws[0], &counts[0]);
    for (size_t i = 1; i < n; i++) {
        int64_t room = window_rule_room(&laws[i], &counts[i]);
        if (room < least) { least = room; }
    }
    return least;
}

int64_t window_rule_retry_s(int64_t waiting, int64_t room_per_probation, int64_t probation_s,
                            int64_t poll_s)
{
    int64_t rounds = 0;
    int64_t wait_s = 0;
    int64_t longest_s = 0;
    if (!rw_mul_i64(poll_s, 12, &longest_s)) { longest_s = INT64_MAX; }
    if (!rw_add_i64(waiting / (room_per_probation < 1 ? 1 : room_per_probation), 1, &rounds)) {
        rounds = INT64_MAX;
    }
    if (!rw_mul_i64(rounds, probation_s < 1 ? 1 : probation_s, &wait_s) || wait_s > longest_s) {
        wait_s = longest_s;
    }
    return wait_s < 1 ? 1 : wait_s;
}
