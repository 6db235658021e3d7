/* clone_watch.h: two machines that speak as one endpoint. Every start of an agent draws a number and sends it with its
 * beacons; the number of an earlier start never comes back, unless two agents with one identity take turns.
 *
 * Kept in memory only: after a restart of the server it is learnt again within some beacons.
 *
 * memory   owns its table: 48 bytes an endpoint, at most CLONE_WATCH_MAX; who comes later is not watched
 * threads  the core thread
 * source   docs/agent.md "Copied disks"
 */
#ifndef RINGWARD_CLONE_WATCH_H
#define RINGWARD_CLONE_WATCH_H

#include "common/json/json_write.h"

enum {
    CLONE_WATCH_MAX = 1 << 22,
    CLONE_WATCH_RETURNS =
        2, /* so often an earlier number must come back: one late request is no proof */
    CLONE_WATCH_ID_BYTES = 16,
};

struct clone_watch_entry {
    uint8_t id[CLONE_WATCH_ID_BYTES];
    uint64_t run; /* of the latest beacons; 0: the entry is free */
    uint64_t before;
    uint32_t returns;
    bool shared;
};

struct clone_watch {
    struct clone_watch_entry *entries; /* open addressing; NULL: nothing seen yet */
    size_t cap;                        /* a power of two */
    size_t count;
    uint64_t shared; /* endpoints that were found shared */
};

/* True when the endpoint is found shared now, once per endpoint. `run` 0: the agent sends none. */
bool clone_watch_see(struct clone_watch *w, const uint8_t id[static CLONE_WATCH_ID_BYTES],
                     uint64_t run);
void clone_watch_drop(struct clone_watch *w);
/* Appends one line for all of them to an open array; nothing when there are none (INV-12). `named`: with one of them,
 * which is nothing to read for other tenants. */
void clone_watch_write_alarms(const struct clone_watch *w, bool named, struct json_writer *out);

#endif
