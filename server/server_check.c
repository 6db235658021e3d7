#include "server/server_check.h"

#include "common/base/log.h"
#include "common/box/box_run.h"
#include "common/box/content_type.h"
#include "server/server_conf.h"

#include <pthread.h>
#include <stdio.h>

struct check {
    struct release_check_job job;
    struct rw_buf verdict;
    struct check *next;
};

struct check_list {
    struct check *first;
    struct check **last;
    size_t count;
};

struct server_check {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    struct check_list waiting;
    struct check_list finished;
    bool stopping;
    bool ended; /* the thread uses nothing of ours any more */
    void (*wake)(void *ctx);
    void *ctx;
    int64_t clean_files;
    int64_t wall_ms;
    char staging_dir[SERVER_CONF_PATH_BYTES];
    char box_dir[SERVER_CONF_PATH_BYTES];
};

static void list_put(struct check_list *l, struct check *c)
{
    c->next = NULL;
    *l->last = c;
    l->last = &c->next;
    l->count++;
}

static struct check *list_take(struct check_list *l)
{
    struct check *c = l->first;
    if (c == NULL) { return NULL; }
    l->first = c->next;
    if (l->first == NULL) { l->last = &l->first; }
    l->count--;
    return c;
}

static void check_free(struct check *c)
{
    rw_buf_drop(&c->verdict);
    rw_mem_free(c);
}

static void list_free(struct check_list *l)
{
    for (struct check *c = list_take(l); c != NULL; c = list_take(l)) {
        check_free(c);
    }
}

static RW_RC run_box(const struct server_check *s, struct check *c, struct rw_err *err)
{
    char box[SERVER_CONF_PATH_BYTES];
    char validator[SERVER_CONF_PATH_BYTES];
    char content[SERVER_CONF_PATH_BYTES];
    char samples[SERVER_CONF_PATH_BYTES];
    char before[SERVER_CONF_PATH_BYTES];
    char manifest[SERVER_CONF_PATH_BYTES];
    const char *type = content_type_of(c->job.id.family);
    char name[RELEASE_NAME_BYTES + 32];
    struct verdict verdict;
    (void)snprintf(name, sizeof(name), "ringward-validate-%s", type);
    RW_TRY(server_conf_program(s->box_dir, "ringward-box", box, err));
    RW_TRY(server_conf_program(s->box_dir, name, validator, err));
    RW_TRY(server_conf_path(s->staging_dir, c->job.payload_path, content, err));
    RW_TRY(server_conf_path(s->staging_dir, c->job.samples_path, samples, err));
    RW_TRY(server_conf_path(s->staging_dir, c->job.before_path, before, err));
    RW_TRY(server_conf_program(s->box_dir, BOX_MANIFEST_NAME, manifest, err));
    const struct box_request request = {.box = box,
                                        .validator = validator,
                                        .type = type,
                                        .content = content,
                                        .samples = c->job.samples_path[0] == '\0' ? NULL : samples,
                                        .manifest = manifest,
                                        .against = c->job.before_path[0] == '\0' ? NULL : before,
                                        .against_steps = c->job.before_steps,
                                        .for_release = true,
                                        .clean_files = s->clean_files,
                                        .wall_ms = s->wall_ms};
    return box_check_text(&request, &verdict, &c->verdict, err);
}

static void log_check(const struct check *c, const char *event, const struct rw_err *err)
{
    struct rw_log_line l;
    char text[RELEASE_KEY_BYTES];
    (void)snprintf(text, sizeof(text), "%s/%lld", c->job.id.family, (long long)c->job.id.number);
    rw_log_begin(&l, err == NULL ? RW_LOG_INFO : RW_LOG_ERROR, event);
    rw_log_str(&l, "release", text);
    if (err != NULL) { rw_log_err(&l, err); }
    rw_log_end(&l);
}

