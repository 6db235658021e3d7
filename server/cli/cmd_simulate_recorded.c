#include "server/cli/cmd_simulate_recorded.h"

#include "common/base/file.h"
#include "common/base/num.h"
#include "common/json/json_read.h"
#include "common/wire/beacon_codec.h"
#include "server/cli/cli_view.h"

#include <stdlib.h>
#include <string.h>

enum {
    BYTES_MAX = 256 * 1024 * 1024,
    LINE_BYTES_MAX = 16 * 1024 * 1024,
    NODES_MAX = 1000000,
    DEPTH_MAX = 16,
    RELEASES_MAX = 1000,
    COHORTS_MAX = 256,
};

/* Sums over releases and rings. */
struct tally {
    struct beacon_cohort name;
    int64_t members; /* of the latest release that saw it */
    int64_t releases;
    int64_t exposed;
    int64_t failed;
    int64_t dark;
    int64_t late;
    int64_t risk_s;
    int64_t storm;
    int64_t slow;
    int64_t mute;
    int64_t seen; /* number of the release that `members` is of */
};

struct recorded {
    int64_t releases;
    size_t count;
    struct tally cohorts[COHORTS_MAX];
};

static bool same(const struct beacon_cohort *a, const struct beacon_cohort *b)
{
    return strcmp(a->os, b->os) == 0 && strcmp(a->arch, b->arch) == 0 &&
           strcmp(a->engine, b->engine) == 0;
}

/* Cohorts beyond the last place are counted in it: they are small, or nobody could tell them apart. */
static struct tally *tally_of(struct recorded *r, const struct beacon_cohort *name)
{
    for (size_t i = 0; i < r->count; i++) {
        if (same(&r->cohorts[i].name, name)) { return &r->cohorts[i]; }
    }
    if (r->count == COHORTS_MAX) { return &r->cohorts[COHORTS_MAX - 1]; }
    r->cohorts[r->count].name = *name;
    return &r->cohorts[r->count++];
}

static RW_RC add(const struct json *from, const char *name, int64_t *sum, struct rw_err *err)
{
    int64_t n = 0;
    RW_TRY(json_get_int(from, name, 0, RW_JSON_INT_MAX, &n, err));
    if (rw_add_i64(*sum, n, sum) && *sum <= RW_JSON_INT_MAX) { return RW_OK; }
    return rw_fail(err, RW_E_RANGE, "%s: more than can be counted", name);
}

/* Outcomes of exposures: more of one than there were is no record of a rollout, and no rate. */
static RW_RC check_counts(const struct json *counts, struct rw_err *err)
{
    static const char *const outcomes[] = {"failed", "dark", "late_crash", "storm", "slow", "mute"};
    int64_t exposed = 0;
    RW_TRY(json_get_int(counts, "exposed", 0, RW_JSON_INT_MAX, &exposed, err));
    for (size_t i = 0; i < RW_LEN(outcomes); i++) {
        int64_t n = 0;
        RW_TRY(json_get_int(counts, outcomes[i], 0, RW_JSON_INT_MAX, &n, err));
        if (n > exposed) {
            return rw_fail(err, RW_E_RANGE, "%s: %lld of %lld exposed", outcomes[i], (long long)n,
                           (long long)exposed);
        }
    }
    return RW_OK;
}

static RW_RC add_cohort(struct recorded *r, const struct json *o, struct rw_err *err)
{
    const struct json *name = NULL;
    const struct json *counts = NULL;
    struct beacon_cohort cohort;
    RW_TRY(json_get(o, "cohort", JSON_OBJECT, &name, err));
    RW_TRY(json_get_str(name, "os", cohort.os, sizeof(cohort.os), err));
    RW_TRY(json_get_str(name, "arch", cohort.arch, sizeof(cohort.arch), err));
    RW_TRY(json_get_str(name, "engine", cohort.engine, sizeof(cohort.engine), err));
    RW_TRY(json_get(o, "counts", JSON_OBJECT, &counts, err));
    RW_TRY(check_counts(counts, err));
    struct tally *t = tally_of(r, &cohort);
    const struct {
        const struct json *from;
        const char *name;
        int64_t *sum;
    } sums[] = {{counts, "exposed", &t->exposed}, {counts, "failed", &t->failed},
                {counts, "dark", &t->dark},       {counts, "late_crash", &t->late},
                {counts, "storm", &t->storm},     {counts, "slow", &t->slow},
                {counts, "mute", &t->mute},       {o, "risk_s", &t->risk_s}};
    for (size_t i = 0; i < RW_LEN(sums); i++) {
        RW_TRY(add(sums[i].from, sums[i].name, sums[i].sum, err));
    }
    if (t->seen != r->releases) {
        t->seen = r->releases;
        t->members = 0;
        t->releases++;
    }
    return add(counts, "members", &t->members, err);
}

static RW_RC add_release(struct recorded *r, const struct json *explain, struct rw_err *err)
{
    char state[32];
    const struct json *rings = NULL;
    RW_TRY(json_get_str(explain, "state", state, sizeof(state), err));
    if (strcmp(state, "complete") != 0) { return RW_OK; } /* what is usual, not what was halted */
    if (r->releases == RELEASES_MAX) {
        return rw_fail(err, RW_E_RANGE, "more than %d releases", RELEASES_MAX);
    }
    r->releases++;
    RW_TRY(json_get(explain, "rings", JSON_ARRAY, &rings, err));
    for (const struct json *ring = json_first(rings); ring != NULL; ring = json_next(ring)) {
        const struct json *cohorts = NULL;
        RW_TRY(json_get(ring, "cohorts", JSON_ARRAY, &cohorts, err));
        for (const struct json *c = json_first(cohorts); c != NULL; c = json_next(c)) {
            RW_TRY(add_cohort(r, c, err));
        }
    }
    return RW_OK;
}

