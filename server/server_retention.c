#include "server/server_retention.h"

#include "common/base/file.h"
#include "server/api/api_forget.h"
#include "server/prune_refs.h"
#include "server/report/audit_segment.h"
#include "server/report/webhook.h"
#include "server/retention_rule.h"
#include "server/server_prune.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { NOBODY = -1 };

struct server_retention {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    atomic_bool stopping;
    atomic_llong term; /* NOBODY: this node is not the controller */
    const struct server_conf *conf;
    const char *dir;
    struct rw_clock clock;
    struct api_retention state; /* under the lock */
};

static bool is_stopping(void *ctx)
{
    struct server_retention *r = ctx;
    return atomic_load(&r->stopping);
}

/* --- one run --- */

static void note_done(struct server_retention *r, const struct prune_list *list)
{
    (void)pthread_mutex_lock(&r->lock);
    for (enum prune_kind kind = PRUNE_METADATA; kind < PRUNE_STRANGER; kind++) {
        struct server_prune_sum sum = server_prune_sum(list, kind);
        api_retention_add(&r->state, prune_list_kind(kind), (uint64_t)sum.files,
                          (uint64_t)sum.bytes);
    }
    (void)pthread_mutex_unlock(&r->lock);
}

static RW_RC remove_files(struct server_retention *r, struct store *store, struct rw_err *err)
{
    RW_AUTO(prune_list) struct prune_list list = {.at = NULL};
    const struct server_prune_settings settings = {
        .dir = r->dir,
        .store = store,
        .limits = {.now_s = rw_clock_wall(&r->clock).s,
                   .age_s = r->conf->retention_files_ms / 1000,
                   .keep = r->conf->retention_keep},
        .by = "server",
        .stopping = is_stopping,
        .ctx = r};
    RW_TRY(server_prune(&settings, &list, err));
    note_done(r, &list);
    return RW_OK;
}

static bool is_listed(const void *ctx, const uint8_t sha256[static DIGEST_BYTES])
{
    return prune_refs_name(ctx, sha256);
}

