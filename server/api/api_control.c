#include "server/api/api_control.h"

#include "server/api/api_core.h"
#include "server/release/release_repo.h"
#include "server/rollout/rollout_control.h"
#include "server/rollout/rollout_doc.h"

#include <stdio.h>
#include <string.h>

enum { BODY_BYTES_MAX = 2048, SECONDS_MAX = 90 * 86400, ONE_BYTES_MAX = 1024 };

struct wish {
    struct rollout_control_scope scope;
    struct control control; /* setting; HOLD: `amount` are the seconds that it is to last */
    char reason[ROLLOUT_REASON_BYTES];
};

/* --- reading --- */

static RW_RC read_scope(const struct json *o, struct rollout_control_scope *out, struct rw_err *err)
{
    uint8_t id[FLEET_ENDPOINT_BYTES];
    struct rw_span hex;
    out->endpoint = json_find(o, "endpoint") != NULL;
    if (out->endpoint == (json_find(o, "tenant") != NULL)) {
        return rw_fail(err, RW_E_SCHEMA, "want either 'tenant' or 'endpoint'");
    }
    if (!out->endpoint) {
        RW_TRY(json_get_str(o, "tenant", out->name, sizeof(out->name), err));
        return ring_policy_check_name(out->name, "tenant", err);
    }
    RW_TRY(json_get_span(o, "endpoint", &hex, err));
    RW_TRY(rw_hex_decode(id, sizeof(id), hex, "'endpoint'", err));
    return json_get_str(o, "endpoint", out->name, sizeof(out->name), err);
}

static RW_RC read_reason(const struct json *o, struct wish *w, struct rw_err *err)
{
    RW_TRY(json_get_str(o, "reason", w->reason, sizeof(w->reason), err));
    if (w->reason[0] != '\0') { return RW_OK; }
    return rw_fail(err, RW_E_SCHEMA, "'reason' is empty: it is kept in the audit log");
}

static RW_RC read_pin(const struct json *o, struct control *c, struct rw_err *err)
{
    struct rw_span text;
    struct control pin;
    RW_TRY(json_get_span(o, "pin", &text, err));
    RW_TRY(control_codec_read_pin(text, &pin, err));
    if (pin.kind == CONTROL_RELEASE && c->family[0] != '\0') {
        return rw_fail(err, RW_E_SCHEMA, "'pin' names its family itself: leave 'family' out");
    }
    c->kind = pin.kind;
    c->amount = pin.amount;
    if (pin.kind == CONTROL_RELEASE) {
        rw_copy(c->family, sizeof(c->family), pin.family, sizeof(pin.family));
    }
    return RW_OK;
}

static RW_RC read_control(const struct json *o, struct control *c, struct rw_err *err)
{
    struct rw_span kind;
    if (json_find(o, "family") != NULL) {
        RW_TRY(json_get_str(o, "family", c->family, sizeof(c->family), err));
        RW_TRY(ring_policy_check_name(c->family, "family", err));
    }
    RW_TRY(json_get_span(o, "kind", &kind, err));
    bool timed = rw_span_is(kind, "hold") || rw_span_is(kind, "delay");
    if (timed != (json_find(o, "for_s") != NULL) ||
        rw_span_is(kind, "pin") != (json_find(o, "pin") != NULL)) {
        RW_IGNORE(rw_fail(err, RW_E_SCHEMA,
                          "hold and delay go with 'for_s', pin with 'pin', pause with neither"),
                  "hint follows");
        return rw_hint(err, "a hold needs its end: say how long it lasts");
    }
    if (rw_span_is(kind, "pause")) {
        c->kind = CONTROL_PAUSE;
        return RW_OK;
    }
    if (rw_span_is(kind, "pin")) { return read_pin(o, c, err); }
    if (!timed) { return rw_fail(err, RW_E_SCHEMA, "'kind' is not pause, hold, delay or pin"); }
    c->kind = rw_span_is(kind, "hold") ? CONTROL_HOLD : CONTROL_DELAY;
    return json_get_int(o, "for_s", 1, SECONDS_MAX, &c->amount, err);
}

static RW_RC read_wish(struct rw_span body, bool set, struct wish *w, struct rw_err *err)
{
    static const char *const to_set[] = {"tenant", "endpoint", "kind",  "family",
                                         "for_s",  "pin",      "reason"};
    static const char *const to_clear[] = {"tenant", "endpoint", "reason"};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, set ? to_set : to_clear, set ? RW_LEN(to_set) : RW_LEN(to_clear), err));
    RW_TRY(read_scope(tree, &w->scope, err));
    if (set) { RW_TRY(read_control(tree, &w->control, err)); }
    return read_reason(tree, w, err);
}

static void prepare(struct api_job *job, bool set)
{
    struct rw_err err;
    struct wish *w = api_core_prepared(job, sizeof(*w));
    if (w == NULL) { return; }
    if (!rw_is_ok(read_wish(job->req.body, set, w, &err))) { api_reply_error(job, &err); }
}

static void prepare_set(struct api_job *job)
{
    prepare(job, true);
}

static void prepare_clear(struct api_job *job)
{
    prepare(job, false);
}

/* --- applying --- */

