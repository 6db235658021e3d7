/* api_core.h: what the core thread owns, and how it works a chain of jobs off: batches under one commit, the rest
 * alone, and the tick between them.
 *
 * memory   struct api_core is plain; it owns `rollouts` and borrows everything else
 * threads  the core thread only, but api_core_prepared and api_core_answer
 * source   docs/server.md "Threads"; INV-2 and INV-8: no reply of a batch leaves before its commit
 */
#ifndef RINGWARD_API_CORE_H
#define RINGWARD_API_CORE_H

#include "server/api/api_cache.h"
#include "server/api/api_certificate.h"
#include "server/api/api_clock.h"
#include "server/api/api_node.h"
#include "server/api/api_retention.h"
#include "server/api/api_trust.h"
#include "server/api/clone_watch.h"
#include "server/api/http_server.h"
#include "server/api/log_limit_rule.h"
#include "server/api/permit_memory.h"
#include "server/release/release.h"
#include "server/release/release_signer.h"
#include "server/report/webhook.h"
#include "server/rollout/rollout_control.h"
#include "server/rollout/rollout_run.h"

/* What lies outside the core's own state; serve_open.c wires it, tests replace it. */
struct api_core_outside {
    /* Points a ring at a release (0: at nothing): sign, then publish. */
    RW_RC(*point)
    (void *ctx, const char *ring, const char *family, int64_t release, bool hold,
     struct rw_err *err);
    /* Renews what the signer holds; proves that the signer answers. */
    RW_RC (*renew)(void *ctx, struct rw_wall now, bool *signed_out, struct rw_err *err);
    /* Has a ceremony's documents verified and published. Fails as the signer refuses. */
    RW_RC (*trust)(void *ctx, const struct release_signer_trust *change, struct rw_err *err);
    /* Queues one release for the box. Fails with RW_E_FULL. */
    RW_RC (*check)(void *ctx, const struct release_check_job *job, struct rw_err *err);
    /* Has job->aside run beside the core; it comes back into the core's queue. Takes the job when it succeeds.
     * Fails with RW_E_FULL, RW_E_BUSY. */
    RW_RC (*aside)(void *ctx, struct api_job *job, struct rw_err *err);
    void (*counters)(void *ctx, struct http_counters *out);
    void (*certificate)(void *ctx, struct api_certificate *out); /* NULL: no TLS */
    void (*retention)(void *ctx, struct api_retention *out);     /* NULL: there is none */
    size_t (*queue_depth)(void *ctx);
    void *ctx;
};

struct api_core_stats {
    uint64_t jobs;            /* all */
    uint64_t batched_jobs;    /* that shared a commit */
    uint64_t batches;         /* that were committed */
    uint64_t commit_failures; /* batches whose every job was answered with an error */
    uint64_t reloads;         /* of the state from the store */
    uint64_t tick_failures;
    uint64_t folds;
    uint64_t forgotten; /* rollouts whose records went */
};

