#include "server/release/release_codec.h"

#include "common/base/num.h"
#include "common/policy/ring_policy.h"

#include <stdio.h>
#include <string.h>

struct release release_make(void)
{
    return (struct release){.generation = 0,
                            .sign_within_s = RELEASE_SIGN_WITHIN_S_MIN,
                            .check = rw_buf_make(RELEASE_VERDICT_BYTES_MAX),
                            .tosign = rw_buf_make(RELEASE_TOSIGN_BYTES_MAX)};
}

void release_drop(struct release *r)
{
    if (r->check.max > 0) { rw_buf_drop(&r->check); }
    if (r->tosign.max > 0) { rw_buf_drop(&r->tosign); }
}

/* --- identity --- */
RW_RC release_id_parse(struct rw_span family, struct rw_span number, struct release_id *out,
                       struct rw_err *err)
{
    struct release_id id = {.number = 0};
    struct rw_err why;
    if (rw_is_ok(rw_span_to_str(id.family, sizeof(id.family), family, "family", &why)) &&
        rw_is_ok(ring_policy_check_name(id.family, "family", &why)) &&
        rw_is_ok(rw_parse_i64(number, 1, RELEASE_NUMBER_MAX, "release", &id.number, &why))) {
        *out = id;
        return RW_OK;
    }
    return rw_fail(err, RW_E_NOT_FOUND, "there is no such release: %s", why.text);
}

void release_id_key(const struct release_id *id, char dst[static RELEASE_KEY_BYTES])
{
    RW_ASSERT(id->number >= 1 && id->number <= RELEASE_NUMBER_MAX);
    (void)snprintf(dst, RELEASE_KEY_BYTES, "%s/%010lld", id->family, (long long)id->number);
}

/* --- pieces shared by request and stored form --- */
static RW_RC check_hex(const char *hex, const char *what, struct rw_err *err)
{
    uint8_t raw[DIGEST_BYTES];
    struct rw_err why;
    if (rw_is_ok(rw_hex_decode(raw, sizeof(raw), rw_span_str(hex), what, &why))) { return RW_OK; }
    return rw_fail(err, RW_E_SCHEMA, "%s is not 64 lower-case hex digits", what);
}

static RW_RC read_file(const struct json *tree, const char *name, bool stored,
                       struct release_file *out, struct rw_err *err)
{
    static const char *const known[] = {"sha256", "bytes", "here"};
    const struct json *o = NULL;
    struct release_file f = {.declared = true};
    RW_TRY(json_get(tree, name, JSON_OBJECT, &o, err));
    RW_TRY(json_only(o, known, stored ? 3 : 2, err));
    RW_TRY(json_get_str(o, "sha256", f.sha256, sizeof(f.sha256), err));
    RW_TRY(check_hex(f.sha256, "sha256", err));
    RW_TRY(json_get_int(o, "bytes", 1, RELEASE_FILE_BYTES_MAX, &f.bytes, err));
    if (stored) { RW_TRY(json_get_bool(o, "here", &f.here, err)); }
    *out = f;
    return RW_OK;
}

static RW_RC read_engine(const struct json *tree, struct release *r, struct rw_err *err)
{
    static const char *const known[] = {"min", "max"};
    const struct json *o = NULL;
    RW_TRY(json_get(tree, "engine", JSON_OBJECT, &o, err));
    RW_TRY(json_only(o, known, RW_LEN(known), err));
    RW_TRY(json_get_int(o, "min", 0, RW_JSON_INT_MAX, &r->engine_min, err));
    RW_TRY(json_get_int(o, "max", 0, RW_JSON_INT_MAX, &r->engine_max, err));
    if (r->engine_min <= r->engine_max) { return RW_OK; }
    return rw_fail(err, RW_E_RANGE, "engine: min %lld is above max %lld", (long long)r->engine_min,
                   (long long)r->engine_max);
}

