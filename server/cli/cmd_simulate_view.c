#include "server/cli/cmd_simulate_view.h"

#include "common/base/num.h"
#include "common/json/json_write.h"
#include "server/cli/cli_table.h"

#include <stdio.h>

enum { WORD_BYTES = 96, JSON_BYTES_MAX = 256 * 1024, COLUMNS_WIDE = 170 };

/* How the runs were stopped, in words: a part only, where that is all that was. */
static void stops_of(const struct sim_summary *s, char *dst, size_t cap)
{
    const struct {
        const char *name;
        int64_t runs;
    } kinds[] = {{"halted", s->halts},
                 {"held", s->holds},
                 {"cohort halted", s->cohort_halts},
                 {"tenant held", s->tenant_holds},
                 {"waits", s->waits}};
    size_t used = 0;
    dst[0] = '\0';
    for (size_t i = 0; i < RW_LEN(kinds) && used < cap; i++) {
        if (kinds[i].runs == 0) { continue; }
        int n = snprintf(dst + used, cap - used, "%s%s %lld/%lld", used == 0 ? "" : ", ",
                         kinds[i].name, (long long)kinds[i].runs, (long long)s->runs);
        used += n > 0 ? (size_t)n : 0;
    }
    if (dst[0] == '\0') { (void)snprintf(dst, cap, "-"); }
}

static const char *time_of(int64_t seconds, char *dst, size_t cap)
{
    if (seconds < 0) {
        (void)snprintf(dst, cap, "-");
        return dst;
    }
    return cli_view_duration(seconds, dst, cap);
}

/* Stops of a good release: for everybody, or for a part that did nothing. */
static int64_t false_stops(const struct sim_summary *s)
{
    return s->fault->good ? s->halts + s->holds : 0;
}

/* Good releases that a gate left to a person, or that were not through by the end. */
static int64_t false_waits(const struct sim_summary *s)
{
    return s->fault->good ? s->waits : 0;
}

static RW_RC add_row(struct cli_table *t, const struct sim_summary *s, bool wide,
                     struct rw_err *err)
{
    char word[WORD_BYTES];
    RW_TRY(cli_table_add(t, s->fault->name, err));
    if (wide) { RW_TRY(cli_table_add(t, s->fault->text, err)); }
    RW_TRY(cli_table_addf(t, err, "%lld / %lld", (long long)s->exposed_median,
                          (long long)s->exposed_p95));
    RW_TRY(cli_table_addf(t, err, "%lld / %lld", (long long)s->harmed_median,
                          (long long)s->harmed_p95));
    stops_of(s, word, sizeof(word));
    RW_TRY(cli_table_add(t, word, err));
    RW_TRY(cli_table_add(t, time_of(s->stop_median_s, word, sizeof(word)), err));
    RW_TRY(cli_table_add(t, time_of(s->reach_95_median_s, word, sizeof(word)), err));
    if (!s->fault->good) {
        RW_TRY(cli_table_add(t, "-", err));
        return cli_table_add(t, "-", err);
    }
    RW_TRY(cli_table_addf(t, err, "%lld/%lld", (long long)false_stops(s), (long long)s->runs));
    return cli_table_addf(t, err, "%lld/%lld", (long long)false_waits(s), (long long)s->runs);
}

static void print_came_back(const struct sim_summary *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sim_summary *s = &list[i];
        if (s->came_back_median < 1) { continue; }
        printf("%s: %lld of the harmed had left the release by themselves when the stop took "
               "effect (median).\n",
               s->fault->name, (long long)s->came_back_median);
    }
}

