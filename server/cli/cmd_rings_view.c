#include "server/cli/cmd_rings_view.h"

#include "common/base/num.h"
#include "common/policy/window_rule.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"

#include <stdio.h>

enum { DURATION_BYTES = 32, WORD_BYTES = 80 };

static RW_RC add_share(struct cli_table *t, const struct ring_policy_ring *r, struct rw_err *err)
{
    int64_t width = r->bucket_hi - r->bucket_lo;
    if (r->select == RING_BY_HAND) {
        RW_TRY(cli_table_add(t, "by hand", err));
        return cli_table_add(t, "-", err);
    }
    RW_TRY(cli_table_addf(t, err, "%lld.%02lld%%", (long long)(width / 100),
                          (long long)(width % 100)));
    return cli_table_addf(t, err, "%lld-%lld", (long long)r->bucket_lo,
                          (long long)r->bucket_hi - 1);
}

static const char *time_of(int64_t seconds, char dst[static DURATION_BYTES])
{
    if (seconds < 0) { return "never"; }
    return cli_view_duration(seconds, dst, DURATION_BYTES);
}

static RW_RC add_ring(struct cli_table *t, const struct ring_policy_ring *r, int64_t members,
                      struct rw_err *err)
{
    char duration[DURATION_BYTES];
    RW_TRY(cli_table_add(t, r->name, err));
    RW_TRY(add_share(t, r, err));
    RW_TRY(cli_table_addf(t, err, "%lld", (long long)members));
    RW_TRY(cli_table_add(t, time_of(r->bake_s, duration), err));
    RW_TRY(cli_table_addf(t, err, "%lld.%02lld%%", (long long)(r->gate_limit_bp / 100),
                          (long long)(r->gate_limit_bp % 100)));
    RW_TRY(cli_table_addf(t, err, "%lld", (long long)r->gate_min_healthy));
    RW_TRY(cli_table_addf(t, err, "%lld", (long long)cmd_rings_needed(r, 0)));
    RW_TRY(cli_table_addf(t, err, "%lld", (long long)cmd_rings_needed(r, 1)));
    return cli_table_add(t, time_of(r->spread_s, duration), err);
}

static RW_RC print_rings(const struct cmd_rings_facts *f, struct rw_err *err)
{
    static const char *const header[] = {"RING",      "SHARE",      "BUCKETS",     "HOSTS",
                                         "BAKE",      "GATE LIMIT", "MIN HEALTHY", "NEEDS",
                                         "ONE FAILS", "SPREAD"};
    const struct ring_policy *p = &f->plan.policy;
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (size_t i = 0; i < p->ring_count; i++) {
        RW_TRY(add_ring(&t, &p->rings[i], f->pace[0].rings[i].members, err));
    }
    (void)cli_table_print(&t);
    return RW_OK;
}

static RW_RC print_classes(const struct ring_policy *p, struct rw_err *err)
{
    const char *header[CLI_TABLE_COLUMNS_MAX] = {"CLASS"};
    size_t shown =
        p->ring_count < CLI_TABLE_COLUMNS_MAX - 1 ? p->ring_count : CLI_TABLE_COLUMNS_MAX - 1;
    for (size_t i = 0; i < shown; i++) {
        header[i + 1] = p->rings[i].name;
    }
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, shown + 1, err));
    for (size_t c = 0; c < p->class_count; c++) {
        RW_TRY(cli_table_add(&t, p->classes[c].name, err));
        for (size_t i = 0; i < shown; i++) {
            char duration[DURATION_BYTES];
            (void)cli_view_duration(ring_policy_min_bake_s(p, c, i), duration, sizeof(duration));
            RW_TRY(cli_table_add(&t, duration, err));
        }
    }
    (void)cli_table_print(&t);
    return RW_OK;
}

static void print_exceptions(const struct ring_policy *p)
{
    char least[DURATION_BYTES];
    char longest[DURATION_BYTES];
    (void)cli_view_duration(p->hard_min_s, least, sizeof(least));
    (void)cli_view_duration(p->expedite_longest_s, longest, sizeof(longest));
    printf("Duty officers may expedite a release for %s at most; it still bakes %s after signing "
           "and skips no gate.\n",
           longest, least);
    (void)cli_view_duration(p->controls.delay_longest_s, least, sizeof(least));
    (void)cli_view_duration(p->controls.hold_longest_s, longest, sizeof(longest));
    printf("Customers may delay by %s, hold for %s,", least, longest);
    (void)cli_view_duration(p->controls.pin_longest_s, least, sizeof(least));
    (void)cli_view_duration(p->controls.pause_longest_s, longest, sizeof(longest));
    printf(" pin for %s and pause for %s at most", least, longest);
    for (size_t i = 0; i < p->class_count; i++) {
        if (p->classes[i].unpausable) {
            printf("; class '%s' follows its ring always", p->classes[i].name);
        }
    }
    printf(".\n");
    if (p->engine_skew_max >= 0) {
        printf("A release may be for engine versions that are %lld apart at most.\n",
               (long long)p->engine_skew_max);
    }
}

