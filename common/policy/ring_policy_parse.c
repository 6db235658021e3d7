/* ring_policy_parse of ring_policy.h: each section of rings.json into the plain values, or a refusal with its place. */
#include "common/base/num.h"
#include "common/policy/ring_policy_rings.h"

enum { DAY_S = 86400, COUNT_MAX = 1000000000, DURATION_BYTES = 32 };

static const struct policy_range times = {0, RING_POLICY_TIME_S_MAX};
static const struct policy_range some_time = {1, RING_POLICY_TIME_S_MAX};

/* --- window --- */
/* k in its two spellings: as a number of survivors, or in thousandths. */
static RW_RC read_per_survivor(const struct policy_at *o, int64_t most_m, int64_t *out,
                               struct rw_err *err)
{
    const struct policy_range range = {0, most_m};
    const struct policy_at number = policy_read_find(o, "per_survivor");
    const struct policy_at thousandths = policy_read_find(o, "per_survivor_thousandths");
    if (number.v != NULL && thousandths.v != NULL) {
        RW_IGNORE(policy_read_refuse(&thousandths, RW_E_SCHEMA, err,
                                     "'per_survivor' says the same: want one of them"),
                  "hint");
        return rw_hint(err, "per_survivor: 1.5 is per_survivor_thousandths: 1500");
    }
    RW_TRY(policy_read_decimal(o, "per_survivor", range, out, err));
    return policy_read_int(o, "per_survivor_thousandths", range, out, err);
}

static RW_RC not_shorter(const struct policy_at *o, const char *name, int64_t given_s,
                         int64_t least_s, const char *than, struct rw_err *err)
{
    char given[DURATION_BYTES];
    char least[DURATION_BYTES];
    struct policy_at at = policy_read_find(o, name);
    if (given_s >= least_s) { return RW_OK; }
    if (at.v == NULL) { at.v = o->v; } /* its default does not fit what else stands there */
    rw_format_duration_s(given, sizeof(given), given_s);
    rw_format_duration_s(least, sizeof(least), least_s);
    RW_IGNORE(
        policy_read_refuse(&at, RW_E_RANGE, err, "is %s, want at least %s: %s", given, least, than),
        "hint");
    return rw_hint(err, "lengthen the one or shorten the other");
}

static RW_RC read_alive(const struct policy_at *window, struct ring_policy *p, struct rw_err *err)
{
    static const char *const known[] = {"after", "start", "per_survivor",
                                        "per_survivor_thousandths"};
    struct policy_at alive;
    p->alive_after_s = 7200;
    p->alive_start = 10000;
    p->alive_per_survivor_m = 99000;
    RW_TRY(policy_read_opt(window, "alive", JSON_OBJECT, &alive, err));
    if (alive.v != NULL) {
        RW_TRY(policy_read_only(&alive, known, RW_LEN(known), err));
        RW_TRY(policy_read_duration(&alive, "after", times, &p->alive_after_s, err));
        RW_TRY(policy_read_int(&alive, "start", (struct policy_range){1, COUNT_MAX},
                               &p->alive_start, err));
        RW_TRY(read_per_survivor(&alive, 1000000, &p->alive_per_survivor_m, err));
    } else {
        alive.v = window->v;
    }
    return not_shorter(&alive, "after", p->alive_after_s, p->confirm_probation_s,
                       "not shorter than window.confirm.probation", err);
}

static RW_RC read_cohort_start(const struct policy_at *window, struct ring_policy *p,
                               struct rw_err *err)
{
    static const char *const known[] = {"start"};
    struct policy_at cohort;
    p->cohort_start = 4;
    RW_TRY(policy_read_opt(window, "cohort", JSON_OBJECT, &cohort, err));
    if (cohort.v == NULL) { return RW_OK; }
    RW_TRY(policy_read_only(&cohort, known, RW_LEN(known), err));
    return policy_read_int(&cohort, "start", (struct policy_range){1, 1000000}, &p->cohort_start,
                           err);
}

static RW_RC read_tenant(const struct policy_at *window, struct ring_policy *p, struct rw_err *err)
{
    static const char *const known[] = {"share"};
    struct policy_at tenant;
    p->tenant_share_bp = RING_POLICY_BUCKETS / 2;
    RW_TRY(policy_read_opt(window, "tenant", JSON_OBJECT, &tenant, err));
    if (tenant.v == NULL) { return RW_OK; }
    RW_TRY(policy_read_only(&tenant, known, RW_LEN(known), err));
    return policy_read_share(&tenant, "share", (struct policy_range){1, RING_POLICY_BUCKETS},
                             &p->tenant_share_bp, err);
}

