/* What the store gives back of a token: refused, or a token of a role that a stored one can have, written back to the
 * same. A document that was changed on the disk must not let more in than one that was made here could. */
#include "server/api/token_doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_err err;
    struct token_doc t;
    struct token_doc again;
    RW_AUTO(rw_buf) struct rw_buf one = rw_buf_make((size_t)4 * TOKEN_DOC_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf two = rw_buf_make((size_t)4 * TOKEN_DOC_BYTES_MAX);
    if (!rw_is_ok(token_doc_read(rw_span_of(data, size), &t, &err))) { return 0; }
    RW_ASSERT(t.token.role == API_AUTH_ENROL ||
              (t.token.role >= API_AUTH_VIEWER && t.token.role <= API_AUTH_ADMIN));
    RW_ASSERT(token_doc_role_name(t.token.role) != NULL);
    RW_ASSERT(rw_is_ok(token_doc_write(&t, &one, &err)));
    RW_ASSERT(rw_is_ok(token_doc_read(rw_buf_span(&one), &again, &err)));
    RW_ASSERT(rw_is_ok(token_doc_write(&again, &two, &err)));
    RW_ASSERT(rw_span_eq(rw_buf_span(&one), rw_buf_span(&two)));
    RW_ASSERT(again.token.role == t.token.role && again.revoked == t.revoked &&
              again.used == t.used && again.token.once == t.token.once);
    return 0;
}