static RW_RC print_table(const struct sim_plan *plan, const struct sim_summary *list, size_t count,
                         struct rw_err *err)
{
    static const char *const header[] = {"FAULT",     "WHAT",        "EXPOSED",
                                         "HARMED",    "STOPPED",     "STOP AFTER",
                                         "95% AFTER", "FALSE STOPS", "FALSE WAITS"};
    static const char *const narrow[] = {"FAULT",      "EXPOSED",   "HARMED",      "STOPPED",
                                         "STOP AFTER", "95% AFTER", "FALSE STOPS", "FALSE WAITS"};
    RW_AUTO(cli_table) struct cli_table t = {0};
    size_t columns = cli_table_terminal_columns();
    bool wide = columns == 0 || columns >= COLUMNS_WIDE;
    printf("SIMULATED: %lld endpoint%s, %lld run%s of each fault, seed %llu, %lld h in steps of "
           "%lld s%s. Nothing "
           "here was measured.\n\n",
           (long long)plan->endpoints, rw_plural(plan->endpoints), (long long)list[0].runs,
           rw_plural(list[0].runs), (unsigned long long)list[0].seed,
           (long long)(plan->horizon_min / 60), (long long)plan->step_s,
           plan->linear_min > 0 ? ", ramp by time alone" : "");
    RW_TRY(
        cli_table_begin(&t, wide ? header : narrow, wide ? RW_LEN(header) : RW_LEN(narrow), err));
    for (size_t i = 0; i < count; i++) {
        RW_TRY(add_row(&t, &list[i], wide, err));
    }
    (void)cli_table_print(&t);
    printf("\nEXPOSED and HARMED: median / 95th percentile, when the stop took effect or at the "
           "end.\nHarmed = installed and broken by then. Times count from the opening of the first "
           "ring.\nWaits: a gate has not said PASS by the end; a person would look. FALSE STOPS, "
           "FALSE WAITS: of a good release.\n-: it did not come to that in the %lld h.\n",
           (long long)(plan->horizon_min / 60));
    print_came_back(list, count);
    return cli_view_flush(err);
}

static void put_seconds(struct json_writer *w, const char *name, int64_t seconds)
{
    if (seconds >= 0) { json_put_int(w, name, seconds); }
}

static void put_summary(struct json_writer *w, const struct sim_summary *s)
{
    json_open_object(w, NULL);
    json_put_str(w, "fault", s->fault->name);
    json_put_str(w, "text", s->fault->text);
    json_put_bool(w, "good", s->fault->good);
    json_put_int(w, "runs", s->runs);
    json_put_int(w, "seed", (int64_t)s->seed);
    json_put_int(w, "exposed_median", s->exposed_median);
    json_put_int(w, "exposed_p95", s->exposed_p95);
    json_put_int(w, "harmed_median", s->harmed_median);
    json_put_int(w, "harmed_p95", s->harmed_p95);
    json_put_int(w, "came_back_median", s->came_back_median);
    json_put_int(w, "halted", s->halts);
    json_put_int(w, "held", s->holds);
    json_put_int(w, "waiting", s->waits);
    json_put_int(w, "cohort_halted", s->cohort_halts);
    json_put_int(w, "tenant_held", s->tenant_holds);
    json_put_int(w, "false_stops", false_stops(s));
    json_put_int(w, "false_waits", false_waits(s));
    put_seconds(w, "stop_median_s", s->stop_median_s);
    put_seconds(w, "reach_95_median_s", s->reach_95_median_s);
    json_close_object(w);
}

static RW_RC print_json(const struct sim_plan *plan, const struct sim_summary *list, size_t count,
                        struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(JSON_BYTES_MAX);
    struct json_writer w = json_begin(&out);
    json_open_object(&w, NULL);
    json_put_bool(&w, "simulated", true);
    json_put_int(&w, "endpoints", plan->endpoints);
    json_put_int(&w, "horizon_min", plan->horizon_min);
    json_put_int(&w, "linear_min", plan->linear_min);
    json_put_int(&w, "step_s", plan->step_s);
    json_open_array(&w, "faults");
    for (size_t i = 0; i < count; i++) {
        put_summary(&w, &list[i]);
    }
    json_close_array(&w);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    (void)printf("%s\n", rw_buf_str(&out));
    return cli_view_flush(err);
}

static RW_RC print_lines(const struct sim_summary *list, size_t count, struct rw_err *err)
{
    for (size_t i = 0; i < count; i++) {
        RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(JSON_BYTES_MAX);
        struct json_writer w = json_begin(&out);
        put_summary(&w, &list[i]);
        RW_TRY(json_done(&w, err));
        (void)printf("%s\n", rw_buf_str(&out));
    }
    return cli_view_flush(err);
}

RW_RC cmd_simulate_view(const struct sim_plan *plan, const struct sim_summary *list, size_t count,
                        enum cli_format format, struct rw_err *err)
{
    RW_ASSERT(count >= 1);
    switch (format) {
    case CLI_JSON:
        return print_json(plan, list, count, err);
    case CLI_NDJSON:
        return print_lines(list, count, err);
    case CLI_TABLE:
        break;
    }
    return print_table(plan, list, count, err);
}
