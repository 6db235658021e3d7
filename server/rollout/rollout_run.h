/* rollout_run.h: the controller: facts in, the pure step, one transaction out, then the effects.
 *
 * memory   a controller owns its rollouts until rollout_run_drop; borrows store, fleet and signer
 * threads  the core thread only
 * source   docs/rollout.md. Order that INV-1 and INV-2 rest on: a halt closes permits before anything is signed; a ring
 *          opens for permits only after its pointer is published; every effect may be repeated after a crash.
 */
#ifndef RINGWARD_ROLLOUT_RUN_H
#define RINGWARD_ROLLOUT_RUN_H

#include "common/json/json_write.h"
#include "common/policy/ring_policy.h"
#include "server/health/fleet_state.h"
#include "server/rollout/rollout_rule.h"
#include "server/rollout/second.h"
#include "server/store/store.h"

struct rollout_run;

/* What the controller needs from the outside; the core wires it to signer and publisher. */
struct rollout_run_effects {
    /* Signs and publishes that `ring` points to release `release` of `family` (0: to nothing). */
    RW_RC(*point)
    (void *ctx, const char *ring, const char *family, int64_t release, bool hold,
     struct rw_err *err);
    /* Class and earliest install times per ring of a published release; fails with RW_E_NOT_FOUND. */
    RW_RC(*release_info)
    (void *ctx, const char *family, int64_t release, char class_out[static RING_POLICY_NAME_BYTES],
     struct rw_wall not_before[static RING_POLICY_RINGS_MAX], struct rw_err *err);
    /* SHA-256 of its payload: permits are given for, and proof is taken of, exactly these bytes. Required. */
    RW_RC(*release_sha256)
    (void *ctx, const char *family, int64_t release, uint8_t sha256_out[static 32],
     struct rw_err *err);
    /* Earliest times by an expedite in force, per ring of the policy; 0: none. NULL: there never is one. */
    RW_RC(*expedited)
    (void *ctx, const char *family, int64_t release, struct rw_wall now,
     struct rw_wall out[static RING_POLICY_RINGS_MAX], struct rw_err *err);
    /* Whether it is listed no more, as far as known: it reads nothing, since each endpoint may ask. Required. */
    bool (*gone)(void *ctx, const char *family, int64_t release);
    /* Whether it was signed as a drill. NULL: there never is one. */
    RW_RC(*is_drill)
    (void *ctx, const char *family, int64_t release, bool *out, struct rw_err *err);
    void *ctx;
};

/* Who asked, for the audit record. */
struct rollout_run_actor {
    const char *name;
    const char *reason;
};

/* Loads all rollouts from the store. Permits are closed until the first tick (fail closed). */
RW_RC rollout_run_open(struct store *store, struct fleet_state *fleet,
                       const struct ring_policy *policy, struct rollout_run_effects effects,
                       struct rollout_run **out, struct rw_err *err);
void rollout_run_drop(struct rollout_run **r);
/* Replaces the policy in force (copied). */
void rollout_run_set_policy(struct rollout_run *r, const struct ring_policy *policy);

/* Begins a rollout of a published release; one active rollout per family, which supersedes one that is only rolling
 * back: that one goes on to count who is back, and steers no pointer any more. Inside the caller's transaction, which
 * must also take fleet_state_flush. The ring opens at the next tick.
 * Fails with RW_E_POLICY (another one runs, release halted before), RW_E_NOT_FOUND, RW_E_EXISTS. */
RW_RC rollout_run_start(struct rollout_run *r, const char *family, int64_t release,
                        const struct rollout_run_actor *actor, struct rw_wall now,
                        struct rw_err *err);
/* How far a drill may reach. */
struct rollout_run_reach {
    const char *ring;
    int64_t max;      /* endpoints, >= 1 */
    int64_t within_s; /* halted by then at the latest */
};

/* Begins a drill: a rollout in one ring, for `max` endpoints at most, which never passes. Only of a release that was
 * signed as a drill (rollout_run_start takes no such one), on a family whose newest release is complete: never beside a
 * real rollout. Inside the caller's transaction, as rollout_run_start. Fails with RW_E_POLICY, RW_E_NOT_FOUND. */
RW_RC rollout_run_drill(struct rollout_run *r, const char *family, int64_t release,
                        const struct rollout_run_reach *reach,
                        const struct rollout_run_actor *actor, struct rw_wall now,
                        struct rw_err *err);
/* Steers; `generation` 0: whatever it is. Inside the caller's transaction.
 * Fails with RW_E_NOT_FOUND, RW_E_STALE, RW_E_POLICY (no ring where the command fits). */
RW_RC rollout_run_command(struct rollout_run *r, const char *family, int64_t release,
                          enum rollout_rule_command command, int64_t generation,
                          const struct rollout_run_actor *actor, struct rw_wall now,
                          struct rw_err *err);

/* What the policy in force says about a second person. */
const struct second_person *rollout_run_second(const struct rollout_run *r);
/* The rollout's generation now. Fails with RW_E_NOT_FOUND. */
RW_RC rollout_run_generation(const struct rollout_run *r, const char *family, int64_t release,
                             int64_t *out, struct rw_err *err);

/* One turn of the controller for all rollouts: begins and commits transactions of its own, so it is called
 * outside of one. Expires permits (INV-4) and takes the fleet's pending batch along in its transaction. Signing
 * failures are kept as alarms and tried again at the next turn. Fails with the store's codes: nothing is open then,
 * and the fleet has been reloaded, so requests whose records were in the batch are to be answered with the failure. */
