#include "common/policy/ring_policy.h"

#include "common/base/num.h"

#include <string.h>

enum { DAY_S = 86400 };
#define LONGEST_S (INT64_C(90) * DAY_S)

RW_RC ring_policy_check_name(const char *name, const char *what, struct rw_err *err)
{
    bool letter = false;
    size_t n = strlen(name);
    bool good = n >= 1 && n < RING_POLICY_NAME_BYTES && name[0] != '-';
    for (size_t i = 0; i < n && good; i++) {
        bool lower = name[i] >= 'a' && name[i] <= 'z';
        good = lower || (name[i] >= '0' && name[i] <= '9') || name[i] == '-';
        letter = letter || lower;
    }
    if (good && letter) { return RW_OK; }
    return rw_fail(err, RW_E_SCHEMA,
                   "%s '%.40s': want 1 to 32 of a-z, 0-9 and '-', with a letter, not '-' first",
                   what, name);
}

/* --- readers of optional members --- */
static RW_RC opt_duration(const struct json *o, const char *name, int64_t fallback, int64_t *out,
                          struct rw_err *err)
{
    struct rw_span text;
    *out = fallback;
    if (json_find(o, name) == NULL) { return RW_OK; }
    RW_TRY(json_get_span(o, name, &text, err));
    if (!rw_is_ok(rw_parse_duration_s(text, LONGEST_S, name, out, err))) {
        return rw_wrap(err, "line %u", json_line(json_find(o, name)));
    }
    return RW_OK;
}

static RW_RC opt_share(const struct json *o, const char *name, int64_t fallback, int64_t *out,
                       struct rw_err *err)
{
    struct rw_span text;
    *out = fallback;
    if (json_find(o, name) == NULL) { return RW_OK; }
    RW_TRY(json_get_span(o, name, &text, err));
    if (!rw_is_ok(rw_parse_share_bp(text, name, out, err))) {
        return rw_wrap(err, "line %u", json_line(json_find(o, name)));
    }
    return RW_OK;
}

/* *out holds the default already. */
static RW_RC opt_int(const struct json *o, const char *name, int64_t min, int64_t max, int64_t *out,
                     struct rw_err *err)
{
    if (json_find(o, name) == NULL) { return RW_OK; }
    return json_get_int(o, name, min, max, out, err);
}

static RW_RC opt_object(const struct json *o, const char *name, const struct json **out,
                        struct rw_err *err)
{
    *out = NULL;
    if (json_find(o, name) == NULL) { return RW_OK; }
    return json_get(o, name, JSON_OBJECT, out, err);
}

/* --- rings --- */
static RW_RC read_gate(const struct json *o, struct ring_policy_ring *r, struct rw_err *err)
{
    static const char *const known[] = {"limit", "min_healthy"};
    const struct json *gate = NULL;
    r->gate_limit_bp = 1000;
    r->gate_min_healthy = 4;
    RW_TRY(opt_object(o, "gate", &gate, err));
    if (gate == NULL) { return RW_OK; }
    RW_TRY(json_only(gate, known, RW_LEN(known), err));
    RW_TRY(opt_share(gate, "limit", r->gate_limit_bp, &r->gate_limit_bp, err));
    if (r->gate_limit_bp < 1) {
        return rw_fail(err, RW_E_RANGE, "line %u: gate.limit must be above 0%%", json_line(gate));
    }
    return opt_int(gate, "min_healthy", 1, 1000000000, &r->gate_min_healthy, err);
}

static RW_RC read_hold_back(const struct json *o, struct ring_policy_ring *r, struct rw_err *err)
{
    static const char *const known[] = {"share", "for"};
    const struct json *hold = NULL;
    RW_TRY(opt_object(o, "hold_back", &hold, err));
    if (hold == NULL) { return RW_OK; }
    RW_TRY(json_only(hold, known, RW_LEN(known), err));
    RW_TRY(opt_share(hold, "share", 0, &r->hold_back_bp, err));
    return opt_duration(hold, "for", DAY_S, &r->hold_back_s, err);
}

