/* api_operator_rig.h: the operator routes over a real store and fleet, with a scripted controller.
 *
 * memory   statics of one test program
 * threads  one thread
 * source   tests/unit/api_operator_test.c, api_second_test.c
 */
#ifndef API_OPERATOR_RIG_H
#define API_OPERATOR_RIG_H

#include "server/api/api_core.h"
#include "server/api/api_routes.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"
#include "tests/unit/rollout_run_still.h"

/* --- the controller, scripted: a change writes one document --- */
static struct store store;
static enum rw_code refusal;
static enum rollout_rule_command commanded;
static char reason_seen[64];
static char actor_seen[API_NAME_BYTES];
static int64_t generation_seen;
static struct second_person second;
static int64_t generation_now;

static RW_RC change(const struct rollout_run_actor *actor, struct rw_err *err)
{
    struct store_doc doc = {.id = "yara/2", .generation = 1, .body = rw_span_str("{}")};
    (void)snprintf(reason_seen, sizeof(reason_seen), "%s", actor->reason);
    (void)snprintf(actor_seen, sizeof(actor_seen), "%s", actor->name);
    RW_TRY(store_doc_put(&store, "rollout", &doc, err));
    return refusal == RW_E_NONE ? RW_OK : rw_fail(err, refusal, "refused");
}

RW_RC rollout_run_start(struct rollout_run *r, const char *family, int64_t release,
                        const struct rollout_run_actor *actor, struct rw_wall now,
                        struct rw_err *err)
{
    (void)r;
    (void)now;
    assert_string_equal(family, "yara");
    assert_int_equal(release, 2);
    return change(actor, err);
}

RW_RC rollout_run_drill(struct rollout_run *r, const char *family, int64_t release,
                        const struct rollout_run_reach *reach,
                        const struct rollout_run_actor *actor, struct rw_wall now,
                        struct rw_err *err)
{
    (void)r;
    (void)now;
    assert_string_equal(family, "yara");
    assert_int_equal(release, 2);
    assert_string_equal(reach->ring, "internal");
    assert_int_equal(reach->max, 4);
    return change(actor, err);
}

void rollout_run_write_drills(const struct rollout_run *r, const struct rollout_run_look *look,
                              struct json_writer *w)
{
    (void)r;
    (void)look;
    json_open_object(w, NULL);
    json_close_object(w);
}

RW_RC rollout_run_command(struct rollout_run *r, const char *family, int64_t release,
                          enum rollout_rule_command command, int64_t generation,
                          const struct rollout_run_actor *actor, struct rw_wall now,
                          struct rw_err *err)
{
    (void)r;
    (void)now;
    assert_string_equal(family, "yara");
    assert_int_equal(release, 2);
    commanded = command;
    generation_seen = generation;
    return change(actor, err);
}

const struct second_person *rollout_run_second(const struct rollout_run *r)
{
    (void)r;
    return &second;
}

RW_RC rollout_run_generation(const struct rollout_run *r, const char *family, int64_t release,
                             int64_t *out, struct rw_err *err)
{
    (void)r;
    (void)family;
    (void)release;
    *out = generation_now;
    return generation_now > 0 ? RW_OK : rw_fail(err, RW_E_NOT_FOUND, "no rollout");
}

RW_RC rollout_run_write(const struct rollout_run *r, const char *family, int64_t release,
                        const struct rollout_run_look *look, struct json_writer *w,
                        struct rw_err *err)
{
    (void)r;
    (void)family;
    (void)release;
    (void)look;
    (void)err;
    json_open_object(w, NULL);
    json_put_str(w, "state", "held");
    json_close_object(w);
    return RW_OK;
}

void rollout_run_write_all(const struct rollout_run *r, const struct rollout_run_look *look,
                           struct json_writer *w)
{
    (void)r;
    (void)look;
    json_open_object(w, NULL);
    json_open_array(w, "rollouts");
    json_close_array(w);
    json_close_object(w);
}

RW_RC rollout_run_explain(const struct rollout_run *r, const char *family, int64_t release,
                          struct json_writer *w, struct rw_err *err)
{
    (void)w;
    (void)r;
    return rw_fail(err, RW_E_NOT_FOUND, "no rollout %s/%lld", family, (long long)release);
}

