/* fleet_slices.h: the fold in the store: written piece by piece while the fleet changes, and loaded.
 *
 * A fold takes many short transactions: it begins at a journal row, writes every slice that has changed since it was
 * written last, and ends with a head. Each slice has two places in the store; the one that the present head needs is
 * never written to, so that a crash anywhere leaves the fold before, whole (INV-8). Then journal rows up to the new
 * head's beginning are dropped, some at a time.
 *
 * memory   fleet_slices_drop frees; writing takes the room of one slice, or of the head
 * threads  the core thread only
 * source   docs/architecture.md "Storage"; shared by the fleet_*.c files only
 */
#ifndef RINGWARD_FLEET_SLICES_H
#define RINGWARD_FLEET_SLICES_H

#include "server/health/fleet_state.h"
#include "server/health/fleet_table.h"
#include "server/store/store.h"

/* A slice's two places in the store. */
struct fleet_places {
    int64_t mark[2];  /* -1: nothing stands there */
    int64_t bytes[2]; /* of what stands there */
};

struct fleet_slices {
    struct fleet_places *places; /* as the store has them */
    size_t cap;
    bool known;         /* `places` are those of the head of `base` */
    int64_t base;       /* mark of the present head */
    size_t image_bytes; /* of head and slices that it needs */
    size_t head_bytes;
    /* --- of the fold under way --- */
    bool running;
    int64_t from;  /* last journal row when it began */
    size_t next;   /* slice to look at next */
    size_t count;  /* slices that there were when it began */
    size_t covers; /* bytes of the journal before it */
    struct rw_buf begin;
    /* --- behind it --- */
    int64_t drop_to; /* journal rows up to here are to be dropped; 0: none */
    /* --- of one transaction; tests set less --- */
    size_t step_bytes;              /* written, and the rest of a slice */
    int64_t drop_rows;              /* of the journal */
    struct fleet_progress progress; /* of loads; `tell` may be NULL */
};

struct fleet_slices fleet_slices_none(void);
void fleet_slices_drop(struct fleet_slices *s);
/* Gives the fold under way up, and believes nothing about the store any more: after a transaction that failed. */
void fleet_slices_forget(struct fleet_slices *s);

struct fleet_loaded {
    int64_t last_row;     /* newest journal row that the table covers */
    size_t journal_bytes; /* behind the beginning of the fold */
};
/* Fills a table that fleet_table_make gave from fold and journal. Fails with the store's codes (also when another node
 * ended a fold meanwhile: load again), RW_E_PROTOCOL. */
RW_RC fleet_slices_load(struct fleet_slices *s, struct store *store, struct fleet_table *t,
                        struct fleet_loaded *out, struct rw_err *err);

struct fleet_fold_now {
    int64_t last_row;     /* which the table covers */
    size_t journal_bytes; /* behind the beginning of the fold before */
};
struct fleet_fold_done {
    bool more; /* to be done in another transaction */
    size_t
        covered; /* bytes of the journal that the fold covers which has ended with this piece, else 0 */
};
/* Does a piece of a fold, the first one when none is under way; needs a transaction. After a failure, also of the
 * commit, fleet_slices_forget must follow. Fails with the store's codes, RW_E_NOMEM. */
RW_RC fleet_slices_step(struct fleet_slices *s, struct store *store, const struct fleet_table *t,
                        const struct fleet_fold_now *now, struct fleet_fold_done *out,
                        struct rw_err *err);

#endif
