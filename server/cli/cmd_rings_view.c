#include "server/cli/cmd_rings_view.h"

#include "common/base/num.h"
#include "common/policy/gate_rule.h"
#include "common/policy/window_rule.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"

#include <stdio.h>

enum { DURATION_BYTES = 32, STEPS_MAX = 200 };

int64_t cmd_rings_needed(const struct ring_policy_ring *ring, int64_t failures)
{
    double limit = (double)ring->gate_limit_bp / RING_POLICY_BUCKETS;
    int64_t bound = gate_rule_needed(failures, limit, GATE_RULE_ALPHA);
    int64_t healthy = ring->gate_min_healthy + failures;
    return bound > healthy ? bound : healthy;
}

int64_t cmd_rings_members(const struct ring_policy_ring *ring, int64_t hosts)
{
    if (ring->select == RING_BY_HAND) { return -1; }
    return (int64_t)((double)hosts * (double)(ring->bucket_hi - ring->bucket_lo) /
                     RING_POLICY_BUCKETS);
}

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

static RW_RC add_ring(struct cli_table *t, const struct ring_policy_ring *r,
                      const struct cmd_rings_options *options, struct rw_err *err)
{
    char duration[DURATION_BYTES];
    RW_TRY(cli_table_add(t, r->name, err));
    RW_TRY(add_share(t, r, err));
    if (options->hosts > 0) {
        int64_t members = cmd_rings_members(r, options->hosts);
        RW_TRY(members < 0 ? cli_table_add(t, "-", err)
                           : cli_table_addf(t, err, "%lld", (long long)members));
    }
    (void)cli_view_duration(r->bake_s, duration, sizeof(duration));
    RW_TRY(cli_table_add(t, duration, err));
    RW_TRY(cli_table_addf(t, err, "%lld.%02lld%%", (long long)(r->gate_limit_bp / 100),
                          (long long)(r->gate_limit_bp % 100)));
    RW_TRY(cli_table_addf(t, err, "%lld", (long long)r->gate_min_healthy));
    RW_TRY(cli_table_addf(t, err, "%lld", (long long)cmd_rings_needed(r, 0)));
    RW_TRY(cli_table_addf(t, err, "%lld", (long long)cmd_rings_needed(r, 1)));
    (void)cli_view_duration(r->spread_s, duration, sizeof(duration));
    return cli_table_add(t, duration, err);
}

static RW_RC print_rings(const struct ring_policy *p, const struct cmd_rings_options *options,
                         struct rw_err *err)
{
    const char *header[10] = {"RING", "SHARE", "BUCKETS"};
    static const char *const rest[] = {"BAKE",  "GATE LIMIT", "MIN HEALTHY",
                                       "NEEDS", "ONE FAILS",  "SPREAD"};
    size_t n = 3;
    if (options->hosts > 0) { header[n++] = "HOSTS"; }
    for (size_t i = 0; i < RW_LEN(rest); i++) {
        header[n++] = rest[i];
    }
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, n, err));
    for (size_t i = 0; i < p->ring_count; i++) {
        RW_TRY(add_ring(&t, &p->rings[i], options, err));
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

/* Rounds of probation until the window has let that many through, when nothing fails. */
static int64_t rounds_until(const struct ring_policy *p, int64_t hosts)
{
    const struct window_rule_law law = {p->confirm_start, p->confirm_per_survivor_m};
    struct window_rule_counts c = {0};
    int64_t rounds = 0;
    while (c.survived < hosts && rounds < STEPS_MAX) {
        c.exposed = window_rule_allowed(&law, &c);
        c.survived = c.exposed;
        rounds++;
    }
    return rounds;
}

static void print_window(const struct ring_policy *p, const struct cmd_rings_options *options)
{
    char probation[DURATION_BYTES];
    char deadline[DURATION_BYTES];
    char poll[DURATION_BYTES];
    char alive[DURATION_BYTES];
    int64_t hosts = options->hosts > 0 ? options->hosts : 100000;
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
    int64_t rounds = rounds_until(p, hosts);
    printf("Without a failure a ring of %lld endpoint%s takes %lld round%s of probation.\n",
           (long long)hosts, rw_plural(hosts), (long long)rounds, rw_plural(rounds));
    double alpha = ring_policy_alpha(p);
    printf(
        "The detector stops a good release with a chance of at most 1 in %.0f: %.2g false halts in "
        "%lld releases\n(a year; the budget is %lld). Rings that are joined by hand answer at 1 in "
        "100.\n",
        1.0 / alpha, alpha * (double)p->releases_per_year, (long long)p->releases_per_year,
        (long long)p->false_halts_per_year);
}

static size_t warn_ring(const struct ring_policy *p, size_t i,
                        const struct cmd_rings_options *options)
{
    const struct ring_policy_ring *r = &p->rings[i];
    bool last = i + 1 == p->ring_count;
    int64_t needed = cmd_rings_needed(r, 0);
    int64_t members = cmd_rings_members(r, options->hosts);
    size_t warnings = 0;
    if (!last && r->bake_s < p->confirm_probation_s) {
        printf("warning: ring %s bakes shorter than the probation of one endpoint\n", r->name);
        warnings++;
    }
    if (!last && members >= 0 && options->hosts > 0 && members < needed) {
        printf("warning: ring %s would hold about %lld endpoint%s; its gate needs %lld healthy "
               "and could never\n         say PASS by itself (a person would have to promote it)\n",
               r->name, (long long)members, rw_plural(members), (long long)needed);
        warnings++;
    }
    if (!last && r->select == RING_BY_HAND) {
        printf(
            "note: ring %s is joined by hand: put at least %lld endpoint%s into it; with %lld, one "
            "that fails or\n      falls silent does not keep it shut\n",
            r->name, (long long)needed, rw_plural(needed), (long long)cmd_rings_needed(r, 1));
    }
    if (!last && r->select == RING_BY_SHARE && options->hosts == 0) {
        printf("note: ring %s answers by itself in fleets of %lld or more endpoints\n", r->name,
               (long long)(needed * RING_POLICY_BUCKETS / (r->bucket_hi - r->bucket_lo) + 1));
    }
    return warnings;
}

RW_RC cmd_rings_view(const struct ring_policy *policy, const struct cmd_rings_options *options,
                     struct rw_err *err)
{
    size_t warnings = 0;
    RW_TRY(print_rings(policy, options, err));
    printf(
        "\nA ring opens the next one after its bake, when its gate says PASS: the failure share is "
        "surely at or\nbelow the limit and there are enough healthy endpoints. NEEDS is how many "
        "that takes without a failure,\nONE FAILS how many when one of them has failed or fallen "
        "silent.\n\n");
    printf("Earliest install after signing, by class of content (each endpoint enforces it on its "
           "own clock):\n");
    RW_TRY(print_classes(policy, err));
    print_exceptions(policy);
    print_second(policy);
    printf("\n");
    print_window(policy, options);
    printf("\n");
    for (size_t i = 0; i < policy->ring_count; i++) {
        warnings += warn_ring(policy, i, options);
    }
    printf("%zu ring%s, %zu class%s, %zu warning%s\n", policy->ring_count,
           rw_plural((int64_t)policy->ring_count), policy->class_count,
           policy->class_count == 1 ? "" : "es", warnings, rw_plural((int64_t)warnings));
    return cli_view_flush(err);
}
