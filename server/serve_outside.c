#include "server/serve_parts.h"

static RW_RC point(void *ctx, const char *ring, const char *family, int64_t release, bool hold,
                   struct rw_err *err)
{
    struct serve *s = ctx;
    return release_signer_point(s->signer, ring, family, release, hold, err);
}

static RW_RC renew(void *ctx, struct rw_wall now, bool *signed_out, struct rw_err *err)
{
    struct serve *s = ctx;
    return release_signer_renew(s->signer, now, signed_out, err);
}

bool serve_outside_signer_lost(void *serve)
{
    struct serve *s = serve;
    return release_signer_lost(s->signer);
}

void serve_outside_leave_signer(void *serve)
{
    struct serve *s = serve;
    release_signer_leave(s->signer);
}

static RW_RC trust(void *ctx, const struct release_signer_trust *change, struct rw_err *err)
{
    struct serve *s = ctx;
    return release_signer_trust(s->signer, change, err);
}

static RW_RC check(void *ctx, const struct release_check_job *job, struct rw_err *err)
{
    struct serve *s = ctx;
    return server_check_submit(s->check, job, err);
}

static RW_RC aside(void *ctx, struct api_job *job, struct rw_err *err)
{
    struct serve *s = ctx;
    return api_aside_submit(s->aside, job, err);
}

static void counters(void *ctx, struct http_counters *out)
{
    struct serve *s = ctx;
    (void)pthread_mutex_lock(&s->counters_lock);
    if (s->counted != NULL) { http_server_counters(s->counted, out); }
    (void)pthread_mutex_unlock(&s->counters_lock);
}

static void certificate(void *ctx, struct api_certificate *out)
{
    struct serve *s = ctx;
    server_certificate_state(s->certificate, out);
}

static void retention(void *ctx, struct api_retention *out)
{
    struct serve *s = ctx;
    server_retention_state(s->retention, out);
}

void serve_outside_count(struct serve *s, struct http_server *http)
{
    (void)pthread_mutex_lock(&s->counters_lock);
    s->counted = http;
    (void)pthread_mutex_unlock(&s->counters_lock);
}

static size_t queue_depth(void *ctx)
{
    struct serve *s = ctx;
    return api_queue_depth(s->queue);
}

void serve_outside_tell(void *serve)
{
    struct serve *s = serve;
    atomic_store(&s->told, true);
    api_queue_wake(s->queue);
}

bool serve_outside_told(void *serve)
{
    struct serve *s = serve;
    return atomic_exchange(&s->told, false);
}

void serve_outside_wake(void *serve)
{
    struct serve *s = serve;
    api_queue_wake(s->queue);
}

struct api_core_outside serve_outside(struct serve *s)
{
    return (struct api_core_outside){.point = point,
                                     .renew = renew,
                                     .trust = trust,
                                     .check = check,
                                     .aside = aside,
                                     .counters = counters,
                                     .certificate = certificate,
                                     .retention = retention,
                                     .queue_depth = queue_depth,
                                     .ctx = s};
}