static RW_RC check_platform(const char *name, struct rw_err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    if (name[0] != '\0' && strspn(name, allowed) == strlen(name)) { return RW_OK; }
    return rw_fail(err, RW_E_SCHEMA, "platform '%.40s': want a-z, 0-9, '-', '_', '.'", name);
}

static RW_RC read_platforms(const struct json *tree, struct release *r, struct rw_err *err)
{
    const struct json *list = NULL;
    RW_TRY(json_get(tree, "platforms", JSON_ARRAY, &list, err));
    if (json_count(list) < 1 || json_count(list) > RELEASE_PLATFORMS_MAX) {
        return rw_fail(err, RW_E_RANGE, "%zu platforms, want 1..%d", json_count(list),
                       RELEASE_PLATFORMS_MAX);
    }
    for (const struct json *p = json_first(list); p != NULL; p = json_next(p)) {
        if (json_type(p) != JSON_STR) { return rw_fail(err, RW_E_SCHEMA, "platforms are strings"); }
        char *dst = r->platforms[r->platform_count++];
        RW_TRY(rw_span_to_str(dst, RELEASE_NAME_BYTES, json_str(p), "platform", err));
        RW_TRY(check_platform(dst, err));
    }
    return RW_OK;
}

static RW_RC opt_bool(const struct json *tree, const char *name, bool *out, struct rw_err *err)
{
    *out = false;
    return json_find(tree, name) == NULL ? RW_OK : json_get_bool(tree, name, out, err);
}

/* What the author declares; the same members in the request and in the store. */
static RW_RC read_declared(const struct json *tree, bool stored, struct release *r,
                           struct rw_err *err)
{
    RW_TRY(json_get_str(tree, "family", r->id.family, sizeof(r->id.family), err));
    RW_TRY(ring_policy_check_name(r->id.family, "family", err));
    RW_TRY(json_get_str(tree, "class", r->class_name, sizeof(r->class_name), err));
    RW_TRY(ring_policy_check_name(r->class_name, "class", err));
    RW_TRY(json_get_str(tree, "notes", r->notes, sizeof(r->notes), err));
    RW_TRY(read_engine(tree, r, err));
    RW_TRY(read_platforms(tree, r, err));
    RW_TRY(read_file(tree, "payload", stored, &r->payload, err));
    if (json_find(tree, "samples") != NULL) {
        RW_TRY(read_file(tree, "samples", stored, &r->samples, err));
    }
    RW_TRY(opt_bool(tree, "unchecked", &r->unchecked, err));
    RW_TRY(opt_bool(tree, "drill", &r->drill, err));
    if (stored) { RW_TRY(opt_bool(tree, "trimmed", &r->trimmed, err)); }
    if (json_find(tree, "sign_within_s") != NULL) {
        RW_TRY(json_get_int(tree, "sign_within_s", RELEASE_SIGN_WITHIN_S_MIN,
                            RELEASE_SIGN_WITHIN_S_MAX, &r->sign_within_s, err));
    }
    if (json_find(tree, "reason") == NULL) { return RW_OK; }
    return json_get_str(tree, "reason", r->reason, sizeof(r->reason), err);
}

/* --- requests --- */
RW_RC release_read_request(struct rw_span body, struct release *out, struct rw_err *err)
{
    static const char *const known[] = {"family",    "class",         "notes",   "engine",
                                        "platforms", "payload",       "samples", "unchecked",
                                        "reason",    "sign_within_s", "drill"};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(read_declared(tree, false, out, err));
    if (out->notes[0] == '\0') {
        return rw_fail(err, RW_E_SCHEMA, "notes: say what this release changes");
    }
    if (out->unchecked && out->drill) {
        return rw_fail(err, RW_E_SCHEMA, "a drill is checked like any other release");
    }
    if (out->unchecked && out->reason[0] == '\0') {
        return rw_fail(err, RW_E_SCHEMA, "an unchecked release needs a reason");
    }
    return RW_OK;
}

