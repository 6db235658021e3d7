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
#include "common/json/json_write.h"
#include "server/store/store.h"

struct audit_log_entry {
    const char *actor;      /* operator's name, "controller", "server" */
    const char *action;     /* "release.create", "rollout.halt", ... */
    const char *object;     /* "yara/2", "ring canary of yara/2" */
    const char *reason;     /* "" when none is needed */
    struct rw_span details; /* JSON object with more facts; n 0: none */
};

/* Appends one record; needs a transaction: it is kept or lost together with the change. */
RW_RC audit_log_append(struct store *store, const struct audit_log_entry *entry, struct rw_wall now,
                       struct rw_err *err);
/* Writes {"records":[{...,"hash":"<hex>"}],"next":N?}: at most `limit` (1..1000) records behind `after`. */
RW_RC audit_log_write_page(struct store *store, int64_t after, int64_t limit, struct json_writer *w,
                           struct rw_err *err);
/* Walks the whole chain. Fails with RW_E_TUF_HASH naming the first record that does not fit. */
RW_RC audit_log_verify(struct store *store, int64_t *count_out, struct rw_err *err);

#endif
