/* Goal: detector, gate and window give the numbers of the executable reference. */
#include "common/policy/gate_rule.h"
#include "common/policy/window_rule.h"
#include "server/health/health_rule.h"
#include "server/health/late_rule.h"
#include "tests/harness.h"

#include <math.h>

#include "tests/data/health_vectors.inc"

static void near_enough(double got, double want)
{
    double scale = fabs(want) > 1.0 ? fabs(want) : 1.0;
    if (!(fabs(got - want) <= 1e-9 * scale)) { fail_msg("got %.17g, want %.17g", got, want); }
}

TEST(grids_have_the_reference_alternatives)
{
    for (size_t i = 0; i < RW_LEN(grid_vectors); i++) {
        struct health_rule_grid g = health_rule_grid_of(grid_vectors[i].p0);
        for (int j = 0; j < HEALTH_RULE_GRID; j++) {
            near_enough(g.theta[j], grid_vectors[i].theta[j]);
            near_enough(g.gain[j], grid_vectors[i].gain[j]);
            near_enough(g.cost[j], grid_vectors[i].cost[j]);
        }
    }
}

TEST(evidence_of_counts_is_the_reference_evidence)
{
    for (size_t i = 0; i < RW_LEN(log_e_vectors); i++) {
        struct health_rule_grid g = health_rule_grid_of(log_e_vectors[i].p0);
        near_enough(health_rule_log_e(&g, log_e_vectors[i].k, log_e_vectors[i].n),
                    log_e_vectors[i].log_e);
    }
}

TEST(halting_boundaries_are_exact)
{
    for (size_t i = 0; i < RW_LEN(n_max_vectors); i++) {
        struct health_rule_grid g = health_rule_grid_of(n_max_vectors[i].p0);
        for (int64_t k = 1; k <= 40; k++) {
            assert_int_equal(health_rule_n_max(&g, k, n_max_vectors[i].log_threshold),
                             n_max_vectors[i].n_max[k - 1]);
        }
    }
}

TEST(terms_combine_without_overflow)
{
    for (size_t i = 0; i < RW_LEN(combine_vectors); i++) {
        const struct combine_vector *v = &combine_vectors[i];
        near_enough(health_rule_combine(v->weight, v->term, v->n), v->log_e);
    }
}

TEST(gate_bounds_are_the_reference_bounds)
{
    for (size_t i = 0; i < RW_LEN(upper_vectors); i++) {
        near_enough(gate_rule_upper(upper_vectors[i].k, upper_vectors[i].n, upper_vectors[i].alpha),
                    upper_vectors[i].upper);
    }
    for (size_t i = 0; i < RW_LEN(clean_vectors); i++) {
        assert_int_equal(gate_rule_needed(0, clean_vectors[i].limit, clean_vectors[i].alpha),
                         clean_vectors[i].clean);
    }
}

TEST(window_gives_the_reference_room)
{
    for (size_t i = 0; i < RW_LEN(ramp_vectors); i++) {
        const struct ramp_vector *v = &ramp_vectors[i];
        const struct window_rule_law law = {v->start, v->per_survivor_m};
        const struct window_rule_counts counts = {.exposed = v->exposed, .survived = v->survived};
        if (v->survived > v->exposed) {
            continue;
        } /* impossible for us: one permit, one survivor */
        assert_int_equal(window_rule_room(&law, &counts), v->room);
    }
}

TEST(both_laws_hold_at_once)
{
    for (size_t i = 0; i < RW_LEN(alive_vectors); i++) {
        const struct alive_vector *v = &alive_vectors[i];
        struct window_rule_law laws[2];
        struct window_rule_counts counts[2];
        if (v->survived[0] > v->exposed) {
            continue;
        } /* impossible for us: one permit, one survivor */
        for (int j = 0; j < 2; j++) {
            laws[j] = (struct window_rule_law){v->start[j], v->per_survivor_m[j]};
            counts[j] =
                (struct window_rule_counts){.exposed = v->exposed, .survived = v->survived[j]};
        }
        assert_int_equal(window_rule_room_all(laws, counts, 2), v->room);
    }
}

TEST(the_gate_passes_where_the_reference_passes)
{
    for (size_t i = 0; i < RW_LEN(pass_vectors); i++) {
        const struct pass_vector *v = &pass_vectors[i];
        assert_int_equal(gate_rule_upper(v->k, v->n, v->alpha) <= v->limit, v->passes);
    }
}

static void play_mix(struct late_rule_mix *m, double rho, const struct step *s)
{
    const struct late_rule_risk risk = {s->with[0], s->with[1]};
    switch (s->what) {
    case 'T':
    case 'C':
        late_rule_mix_events(m, rho, s->what == 'T', 1, &risk);
        return;
    case 't':
        late_rule_mix_expect(m, s->with[0]);
        return;
    case 'c':
        late_rule_mix_happen(m, 1);
        return;
    default:
        late_rule_mix_drip(m, s->with[0]);
    }
}

