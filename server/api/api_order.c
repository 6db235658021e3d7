#include "server/api/api_order.h"

#include "common/base/log.h"
#include "server/api/api_operator.h"
#include "server/health/fleet_permit.h"
#include "server/release/release_order.h"

#include <stdio.h>

enum { ASK_BODY_BYTES_MAX = 8192, SIGNATURE_BODY_BYTES_MAX = 4096 };

static RW_RC id_of(const struct api_job *job, struct release_order_id *out, struct rw_err *err)
{
    return release_order_id_parse(job->req.params[0], job->req.params[1], job->req.params[2], out,
                                  err);
}

static RW_RC read_page(const struct api_request *req, struct store_page *page, struct rw_err *err)
{
    struct rw_span part[3];
    struct release_order_id after;
    bool given = false;
    RW_TRY(api_query_after(req, "KIND/FAMILY/NUMBER", part, &given, err));
    if (given) {
        RW_TRY(release_order_id_parse(part[0], part[1], part[2], &after, err));
        release_order_id_key(&after, page->after);
    }
    return api_query_i64(req, "limit", 1, STORE_PAGE_MAX, &page->limit, err);
}

static void apply_list(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    struct store_page page = {.limit = STORE_PAGE_DEFAULT};
    struct rw_rc rc = read_page(&job->req, &page, &err);
    if (rw_is_ok(rc)) { rc = release_order_list(&c->releases, &page, &job->reply.body, &err); }
    api_core_answer(job, rc, &err, 200);
}

static void apply_show(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    struct release_order_id id;
    struct rw_rc rc = id_of(job, &id, &err);
    if (rw_is_ok(rc)) { rc = release_order_show(&c->releases, &id, &job->reply.body, &err); }
    api_core_answer(job, rc, &err, 200);
}

static void apply_tosign(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    struct release_order_id id;
    struct rw_rc rc = api_operator_any_tenant(job, &err);
    if (rw_is_ok(rc)) { rc = id_of(job, &id, &err); }
    if (rw_is_ok(rc)) { rc = release_order_tosign(&c->releases, &id, &job->reply.body, &err); }
    api_core_answer(job, rc, &err, 200);
}

static void apply_ask(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    struct rw_rc rc = api_operator_any_tenant(job, &err);
    if (rw_is_ok(rc)) {
        rc = release_order_ask(&c->releases, job->req.who.name, job->req.body, &job->reply.body,
                               &err);
    }
    api_core_answer(job, rc, &err, 201);
}

static void log_done(const struct api_job *job, const struct release_order_id *id)
{
    struct rw_log_line l;
    char text[RELEASE_ORDER_KEY_BYTES];
    (void)snprintf(text, sizeof(text), "%s %s/%lld", release_order_kind_name(id->kind),
                   id->release.family, (long long)id->release.number);
    rw_log_begin(&l, RW_LOG_INFO, "order_done");
    rw_log_str(&l, "order", text);
    rw_log_str(&l, "by", job->req.who.name);
    rw_log_end(&l);
}

static void apply_sign(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    struct release_order_id id;
    bool done = false;
    struct rw_rc rc = api_operator_any_tenant(job, &err);
    if (rw_is_ok(rc)) { rc = id_of(job, &id, &err); }
    if (rw_is_ok(rc)) {
        rc = release_order_sign(&c->releases, &id, job->req.who.name, job->req.body,
                                &job->reply.body, &done, &err);
    }
    if (rw_is_ok(rc) && done) {
        log_done(job, &id);
        api_core_renew(c); /* takes the new role into use: the controller may open a ring by it */
        c->tick_wanted = true;
    }
    api_core_answer(job, rc, &err, 200);
}

/* --- status --- */
static int64_t still_on(const void *ctx, const char *family, int64_t release)
{
    const struct api_core *c = ctx;
    const struct ring_policy *policy = api_trust_policy(c->trust);
    int64_t n = 0;
    for (size_t i = 0; policy != NULL && i < policy->ring_count; i++) {
        n += fleet_state_counts(c->fleet, family, release, policy->rings[i].name, NULL).still_on;
    }
    return n;
}

RW_RC api_order_write_alarms(const struct api_core *c, struct rw_wall now, struct json_writer *w,
                             struct rw_err *err)
{
    struct release_domain d = c->releases;
    return release_order_write_alarms(&d, now, still_on, c, w, err);
}

#define ORDER "/v1/orders/{kind}/{family}/{number}"

const struct api_route api_order_routes[] = {
    {.method = "GET", .pattern = "/v1/orders", .auth = API_AUTH_VIEWER, .apply = apply_list},
    {.method = "POST",
     .pattern = "/v1/orders",
     .auth = API_AUTH_PUBLISHER,
     .body_bytes_max = ASK_BODY_BYTES_MAX,
     .controller = true,
     .apply = apply_ask},
    {.method = "GET", .pattern = ORDER, .auth = API_AUTH_VIEWER, .apply = apply_show},
    {.method = "GET",
     .pattern = ORDER "/tosign",
     .auth = API_AUTH_PUBLISHER,
     .apply = apply_tosign},
    {.method = "POST",
     .pattern = ORDER "/signatures",
     .auth = API_AUTH_PUBLISHER,
     .body_bytes_max = SIGNATURE_BODY_BYTES_MAX,
     .controller = true,
     .apply = apply_sign},
};
const size_t api_order_route_count = RW_LEN(api_order_routes);