/* Exactly one of "share" and "select" says who belongs to the ring. */
static RW_RC read_membership(const struct json *o, struct ring_policy_ring *r, int64_t *next_bucket,
                             struct rw_err *err)
{
    struct rw_span text = rw_span_of(NULL, 0);
    bool by_share = json_find(o, "share") != NULL;
    if (by_share == (json_find(o, "select") != NULL)) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: a ring has either 'share' or 'select'",
                       json_line(o));
    }
    RW_TRY(json_get_span(o, by_share ? "share" : "select", &text, err));
    if (!by_share) {
        if (!rw_span_is(text, "local")) {
            return rw_fail(err, RW_E_SCHEMA, "line %u: 'select' can only be \"local\"",
                           json_line(o));
        }
        r->select = RING_BY_HAND;
        return RW_OK;
    }
    r->bucket_lo = *next_bucket;
    if (rw_span_is(text, "rest")) {
        r->select = RING_BY_REST;
        r->bucket_hi = RING_POLICY_BUCKETS;
        /* A ring without endpoints never shows the evidence that a rollout ends with. */
        if (r->bucket_lo == r->bucket_hi) {
            return rw_fail(err, RW_E_RANGE, "line %u: the shares before leave nothing for \"rest\"",
                           json_line(o));
        }
    } else {
        int64_t share_bp = 0;
        RW_TRY(opt_share(o, "share", 0, &share_bp, err));
        r->bucket_hi = *next_bucket + share_bp;
        if (share_bp < 1 || r->bucket_hi > RING_POLICY_BUCKETS) {
            return rw_fail(err, RW_E_RANGE,
                           "line %u: the shares up to here add up to %lld.%02lld%%", json_line(o),
                           (long long)(r->bucket_hi / 100), (long long)(r->bucket_hi % 100));
        }
    }
    *next_bucket = r->bucket_hi;
    return RW_OK;
}

static RW_RC read_ring(const struct json *o, struct ring_policy *p, int64_t *next_bucket,
                       struct rw_err *err)
{
    static const char *const known[] = {"name", "select", "share",    "bake",
                                        "gate", "spread", "hold_back"};
    struct ring_policy_ring *r = &p->rings[p->ring_count];
    RW_TRY(json_only(o, known, RW_LEN(known), err));
    RW_TRY(json_get_str(o, "name", r->name, sizeof(r->name), err));
    RW_TRY(ring_policy_check_name(r->name, "ring", err));
    for (size_t i = 0; i < p->ring_count; i++) {
        if (strcmp(p->rings[i].name, r->name) == 0) {
            return rw_fail(err, RW_E_SCHEMA, "line %u: ring '%s' stands twice", json_line(o),
                           r->name);
        }
    }
    if (p->ring_count > 0 && p->rings[p->ring_count - 1].select == RING_BY_REST) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: no ring can follow the one with share \"rest\"",
                       json_line(o));
    }
    RW_TRY(read_membership(o, r, next_bucket, err));
    int64_t before_s = p->ring_count == 0 ? 0 : p->rings[p->ring_count - 1].bake_s;
    RW_TRY(opt_duration(o, "bake", before_s, &r->bake_s, err));
    if (r->bake_s < before_s) {
        return rw_fail(err, RW_E_RANGE, "line %u: ring '%s' bakes shorter than the ring before it",
                       json_line(o), r->name);
    }
    RW_TRY(opt_duration(o, "spread", 0, &r->spread_s, err));
    RW_TRY(read_gate(o, r, err));
    RW_TRY(read_hold_back(o, r, err));
    p->ring_count++;
    return RW_OK;
}

static RW_RC read_rings(const struct json *root, struct ring_policy *p, struct rw_err *err)
{
    const struct json *rings = NULL;
    int64_t next_bucket = 0;
    RW_TRY(json_get(root, "rings", JSON_ARRAY, &rings, err));
    if (json_count(rings) < 1 || json_count(rings) > RING_POLICY_RINGS_MAX) {
        return rw_fail(err, RW_E_RANGE, "line %u: %zu rings, want 1..%d", json_line(rings),
                       json_count(rings), RING_POLICY_RINGS_MAX);
    }
    size_t index = 0;
    for (const struct json *o = json_first(rings); o != NULL; o = json_next(o), index++) {
        if (!rw_is_ok(read_ring(o, p, &next_bucket, err))) {
            return rw_wrap(err, "rings[%zu]", index);
        }
    }
    if (p->rings[p->ring_count - 1].select != RING_BY_REST) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: the last ring must have share \"rest\"",
                       json_line(rings));
    }
    return RW_OK;
}

