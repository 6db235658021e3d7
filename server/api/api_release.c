#include "server/api/api_release.h"

#include "common/base/log.h"
#include "server/api/api_operator.h"
#include "server/release/release_delta.h"

#include <stdio.h>
#include <string.h>

enum {
    PAGE_DEFAULT = 200,
    CREATE_BODY_BYTES_MAX = 32 * 1024,
    SIGNATURE_BODY_BYTES_MAX = 4096,
    SMALL_BODY_BYTES = 4096
};

int64_t api_release_in_place(const void *core, const char *family)
{
    const struct api_core *c = core;
    return c->rollouts == NULL ? 0 : rollout_run_in_place(c->rollouts, family);
}

bool api_release_halted(const void *core, const struct release_id *id)
{
    const struct api_core *c = core;
    return c->rollouts != NULL && rollout_run_halted(c->rollouts, id->family, id->number);
}

static RW_RC id_of(const struct api_job *job, struct release_id *out, struct rw_err *err)
{
    return release_id_parse(job->req.params[0], job->req.params[1], out, err);
}

static void log_release(const char *event, const struct api_job *job, const struct release_id *id)
{
    struct rw_log_line l;
    char text[RELEASE_KEY_BYTES];
    (void)snprintf(text, sizeof(text), "%s/%lld", id->family, (long long)id->number);
    rw_log_begin(&l, RW_LOG_INFO, event);
    rw_log_str(&l, "release", text);
    rw_log_str(&l, "by", job->req.who.name);
    rw_log_end(&l);
}

/* --- reading --- */

/* "yara/12", as people write it. */
static RW_RC read_cursor(struct rw_span text, struct release_id *out, struct rw_err *err)
{
    const uint8_t *slash = memchr(text.p, '/', text.n);
    if (slash == NULL) { return rw_fail(err, RW_E_SCHEMA, "'after' is not FAMILY/NUMBER"); }
    size_t n = (size_t)(slash - text.p);
    return release_id_parse(rw_span_of(text.p, n), rw_span_of(slash + 1, text.n - n - 1), out, err);
}

static RW_RC read_page(const struct api_request *req, struct release_page *page, struct rw_err *err)
{
    struct rw_span value;
    char state[32];
    if (api_query_find(req, "family", &value)) {
        RW_TRY(rw_span_to_str(page->family, sizeof(page->family), value, "'family'", err));
        RW_TRY(ring_policy_check_name(page->family, "'family'", err));
    }
    if (api_query_find(req, "state", &value)) {
        RW_TRY(rw_span_to_str(state, sizeof(state), value, "'state'", err));
        RW_TRY(sm_find(&release_rule_states, state, &page->state, err));
    }
    if (api_query_find(req, "order", &value)) {
        page->newest_first = rw_span_is(value, "newest");
        if (!page->newest_first && !rw_span_is(value, "oldest")) {
            return rw_fail(err, RW_E_SCHEMA, "'order' is neither oldest nor newest");
        }
    }
    if (api_query_find(req, "after", &value)) { RW_TRY(read_cursor(value, &page->after, err)); }
    return api_query_i64(req, "limit", 1, RELEASE_PAGE_MAX, &page->limit, err);
}

static void apply_list(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    struct release_page page = {
        .state = -1, .limit = PAGE_DEFAULT, .published = api_operator_of_tenant(job)};
    struct rw_rc rc = read_page(&job->req, &page, &err);
    if (rw_is_ok(rc)) { rc = release_list(&c->releases, &page, &job->reply.body, &err); }
    api_core_answer(job, rc, &err, 200);
}

static void apply_show(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    struct release_id id;
    struct rw_rc rc = id_of(job, &id, &err);
    if (rw_is_ok(rc)) {
        rc = release_show(&c->releases, &id, api_operator_of_tenant(job), &job->reply.body, &err);
    }
    api_core_answer(job, rc, &err, 200);
}

/* --- the three that move a payload: what is long about them runs aside --- */

struct moving {
    struct release_place at;
    const struct release_publisher *publisher; /* of a publication; borrowed from the core */
};

/* NULL: answered. */
static struct moving *moving_of(struct api_job *job)
{
    return api_core_prepared(job, sizeof(struct moving));
}

/* Goes on aside when rc is success, else answers. */
static void go_aside(struct api_job *job, struct rw_rc rc, const struct rw_err *err,
                     enum api_lane lane, void (*aside)(struct api_job *job))
{
    if (rw_is_ok(rc)) {
        job->aside = aside;
        job->lane = lane;
    } else {
        api_core_answer(job, rc, err, 0);
    }
}

static void open_aside(struct api_job *job)
{
    struct rw_err err;
    const struct moving *m = job->prepared;
    struct rw_rc rc = release_stage_open(&m->at, &job->reply.file_fd, &err);
    job->reply.file_bytes = (uint64_t)m->at.declared.bytes;
    job->reply.content_type = "application/octet-stream";
    api_core_answer(job, rc, &err, 200);
}

