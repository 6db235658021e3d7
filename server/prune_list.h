/* prune_list.h: what lies in a server's directory that may once have to go: metadata, payloads, differences, staging.
 *
 * The list is made before anything is asked about it, so that a file that is published meanwhile is not on it.
 *
 * memory   a list owns its entries until prune_list_drop
 * threads  no shared state; reads folders only
 * source   docs/protocol.md 2; docs/server.md "Removing what nobody needs"
 */
#ifndef RINGWARD_PRUNE_LIST_H
#define RINGWARD_PRUNE_LIST_H

#include "common/crypto/digest.h"
#include "server/prune_rule.h"

enum { PRUNE_PATH_BYTES = 320, PRUNE_NAME_BYTES = 64, PRUNE_ENTRIES_MAX = 1000000 };

enum prune_kind {
    PRUNE_METADATA, /* repo/metadata/VERSION.ROLE.json */
    PRUNE_PAYLOAD,  /* repo/targets/content/FAMILY/SHA256.NUMBER.rwc */
    PRUNE_DELTA,    /* repo/targets/delta/FAMILY/TO.FROM.zst */
    PRUNE_POLICY,   /* repo/targets/policy/SHA256.rings.json */
    PRUNE_STAGING,  /* staging/FAMILY/NUMBER, a folder */
    PRUNE_STRANGER, /* any other name in these folders: stays */
    PRUNE_KINDS
};

struct prune_entry {
    enum prune_kind kind;
    enum prune_verdict verdict;
    char path[PRUNE_PATH_BYTES]; /* below the server's directory */
    char name[PRUNE_NAME_BYTES]; /* role or family */
    int64_t number;              /* version or release */
    uint8_t
        sha256[DIGEST_BYTES]; /* payload, policy; of a difference the content that it leads to */
    int64_t written_s;
    int64_t bytes;
};

struct prune_list {
    struct prune_entry *at; /* owned; by kind, name, then number, the highest first */
    size_t count;
    size_t room;
};

/* Lists what lies below the server's directory `dir`; every verdict is PRUNE_UNKNOWN.
 * Fails with RW_E_RANGE (more than PRUNE_ENTRIES_MAX), RW_E_NOMEM, RW_E_IO, RW_E_NOT_FOUND. */
RW_RC prune_list_read(int dir, struct prune_list *out, struct rw_err *err);
void prune_list_drop(struct prune_list *list);
/* "metadata", "payload", "delta", "policy", "staging", "stranger". */
const char *prune_list_kind(enum prune_kind kind);

#endif
