#include "server/api/api_core.h"

#include "common/base/log.h"
#include "server/api/api_fold.h"
#include "server/health/fleet_permit.h"

#include <stdio.h>
#include <string.h>

enum { BATCH_RETRY_MS = 1000, FORGET_MS = 60000 };

/* --- the rollouts and what they need from outside --- */

static RW_RC point(void *ctx, const char *ring, const char *family, int64_t release, bool hold,
                   struct rw_err *err)
{
    struct api_core *c = ctx;
    return c->outside.point(c->outside.ctx, ring, family, release, hold, err);
}

/* INV-12: whichever call of trust read another policy, and whatever failed behind it. */
static void follow_policy(struct api_core *c)
{
    uint64_t serial = api_trust_policy_serial(c->trust);
    if (c->rollouts == NULL || c->policy_serial == serial) { return; }
    rollout_run_set_policy(c->rollouts, api_trust_policy(c->trust));
    c->policy_serial = serial;
    rw_log(RW_LOG_INFO, "policy_changed", NULL, NULL);
}

static RW_RC expedited(void *ctx, const char *family, int64_t release, struct rw_wall now,
                       struct rw_wall out[static RING_POLICY_RINGS_MAX], struct rw_err *err)
{
    struct api_core *c = ctx;
    struct rw_rc rc = api_trust_expedited(c->trust, family, release, now, out, err);
    follow_policy(c); /* the times are in its order of rings */
    return rc;
}

static RW_RC release_sha256(void *ctx, const char *family, int64_t release,
                            uint8_t sha256_out[static DIGEST_BYTES], struct rw_err *err)
{
    struct api_core *c = ctx;
    return api_trust_release_sha256(c->trust, family, release, sha256_out, err);
}

static bool gone(void *ctx, const char *family, int64_t release)
{
    const struct api_core *c = ctx;
    return api_trust_gone(c->trust, family, release);
}

static RW_RC is_drill(void *ctx, const char *family, int64_t release, bool *out, struct rw_err *err)
{
    struct api_core *c = ctx;
    return api_trust_drill(c->trust, family, release, out, err);
}

static RW_RC release_info(void *ctx, const char *family, int64_t release,
                          char class_out[static RING_POLICY_NAME_BYTES],
                          struct rw_wall not_before[static RING_POLICY_RINGS_MAX],
                          struct rw_err *err)
{
    struct api_core *c = ctx;
    struct rw_rc rc = api_trust_release(c->trust, family, release, class_out, not_before, err);
    follow_policy(c); /* the times are in its order of rings */
    if (rc.code != RW_E_NOT_FOUND) { return rc; }
    RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "%s/%lld is not published", family, (long long)release),
              "a hint follows");
    return rw_hint(err, "what it lacks: ringward release show %s/%lld", family, (long long)release);
}

RW_RC api_core_begin(struct api_core *c, struct rw_err *err)
{
    const struct rollout_run_effects effects = {.point = point,
                                                .release_info = release_info,
                                                .release_sha256 = release_sha256,
                                                .expedited = expedited,
                                                .gone = gone,
                                                .is_drill = is_drill,
                                                .ctx = c};
    const struct ring_policy *policy = api_trust_policy(c->trust);
    if (policy == NULL) { return rw_fail(err, RW_E_POLICY, "no verified policy is in force"); }
    RW_TRY(rollout_run_open(c->store, c->fleet, policy, effects, &c->rollouts, err));
    c->policy_serial = api_trust_policy_serial(c->trust);
    return RW_OK;
}

void api_core_end(struct api_core *c)
{
    rollout_run_drop(&c->rollouts);
    api_cache_drop(&c->metrics);
}

