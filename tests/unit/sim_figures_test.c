/* Goal: the simulator gives every figure that an independent simulation of the same laws gave (docs/simulate.md "How
 * well it agrees"), within the chance of the runs here and there. */
#include "server/simulate/sim_random.h"
#include "tests/unit/sim_world.h"

#include <math.h>
#include <stdlib.h>

/* So often was each cell run there. */
static const double published_runs = 2000.0;
/* Sides of the interval around a quantile, in standard errors: one in 2,000 cells would miss by chance. */
static const double sides = 3.5;

enum { FIGURE_RUNS = 300, FIGURES_MAX = 400 };

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Whether `want`, the published quantile, lies among the order statistics that the chance of both samples allows, or
 * no more than `apart` beside them. */
static bool agrees(int64_t *values, size_t runs, double q, int64_t want, int64_t apart)
{
    double n = (double)runs;
    double spread = sides * sqrt(n * q * (1.0 - q) * (1.0 + n / published_runs));
    double low = floor(n * q - spread);
    double high = ceil(n * q + spread);
    qsort(values, runs, sizeof(*values), by_size);
    int64_t lo = values[low < 0.0 ? 0 : (size_t)low];
    int64_t hi = values[high > n - 1.0 ? runs - 1 : (size_t)high];
    return want >= lo - apart && want <= hi + apart;
}

/* One ring without a gate. `sign`: a sign of life within 3 min, a probation of 3 min, and agents that keep the line
 * open and tell within a minute what happens; then, and under the ramp of an hour, in steps of half a minute. Times in
 * seconds; harm and steps are whole numbers, so one more or less is the same. */
static const struct figure {
    const char *id;
    const char *fault;
    int64_t endpoints;
    int64_t per_survivor_m;
    int64_t linear_min;
    bool sign;
    int64_t harm_median; /* -1: not published, also below */
    int64_t harm_p95;
    int64_t stop_s;
} figures[] = {
    {"brick, 10,000", "brick", 10000, 1000, 0, false, 50, 50, 960},
    {"brick, 100,000", "brick", 100000, 1000, 0, false, 50, 50, 960},
    {"brick, 10 million", "brick", 10000000, 1000, 0, false, 50, 50, 960},
    {"brick, 30 million", "brick", 30000000, 1000, 0, false, 50, 50, 960},
    {"30 % crasher, 10,000", "crash-30", 10000, 1000, 0, false, 15, 20, 180},
    {"30 % crasher, 100,000", "crash-30", 100000, 1000, 0, false, 15, 20, 180},
    {"30 % crasher, 10 million", "crash-30", 10000000, 1000, 0, false, 15, 20, 180},
    {"30 % crasher, 30 million", "crash-30", 30000000, 1000, 0, false, 15, 20, 180},
    {"1 % crasher, 10,000", "crash-1", 10000, 1000, 0, false, 9, 16, 2820},
    {"1 % crasher, 100,000", "crash-1", 100000, 1000, 0, false, 9, 16, 2820},
    {"1 % crasher, 10 million", "crash-1", 10000000, 1000, 0, false, 9, 16, 2820},
    {"1 % crasher, 30 million", "crash-1", 30000000, 1000, 0, false, 10, 15, 2820},
    {"1 % crasher, k = 3, 100,000", "crash-1", 100000, 3000, 0, false, 12, 33, 1920},
    {"1 % crasher, k = 3, 10 million", "crash-1", 10000000, 3000, 0, false, 12, 33, 1920},
    {"1 % crasher, k = 3, 30 million", "crash-1", 30000000, 3000, 0, false, 11, 32, 1860},
    {"sign of life, k = 3, brick", "brick", 1000000, 3000, 0, true, 50, -1, 210},
    {"sign of life, k = 3, 30 % crasher", "crash-30", 1000000, 3000, 0, true, 15, -1, 90},
    {"sign of life, k = 3, 1 % crasher", "crash-1", 1000000, 3000, 0, true, 24, 46, 630},
    {"brick, linear, 100,000", "brick", 100000, 1000, 240, false, 7083, -1, -1},
    {"brick, linear, 1 million", "brick", 1000000, 1000, 240, false, 70833, -1, -1},
    {"brick, linear, 10 million", "brick", 10000000, 1000, 240, false, 708333, -1, -1},
    {"brick, linear, 30 million", "brick", 30000000, 1000, 240, false, 2125000, -1, -1},
    {"30 % crasher, linear, 100,000", "crash-30", 100000, 1000, 240, false, 354, -1, -1},
    {"30 % crasher, linear, 1 million", "crash-30", 1000000, 1000, 240, false, 2499, -1, -1},
    {"30 % crasher, linear, 10 million", "crash-30", 10000000, 1000, 240, false, 25002, -1, -1},
    {"30 % crasher, linear, 30 million", "crash-30", 30000000, 1000, 240, false, 74999, -1, -1},
    {"1 % crasher, linear, 100,000", "crash-1", 100000, 1000, 240, false, 32, -1, -1},
    {"1 % crasher, linear, 10 million", "crash-1", 10000000, 1000, 240, false, 1286, -1, -1},
    {"1 % crasher, linear, 30 million", "crash-1", 30000000, 1000, 240, false, 3752, -1, -1},
    {"brick, linear 1 h, 10,000", "brick", 10000, 1000, 60, false, 2750, -1, -1},
    {"sign of life, linear 1 h, 10,000", "brick", 10000, 1000, 60, true, 750, -1, -1},
};

