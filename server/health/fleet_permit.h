/* fleet_permit.h: what the controller does with the fleet: rings and releases it knows, permits, counts.
 *
 * memory   as fleet_state.h
 * threads  the core thread only
 * source   fleet_state.h; INV-1, INV-2
 */
#ifndef RINGWARD_FLEET_PERMIT_H
#define RINGWARD_FLEET_PERMIT_H

#include "server/health/fleet_outcome_rule.h"
#include "server/health/fleet_state.h"
#include "server/health/fleet_window.h"

/* Names a ring of the policy: endpoints that say another ring are members of none. Records like every change. */
RW_RC fleet_state_know_ring(struct fleet_state *f, const char *ring, struct rw_err *err);
/* A release to count votes about; everything borrowed. */
struct fleet_watch {
    const char *family;
    int64_t release;
    const uint8_t *sha256; /* BEACON_HASH_BYTES of them */
    struct rw_wall now;
    int64_t
        window_s; /* a permit's deadline: length of the windows of treated and control endpoints */
    int64_t
        after_s; /* an endpoint that proves the release so long after its permit is aged; 0: none ever is */
};
/* Counts votes about this release from now on; nothing when it is watched already.
 * Fails with RW_E_FULL, RW_E_NOMEM, RW_E_POLICY (watched with another hash). */
RW_RC fleet_state_watch(struct fleet_state *f, const struct fleet_watch *watch, struct rw_err *err);
/* From now on the votes of that tenant on that release are listed, not counted (INV-11). Nothing when it is so
 * already. Fails with RW_E_NOT_FOUND, RW_E_FULL, RW_E_NOMEM. */
RW_RC fleet_state_mute(struct fleet_state *f, const char *family, int64_t release,
                       const char *tenant, struct rw_err *err);
/* Who failed with the release failed alone: endpoints that failed with it get a strike, healthy ones lose one.
 * Fails with RW_E_FULL, RW_E_NOMEM. */
RW_RC fleet_state_close(struct fleet_state *f, const char *family, int64_t release,
                        struct rw_wall now, struct rw_err *err);

/* What an endpoint did with a release before: decides whether a permit costs a place in the window. */
enum fleet_permit_past {
    FLEET_PERMIT_FRESH, /* never exposed: needs room */
    FLEET_PERMIT_OPEN,  /* its permit is pending: the same one again */
    FLEET_PERMIT_AGAIN, /* exposed before (dark, or confirmed and lost): a new permit, no new place */
    FLEET_PERMIT_NEVER, /* it failed, was refused, or its marks are spent: no permit any more */
};

struct fleet_permit {
    enum fleet_permit_past past;
    uint64_t number;    /* OPEN */
    int64_t deadline_s; /* OPEN: wall clock */
};

/* A request as it came in; everything borrowed. */
struct fleet_ask {
    const struct fleet_who *who;
    const struct beacon_permit_request *request;
    struct rw_wall now;
    int64_t deadline_s; /* for granting: from now */
};

/* Fails with RW_E_FORBIDDEN when the endpoint is another tenant's. */
RW_RC fleet_state_permit_look(const struct fleet_state *f, const struct fleet_ask *ask,
                              struct fleet_permit *out, struct rw_err *err);
/* The cohort that a permit granted now would be booked under: the request's, or "other" (INV-1: room must be looked
 * for in the very counts that grow). */
struct beacon_cohort fleet_state_cohort_for(struct fleet_state *f, const struct fleet_ask *ask);
/* Grants the next permit; the caller has looked and found room. Ring known, release watched.
 * Fails with RW_E_FULL, RW_E_NOMEM, RW_E_POLICY; nothing changed then. */
RW_RC fleet_state_permit_grant(struct fleet_state *f, const struct fleet_ask *ask,
                               uint64_t *number_out, struct rw_err *err);

/* The request that the endpoint would send for a release, by what its beacons said; the bytes that it would name are
 * left zero. False: it was never heard of. */
bool fleet_state_request_of(const struct fleet_state *f, const struct fleet_who *who,
                            const char *family, int64_t release, struct beacon_permit_request *out);

/* A release in a ring; borrowed. */
struct fleet_place {
    const char *family;
    int64_t release;
    const char *ring;
};

/* Counts of a release in a ring; `cohort` NULL: the whole ring. Zeros when there is nothing. */
struct fleet_counts fleet_state_counts(const struct fleet_state *f, const char *family,
                                       int64_t release, const char *ring,
                                       const struct beacon_cohort *cohort);
/* Counts of one tenant's endpoints there; a tenant that nobody knows has none. */
struct fleet_counts fleet_state_tenant_counts(const struct fleet_state *f,
                                              const struct fleet_place *place, const char *tenant);
/* Calls `each` for the cohorts that have members in the ring, or an exposure or vote of the release there. */
RW_RC fleet_state_each_cohort(const struct fleet_state *f, const struct fleet_place *place,
                              RW_RC (*each)(void *arg, const struct beacon_cohort *cohort,
                                            const struct fleet_counts *counts, struct rw_err *err),
                              void *arg, struct rw_err *err);
/* Places of the table of cohorts: names are found by number from 0 ("other") on. */
size_t fleet_state_cohort_places(const struct fleet_state *f);
/* What stands there, and how many endpoints of all rings are in it. */
struct beacon_cohort fleet_state_cohort_at(const struct fleet_state *f, size_t place,
                                           int64_t *members_out);
/* Calls `each` for the tenants that have members in the ring, or an exposure or vote of the release there. */
RW_RC fleet_state_each_tenant(const struct fleet_state *f, const struct fleet_place *place,
                              RW_RC (*each)(void *arg, const char *tenant,
                                            const struct fleet_counts *counts, struct rw_err *err),
                              void *arg, struct rw_err *err);

/* What is observed of control, and of darkness, in a ring (`cohort` NULL) or a cohort of it. */
struct fleet_observed {
    int64_t control_open; /* control endpoints heard of lately */
    int64_t width_s;      /* of a bucket */
};
struct fleet_observed fleet_state_observed(const struct fleet_state *f,
                                           const struct fleet_place *place,
                                           const struct beacon_cohort *cohort, struct rw_wall now);
/* Windows that closed in bucket `id` (end of the window / width); false: there were none. */
bool fleet_state_bucket(const struct fleet_state *f, const struct fleet_place *place,
                        const struct beacon_cohort *cohort, int64_t id, struct fleet_bucket *out);
/* Latest beacon or permit request of the ring's endpoints; 0: none. */
struct rw_wall fleet_state_ring_seen(const struct fleet_state *f, const char *ring);
/* Bytes of records that wait for fleet_state_flush. */
size_t fleet_state_pending_bytes(const struct fleet_state *f);

#endif