RW_RC api_core_heal(struct api_core *c, struct rw_err *err)
{
    RW_TRY(api_node_settle(c, err));
    if (!c->fleet_stale && !c->rollouts_stale) { return RW_OK; }
    if (c->node != NULL && c->rollouts_stale) { /* what is changed behind this look is followed */
        RW_TRY(store_look(c->store, err));
        c->node->change = c->store->now.change;
    }
    release_index_forget(c->releases.index);
    if (c->fleet_stale) { RW_TRY(fleet_state_reload(c->fleet, err)); }
    c->fleet_stale = false;
    if (c->rollouts_stale) {
        rollout_run_drop(&c->rollouts);
        RW_TRY(api_core_begin(c, err)); /* permits stay closed until the next tick (INV-3) */
        c->tick_wanted = true;
    }
    c->rollouts_stale = false;
    c->stats.reloads++;
    rw_log(RW_LOG_WARN, "state_reloaded", NULL, NULL);
    return RW_OK;
}

/* --- answers --- */

static bool is_ours(enum rw_code code)
{
    return rw_code_http_status(code) >= 500;
}

static void log_failure(const char *event, const struct rw_err *err)
{
    struct rw_log_line l;
    rw_log_begin(&l, RW_LOG_ERROR, event);
    rw_log_err(&l, err);
    rw_log_end(&l);
}

void api_core_answer(struct api_job *job, struct rw_rc rc, const struct rw_err *err, int status)
{
    if (rw_is_ok(rc)) {
        job->reply.status = status;
        return;
    }
    api_reply_error(job, err);
    if (is_ours(err->code)) { log_failure("request_failed", err); }
}

void *api_core_prepared(struct api_job *job, size_t bytes)
{
    struct rw_err err;
    job->prepared = rw_mem_new(bytes);
    job->prepared_drop = rw_mem_free;
    if (job->prepared == NULL) {
        RW_IGNORE(rw_fail(&err, RW_E_NOMEM, "no memory for a request"), "it is the answer");
        api_reply_error(job, &err);
    }
    return job->prepared;
}

RW_RC api_core_finish(struct api_core *c, struct rw_rc done, struct rw_err *err)
{
    if (!rw_is_ok(done)) {
        store_rollback(c->store);
        c->rollouts_stale = is_ours(done.code);
        return done;
    }
    /* What the change recorded of the fleet belongs to the same transaction. */
    struct rw_rc rc = fleet_state_flush(c->fleet, err);
    if (rw_is_ok(rc)) { rc = store_commit(c->store, err); }
    if (!rw_is_ok(rc)) {
        store_rollback(c->store);
        c->fleet_stale = c->rollouts_stale = true;
    }
    c->tick_wanted = true;
    return rc;
}

/* Keeps a failure as alarm and logs it when it is new; "" clears it. */
static void note(char alarm[static RW_ERR_TEXT_BYTES], const char *event, struct rw_rc rc,
                 const struct rw_err *err)
{
    if (rw_is_ok(rc)) {
        if (alarm[0] != '\0') { rw_log(RW_LOG_INFO, event, "state", "works again"); }
        alarm[0] = '\0';
        return;
    }
    if (strcmp(alarm, err->text) == 0) { return; }
    (void)snprintf(alarm, RW_ERR_TEXT_BYTES, "%s", err->text);
    log_failure(event, err);
}

/* --- batches --- */

/* Cuts the chain behind the jobs that go together: a run of batched ones, or one other. Gives the rest. */
static struct api_job *cut(struct api_job *jobs)
{
    struct api_job *last = jobs;
    while (jobs->route->batched && last->next != NULL && last->next->route->batched) {
        last = last->next;
    }
    struct api_job *rest = last->next;
    last->next = NULL;
    return rest;
}

/* Endpoints are no business of the controller alone: their records carry no term. */
static RW_RC begin_for_endpoints(struct api_core *c, struct rw_err *err)
{
    int64_t term = c->store->term;
    c->store->term = 0;
    struct rw_rc rc = store_begin(c->store, err);
    c->store->term = term;
    return rc;
}

