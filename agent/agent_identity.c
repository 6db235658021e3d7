#include "agent/agent_identity.h"

#include "common/base/alt.h"
#include "common/base/file.h"
#include "common/json/json_write.h"
#include "common/policy/install_rule.h"

#include <string.h>

enum { IDENTITY_BYTES_MAX = 1024 };

static const char name[] = "identity";

static RW_RC parse(struct rw_span text, struct agent_identity *out, struct rw_err *err)
{
    static const char *const known[] = {"endpoint", "salt", "machine", "cloned_from"};
    uint8_t id[AGENT_IDENTITY_ID_BYTES];
    struct rw_span hex;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(text, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(json_get_span(tree, "endpoint", &hex, err));
    RW_TRY(rw_hex_decode(id, sizeof(id), hex, "endpoint", err));
    rw_hex_encode(out->endpoint, sizeof(out->endpoint), id, sizeof(id));
    RW_TRY(json_get_span(tree, "salt", &hex, err));
    RW_TRY(rw_hex_decode(out->salt, sizeof(out->salt), hex, "salt", err));
    out->has_machine = json_find(tree, "machine") != NULL;
    if (out->has_machine) {
        RW_TRY(json_get_span(tree, "machine", &hex, err));
        RW_TRY(rw_hex_decode(out->machine, sizeof(out->machine), hex, "machine", err));
    }
    out->cloned_from[0] = '\0';
    if (json_find(tree, "cloned_from") == NULL) { return RW_OK; }
    RW_TRY(json_get_span(tree, "cloned_from", &hex, err));
    RW_TRY(rw_hex_decode(id, sizeof(id), hex, "cloned_from", err));
    rw_hex_encode(out->cloned_from, sizeof(out->cloned_from), id, sizeof(id));
    return RW_OK;
}

static RW_RC save(int state_dir, const struct agent_identity *id, struct rw_err *err)
{
    char hex[2 * DIGEST_BYTES + 1];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(IDENTITY_BYTES_MAX);
    struct json_writer w = json_begin(&text);
    json_open_object(&w, NULL);
    json_put_str(&w, "endpoint", id->endpoint);
    rw_hex_encode(hex, sizeof(hex), id->salt, sizeof(id->salt));
    json_put_str(&w, "salt", hex);
    if (id->has_machine) {
        rw_hex_encode(hex, sizeof(hex), id->machine, sizeof(id->machine));
        json_put_str(&w, "machine", hex);
    }
    if (id->cloned_from[0] != '\0') { json_put_str(&w, "cloned_from", id->cloned_from); }
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    return rw_alt_save(state_dir, name, rw_buf_span(&text), err);
}

static RW_RC draw(struct agent_identity *out, struct rw_err *err)
{
    uint8_t id[AGENT_IDENTITY_ID_BYTES];
    RW_TRY(digest_random(id, sizeof(id), err));
    RW_TRY(digest_random(out->salt, sizeof(out->salt), err));
    rw_hex_encode(out->endpoint, sizeof(out->endpoint), id, sizeof(id));
    return RW_OK;
}

static RW_RC find_bucket(struct agent_identity *id, struct rw_err *err)
{
    uint8_t hash[DIGEST_BYTES];
    RW_TRY(digest_sha256(rw_span_of(id->salt, sizeof(id->salt)), hash, err));
    id->bucket = install_rule_bucket(hash);
    return RW_OK;
}

RW_RC agent_identity_load(int state_dir, struct agent_identity *out, bool *fresh_out,
                          struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(IDENTITY_BYTES_MAX);
    uint64_t serial = 0;
    struct rw_rc rc = rw_alt_load(state_dir, name, &text, &serial, err);
    *fresh_out = rc.code == RW_E_NOT_FOUND;
    if (*fresh_out) {
        *out = (struct agent_identity){.bucket = 0};
        RW_TRY(draw(out, err));
        RW_TRY(save(state_dir, out, err));
    } else {
        RW_TRY(rc);
        if (!rw_is_ok(parse(rw_buf_span(&text), out, err))) { return rw_wrap(err, "identity"); }
    }
    return find_bucket(out, err);
}

/* The salt keeps the machine's id from whoever gets to see the file. */
static RW_RC hash_machine(const struct agent_identity *id, struct rw_span machine_id,
                          uint8_t hash[static DIGEST_BYTES], struct rw_err *err)
{
    return digest_hmac(rw_span_of(id->salt, sizeof(id->salt)), machine_id, hash, err);
}

static RW_RC remove_beacon(void *ctx, const char *entry, struct rw_err *err)
{
    return rw_file_remove_at(*(const int *)ctx, entry, err);
}

/* What speaks for the other machine goes first: a crash in between finds the same copy again at the next start. */
static RW_RC forget_other(int state_dir, struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd spool = -1;
    RW_TRY(rw_file_remove_at(state_dir, "token", err));
    struct rw_rc rc = rw_dir_open_at(state_dir, "spool", &spool, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    return rw_dir_each(spool, remove_beacon, &spool, err);
}

RW_RC agent_identity_bind(int state_dir, struct rw_span machine_id, struct agent_identity *id,
                          bool *cloned_out, struct rw_err *err)
{
    uint8_t hash[DIGEST_BYTES];
    *cloned_out = false;
    if (machine_id.n == 0) { return RW_OK; }
    RW_TRY(hash_machine(id, machine_id, hash, err));
    if (id->has_machine && memcmp(hash, id->machine, sizeof(hash)) == 0) { return RW_OK; }
    struct agent_identity next = *id;
    if (id->has_machine) {
        *cloned_out = true;
        RW_TRY(forget_other(state_dir, err));
        rw_copy(next.cloned_from, sizeof(next.cloned_from), id->endpoint, sizeof(id->endpoint));
        RW_TRY(draw(&next, err));
        RW_TRY(find_bucket(&next, err));
        RW_TRY(hash_machine(&next, machine_id, hash, err));
    }
    next.has_machine = true;
    rw_copy(next.machine, sizeof(next.machine), hash, sizeof(hash));
    RW_TRY(save(state_dir, &next, err));
    *id = next;
    return RW_OK;
}

RW_RC agent_identity_proof(const struct agent_identity *id, char dst[static DIGEST_HEX_BYTES],
                           struct rw_err *err)
{
    uint8_t mac[DIGEST_BYTES];
    RW_TRY(digest_hmac(rw_span_of(id->salt, sizeof(id->salt)), rw_span_str("ringward-enrol-v1"),
                       mac, err));
    rw_hex_encode(dst, DIGEST_HEX_BYTES, mac, sizeof(mac));
    return RW_OK;
}
