/* window_rule.h: the evidence-paced window: exposure grows only with endpoints that survived (INV-1).
 *
 * memory   values only
 * threads  pure
 * source   docs/health.md "The window": pending + failed <= U + k * survived, in the ring and in the cohort, once for
 *          surviving probation and once for being alive some time later
 */
#ifndef RINGWARD_WINDOW_RULE_H
#define RINGWARD_WINDOW_RULE_H

#include "common/base/err.h"

struct window_rule_law {
    int64_t start;          /* U >= 1 */
    int64_t per_survivor_m; /* k in thousandths, >= 0 */
};

struct window_rule_counts {
    int64_t exposed; /* permits granted and not returned: pending, survived, failed and dark ones */
    int64_t survived; /* confirmed healthy, once per endpoint */
};

/* Greatest exposure that the law permits now: floor(U + (1 + k) * survived), saturating. */
int64_t window_rule_allowed(const struct window_rule_law *law, const struct window_rule_counts *c);
/* How many more permits may be granted now, >= 0. Negative or impossible counts give 0 (INV-3). */
int64_t window_rule_room(const struct window_rule_law *law, const struct window_rule_counts *c);
/* The least room of several laws, each with survivors of its own horizon. n >= 1. */
int64_t window_rule_room_all(const struct window_rule_law *laws,
                             const struct window_rule_counts *counts, size_t n);

/* A tenant that asks for a place in a ring where there are others (INV-11). It can only take away from the room of the
 * laws above. Its endpoints that never prove anything get its share of the start and no more, however much the others
 * let the window grow; those that prove let it grow as everybody's do. */
struct window_rule_tenant {
    struct window_rule_law law; /* of the ring, or with the start of a cohort */
    int64_t share_bp;           /* of the start for one tenant; 10000: all */
    int64_t
        unproven; /* endpoints of the tenant in the ring that were exposed and have not survived */
    int64_t survived; /* and that have */
    int64_t others;   /* endpoints of other tenants in the ring; none: no limit */
};
/* The tenant's own places: its share of the start, rounded up, at least one. */
int64_t window_rule_own(const struct window_rule_tenant *t);
/* How many of the `room` places of a ring the tenant may take, >= 0: unproven <= own + k * survived. */
int64_t window_rule_tenant_ring(const struct window_rule_tenant *t, int64_t room);
/* The same of a cohort, in which nobody counts tenants: beyond that law it may take what leaves the others their part
 * of the cohort's start. */
int64_t window_rule_tenant_cohort(const struct window_rule_tenant *t, int64_t room);

struct window_rule_turn {
    int64_t ahead;          /* endpoints whose turn is earlier and that have no permit yet */
    int64_t waiting;        /* all that have no permit yet */
    int64_t opening;        /* places that the confirmations of the pending ones open */
    int64_t per_survivor_m; /* k of the law, in thousandths */
    int64_t probation_s;
    int64_t poll_s; /* interval asked for while a rollout runs */
};
/* Seconds after which a refused endpoint asks again: as many probations as the window needs to grow up to its turn,
 * by 1 + k in each, at most 12 polls; and at least its share of one poll, so that a queue of any length asks about as
 * often as its polls would, whatever keeps the window from growing. Endpoints with other turns get other answers: the
 * same for all would bring all of them back in one moment, and none before. */
int64_t window_rule_retry_s(const struct window_rule_turn *t);

#endif
