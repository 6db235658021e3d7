/* Goal: a year of releases, nothing wrong with any, on a fleet where 0.5 % of the endpoints always forge a failure:
 * what muting and the cap of a tenant's votes make of it, by the server's own rules (INV-11; docs/simulate.md has the
 * table). */
#include "common/policy/window_rule.h"
#include "server/health/verdict_rule.h"
#include "server/simulate/sim_random.h"
#include "tests/harness.h"

enum {
    SEED = 20261128,
    FORGERS_MAX = 500,
    FORGER_OF = 200, /* one of as many endpoints */
    TENANT_OF = 20,  /* the same for endpoints of the forgers' tenant */
    POLL_MIN = 5,
    PROBATION_MIN = 10,
    REPORT_MIN = 6, /* a failure is told within */
    MINUTES = 600,
    YEAR = 3650,
};

/* Endpoints that live from release to release. */
struct year {
    struct sim_random random;
    struct verdict_rule_strikes strikes[FORGERS_MAX];
    int64_t endpoints;
    bool mutes;   /* strikes are given */
    bool tenants; /* the forgers' tenant is one of several */
    int64_t halts;
    int64_t holds; /* of the tenant */
    int64_t last;  /* release that was halted or held */
};

/* One release on its way. */
struct way {
    int64_t order[FORGERS_MAX]; /* as they get their permits */
    int64_t out;                /* forgers with a permit */
    int64_t exposed;
    int64_t muted; /* of out */
    int64_t survived;
    int64_t failed; /* votes that count */
    int64_t forged; /* of these */
    int64_t healthy_at[MINUTES + POLL_MIN + PROBATION_MIN];
    int64_t benign_at[MINUTES + REPORT_MIN];
    int64_t forged_at[MINUTES + REPORT_MIN];
    bool held;
};

static int64_t forgers_of(const struct year *y)
{
    return y->endpoints / FORGER_OF;
}

static void shuffle(struct year *y, struct way *w)
{
    for (int64_t i = 0; i < forgers_of(y); i++) {
        w->order[i] = i;
    }
    for (int64_t i = forgers_of(y) - 1; i > 0; i--) {
        int64_t k = sim_random_below(&y->random, i + 1);
        int64_t kept = w->order[i];
        w->order[i] = w->order[k];
        w->order[k] = kept;
    }
}

static void grant(struct year *y, struct way *w, int64_t minute)
{
    const struct window_rule_law law = {.start = 50, .per_survivor_m = 1000};
    const struct window_rule_counts counts = {.exposed = w->exposed, .survived = w->survived};
    int64_t left = forgers_of(y) - w->out;
    int64_t waiting = y->endpoints - w->exposed - (w->held ? left : 0);
    int64_t asks = (waiting + POLL_MIN - 1) / POLL_MIN;
    int64_t room = window_rule_room(&law, &counts);
    int64_t n = asks < room ? asks : room;
    if (n < 1) { return; }
    int64_t forgers =
        w->held ? 0 : sim_random_binomial(&y->random, n, (double)left / (double)waiting);
    forgers = forgers < left ? forgers : left;
    for (int64_t i = 0; i < forgers; i++) {
        int64_t id = w->order[w->out++];
        int64_t at = minute + sim_random_below(&y->random, REPORT_MIN);
        if (y->strikes[id].muted) {
            w->muted++;
            continue;
        }
        w->forged_at[at]++;
    }
    int64_t benign = sim_random_binomial(&y->random, n - forgers, 1e-4);
    w->benign_at[minute + sim_random_below(&y->random, REPORT_MIN)] += benign;
    for (int64_t i = 0, rest = n - forgers - benign; i < POLL_MIN; i++) {
        int64_t here = rest / (POLL_MIN - i);
        w->healthy_at[minute + PROBATION_MIN + i] += here;
        rest -= here;
    }
    w->exposed += n;
}

