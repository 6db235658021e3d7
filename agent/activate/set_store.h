/* set_store.h: content sets on disk ("sets/N") and the link that makes one of them active.
 *
 * A set is built completely and synced before the link may point at it; the switch is one atomic rename; set 0
 * is empty and always there. So at every instant `current` names a complete set (INV-6).
 *
 * memory   owns three directory descriptors
 * threads  one thread
 * source   docs/protocol.md 9
 */
#ifndef RINGWARD_SET_STORE_H
#define RINGWARD_SET_STORE_H

#include "agent/activate/manifest_codec.h"

#include <stdatomic.h>

struct set_store {
    int state;     /* borrowed: the state directory */
    int sets;      /* owned: "sets" */
    int store;     /* owned: "store" */
    bool relinked; /* there was no link that could be understood: it names the empty set since */
};

/* Makes directories, set 0 and the link where they are missing. */
RW_RC set_store_open(int state_dir, struct set_store *out, struct rw_err *err);
void set_store_drop(struct set_store *s);

/* Builds sets/N of what the manifest says from the store, by hard links; what a crash left under that number
 * is removed first. N must not be the set that the link names. `trial`: the family that is on trial in it, which a file
 * of that name says to the sensor until set_store_unmark; NULL: none. Durable on RW_OK. */
RW_RC set_store_build(const struct set_store *s, const struct manifest *m, const char *trial,
                      struct rw_err *err);
/* Empties the mark "trial" of a set: the trial is over. One without it is success. */
RW_RC set_store_unmark(const struct set_store *s, int64_t set, struct rw_err *err);
/* How gently a set is read that nobody waits for. */
struct set_store_pace {
    int64_t slice_bytes; /* between two pauses */
    int64_t pause_ms;
    const atomic_bool *stop; /* true: end with RW_E_BUSY */
};

/* Reads the manifest and verifies every file's kind, owner, mode, length and hash. */
RW_RC set_store_check(const struct set_store *s, int64_t set, struct manifest *out,
                      struct rw_err *err);
/* The same, slowly, in a thread of its own. The manifest must be `want`. */
RW_RC set_store_check_slowly(const struct set_store *s, const struct manifest *want,
                             const struct set_store_pace *pace, struct rw_err *err);
/* Reads the manifest only. */
RW_RC set_store_read(const struct set_store *s, int64_t set, struct manifest *out,
                     struct rw_err *err);
/* Points `current` at the set, atomically and durably. */
RW_RC set_store_switch(const struct set_store *s, int64_t set, struct rw_err *err);
/* The set that the link names. Fails with RW_E_NOT_FOUND, RW_E_SYNTAX. */
RW_RC set_store_active(const struct set_store *s, int64_t *set_out, struct rw_err *err);
/* Removes all sets but set 0 and those listed. */
RW_RC set_store_collect(const struct set_store *s, const int64_t *keep, size_t keep_count,
                        struct rw_err *err);

#endif