static RW_RC commit_batch(struct api_core *c, struct api_job *batch, struct rw_err *err)
{
    if (rw_clock_mono(&c->clock).ms < c->batch_retry.ms) {
        return rw_fail(err, RW_E_STORE, "%s", c->store_alarm);
    }
    RW_TRY(api_core_heal(c, err));
    RW_TRY(begin_for_endpoints(c, err));
    struct rw_rc rc = api_node_settle(c, err);
    if (!rw_is_ok(rc)) {
        store_rollback(c->store);
        return rc;
    }
    for (const struct api_job *job = batch; job != NULL; job = job->next) {
        fleet_state_expect(c->fleet, job->req.who.endpoint);
    }
    for (struct api_job *job = batch; job != NULL; job = job->next) {
        job->route->apply(c, job);
    }
    rc = fleet_state_flush(c->fleet, err);
    if (rw_is_ok(rc)) { rc = store_commit(c->store, err); }
    if (!rw_is_ok(rc)) {
        store_rollback(c->store);
        c->fleet_stale = c->rollouts_stale = true; /* memory is ahead of the truth */
    }
    return rc;
}

/* INV-2, INV-8: what the handlers answered was not kept, so none of it may leave. Endpoints are told no more than that:
 * the error may name hosts, users and paths, and stands in the log and in the alarms. */
static void refuse_batch(struct api_core *c, struct api_job *batch, const struct rw_err *why)
{
    struct rw_err err;
    enum rw_code code = rw_code_http_status(why->code) == 503 ? why->code : RW_E_STORE;
    RW_IGNORE(rw_fail(&err, code, "the server cannot keep anything now: nothing was done"), "hint");
    RW_IGNORE(rw_hint(&err, "send it again later (Retry-After)"), "it is the answer");
    for (struct api_job *job = batch; job != NULL; job = job->next) {
        api_reply_error(job, &err);
    }
    c->stats.commit_failures++;
}

static void run_batch(struct api_core *c, struct api_job *batch)
{
    struct rw_err err;
    struct rw_rc rc = commit_batch(c, batch, &err);
    note(c->store_alarm, "store", rc, &err);
    if (rw_is_ok(rc)) {
        c->stats.batches++;
    } else {
        refuse_batch(c, batch, &err);
    }
    if (c->fleet_stale) {
        c->batch_retry.ms = rw_clock_mono(&c->clock).ms + BATCH_RETRY_MS;
        if (!rw_is_ok(api_core_heal(c, &err))) { log_failure("reload_failed", &err); }
    }
    for (struct api_job *job = batch; job != NULL; job = job->next) {
        c->stats.batched_jobs++;
    }
}

static void run_alone(struct api_core *c, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = job->route->probe ? RW_OK : api_core_heal(c, &err);
    if (rw_is_ok(rc) && job->route->controller) { rc = api_node_must_control(c, &err); }
    if (rw_is_ok(rc)) {
        void (*step)(void *core, struct api_job *job) =
            job->resume != NULL ? job->resume : job->route->apply;
        step(c, job);
    } else {
        api_core_answer(job, rc, &err, 0);
    }
    RW_ASSERT(!c->store->in_transaction); /* a handler ends what it began */
}

/* True: the job is somebody else's now. */
static bool hand_on(const struct api_core *c, struct api_job *job)
{
    struct rw_err err;
    if (job->reply.status != 0 || job->aside == NULL) { return false; }
    struct rw_rc rc = c->outside.aside(c->outside.ctx, job, &err);
    if (rw_is_ok(rc)) { return true; }
    api_core_answer(job, rc, &err, 0);
    return false;
}

static void answer(struct api_job *jobs)
{
    for (const struct api_job *job = jobs; job != NULL; job = job->next) {
        RW_ASSERT(job->reply.status != 0);
    }
    api_job_done_all(jobs);
}

void api_core_run(struct api_core *c, struct api_job *jobs)
{
    while (jobs != NULL) {
        struct api_job *rest = cut(jobs);
        for (const struct api_job *job = jobs; job != NULL; job = job->next) {
            if (job->resume == NULL) { c->stats.jobs++; } /* one that comes back was counted */
        }
        if (jobs->route->batched) {
            run_batch(c, jobs);
        } else {
            run_alone(c, jobs);
        }
        if (!hand_on(c, jobs)) { answer(jobs); }
        jobs = rest;
    }
}

/* --- the tick --- */

