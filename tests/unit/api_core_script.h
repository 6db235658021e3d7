/* api_core_script.h: store, fleet, rollouts and the way back to the client, scripted for api_core_test.c.
 *
 * `trace` is the story of one run:
 * B begin, C commit, R rollback, a apply (batched), s apply (alone), f flush, t tick, o piece of a fold, x its loss,
 * l reload of the fleet, O open rollouts, D drop rollouts, + reply 2xx given back, - reply 503 given back. */
#ifndef RINGWARD_API_CORE_SCRIPT_H
#define RINGWARD_API_CORE_SCRIPT_H

#include "server/api/api_core.h"
#include "server/health/fleet_permit.h"
#include "tests/harness.h"
#include "tests/unit/rollout_run_still.h"

static char trace[256];
static char fails; /* this step fails */
static int memory; /* the fleet's state: what handlers changed */
static int durable;
static size_t pending;
static bool fold_due;
static unsigned pieces; /* that a fold has left, if more than one */
static bool rollouts_there;
static uint64_t policy_serial = 1; /* of what trust has read */
static char last_body[64];
static char last_error[RW_ERR_TEXT_BYTES + 64]; /* code and text of the last refusal */

static void step(char c)
{
    size_t n = strlen(trace);
    assert_true(n + 1 < sizeof(trace));
    trace[n] = c;
    trace[n + 1] = '\0';
}

static RW_RC outcome(char c, struct rw_err *err)
{
    step(c);
    if (fails == c) { return rw_fail(err, RW_E_STORE, "step %c fails", c); }
    return RW_OK;
}

/* --- store back end --- */
static RW_RC fake_begin(void *ctx, int64_t term, struct store_now *now, struct rw_err *err)
{
    (void)ctx;
    (void)term;
    (void)now;
    return outcome('B', err);
}

static RW_RC fake_commit(void *ctx, struct rw_err *err)
{
    (void)ctx;
    RW_TRY(outcome('C', err));
    durable = memory;
    return RW_OK;
}

static void fake_rollback(void *ctx)
{
    (void)ctx;
    step('R');
}

static const struct store_backend backend = {
    .begin = fake_begin, .commit = fake_commit, .rollback = fake_rollback};

/* --- fleet, rollouts, trust, replies --- */
RW_RC fleet_state_flush(struct fleet_state *f, struct rw_err *err)
{
    (void)f;
    return outcome('f', err);
}

RW_RC fleet_state_reload(struct fleet_state *f, struct rw_err *err)
{
    (void)f;
    RW_TRY(outcome('l', err));
    memory = durable;
    return RW_OK;
}

void fleet_state_expect(const struct fleet_state *f,
                        const uint8_t endpoint[static FLEET_ENDPOINT_BYTES])
{
    (void)f;
    (void)endpoint;
}

size_t fleet_state_pending_bytes(const struct fleet_state *f)
{
    (void)f;
    return pending;
}

bool fleet_state_fold_due(const struct fleet_state *f)
{
    (void)f;
    return fold_due;
}

RW_RC fleet_state_fold(struct fleet_state *f, bool *more_out, struct rw_err *err)
{
    (void)f;
    RW_TRY(outcome('o', err));
    *more_out = pieces > 1;
    pieces -= pieces > 1;
    return RW_OK;
}

void fleet_state_fold_lost(struct fleet_state *f)
{
    (void)f;
    step('x');
}

RW_RC rollout_run_open(struct store *store, struct fleet_state *fleet,
                       const struct ring_policy *policy, struct rollout_run_effects effects,
                       struct rollout_run **out, struct rw_err *err)
{
    (void)store;
    (void)fleet;
    (void)policy;
    (void)effects;
    RW_TRY(outcome('O', err));
    rollouts_there = true;
    *out = (struct rollout_run *)(void *)&rollouts_there;
    return RW_OK;
}

void rollout_run_drop(struct rollout_run **r)
{
    if (*r != NULL) { step('D'); }
    *r = NULL;
}

RW_RC fleet_state_follow(struct fleet_state *f, struct rw_err *err)
{
    (void)f;
    (void)err;
    return RW_OK;
}

RW_RC rollout_run_tick(struct rollout_run *r, struct rw_wall now, struct rw_err *err)
{
    (void)now;
    assert_non_null(r);
    return outcome('t', err);
}

const struct ring_policy *api_trust_policy(const struct api_trust *t)
{
    static const struct ring_policy policy = {.ring_count = 1};
    (void)t;
    return &policy;
}

uint64_t api_trust_policy_serial(const struct api_trust *t)
{
    (void)t;
    return policy_serial;
}

RW_RC api_trust_refresh(struct api_trust *t, struct rw_wall now, struct rw_err *err)
{
    (void)t;
    (void)now;
    return fails == 'p' ? rw_fail(err, RW_E_IO, "the repository cannot be read") : RW_OK;
}

RW_RC api_trust_expedited(struct api_trust *t, const char *family, int64_t release,
                          struct rw_wall now, struct rw_wall out[static RING_POLICY_RINGS_MAX],
                          struct rw_err *err)
{
    (void)t;
    (void)family;
    (void)release;
    (void)now;
    (void)out;
    return rw_fail(err, RW_E_NOT_FOUND, "not asked for here");
}

bool api_trust_gone(struct api_trust *t, const char *family, int64_t release)
{
    (void)t;
    (void)family;
    (void)release;
    return false;
}

RW_RC api_trust_drill(struct api_trust *t, const char *family, int64_t release, bool *out,
                      struct rw_err *err)
{
    (void)t;
    (void)family;
    (void)release;
    (void)out;
    return rw_fail(err, RW_E_NOT_FOUND, "not asked for here");
}

RW_RC api_trust_release_sha256(struct api_trust *t, const char *family, int64_t release,
                               uint8_t sha256_out[static DIGEST_BYTES], struct rw_err *err)
{
    (void)t;
    (void)family;
    (void)release;
    (void)sha256_out;
    return rw_fail(err, RW_E_NOT_FOUND, "not asked for here");
}

RW_RC api_trust_release(struct api_trust *t, const char *family, int64_t release,
                        char class_out[static RING_POLICY_NAME_BYTES],
                        struct rw_wall not_before[static RING_POLICY_RINGS_MAX], struct rw_err *err)
{
    (void)t;
    (void)family;
    (void)release;
    (void)class_out;
    (void)not_before;
    return rw_fail(err, RW_E_NOT_FOUND, "not asked for here");
}

void api_reply_error(struct api_job *job, const struct rw_err *err)
{
    rw_buf_clear(&job->reply.body);
    job->reply.status = rw_code_http_status(err->code);
    (void)snprintf(last_error, sizeof(last_error), "%s: %s", rw_code_name(err->code), err->text);
}

void api_job_done_all(struct api_job *jobs)
{
    for (struct api_job *job = jobs, *next = NULL; job != NULL; job = next) {
        next = job->next;
        step(job->reply.status == 200 ? '+' : job->reply.status == 503 ? '-' : '?');
        (void)snprintf(last_body, sizeof(last_body), "%s", rw_buf_str(&job->reply.body));
        rw_buf_drop(&job->reply.body);
    }
}

#endif
