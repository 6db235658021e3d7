/* Goal: detector, gate and window give the numbers of the executable reference. */
#include "common/policy/gate_rule.h"
#include "common/policy/window_rule.h"
#include "server/health/health_rule.h"
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
        assert_int_equal(gate_rule_clean_needed(clean_vectors[i].limit, clean_vectors[i].alpha),
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

RUN_TESTS(cmocka_unit_test(grids_have_the_reference_alternatives),
          cmocka_unit_test(evidence_of_counts_is_the_reference_evidence),
          cmocka_unit_test(halting_boundaries_are_exact),
          cmocka_unit_test(terms_combine_without_overflow),
          cmocka_unit_test(gate_bounds_are_the_reference_bounds),
          cmocka_unit_test(window_gives_the_reference_room))
