/* cmd_audit_chain.h: walks audit records as they were served or exported and checks that each fits its predecessor.
 *
 * memory   values only; borrows what it is given
 * threads  one thread
 * source   docs/protocol.md 8 (audit page); INV-9. Trusts nothing that the server says about its own log.
 */
#ifndef RINGWARD_CMD_AUDIT_CHAIN_H
#define RINGWARD_CMD_AUDIT_CHAIN_H

#include "common/crypto/digest.h"
#include "common/json/json_read.h"

struct cmd_audit_chain {
    int64_t from; /* records up to this one were not seen: the chain begins behind it */
    int64_t seq;  /* of the last record that fits; 0: none yet */
    uint8_t hash[DIGEST_BYTES]; /* of that record; zeros before record 1 */
};

/* What came before is said to end with this record: a chain of which nothing was seen yet begins behind it, another one
 * must have come to it. `seq` and `hash` (hex) are members of `o`, `seq` under the name `seq_name`.
 * Fails with RW_E_TUF_HASH when it is another record. */
RW_RC cmd_audit_chain_anchor(struct cmd_audit_chain *chain, const struct json *o,
                             const char *seq_name, struct rw_err *err);
/* Takes the next record. Fails with RW_E_TUF_HASH naming the record when one is missing, changed or out of order. */
RW_RC cmd_audit_chain_add(struct cmd_audit_chain *chain, const struct json *record,
                          struct rw_err *err);

#endif
