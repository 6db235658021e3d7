/* fleet_load.h: permits and beacons at fixed rates, whatever the answers take (open loop), for benchmarks.
 *
 * memory   borrows everything
 * threads  runs the loop until the end
 * source   docs/fleet.md "Load"
 */
#ifndef RINGWARD_FLEET_LOAD_H
#define RINGWARD_FLEET_LOAD_H

#include "tests/fleet/fleet_enrol.h"
#include "tests/fleet/fleet_view.h"

struct fleet_load_options {
    int64_t permits_per_s;
    int64_t beacons_per_s; /* requests; each carries `batch` beacons */
    int64_t seconds;
    int64_t batch; /* 1..BEACON_BATCH_MAX */
    char ring[BEACON_NAME_BYTES];
    char family[BEACON_NAME_BYTES];
    struct beacon_cohort cohort;
};

struct fleet_load_result {
    struct fleet_stat permits;
    struct fleet_stat beacons;
    uint64_t granted, waited, refused; /* decisions of permits */
    uint64_t accepted;                 /* beacons */
    int64_t release;                   /* asked for */
    double seconds;                    /* from the first request to the last answer */
    struct fleet_http_counters http;
};

/* Against whom, and by whom. */
struct fleet_load_sides {
    struct event_base *base;
    const struct fleet_http_options *http;
    struct fleet_book *book;
    const struct fleet_view *view;
};

/* Permits are asked for what the ring's pointer names; beacons are `healthy` of who was granted one, else `alive`.
 * Fails with RW_E_NOT_FOUND when the ring points at nothing. */
RW_RC fleet_load_run(const struct fleet_load_sides *sides, const struct fleet_load_options *o,
                     struct fleet_load_result *out, struct rw_err *err);

#endif