RW_RC rollout_run_tick(struct rollout_run *r, struct rw_wall now, struct rw_err *err);

/* The release of the family's newest rollout that went through and was no drill: what runs everywhere. 0: none. */
int64_t rollout_run_in_place(const struct rollout_run *r, const char *family);
/* Whether a rollout of this release was halted, for good. */
bool rollout_run_halted(const struct rollout_run *r, const char *family, int64_t release);

/* Removes some rollouts that ended `age_s` before the latest tick (0: none) and no decision rests on any more
 * (forget_rule.h), with one audit record, in a transaction of its own. Gives their number. Fails with the store's
 * codes. */
RW_RC rollout_run_forget(struct rollout_run *r, int64_t age_s, size_t *count_out,
                         struct rw_err *err);

/* Shared stores: a document that another node may have written; of other kinds nothing. *changed_out is set when memory
 * was older; then rollout_run_follow is due. Fails as rollout_doc_read, and with RW_E_NOMEM, RW_E_FULL. */
RW_RC rollout_run_take(struct rollout_run *r, const char *kind, const struct store_doc *doc,
                       bool *changed_out, struct rw_err *err);
/* A node that is not controller: opens for permits what is stored as open and what the rule, by the counts of this
 * moment, leaves open; closes the rest. Decides and writes nothing. Inside or outside of a transaction. */
RW_RC rollout_run_follow(struct rollout_run *r, struct rw_wall now, struct rw_err *err);

/* Decides one permit request and, when granted, records it in the fleet's pending batch: the answer may leave only
 * after that batch is committed (INV-2). The window law holds in the ring and in the cohort (INV-1); a pending
 * permit of the same endpoint and release is given again. Fails with RW_E_FULL, RW_E_NOMEM; nothing changed then. */
RW_RC rollout_run_permit(struct rollout_run *r, const struct fleet_who *who,
                         const struct beacon_permit_request *request, struct rw_wall now,
                         struct beacon_permit_answer *answer_out, struct rw_err *err);

/* What that would answer now, by the same code; grants and records nothing. `request` names bytes by what is set here:
 * those of the rollout. A permit whose deadline has passed counts as pending until the next tick. */
RW_RC rollout_run_permit_look(const struct rollout_run *r, const struct fleet_who *who,
                              struct beacon_permit_request *request, struct rw_wall now,
                              struct beacon_permit_answer *answer_out, struct rw_err *err);

enum { ROLLOUT_OFFERS_MAX = 64 };
/* A release that endpoints may ask permits for. */
struct rollout_run_offer {
    const char *family; /* borrowed, good until a rollout is started or forgotten */
    int64_t release;
    const char *state; /* of the rollout as a whole */
    bool drill;
    bool running; /* not complete */
};
/* Of each family the newest rollout that is not rolled back, and behind one that is not complete the complete one
 * before it: the newest first, at most ROLLOUT_OFFERS_MAX. Gives how many. */
size_t rollout_run_offers(const struct rollout_run *r,
                          struct rollout_run_offer out[static ROLLOUT_OFFERS_MAX]);

/* --- views: the objects of docs/protocol.md 8 --- */
/* Who looks, and when. */
struct rollout_run_look {
    struct rw_wall now;
    const char *tenant; /* borrowed; "": sees all, else is told of no other tenant (INV-11) */
};
/* Writes one rollout object. Fails with RW_E_NOT_FOUND. */
RW_RC rollout_run_write(const struct rollout_run *r, const char *family, int64_t release,
                        const struct rollout_run_look *look, struct json_writer *w,
                        struct rw_err *err);
/* Writes {"rollouts":[...]}: the newest 100, oldest first. */
void rollout_run_write_all(const struct rollout_run *r, const struct rollout_run_look *look,
                           struct json_writer *w);
/* Writes {"drills":[...]}: the same of drills only, the newest first. */
void rollout_run_write_drills(const struct rollout_run *r, const struct rollout_run_look *look,
                              struct json_writer *w);
/* Writes the evidence behind the verdicts: counts, terms, thresholds per ring. */
RW_RC rollout_run_explain(const struct rollout_run *r, const char *family, int64_t release,
                          struct json_writer *w, struct rw_err *err);
/* A page of cohorts. */
enum { ROLLOUT_COHORTS_PAGE_MAX = 200 };
struct rollout_run_cohorts {
    const char *family; /* releases of this one only; "": of all */
    int64_t after;      /* places of the table of cohorts that earlier pages covered */
    int64_t limit;      /* 1..ROLLOUT_COHORTS_PAGE_MAX places; fewer where many releases run */
    struct rw_wall now;
};
/* Writes {"cohorts":[...],"next":"N"?}: cohorts that endpoints named, with what became there of the newest release of
 * each family (rollout_run_offers). Fails with RW_E_NOT_FOUND: nothing of this family was rolled out. */
RW_RC rollout_run_write_cohorts(const struct rollout_run *r, const struct rollout_run_cohorts *page,
                                struct json_writer *w, struct rw_err *err);
/* Appends alarms (signing failures) as strings to an open array. */
void rollout_run_write_alarms(const struct rollout_run *r, struct json_writer *w);
/* Appends Prometheus samples of every active rollout. */
RW_RC rollout_run_metrics(const struct rollout_run *r, struct rw_buf *into, struct rw_err *err);
/* Poll interval to ask of endpoints of this ring (seconds); 0: as configured. */
int64_t rollout_run_poll_s(const struct rollout_run *r, const char *ring, const char *family);

#endif
