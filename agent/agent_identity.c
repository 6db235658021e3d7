#include "agent/agent_identity.h"

#include "common/base/alt.h"
#include "common/json/json_write.h"
#include "common/policy/install_rule.h"

static const char name[] = "identity";

static RW_RC parse(struct rw_span text, struct agent_identity *out, struct rw_err *err)
{
    static const char *const known[] = {"endpoint", "salt"};
    uint8_t id[AGENT_IDENTITY_ID_BYTES];
    struct rw_span hex;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(text, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(json_get_span(tree, "endpoint", &hex, err));
    RW_TRY(rw_hex_decode(id, sizeof(id), hex, "endpoint", err));
    rw_hex_encode(out->endpoint, sizeof(out->endpoint), id, sizeof(id));
    RW_TRY(json_get_span(tree, "salt", &hex, err));
    return rw_hex_decode(out->salt, sizeof(out->salt), hex, "salt", err);
}

static RW_RC draw(int state_dir, struct agent_identity *out, struct rw_err *err)
{
    uint8_t id[AGENT_IDENTITY_ID_BYTES];
    char salt[2 * AGENT_IDENTITY_SALT_BYTES + 1];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(512);
    struct json_writer w = json_begin(&text);
    RW_TRY(digest_random(id, sizeof(id), err));
    RW_TRY(digest_random(out->salt, sizeof(out->salt), err));
    rw_hex_encode(out->endpoint, sizeof(out->endpoint), id, sizeof(id));
    rw_hex_encode(salt, sizeof(salt), out->salt, sizeof(out->salt));
    json_open_object(&w, NULL);
    json_put_str(&w, "endpoint", out->endpoint);
    json_put_str(&w, "salt", salt);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    return rw_alt_save(state_dir, name, rw_buf_span(&text), err);
}

RW_RC agent_identity_load(int state_dir, struct agent_identity *out, bool *fresh_out,
                          struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(512);
    uint8_t hash[DIGEST_BYTES];
    uint64_t serial = 0;
    struct rw_rc rc = rw_alt_load(state_dir, name, &text, &serial, err);
    *fresh_out = rc.code == RW_E_NOT_FOUND;
    if (*fresh_out) {
        RW_TRY(draw(state_dir, out, err));
    } else {
        RW_TRY(rc);
        if (!rw_is_ok(parse(rw_buf_span(&text), out, err))) { return rw_wrap(err, "identity"); }
    }
    RW_TRY(digest_sha256(rw_span_of(out->salt, sizeof(out->salt)), hash, err));
    out->bucket = install_rule_bucket(hash);
    return RW_OK;
}
