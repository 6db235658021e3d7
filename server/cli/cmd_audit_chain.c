#include "server/cli/cmd_audit_chain.h"

#include "common/json/json_write.h"

enum { RECORD_BYTES_MAX = 64 * 1024, NAME_BYTES = 64 };

/* The bytes that were hashed: the record packed, in its own order, without its last member "hash". */
static RW_RC record_text(const struct json *record, struct rw_buf *into, struct rw_span *hash_out,
                         struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    const struct json *last = NULL;
    json_open_object(&w, NULL);
    for (const struct json *v = json_first(record); v != NULL; v = json_next(v)) {
        char name[NAME_BYTES];
        last = v;
        if (json_next(v) == NULL) { break; }
        RW_TRY(rw_span_to_str(name, sizeof(name), json_name(v), "member of a record", err));
        json_put_tree(&w, name, v);
    }
    json_close_object(&w);
    if (last == NULL || !rw_span_is(json_name(last), "hash") || json_type(last) != JSON_STR) {
        return rw_fail(err, RW_E_TUF_HASH, "an audit record does not end with its hash");
    }
    *hash_out = json_str(last);
    return json_done(&w, err);
}

RW_RC cmd_audit_chain_anchor(struct cmd_audit_chain *chain, const struct json *o,
                             const char *seq_name, struct rw_err *err)
{
    uint8_t hash[DIGEST_BYTES];
    struct rw_span hex;
    int64_t seq = 0;
    RW_TRY(json_get_int(o, seq_name, 0, RW_JSON_INT_MAX, &seq, err));
    RW_TRY(json_get_span(o, "hash", &hex, err));
    RW_TRY(rw_hex_decode(hash, sizeof(hash), hex, "hash", err));
    if (chain->seq == 0 && seq > 0) {
        chain->seq = chain->from = seq;
        rw_copy(chain->hash, sizeof(chain->hash), hash, sizeof(hash));
        return RW_OK;
    }
    if (seq == chain->seq && digest_same(hash, chain->hash, sizeof(hash))) { return RW_OK; }
    return rw_fail(err, RW_E_TUF_HASH,
                   "what begins behind audit record %lld does not follow record %lld",
                   (long long)seq, (long long)chain->seq);
}

RW_RC cmd_audit_chain_add(struct cmd_audit_chain *chain, const struct json *record,
                          struct rw_err *err)
{
    uint8_t want[DIGEST_BYTES];
    uint8_t said[DIGEST_BYTES];
    struct rw_span hex;
    struct rw_err unused;
    int64_t seq = 0;
    RW_AUTO(digest) struct digest d = {.ctx = NULL};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RECORD_BYTES_MAX);
    if (!rw_is_ok(json_get_int(record, "seq", 1, RW_JSON_INT_MAX, &seq, &unused)) ||
        seq != chain->seq + 1) {
        return rw_fail(err, RW_E_TUF_HASH, "audit record %lld is missing or out of order",
                       (long long)chain->seq + 1);
    }
    RW_TRY(record_text(record, &text, &hex, err));
    RW_TRY(digest_begin(&d, err));
    RW_TRY(digest_add(&d, rw_span_of(chain->hash, DIGEST_BYTES), err));
    RW_TRY(digest_add(&d, rw_buf_span(&text), err));
    RW_TRY(digest_end(&d, want, err));
    if (!rw_is_ok(rw_hex_decode(said, sizeof(said), hex, "hash", &unused)) ||
        !digest_same(want, said, sizeof(want))) {
        return rw_fail(err, RW_E_TUF_HASH,
                       "audit record %lld does not fit its hash and its predecessor",
                       (long long)seq);
    }
    chain->seq = seq;
    rw_copy(chain->hash, sizeof(chain->hash), want, sizeof(want));
    return RW_OK;
}
