/* audit_segment.h: moves the old part of the audit log out of the store into files that are kept for good.
 *
 * A segment holds records A+1 to B as `ringward audit export` writes them, one a line, each with its hash, and begins
 * with {"format":"ringward-audit-1","after":A,"hash":HEX of record A}. It is durable before the store lets go of them,
 * in one transaction with the new anchor (audit_log.h) and a record that names the file and its hash (INV-9).
 *
 * memory   borrows its settings; gives nothing
 * threads  one thread per store; a server does it beside its core thread, with a connection of its own
 * source   docs/server.md "The audit log in files"
 */
#ifndef RINGWARD_AUDIT_SEGMENT_H
#define RINGWARD_AUDIT_SEGMENT_H

#include "common/base/clock.h"
#include "server/store/store.h"

struct audit_segment_settings {
    struct store *store;
    int dir;            /* folder of the segments */
    struct rw_wall now; /* for age and record */
    int64_t age_s;      /* only records that are so old */
    int64_t before;     /* only records below this number: somebody still needs that one */
    int64_t most;       /* records in a file at most, 1..AUDIT_SEGMENT_RECORDS_MAX */
};

enum { AUDIT_SEGMENT_RECORDS_MAX = 20000 };

/* Moves one segment; gives the number of its records, 0: there is nothing to move. The newest record always stays.
 * What a crash leaves is a file whose records are still in the store.
 * Fails with RW_E_TUF_HASH (the chain does not hold: nothing is moved), RW_E_STALE, RW_E_FULL, RW_E_IO, RW_E_STORE. */
RW_RC audit_segment_move(const struct audit_segment_settings *s, int64_t *count_out,
                         struct rw_err *err);

#endif