/* A customer's operator steers that customer's own endpoints and nobody else's. */
static RW_RC check_owner(const struct api_core *c, const struct api_job *job,
                         const struct rollout_control_scope *s, struct rw_err *err)
{
    uint8_t id[FLEET_ENDPOINT_BYTES];
    const char *tenant = job->req.who.tenant;
    if (!s->endpoint) {
        if (tenant[0] == '\0' || strcmp(tenant, s->name) == 0) { return RW_OK; }
        return rw_fail(err, RW_E_FORBIDDEN, "the token belongs to tenant '%s', not to '%s'", tenant,
                       s->name);
    }
    RW_AUTO(rw_buf) struct rw_buf unused = rw_buf_make((size_t)64 * ONE_BYTES_MAX);
    struct json_writer w = json_begin(&unused);
    RW_TRY(rw_hex_decode(id, sizeof(id), rw_span_str(s->name), "endpoint", err));
    struct fleet_who whose;
    return fleet_state_write_one(c->fleet, tenant, id, &whose, &w, err);
}

static RW_RC show(struct api_core *c, struct api_job *job, struct rw_err *err)
{
    struct json_writer w = json_begin(&job->reply.body);
    rollout_control_write(c->controls, job->req.who.tenant, &api_trust_policy(c->trust)->controls,
                          rw_clock_wall(&c->clock), &w);
    return json_done(&w, err);
}

static RW_RC check_family(const struct api_core *c, const char *family, struct rw_err *err)
{
    struct release_repo repo;
    struct rw_rc rc = release_repo_read(c->releases.repo_dir, family, &repo, err);
    if (rw_is_ok(rc)) {
        release_repo_drop(&repo);
        return rc;
    }
    if (rc.code != RW_E_TUF_ROLE) { return rc; }
    RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "there is no family '%s'", family), "hint follows");
    return rw_hint(err, "families stand in the signed targets role: ringward trust show");
}

/* What nothing fits would be shown as set, and would hold nobody back. */
static RW_RC check_meant(struct api_core *c, const struct control *one, struct rw_err *err)
{
    struct release_id id = {.number = one->amount};
    struct release_facts facts;
    if (one->family[0] == '\0') { return RW_OK; }
    RW_TRY(check_family(c, one->family, err));
    if (one->kind != CONTROL_RELEASE) { return RW_OK; }
    RW_TRY(rw_span_to_str(id.family, sizeof(id.family), rw_span_str(one->family), "family", err));
    struct rw_rc rc = release_find(&c->releases, &id, &facts, err);
    if (rc.code == RW_E_NOT_FOUND) {
        return rw_hint(err, "what there is: ringward release list --family %s", id.family);
    }
    RW_TRY(rc);
    /* Behind a withdrawn one a pin goes on to the one before. */
    if (facts.state == RELEASE_PUBLISHED || facts.state == RELEASE_WITHDRAWN) { return RW_OK; }
    return rw_fail(err, RW_E_POLICY, "release %s/%lld is %s: no endpoint can have it yet",
                   id.family, (long long)id.number, sm_name(&release_rule_states, facts.state));
}

static RW_RC set(struct api_core *c, struct api_job *job, struct rw_err *err)
{
    const struct wish *w = job->prepared;
    const struct rollout_run_actor actor = {.name = job->req.who.name, .reason = w->reason};
    const struct control_limits *l = &api_trust_policy(c->trust)->controls;
    struct control one = w->control;
    one.since = rw_clock_wall(&c->clock);
    if (one.kind == CONTROL_HOLD) {
        one.until.s = one.since.s + one.amount;
        one.amount = 0;
    }
    RW_TRY(check_owner(c, job, &w->scope, err));
    RW_TRY(control_codec_check(&one, l, err));
    RW_TRY(check_meant(c, &w->control, err));
    RW_TRY(rollout_control_check(c->rollouts, &one, err));
    RW_TRY(rollout_control_put(c->controls, &w->scope, &one, &actor, err));
    return show(c, job, err);
}

static RW_RC clear(struct api_core *c, struct api_job *job, struct rw_err *err)
{
    const struct wish *w = job->prepared;
    const struct rollout_run_actor actor = {.name = job->req.who.name, .reason = w->reason};
    RW_TRY(check_owner(c, job, &w->scope, err));
    RW_TRY(rollout_control_clear(c->controls, &w->scope, &actor, rw_clock_wall(&c->clock), err));
    return show(c, job, err);
}

static void apply(void *core, struct api_job *job,
                  struct rw_rc (*work)(struct api_core *c, struct api_job *job, struct rw_err *err))
{
    struct api_core *c = core;
    struct rw_err err;
    struct rw_rc rc = api_trust_policy(c->trust) == NULL
                          ? rw_fail(&err, RW_E_POLICY, "no verified policy is in force")
                          : work(c, job, &err);
    api_core_answer(job, rc, &err, 200);
}

static void apply_show(void *core, struct api_job *job)
{
    apply(core, job, show);
}

static void apply_set(void *core, struct api_job *job)
{
    apply(core, job, set);
}

static void apply_clear(void *core, struct api_job *job)
{
    apply(core, job, clear);
}

const struct api_route api_control_routes[] = {
    {.method = "GET", .pattern = "/v1/controls", .auth = API_AUTH_VIEWER, .apply = apply_show},
    {.method = "POST",
     .pattern = "/v1/controls",
     .auth = API_AUTH_OPERATOR,
     .body_bytes_max = BODY_BYTES_MAX,
     .prepare = prepare_set,
     .apply = apply_set},
    {.method = "POST",
     .pattern = "/v1/controls/clear",
     .auth = API_AUTH_OPERATOR,
     .body_bytes_max = BODY_BYTES_MAX,
     .prepare = prepare_clear,
     .apply = apply_clear},
};
const size_t api_control_route_count = RW_LEN(api_control_routes);
