#include "server/api/api_page.h"

static const uint8_t html[] = {
#include "server/api/status_page_html.inc"
};

static const uint8_t css[] = {
#include "server/api/status_page_css.inc"
};

static const uint8_t js[] = {
#include "server/api/status_page_js.inc"
};

static void answer(struct api_job *job, struct rw_span bytes, const char *content_type)
{
    struct rw_err err;
    if (!rw_is_ok(rw_buf_append(&job->reply.body, bytes, &err))) {
        api_reply_error(job, &err);
        return;
    }
    job->reply.content_type = content_type;
    job->reply.status = 200;
}

static void prepare_html(struct api_job *job)
{
    answer(job, rw_span_of(html, sizeof(html)), "text/html; charset=utf-8");
}

static void prepare_css(struct api_job *job)
{
    answer(job, rw_span_of(css, sizeof(css)), "text/css; charset=utf-8");
}

static void prepare_js(struct api_job *job)
{
    answer(job, rw_span_of(js, sizeof(js)), "text/javascript; charset=utf-8");
}

const struct api_route api_page_routes[] = {
    {.method = "GET", .pattern = "/", .auth = API_AUTH_NONE, .prepare = prepare_html},
    {.method = "GET", .pattern = "/status.css", .auth = API_AUTH_NONE, .prepare = prepare_css},
    {.method = "GET", .pattern = "/status.js", .auth = API_AUTH_NONE, .prepare = prepare_js},
};
const size_t api_page_route_count = RW_LEN(api_page_routes);