void rollout_run_write_alarms(const struct rollout_run *r, struct json_writer *w)
{
    (void)r;
    json_put_str(w, NULL, "signing failed");
}

RW_RC rollout_run_metrics(const struct rollout_run *r, struct rw_buf *into, struct rw_err *err)
{
    (void)r;
    return rw_buf_append_str(into, "rollout_sample 1\n", err);
}

RW_RC rollout_run_open(struct store *s, struct fleet_state *fleet, const struct ring_policy *policy,
                       struct rollout_run_effects effects, struct rollout_run **out,
                       struct rw_err *err)
{
    (void)s;
    (void)fleet;
    (void)policy;
    (void)effects;
    (void)out;
    return rw_fail(err, RW_E_STORE, "not opened here");
}

void rollout_run_drop(struct rollout_run **r)
{
    *r = NULL;
}

RW_RC rollout_run_tick(struct rollout_run *r, struct rw_wall now, struct rw_err *err)
{
    (void)r;
    (void)now;
    return rw_fail(err, RW_E_STORE, "no turn here");
}

RW_RC rollout_run_permit(struct rollout_run *r, const struct fleet_who *who,
                         const struct beacon_permit_request *request, struct rw_wall now,
                         struct beacon_permit_answer *answer_out, struct rw_err *err)
{
    (void)r;
    (void)who;
    (void)request;
    (void)now;
    (void)answer_out;
    return rw_fail(err, RW_E_FULL, "not asked for here");
}

int64_t rollout_run_poll_s(const struct rollout_run *r, const char *ring, const char *family)
{
    (void)r;
    (void)ring;
    (void)family;
    return 0;
}

/* --- a store whose commit can be made to fail --- */
static const struct store_backend *real_backend;
static bool commit_fails;

static RW_RC commit(void *ctx, struct rw_err *err)
{
    if (commit_fails) { return rw_fail(err, RW_E_FULL, "no space left"); }
    return real_backend->commit(ctx, err);
}

static struct store_backend wrapped;
static struct fleet_state *fleet;
static struct api_core core;

static int set_up(void **state)
{
    struct rw_err err;
    (void)state;
    MUST(store_sqlite_open(":memory:", &store, &err));
    real_backend = store.backend;
    wrapped = *real_backend;
    wrapped.commit = commit;
    store.backend = &wrapped;
    MUST(fleet_state_open(&store, &fleet, &err));
    refusal = RW_E_NONE;
    commit_fails = false;
    commanded = ROLLOUT_NO_COMMAND;
    second = (struct second_person){.within_s = 900};
    generation_now = 7;
    core = (struct api_core){.store = &store, .fleet = fleet, .clock = rw_clock_system()};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fleet_state_drop(&fleet);
    store_close(&store);
    return 0;
}

static const struct api_route *find(const char *method, const char *pattern)
{
    size_t count = 0;
    const struct api_route *all = api_routes(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(all[i].method, method) == 0 && strcmp(all[i].pattern, pattern) == 0) {
            return &all[i];
        }
    }
    return NULL;
}

static struct api_job job_for(const char *method, const char *pattern, const char *body)
{
    struct api_job job = api_job_make();
    job.route = find(method, pattern);
    assert_non_null(job.route);
    job.req.body = rw_span_str(body);
    job.req.params[0] = rw_span_str("yara");
    job.req.params[1] = rw_span_str("2");
    (void)snprintf(job.req.who.name, sizeof(job.req.who.name), "alice");
    if (job.route->prepare != NULL) { job.route->prepare(&job); }
    return job;
}

static int run(struct api_job *job)
{
    if (job->reply.status == 0) { job->route->apply(&core, job); }
    return job->reply.status;
}

#define RELEASE "/v1/releases/{family}/{number}"
#define ORDER   "/v1/orders/{kind}/{family}/{number}"
#define ROLLOUT "/v1/rollouts/{family}/{number}"
#define SECOND  "/v1/second/{verb}/{family}/{number}"

#endif
