#include "server/report/webhook_send.h"

#include "common/net/http_client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum {
    SIGNED_BYTES_MAX = 64 * 1024,
    ANSWER_BYTES_MAX = 64 * 1024, /* of the receiver; it is not looked at */
    HEADER_BYTES = 192,
};

enum phase { PHASE_IDLE, PHASE_WORK, PHASE_RESULT };

struct webhook_sender {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    struct webhook_target target;
    void (*wake)(void *ctx);
    void *ctx;
    atomic_bool stopping;
    bool ended; /* the thread uses nothing of ours any more */
    enum phase phase;
    struct webhook_batch batch;   /* the thread's in PHASE_WORK */
    struct webhook_result result; /* valid in PHASE_RESULT */
};

struct webhook_batch webhook_batch_make(void)
{
    struct webhook_batch b = {.count = 0};
    for (size_t i = 0; i < WEBHOOK_BATCH_MAX; i++) {
        b.at[i].body = rw_buf_make(SIGNED_BYTES_MAX);
    }
    return b;
}

void webhook_batch_clear(struct webhook_batch *b)
{
    for (size_t i = 0; i < WEBHOOK_BATCH_MAX; i++) {
        rw_buf_drop(&b->at[i].body);
    }
    *b = webhook_batch_make();
}

RW_RC webhook_send_sign(const struct webhook_target *t, struct rw_wall now, struct rw_span body,
                        char dst[static WEBHOOK_SIGNATURE_BYTES], struct rw_err *err)
{
    uint8_t mac[DIGEST_BYTES];
    char hex[DIGEST_HEX_BYTES];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SIGNED_BYTES_MAX + 32);
    RW_TRY(rw_buf_appendf(&text, err, "%lld.", (long long)now.s));
    RW_TRY(rw_buf_append(&text, body, err));
    RW_TRY(digest_hmac(rw_span_of(t->secret, t->secret_bytes), rw_buf_span(&text), mac, err));
    rw_hex_encode(hex, sizeof(hex), mac, sizeof(mac));
    (void)snprintf(dst, WEBHOOK_SIGNATURE_BYTES, "t=%lld,v1=%s", (long long)now.s, hex);
    return RW_OK;
}

static RW_RC deliver(const struct webhook_sender *s, struct http_client *client,
                     const struct webhook_event *event, int64_t *retry_after_s, struct rw_err *err)
{
    char signature[WEBHOOK_SIGNATURE_BYTES];
    char signature_line[HEADER_BYTES];
    char key_line[HEADER_BYTES];
    struct rw_clock clock = rw_clock_system();
    struct http_client_answer answer = {.status = 0};
    RW_AUTO(rw_buf) struct rw_buf ignored = rw_buf_make(ANSWER_BYTES_MAX);
    RW_TRY(webhook_send_sign(&s->target, rw_clock_wall(&clock), rw_buf_span(&event->body),
                             signature, err));
    (void)snprintf(signature_line, sizeof(signature_line), "Ringward-Signature: %s", signature);
    (void)snprintf(key_line, sizeof(key_line), "Idempotency-Key: %s", event->key);
    const struct http_client_message m = {.content_type = "application/json",
                                          .headers = {signature_line, key_line},
                                          .body = rw_buf_span(&event->body)};
    RW_TRY(http_client_post_message(client, s->target.path, &m, ANSWER_BYTES_MAX, &ignored, &answer,
                                    err));
    *retry_after_s = answer.retry_after_s;
    if (answer.status >= 200 && answer.status < 300) { return RW_OK; }
    return rw_fail(err, RW_E_HTTP, "%s: status %d, want 200 to 299%s", s->target.base,
                   answer.status, answer.status / 100 == 3 ? " (redirects are not followed)" : "");
}

static struct webhook_result run_batch(struct webhook_sender *s, struct http_client *client)
{
    struct webhook_result r = {.retry_after_s = -1};
    for (size_t i = 0; i < s->batch.count && !r.failed && !atomic_load(&s->stopping); i++) {
        struct rw_err err;
        r.failed = !rw_is_ok(deliver(s, client, &s->batch.at[i], &r.retry_after_s, &err));
        if (r.failed) {
            (void)snprintf(r.why, sizeof(r.why), "%s", err.text);
        } else {
            r.delivered++;
        }
    }
    return r;
}