static RW_RC check_signature_hex(const char *hex, struct rw_err *err)
{
    uint8_t raw[SIG_BYTES_MAX];
    size_t n = strlen(hex) / 2;
    struct rw_err why;
    if (n > 0 && rw_is_ok(rw_hex_decode(raw, n, rw_span_str(hex), "sig", &why))) { return RW_OK; }
    return rw_fail(err, RW_E_SCHEMA, "sig is not a signature in lower-case hex");
}

static RW_RC read_signature(const struct json *o, struct release_signature *out, struct rw_err *err)
{
    RW_TRY(json_get_str(o, "keyid", out->keyid, sizeof(out->keyid), err));
    RW_TRY(check_hex(out->keyid, "keyid", err));
    RW_TRY(json_get_str(o, "sig", out->sig_hex, sizeof(out->sig_hex), err));
    return check_signature_hex(out->sig_hex, err);
}

RW_RC release_read_signature(struct rw_span body, struct release_signature *out, struct rw_err *err)
{
    static const char *const known[] = {"keyid", "sig"};
    struct release_signature s = {.by = ""};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(read_signature(tree, &s, err));
    *out = s;
    return RW_OK;
}

/* --- stored form --- */
static RW_RC read_raw(const struct json *tree, const char *name, struct rw_buf *into,
                      struct rw_err *err)
{
    const struct json *v = json_find(tree, name);
    if (v == NULL || json_type(v) == JSON_NULL) { return RW_OK; }
    struct json_writer w = json_begin(into);
    json_put_tree(&w, NULL, v);
    return json_done(&w, err);
}

RW_RC release_read_signatures(const struct json *tree,
                              struct release_signature into[static RELEASE_SIGNATURES_MAX],
                              size_t *count_out, struct rw_err *err)
{
    const struct json *list = NULL;
    size_t n = 0;
    RW_TRY(json_get(tree, "signatures", JSON_ARRAY, &list, err));
    if (json_count(list) > RELEASE_SIGNATURES_MAX) {
        return rw_fail(err, RW_E_RANGE, "%zu signatures, at most %d are allowed", json_count(list),
                       RELEASE_SIGNATURES_MAX);
    }
    for (const struct json *s = json_first(list); s != NULL; s = json_next(s), n++) {
        RW_TRY(read_signature(s, &into[n], err));
        RW_TRY(json_get_str(s, "by", into[n].by, sizeof(into[n].by), err));
    }
    *count_out = n;
    return RW_OK;
}

static RW_RC read_document(const struct json *tree, struct release *r, struct rw_err *err)
{
    RW_TRY(read_raw(tree, "check", &r->check, err));
    RW_TRY(read_raw(tree, "tosign", &r->tosign, err));
    RW_TRY(json_get_int(tree, "base_version", 0, RW_JSON_INT_MAX, &r->base_version, err));
    RW_TRY(json_get_str(tree, "policy_sha256", r->policy_sha256, sizeof(r->policy_sha256), err));
    RW_TRY(json_get_int(tree, "threshold", 0, RW_JSON_INT_MAX, &r->threshold, err));
    return release_read_signatures(tree, r->signatures, &r->signature_count, err);
}

static RW_RC read_stored(const struct json *tree, struct release *r, struct rw_err *err)
{
    char state[32];
    struct rw_span text;
    RW_TRY(read_declared(tree, true, r, err));
    RW_TRY(json_get_int(tree, "release", 1, RELEASE_NUMBER_MAX, &r->id.number, err));
    RW_TRY(json_get_str(tree, "state", state, sizeof(state), err));
    RW_TRY(sm_find(&release_rule_states, state, &r->state, err));
    RW_TRY(json_get_str(tree, "author", r->author, sizeof(r->author), err));
    RW_TRY(json_get_span(tree, "created", &text, err));
    RW_TRY(rw_wall_parse(text, "created", &r->created, err));
    return read_document(tree, r, err);
}