static enum verdict_rule judge(const struct year *y, const struct way *w)
{
    struct health_rule_norm norm = health_rule_cold_start();
    struct late_rule late = late_rule_begin();
    norm.p0[HEALTH_CRASH] = 0.0005;
    int64_t listed = w->held ? w->forged : 0; /* votes of a held tenant */
    int64_t mine = w->forged - listed;
    const struct health_rule_counts c = {.exposed = w->exposed - w->muted - listed,
                                         .failed = w->failed - listed};
    struct health_rule_result whole = health_rule_scope(&norm, &c, &late);
    struct verdict_rule_sum sum = verdict_rule_begin(verdict_rule_whole_weight(0), &whole);
    int64_t of_tenant = w->exposed / TENANT_OF;
    const struct verdict_rule_input in = {
        .threshold = health_rule_threshold(1e-4, false, 1),
        .total = sum.total,
        .relative = sum.relative,
        .whole = sum.whole,
        .best_cohort = sum.best_cohort,
        .control = -1.0,
        .p0_crash = norm.p0[HEALTH_CRASH],
        .votes = {.top = mine,
                  .top_exposed = of_tenant > mine ? of_tenant : mine,
                  .rest = w->failed - w->forged,
                  .rest_exposed = w->exposed - of_tenant,
                  .others = y->tenants && !w->held,
                  .top_max = 8},
    };
    return verdict_rule_decide(&in);
}

/* Without the forgers of a tenant that is held: they get no permits any more. */
static int64_t all_of(const struct year *y, const struct way *w)
{
    return y->endpoints - (w->held ? forgers_of(y) - w->out : 0);
}

/* True: it went through. */
static bool release(struct year *y, struct way *w, int64_t number)
{
    for (int64_t minute = 0; minute < MINUTES && w->exposed < all_of(y, w); minute++) {
        grant(y, w, minute);
        int64_t news = w->benign_at[minute] + w->forged_at[minute];
        w->failed += news;
        w->forged += w->forged_at[minute];
        w->survived += w->healthy_at[minute];
        enum verdict_rule verdict = news > 0 ? judge(y, w) : VERDICT_NONE;
        if (verdict == VERDICT_NONE) { continue; }
        y->last = number;
        if (verdict != VERDICT_TENANT) {
            y->halts++;
            return false;
        }
        w->held = true;
        y->holds++;
    }
    assert_int_equal(w->exposed, all_of(y, w));
    return true;
}

static void play(struct year *y, int64_t releases)
{
    y->random = sim_random_begin(SEED);
    for (int64_t i = 1; i <= releases; i++) {
        struct way w = {.out = 0};
        shuffle(y, &w);
        bool alone = release(y, &w, i) || verdict_rule_alone(w.failed, w.survived);
        for (int64_t k = 0; k < w.out; k++) {
            int64_t id = w.order[k];
            if (y->mutes && alone) { y->strikes[id] = verdict_rule_strike(y->strikes[id], true); }
        }
    }
}

static const struct year_case {
    const char *id;
    int64_t endpoints;
    bool mutes;
    bool tenants;
    int64_t releases;
    int64_t halts_min;
    int64_t halts_max;
    int64_t holds_min;
    int64_t holds_max;
} years[] = {
    {"no muting", 100000, false, false, 365, 365, 365, 0, 0},
    {"the cap alone", 100000, false, true, 365, 0, 0, 365, 365},
    {"muting and the cap", 100000, true, true, YEAR, 0, 0, 50, 150},
    {"muting, one tenant", 100000, true, false, YEAR, 50, 150, 0, 0},
    /* The published run had 13 to 57 halts, and does not say of how many endpoints. */
    {"muting, one tenant of 16,000", 16000, true, false, YEAR, 10, 20, 0, 0},
    {"muting, one tenant of 64,000", 64000, true, false, YEAR, 50, 64, 0, 0},
};

TEST_EACH(inv_11_a_year_of_forged_failures, years)
{
    struct year y = {.endpoints = it->endpoints, .mutes = it->mutes, .tenants = it->tenants};
    play(&y, it->releases);
    print_message("%s: %lld of %lld halted, %lld holds of the tenant, the last in release %lld\n",
                  it->id, (long long)y.halts, (long long)it->releases, (long long)y.holds,
                  (long long)y.last);
    assert_in_range(y.halts, it->halts_min, it->halts_max);
    assert_in_range(y.holds, it->holds_min, it->holds_max);
    for (size_t i = 0; i < (size_t)forgers_of(&y) && it->releases == YEAR; i++) {
        assert_true(y.strikes[i].muted);
    }
    if (it->releases == YEAR) { assert_true(y.last <= it->halts_max + it->holds_max); }
}

RUN_TESTS(cmocka_unit_test(inv_11_a_year_of_forged_failures))
