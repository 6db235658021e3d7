/* Past releases that a fleet is simulated by: refused, or cohorts that are all of the fleet, rates that are numbers,
 * and norms within the bounds that the controller keeps to. */
#include "server/cli/cmd_simulate_recorded.h"
#include "tests/fuzz/folder.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_norm(const struct health_rule_norm *n)
{
    for (size_t i = 0; i < RW_LEN(n->p0); i++) {
        RW_ASSERT(n->p0[i] > 0.0 && n->p0[i] <= 0.05);
    }
    RW_ASSERT(isfinite(n->history_hazard) && n->history_hazard >= 0.0);
    RW_ASSERT(isfinite(n->rho_crash) && n->rho_crash >= 1.25);
}

static void check_rates(const struct sim_rates *r)
{
    const double all[] = {r->apply, r->hazard, r->dark, r->storm, r->slow, r->mute};
    for (size_t i = 0; i < RW_LEN(all); i++) {
        RW_ASSERT(isfinite(all[i]) && all[i] >= 0.0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[96];
    struct rw_err err;
    struct sim_plan plan = {.usual = {.hazard = 1e-6}};
    int64_t endpoints = 0;
    double sum = 0.0;
    fuzz_folder_put_at(fuzz_folder(), "past.ndjson", rw_span_of(data, size));
    (void)snprintf(path, sizeof(path), "%s/past.ndjson", fuzz_folder_path);
    if (!rw_is_ok(cmd_simulate_recorded(path, &plan, &endpoints, &err))) { return 0; }
    RW_ASSERT(endpoints >= 1 && plan.by_cohort);
    RW_ASSERT(plan.cohort_count >= 1 && plan.cohort_count <= SIM_COHORTS_MAX);
    check_norm(&plan.norm);
    for (size_t i = 0; i < plan.cohort_count; i++) {
        sum += plan.cohort_share[i];
        check_rates(&plan.usual_of[i]);
        check_norm(&plan.norm_of[i]);
    }
    RW_ASSERT(fabs(sum - 1.0) < 1e-9);
    return 0;
}
