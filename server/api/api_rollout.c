#include "server/api/api_rollout.h"

#include "common/base/log.h"
#include "server/api/api_core.h"
#include "server/api/api_operator.h"
#include "server/api/api_second.h"

#include <stdio.h>

enum { BODY_BYTES_MAX = 4096, REASON_BYTES = 401 };

/* --- bodies --- */

struct start {
    char family[RELEASE_NAME_BYTES];
    int64_t release;
};

static RW_RC read_start(struct rw_span body, struct start *out, struct rw_err *err)
{
    static const char *const known[] = {"family", "release"};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(json_get_str(tree, "family", out->family, sizeof(out->family), err));
    RW_TRY(ring_policy_check_name(out->family, "'family'", err));
    return json_get_int(tree, "release", 1, RELEASE_NUMBER_MAX, &out->release, err);
}

struct steering {
    char reason[REASON_BYTES];
    int64_t generation; /* 0: whatever it is */
};

static RW_RC read_steering(struct rw_span body, struct steering *out, struct rw_err *err)
{
    static const char *const known[] = {"reason", "generation"};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    bool given = json_find(tree, "reason") != NULL;
    if (given) { RW_TRY(json_get_str(tree, "reason", out->reason, sizeof(out->reason), err)); }
    if (out->reason[0] == '\0') {
        RW_IGNORE(rw_fail(err, RW_E_SCHEMA, "'reason' is %s", given ? "empty" : "missing"), "hint");
        return rw_hint(err, "say why in 'reason' (--reason): it is kept in the audit log");
    }
    if (json_find(tree, "generation") == NULL) { return RW_OK; }
    return json_get_int(tree, "generation", 1, RW_JSON_INT_MAX, &out->generation, err);
}

static void prepare_start(struct api_job *job)
{
    struct rw_err err;
    struct start *s = api_core_prepared(job, sizeof(*s));
    if (s == NULL) { return; }
    if (!rw_is_ok(read_start(job->req.body, s, &err))) { api_reply_error(job, &err); }
}

static void prepare_steering(struct api_job *job)
{
    struct rw_err err;
    struct steering *s = api_core_prepared(job, sizeof(*s));
    if (s == NULL) { return; }
    if (!rw_is_ok(read_steering(job->req.body, s, &err))) { api_reply_error(job, &err); }
}

/* --- changes --- */

static struct rollout_run_look look_of(const struct api_core *c, const struct api_job *job)
{
    return (struct rollout_run_look){.now = rw_clock_wall(&c->clock),
                                     .tenant = job->req.who.tenant};
}

static RW_RC write_rollout(const struct api_core *c, struct api_job *job,
                           const struct release_id *id, struct rw_err *err)
{
    const struct rollout_run_look look = look_of(c, job);
    struct json_writer w = json_begin(&job->reply.body);
    RW_TRY(rollout_run_write(c->rollouts, id->family, id->number, &look, &w, err));
    return json_done(&w, err);
}

static void log_change(const char *verb, const struct api_job *job, const struct release_id *id,
                       const char *reason)
{
    struct rw_log_line l;
    char text[RELEASE_KEY_BYTES];
    (void)snprintf(text, sizeof(text), "%s/%lld", id->family, (long long)id->number);
    rw_log_begin(&l, RW_LOG_INFO, "rollout");
    rw_log_str(&l, "verb", verb);
    rw_log_str(&l, "release", text);
    rw_log_str(&l, "by", job->req.who.name);
    rw_log_str(&l, "reason", reason);
    rw_log_end(&l);
}

static RW_RC start_rollout(struct api_core *c, struct api_job *job, struct rw_err *err)
{
    const struct start *s = job->prepared;
    const struct rollout_run_actor actor = {.name = job->req.who.name, .reason = ""};
    struct release_id id = {.number = s->release};
    rw_copy(id.family, sizeof(id.family), s->family, sizeof(s->family));
    RW_TRY(api_operator_any_tenant(job, err));
    RW_TRY(store_begin(c->store, err));
    RW_TRY(api_core_finish(
        c,
        rollout_run_start(c->rollouts, id.family, id.number, &actor, rw_clock_wall(&c->clock), err),
        err));
    log_change("start", job, &id, "");
    return write_rollout(c, job, &id, err);
}

static void apply_start(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = start_rollout(core, job, &err);
    api_core_answer(job, rc, &err, 201);
}

/* Whether the policy in force lets this happen only when a second person confirms it. */
static bool needs_second(const struct api_core *c, enum rollout_rule_command command,
                         enum second_person_verb *verb_out)
{
    if (command != ROLLOUT_PROMOTE && command != ROLLOUT_RESUME) { return false; }
    *verb_out = command == ROLLOUT_PROMOTE ? SECOND_PERSON_PROMOTE : SECOND_PERSON_RESUME;
    return rollout_run_second(c->rollouts)->verbs[*verb_out];
}

