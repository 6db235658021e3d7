#include "server/simulate/sim_stat.h"

#include "common/base/buf.h"

#include <stdlib.h>

enum column { EXPOSED, HARMED, CAME_BACK, STOP, REACH_95, REACH_ALL, COLUMNS };

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The value that `percent` of the runs do not exceed. */
static int64_t quantile(const int64_t *sorted, int64_t runs, int64_t percent)
{
    int64_t at = (runs * percent + 99) / 100 - 1;
    return sorted[at < 0 ? 0 : at];
}

/* Median time; what never happened counts as later than everything. -1: never in the median. */
static int64_t median_time(int64_t *times, int64_t runs)
{
    for (int64_t i = 0; i < runs; i++) {
        if (times[i] < 0) { times[i] = INT64_MAX; }
    }
    qsort(times, (size_t)runs, sizeof(*times), by_size);
    int64_t t = quantile(times, runs, 50);
    return t == INT64_MAX ? -1 : t;
}

/* The first stop of any kind. */
static int64_t first_stop(const struct sim_outcome *o)
{
    const int64_t times[] = {o->stop_s, o->cohort_s, o->tenant_s};
    int64_t first = -1;
    for (size_t i = 0; i < RW_LEN(times); i++) {
        if (times[i] >= 0 && (first < 0 || times[i] < first)) { first = times[i]; }
    }
    return first;
}

static void sum_up(struct sim_summary *s, int64_t *columns)
{
    int64_t runs = s->runs;
    int64_t *exposed = columns + EXPOSED * runs;
    int64_t *harmed = columns + HARMED * runs;
    qsort(exposed, (size_t)runs, sizeof(*exposed), by_size);
    qsort(harmed, (size_t)runs, sizeof(*harmed), by_size);
    int64_t *came_back = columns + CAME_BACK * runs;
    qsort(came_back, (size_t)runs, sizeof(*came_back), by_size);
    s->came_back_median = quantile(came_back, runs, 50);
    s->exposed_median = quantile(exposed, runs, 50);
    s->exposed_p95 = quantile(exposed, runs, 95);
    s->harmed_median = quantile(harmed, runs, 50);
    s->harmed_p95 = quantile(harmed, runs, 95);
    s->stop_median_s = median_time(columns + STOP * runs, runs);
    s->reach_95_median_s = median_time(columns + REACH_95 * runs, runs);
    s->reach_all_median_s = median_time(columns + REACH_ALL * runs, runs);
}

static RW_RC fill(const struct sim_plan *plan, struct sim_summary *s, uint64_t seed,
                  int64_t *columns, struct rw_err *err)
{
    for (int64_t i = 0; i < s->runs; i++) {
        struct sim_outcome o;
        RW_TRY(sim_run(plan, s->fault, seed * SIM_RUNS_MAX + (uint64_t)i, &o, err));
        columns[EXPOSED * s->runs + i] = o.exposed;
        columns[HARMED * s->runs + i] = o.harmed;
        columns[CAME_BACK * s->runs + i] = o.came_back;
        columns[STOP * s->runs + i] = first_stop(&o);
        columns[REACH_95 * s->runs + i] = o.reach_95_s;
        columns[REACH_ALL * s->runs + i] = o.reach_all_s;
        s->halts += o.end == SIM_HALTED;
        s->holds += o.end == SIM_HELD;
        s->waits += o.end == SIM_RUNS_ON;
        s->cohort_halts += o.cohort_s >= 0;
        s->tenant_holds += o.tenant_s >= 0;
        if (i == 0) { s->first = o; }
    }
    return RW_OK;
}

RW_RC sim_stat_run(const struct sim_plan *plan, const struct sim_fault *fault, int64_t runs,
                   uint64_t seed, struct sim_summary *out, struct rw_err *err)
{
    struct sim_summary s = {.fault = fault, .runs = runs, .seed = seed};
    RW_ASSERT(runs >= 1 && runs <= SIM_RUNS_MAX);
    RW_TRY(sim_run_check(plan, err));
    int64_t *columns = rw_mem_new_array((size_t)runs * COLUMNS, sizeof(*columns));
    if (columns == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the results"); }
    struct rw_rc rc = fill(plan, &s, seed, columns, err);
    if (rw_is_ok(rc)) { sum_up(&s, columns); }
    rw_mem_free(columns);
    if (rw_is_ok(rc)) { *out = s; }
    return rc;
}