static RW_RC read_window(const struct policy_at *root, struct ring_policy *p, struct rw_err *err)
{
    static const char *const known[] = {"confirm", "cohort", "alive", "tenant"};
    static const char *const confirm_known[] = {"start", "per_survivor", "per_survivor_thousandths",
                                                "deadline", "probation"};
    struct policy_at window;
    struct policy_at confirm;
    RW_TRY(policy_read_need(root, "window", JSON_OBJECT, &window, err));
    RW_TRY(policy_read_only(&window, known, RW_LEN(known), err));
    RW_TRY(policy_read_need(&window, "confirm", JSON_OBJECT, &confirm, err));
    RW_TRY(policy_read_only(&confirm, confirm_known, RW_LEN(confirm_known), err));
    p->confirm_start = 16;
    p->confirm_per_survivor_m = 1000;
    p->confirm_deadline_s = 900;
    p->confirm_probation_s = 600;
    RW_TRY(policy_read_int(&confirm, "start", (struct policy_range){1, 1000000}, &p->confirm_start,
                           err));
    RW_TRY(read_per_survivor(&confirm, 100000, &p->confirm_per_survivor_m, err));
    RW_TRY(policy_read_duration(&confirm, "deadline", times, &p->confirm_deadline_s, err));
    RW_TRY(policy_read_duration(&confirm, "probation", times, &p->confirm_probation_s, err));
    RW_TRY(not_shorter(&confirm, "deadline", p->confirm_deadline_s, p->confirm_probation_s + 1,
                       "longer than window.confirm.probation", err));
    RW_TRY(read_cohort_start(&window, p, err));
    RW_TRY(read_tenant(&window, p, err));
    return read_alive(&window, p, err);
}

/* --- health, poll, cohorts --- */
static RW_RC read_health(const struct policy_at *root, struct ring_policy *p, struct rw_err *err)
{
    static const char *const known[] = {"false_halts_per_year", "releases_per_year",
                                        "tenant_votes"};
    struct policy_at health;
    p->false_halts_per_year = 1;
    p->releases_per_year = 7300;
    p->tenant_votes = 8;
    RW_TRY(policy_read_opt(root, "health", JSON_OBJECT, &health, err));
    if (health.v == NULL) { return RW_OK; }
    RW_TRY(policy_read_only(&health, known, RW_LEN(known), err));
    RW_TRY(policy_read_int(&health, "false_halts_per_year", (struct policy_range){1, 1000},
                           &p->false_halts_per_year, err));
    RW_TRY(policy_read_int(&health, "releases_per_year", (struct policy_range){1, 1000000},
                           &p->releases_per_year, err));
    return policy_read_int(&health, "tenant_votes", (struct policy_range){1, 1000000},
                           &p->tenant_votes, err);
}

static RW_RC read_poll(const struct policy_at *root, struct ring_policy *p, struct rw_err *err)
{
    static const char *const known[] = {"rollout"};
    struct policy_at poll;
    p->poll_rollout_s = 60;
    RW_TRY(policy_read_opt(root, "poll", JSON_OBJECT, &poll, err));
    if (poll.v == NULL) { return RW_OK; }
    RW_TRY(policy_read_only(&poll, known, RW_LEN(known), err));
    return policy_read_duration(&poll, "rollout", some_time, &p->poll_rollout_s, err);
}

/* The fields by which evidence is kept apart may be written down; they cannot be chosen (docs/decisions.md). */
static RW_RC read_cohorts(const struct policy_at *root, struct rw_err *err)
{
    static const char *const fields[] = {"os", "arch", "engine"};
    struct policy_at list;
    bool seen[RW_LEN(fields)] = {false};
    RW_TRY(policy_read_opt(root, "cohorts", JSON_ARRAY, &list, err));
    if (list.v == NULL) { return RW_OK; }
    bool good = json_count(list.v) == RW_LEN(fields);
    for (const struct json *v = json_first(list.v); v != NULL && good; v = json_next(v)) {
        bool known = false;
        for (size_t i = 0; i < RW_LEN(fields) && json_type(v) == JSON_STR; i++) {
            if (seen[i] || !rw_span_is(json_str(v), fields[i])) { continue; }
            seen[i] = true;
            known = true;
        }
        good = known;
    }
    if (good) { return RW_OK; }
    RW_IGNORE(policy_read_refuse(&list, RW_E_SCHEMA, err,
                                 "want exactly \"os\", \"arch\" and \"engine\", each once"),
              "hint");
    return rw_hint(err, "these are built in and cannot be chosen; 'cohorts' may be left out");
}

