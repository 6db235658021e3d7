#include "common/tuf/tuf_write.h"

#include "common/json/json_canon.h"
#include "common/json/json_write.h"
#include "common/tuf/tuf_doc.h"

RW_RC tuf_write_sign(struct rw_span signed_text, const struct key *key,
                     char sig_hex[static 2 * SIG_BYTES_MAX + 1], struct rw_err *err)
{
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(rw_buf) struct rw_buf canon = rw_buf_make(TUF_CANON_BYTES_MAX);
    RW_TRY(json_parse(signed_text, &json_limits_metadata, &tree, err));
    RW_TRY(json_canon(tree, &canon, err));
    return key_sign(key, rw_buf_span(&canon), sig_hex, err);
}

RW_RC tuf_write_envelope_of(struct rw_span signed_text, const struct tuf_write_sig *sigs,
                            size_t sig_count, struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_open_array(&w, "signatures");
    for (size_t i = 0; i < sig_count; i++) {
        json_open_object(&w, NULL);
        json_put_str(&w, "keyid", sigs[i].keyid);
        json_put_str(&w, "sig", sigs[i].sig_hex);
        json_close_object(&w);
    }
    json_close_array(&w);
    json_put_raw(&w, "signed", signed_text);
    json_close_object(&w);
    return json_done(&w, err);
}

RW_RC tuf_write_envelope(struct rw_span signed_text, const struct key *keys, size_t key_count,
                         struct rw_buf *into, struct rw_err *err)
{
    RW_ASSERT(key_count >= 1 && key_count <= TUF_KEYS_MAX);
    struct tuf_write_sig *sigs = rw_mem_new_array(key_count, sizeof(*sigs));
    if (sigs == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for signatures"); }
    struct rw_rc rc = RW_OK;
    for (size_t i = 0; i < key_count && rw_is_ok(rc); i++) {
        rw_copy(sigs[i].keyid, sizeof(sigs[i].keyid), keys[i].id, sizeof(keys[i].id));
        rc = tuf_write_sign(signed_text, &keys[i], sigs[i].sig_hex, err);
    }
    if (rw_is_ok(rc)) { rc = tuf_write_envelope_of(signed_text, sigs, key_count, into, err); }
    rw_mem_free(sigs);
    return rc;
}
