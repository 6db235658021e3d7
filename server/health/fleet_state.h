/* fleet_state.h: the hot state of all endpoints: who is enrolled, what runs where, which permits are open, and the
 * counts per release, ring and cohort that pacing and health read. The journal is the truth, this is its fold.
 *
 * Changes are made in memory at once and their records gathered in a pending batch. Nothing may be answered before
 * the transaction that holds the flushed batch is committed (INV-2, INV-8). When that commit fails, memory is ahead
 * of the truth: call fleet_state_reload and answer every request of the batch with the failure.
 *
 * memory   a state owns its tables until fleet_state_drop; borrows the store
 * threads  the core thread only
 * source   docs/architecture.md "Storage"; INV-2, INV-4, INV-8, INV-11
 */
#ifndef RINGWARD_FLEET_STATE_H
#define RINGWARD_FLEET_STATE_H

#include "common/json/json_write.h"
#include "common/wire/beacon_codec.h"
#include "server/store/store.h"

struct fleet_state;

enum { FLEET_ENDPOINT_BYTES = 16, FLEET_TENANT_BYTES = 33 };

/* Whose request it is: from the verified token, never from the body. */
struct fleet_who {
    uint8_t endpoint[FLEET_ENDPOINT_BYTES];
    char tenant[FLEET_TENANT_BYTES];
    uint8_t before; /* beacons of the same request that came before the one at hand */
};

/* Told of a load that goes on, often: it must be quick. */
struct fleet_progress {
    void (*tell)(void *ctx, size_t slices, size_t of, size_t journal_bytes);
    void *ctx;
};

/* Loads the fold and replays the journal behind it. Fails with the store's codes, RW_E_PROTOCOL (a record
 * that this program does not know: refuse, never guess). */
RW_RC fleet_state_open(struct store *store, struct fleet_state **out, struct rw_err *err);
/* The same; `progress` (copied; its ctx outlives the state) hears of this load and of later ones. */
RW_RC fleet_state_open_told(struct store *store, const struct fleet_progress *progress,
                            struct fleet_state **out, struct rw_err *err);
void fleet_state_drop(struct fleet_state **f);
/* Throws memory and pending batch away and loads anew. */
RW_RC fleet_state_reload(struct fleet_state *f, struct rw_err *err);
/* Shared stores: takes in the journal rows of other nodes, up to the store's `now`. Fails with RW_E_BUSY when memory
 * must be loaded anew, which is better done outside of a transaction: it is too far behind, or has records of its own
 * that were never kept. */
RW_RC fleet_state_follow(struct fleet_state *f, struct rw_err *err);

/* --- changes: memory now, a record in the pending batch. Fail with RW_E_FULL, RW_E_NOMEM; nothing changed then. --- */
RW_RC fleet_state_enrol(struct fleet_state *f, const struct fleet_who *who, struct rw_wall now,
                        struct rw_err *err);
/* Takes one beacon. A repeat (same id) changes nothing and is told. Votes are counted once per endpoint, release
 * and signal (INV-11). A beacon of an endpoint that never enrolled here enrols it (its token proves it). */
RW_RC fleet_state_beacon(struct fleet_state *f, const struct fleet_who *who, const struct beacon *b,
                         struct rw_wall now, bool *duplicate_out, struct rw_err *err);
/* Marks permits whose deadline has passed as dark (INV-4). Gives how many. */
RW_RC fleet_state_expire(struct fleet_state *f, struct rw_wall now, size_t *expired_out,
                         struct rw_err *err);

/* The endpoint is asked about soon: begins to bring what is known of it near the processor. Told of all endpoints of a
 * batch first, the waits for memory overlap. Changes nothing. */
void fleet_state_expect(const struct fleet_state *f,
                        const uint8_t endpoint[static FLEET_ENDPOINT_BYTES]);

/* Appends the pending batch to the journal; needs a transaction; nothing when the batch is empty. */
RW_RC fleet_state_flush(struct fleet_state *f, struct rw_err *err);
/* True when the journal behind the fold is long enough that one should begin. */
bool fleet_state_fold_due(const struct fleet_state *f);
/* A piece of a fold, of a megabyte or so: what changed since the one before is written, then the journal rows that it
 * covers are dropped. Needs a transaction; the batch must be empty; records of any kind may come between two pieces.
 * *more_out: call again, in another transaction. */
RW_RC fleet_state_fold(struct fleet_state *f, bool *more_out, struct rw_err *err);
/* The transaction of a piece failed, or may have: the fold is begun anew. Memory is as true as before. */
void fleet_state_fold_lost(struct fleet_state *f);

/* --- views --- */
size_t fleet_state_endpoints(const struct fleet_state *f);
/* A page looks at so many endpoints at most: one of a tenant may be short or empty and have a `next`. */
enum { FLEET_PAGE_LOOKS = 16384 };
/* One page {"endpoints":[{...}],"next":"N"?} in order of first sight, behind the first `after` endpoints; `tenant` ""
 * means all tenants (INV-11). limit 1..1000. */
RW_RC fleet_state_write_page(const struct fleet_state *f, const char *tenant, int64_t after,
                             size_t limit, struct json_writer *w, struct rw_err *err);
/* One endpoint object, left open for more members, and whose it is. Fails with RW_E_NOT_FOUND, also for another
 * tenant's endpoint. */
RW_RC fleet_state_write_one(const struct fleet_state *f, const char *tenant,
                            const uint8_t endpoint[static FLEET_ENDPOINT_BYTES],
                            struct fleet_who *who_out, struct json_writer *w, struct rw_err *err);
/* Prometheus samples: endpoints by ring, sandbox grade and trust (INV-12), permits open, beacons by kind. */
RW_RC fleet_state_metrics(const struct fleet_state *f, struct rw_buf *into, struct rw_err *err);
/* Into an open array: endpoints that count as cohort "other" (INV-12). */
void fleet_state_write_alarms(const struct fleet_state *f, struct json_writer *w);

#endif
