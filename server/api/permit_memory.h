/* permit_memory.h: what endpoints were answered last when they asked for a permit, for people who ask why.
 *
 * A granted permit is in the journal (INV-2); that somebody was told to wait is worth no record. It is remembered here
 * as far as there is room: an answer goes when another endpoint's comes to the same place, and with the process. Of
 * several nodes each remembers what it answered. Nothing is decided by it.
 *
 * memory   owns its table, made with the first answer: 1.3 MiB; permit_memory_drop accepts a zeroed one
 * threads  the core thread
 * source   docs/server.md "Why an endpoint has what it has"
 */
#ifndef RINGWARD_PERMIT_MEMORY_H
#define RINGWARD_PERMIT_MEMORY_H

#include "common/wire/beacon_codec.h"
#include "server/health/fleet_state.h"

enum { PERMIT_MEMORY_MAX = 1 << 12 };

struct permit_memory_entry {
    uint8_t endpoint[FLEET_ENDPOINT_BYTES];
    char family[BEACON_NAME_BYTES]; /* "": free */
    int64_t release;
    struct rw_wall at;
    struct beacon_permit_answer answer;
};

struct permit_memory {
    struct permit_memory_entry *entries; /* NULL: nothing yet */
};

/* Without memory for the table nothing is remembered. */
void permit_memory_note(struct permit_memory *m, const struct fleet_who *who,
                        const struct beacon_permit_request *request, struct rw_wall now,
                        const struct beacon_permit_answer *answer);
/* The latest answer about this family; NULL: not remembered. Good until the next note. */
const struct permit_memory_entry *
permit_memory_find(const struct permit_memory *m, const struct fleet_who *who, const char *family);
void permit_memory_drop(struct permit_memory *m);

#endif