TEST_EACH(mixtures_follow_the_reference_event_by_event, mix_vectors)
{
    struct late_rule_mix m = late_rule_mix_begin(it->stake);
    for (size_t i = 0; i < it->n; i++) {
        play_mix(&m, it->rho, &it->steps[i]);
        near_enough(late_rule_mix_log_e(&m), it->log_e[i]);
    }
}

/* What the reference's detector keeps beside the terms. */
struct scope {
    struct health_rule_counts counts;
    struct late_rule late;
    struct late_rule_risk risk;
};

static void play(struct scope *s, const struct health_rule_norm *norm, const struct step *step)
{
    const double *with = step->with;
    switch (step->what) {
    case 'a':
        s->counts.exposed++;
        return;
    case 'h':
        s->risk.treated++;
        return;
    case 'r':
        s->counts.refused++;
        return;
    case 'c':
        s->counts.failed++;
        return;
    case 'l':
        late_rule_crash(&s->late, norm->rho_crash, 1, &s->risk);
        late_rule_history(&s->late, 0.0, 1);
        s->risk.treated -= s->risk.treated > 0;
        return;
    case 'x':
        late_rule_control_crash(&s->late, norm->rho_crash, 1, &s->risk);
        s->risk.control -= s->risk.control > 0;
        return;
    case 'b': {
        const struct late_rule_bucket b = {(int64_t)with[0], (int64_t)with[1], (int64_t)with[2],
                                           (int64_t)with[3]};
        late_rule_take_bucket(&s->late, norm->rho_dark, &b);
        return;
    }
    case 't':
        late_rule_mix_expect(&s->late.history, with[0] * s->risk.treated);
        return;
    case 'd':
        late_rule_drip(&s->late);
        return;
    default:
        fail_msg("no event '%c'", step->what);
    }
}

/* The reference knows six terms. Storm, slow and mute came to them: the six gave 0.2 of their weight to the three. */
static const enum health_rule_term six[] = {HEALTH_REFUSE,        HEALTH_CRASH,
                                            HEALTH_DARK,          HEALTH_CRASH_HISTORY,
                                            HEALTH_CRASH_CONTROL, HEALTH_DARK_CONTROL};

static double combine_six(const struct health_rule_result *r, size_t *culprit)
{
    double weights[RW_LEN(six)];
    double log_e[RW_LEN(six)];
    double best = -INFINITY;
    for (size_t i = 0; i < RW_LEN(six); i++) {
        weights[i] = health_rule_weight(six[i]) / 0.8;
        log_e[i] = r->log_term[six[i]];
        double weighted = log(weights[i]) + log_e[i];
        if (weighted > best) {
            best = weighted;
            *culprit = i;
        }
    }
    return health_rule_combine(weights, log_e, RW_LEN(six));
}

TEST(three_more_terms_cost_the_six_no_more_than_was_decided)
{
    double sum = 0.0;
    for (int t = 0; t < HEALTH_RULE_TERMS; t++) {
        sum += health_rule_weight((enum health_rule_term)t);
    }
    near_enough(sum, 1.0);
    near_enough(health_rule_weight(HEALTH_STORM) + health_rule_weight(HEALTH_SLOW) +
                    health_rule_weight(HEALTH_MUTE),
                0.2);
    struct health_rule_norm norm = health_rule_cold_start();
    struct late_rule late = late_rule_begin();
    const struct health_rule_counts c = {.exposed = 40, .failed = 6};
    struct health_rule_result r = health_rule_scope(&norm, &c, &late);
    size_t unused = 0;
    assert_true(r.log_e >= combine_six(&r, &unused) + log(0.8));
}

TEST_EACH(the_detector_decides_where_the_reference_decides, detector_vectors)
{
    struct health_rule_norm norm = health_rule_cold_start();
    struct scope s = {.late = late_rule_begin(), .risk = {0, it->control}};
    int decision = -1;
    norm.p0[HEALTH_CRASH] = it->p0_crash;
    for (size_t i = 0; i < it->n; i++) {
        play(&s, &norm, &it->steps[i]);
        struct health_rule_result r = health_rule_scope(&norm, &s.counts, &s.late);
        size_t culprit = 0;
        double log_e = combine_six(&r, &culprit);
        near_enough(log_e, it->log_e[i]);
        if (decision < 0 && log_e >= health_rule_threshold(1e-4, false, 1)) {
            decision = (int)i;
            assert_int_equal(culprit, it->culprit);
        }
    }
    assert_int_equal(decision, it->decision);
}

RUN_TESTS(cmocka_unit_test(grids_have_the_reference_alternatives),
          cmocka_unit_test(evidence_of_counts_is_the_reference_evidence),
          cmocka_unit_test(halting_boundaries_are_exact),
          cmocka_unit_test(terms_combine_without_overflow),
          cmocka_unit_test(gate_bounds_are_the_reference_bounds),
          cmocka_unit_test(window_gives_the_reference_room),
          cmocka_unit_test(both_laws_hold_at_once),
          cmocka_unit_test(the_gate_passes_where_the_reference_passes),
          cmocka_unit_test(mixtures_follow_the_reference_event_by_event),
          cmocka_unit_test(three_more_terms_cost_the_six_no_more_than_was_decided),
          cmocka_unit_test(the_detector_decides_where_the_reference_decides))