static void print_second(const struct ring_policy *p)
{
    char within[DURATION_BYTES];
    bool any = false;
    (void)cli_view_duration(p->second.within_s, within, sizeof(within));
    for (int v = 0; v < SECOND_PERSON_VERBS; v++) {
        if (!p->second.verbs[v]) { continue; }
        printf("%s %s", any ? "," : "A second person has to confirm:",
               second_person_name((enum second_person_verb)v));
        any = true;
    }
    if (any) {
        printf(" (within %s).\n", within);
    } else {
        printf("No verb needs a second person.\n");
    }
}

static void print_window(const struct ring_policy *p)
{
    char probation[DURATION_BYTES];
    char deadline[DURATION_BYTES];
    char poll[DURATION_BYTES];
    char alive[DURATION_BYTES];
    (void)cli_view_duration(p->confirm_probation_s, probation, sizeof(probation));
    (void)cli_view_duration(p->confirm_deadline_s, deadline, sizeof(deadline));
    (void)cli_view_duration(p->poll_rollout_s, poll, sizeof(poll));
    (void)cli_view_duration(p->alive_after_s, alive, sizeof(alive));
    printf("In every ring at most %lld endpoints begin; each that lives %s with the new content "
           "makes room for\nitself and %lld.%03lld more. Every cohort begins with %lld of its own. "
           "Who has not confirmed within %s\ncounts as dark. While a rollout runs, endpoints poll "
           "every %s.\n",
           (long long)p->confirm_start, probation, (long long)(p->confirm_per_survivor_m / 1000),
           (long long)(p->confirm_per_survivor_m % 1000), (long long)p->cohort_start, deadline,
           poll);
    printf("And at most %lld until some have been alive for %s after their permit; each of those "
           "makes room for\nitself and %lld.%03lld more.\n",
           (long long)p->alive_start, alive, (long long)(p->alive_per_survivor_m / 1000),
           (long long)(p->alive_per_survivor_m % 1000));
    const struct window_rule_tenant one = {.law = {p->confirm_start, p->confirm_per_survivor_m},
                                           .share_bp = p->tenant_share_bp};
    printf("Where a ring has endpoints of several tenants, one of them begins with %lld.\n",
           (long long)window_rule_own(&one));
    double alpha = ring_policy_alpha(p);
    printf(
        "The detector stops a good release with a chance of at most 1 in %.0f: %.2g false halts in "
        "%lld releases\n(a year; the budget is %lld). Rings that are joined by hand answer at 1 in "
        "100.\n",
        1.0 / alpha, alpha * (double)p->releases_per_year, (long long)p->releases_per_year,
        (long long)p->false_halts_per_year);
}

/* --- how long it takes --- */

/* The two that ruled longest: "window.confirm in a cohort 1h 50m, polls 2m". */
static RW_RC add_brakes(struct cli_table *t, const struct sim_pace_ring *r, struct rw_err *err)
{
    char words[2][WORD_BYTES] = {"-", ""};
    int shown = SIM_PACE_BRAKES;
    for (size_t k = 0; k < RW_LEN(words); k++) {
        int most = -1;
        for (int i = 0; i < SIM_PACE_BRAKES; i++) {
            bool longer = most < 0 || r->ruled_s[i] > r->ruled_s[most];
            if (i != shown && r->ruled_s[i] > 0 && longer) { most = i; }
        }
        if (most < 0) { break; }
        char duration[DURATION_BYTES];
        (void)snprintf(words[k], WORD_BYTES, "%s%s %s", k == 0 ? "" : ", ",
                       sim_pace_brake_text((enum sim_pace_brake)most),
                       cli_view_duration(r->ruled_s[most], duration, sizeof(duration)));
        shown = most;
    }
    return cli_table_addf(t, err, "%s%s", words[0], words[1]);
}

static RW_RC print_paces(const struct cmd_rings_facts *f, struct rw_err *err)
{
    static const char *const header[] = {"RING", "HOSTS", "PROOF AFTER", "95% AFTER", "SLOWED BY"};
    const struct ring_policy *p = &f->plan.policy;
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (size_t i = 0; i < p->ring_count; i++) {
        char duration[DURATION_BYTES];
        const struct sim_pace_ring *r = &f->pace[0].rings[i];
        RW_TRY(cli_table_add(&t, p->rings[i].name, err));
        RW_TRY(cli_table_addf(&t, err, "%lld", (long long)r->members));
        RW_TRY(cli_table_add(&t, time_of(r->proof_s, duration), err));
        RW_TRY(cli_table_add(&t, time_of(r->reach_95_s, duration), err));
        RW_TRY(add_brakes(&t, r, err));
    }
    (void)cli_table_print(&t);
    return RW_OK;
}