static void *run(void *arg)
{
    struct webhook_sender *s = arg;
    struct http_client *client = NULL;
    struct rw_err err;
    const struct http_client_options options = {
        .base_url = s->target.base,
        .ca_file = s->target.ca_file[0] == '\0' ? NULL : s->target.ca_file,
        .total_ms = s->target.timeout_ms};
    (void)pthread_mutex_lock(&s->lock);
    while (!atomic_load(&s->stopping)) {
        if (s->phase != PHASE_WORK) {
            (void)pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        (void)pthread_mutex_unlock(&s->lock);
        struct webhook_result r = {.failed = true, .retry_after_s = -1};
        if (client == NULL && !rw_is_ok(http_client_open(&options, &client, &err))) {
            (void)snprintf(r.why, sizeof(r.why), "%s", err.text);
        } else {
            r = run_batch(s, client);
        }
        (void)pthread_mutex_lock(&s->lock);
        s->result = r;
        s->phase = PHASE_RESULT;
        if (!atomic_load(&s->stopping)) { s->wake(s->ctx); }
    }
    (void)pthread_mutex_unlock(&s->lock);
    http_client_drop(&client);
    (void)pthread_mutex_lock(&s->lock);
    s->ended = true;
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

RW_RC webhook_send_start(const struct webhook_target *target, void (*wake)(void *ctx), void *ctx,
                         struct webhook_sender **out, struct rw_err *err)
{
    struct webhook_sender *s = rw_mem_new(sizeof(*s));
    if (s == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for webhook %s", target->name); }
    s->target = *target;
    s->wake = wake;
    s->ctx = ctx;
    s->batch = webhook_batch_make();
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->changed, NULL);
    int failed = pthread_create(&s->thread, NULL, run, s);
    if (failed != 0) {
        rw_wipe(&s->target, sizeof(s->target));
        rw_mem_free(s);
        return rw_fail_errno(err, RW_E_PROCESS, failed, "starting webhook %s", target->name);
    }
    *out = s;
    return RW_OK;
}

void webhook_send_stop(struct webhook_sender *s)
{
    struct timespec deadline = {0};
    if (s == NULL) { return; }
    /* Not the clock that somebody may set meanwhile. */
    (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += 1;
    (void)pthread_mutex_lock(&s->lock);
    atomic_store(&s->stopping, true);
    (void)pthread_cond_broadcast(&s->changed);
    int waited = 0;
    while (!s->ended && waited == 0) {
        waited = pthread_cond_clockwait(&s->changed, &s->lock, CLOCK_MONOTONIC, &deadline);
    }
    bool ended = s->ended;
    (void)pthread_mutex_unlock(&s->lock);
    /* A delivery that hangs ends with the process; the cursor has not moved, so it is made again after the start. */
    if (!ended) { return; }
    (void)pthread_join(s->thread, NULL);
    webhook_batch_clear(&s->batch);
    (void)pthread_cond_destroy(&s->changed);
    (void)pthread_mutex_destroy(&s->lock);
    rw_wipe(&s->target, sizeof(s->target));
    rw_mem_free(s);
}

bool webhook_send_idle(struct webhook_sender *s)
{
    (void)pthread_mutex_lock(&s->lock);
    bool idle = s->phase == PHASE_IDLE;
    (void)pthread_mutex_unlock(&s->lock);
    return idle;
}

void webhook_send_submit(struct webhook_sender *s, struct webhook_batch *batch)
{
    (void)pthread_mutex_lock(&s->lock);
    RW_ASSERT(s->phase == PHASE_IDLE);
    webhook_batch_clear(&s->batch);
    s->batch = *batch;
    *batch = webhook_batch_make();
    s->phase = PHASE_WORK;
    (void)pthread_cond_signal(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
}

bool webhook_send_take(struct webhook_sender *s, struct webhook_result *out)
{
    (void)pthread_mutex_lock(&s->lock);
    bool there = s->phase == PHASE_RESULT;
    if (there) {
        *out = s->result;
        s->phase = PHASE_IDLE;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return there;
}