RW_RC release_read_stored(struct rw_span body, int64_t generation, struct release *out,
                          struct rw_err *err)
{
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_metadata, &tree, err));
    if (!rw_is_ok(read_stored(tree, out, err))) { return rw_wrap(err, "stored release"); }
    out->generation = generation;
    return RW_OK;
}

static void put_file(struct json_writer *w, const char *name, const struct release_file *f,
                     bool stored)
{
    if (!f->declared) { return; }
    json_open_object(w, name);
    json_put_str(w, "sha256", f->sha256);
    json_put_int(w, "bytes", f->bytes);
    if (stored) { json_put_bool(w, "here", f->here); }
    json_close_object(w);
}

static void put_raw(struct json_writer *w, const char *name, const struct rw_buf *text)
{
    if (text->n == 0) {
        json_put_null(w, name);
    } else {
        json_put_raw(w, name, rw_buf_span(text));
    }
}

static void put_common(struct json_writer *w, const struct release *r, bool stored)
{
    char created[RW_TIME_TEXT_BYTES];
    rw_wall_format(created, r->created);
    json_put_str(w, "family", r->id.family);
    json_put_int(w, "release", r->id.number);
    json_put_str(w, "state", sm_name(&release_rule_states, r->state));
    json_put_str(w, "class", r->class_name);
    json_put_str(w, "notes", r->notes);
    json_put_str(w, "author", r->author);
    json_put_str(w, "created", created);
    put_file(w, "payload", &r->payload, stored);
    put_file(w, "samples", &r->samples, stored);
    json_put_bool(w, "unchecked", r->unchecked);
    if (r->drill) { json_put_bool(w, "drill", true); }
    if (r->trimmed) { json_put_bool(w, "trimmed", true); }
    if (r->reason[0] != '\0') { json_put_str(w, "reason", r->reason); }
    put_raw(w, "check", &r->check);
    json_put_int(w, "threshold", r->threshold);
    if (r->sign_within_s > RELEASE_SIGN_WITHIN_S_MIN) {
        json_put_int(w, "sign_within_s", r->sign_within_s);
    }
}

void release_put_signatures(struct json_writer *w, const struct release_signature *sigs,
                            size_t count)
{
    json_open_array(w, "signatures");
    for (size_t i = 0; i < count; i++) {
        json_open_object(w, NULL);
        json_put_str(w, "keyid", sigs[i].keyid);
        json_put_str(w, "sig", sigs[i].sig_hex);
        json_put_str(w, "by", sigs[i].by);
        json_close_object(w);
    }
    json_close_array(w);
}

void release_put_signers(struct json_writer *w, const struct release_signature *sigs, size_t count)
{
    json_open_array(w, "signatures");
    for (size_t i = 0; i < count; i++) {
        json_open_object(w, NULL);
        json_put_str(w, "keyid", sigs[i].keyid);
        json_close_object(w);
    }
    json_close_array(w);
}

RW_RC release_write_stored(const struct release *r, struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    put_common(&w, r, true);
    json_open_object(&w, "engine");
    json_put_int(&w, "min", r->engine_min);
    json_put_int(&w, "max", r->engine_max);
    json_close_object(&w);
    json_open_array(&w, "platforms");
    for (size_t i = 0; i < r->platform_count; i++) {
        json_put_str(&w, NULL, r->platforms[i]);
    }
    json_close_array(&w);
    put_raw(&w, "tosign", &r->tosign);
    json_put_int(&w, "base_version", r->base_version);
    json_put_str(&w, "policy_sha256", r->policy_sha256);
    release_put_signatures(&w, r->signatures, r->signature_count);
    json_close_object(&w);
    return json_done(&w, err);
}

void release_put_public(struct json_writer *w, const char *name, const struct release *r)
{
    json_open_object(w, name);
    put_common(w, r, false);
    release_put_signers(w, r->signatures, r->signature_count);
    json_put_int(w, "generation", r->generation);
    json_close_object(w);
}
