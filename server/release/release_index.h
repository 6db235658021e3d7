/* release_index.h: what of every release must be known without reading its document: number, state, whether it is a
 * measure for later ones. Read once, then kept with each change. And of orders what alarms tell.
 *
 * memory   owns its entries until release_index_drop
 * threads  the store's thread
 * source   docs/server.md "Threads"
 */
#ifndef RINGWARD_RELEASE_INDEX_H
#define RINGWARD_RELEASE_INDEX_H

#include "server/release/release_codec.h"
#include "server/release/release_order_told.h"
#include "server/store/store.h"

struct release_index_entry {
    struct release_id id;
    int state; /* enum release_state */
    bool
        measure; /* published, seen by the box and no drill: later releases are measured against it */
};

struct release_index {
    struct release_index_entry *at; /* owned; by family and number */
    size_t count;
    size_t room;
    bool loaded; /* false: nothing is known */
    struct release_order_told orders;
};

/* Reads all documents, unless that was done. Fails with the store's codes, RW_E_SYNTAX, RW_E_SCHEMA, RW_E_NOMEM. */
RW_RC release_index_load(struct release_index *x, struct store *store, struct rw_err *err);
/* Takes in a release as it is now; forgets everything when there is no memory for it. No-op while nothing is known. */
void release_index_note(struct release_index *x, const struct release *r);
/* Something of it, orders included, may not have been kept: read again before the next use. */
void release_index_forget(struct release_index *x);
void release_index_drop(struct release_index *x); /* accepts a zeroed one */

/* The first entry at or behind `id` in order; count: there is none. */
size_t release_index_seek(const struct release_index *x, const struct release_id *id);

#endif
