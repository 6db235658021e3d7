/* fleet_cohorts.h: the places of the table of cohorts: who holds which, which can be used again, who may have one more;
 * shared by the fleet_*.c files only.
 *
 * Endpoints name cohorts, and every cohort that has a name has a window and a halt of its own (INV-1). So that nobody
 * can take the names from all others, a place that no endpoint and no count needs is given to the next name. What is
 * kept here follows from the table and is counted anew at each load. Decisions are recorded by their outcome: replay
 * takes none of them again (INV-8).
 *
 * memory   a part of the table, no memory of its own
 * threads  the core thread only
 * source   docs/health.md "Cohorts"
 */
#ifndef RINGWARD_FLEET_COHORTS_H
#define RINGWARD_FLEET_COHORTS_H

#include "server/health/cohort_rule.h"
#include "server/health/fleet_table.h"

/* Counts the endpoints of each cohort anew: behind a load. */
void fleet_cohorts_recount(struct fleet_table *t);
/* An endpoint goes from one cohort to another. */
void fleet_cohorts_move(struct fleet_table *t, uint16_t from, uint16_t to);
/* The place has a name now; the tenant that brought it stands behind the words. */
void fleet_cohorts_named(struct fleet_table *t, uint16_t number);
/* Gives the record's place its new name, without what control did under the old one.
 * Fails with RW_E_PROTOCOL: there is no such place, or the name is there already. */
RW_RC fleet_cohorts_reuse(struct fleet_table *t, const struct fleet_record *r, struct rw_err *err);

/* Where a new name of `tenant` (FLEET_NO_NAME: not seen before), brought by `e` (NULL: not seen before), may stand: a
 * place to use again, the next free one (names[FLEET_COHORTS].count), or 0 and why not. */
uint16_t fleet_cohorts_place(struct fleet_table *t, uint16_t tenant, const struct fleet_endpoint *e,
                             int64_t now_s, enum cohort_rule *why_out);
/* Names that are in use; an upper bound between two looks. */
size_t fleet_cohorts_held(const struct fleet_table *t);

#endif
