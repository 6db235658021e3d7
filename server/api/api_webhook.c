#include "server/api/api_webhook.h"

#include "server/api/api_core.h"
#include "server/api/api_operator.h"

enum { BODY_BYTES_MAX = 4096 };

static RW_RC write_list(const struct api_core *c, struct api_job *job, struct rw_err *err)
{
    RW_TRY(api_operator_any_tenant(job, err));
    struct json_writer w = json_begin(&job->reply.body);
    webhook_write(c->webhook, &w);
    return json_done(&w, err);
}

static void apply_list(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = write_list(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

static RW_RC test(struct api_core *c, struct api_job *job, struct rw_err *err)
{
    char name[WEBHOOK_NAME_BYTES];
    RW_TRY(api_operator_any_tenant(job, err));
    RW_TRY(api_operator_empty_body(job->req.body, err));
    RW_TRY(rw_span_to_str(name, sizeof(name), job->req.params[0], "webhook", err));
    RW_TRY(webhook_test(c->webhook, name, job->req.who.name, rw_clock_wall(&c->clock), err));
    c->tick_wanted = true; /* it leaves before the next wait */
    return write_list(c, job, err);
}

static void apply_test(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = test(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

const struct api_route api_webhook_routes[] = {
    {.method = "GET", .pattern = "/v1/webhooks", .auth = API_AUTH_VIEWER, .apply = apply_list},
    {.method = "POST",
     .pattern = "/v1/webhooks/{name}/test",
     .auth = API_AUTH_OPERATOR,
     .body_bytes_max = BODY_BYTES_MAX,
     .apply = apply_test},
};
const size_t api_webhook_route_count = RW_LEN(api_webhook_routes);
