#include "server/cli/cmd_simulate.h"

#include "common/base/file.h"
#include "common/base/num.h"
#include "server/cli/cli_progress.h"
#include "server/cli/cmd_rings_facts.h"
#include "server/cli/cmd_simulate_recorded.h"
#include "server/cli/cmd_simulate_view.h"

#include <string.h>

enum { FAULTS_MAX = 32, LINEAR_S_MAX = 14 * 86400, STEP_S = 60, SVG_BYTES_MAX = 4 * 1024 * 1024 };

/* As typed. */
struct options {
    const char *hosts;
    const char *staff;
    const char *runs;
    const char *hours;
    const char *fault;
    const char *class_name;
    const char *cohorts;
    const char *recorded;
    const char *linear;
    const char *step;
    const char *seed;
    const char *svg;
};

struct limits {
    int64_t min;
    int64_t max;
    int64_t fallback; /* when the option was not given */
};

static const struct limits hosts_limits = {1, 100000000, 1000000};
static const struct limits staff_limits = {0, CMD_RINGS_STAFF_MAX, 0};
static const struct limits hours_limits = {1, (int64_t)24 * 14, 24};
static const struct limits runs_limits = {1, SIM_RUNS_MAX, 20};
static const struct limits seed_limits = {0, INT32_MAX, 1};

static RW_RC number(const char *text, const char *what, const struct limits *limits, int64_t *out,
                    struct rw_err *err)
{
    *out = limits->fallback;
    if (text == NULL) { return RW_OK; }
    return rw_parse_i64(rw_span_str(text), limits->min, limits->max, what, out, err);
}

RW_RC cmd_simulate_cohorts(const char *text, struct sim_plan *plan, struct rw_err *err)
{
    struct rw_span rest = rw_span_str(text);
    int64_t sum = 0;
    while (rest.n > 0) {
        size_t n = 0;
        int64_t percent = 0;
        while (n < rest.n && rest.p[n] != ',') {
            n++;
        }
        RW_TRY(rw_parse_i64(rw_span_of(rest.p, n), 0, 100, "--cohorts", &percent, err));
        if (plan->cohort_count >= SIM_COHORTS_MAX) {
            return rw_fail(err, RW_E_USAGE, "--cohorts: at most %d", SIM_COHORTS_MAX);
        }
        sum += percent;
        plan->cohort_share[plan->cohort_count++] = (double)percent / 100.0;
        n = n < rest.n ? n + 1 : n;
        rest = rw_span_of(rest.p + n, rest.n - n);
    }
    if (sum != 100) {
        return rw_fail(err, RW_E_USAGE, "--cohorts: the shares add up to %lld %%, not 100",
                       (long long)sum);
    }
    return RW_OK;
}

/* A fleet as the documentation describes it: base rates that are usual, history that knows them. */
static void usual_fleet(struct sim_plan *plan)
{
    plan->usual =
        (struct sim_rates){.apply = 1e-4,
                           .hazard = 1e-6 /* 1.4 crashes of a thousand endpoints and day */,
                           .dark = 0.003};
    plan->crash_min = 4;
    plan->report_min = 3;
    plan->latency_min = 1;
    plan->operator_min = 30;
    plan->norm = health_rule_cold_start();
    plan->norm.p0[HEALTH_CRASH] = health_rule_p0(HEALTH_CRASH, 100, 1000000, 50);
    plan->norm.history_hazard = health_rule_history_hazard(1000, 1000 / plan->usual.hazard);
    plan->norm.rho_crash = health_rule_rho_crash(plan->norm.history_hazard);
}

static RW_RC read_plan(const char *path, const struct options *o, struct sim_plan *plan,
                       struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    struct limits hosts = hosts_limits;
    int64_t recorded = 0;
    int64_t hours = 0;
    RW_TRY(rw_file_read(path, RING_POLICY_BYTES_MAX, &text, err));
    struct rw_rc rc = ring_policy_parse(rw_buf_span(&text), &plan->policy, err);
    if (!rw_is_ok(rc)) { return rw_wrap(err, "%s", path); }
    usual_fleet(plan);
    if (o->recorded != NULL) {
        if (o->cohorts != NULL) {
            return rw_fail(err, RW_E_USAGE, "--recorded tells the cohorts; --cohorts does not fit");
        }
        RW_TRY(cmd_simulate_recorded(o->recorded, plan, &recorded, err));
        hosts.fallback = recorded;
    }
    RW_TRY(number(o->hosts, "--hosts", &hosts, &plan->endpoints, err));
    RW_TRY(number(o->staff, "--staff", &staff_limits, &plan->staff, err));
    if (o->staff == NULL) { plan->staff = cmd_rings_staff(&plan->policy); }
    RW_TRY(number(o->hours, "--hours", &hours_limits, &hours, err));
    plan->horizon_min = hours * 60;
    plan->step_s = STEP_S;
    if (o->step != NULL) {
        RW_TRY(rw_parse_duration_s(rw_span_str(o->step), STEP_S, "--step", &plan->step_s, err));
    }
    plan->poll_min = plan->policy.poll_rollout_s < 60 ? 1 : plan->policy.poll_rollout_s / 60;
    if (o->linear != NULL) {
        int64_t linear_s = 0;
        RW_TRY(
            rw_parse_duration_s(rw_span_str(o->linear), LINEAR_S_MAX, "--linear", &linear_s, err));
        plan->linear_min = linear_s < 60 ? 1 : linear_s / 60;
    }
    if (o->class_name != NULL) {
        RW_TRY(ring_policy_find_class(&plan->policy, o->class_name, &plan->class_index, err));
    }
    if (o->recorded != NULL) { return sim_run_check(plan, err); }
    RW_TRY(cmd_simulate_cohorts(o->cohorts == NULL ? SIM_USUAL_COHORTS : o->cohorts, plan, err));
    return sim_run_check(plan, err);
}

