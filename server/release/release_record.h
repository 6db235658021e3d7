/* release_record.h: one release in the store: load, change with its audit record, answer. Shared by release*.c.
 *
 * memory   as release_codec.h
 * threads  the store's thread
 * source   release.h is the public face; INV-9
 */
#ifndef RINGWARD_RELEASE_RECORD_H
#define RINGWARD_RELEASE_RECORD_H

#include "server/release/release.h"

/* Who did what, for the audit record. */
struct release_record_act {
    const char *actor;
    const char *action;     /* "release.create" */
    const char *reason;     /* "" when none is needed */
    struct rw_span details; /* JSON object; n 0: none */
};

/* Fails with RW_E_NOT_FOUND: there is none, or not for who asks. */
RW_RC release_record_unknown(const struct release_id *id, struct rw_err *err);
/* Fails with RW_E_NOT_FOUND. `out` is release_make()'s. */
RW_RC release_record_load(struct release_domain *d, const struct release_id *id,
                          struct release *out, struct rw_err *err);
/* Writes the next generation and the audit record in one transaction (INV-9); r->generation is the new one then.
 * Fails with RW_E_STALE, RW_E_EXISTS, RW_E_STORE; nothing changed then. */
RW_RC release_record_save(struct release_domain *d, struct release *r,
                          const struct release_record_act *act, struct rw_err *err);
/* The same inside a transaction of the caller, which may still fail: r->generation stays. */
RW_RC release_record_put(struct release_domain *d, const struct release *r,
                         const struct release_record_act *act, struct rw_err *err);
/* Where one of its parts lies. */
struct release_place release_record_place(const struct release_domain *d, const struct release *r,
                                          enum release_part part);
/* Appends the release object. */
RW_RC release_record_answer(const struct release *r, struct rw_buf *out, struct rw_err *err);
/* Fails with RW_E_POLICY, naming the present state, unless `wanted`. */
RW_RC release_record_require(const struct release *r, bool wanted, const char *what,
                             struct rw_err *err);

#endif