static void run_one(const struct server_check *s, struct check *c)
{
    struct rw_err err;
    log_check(c, "check_begun", NULL);
    if (rw_is_ok(run_box(s, c, &err))) { return; }
    log_check(c, "check_failed", &err);
    rw_buf_clear(&c->verdict); /* no verdict: the release goes back to draft (INV-3) */
}

static void *run(void *arg)
{
    struct server_check *s = arg;
    (void)pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        struct check *c = list_take(&s->waiting);
        if (c == NULL) {
            (void)pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        (void)pthread_mutex_unlock(&s->lock);
        run_one(s, c);
        (void)pthread_mutex_lock(&s->lock);
        list_put(&s->finished, c);
        if (!s->stopping) { s->wake(s->ctx); }
    }
    s->ended = true;
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

RW_RC server_check_start(const struct server_check_settings *settings, struct server_check **out,
                         struct rw_err *err)
{
    struct server_check *s = rw_mem_new(sizeof(*s));
    if (s == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the checker"); }
    s->waiting.last = &s->waiting.first;
    s->finished.last = &s->finished.first;
    s->wake = settings->wake;
    s->ctx = settings->ctx;
    s->clean_files = settings->clean_files;
    s->wall_ms = settings->wall_ms;
    (void)snprintf(s->staging_dir, sizeof(s->staging_dir), "%s", settings->staging_dir);
    (void)snprintf(s->box_dir, sizeof(s->box_dir), "%s", settings->box_dir);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->changed, NULL);
    int failed = pthread_create(&s->thread, NULL, run, s);
    if (failed != 0) {
        rw_mem_free(s);
        return rw_fail_errno(err, RW_E_PROCESS, failed, "starting the checker");
    }
    *out = s;
    return RW_OK;
}

void server_check_stop(struct server_check *s)
{
    struct timespec deadline = {0};
    if (s == NULL) { return; }
    /* Not the clock that somebody may set meanwhile. */
    (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += 1;
    (void)pthread_mutex_lock(&s->lock);
    s->stopping = true;
    (void)pthread_cond_broadcast(&s->changed);
    int waited = 0;
    while (!s->ended && waited == 0) {
        waited = pthread_cond_clockwait(&s->changed, &s->lock, CLOCK_MONOTONIC, &deadline);
    }
    bool ended = s->ended;
    (void)pthread_mutex_unlock(&s->lock);
    /* A box that runs on dies with us: the launcher has asked for that. Its memory goes the same way. */
    if (!ended) { return; }
    (void)pthread_join(s->thread, NULL);
    list_free(&s->waiting);
    list_free(&s->finished);
    (void)pthread_cond_destroy(&s->changed);
    (void)pthread_mutex_destroy(&s->lock);
    rw_mem_free(s);
}

RW_RC server_check_submit(struct server_check *s, const struct release_check_job *job,
                          struct rw_err *err)
{
    struct check *c = rw_mem_new(sizeof(*c));
    if (c == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a check"); }
    c->job = *job;
    c->verdict = rw_buf_make(RELEASE_VERDICT_BYTES_MAX);
    (void)pthread_mutex_lock(&s->lock);
    bool full = s->waiting.count >= SERVER_CHECK_QUEUE_MAX;
    if (!full) {
        list_put(&s->waiting, c);
        (void)pthread_cond_signal(&s->changed);
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (!full) { return RW_OK; }
    check_free(c);
    return rw_fail(err, RW_E_FULL, "%d checks wait already; send the payload again later",
                   SERVER_CHECK_QUEUE_MAX);
}

bool server_check_take(struct server_check *s, struct release_id *id_out, struct rw_buf *verdict)
{
    (void)pthread_mutex_lock(&s->lock);
    struct check *c = list_take(&s->finished);
    (void)pthread_mutex_unlock(&s->lock);
    if (c == NULL) { return false; }
    *id_out = c->job.id;
    rw_buf_drop(verdict);
    *verdict = c->verdict;
    c->verdict = rw_buf_make(RELEASE_VERDICT_BYTES_MAX);
    check_free(c);
    return true;
}