static RW_RC pick_faults(const char *name, const struct sim_fault **list, size_t *count_out,
                         struct rw_err *err)
{
    const struct sim_fault *one = name == NULL ? NULL : sim_fault_find(name);
    if (name != NULL && one == NULL) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "there is no fault '%.40s' in the catalogue", name),
                  "a hint follows");
        return rw_hint(err, "without --fault the whole catalogue is simulated and listed");
    }
    *count_out = one != NULL ? 1 : sim_fault_count;
    RW_ASSERT(sim_fault_count <= FAULTS_MAX);
    for (size_t i = 0; i < *count_out; i++) {
        list[i] = one != NULL ? one : &sim_faults[i];
    }
    return RW_OK;
}

static RW_RC write_svg(const char *path, const struct sim_plan *plan,
                       const struct sim_summary *list, size_t count, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf svg = rw_buf_make(SVG_BYTES_MAX);
    RW_TRY(cmd_simulate_svg(plan, list, count, &svg, err));
    return rw_file_replace(path, 0644, rw_buf_span(&svg), err);
}

static RW_RC simulate(const char *path, const struct options *o, enum cli_format format,
                      struct rw_err *err)
{
    const struct sim_fault *faults[FAULTS_MAX] = {NULL};
    struct sim_plan plan = {.endpoints = 0};
    size_t count = 0;
    int64_t runs = 0;
    int64_t seed = 0;
    RW_TRY(number(o->runs, "--runs", &runs_limits, &runs, err));
    RW_TRY(number(o->seed, "--seed", &seed_limits, &seed, err));
    RW_TRY(pick_faults(o->fault, faults, &count, err));
    RW_TRY(read_plan(path, o, &plan, err));
    struct sim_summary *list = rw_mem_new_array(count, sizeof(*list));
    if (list == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the results"); }
    struct rw_rc rc = RW_OK;
    struct cli_progress bar = {.what = "simulating"};
    for (size_t i = 0; i < count && rw_is_ok(rc); i++) {
        cli_progress_step(&bar, i, count, faults[i]->name);
        rc = sim_stat_run(&plan, faults[i], runs, (uint64_t)seed, &list[i], err);
    }
    cli_progress_end(&bar);
    if (rw_is_ok(rc)) { rc = cmd_simulate_view(&plan, list, count, format, err); }
    if (rw_is_ok(rc) && o->svg != NULL) { rc = write_svg(o->svg, &plan, list, count, err); }
    rw_mem_free(list);
    return rc;
}

RW_RC cmd_simulate(int argc, char **argv, struct rw_err *err)
{
    struct options o = {.hosts = NULL};
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        CLI_OPT_OUTPUT(args.output),
        {"hosts", "N", "endpoints of the fleet (default 1000000)", &o.hosts, NULL},
        {"staff", "N", "endpoints in each ring that is joined by hand (default: as advised)",
         &o.staff, NULL},
        {"fault", "NAME", "this one only (default: the whole catalogue)", &o.fault, NULL},
        {"runs", "N", "of each fault, with different chance (default 20)", &o.runs, NULL},
        {"hours", "N", "length of the simulation (default 24)", &o.hours, NULL},
        {"class", "NAME", "class of the release: its signed bakes hold", &o.class_name, NULL},
        {"cohorts", "P,P,...", "shares in percent (default 60,25,12,3)", &o.cohorts, NULL},
        {"recorded", "FILE", "cohorts and base rates of past releases: lines of 'explain -o json'",
         &o.recorded, NULL},
        {"linear", "TIME", "ramp by time alone instead of the window, to compare", &o.linear, NULL},
        {"step", "TIME", "what happens within is one moment: 1m, 30s, 20s... (default 1m)", &o.step,
         NULL},
        {"seed", "N", "the same seed gives the same runs (default 1)", &o.seed, NULL},
        {"svg", "FILE", "draws exposed endpoints over time", &o.svg, NULL},
    };
    const struct opt_command command = {
        .program = "ringward simulate",
        .usage = "FILE",
        .about = "Runs a policy over a made-up fleet and a catalogue of faults, with the rules of "
                 "the controller,\n"
                 "and tells how many endpoints each fault would have reached before it was "
                 "stopped. Needs no server.",
        .examples = "  ringward simulate rings.json\n"
                    "  ringward simulate --hosts 50000 --fault crash-30 --svg ramp.svg rings.json\n"
                    "  ringward simulate --linear 4h --fault brick rings.json\n"
                    "  ringward explain -o json yara/7 >> past.ndjson\n"
                    "  ringward simulate --recorded past.ndjson rings.json\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    return simulate(args.operands[0], &o, args.format, err);
}