/* "3h 30m bake": when the ring opens, and what it waited for last. */
static RW_RC add_opening(struct cli_table *t, const struct sim_pace_ring *r, struct rw_err *err)
{
    char duration[DURATION_BYTES];
    bool plain = r->opens_s < 0 || r->wait == SIM_PACE_SIGNED;
    return cli_table_addf(t, err, "%s%s%s", time_of(r->opens_s, duration), plain ? "" : " ",
                          plain ? "" : sim_pace_wait_name(r->wait));
}

static RW_RC print_openings(const struct cmd_rings_facts *f, struct rw_err *err)
{
    const struct ring_policy *p = &f->plan.policy;
    const char *header[CLI_TABLE_COLUMNS_MAX] = {"CLASS", "95% OF ALL"};
    size_t shown =
        p->ring_count < CLI_TABLE_COLUMNS_MAX - 2 ? p->ring_count : CLI_TABLE_COLUMNS_MAX - 2;
    for (size_t i = 0; i < shown; i++) {
        header[i + 2] = p->rings[i].name;
    }
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, shown + 2, err));
    for (size_t c = 0; c < p->class_count; c++) {
        char duration[DURATION_BYTES];
        RW_TRY(cli_table_add(&t, p->classes[c].name, err));
        RW_TRY(cli_table_add(&t, time_of(f->pace[c].reach_95_s, duration), err));
        for (size_t i = 0; i < shown; i++) {
            RW_TRY(add_opening(&t, &f->pace[c].rings[i], err));
        }
    }
    (void)cli_table_print(&t);
    return RW_OK;
}

static RW_RC print_times(const struct cmd_rings_facts *f, struct rw_err *err)
{
    printf("How long it takes when nothing fails, from the opening of the ring: until its gate "
           "could say PASS (bake\napart), until 95%% of its endpoints may install, and what rules "
           "until then:\n");
    RW_TRY(print_paces(f, err));
    printf("\nFrom signing to 95%% of the fleet, by class, and when each ring opens: by the bake "
           "or the gate of the\nring before it, or by the minimum bake of the class:\n");
    RW_TRY(print_openings(f, err));
    printf("\n");
    return RW_OK;
}

/* --- all of it --- */

static void print_fleet(const struct cmd_rings_facts *f)
{
    printf("For a fleet of %lld endpoint%s%s in cohorts of", (long long)f->plan.endpoints,
           rw_plural(f->plan.endpoints), f->hosts_assumed ? " (assumed: see --hosts)" : "");
    for (size_t i = 0; i < f->plan.cohort_count; i++) {
        printf("%s%.0f%%", i == 0 ? " " : ", ", 100.0 * f->plan.cohort_share[i]);
    }
    printf(",\nwith %lld endpoint%s%s in each ring that is joined by hand:\n\n",
           (long long)f->plan.staff, rw_plural(f->plan.staff),
           f->staff_advised ? " (as advised)" : "");
}

static void print_findings(const struct cmd_rings_facts *f)
{
    const struct ring_policy *p = &f->plan.policy;
    for (size_t i = 0; i < f->finding_count; i++) {
        const struct cmd_rings_finding *x = &f->findings[i];
        printf("%s: %s%s%s%s\n", x->warning ? "warning" : "note", x->ring == NULL ? "" : "ring ",
               x->ring == NULL ? "" : x->ring, x->ring == NULL ? "" : " ", x->text);
    }
    printf("%zu ring%s, %zu class%s, %zu warning%s\n", p->ring_count,
           rw_plural((int64_t)p->ring_count), p->class_count, p->class_count == 1 ? "" : "es",
           f->warning_count, rw_plural((int64_t)f->warning_count));
}

RW_RC cmd_rings_view(const struct cmd_rings_facts *f, struct rw_err *err)
{
    const struct ring_policy *p = &f->plan.policy;
    print_fleet(f);
    RW_TRY(print_rings(f, err));
    printf(
        "\nA ring opens the next one after its bake, when its gate says PASS: the failure share is "
        "surely at or\nbelow the limit and there are enough healthy endpoints. NEEDS is how many "
        "that takes without a failure,\nONE FAILS how many when one of them has failed or fallen "
        "silent.\n\n");
    RW_TRY(print_times(f, err));
    printf("Earliest install after signing, by class of content (each endpoint enforces it on its "
           "own clock):\n");
    RW_TRY(print_classes(p, err));
    print_exceptions(p);
    print_second(p);
    printf("\n");
    print_window(p);
    printf("\n");
    print_findings(f);
    return cli_view_flush(err);
}