static void give_sign_of_life(struct sim_plan *plan)
{
    plan->policy.confirm_deadline_s = 180;
    plan->policy.confirm_probation_s = 180;
    plan->tell_min = 1;
    plan->report_min = 1;
    plan->step_s = 30;
}

static struct sim_plan plan_of(const struct figure *f)
{
    struct sim_plan plan = sim_world_bare(f->endpoints);
    plan.linear_min = f->linear_min;
    plan.policy.confirm_per_survivor_m = f->per_survivor_m;
    if (f->linear_min == 60) { plan.step_s = 30; }
    if (f->sign) { give_sign_of_life(&plan); }
    return plan;
}

TEST_EACH(harm_and_time_are_the_published_figures, figures)
{
    struct rw_err err;
    struct sim_plan plan = plan_of(it);
    int64_t harm[FIGURE_RUNS];
    int64_t stop[FIGURE_RUNS];
    bool exact = it->harm_p95 == it->harm_median;
    size_t runs = exact ? FIGURE_RUNS / 10 : FIGURE_RUNS;
    for (size_t i = 0; i < runs; i++) {
        struct sim_outcome o;
        MUST(sim_run(&plan, sim_fault_find(it->fault), SIM_WORLD_SEED + i, &o, &err));
        assert_int_equal(o.end, SIM_HALTED);
        harm[i] = o.harmed;
        stop[i] = o.stop_s;
    }
    bool fine = agrees(harm, runs, 0.5, it->harm_median, 1) &&
                (it->harm_p95 < 0 || agrees(harm, runs, 0.95, it->harm_p95, 1)) &&
                (it->stop_s < 0 || agrees(stop, runs, 0.5, it->stop_s, plan.step_s));
    if (!fine) {
        qsort(harm, runs, sizeof(*harm), by_size);
        qsort(stop, runs, sizeof(*stop), by_size);
        fail_msg("harm %lld / %lld after %lld s, published %lld / %lld after %lld",
                 (long long)harm[runs / 2], (long long)harm[runs * 95 / 100],
                 (long long)stop[runs / 2], (long long)it->harm_median, (long long)it->harm_p95,
                 (long long)it->stop_s);
    }
}

/* The time to the last endpoint hardly varies from run to run. */
static const struct pace {
    const char *id;
    int64_t endpoints;
    int64_t per_survivor_m;
    bool sign;
    bool alive; /* also the law of two hours, U = 10,000, k = 99; proven again within a deadline */
    int64_t minutes;
} paces[] = {
    {"100,000", 100000, 1000, false, false, 172},
    {"10 million", 10000000, 1000, false, false, 280},
    {"30 million", 30000000, 1000, false, false, 306},
    {"k = 3, 100,000", 100000, 3000, false, false, 114},
    {"k = 3, 10 million", 10000000, 3000, false, false, 177},
    {"k = 3, 30 million", 30000000, 3000, false, false, 192},
    {"alive, 10,000", 10000, 1000, false, true, 120},
    {"alive, 100,000", 100000, 1000, false, true, 214},
    {"alive, 10 million", 10000000, 1000, false, true, 360},
    {"alive, 30 million", 30000000, 1000, false, true, 387},
    {"sign of life, 1 million", 1000000, 1000, true, false, 103},
    {"sign of life, k = 3, 1 million", 1000000, 3000, true, false, 82},
};

