/* A new release begins only with a fresh permit (INV-2): no server, no permit, no activation. */
#include "agent/poll/poll_rule.h"
#include "agent/poll/poll_state.h"

#include "common/base/log.h"

#include <stdio.h>
#include <string.h>

enum { ANSWER_BYTES_MAX = 8192, BACK_OFF_BASE_MS = 2000, BACK_OFF_MAX_MS = 600 * 1000 };

static uint32_t draw(void)
{
    uint32_t n = 0;
    struct rw_err unused;
    RW_IGNORE(digest_random((uint8_t *)&n, sizeof(n), &unused), "jitter may be missing");
    return n;
}

static RW_RC ask(struct poll *p, const struct poll_family *f, struct beacon_permit_answer *out,
                 int64_t *retry_after_s, struct rw_err *err)
{
    struct beacon_permit_request r = {.release = f->content.release, .from = f->state.installed};
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(PERMIT_BODY_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(ANSWER_BYTES_MAX);
    struct http_client_answer answer = {.status = 0};
    (void)snprintf(r.family, sizeof(r.family), "%s", f->family);
    (void)snprintf(r.ring, sizeof(r.ring), "%s", f->state.ring);
    rw_copy(r.sha256, sizeof(r.sha256), f->content.sha256, DIGEST_BYTES);
    r.cohort = p->o.cohort;
    RW_TRY(beacon_permit_write_request(&r, &body, err));
    RW_TRY(http_client_post(p->api, "/v1/permits", "application/json", rw_buf_span(&body),
                            ANSWER_BYTES_MAX, &text, &answer, err));
    *retry_after_s = answer.retry_after_s;
    if (answer.status == 401) {
        poll_enrol_forget(p);
        RW_IGNORE(rw_fail(err, RW_E_AUTH, "the server does not accept this endpoint's token"),
                  "hint follows");
        return rw_hint(err, "remove 'token' from the state directory to enrol anew");
    }
    if (answer.status != 200) {
        return rw_fail(err, RW_E_HTTP, "/v1/permits: status %d", answer.status);
    }
    return beacon_permit_read_answer(rw_buf_span(&text), out, err);
}

static void keep_waiting(struct poll_memory *m, struct poll_family *f, struct rw_mono now,
                         int64_t wait_ms)
{
    m->permit_after.ms = now.ms + wait_ms;
    f->retry_after_s = (wait_ms + 999) / 1000;
}

static void take_answer(struct poll_memory *m, struct poll_family *f, struct rw_mono sent,
                        const struct beacon_permit_answer *a)
{
    m->permit_failures = 0;
    switch (a->decision) {
    case BEACON_PERMIT_GRANTED:
        /* Counted from sending: the answer's own travel time is not ours to use. */
        f->permit = *a;
        f->permit_until.ms = sent.ms + a->valid_s * 1000;
        f->action = POLL_ACTIVATE;
        break;
    case BEACON_PERMIT_WAIT:
        keep_waiting(m, f, sent, poll_rule_retry_after_ms(a->retry_after_s, draw()));
        (void)snprintf(m->permit_said, sizeof(m->permit_said), "wait: %.200s", a->reason);
        break;
    case BEACON_PERMIT_REFUSED:
        m->permit_refused = true;
        rw_copy(m->permit_refused_sha256, DIGEST_BYTES, f->content.sha256, DIGEST_BYTES);
        (void)snprintf(m->permit_said, sizeof(m->permit_said), "refused: %.200s", a->reason);
        break;
    }
}

void poll_permit(struct poll *p, struct poll_memory *m, struct poll_family *f)
{
    struct rw_mono now = rw_clock_mono(&p->o.clock);
    struct beacon_permit_answer a;
    struct rw_err err;
    int64_t asked_s = -1;
    if (m->permit_refused &&
        memcmp(m->permit_refused_sha256, f->content.sha256, DIGEST_BYTES) == 0) {
        (void)snprintf(f->note, sizeof(f->note), "permit: refused until metadata change: %.180s",
                       m->permit_said);
        return;
    }
    if (now.ms < m->permit_after.ms) {
        f->retry_after_s = (m->permit_after.ms - now.ms + 999) / 1000;
        (void)snprintf(f->note, sizeof(f->note), "permit: asks again in %lld s: %.180s",
                       (long long)f->retry_after_s, m->permit_said);
        return;
    }
    m->permit_said[0] = '\0';
    if (rw_is_ok(ask(p, f, &a, &asked_s, &err))) {
        take_answer(m, f, now, &a);
        if (m->permit_said[0] == '\0') { return; }
        (void)snprintf(f->note, sizeof(f->note), "permit: %.200s", m->permit_said);
        return;
    }
    struct rw_log_line l;
    rw_log_begin(&l, RW_LOG_WARN, "no_permit");
    rw_log_str(&l, "family", f->family);
    rw_log_err(&l, &err);
    rw_log_end(&l);
    m->permit_failures++;
    int64_t wait_ms = poll_rule_retry_after_ms(asked_s, draw());
    if (wait_ms == 0) {
        wait_ms =
            poll_rule_back_off_ms(BACK_OFF_BASE_MS, BACK_OFF_MAX_MS, m->permit_failures, draw());
    }
    keep_waiting(m, f, now, wait_ms);
    (void)snprintf(m->permit_said, sizeof(m->permit_said), "%.200s", err.text);
    (void)snprintf(f->note, sizeof(f->note), "permit: %.200s", err.text);
}