/* --- classes --- */
static RW_RC read_class(const struct json *o, struct ring_policy *p, struct rw_err *err)
{
    static const char *const known[] = {"min_bake", "unpausable"};
    struct ring_policy_class *c = &p->classes[p->class_count];
    const struct json *min = NULL;
    RW_TRY(rw_span_to_str(c->name, sizeof(c->name), json_name(o), "class", err));
    RW_TRY(ring_policy_check_name(c->name, "class", err));
    RW_TRY(json_only(o, known, RW_LEN(known), err));
    RW_TRY(opt_object(o, "min_bake", &min, err));
    for (const struct json *m = min == NULL ? NULL : json_first(min); m != NULL; m = json_next(m)) {
        char ring[RING_POLICY_NAME_BYTES];
        size_t index = 0;
        RW_TRY(rw_span_to_str(ring, sizeof(ring), json_name(m), "ring", err));
        RW_TRY(ring_policy_find(p, ring, &index, err));
        RW_TRY(opt_duration(min, ring, 0, &c->min_bake_s[index], err));
    }
    if (json_find(o, "unpausable") != NULL) {
        RW_TRY(json_get_bool(o, "unpausable", &c->unpausable, err));
        c->unpausable_line = json_line(json_find(o, "unpausable"));
    }
    p->class_count++;
    return RW_OK;
}

static RW_RC read_classes(const struct json *root, struct ring_policy *p, struct rw_err *err)
{
    const struct json *classes = NULL;
    RW_TRY(json_get(root, "classes", JSON_OBJECT, &classes, err));
    if (json_count(classes) < 1 || json_count(classes) > RING_POLICY_CLASSES_MAX) {
        return rw_fail(err, RW_E_RANGE, "line %u: %zu classes, want 1..%d", json_line(classes),
                       json_count(classes), RING_POLICY_CLASSES_MAX);
    }
    for (const struct json *o = json_first(classes); o != NULL; o = json_next(o)) {
        struct rw_span name = json_name(o);
        if (!rw_is_ok(read_class(o, p, err))) {
            return rw_wrap(err, "classes.%.*s", (int)(name.n < 40 ? name.n : 40), name.p);
        }
    }
    return RW_OK;
}

/* --- window, health, poll --- */
static RW_RC read_alive(const struct json *window, struct ring_policy *p, struct rw_err *err)
{
    static const char *const known[] = {"after", "start", "per_survivor_thousandths"};
    const struct json *alive = NULL;
    p->alive_after_s = 7200;
    p->alive_start = 10000;
    p->alive_per_survivor_m = 99000;
    RW_TRY(opt_object(window, "alive", &alive, err));
    if (alive == NULL) { return RW_OK; }
    RW_TRY(json_only(alive, known, RW_LEN(known), err));
    RW_TRY(opt_duration(alive, "after", p->alive_after_s, &p->alive_after_s, err));
    RW_TRY(opt_int(alive, "start", 1, 1000000000, &p->alive_start, err));
    RW_TRY(opt_int(alive, "per_survivor_thousandths", 0, 1000000, &p->alive_per_survivor_m, err));
    if (p->alive_after_s < p->confirm_probation_s) {
        return rw_fail(err, RW_E_RANGE,
                       "line %u: window.alive.after must not be shorter than the probation",
                       json_line(alive));
    }
    return RW_OK;
}

