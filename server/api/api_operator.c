#include "server/api/api_operator.h"

#include "common/base/version.h"
#include "server/api/api_alarm.h"
#include "server/api/api_core.h"
#include "server/api/api_order.h"
#include "server/api/api_second.h"
#include "server/report/audit_log.h"

enum { PAGE_DEFAULT = 100, PAGE_MAX = 1000 };

bool api_operator_of_tenant(const struct api_job *job)
{
    return job->req.who.tenant[0] != '\0';
}

RW_RC api_operator_any_tenant(const struct api_job *job, struct rw_err *err)
{
    if (!api_operator_of_tenant(job)) { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_FORBIDDEN,
                      "the token of '%s' belongs to tenant '%s'; this concerns every tenant",
                      job->req.who.name, job->req.who.tenant),
              "hint follows");
    return rw_hint(err, "use a token that was made without a tenant");
}

RW_RC api_operator_empty_body(struct rw_span body, struct rw_err *err)
{
    RW_AUTO(json_tree) json_tree tree = NULL;
    if (body.n == 0) { return RW_OK; }
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    if (json_type(tree) != JSON_OBJECT) {
        return rw_fail(err, RW_E_SCHEMA, "the body is %s, want an empty object",
                       json_type_name(json_type(tree)));
    }
    return json_only(tree, NULL, 0, err);
}

/* --- GET /v1/status --- */

/* The view writes a whole object {"rollouts":[...]}; status holds its array as one of its members. */
static RW_RC put_rollouts(const struct api_core *c, const struct rollout_run_look *look,
                          struct json_writer *w, struct rw_err *err)
{
    static const char head[] = "{\"rollouts\":";
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(API_REPLY_BYTES_MAX);
    struct json_writer inner = json_begin(&text);
    rollout_run_write_all(c->rollouts, look, &inner);
    RW_TRY(json_done(&inner, err));
    RW_ASSERT(rw_span_starts(rw_buf_span(&text), head) && text.p[text.n - 1] == '}');
    json_put_raw(w, "rollouts", rw_span_of(text.p + sizeof(head) - 1, text.n - sizeof(head)));
    return RW_OK;
}

static RW_RC put_alarms(const struct api_core *c, const struct rollout_run_look *look,
                        struct json_writer *w, struct rw_err *err)
{
    const struct rw_wall now = look->now;
    const char *tenant = look->tenant;
    json_open_array(w, "alarms");
    api_alarm_write(c, now, tenant[0] != '\0', w);
    if (tenant[0] == '\0') { webhook_write_alarms(c->webhook, w); }
    const struct ring_policy *policy = api_trust_policy(c->trust);
    if (policy != NULL) {
        rollout_control_write_alarms(c->controls, tenant, &policy->controls, now, w);
    }
    RW_TRY(api_order_write_alarms(c, now, w, err));
    RW_TRY(api_second_write_alarms(c, now, w, err));
    json_close_array(w);
    return RW_OK;
}

static RW_RC write_status(struct api_core *c, struct api_job *job, struct rw_err *err)
{
    const struct rollout_run_look look = {.now = rw_clock_wall(&c->clock),
                                          .tenant = job->req.who.tenant};
    char started[RW_TIME_TEXT_BYTES];
    int64_t releases = 0;
    RW_TRY(release_count(&c->releases, api_operator_of_tenant(job), &releases, err));
    rw_wall_format(started, c->started);
    struct json_writer w = json_begin(&job->reply.body);
    json_open_object(&w, NULL);
    json_open_object(&w, "server");
    json_put_str(&w, "version", RW_VERSION);
    json_put_str(&w, "trust", api_trust_development(c->trust) ? "development" : "production");
    json_put_str(&w, "started", started);
    json_close_object(&w);
    api_node_write(c, &w);
    const struct api_certificate certificate = api_core_certificate(c);
    api_certificate_write(&certificate, &w);
    json_put_int(&w, "endpoints", (int64_t)fleet_state_endpoints(c->fleet));
    json_put_int(&w, "releases", releases);
    RW_TRY(put_rollouts(c, &look, &w, err));
    RW_TRY(put_alarms(c, &look, &w, err));
    json_close_object(&w);
    return json_done(&w, err);
}

static void apply_status(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = write_status(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

/* --- GET /v1/policy --- */

static void apply_policy(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    struct rw_rc rc = rw_buf_append(&job->reply.body, api_trust_policy_text(c->trust), &err);
    api_core_answer(job, rc, &err, 200);
}

/* --- GET /v1/audit --- */

static RW_RC write_audit(const struct api_core *c, struct api_job *job, struct rw_err *err)
{
    int64_t after = 0;
    int64_t limit = PAGE_DEFAULT;
    RW_TRY(api_operator_any_tenant(job, err));
    RW_TRY(api_query_i64(&job->req, "after", 0, RW_JSON_INT_MAX, &after, err));
    RW_TRY(api_query_i64(&job->req, "limit", 1, PAGE_MAX, &limit, err));
    struct json_writer w = json_begin(&job->reply.body);
    RW_TRY(audit_log_write_page(c->store, after, limit, &w, err));
    return json_done(&w, err);
}

static void apply_audit(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = write_audit(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

const struct api_route api_operator_routes[] = {
    {.method = "GET", .pattern = "/v1/status", .auth = API_AUTH_VIEWER, .apply = apply_status},
    {.method = "GET", .pattern = "/v1/policy", .auth = API_AUTH_VIEWER, .apply = apply_policy},
    {.method = "GET", .pattern = "/v1/audit", .auth = API_AUTH_VIEWER, .apply = apply_audit},
};
const size_t api_operator_route_count = RW_LEN(api_operator_routes);