/* `verb` is for the log: rollback is halt inside. */
static RW_RC steer(struct api_core *c, struct api_job *job, enum rollout_rule_command command,
                   const char *verb, struct rw_err *err)
{
    const struct steering *s = job->prepared;
    const struct rollout_run_actor actor = {.name = job->req.who.name, .reason = s->reason};
    struct release_id id;
    RW_TRY(api_operator_any_tenant(job, err));
    RW_TRY(release_id_parse(job->req.params[0], job->req.params[1], &id, err));
    struct api_second_wish wish = {.id = &id, .reason = s->reason, .generation = s->generation};
    if (needs_second(c, command, &wish.verb)) { return api_second_ask(c, job, &wish, err); }
    RW_TRY(store_begin(c->store, err));
    RW_TRY(
        api_core_finish(c,
                        rollout_run_command(c->rollouts, id.family, id.number, command,
                                            s->generation, &actor, rw_clock_wall(&c->clock), err),
                        err));
    log_change(verb, job, &id, s->reason);
    return write_rollout(c, job, &id, err);
}

static void apply_command(void *core, struct api_job *job, enum rollout_rule_command command,
                          const char *verb)
{
    struct rw_err err;
    struct rw_rc rc = steer(core, job, command, verb, &err);
    api_core_answer(job, rc, &err, 200);
}

static void apply_pause(void *core, struct api_job *job)
{
    apply_command(core, job, ROLLOUT_PAUSE, "pause");
}

static void apply_resume(void *core, struct api_job *job)
{
    apply_command(core, job, ROLLOUT_RESUME, "resume");
}

static void apply_promote(void *core, struct api_job *job)
{
    apply_command(core, job, ROLLOUT_PROMOTE, "promote");
}

static void apply_halt(void *core, struct api_job *job)
{
    apply_command(core, job, ROLLOUT_HALT, "halt");
}

static void apply_rollback(void *core, struct api_job *job)
{
    apply_command(core, job, ROLLOUT_HALT, "rollback");
}

/* --- views --- */

static RW_RC write_list(const struct api_core *c, struct api_job *job, struct rw_err *err)
{
    const struct rollout_run_look look = look_of(c, job);
    struct json_writer w = json_begin(&job->reply.body);
    rollout_run_write_all(c->rollouts, &look, &w);
    return json_done(&w, err);
}

static void apply_list(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = write_list(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

static void apply_show(void *core, struct api_job *job)
{
    struct rw_err err;
    struct release_id id;
    struct rw_rc rc = release_id_parse(job->req.params[0], job->req.params[1], &id, &err);
    if (rw_is_ok(rc)) { rc = write_rollout(core, job, &id, &err); }
    api_core_answer(job, rc, &err, 200);
}

/* Evidence is kept per cohort and judged by tenant: none of it is one tenant's (INV-11). */
static RW_RC write_explain(const struct api_core *c, struct api_job *job, struct rw_err *err)
{
    struct release_id id;
    RW_TRY(api_operator_any_tenant(job, err));
    RW_TRY(release_id_parse(job->req.params[0], job->req.params[1], &id, err));
    struct json_writer w = json_begin(&job->reply.body);
    RW_TRY(rollout_run_explain(c->rollouts, id.family, id.number, &w, err));
    return json_done(&w, err);
}

static void apply_explain(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = write_explain(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

#define ROLLOUT "/v1/rollouts/{family}/{number}"
#define STEER(verb, parse, change)                                                                 \
    {                                                                                              \
        .method = "POST", .pattern = ROLLOUT "/" verb, .auth = API_AUTH_OPERATOR,                  \
        .body_bytes_max = BODY_BYTES_MAX, .prepare = (parse), .apply = (change)                    \
    }

const struct api_route api_rollout_routes[] = {
    {.method = "GET", .pattern = "/v1/rollouts", .auth = API_AUTH_VIEWER, .apply = apply_list},
    {.method = "POST",
     .pattern = "/v1/rollouts",
     .auth = API_AUTH_PUBLISHER,
     .body_bytes_max = BODY_BYTES_MAX,
     .controller = true,
     .prepare = prepare_start,
     .apply = apply_start},
    {.method = "GET", .pattern = ROLLOUT, .auth = API_AUTH_VIEWER, .apply = apply_show},
    {.method = "GET",
     .pattern = ROLLOUT "/explain",
     .auth = API_AUTH_VIEWER,
     .apply = apply_explain},
    STEER("pause", prepare_steering, apply_pause),
    STEER("resume", prepare_steering, apply_resume),
    STEER("promote", prepare_steering, apply_promote),
    STEER("halt", prepare_steering, apply_halt),
    STEER("rollback", prepare_steering, apply_rollback),
};
const size_t api_rollout_route_count = RW_LEN(api_rollout_routes);
