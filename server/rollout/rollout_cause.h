/* rollout_cause.h: what a verdict rests on: the scope, its counts, the term, log E and the limit that it is held
 * against.
 *
 * A ring's halt, a cohort's halt and a tenant's hold are told in the same members, to the audit log (and so to
 * webhooks) and to `explain`: those of the scope that is to blame, never of the ring around it.
 *
 * memory   values only; borrows the facts
 * threads  the core thread only
 * source   docs/health.md "Verdicts"
 */
#ifndef RINGWARD_ROLLOUT_CAUSE_H
#define RINGWARD_ROLLOUT_CAUSE_H

#include "common/json/json_write.h"
#include "server/rollout/rollout_facts.h"

enum { ROLLOUT_SCOPE_BYTES = 200 };

struct rollout_cause {
    char scope[ROLLOUT_SCOPE_BYTES]; /* "ring R", "cohort O/A/E of ring R", "tenant T in ring R" */
    const struct fleet_counts *counts; /* borrowed: of that scope */
    const char *term;                  /* "": nothing has failed */
    int64_t failures;
    int64_t exposures;
    const struct rollout_facts_term *control; /* borrowed: of a term against control; else NULL */
    double log_e;                             /* what the verdict compared with the threshold */
    double threshold;
};

/* `ring`: name of the ring that the facts are of. */
struct rollout_cause rollout_cause_of(const char *ring, const struct rollout_facts *f);
/* Appends "scope", the counts, "term", "failures", "exposures", control where it was compared with that, "log_e" and
 * "threshold" to the open object. */
void rollout_cause_put(struct json_writer *w, const struct rollout_cause *c);
/* Appends "control_failures" and "control"; where an incident left too little of it also "borrowed_failures" and
 * "borrowed", or "unjudged_failures" and "unjudged" (INV-12). */
void rollout_cause_put_control(struct json_writer *w, const struct rollout_facts_term *t);

#endif
