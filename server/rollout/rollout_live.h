/* rollout_live.h: the inside of the controller, shared by the rollout_*.c files only.
 *
 * memory   as rollout_run.h
 * threads  the core thread only
 * source   rollout_run.h is the public face
 */
#ifndef RINGWARD_ROLLOUT_LIVE_H
#define RINGWARD_ROLLOUT_LIVE_H

#include "server/rollout/rollout_doc.h"
#include "server/rollout/rollout_facts.h"
#include "server/rollout/rollout_run.h"

enum { ROLLOUT_KEPT_MAX = 100000, ROLLOUT_BUSY_MAX = 64 };

struct rollout_run {
    struct store *store;       /* borrowed */
    struct fleet_state *fleet; /* borrowed */
    struct ring_policy policy;
    struct rollout_run_effects effects;
    struct rollout **all; /* in order of seq */
    size_t count;
    size_t cap;
    /* Of all[0] to all[known - 1], as of the latest tick: places of those that are neither complete nor rolled back.
     * Each beacon asks for them, and thousands that are over are kept. */
    struct {
        size_t at[ROLLOUT_BUSY_MAX];
        size_t count;
        size_t known;
    } busy;
    bool unsure; /* a caller's transaction changed them: not known yet whether it was committed */
    struct rw_wall now; /* of the latest tick */
};

/* NULL when there is none. */
struct rollout *rollout_live_find(const struct rollout_run *r, const char *family, int64_t release);
/* The refusal then, with where to look: RW_E_NOT_FOUND. */
RW_RC rollout_live_unknown(const char *family, int64_t release, struct rw_err *err);
/* The family's newest rollout that is not rolled back: the only one that is steered and watched. */
struct rollout *rollout_live_of(const struct rollout_run *r, const char *family);
/* Whether permits for it are given at all: the live rollout, and, while that is not complete, the complete one
 * before it, since rings that were not reached yet still point there. */
bool rollout_live_serves(const struct rollout_run *r, const struct rollout *ro);
/* Whether endpoints that lag behind may still take it: it went through, and was followed by a newer one. */
static inline bool rollout_live_lags(const struct rollout *ro)
{
    return rollout_doc_overall(ro) == ROLLOUT_COMPLETE;
}
/* Lets the fleet count votes about its release; nothing when it does. */
RW_RC rollout_live_watch(struct rollout_run *r, const struct rollout *ro, struct rw_wall now,
                         struct rw_err *err);
/* Reads everything again when a caller's transaction may have failed. Permits are closed then. */
RW_RC rollout_live_refresh(struct rollout_run *r, struct rw_err *err);
void rollout_live_close_all(struct rollout_run *r);
struct rollout_facts_from rollout_live_from(const struct rollout_run *r, const struct rollout *ro,
                                            struct rw_wall now);

/* Notes which are busy. More than ROLLOUT_BUSY_MAX: none is known, and all are asked. */
void rollout_live_note_busy(struct rollout_run *r);
/* To be called when places in `all` change other than at its end. */
void rollout_live_forget_busy(struct rollout_run *r);

/* Puts `all` in order of seq. */
void rollout_live_sort(struct rollout_run *r);
/* Rings whose pointer is published open when the step leaves them open. */
void rollout_live_open_rings(struct rollout *ro, const struct rollout_rule_output *out);
/* Rings of a rollout that is not steered: open while it serves. */
void rollout_live_open_served(const struct rollout_run *r, struct rollout *ro);
/* Earliest openings by an expedite, asked anew. */
void rollout_live_ask_expedite(const struct rollout_run *r, struct rollout *ro);

/* Room for one more rollout in `all`, which may move. Fails with RW_E_FULL, RW_E_NOMEM. */
RW_RC rollout_live_room(struct rollout_run *r, struct rw_err *err);
/* The audit record of a person's command. */
RW_RC rollout_live_audit(struct rollout_run *r, const struct rollout *ro, const char *verb,
                         const struct rollout_run_actor *actor, struct rw_wall now,
                         struct rw_err *err);

/* One planned step: the rollout as it will be, and what to say about it. */
struct rollout_plan {
    struct rollout next;
    struct rollout_rule_output out;
    struct rollout_facts facts[ROLLOUT_RINGS_MAX];
    bool changed;                            /* next differs from what is stored */
    size_t cohort_halted[ROLLOUT_RINGS_MAX]; /* by the ring's evidence: index + 1; 0: none */
    bool tenant_held[ROLLOUT_RINGS_MAX];     /* the ring's top tenant */
    bool closes; /* who failed with it failed alone: the fleet is told */
};

/* Asks the rule and works the answer into plan->next. `actor`: who gives the command; NULL: the controller. */
void rollout_plan_make(const struct rollout_run *r, const struct rollout *ro,
                       enum rollout_rule_command command, const struct rollout_run_actor *actor,
                       struct rw_wall now, struct rollout_plan *plan);
/* Writes document and audit records of a changed plan; needs a transaction (INV-9). Fails with RW_E_STALE when the
 * plan was made from an older document than the stored one: it is made inside the transaction. */
RW_RC rollout_plan_store(struct rollout_run *r, const struct rollout *ro, struct rollout_plan *plan,
                         const char *who, struct rw_err *err);

/* Fractions travel as text: readers of our JSON take integers only. */
void rollout_live_number(char dst[static ROLLOUT_NUMBER_BYTES], double value);

#endif
