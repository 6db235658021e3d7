/* fleet_dark.h: endpoints whose latest permit of a family ended in silence, as pages for people (INV-4).
 *
 * A page looks at FLEET_DARK_LOOKS endpoints at most, in the order in which they were first heard of, and says where
 * the next one goes on: a walk over a large fleet is many short requests, between which permits and beacons go on.
 * Endpoints are never taken out of the table, so a walk meets each one that was there when it began.
 *
 * memory   writes into the caller's writer
 * threads  the core thread only
 * source   docs/protocol.md 8
 */
#ifndef RINGWARD_FLEET_DARK_H
#define RINGWARD_FLEET_DARK_H

#include "server/health/fleet_state.h"

enum {
    FLEET_DARK_LOOKS = 16384,
    FLEET_DARK_PAGE_MAX = 1000,
    FLEET_DARK_COHORT_BYTES = 3 * BEACON_COHORT_BYTES + 3, /* "os/arch/engine" */
};

struct fleet_dark_query {
    const char *tenant; /* "": of all (INV-11) */
    const char *ring;   /* "": any; so with the others */
    const char *family;
    const char *cohort;
    int64_t release; /* 0: any */
    int64_t older_s; /* silent for so long at least */
    int64_t after;   /* endpoints that earlier pages looked at */
    size_t limit;    /* 1..FLEET_DARK_PAGE_MAX */
    struct rw_wall now;
};

/* {"dark":[{...}],"looked":N,"endpoints":N,"next":"N"?}: `looked` of `endpoints` are behind the page, which ends with
 * the endpoint that fills it. Fails with RW_E_NOT_FOUND: nobody ever told of such a ring, family or cohort. */
RW_RC fleet_dark_write_page(const struct fleet_state *f, const struct fleet_dark_query *q,
                            struct json_writer *w, struct rw_err *err);
/* Members of one endpoint's object: "seen_ago_s", and "dark", an array with an element per family in which it is. */
void fleet_dark_write_of(const struct fleet_state *f, const struct fleet_who *who,
                         struct rw_wall now, struct json_writer *w);

#endif
