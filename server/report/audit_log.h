/* audit_log.h: the hash-chained record of every change of state, written in the change's own transaction (INV-9).
 *
 * A record is {"seq","at","actor","action","object","reason",...}; its hash is SHA-256 of the predecessor's hash
 * followed by the record's text; record 1 follows 32 zero bytes. So the log can be verified offline.
 *
 * memory   borrows the store and every argument
 * threads  the store's thread
 * source   docs/architecture.md "Audit"
 */
#ifndef RINGWARD_AUDIT_LOG_H
#define RINGWARD_AUDIT_LOG_H

#include "common/base/clock.h"
#include "common/crypto/digest.h"
#include "common/json/json_write.h"
#include "server/store/store.h"

struct audit_log_entry {
    const char *actor;      /* operator's name, "controller", "server" */
    const char *action;     /* "release.create", "rollout.halt", ... */
    const char *object;     /* "yara/2", "ring canary of yara/2" */
    const char *reason;     /* "" when none is needed */
    struct rw_span details; /* JSON object with more facts; n 0: none */
};

/* The last record that is not in the store any more (audit_segment.h); the first one there follows it. */
struct audit_log_anchor {
    int64_t seq; /* 0: all are there */
    uint8_t hash[DIGEST_BYTES];
    int64_t generation; /* of the stored document; 0: there is none */
};

/* Gives seq 0 and zeros when no record was moved yet. Fails with RW_E_SYNTAX, RW_E_SCHEMA, the store's codes. */
RW_RC audit_log_anchor(struct store *store, struct audit_log_anchor *out, struct rw_err *err);
/* Stores it in place of the one of `a->generation`. Needs a transaction. Fails as store_doc_put. */
RW_RC audit_log_put_anchor(struct store *store, const struct audit_log_anchor *a,
                           struct rw_err *err);
/* Whether a record follows that one and fits its hash. Fails with RW_E_TUF_HASH naming the record. */
RW_RC audit_log_follows(const struct audit_log_anchor *before, const struct store_audit *a,
                        struct rw_err *err);

/* Appends one record; needs a transaction: it is kept or lost together with the change. */
RW_RC audit_log_append(struct store *store, const struct audit_log_entry *entry, struct rw_wall now,
                       struct rw_err *err);
/* Writes {"records":[{...,"hash":"<hex>"}],"next":N?,"anchor":{"seq":N,"hash":"<hex>"}?}: at most `limit` (1..1000)
 * records behind `after`; `anchor` when some of these are not in the store any more. */
RW_RC audit_log_write_page(struct store *store, int64_t after, int64_t limit, struct json_writer *w,
                           struct rw_err *err);
/* Walks the chain from the anchor on. Gives the number of the last record. Fails with RW_E_TUF_HASH naming the first
 * record that does not fit. */
RW_RC audit_log_verify(struct store *store, int64_t *count_out, struct rw_err *err);

#endif
