/* rollout_evidence.h: the evidence that grows with time: log-rank against control, hazard against history, darkness by
 * buckets; for each ring of a rollout as a whole and for each cohort known at its start.
 *
 * The fleet counts; once a minute the difference to the minute before is worked in, with the sizes that speak least
 * against the release (late_rule.h). A server that was away works the whole gap in at once.
 *
 * memory   an evidence is one block until rollout_evidence_drop
 * threads  the core thread only
 * source   docs/health.md "The detector"
 */
#ifndef RINGWARD_ROLLOUT_EVIDENCE_H
#define RINGWARD_ROLLOUT_EVIDENCE_H

#include "server/health/fleet_permit.h"
#include "server/health/health_rule.h"
#include "server/rollout/rollout_doc.h"

/* Counts when a person last resumed what had been held: the failures that were looked at then count no more, and the
 * endpoints that failed neither. Those that did well still count. */
struct rollout_evidence_base {
    int64_t marked; /* exposed ones with a mark against them */
    int64_t failed;
    int64_t refused;
    int64_t refused_free;
    int64_t storm;
    int64_t slow;
    int64_t dark;
    int64_t late_crash;
    int64_t control_crash;
    int64_t control_noise;
    int64_t
        lost; /* exposed, and neither survived nor pending: they take no place of the window any more */
    int64_t mute;
};

/* The counts of a base, but for `lost`, as offsets: one list for whatever is done with each of them. */
struct rollout_evidence_count {
    size_t base;    /* in rollout_evidence_base */
    size_t from;    /* in fleet_counts: what it is at a resume */
    size_t lessens; /* in fleet_counts: what it is taken away from afterwards */
};
enum { ROLLOUT_EVIDENCE_COUNTS = 11 };
extern const struct rollout_evidence_count rollout_evidence_counts[ROLLOUT_EVIDENCE_COUNTS];

struct rollout_evidence_scope {
    struct late_rule late;
    struct rollout_evidence_base base;
    int64_t late_seen;    /* late crashes worked in */
    int64_t control_seen; /* crashes of control endpoints worked in */
    int64_t at_risk;      /* sizes at the last look */
    int64_t control;
    int64_t risk_s; /* endpoint seconds at risk so far: history of later releases */
};

struct rollout_evidence {
    int64_t at_s;    /* looked last */
    int64_t bucket;  /* last bucket that was worked in */
    int64_t resumes; /* of the rollout, when it began last */
    int64_t generation;
    size_t ring_count;
    size_t scope_count; /* per ring: the whole, then the cohorts */
    struct rollout_evidence_scope *scopes;
};

/* Loads what is stored of a rollout, or begins. Fails with RW_E_NOMEM, RW_E_PROTOCOL (stored by another program), the
 * store's codes. */
RW_RC rollout_evidence_open(struct store *store, const struct rollout *ro, struct rw_wall now,
                            struct rollout_evidence **out, struct rw_err *err);
void rollout_evidence_drop(struct rollout_evidence **e);
/* `cohort` 0: the ring as a whole, else index + 1. */
struct rollout_evidence_scope *rollout_evidence_scope(const struct rollout_evidence *e, size_t ring,
                                                      size_t cohort);
/* Whether it is time to look again. */
bool rollout_evidence_due(const struct rollout_evidence *e, const struct rollout *ro,
                          const struct fleet_state *fleet, struct rw_wall now);
/* Works in what happened since. When a person resumed the rollout in the meantime, it begins anew from here. */
void rollout_evidence_look(struct rollout_evidence *e, const struct rollout *ro,
                           const struct fleet_state *fleet, struct rw_wall now);
/* INV-11: takes out what a tenant has brought in that is held now. Its votes are out of the counts already
 * (fleet_state_mute), but comparisons with control were worked in as things happened: they begin anew, with the late
 * crashes of all others and with their darkness in the buckets that are still kept (INV-4). */
void rollout_evidence_take_out(struct rollout_evidence *e, const struct rollout *ro,
                               const struct fleet_state *fleet, struct rw_wall now);
/* Whether a stored document with this id is the evidence of this rollout. */
bool rollout_evidence_is(const struct rollout *ro, const char *kind, const char *id);
/* The stored form, appended to `into`. Fails with RW_E_LIMIT, RW_E_NOMEM. */
RW_RC rollout_evidence_write(const struct rollout_evidence *e, struct rw_buf *into,
                             struct rw_err *err);
/* Reads it into an evidence that has just begun, of the same rings and scopes. Fails with RW_E_PROTOCOL. */
RW_RC rollout_evidence_read(struct rw_span body, struct rollout_evidence *e, struct rw_err *err);
/* Reads what is stored into an evidence that has just begun; none: it stays so. Fails with RW_E_PROTOCOL (naming what
 * does not fit), the store's codes; then nothing in it means anything. */
RW_RC rollout_evidence_load(struct store *store, const struct rollout *ro,
                            struct rollout_evidence *e, struct rw_err *err);
/* Stores it; needs a transaction. */
RW_RC rollout_evidence_put(struct store *store, const struct rollout *ro,
                           struct rollout_evidence *e, struct rw_err *err);
/* Removes what is stored, if anything is; needs a transaction. */
RW_RC rollout_evidence_remove(struct store *store, const struct rollout *ro, struct rw_err *err);

/* The norm of the ring as a whole (cohort 0) or of a cohort (index + 1). */
struct health_rule_norm rollout_evidence_norm(const struct rollout *ro, size_t cohort);

#endif