static RW_RC read_window(const struct json *root, struct ring_policy *p, struct rw_err *err)
{
    static const char *const known[] = {"confirm", "cohort", "alive"};
    static const char *const confirm_known[] = {"start", "per_survivor_thousandths", "deadline",
                                                "probation"};
    static const char *const cohort_known[] = {"start"};
    const struct json *window = NULL;
    const struct json *confirm = NULL;
    const struct json *cohort = NULL;
    RW_TRY(json_get(root, "window", JSON_OBJECT, &window, err));
    RW_TRY(json_only(window, known, RW_LEN(known), err));
    RW_TRY(json_get(window, "confirm", JSON_OBJECT, &confirm, err));
    RW_TRY(json_only(confirm, confirm_known, RW_LEN(confirm_known), err));
    p->confirm_start = 16;
    p->confirm_per_survivor_m = 1000;
    p->cohort_start = 4;
    RW_TRY(opt_int(confirm, "start", 1, 1000000, &p->confirm_start, err));
    RW_TRY(
        opt_int(confirm, "per_survivor_thousandths", 0, 100000, &p->confirm_per_survivor_m, err));
    RW_TRY(opt_duration(confirm, "deadline", 900, &p->confirm_deadline_s, err));
    RW_TRY(opt_duration(confirm, "probation", 600, &p->confirm_probation_s, err));
    if (p->confirm_deadline_s <= p->confirm_probation_s) {
        return rw_fail(err, RW_E_RANGE,
                       "line %u: window.confirm.deadline must be longer than its probation",
                       json_line(confirm));
    }
    RW_TRY(opt_object(window, "cohort", &cohort, err));
    if (cohort != NULL) { RW_TRY(json_only(cohort, cohort_known, RW_LEN(cohort_known), err)); }
    RW_TRY(opt_int(cohort == NULL ? window : cohort, "start", 1, 1000000, &p->cohort_start, err));
    return read_alive(window, p, err);
}

static RW_RC read_health(const struct json *root, struct ring_policy *p, struct rw_err *err)
{
    static const char *const known[] = {"false_halts_per_year", "releases_per_year",
                                        "tenant_votes"};
    static const char *const poll_known[] = {"rollout"};
    const struct json *health = NULL;
    const struct json *poll = NULL;
    p->false_halts_per_year = 1;
    p->releases_per_year = 7300;
    p->tenant_votes = 8;
    p->poll_rollout_s = 60;
    RW_TRY(opt_object(root, "health", &health, err));
    if (health != NULL) {
        RW_TRY(json_only(health, known, RW_LEN(known), err));
        RW_TRY(opt_int(health, "false_halts_per_year", 1, 1000, &p->false_halts_per_year, err));
        RW_TRY(opt_int(health, "releases_per_year", 1, 1000000, &p->releases_per_year, err));
        RW_TRY(opt_int(health, "tenant_votes", 1, 1000000, &p->tenant_votes, err));
    }
    RW_TRY(opt_object(root, "poll", &poll, err));
    if (poll == NULL) { return RW_OK; }
    RW_TRY(json_only(poll, poll_known, RW_LEN(poll_known), err));
    return opt_duration(poll, "rollout", 60, &p->poll_rollout_s, err);
}

/* --- expedite, engines --- */
static RW_RC read_expedite(const struct json *root, struct ring_policy *p, struct rw_err *err)
{
    static const char *const known[] = {"hard_min", "longest"};
    const struct json *expedite = NULL;
    p->hard_min_s = 1800;
    p->expedite_longest_s = (int64_t)3 * DAY_S;
    p->engine_skew_max = -1;
    RW_TRY(opt_int(root, "engine_skew", 0, RW_JSON_INT_MAX, &p->engine_skew_max, err));
    RW_TRY(opt_object(root, "expedite", &expedite, err));
    if (expedite == NULL) { return RW_OK; }
    RW_TRY(json_only(expedite, known, RW_LEN(known), err));
    RW_TRY(opt_duration(expedite, "hard_min", p->hard_min_s, &p->hard_min_s, err));
    RW_TRY(opt_duration(expedite, "longest", p->expedite_longest_s, &p->expedite_longest_s, err));
    if (p->hard_min_s < 1 || p->expedite_longest_s <= p->hard_min_s) {
        return rw_fail(err, RW_E_RANGE,
                       "line %u: expedite.hard_min must be at least 1s, expedite.longest longer",
                       json_line(expedite));
    }
    return RW_OK;
}