static void apply_payload(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    struct release_id id;
    struct moving *m = moving_of(job);
    if (m == NULL) { return; }
    struct rw_rc rc = id_of(job, &id, &err);
    if (rw_is_ok(rc)) {
        rc = release_payload_place(&c->releases, &id, api_operator_of_tenant(job), &m->at, &err);
    }
    go_aside(job, rc, &err, API_LANE_READ, open_aside);
}

static void apply_tosign(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    struct release_id id;
    struct rw_rc rc = api_operator_any_tenant(job, &err);
    if (rw_is_ok(rc)) { rc = id_of(job, &id, &err); }
    if (rw_is_ok(rc)) { rc = release_tosign(&c->releases, &id, &job->reply.body, &err); }
    api_core_answer(job, rc, &err, 200);
}

/* --- changing --- */

static void apply_create(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    struct rw_rc rc = api_operator_any_tenant(job, &err);
    if (rw_is_ok(rc)) {
        rc = release_create(&c->releases, job->req.who.name, job->req.body, &job->reply.body, &err);
    }
    api_core_answer(job, rc, &err, 201);
}

static RW_RC queue_check(struct api_core *c, const struct release_id *id, struct rw_err *err)
{
    struct release_check_job check;
    RW_TRY(release_begin_check(&c->releases, id, &check, err));
    struct rw_rc rc = c->outside.check(c->outside.ctx, &check, err);
    if (rw_is_ok(rc)) { return rc; }
    /* No place for the check: back to draft, and the client is told to send it again (INV-3). */
    struct rw_err second;
    if (!rw_is_ok(api_release_take_verdict(c, id, rw_span_of(NULL, 0), &second))) {
        return rw_fail(err, second.code, "%s", second.text);
    }
    return rc;
}

static void write_aside(struct api_job *job)
{
    struct rw_err err;
    const struct moving *m = job->prepared;
    struct rw_rc rc = release_stage_write(&m->at, job->req.body, &err);
    if (!rw_is_ok(rc)) { api_core_answer(job, rc, &err, 0); }
}

static void take_upload(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    const struct moving *m = job->prepared;
    bool check_wanted = false;
    struct rw_rc rc =
        release_upload_take(&c->releases, &m->at, &check_wanted, &job->reply.body, &err);
    if (rw_is_ok(rc) && check_wanted) { rc = queue_check(c, &m->at.id, &err); }
    api_core_answer(job, rc, &err, 200);
}

static void upload(struct api_core *c, struct api_job *job, enum release_part part)
{
    struct rw_err err;
    struct release_id id;
    struct moving *m = moving_of(job);
    if (m == NULL) { return; }
    struct rw_rc rc = api_operator_any_tenant(job, &err);
    if (rw_is_ok(rc)) { rc = id_of(job, &id, &err); }
    if (rw_is_ok(rc)) { rc = release_upload_place(&c->releases, &id, part, &m->at, &err); }
    job->resume = take_upload;
    go_aside(job, rc, &err, API_LANE_UPLOAD, write_aside);
}

static void apply_upload_payload(void *core, struct api_job *job)
{
    upload(core, job, RELEASE_PAYLOAD);
}

static void apply_upload_samples(void *core, struct api_job *job)
{
    upload(core, job, RELEASE_SAMPLES);
}

static void apply_sign(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    struct release_id id;
    struct rw_rc rc = api_operator_any_tenant(job, &err);
    if (rw_is_ok(rc)) { rc = id_of(job, &id, &err); }
    if (rw_is_ok(rc)) {
        rc = release_sign(&c->releases, &id, job->req.who.name, job->req.body, &job->reply.body,
                          &err);
    }
    if (rw_is_ok(rc)) { log_release("release_signed", job, &id); }
    api_core_answer(job, rc, &err, 200);
}

static void place_aside(struct api_job *job)
{
    struct rw_err err;
    const struct moving *m = job->prepared;
    struct rw_rc rc = m->publisher->place(m->publisher->ctx, &m->at, &err);
    if (!rw_is_ok(rc)) { api_core_answer(job, rc, &err, 0); }
}

static void publish(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    const struct release_id *id = &((const struct moving *)job->prepared)->at.id;
    struct rw_rc rc = release_publish(&c->releases, id, job->req.who.name, &job->reply.body, &err);
    if (rw_is_ok(rc)) {
        c->tick_wanted = true;
        log_release("release_published", job, id);
        release_delta_start(c->releases.repo_dir, id->family);
    }
    api_core_answer(job, rc, &err, 200);
}

