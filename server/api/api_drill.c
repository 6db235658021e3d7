#include "server/api/api_drill.h"

#include "common/base/log.h"
#include "server/api/api_core.h"
#include "server/api/api_operator.h"

enum {
    BODY_BYTES_MAX = 4096,
    REASON_BYTES = 401,
    REACH_MAX = 100000,
    WITHIN_S_MIN = 10,
    WITHIN_S_MAX = 12 * 3600,
};

struct start {
    struct release_id id;
    char ring[RING_POLICY_NAME_BYTES];
    char reason[REASON_BYTES];
    int64_t max;
    int64_t within_s;
};

static RW_RC read_start(struct rw_span body, struct start *out, struct rw_err *err)
{
    static const char *const known[] = {"family", "release", "ring", "max", "within_s", "reason"};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(json_get_str(tree, "family", out->id.family, sizeof(out->id.family), err));
    RW_TRY(ring_policy_check_name(out->id.family, "'family'", err));
    RW_TRY(json_get_int(tree, "release", 1, RELEASE_NUMBER_MAX, &out->id.number, err));
    RW_TRY(json_get_str(tree, "ring", out->ring, sizeof(out->ring), err));
    RW_TRY(ring_policy_check_name(out->ring, "'ring'", err));
    RW_TRY(json_get_int(tree, "max", 1, REACH_MAX, &out->max, err));
    RW_TRY(json_get_int(tree, "within_s", WITHIN_S_MIN, WITHIN_S_MAX, &out->within_s, err));
    RW_TRY(json_get_str(tree, "reason", out->reason, sizeof(out->reason), err));
    if (out->reason[0] != '\0') { return RW_OK; }
    return rw_fail(err, RW_E_SCHEMA, "'reason' is empty; it is kept in the audit log");
}

static void prepare_start(struct api_job *job)
{
    struct rw_err err;
    struct start *s = api_core_prepared(job, sizeof(*s));
    if (s == NULL) { return; }
    if (!rw_is_ok(read_start(job->req.body, s, &err))) { api_reply_error(job, &err); }
}

static RW_RC start(struct api_core *c, struct api_job *job, struct rw_err *err)
{
    const struct start *s = job->prepared;
    struct rw_wall now = rw_clock_wall(&c->clock);
    const struct rollout_run_actor actor = {.name = job->req.who.name, .reason = s->reason};
    const struct rollout_run_reach reach = {
        .ring = s->ring, .max = s->max, .within_s = s->within_s};
    struct rw_log_line l;
    RW_TRY(api_operator_any_tenant(job, err));
    RW_TRY(store_begin(c->store, err));
    struct rw_rc rc =
        rollout_run_drill(c->rollouts, s->id.family, s->id.number, &reach, &actor, now, err);
    RW_TRY(api_core_finish(c, rc, err));
    rw_log_begin(&l, RW_LOG_INFO, "drill_started");
    rw_log_str(&l, "family", s->id.family);
    rw_log_i64(&l, "release", s->id.number);
    rw_log_str(&l, "ring", s->ring);
    rw_log_i64(&l, "max", s->max);
    rw_log_str(&l, "by", job->req.who.name);
    rw_log_end(&l);
    struct json_writer w = json_begin(&job->reply.body);
    const struct rollout_run_look look = {.now = now, .tenant = ""};
    RW_TRY(rollout_run_write(c->rollouts, s->id.family, s->id.number, &look, &w, err));
    return json_done(&w, err);
}

static void apply_start(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = start(core, job, &err);
    api_core_answer(job, rc, &err, 201);
}

static RW_RC write_list(const struct api_core *c, struct api_job *job, struct rw_err *err)
{
    const struct rollout_run_look look = {.now = rw_clock_wall(&c->clock),
                                          .tenant = job->req.who.tenant};
    struct json_writer w = json_begin(&job->reply.body);
    rollout_run_write_drills(c->rollouts, &look, &w);
    return json_done(&w, err);
}

static void apply_list(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = write_list(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

const struct api_route api_drill_routes[] = {
    {.method = "GET", .pattern = "/v1/drills", .auth = API_AUTH_VIEWER, .apply = apply_list},
    {.method = "POST",
     .pattern = "/v1/drills",
     .controller = true,
     .auth = API_AUTH_PUBLISHER,
     .body_bytes_max = BODY_BYTES_MAX,
     .prepare = prepare_start,
     .apply = apply_start},
};
const size_t api_drill_route_count = RW_LEN(api_drill_routes);