static RW_RC read_lines(struct rw_span text, struct recorded *r, struct rw_err *err)
{
    static const struct json_limits limits = {
        .bytes_max = LINE_BYTES_MAX, .nodes_max = NODES_MAX, .depth_max = DEPTH_MAX};
    int64_t line = 0;
    while (text.n > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end == NULL ? text.n : (size_t)(end - text.p);
        RW_AUTO(json_tree) json_tree explain = NULL;
        line++;
        if (n > 0) {
            struct rw_rc rc = json_parse(rw_span_of(text.p, n), &limits, &explain, err);
            if (rw_is_ok(rc)) { rc = add_release(r, explain, err); }
            if (!rw_is_ok(rc)) { return rw_wrap(err, "line %lld", (long long)line); }
        }
        n = end == NULL ? n : n + 1;
        text = rw_span_of(text.p + n, text.n - n);
    }
    return RW_OK;
}

static int larger_first(const void *a, const void *b)
{
    int64_t x = ((const struct tally *)a)->members;
    int64_t y = ((const struct tally *)b)->members;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void merge(struct tally *to, const struct tally *from)
{
    to->members += from->members;
    to->exposed += from->exposed;
    to->failed += from->failed;
    to->dark += from->dark;
    to->late += from->late;
    to->risk_s += from->risk_s;
    to->storm += from->storm;
    to->slow += from->slow;
    to->mute += from->mute;
    to->releases = to->releases > from->releases ? to->releases : from->releases;
}

static double share(int64_t part, int64_t whole)
{
    return whole < 1 ? 0.0 : (double)part / (double)whole;
}

static struct sim_rates rates_of(const struct tally *t, const struct sim_rates *usual)
{
    double minutes = (double)t->risk_s / 60.0;
    if (t->exposed < 1) { return *usual; }
    return (struct sim_rates){
        .apply = share(t->failed, t->exposed),
        .hazard = t->risk_s > 0 ? (double)t->late / minutes : usual->hazard,
        .dark = share(t->dark, t->exposed),
        .storm = share(t->storm, t->exposed),
        .slow = share(t->slow, t->exposed),
        .mute = share(t->mute, t->exposed),
    };
}

/* As the controller freezes it when a rollout starts. */
static struct health_rule_norm norm_of(const struct tally *t)
{
    struct health_rule_norm n = health_rule_cold_start();
    double hazard = health_rule_history_hazard(t->late, (double)t->risk_s / 60.0);
    n.p0[HEALTH_CRASH] = health_rule_p0(HEALTH_CRASH, t->failed, t->exposed, t->releases);
    n.p0[HEALTH_STORM] = health_rule_p0(HEALTH_STORM, t->storm, t->exposed, t->releases);
    n.p0[HEALTH_SLOW] = health_rule_p0(HEALTH_SLOW, t->slow, t->exposed, t->releases);
    n.p0[HEALTH_MUTE] = health_rule_p0(HEALTH_MUTE, t->mute, t->exposed, t->releases);
    n.history_hazard = hazard;
    n.rho_crash = health_rule_rho_crash(hazard);
    return n;
}

static RW_RC fill(struct recorded *r, struct sim_plan *plan, int64_t *endpoints_out,
                  struct rw_err *err)
{
    struct tally all = {.members = 0};
    qsort(r->cohorts, r->count, sizeof(r->cohorts[0]), larger_first);
    for (size_t i = 0; i < r->count; i++) {
        merge(&all, &r->cohorts[i]);
        if (i >= SIM_COHORTS_MAX) { merge(&r->cohorts[SIM_COHORTS_MAX - 1], &r->cohorts[i]); }
    }
    all.releases = r->releases;
    if (r->releases == 0 || all.members < 1) {
        RW_IGNORE(rw_fail(err, RW_E_RANGE, "no complete release with endpoints is recorded there"),
                  "a hint follows");
        return rw_hint(err, "ringward explain -o json FAMILY/NUMBER >> FILE, once for each");
    }
    plan->by_cohort = true;
    plan->cohort_count = r->count < SIM_COHORTS_MAX ? r->count : SIM_COHORTS_MAX;
    plan->norm = norm_of(&all);
    for (size_t i = 0; i < plan->cohort_count; i++) {
        plan->cohort_share[i] = share(r->cohorts[i].members, all.members);
        plan->usual_of[i] = rates_of(&r->cohorts[i], &plan->usual);
        plan->norm_of[i] = norm_of(&r->cohorts[i]);
    }
    *endpoints_out = all.members;
    return RW_OK;
}

RW_RC cmd_simulate_recorded(const char *path, struct sim_plan *plan, int64_t *endpoints_out,
                            struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(BYTES_MAX);
    RW_TRY(rw_file_read(path, BYTES_MAX, &text, err));
    struct recorded *r = rw_mem_new(sizeof(*r));
    if (r == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for what was recorded"); }
    struct rw_rc rc = read_lines(rw_buf_span(&text), r, err);
    if (!rw_is_ok(rc)) { rc = rw_wrap(err, "%s", path); }
    if (rw_is_ok(rc)) { rc = fill(r, plan, endpoints_out, err); }
    rw_mem_free(r);
    return rc;
}