static void apply_publish(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    struct release_id id;
    bool wanted = false;
    struct moving *m = moving_of(job);
    if (m == NULL) { return; }
    m->publisher = &c->releases.publisher;
    struct rw_rc rc = api_operator_any_tenant(job, &err);
    if (rw_is_ok(rc)) { rc = api_operator_empty_body(job->req.body, &err); }
    if (rw_is_ok(rc)) { rc = id_of(job, &id, &err); }
    if (rw_is_ok(rc)) {
        rc = release_publish_place(&c->releases, &id, job->req.who.name, &m->at, &wanted, &err);
    }
    if (rw_is_ok(rc) && !wanted) {
        publish(c, job);
        return;
    }
    job->resume = publish;
    go_aside(job, rc, &err, API_LANE_PUBLISH, place_aside);
}

/* A release that is not published yet: nobody can publish it any more. */
static void prepare_abandon(struct api_job *job)
{
    static const char *const known[] = {"reason"};
    struct rw_err err;
    char *reason = api_core_prepared(job, RELEASE_REASON_BYTES);
    RW_AUTO(json_tree) json_tree tree = NULL;
    if (reason == NULL) { return; }
    struct rw_rc rc = json_parse(job->req.body, &json_limits_small, &tree, &err);
    if (rw_is_ok(rc)) { rc = json_only(tree, known, RW_LEN(known), &err); }
    if (rw_is_ok(rc)) { rc = json_get_str(tree, "reason", reason, RELEASE_REASON_BYTES, &err); }
    if (!rw_is_ok(rc)) { api_reply_error(job, &err); }
}

static void apply_abandon(void *core, struct api_job *job)
{
    struct api_core *c = core;
    struct rw_err err;
    struct release_id id;
    struct rw_rc rc = api_operator_any_tenant(job, &err);
    if (rw_is_ok(rc)) { rc = id_of(job, &id, &err); }
    if (rw_is_ok(rc)) {
        rc = release_abandon(&c->releases, &id, job->req.who.name, job->prepared, &job->reply.body,
                             &err);
    }
    if (rw_is_ok(rc)) { log_release("release_abandoned", job, &id); }
    api_core_answer(job, rc, &err, 200);
}

/* --- verdicts --- */

RW_RC api_release_take_verdict(struct api_core *c, const struct release_id *id,
                               struct rw_span verdict, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf object = rw_buf_make(API_REPLY_BYTES_MAX);
    RW_TRY(api_core_heal(c, err));
    return release_record_check(&c->releases, id, verdict, &object, err);
}

static RW_RC resume_one(void *arg, const struct release_check_job *job, struct rw_err *err)
{
    struct api_core *c = arg;
    return c->outside.check(c->outside.ctx, job, err);
}

RW_RC api_release_resume_checks(struct api_core *c, struct rw_err *err)
{
    return release_each_checking(&c->releases, resume_one, c, err);
}

#define RELEASE "/v1/releases/{family}/{number}"

const struct api_route api_release_routes[] = {
    {.method = "GET", .pattern = "/v1/releases", .auth = API_AUTH_VIEWER, .apply = apply_list},
    {.method = "POST",
     .pattern = "/v1/releases",
     .auth = API_AUTH_PUBLISHER,
     .body_bytes_max = CREATE_BODY_BYTES_MAX,
     .controller = true,
     .apply = apply_create},
    {.method = "GET", .pattern = RELEASE, .auth = API_AUTH_VIEWER, .apply = apply_show},
    {.method = "GET",
     .pattern = RELEASE "/payload",
     .auth = API_AUTH_VIEWER,
     .apply = apply_payload},
    {.method = "POST",
     .pattern = RELEASE "/payload",
     .auth = API_AUTH_PUBLISHER,
     .body_bytes_max = RELEASE_FILE_BYTES_MAX,
     .controller = true,
     .apply = apply_upload_payload},
    {.method = "POST",
     .pattern = RELEASE "/samples",
     .auth = API_AUTH_PUBLISHER,
     .body_bytes_max = RELEASE_FILE_BYTES_MAX,
     .controller = true,
     .apply = apply_upload_samples},
    {.method = "GET",
     .pattern = RELEASE "/tosign",
     .auth = API_AUTH_PUBLISHER,
     .apply = apply_tosign},
    {.method = "POST",
     .pattern = RELEASE "/signatures",
     .auth = API_AUTH_PUBLISHER,
     .body_bytes_max = SIGNATURE_BODY_BYTES_MAX,
     .controller = true,
     .apply = apply_sign},
    {.method = "POST",
     .pattern = RELEASE "/publish",
     .auth = API_AUTH_PUBLISHER,
     .body_bytes_max = SMALL_BODY_BYTES,
     .controller = true,
     .apply = apply_publish},
    {.method = "POST",
     .pattern = RELEASE "/abandon",
     .auth = API_AUTH_PUBLISHER,
     .body_bytes_max = SMALL_BODY_BYTES,
     .controller = true,
     .prepare = prepare_abandon,
     .apply = apply_abandon},
};
const size_t api_release_route_count = RW_LEN(api_release_routes);
