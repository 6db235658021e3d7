/* An exported audit log, one record a line, as `audit verify` walks it: a record fits or the walk ends, numbers rise by
 * one, and what was taken is hashed. */
#include "server/cli/cmd_audit_chain.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool add_line(struct cmd_audit_chain *chain, struct rw_span line)
{
    struct rw_err err;
    const struct cmd_audit_chain before = *chain;
    RW_AUTO(json_tree) json_tree tree = NULL;
    if (!rw_is_ok(json_parse(line, &json_limits_small, &tree, &err))) { return false; }
    if (!rw_is_ok(cmd_audit_chain_add(chain, tree, &err))) {
        RW_ASSERT(memcmp(&before, chain, sizeof(before)) == 0);
        return false;
    }
    RW_ASSERT(chain->seq == before.seq + 1);
    RW_ASSERT(memcmp(before.hash, chain->hash, sizeof(before.hash)) != 0);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cmd_audit_chain chain = {.seq = 0};
    size_t at = 0;
    while (at < size) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t n = end == NULL ? size - at : (size_t)(end - data) - at;
        if (!add_line(&chain, rw_span_of(data + at, n))) { return 0; }
        at += n + 1;
    }
    return 0;
}
