/* fleet_window.h: windows of observation, treated and control, in buckets of the minute in which they close.
 *
 * A permit opens a treated window until its deadline. A beacon of an endpoint that has not been exposed to the family's
 * newest release opens a window of the same length there: it closes "seen" when the endpoint is heard of again in its
 * last third, else dark. So darkness of treated endpoints is compared with that of untouched ones that were observed
 * alike (INV-4). Only integers are kept here; what they mean is late_rule.h's.
 *
 * memory   a set owns its entries until fleet_windows_drop
 * threads  the core thread only
 * source   docs/health.md "Control"; shared by the fleet_*.c files only
 */
#ifndef RINGWARD_FLEET_WINDOW_H
#define RINGWARD_FLEET_WINDOW_H

#include "common/base/err.h"

enum {
    FLEET_BUCKETS = 32, /* kept at once: those of one window, and some time to read them */
    FLEET_BUCKETS_PER_WINDOW = 15, /* one minute each, of windows of 15 minutes */
    FLEET_AHEAD_S = 86400,         /* what is dated later than this is of a clock that was ahead */
};

struct fleet_bucket {
    int64_t id; /* end of its windows / width; 0: empty */
    uint32_t treated;
    uint32_t treated_dark;
    uint32_t control;
    uint32_t control_seen;
};

struct fleet_window_entry {
    uint64_t key; /* as of a count; 0: free */
    struct fleet_bucket buckets[FLEET_BUCKETS];
};

struct fleet_windows {
    struct fleet_window_entry *entries;
    size_t used;
    size_t cap;
};

void fleet_windows_drop(struct fleet_windows *w);
/* Room for that many more entries. Fails with RW_E_NOMEM. */
RW_RC fleet_windows_reserve(struct fleet_windows *w, size_t more, struct rw_err *err);
/* Forgets the entries of one serial. Fails with RW_E_NOMEM. */
RW_RC fleet_windows_forget(struct fleet_windows *w, uint32_t serial, struct rw_err *err);

/* Forgets what stands in the buckets of one cohort, of all rings and releases. */
void fleet_windows_empty(struct fleet_windows *w, uint16_t cohort);

/* NULL when there is none. */
const struct fleet_window_entry *fleet_windows_find(const struct fleet_windows *w, uint64_t key);
/* Made when it is missing; room was reserved. */
struct fleet_window_entry *fleet_windows_at(struct fleet_windows *w, uint64_t key);

/* Seconds that one bucket covers. */
int64_t fleet_window_width_s(int64_t window_s);
/* The bucket of windows that close at `end_s`; an older one in its place is forgotten. NULL when there is a newer one:
 * these windows have been read, or were missed; one that is a day ahead is forgotten too. */
struct fleet_bucket *fleet_window_bucket(struct fleet_window_entry *e, int64_t end_s,
                                         int64_t width_s);
/* The same without making one; NULL when it is not there. */
const struct fleet_bucket *fleet_window_peek(const struct fleet_window_entry *e, int64_t id);
/* Control windows that are surely open now: control endpoints that were heard of lately. */
int64_t fleet_window_open_control(const struct fleet_window_entry *e, int64_t now_s,
                                  int64_t width_s);

#endif
