#include "server/server_core.h"

#include "common/base/log.h"
#include "server/api/api_alarm.h"
#include "server/api/api_fold.h"
#include "server/api/api_release.h"
#include "server/api/api_token.h"
#include "server/api/api_verdict.h"

#include <pthread.h>
#include <stdatomic.h>

enum { TICK_MS = 1000, SIGNER_RETRY_MS = 5000 };

struct server_core {
    struct api_core *api;
    struct api_queue *queue;
    struct server_check *check;
    struct api_aside *aside;
    struct server_retention *retention;
    int64_t renew_ms;
    bool (*signer_lost)(void *ctx);
    bool (*told)(void *ctx);
    void *ctx;
    pthread_t thread;
    atomic_bool stopping;
    atomic_bool reload;
    /* --- the thread's own --- */
    struct rw_mono next_tick;
    struct rw_mono next_renew;
    struct api_verdict verdict;
};

static void log_failure(const char *event, const struct rw_err *err)
{
    struct rw_log_line l;
    rw_log_begin(&l, RW_LOG_ERROR, event);
    rw_log_err(&l, err);
    rw_log_end(&l);
}

static bool next_verdict(void *ctx, struct release_id *id_out, struct rw_buf *text)
{
    return server_check_take(ctx, id_out, text);
}

static void reload(struct server_core *s)
{
    struct rw_err err;
    size_t count = 0;
    struct rw_log_line l;
    if (rw_is_ok(api_token_load(s->api->store, s->api->auth, rw_clock_wall(&s->api->clock), &count,
                                &err))) {
        rw_log_begin(&l, RW_LOG_INFO, "tokens_loaded");
        rw_log_i64(&l, "count", (int64_t)count);
        rw_log_end(&l);
    } else {
        log_failure("tokens_kept", &err);
    }
    s->next_renew.ms = 0;
}

static void resume_checks(struct server_core *s)
{
    struct rw_err err;
    if (!rw_is_ok(api_release_resume_checks(s->api, &err))) { log_failure("checks_lost", &err); }
}

/* A node that became controller goes on where the one before it stopped: signatures at once, checks from the start. */
static bool take_over(struct server_core *s)
{
    struct api_node *n = s->api->node;
    if (n == NULL || !n->took_over) { return false; }
    n->took_over = false;
    resume_checks(s);
    webhook_again(s->api->webhook);
    s->api->tick_wanted = true; /* what could not be signed a moment ago */
    return true;
}

static void housekeeping(struct server_core *s)
{
    struct rw_mono now = rw_clock_mono(&s->api->clock);
    /* A signer that went is looked for at once: /readyz must not say for a minute that all is well. */
    bool lost = s->api->signer_answers && s->signer_lost(s->ctx);
    bool wanted = take_over(s) || s->api->renew_wanted;
    s->api->renew_wanted = false;
    if (lost || wanted || now.ms >= s->next_renew.ms) {
        api_core_renew(s->api);
        if (api_node_controls(s->api)) { api_alarm_record(s->api); }
        bool retry =
            api_node_controls(s->api) && !s->api->signer_answers && s->renew_ms > SIGNER_RETRY_MS;
        int64_t retry_ms = s->api->node == NULL ? SIGNER_RETRY_MS : TICK_MS;
        s->next_renew.ms = now.ms + (retry ? retry_ms : s->renew_ms);
    }
    bool told = s->told(s->ctx);
    if (s->api->tick_wanted || now.ms >= s->next_tick.ms) {
        api_core_tick(s->api);
        s->next_tick.ms = now.ms + TICK_MS;
        told = true;
    }
    server_retention_allow(s->retention, api_node_controls(s->api), s->api->store->term);
    if (told && api_node_controls(s->api)) { api_core_tell(s->api); }
}

static void *run(void *arg)
{
    struct server_core *s = arg;
    if (s->api->node == NULL) { resume_checks(s); }
    for (;;) {
        housekeeping(s);
        int64_t wait_ms = s->next_tick.ms - rw_clock_mono(&s->api->clock).ms;
        int64_t fold_ms = api_fold_wait_ms(s->api);
        if (fold_ms >= 0 && fold_ms < wait_ms) { wait_ms = fold_ms; }
        bool stopping = atomic_load(&s->stopping);
        struct api_job *jobs = api_queue_take(s->queue, stopping ? 0 : wait_ms);
        if (jobs == NULL && stopping && !api_aside_end(s->aside)) { break; }
        api_core_run(s->api, jobs);
        api_fold_go_on(s->api);
        api_verdict_take(&s->verdict, s->api, next_verdict, s->check);
        if (atomic_exchange(&s->reload, false)) { reload(s); }
    }
    api_fold_last(s->api);
    return NULL;
}

RW_RC server_core_start(const struct server_core_settings *settings, struct server_core **out,
                        struct rw_err *err)
{
    struct server_core *s = rw_mem_new(sizeof(*s));
    if (s == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the core thread"); }
    s->api = settings->api;
    s->queue = settings->queue;
    s->check = settings->check;
    s->aside = settings->aside;
    s->retention = settings->retention;
    s->renew_ms = settings->renew_ms;
    s->signer_lost = settings->signer_lost;
    s->told = settings->told;
    s->ctx = settings->ctx;
    s->verdict.text = rw_buf_make(RELEASE_VERDICT_BYTES_MAX);
    int failed = pthread_create(&s->thread, NULL, run, s);
    if (failed != 0) {
        rw_mem_free(s);
        return rw_fail_errno(err, RW_E_PROCESS, failed, "starting the core thread");
    }
    *out = s;
    return RW_OK;
}

void server_core_reload(struct server_core *s)
{
    atomic_store(&s->reload, true);
    api_queue_wake(s->queue);
}

void server_core_stop(struct server_core *s)
{
    if (s == NULL) { return; }
    atomic_store(&s->stopping, true);
    api_queue_wake(s->queue);
    (void)pthread_join(s->thread, NULL);
    rw_buf_drop(&s->verdict.text);
    rw_mem_free(s);
}