/* A few at a time, so that nobody waits for it. */
static RW_RC forget(struct api_core *c, struct rw_err *err)
{
    struct rw_mono now = rw_clock_mono(&c->clock);
    size_t count = 0;
    if (c->forget_s == 0 || now.ms < c->next_forget.ms) { return RW_OK; }
    c->next_forget.ms = now.ms + FORGET_MS;
    RW_TRY(rollout_run_forget(c->rollouts, c->forget_s, &count, err));
    c->stats.forgotten += count;
    return RW_OK;
}

static RW_RC turn(struct api_core *c, struct rw_err *err)
{
    struct rw_wall now = rw_clock_wall(&c->clock);
    struct rw_rc rc = api_core_heal(c, err);
    if (!rw_is_ok(rc)) {
        api_node_leave(c, err->text); /* the heir needs the signer, however long this lasts */
        return rc;
    }
    follow_policy(c);
    RW_TRY(api_node_turn(c, err));
    if (!api_node_controls(c)) { return rollout_run_follow(c->rollouts, now, err); }
    RW_TRY(
        rollout_run_tick(c->rollouts, now, err)); /* after a failure it has loaded anew by itself */
    RW_TRY(api_fold_turn(c, err));
    return forget(c, err);
}

void api_core_tick(struct api_core *c)
{
    struct rw_err err;
    c->tick_wanted = false;
    struct rw_rc rc = turn(c, &err);
    if (rc.code == RW_E_STALE && c->node != NULL) {
        /* Another node wrote in between, or is controller now: read and look again. */
        c->fleet_stale = c->rollouts_stale = c->tick_wanted = true;
        c->stats.tick_failures++;
        return;
    }
    note(c->tick_alarm, "tick", rc, &err);
    if (rw_is_ok(rc)) {
        c->ticked = true;
    } else {
        c->stats.tick_failures++;
    }
}

void api_core_tell(struct api_core *c)
{
    struct rw_err err;
    if (c->webhook == NULL) { return; }
    struct rw_rc rc = webhook_turn(c->webhook, &c->clock, &err);
    note(c->tell_alarm, "webhooks", rc, &err);
}

static void renew_signatures(struct api_core *c, struct rw_wall now)
{
    struct rw_err err;
    bool renewed = false;
    struct rw_rc rc = c->outside.renew(c->outside.ctx, now, &renewed, &err);
    note(c->signer_alarm, "signer", rc, &err);
    c->signer_answers = rw_is_ok(rc);
    if (renewed) { rw_log(RW_LOG_INFO, "metadata_renewed", NULL, NULL); }
}

void api_core_renew(struct api_core *c)
{
    struct rw_err err;
    struct rw_wall now = rw_clock_wall(&c->clock);
    if (api_node_controls(c)) { renew_signatures(c, now); }
    if (!rw_is_ok(api_trust_refresh(c->trust, now, &err))) { log_failure("trust_refresh", &err); }
    follow_policy(c);
}

struct api_certificate api_core_certificate(const struct api_core *c)
{
    struct api_certificate certificate = {.tls = false};
    if (c->outside.certificate != NULL) { c->outside.certificate(c->outside.ctx, &certificate); }
    return certificate;
}

struct api_retention api_core_retention(const struct api_core *c)
{
    struct api_retention retention = {.on = false};
    if (c->outside.retention != NULL) { c->outside.retention(c->outside.ctx, &retention); }
    return retention;
}

bool api_core_ready(const struct api_core *c, const char **why_out)
{
    /* A failed batch counts while none is tried: later only the next one can tell, and it must get here. */
    bool refusing = rw_clock_mono(&c->clock).ms < c->batch_retry.ms;
    /* Anybody may ask: what failed is in the log and in the alarms of /v1/status, with names of hosts and users. */
    *why_out = c->fleet_stale || c->rollouts_stale          ? "the store does not answer"
               : !c->ticked                                 ? "the controller has not run yet"
               : refusing                                   ? "the store keeps no changes"
               : c->tick_alarm[0] != '\0'                   ? "the controller's last turn failed"
               : !c->signer_answers && api_node_controls(c) ? "the signer does not answer"
                                                            : NULL;
    return *why_out == NULL;
}