TEST_EACH(a_good_release_reaches_everybody_in_the_published_time, paces)
{
    struct rw_err err;
    struct sim_plan plan = sim_world_bare(it->endpoints);
    int64_t all[15];
    plan.policy.confirm_per_survivor_m = it->per_survivor_m;
    if (it->sign) { give_sign_of_life(&plan); }
    if (it->alive) {
        plan.policy.alive_start = 10000;
        plan.policy.alive_per_survivor_m = 99000;
        plan.again_min = plan.policy.confirm_deadline_s / 60;
    }
    for (size_t i = 0; i < RW_LEN(all); i++) {
        struct sim_outcome o;
        MUST(sim_run(&plan, sim_fault_find("good"), SIM_WORLD_SEED + i, &o, &err));
        assert_true(o.stop_s < 0);
        all[i] = o.reach_all_s;
    }
    bool fine = agrees(all, RW_LEN(all), 0.5, it->minutes * 60, 60);
    if (!fine) {
        fail_msg("all after %lld s, published %lld min", (long long)all[RW_LEN(all) / 2],
                 (long long)it->minutes);
    }
}

/* --- late faults: 100,000 endpoints beside as many, 0.5 % of them crash each day --- */

enum { ARM = 100000, DAY_MIN = 1440, LATE_RUNS = 150 };

struct late_run {
    int64_t delay_min; /* since the fault began; -1: not within a day of it */
    int64_t crashes;   /* of the treated since then */
};

/* A minute, crash by crash; true when one of them halts. `crashes`: of the treated until then. */
static bool minute_of(struct late_rule *s, struct sim_random *r, double factor, int64_t *crashes)
{
    const struct late_rule_risk risk = {ARM, ARM};
    double hazard = 0.005 / DAY_MIN;
    int64_t treated = sim_random_binomial(r, ARM, hazard * factor);
    late_rule_control_crash(s, 1.25, sim_random_binomial(r, ARM, hazard), &risk);
    for (int64_t i = 0; i < treated; i++) {
        late_rule_crash(s, 1.25, 1, &risk);
        ++*crashes;
        if (late_rule_mix_log_e(&s->crash) >= log(1e4)) { return true; }
    }
    return false;
}

static struct late_run late_run(uint64_t seed, int64_t begins_min, double factor, bool drips)
{
    struct sim_random r = sim_random_begin(seed);
    struct late_rule s = late_rule_begin();
    struct late_run out = {.delay_min = -1};
    if (!drips) { s.crash = late_rule_mix_begin(1.0); }
    for (int64_t m = 0; m < begins_min + DAY_MIN; m++) {
        bool wrong = m >= begins_min;
        if (m == begins_min) { out.crashes = 0; }
        bool halts = minute_of(&s, &r, wrong ? factor : 1.0, &out.crashes);
        if (halts) { out.delay_min = m - begins_min; }
        if (halts) { return out; }
        if (drips && m % (LATE_RULE_DRIP_S / 60) == 0 && m > 0) { late_rule_drip(&s); }
    }
    return out;
}

static const struct late_case {
    const char *id;
    int64_t begins_min;
    double factor;
    bool drips;
    int64_t delay_min; /* median, of those that are found within a day; -1: not published */
    int64_t crashes;   /* median until the halt; -1: not published */
    double found;      /* share */
} lates[] = {
    {"twice from the start, no restart", 0, 2.0, false, 388, -1, 1.0},
    {"twice from the start", 0, 2.0, true, 413, -1, 1.0},
    {"twice after 18 h, no restart", 1080, 2.0, false, 1284, -1, 0.31},
    {"twice after 18 h", 1080, 2.0, true, 514, -1, 0.9995},
    {"5 times after 18 h, no restart", 1080, 5.0, false, 223, -1, 1.0},
    {"5 times after 18 h", 1080, 5.0, true, 43, -1, 1.0},
    {"50 times after 18 h, no restart", 1080, 50.0, false, -1, 284, 1.0},
    {"50 times after 18 h", 1080, 50.0, true, -1, 39, 1.0},
};

