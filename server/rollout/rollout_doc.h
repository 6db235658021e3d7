/* rollout_doc.h: one rollout as a plain value, and its stored form. States are kept by name, rings by name.
 *
 * memory   plain values of fixed size; nothing to free
 * threads  no shared state
 * source   docs/rollout.md
 */
#ifndef RINGWARD_ROLLOUT_DOC_H
#define RINGWARD_ROLLOUT_DOC_H

#include "common/policy/ring_policy.h"
#include "common/wire/beacon_codec.h"
#include "server/rollout/rollout_rule.h"
#include "server/store/store.h"

enum {
    ROLLOUT_NAME_BYTES = 33,
    ROLLOUT_WHO_BYTES = 64,
    ROLLOUT_NUMBER_BYTES = 24, /* a fraction as text */
    ROLLOUT_COHORTS_MAX = 64,  /* with a share of the evidence of their own */
    ROLLOUT_TENANTS_MAX = 8,
    ROLLOUT_NUMBER_MAX = 999999999,
    ROLLOUT_STORED_BYTES_MAX = 128 * 1024,
};

/* What the ring's published pointer says. The intention is stored before the first signature: after a crash in
 * between it is unsure, and published again either way. */
enum rollout_pointer {
    ROLLOUT_POINTER_OLD, /* the previous release */
    ROLLOUT_POINTER_UNSURE,
    ROLLOUT_POINTER_NEW, /* this release */
};

struct rollout_ring {
    char name[ROLLOUT_NAME_BYTES];
    int state; /* enum rollout_rule_state, as sm_move wants it */
    struct rw_wall since;
    char reason[ROLLOUT_REASON_BYTES];
    struct rw_wall not_before; /* signed: not opened earlier */
    struct rw_wall opened;     /* 0: not yet */
    enum rollout_pointer pointer;
    bool hold; /* the pointer carries "hold" */

    /* --- not stored --- */
    struct rw_wall expedited; /* earliest opening by an expedite in force; 0: none. Set by a tick */
    bool open;                /* permits may be granted (INV-1): set by a tick, never by loading */
    char alarm[160];          /* why pointing failed last; "": it did not */
};

/* The opening that counts now: by the bake, or earlier by an expedite. */
static inline struct rw_wall rollout_doc_not_before(const struct rollout_ring *r)
{
    return r->expedited.s != 0 && r->expedited.s < r->not_before.s ? r->expedited : r->not_before;
}

/* Why it was halted: the evidence as it was then. */
struct rollout_halt {
    bool there;
    struct rw_wall at;
    char by[ROLLOUT_WHO_BYTES];
    char reason[ROLLOUT_REASON_BYTES];
    char ring[ROLLOUT_NAME_BYTES]; /* "": a person's halt; the rest is empty then */
    char term[16];
    bool has_cohort;
    struct beacon_cohort cohort;
    int64_t failures;
    int64_t exposures;
    char log_e[ROLLOUT_NUMBER_BYTES];
    char threshold[ROLLOUT_NUMBER_BYTES];
};

/* What history made normal when it began: in integers, so that it is stored as it was. */
struct rollout_norm {
    int64_t p0_crash_e9; /* share of crashes inside the watch, 1e-9 */
    int64_t p0_storm_e9; /* 0: stored before it was known; the cold start's */
    int64_t p0_slow_e9;  /* the same */
    int64_t p0_mute_e9;  /* the same */
    int64_t hazard_e15;  /* late crashes per endpoint and minute, 1e-15; 0: unknown */
    int64_t releases;    /* of the history */
};

/* A rehearsal on the live fleet: bounded in reach and time, never passed, never part of any history. */
struct rollout_drill {
    bool on;
    int64_t max;      /* endpoints that get a permit at most */
    int64_t within_s; /* halted by then at the latest, counted from the ring's opening */
    char by[ROLLOUT_WHO_BYTES];
    char reason[ROLLOUT_REASON_BYTES];
    int64_t exposed;  /* as of the last move; kept when it is over */
    int64_t reported; /* endpoints that reported the rehearsed failure */
    int64_t dark;
    int64_t refused;
};

/* A cohort that was known when it began. */
struct rollout_cohort {
    struct beacon_cohort name;
    struct rollout_norm norm;
    bool halted; /* on its own evidence: no permits any more, the rest goes on without it */
};

struct rollout {
    char family[ROLLOUT_NAME_BYTES];
    int64_t release;
    char class_name[ROLLOUT_NAME_BYTES];
    uint8_t sha256[BEACON_HASH_BYTES];
    int64_t previous; /* release to go back to; 0: none */
    int64_t seq;      /* order of starts over all families */
    int64_t generation;
    struct rw_wall started;
    struct rw_wall ended; /* 0: not yet */
    size_t ring_count;
    struct rollout_ring rings[ROLLOUT_RINGS_MAX];
    struct rollout_norm norm; /* of all cohorts together */
    size_t cohort_count;      /* known when it began: their shares of the evidence never change */
    struct rollout_cohort cohorts[ROLLOUT_COHORTS_MAX];
    size_t tenant_count; /* tenants that are held alone: no permits any more (INV-11) */
    char tenants[ROLLOUT_TENANTS_MAX][ROLLOUT_NAME_BYTES];
    int64_t resumes; /* times that its evidence began anew, by a person's resume */
    bool closed;     /* the fleet was told who failed alone with it: strikes are given once */
    struct rollout_halt halt;
    struct rollout_drill drill;

    /* --- not stored --- */
    struct rollout_evidence *evidence; /* owned by the controller; NULL: not loaded */
};

struct rollout_evidence;

enum rollout_rule_state rollout_doc_overall(const struct rollout *r);
/* Copies text that may be too long; never cuts a character in two. */
void rollout_doc_text(char *dst, size_t cap, const char *text);

/* Writes it as generation `r->generation` into the store. Fails as store_doc_put. */
RW_RC rollout_doc_put(struct store *store, const struct rollout *r, struct rw_err *err);
/* Removes it from the store, where another node may have done so. Fails as store_doc_remove. */
RW_RC rollout_doc_remove(struct store *store, const struct rollout *r, struct rw_err *err);
/* Reads a stored document. Fails with RW_E_SYNTAX, RW_E_SCHEMA, RW_E_RANGE, RW_E_NOT_FOUND (unknown state). */
RW_RC rollout_doc_read(const struct store_doc *doc, struct rollout *out, struct rw_err *err);

#define ROLLOUT_DOC_KIND "rollout"

#endif