/* --- expedite, engines --- */
static RW_RC read_expedite(const struct policy_at *root, struct ring_policy *p, struct rw_err *err)
{
    static const char *const known[] = {"hard_min", "longest"};
    struct policy_at expedite;
    p->hard_min_s = 1800;
    p->expedite_longest_s = (int64_t)3 * DAY_S;
    p->engine_skew_max = -1;
    RW_TRY(policy_read_int(root, "engine_skew", (struct policy_range){0, RW_JSON_INT_MAX},
                           &p->engine_skew_max, err));
    RW_TRY(policy_read_opt(root, "expedite", JSON_OBJECT, &expedite, err));
    if (expedite.v == NULL) { return RW_OK; }
    RW_TRY(policy_read_only(&expedite, known, RW_LEN(known), err));
    RW_TRY(policy_read_duration(&expedite, "hard_min", some_time, &p->hard_min_s, err));
    RW_TRY(policy_read_duration(&expedite, "longest", times, &p->expedite_longest_s, err));
    return not_shorter(&expedite, "longest", p->expedite_longest_s, p->hard_min_s + 1,
                       "longer than expedite.hard_min", err);
}

/* --- controls of customers --- */
static RW_RC read_controls(const struct policy_at *root, struct ring_policy *p, struct rw_err *err)
{
    static const char *const known[] = {"delay_longest", "hold_longest", "pause_longest",
                                        "pin_longest"};
    struct control_limits *l = &p->controls;
    struct policy_at controls;
    *l = (struct control_limits){.delay_longest_s = (int64_t)3 * DAY_S,
                                 .hold_longest_s = (int64_t)30 * DAY_S,
                                 .pause_longest_s = DAY_S,
                                 .pin_longest_s = (int64_t)90 * DAY_S};
    RW_TRY(policy_read_opt(root, "controls", JSON_OBJECT, &controls, err));
    if (controls.v == NULL) { return RW_OK; }
    RW_TRY(policy_read_only(&controls, known, RW_LEN(known), err));
    RW_TRY(policy_read_duration(&controls, "delay_longest", times, &l->delay_longest_s, err));
    RW_TRY(policy_read_duration(&controls, "hold_longest", times, &l->hold_longest_s, err));
    RW_TRY(policy_read_duration(&controls, "pause_longest", times, &l->pause_longest_s, err));
    return policy_read_duration(&controls, "pin_longest", times, &l->pin_longest_s, err);
}

static RW_RC read_format(const struct policy_at *root, struct rw_err *err)
{
    struct policy_at format;
    RW_TRY(policy_read_need(root, "format", JSON_INT, &format, err));
    if (json_int(format.v) == 1) { return RW_OK; }
    RW_IGNORE(policy_read_refuse(&format, RW_E_RANGE, err, "is %lld, want 1",
                                 (long long)json_int(format.v)),
              "hint");
    return rw_hint(err, "another format is for another version of Ringward");
}

RW_RC ring_policy_parse(struct rw_span text, struct ring_policy *out, struct rw_err *err)
{
    static const char *const known[] = {"format",        "rings",    "classes",  "window",
                                        "health",        "poll",     "expedite", "engine_skew",
                                        "second_person", "controls", "cohorts"};
    struct ring_policy p = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    if (text.n > RING_POLICY_BYTES_MAX) {
        RW_IGNORE(rw_fail(err, RW_E_TOO_BIG, "policy of %zu bytes, at most %d are allowed", text.n,
                          RING_POLICY_BYTES_MAX),
                  "hint");
        return rw_hint(err, "leave out members that have their default");
    }
    if (!rw_is_ok(json_parse(text, &json_limits_policy, &tree, err))) {
        return rw_hint(err, "it must be plain JSON: no comments, no comma at the end, each member "
                            "once, at most three decimals");
    }
    const struct policy_at root = policy_read_top(tree);
    RW_TRY(policy_read_only(&root, known, RW_LEN(known), err));
    RW_TRY(read_format(&root, err));
    RW_TRY(ring_policy_rings_read(&root, &p, err));
    RW_TRY(ring_policy_rings_classes(&root, &p, err));
    RW_TRY(read_window(&root, &p, err));
    RW_TRY(read_health(&root, &p, err));
    RW_TRY(read_poll(&root, &p, err));
    RW_TRY(read_cohorts(&root, err));
    RW_TRY(read_expedite(&root, &p, err));
    RW_TRY(second_person_read(&root, &p.second, err));
    RW_TRY(read_controls(&root, &p, err));
    *out = p;
    return RW_OK;
}
