#include "common/policy/window_rule.h"

#include "common/base/num.h"

enum { POLLS_MOST = 12, LONGEST_S_MAX = 86400, PER_SURVIVOR_M_MAX = 1000 * 1000 * 1000 };

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

enum { ALL_BP = 10000 };

int64_t window_rule_own(const struct window_rule_tenant *t)
{
    int64_t scaled = 0;
    int64_t start = t->law.start;
    if (t->share_bp >= ALL_BP) { return start; }
    if (start < 0 || t->share_bp < 0 || !rw_mul_i64(start, t->share_bp, &scaled)) { return 1; }
    int64_t own = scaled / ALL_BP + (scaled % ALL_BP > 0);
    return own < 1 ? 1 : own;
}

static int64_t within(int64_t places, int64_t room)
{
    if (places < 0 || room < 0) { return 0; }
    return places < room ? places : room;
}

int64_t window_rule_tenant_ring(const struct window_rule_tenant *t, int64_t room)
{
    const struct window_rule_law law = {window_rule_own(t), t->law.per_survivor_m};
    int64_t exposed = 0;
    if (t->others <= 0) { return within(room, room); }
    if (t->unproven < 0 || !rw_add_i64(t->unproven, t->survived, &exposed)) { return 0; }
    const struct window_rule_counts c = {.exposed = exposed, .survived = t->survived};
    return within(window_rule_room(&law, &c), room);
}

int64_t window_rule_tenant_cohort(const struct window_rule_tenant *t, int64_t room)
{
    int64_t by_law = window_rule_tenant_ring(t, room);
    int64_t left = room - (t->law.start - window_rule_own(t));
    return by_law > left ? by_law : within(left, room);
}

/* Probations until the turn comes, at most `most`. */
static int64_t rounds_until(const struct window_rule_turn *t, int64_t most)
{
    int64_t opening = t->opening;
    int64_t reached = opening;
    int64_t rounds = 1;
    while (reached <= t->ahead && rounds < most) {
        int64_t grown_m = 0;
        if (!rw_mul_i64(opening, 1000 + t->per_survivor_m, &grown_m) ||
            !rw_add_i64(reached, grown_m / 1000, &reached)) {
            return rounds + 1;
        }
        opening = grown_m / 1000;
        rounds++;
    }
    return rounds;
}

/* The last in the queue one poll, the others in proportion. */
static int64_t share_of_poll_s(const struct window_rule_turn *t, int64_t poll_s)
{
    int64_t most_s = poll_s > LONGEST_S_MAX ? LONGEST_S_MAX : poll_s;
    if (t->ahead < 1) { return 0; }
    if (t->ahead >= t->waiting) { return most_s; }
    return (int64_t)((double)most_s * ((double)t->ahead / (double)t->waiting));
}

int64_t window_rule_retry_s(const struct window_rule_turn *t)
{
    int64_t poll_s = t->poll_s < 1 ? 1 : t->poll_s;
    int64_t probation_s = t->probation_s < 1 ? 1 : t->probation_s;
    int64_t longest_s = poll_s > LONGEST_S_MAX / POLLS_MOST ? LONGEST_S_MAX : poll_s * POLLS_MOST;
    bool grows =
        t->opening >= 1 && t->per_survivor_m >= 0 && t->per_survivor_m <= PER_SURVIVOR_M_MAX;
    if (!grows) { return longest_s; } /* nothing will open, as far as anybody can tell */
    int64_t rounds = rounds_until(t, longest_s / probation_s + 1);
    int64_t least_s = share_of_poll_s(t, poll_s);
    int64_t wait_s = rounds > longest_s / probation_s ? longest_s : rounds * probation_s;
    if (rounds == 1) { wait_s = poll_s < probation_s ? poll_s : probation_s; }
    return wait_s < least_s ? least_s : wait_s;
}