static RW_RC remove_records(struct server_retention *r, struct store *store,
                            struct prune_refs *refs, struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd repo = -1;
    char path[SERVER_CONF_PATH_BYTES];
    uint64_t done[API_FORGET_KINDS] = {0};
    RW_TRY(server_conf_path(r->dir, "repo", path, err));
    RW_TRY(rw_dir_open(path, &repo, err));
    RW_TRY(prune_refs_read(repo, refs, err));
    prune_refs_sort(refs);
    const struct api_forget_settings settings = {
        .store = store,
        .limits = {.now_s = rw_clock_wall(&r->clock).s,
                   .age_s = r->conf->retention_records_ms / 1000},
        .listed = is_listed,
        .listed_ctx = refs,
        .stopping = is_stopping,
        .stopping_ctx = r};
    struct rw_rc rc = api_forget_run(&settings, done, err);
    (void)pthread_mutex_lock(&r->lock);
    for (enum api_forget_kind k = 0; k < API_FORGET_KINDS; k++) {
        api_retention_add(&r->state, api_forget_name(k), done[k], 0);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return rc;
}

/* What a webhook has not taken yet stays in the store. */
static RW_RC first_wanted(const struct server_retention *r, struct store *store, int64_t *out,
                          struct rw_err *err)
{
    char folder[SERVER_CONF_PATH_BYTES];
    RW_TRY(server_conf_path(r->dir, "webhooks", folder, err));
    struct webhook_conf *conf = rw_mem_new(sizeof(*conf));
    if (conf == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for webhooks"); }
    struct rw_rc rc = webhook_conf_load(folder, conf, err);
    if (rw_is_ok(rc)) { rc = webhook_first_wanted(store, conf, out, err); }
    webhook_conf_wipe(conf);
    rw_mem_free(conf);
    return rc;
}

static RW_RC move_audit(struct server_retention *r, struct store *store, struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd top = -1;
    RW_AUTO(rw_fd) rw_fd dir = -1;
    int64_t count = 0;
    struct audit_segment_settings s = {.store = store,
                                       .now = rw_clock_wall(&r->clock),
                                       .age_s = r->conf->retention_audit_ms / 1000,
                                       .most = AUDIT_SEGMENT_RECORDS_MAX};
    if (s.age_s == 0) { return RW_OK; }
    RW_TRY(rw_dir_open(r->dir, &top, err));
    RW_TRY(rw_dir_make_at(top, "audit", 0750, &dir, err));
    s.dir = dir;
    RW_TRY(first_wanted(r, store, &s.before, err));
    do {
        RW_TRY(audit_segment_move(&s, &count, err));
        (void)pthread_mutex_lock(&r->lock);
        api_retention_add(&r->state, "audit", (uint64_t)count, 0);
        (void)pthread_mutex_unlock(&r->lock);
    } while (count == s.most && !is_stopping(r));
    return RW_OK;
}

static RW_RC work(struct server_retention *r, int64_t term, struct rw_err *err)
{
    struct store store = {.backend = NULL};
    RW_TRY(server_conf_store(r->conf, r->dir, &store, err));
    store.term = term;
    struct prune_refs refs = {.hashes = NULL};
    struct rw_rc rc = remove_files(r, &store, err);
    if (rw_is_ok(rc)) { rc = remove_records(r, &store, &refs, err); }
    prune_refs_drop(&refs);
    if (rw_is_ok(rc)) { rc = move_audit(r, &store, err); }
    store_close(&store);
    return rc;
}

/* --- the thread --- */

static void note_end(struct server_retention *r, struct rw_rc rc, const struct rw_err *err)
{
    struct rw_log_line l;
    (void)pthread_mutex_lock(&r->lock);
    if (rw_is_ok(rc)) {
        r->state.runs++;
        r->state.last = rw_clock_wall(&r->clock);
        r->state.failure[0] = '\0';
    } else {
        r->state.failures++;
        (void)snprintf(r->state.failure, sizeof(r->state.failure), "%s", err->text);
    }
    (void)pthread_mutex_unlock(&r->lock);
    if (rw_is_ok(rc)) { return; } /* each file that went was told */
    rw_log_begin(&l, RW_LOG_ERROR, "retention_failed");
    rw_log_err(&l, err);
    rw_log_end(&l);
}

static enum retention_outcome turn(struct server_retention *r)
{
    struct rw_err err;
    int64_t term = atomic_load(&r->term);
    if (term == NOBODY) { return RETENTION_FOREIGN; }
    struct rw_rc rc = work(r, term, &err);
    /* Somebody is at work with the files, or another node is controller now: nothing is wrong. */
    if (rc.code == RW_E_BUSY || rc.code == RW_E_STALE) {
        rw_log(RW_LOG_INFO, "retention_later", "text", err.text);
        return RETENTION_LATER;
    }
    note_end(r, rc, &err);
    return rw_is_ok(rc) ? RETENTION_DONE : RETENTION_FAILED;
}

/* False: the thread is to end. */
static bool wait_for(struct server_retention *r, int64_t ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&r->lock);
    while (!is_stopping(r) && pthread_cond_timedwait(&r->changed, &r->lock, &until) == 0) {}
    (void)pthread_mutex_unlock(&r->lock);
    return !is_stopping(r);
}

static void *run(void *arg)
{
    struct server_retention *r = arg;
    int64_t every_ms = r->conf->retention_every_ms;
    enum retention_outcome last = RETENTION_BEGUN;
    while (wait_for(r, retention_rule_wait_ms(every_ms, last))) {
        last = turn(r);
    }
    return NULL;
}

RW_RC server_retention_start(const struct server_conf *conf, const char *dir,
                             struct server_retention **out, struct rw_err *err)
{
    pthread_condattr_t steady;
    *out = NULL;
    if (conf->retention_every_ms == 0) { return RW_OK; }
    struct server_retention *r = rw_mem_new(sizeof(*r));
    if (r == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for retention"); }
    r->conf = conf;
    r->dir = dir;
    r->clock = rw_clock_system();
    r->state.on = true;
    atomic_init(&r->term, NOBODY);
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&r->changed, &steady);
    (void)pthread_condattr_destroy(&steady);
    (void)pthread_mutex_init(&r->lock, NULL);
    int failed = pthread_create(&r->thread, NULL, run, r);
    if (failed != 0) {
        rw_mem_free(r);
        return rw_fail_errno(err, RW_E_PROCESS, failed, "starting the thread of retention");
    }
    *out = r;
    return RW_OK;
}

void server_retention_stop(struct server_retention *r)
{
    if (r == NULL) { return; }
    (void)pthread_mutex_lock(&r->lock);
    atomic_store(&r->stopping, true);
    (void)pthread_cond_signal(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
    (void)pthread_join(r->thread, NULL);
    (void)pthread_cond_destroy(&r->changed);
    (void)pthread_mutex_destroy(&r->lock);
    rw_mem_free(r);
}

void server_retention_allow(struct server_retention *r, bool controls, int64_t term)
{
    if (r != NULL) { atomic_store(&r->term, controls ? term : NOBODY); }
}

void server_retention_state(struct server_retention *r, struct api_retention *out)
{
    *out = (struct api_retention){.on = false};
    if (r == NULL) { return; }
    (void)pthread_mutex_lock(&r->lock);
    *out = r->state;
    (void)pthread_mutex_unlock(&r->lock);
}