/* --- controls of customers --- */
static RW_RC read_controls(const struct json *root, struct ring_policy *p, struct rw_err *err)
{
    static const char *const known[] = {"delay_longest", "hold_longest", "pause_longest",
                                        "pin_longest"};
    struct control_limits *l = &p->controls;
    const struct json *controls = NULL;
    *l = (struct control_limits){.delay_longest_s = (int64_t)3 * DAY_S,
                                 .hold_longest_s = (int64_t)30 * DAY_S,
                                 .pause_longest_s = DAY_S,
                                 .pin_longest_s = (int64_t)90 * DAY_S};
    RW_TRY(opt_object(root, "controls", &controls, err));
    if (controls == NULL) { return RW_OK; }
    RW_TRY(json_only(controls, known, RW_LEN(known), err));
    RW_TRY(opt_duration(controls, "delay_longest", l->delay_longest_s, &l->delay_longest_s, err));
    RW_TRY(opt_duration(controls, "hold_longest", l->hold_longest_s, &l->hold_longest_s, err));
    RW_TRY(opt_duration(controls, "pause_longest", l->pause_longest_s, &l->pause_longest_s, err));
    return opt_duration(controls, "pin_longest", l->pin_longest_s, &l->pin_longest_s, err);
}

RW_RC ring_policy_parse(struct rw_span text, struct ring_policy *out, struct rw_err *err)
{
    static const char *const known[] = {"format",        "rings",   "classes",  "window",
                                        "health",        "poll",    "expedite", "engine_skew",
                                        "second_person", "controls"};
    struct ring_policy p = {0};
    int64_t format = 0;
    RW_AUTO(json_tree) json_tree tree = NULL;
    if (text.n > RING_POLICY_BYTES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "policy of %zu bytes, at most %d are allowed", text.n,
                       RING_POLICY_BYTES_MAX);
    }
    RW_TRY(json_parse(text, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(json_get_int(tree, "format", 1, 1, &format, err));
    RW_TRY(read_rings(tree, &p, err));
    RW_TRY(read_classes(tree, &p, err));
    RW_TRY(read_window(tree, &p, err));
    RW_TRY(read_health(tree, &p, err));
    RW_TRY(read_expedite(tree, &p, err));
    RW_TRY(second_person_read(tree, &p.second, err));
    RW_TRY(read_controls(tree, &p, err));
    *out = p;
    return RW_OK;
}

RW_RC ring_policy_find(const struct ring_policy *p, const char *name, size_t *index_out,
                       struct rw_err *err)
{
    for (size_t i = 0; i < p->ring_count; i++) {
        if (strcmp(p->rings[i].name, name) == 0) {
            *index_out = i;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_NOT_FOUND, "the policy has no ring '%.40s'", name);
}

RW_RC ring_policy_find_class(const struct ring_policy *p, const char *name, size_t *index_out,
                             struct rw_err *err)
{
    for (size_t i = 0; i < p->class_count; i++) {
        if (strcmp(p->classes[i].name, name) == 0) {
            *index_out = i;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_NOT_FOUND, "the policy has no class '%.40s'", name);
}

size_t ring_policy_of_bucket(const struct ring_policy *p, int64_t bucket)
{
    RW_ASSERT(bucket >= 0 && bucket < RING_POLICY_BUCKETS);
    size_t i = 0;
    while (bucket < p->rings[i].bucket_lo || bucket >= p->rings[i].bucket_hi) {
        i++;
    }
    RW_ASSERT(i < p->ring_count); /* read_rings: the last ring takes the rest */
    return i;
}

double ring_policy_alpha(const struct ring_policy *p)
{
    static const double most = 1e-4;
    double wanted = (double)p->false_halts_per_year / (double)p->releases_per_year;
    return wanted < most ? wanted : most;
}

int64_t ring_policy_min_bake_s(const struct ring_policy *p, size_t class_index, size_t ring_index)
{
    RW_ASSERT(class_index < p->class_count && ring_index < p->ring_count);
    int64_t earlier_s = 0;
    for (size_t i = 0; i < ring_index; i++) {
        earlier_s += p->rings[i].bake_s;
    }
    int64_t own_s = p->classes[class_index].min_bake_s[ring_index];
    return own_s > earlier_s ? own_s : earlier_s;
}
