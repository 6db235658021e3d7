/* Goal: no document, however odd, that a repository publishes can make the checks of trust or the planning of a
 * rotation read outside of it; and what a plan writes says what it has read. */
#include "common/crypto/key_public.h"
#include "common/policy/trust_check.h"
#include "server/cli/cmd_trust_plan.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char policy_text[] =
    "{\"format\":1,\"rings\":[{\"name\":\"one\",\"share\":\"1%\"},{\"name\":\"two\",\"share\":"
    "\"rest\"}],"
    "\"classes\":{\"data\":{}},"
    "\"window\":{\"confirm\":{\"start\":16,\"deadline\":\"15m\",\"probation\":\"10m\"}}}";

static void plan(struct tuf_doc *root, struct tuf_doc *targets)
{
    struct rw_err err;
    RW_AUTO(cmd_trust_plan) struct cmd_trust_plan p = {.delegated = NULL};
    RW_AUTO(tuf_doc) struct tuf_doc again = {0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(CMD_TRUST_DOC_BYTES_MAX);
    RW_ASSERT(rw_is_ok(cmd_trust_plan_begin(&p, &err)));
    if (!rw_is_ok(cmd_trust_plan_take(&p, root, targets, &err))) { return; }
    int64_t version = p.targets_version;
    size_t roles = p.delegated_count;
    if (!rw_is_ok(cmd_trust_plan_write_targets(&p, &text, &err)) ||
        !rw_is_ok(cmd_trust_plan_parse(rw_buf_span(&text), "targets", &again, &err))) {
        return;
    }
    RW_ASSERT(again.version == version);
    const struct json *list = json_find(json_find(again.signed_part, "delegations"), "roles");
    RW_ASSERT(json_count(list) == roles);
}

/* Two documents, cut at the first NUL byte. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_err err;
    struct ring_policy policy;
    RW_AUTO(tuf_doc) struct tuf_doc root = {0};
    RW_AUTO(tuf_doc) struct tuf_doc targets = {0};
    const uint8_t *cut = size == 0 ? NULL : memchr(data, 0, size);
    if (cut == NULL) { return 0; }
    size_t first = (size_t)(cut - data);
    if (!rw_is_ok(tuf_doc_parse(rw_span_of(data, first), "root", &root, &err)) ||
        !rw_is_ok(
            tuf_doc_parse(rw_span_of(cut + 1, size - first - 1), "targets", &targets, &err))) {
        return 0;
    }
    RW_ASSERT(rw_is_ok(ring_policy_parse(rw_span_str(policy_text), &policy, &err)));
    bool fits = rw_is_ok(trust_check_root(&root, &err)) &&
                rw_is_ok(trust_check_targets(&root, &targets, &policy, &err));
    /* INV-7: what passed has an end before root's. */
    RW_ASSERT(!fits || targets.expires.s <= root.expires.s);
    plan(&root, &targets);
    return 0;
}