struct api_core {
    struct store *store;
    struct fleet_state *fleet;
    struct rollout_control_set
        *controls;                /* what operators set; NULL: nothing; owned by struct serve */
    struct rollout_run *rollouts; /* NULL: to be loaded (see rollouts_stale) */
    struct release_domain releases;
    struct api_trust *trust;
    struct http_auth *auth;
    struct webhook *webhook; /* NULL: none is configured */
    struct api_node *node;   /* NULL: the only process of its store */
    struct api_core_outside outside;
    struct rw_clock clock;
    struct api_clock *steady; /* that `clock` reads; NULL: it reads the machine's */
    struct rw_wall started;
    uint64_t integrity; /* beacons that tell of damaged content on an endpoint's disk (INV-12) */
    uint64_t clocks_behind; /* beacons of endpoints whose clock cannot be believed (INV-12) */
    uint64_t clocks_ahead;
    struct log_limit_rule endpoint_lines; /* of the log, that endpoints cause */
    struct permit_memory answers;         /* to requests for permits */
    struct clone_watch shared;            /* endpoints that two machines speak as */
    uint64_t clones;     /* enrolments of endpoints that found themselves copies of another one */
    bool fleet_stale;    /* memory is ahead of the store: load before the next use */
    bool rollouts_stale; /* the same for the rollouts */
    bool tick_wanted;    /* a change waits for the controller: tick before the next wait */
    bool ticked;         /* one whole tick succeeded since the start */
    bool signer_answers; /* the last renewal succeeded */
    /* A change concerns what was published: look at trust before the next wait. */
    bool renew_wanted;
    bool controls_stale;    /* another node changed customers' controls: load before the next use */
    uint64_t policy_serial; /* of the policy that the rollouts go by (api_trust_policy_serial) */
    int64_t forget_s;       /* age at which records of rollouts go; 0: never */
    struct rw_mono next_forget;           /* not looked for earlier */
    bool folding;                         /* a fold is under way */
    struct rw_mono fold_next;             /* its next piece is not written earlier */
    struct rw_mono batch_retry;           /* after a failed commit: no batch is tried earlier */
    char store_alarm[RW_ERR_TEXT_BYTES];  /* failure of the last batch; "": none */
    char tick_alarm[RW_ERR_TEXT_BYTES];   /* failure of the last tick; "": none */
    char signer_alarm[RW_ERR_TEXT_BYTES]; /* failure of the last renewal; "": none */
    char tell_alarm
        [RW_ERR_TEXT_BYTES]; /* why webhooks or alarms could not be recorded; "": no reason */
    struct api_core_stats stats;
    struct api_cache metrics; /* fleet and rollouts in GET /metrics */
};

/* Opens the rollouts; everything else is set, and trust was refreshed. Fails as rollout_run_open. */
RW_RC api_core_begin(struct api_core *c, struct rw_err *err);
void api_core_end(struct api_core *c); /* drops the rollouts */

/* Works a chain of jobs off in order and gives every job back, or hands it on (api_job.aside). Consecutive batched
 * jobs share one transaction: applied, flushed, committed, then answered. When flush or commit fails, memory is loaded
 * anew from the store and all of them are answered with that failure (503), whatever their handlers said; for the next
 * second batches are refused at once, since each failure costs a load of the whole state. */
void api_core_run(struct api_core *c, struct api_job *jobs);

/* The TLS certificate that this server shows. */
struct api_certificate api_core_certificate(const struct api_core *c);

/* How the removal of what nobody needs goes. */
struct api_retention api_core_retention(const struct api_core *c);

/* Loads what is stale. Every handler may rely on it: api_core_run and api_core_tick call it first. */
RW_RC api_core_heal(struct api_core *c, struct rw_err *err);

/* One turn: controller (deadlines, rollouts), begin of a fold. Failures are kept as alarm, counted and logged when they
 * change. */
void api_core_tick(struct api_core *c);
/* Hands new records of the audit log to webhooks, takes what they have done; a failure is logged, nothing is lost. */
void api_core_tell(struct api_core *c);
/* Signer and trust, every few minutes and after a reload; failures are alarms. */
void api_core_renew(struct api_core *c);

/* True when store, signer and controller work: what /readyz says; *why_out is set when not. */
bool api_core_ready(const struct api_core *c, const char **why_out);

/* Ends a change of the rollouts made inside an open transaction: flushes the fleet's batch and commits when `done` is
 * success, rolls back otherwise, and marks memory stale when it may be ahead of the store. */
RW_RC api_core_finish(struct api_core *c, struct rw_rc done, struct rw_err *err);

/* Sets the reply: `status` when rc is success, else the error, which is logged when it is ours. */
void api_core_answer(struct api_job *job, struct rw_rc rc, const struct rw_err *err, int status);

/* Makes a zeroed object that dies with the job; NULL: no memory, and the job is answered. */
void *api_core_prepared(struct api_job *job, size_t bytes);

#endif
