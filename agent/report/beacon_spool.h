/* beacon_spool.h: the bounded queue of beacons on disk, one file each, in the order of their making.
 *
 * A file is named SEQUENCE-KIND-ID.json and holds the beacon's own JSON text, so a beacon survives a kill
 * at any point and its id makes a repeat harmless. A full spool drops the oldest `alive` first: what tells
 * of failures goes last (INV-4), and every drop is counted on disk, shown and told (INV-12). A disk without room counts
 * as a full spool: the oldest `alive` makes room. An `alive` that says what the last one said takes its place, so that
 * an endpoint without a server spools what happened, not how long it took.
 *
 * memory   the index lives in the struct (BEACON_SPOOL_MAX entries); files are written and removed at once
 * threads  one thread per spool
 * source   docs/protocol.md 7 and 9
 */
#ifndef RINGWARD_BEACON_SPOOL_H
#define RINGWARD_BEACON_SPOOL_H

#include "common/wire/beacon_codec.h"

enum {
    BEACON_SPOOL_MAX = 4096,
    BEACON_SPOOL_FILE_BYTES_MAX = 2048,
    BEACON_SPOOL_NAME_BYTES = 72,
};

struct beacon_spool_entry {
    uint64_t seq; /* rises with each beacon */
    char kind;    /* first letter of the kind's name; 'x': unknown */
    uint8_t id[BEACON_ID_BYTES];
};

struct beacon_spool {
    int dir;       /* owned */
    int state_dir; /* borrowed; holds the counters ("dropped.a", "dropped.b") */
    struct beacon_spool_entry *entries; /* owned; sorted by seq */
    size_t count;
    size_t max; /* greatest count */
    uint64_t next_seq;
    int64_t dropped; /* beacons, in the whole life of this state directory */
    int64_t told;    /* how many of them the server was told about */
    char run[17];    /* hex, drawn at the start; "": none is sent */
};

/* Opens "spool" below the state directory (made when missing); removes what a crash left half-written and
 * files that are no beacons. `max` 1..BEACON_SPOOL_MAX. Fails with RW_E_IO, RW_E_NOMEM. */
RW_RC beacon_spool_open(int state_dir, size_t max, struct beacon_spool *out, struct rw_err *err);
void beacon_spool_drop(struct beacon_spool *s);
/* Counts what could not be kept by somebody else's fault. */
void beacon_spool_count_dropped(struct beacon_spool *s, int64_t count);
/* The server will hear about all drops so far: durable with the beacon that says so. */
void beacon_spool_mark_told(struct beacon_spool *s);

/* Durable on RW_OK. An `alive` removes the last one that waits of its family when that says the same but for id and
 * time, and when no other kind came behind it. Fails with RW_E_FULL (also without any `alive` left there is no room, or
 * this is one and all that wait tell more), RW_E_IO, RW_E_TOO_BIG. */
RW_RC beacon_spool_add(struct beacon_spool *s, const struct beacon *b, struct rw_err *err);

/* Composes {"beacons":[...]} of the oldest ones, at most BEACON_BATCH_MAX; writes their numbers.
 * *count_out 0: nothing waits. A file that cannot be read as a beacon any more is dropped and counted. */
RW_RC beacon_spool_batch(struct beacon_spool *s, struct rw_buf *body,
                         uint64_t seqs[static BEACON_BATCH_MAX], size_t *count_out,
                         struct rw_err *err);
/* The same of the newest ones: for what cannot wait for its turn. They stay in the spool; their ids make repeats
 * harmless. */
RW_RC beacon_spool_newest(struct beacon_spool *s, struct rw_buf *body, size_t *count_out,
                          struct rw_err *err);
/* Removes what was acknowledged (or refused for good). Numbers that are gone already are skipped. */
RW_RC beacon_spool_remove(struct beacon_spool *s, const uint64_t *seqs, size_t count,
                          struct rw_err *err);

#endif