TEST_EACH(a_late_fault_is_found_as_late_as_published, lates)
{
    int64_t delay[LATE_RUNS];
    int64_t crashes[LATE_RUNS];
    size_t found = 0;
    for (size_t i = 0; i < LATE_RUNS; i++) {
        struct late_run one = late_run(SIM_WORLD_SEED + i, it->begins_min, it->factor, it->drips);
        if (one.delay_min < 0) { continue; }
        delay[found] = one.delay_min;
        crashes[found++] = one.crashes;
    }
    double n = LATE_RUNS;
    double share = (double)found / n;
    double chance =
        sides * sqrt(it->found * (1.0 - it->found) * (1.0 / n + 1.0 / published_runs)) + 1.0 / n;
    bool fine = fabs(share - it->found) <= chance && found > 0 &&
                (it->delay_min < 0 || agrees(delay, found, 0.5, it->delay_min, 1)) &&
                (it->crashes < 0 || agrees(crashes, found, 0.5, it->crashes, 1));
    if (!fine) {
        fail_msg("found %.3f after %lld min and %lld crashes, published %.3f, %lld, %lld", share,
                 found == 0 ? -1LL : (long long)delay[found / 2],
                 found == 0 ? -1LL : (long long)crashes[found / 2], it->found,
                 (long long)it->delay_min, (long long)it->crashes);
    }
}

/* --- false halts, forgers --- */

/* Published: none of 400,000, also with base rates that move. A taste; docs/simulate.md has the command. */
TEST(good_releases_are_not_halted)
{
    struct rw_err err;
    static const char *const names[] = {"good", "time-of-day"};
    for (size_t k = 0; k < RW_LEN(names); k++) {
        struct sim_plan plan = sim_world_bare(100000);
        struct sim_summary s;
        plan.horizon_min = 240;
        MUST(sim_stat_run(&plan, sim_fault_find(names[k]), 200, SIM_WORLD_SEED, &s, &err));
        assert_int_equal(s.halts + s.holds + s.cohort_halts + s.tenant_holds, 0);
    }
}

/* Published: an always failing 0.5 % halts every release of a year where nothing tells whose votes they are. */
TEST(half_a_percent_that_always_fails_halts_every_release)
{
    struct rw_err err;
    struct sim_plan plan = sim_world_bare(100000);
    struct sim_summary s;
    plan.usual.apply += 0.005;
    MUST(sim_stat_run(&plan, sim_fault_find("good"), 365, SIM_WORLD_SEED, &s, &err));
    assert_int_equal(s.halts, 365);
}

/* Published: 99 % of a million after 4.5 h, under both laws; whether permits or proofs were counted is not said. */
TEST(a_million_is_through_around_four_and_a_half_hours)
{
    struct rw_err err;
    struct sim_plan plan = sim_world_bare(1000000);
    struct sim_outcome o;
    int64_t at_99 = -1;
    plan.again_min = plan.policy.confirm_deadline_s / 60;
    plan.policy.alive_start = 10000;
    plan.policy.alive_per_survivor_m = 99000;
    MUST(sim_run(&plan, sim_fault_find("good"), SIM_WORLD_SEED, &o, &err));
    for (size_t i = 0; i < o.point_count && at_99 < 0; i++) {
        if (o.points[i].exposed >= 990000) { at_99 = o.points[i].at_s / 60; }
    }
    assert_in_range(at_99, 200, 270);
    assert_in_range(o.reach_all_s / 60, 260, 300);
}

RUN_TESTS(cmocka_unit_test(harm_and_time_are_the_published_figures),
          cmocka_unit_test(a_good_release_reaches_everybody_in_the_published_time),
          cmocka_unit_test(a_late_fault_is_found_as_late_as_published),
          cmocka_unit_test(good_releases_are_not_halted),
          cmocka_unit_test(half_a_percent_that_always_fails_halts_every_release),
          cmocka_unit_test(a_million_is_through_around_four_and_a_half_hours))
