#include "common/policy/entry_codec.h"

#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

enum { ENTRY_FORMAT = 1 };

RW_RC entry_codec_content_path(const char *family, int64_t release, char dst[static TUF_PATH_BYTES],
                               struct rw_err *err)
{
    RW_TRY(ring_policy_check_name(family, "family", err));
    (void)snprintf(dst, TUF_PATH_BYTES, "content/%s/%lld.rwc", family, (long long)release);
    return RW_OK;
}

RW_RC entry_codec_pointer_path(const char *ring, const char *family,
                               char dst[static TUF_PATH_BYTES], struct rw_err *err)
{
    RW_TRY(ring_policy_check_name(ring, "ring", err));
    RW_TRY(ring_policy_check_name(family, "family", err));
    (void)snprintf(dst, TUF_PATH_BYTES, "rings/%s/%s", ring, family);
    return RW_OK;
}

RW_RC entry_codec_expedite_path(const char *family, int64_t release,
                                char dst[static TUF_PATH_BYTES], struct rw_err *err)
{
    RW_TRY(ring_policy_check_name(family, "family", err));
    (void)snprintf(dst, TUF_PATH_BYTES, "expedite/%s/%lld", family, (long long)release);
    return RW_OK;
}

/* The one member under which all fields of ours stand. Unknown members in it are refused by format number,
 * not by name: a newer server raises the number. */
static RW_RC open_custom(const struct tuf_target *t, const struct json **out, struct rw_err *err)
{
    int64_t format = 0;
    const struct json *custom = NULL;
    if (t->custom == NULL) {
        return rw_fail(err, RW_E_SCHEMA, "'%s' has no custom member", t->path);
    }
    RW_TRY(json_get(t->custom, "ringward", JSON_OBJECT, &custom, err));
    RW_TRY(json_get_int(custom, "format", 1, RW_JSON_INT_MAX, &format, err));
    if (format != ENTRY_FORMAT) {
        RW_IGNORE(rw_fail(err, RW_E_SCHEMA, "'%s' has format %lld; this agent knows %d", t->path,
                          (long long)format, ENTRY_FORMAT),
                  "hint");
        return rw_hint(err, "the agent is too old: update it");
    }
    *out = custom;
    return RW_OK;
}

RW_RC entry_codec_read_pointer(const struct tuf_target *t, struct install_rule_pointer *out,
                               struct rw_err *err)
{
    const struct json *custom = NULL;
    struct install_rule_pointer p = {.length = t->length};
    struct rw_span text;
    char path[TUF_PATH_BYTES];
    RW_TRY(open_custom(t, &custom, err));
    RW_TRY(json_get_str(custom, "ring", p.ring, sizeof(p.ring), err));
    RW_TRY(json_get_str(custom, "family", p.family, sizeof(p.family), err));
    RW_TRY(json_get_int(custom, "release", 1, RW_JSON_INT_MAX, &p.release, err));
    RW_TRY(json_get_span(custom, "state", &text, err));
    if (!rw_span_is(text, "go") && !rw_span_is(text, "hold")) {
        return rw_fail(err, RW_E_SCHEMA, "'%s': state is neither go nor hold", t->path);
    }
    p.hold = rw_span_is(text, "hold");
    RW_TRY(entry_codec_pointer_path(p.ring, p.family, path, err));
    if (strcmp(path, t->path) != 0) {
        return rw_fail(err, RW_E_TRUST_RULE, "'%s' speaks for '%s'", t->path, path);
    }
    RW_TRY(entry_codec_content_path(p.family, p.release, path, err));
    RW_TRY(json_get_span(custom, "content", &text, err));
    if (!rw_span_is(text, path)) {
        return rw_fail(err, RW_E_TRUST_RULE, "'%s': content path and release disagree", t->path);
    }
    rw_copy(p.sha256, sizeof(p.sha256), t->sha256, sizeof(t->sha256));
    *out = p;
    return RW_OK;
}

static RW_RC read_time(const struct json *object, const char *name, struct rw_wall *out,
                       struct rw_err *err)
{
    struct rw_span text;
    RW_TRY(json_get_span(object, name, &text, err));
    return rw_wall_parse(text, name, out, err);
}

static RW_RC read_platforms(const struct json *custom, const char *platform, bool *fits_out,
                            struct rw_err *err)
{
    const struct json *list = NULL;
    RW_TRY(json_get(custom, "platforms", JSON_ARRAY, &list, err));
    *fits_out = false;
    for (const struct json *one = json_first(list); one != NULL; one = json_next(one)) {
        if (json_type(one) == JSON_STR && rw_span_is(json_str(one), platform)) { *fits_out = true; }
    }
    return RW_OK;
}

RW_RC entry_codec_read_content(const struct tuf_target *t, const char *ring, const char *platform,
                               struct install_rule_content *out,
                               char class_out[static INSTALL_NAME_BYTES], struct rw_err *err)
{
    const struct json *custom = NULL;
    const struct json *not_before = NULL;
    const struct json *engine = NULL;
    char path[TUF_PATH_BYTES];
    struct install_rule_content c = {.listed = true, .length = t->length};
    RW_TRY(open_custom(t, &custom, err));
    RW_TRY(json_get_str(custom, "family", c.family, sizeof(c.family), err));
    RW_TRY(json_get_int(custom, "release", 1, RW_JSON_INT_MAX, &c.release, err));
    RW_TRY(json_get_str(custom, "class", class_out, INSTALL_NAME_BYTES, err));
    RW_TRY(entry_codec_content_path(c.family, c.release, path, err));
    if (strcmp(path, t->path) != 0) {
        return rw_fail(err, RW_E_TRUST_RULE, "'%s' speaks for '%s'", t->path, path);
    }
    RW_TRY(read_time(custom, "signed_at", &c.signed_at, err));
    RW_TRY(json_get(custom, "not_before", JSON_OBJECT, &not_before, err));
    c.has_not_before = json_find(not_before, ring) != NULL;
    if (c.has_not_before) { RW_TRY(read_time(not_before, ring, &c.not_before, err)); }
    RW_TRY(json_get(custom, "engine", JSON_OBJECT, &engine, err));
    RW_TRY(json_get_int(engine, "min", 0, RW_JSON_INT_MAX, &c.engine_min, err));
    RW_TRY(json_get_int(engine, "max", 0, RW_JSON_INT_MAX, &c.engine_max, err));
    RW_TRY(read_platforms(custom, platform, &c.platform_fits, err));
    if (json_find(custom, "drill") != NULL) {
        RW_TRY(json_get_bool(custom, "drill", &c.drill, err));
    }
    rw_copy(c.sha256, sizeof(c.sha256), t->sha256, sizeof(t->sha256));
    *out = c;
    return RW_OK;
}

/* --- expedite --- */
static RW_RC read_rings(const struct json *custom, struct entry_codec_expedite *x,
                        struct rw_err *err)
{
    const struct json *list = NULL;
    RW_TRY(json_get(custom, "rings", JSON_ARRAY, &list, err));
    if (json_count(list) < 1 || json_count(list) > RING_POLICY_RINGS_MAX) {
        return rw_fail(err, RW_E_RANGE, "rings: %zu, want 1..%d", json_count(list),
                       RING_POLICY_RINGS_MAX);
    }
    for (const struct json *one = json_first(list); one != NULL; one = json_next(one)) {
        char *ring = x->rings[x->ring_count++];
        if (json_type(one) != JSON_STR) {
            return rw_fail(err, RW_E_SCHEMA, "rings: a ring is a string");
        }
        RW_TRY(rw_span_to_str(ring, INSTALL_NAME_BYTES, json_str(one), "ring", err));
        RW_TRY(ring_policy_check_name(ring, "ring", err));
    }
    return RW_OK;
}

static RW_RC take_expedite_path(const struct tuf_target *t, struct entry_codec_expedite *x,
                                struct rw_err *err)
{
    static const char folder[] = "expedite/";
    struct rw_span rest = rw_span_str(t->path);
    char path[TUF_PATH_BYTES];
    size_t family = 0;
    if (!rw_span_starts(rest, folder)) {
        return rw_fail(err, RW_E_TRUST_RULE, "'%s' is no path of an expedite", t->path);
    }
    rest = rw_span_of(rest.p + sizeof(folder) - 1, rest.n - (sizeof(folder) - 1));
    while (family < rest.n && rest.p[family] != '/') {
        family++;
    }
    RW_TRY(rw_span_to_str(x->family, sizeof(x->family), rw_span_of(rest.p, family), "family", err));
    if (family < rest.n) { family++; }
    RW_TRY(rw_parse_i64(rw_span_of(rest.p + family, rest.n - family), 1, RW_JSON_INT_MAX, "release",
                        &x->release, err));
    RW_TRY(entry_codec_expedite_path(x->family, x->release, path, err));
    if (strcmp(path, t->path) == 0) { return RW_OK; }
    return rw_fail(err, RW_E_TRUST_RULE, "'%s' speaks for '%s'", t->path, path);
}

RW_RC entry_codec_read_expedite(const struct tuf_target *t, struct entry_codec_expedite *out,
                                struct rw_err *err)
{
    const struct json *custom = NULL;
    struct entry_codec_expedite x = {.ring_count = 0};
    RW_TRY(open_custom(t, &custom, err));
    RW_TRY(take_expedite_path(t, &x, err));
    RW_TRY(read_rings(custom, &x, err));
    RW_TRY(read_time(custom, "not_before", &x.not_before, err));
    RW_TRY(read_time(custom, "until", &x.until, err));
    RW_TRY(json_get_str(custom, "reason", x.reason, sizeof(x.reason), err));
    if (x.reason[0] == '\0' || x.not_before.s <= 0 || x.until.s <= x.not_before.s) {
        return rw_fail(err, RW_E_SCHEMA, "'%s': no reason, or until is not after not_before",
                       t->path);
    }
    *out = x;
    return RW_OK;
}

void entry_codec_expedite_for_ring(const struct tuf_target *t, const struct entry_codec_expedite *x,
                                   const char *ring, struct install_rule_expedite *out)
{
    *out = (struct install_rule_expedite){.listed = true,
                                          .release = x->release,
                                          .length = t->length,
                                          .not_before = x->not_before,
                                          .until = x->until};
    rw_copy(out->family, sizeof(out->family), x->family, sizeof(x->family));
    rw_copy(out->sha256, sizeof(out->sha256), t->sha256, sizeof(t->sha256));
    for (size_t i = 0; i < x->ring_count; i++) {
        out->names_ring = out->names_ring || strcmp(x->rings[i], ring) == 0;
    }
}

/* --- writing --- */
static void write_hash_and_length(struct json_writer *w, const char *sha256_hex, int64_t length)
{
    json_open_object(w, "hashes");
    json_put_str(w, "sha256", sha256_hex);
    json_close_object(w);
    json_put_int(w, "length", length);
}

static void write_time(struct json_writer *w, const char *name, struct rw_wall t)
{
    char text[RW_TIME_TEXT_BYTES];
    rw_wall_format(text, t);
    json_put_str(w, name, text);
}

void entry_codec_write_content(struct json_writer *w, const char *path,
                               const struct entry_codec_content *c,
                               const struct ring_policy *policy, int64_t length,
                               const char *sha256_hex)
{
    json_open_object(w, path);
    json_open_object(w, "custom");
    json_open_object(w, "ringward");
    json_put_int(w, "format", ENTRY_FORMAT);
    json_put_str(w, "family", c->family);
    json_put_int(w, "release", c->release);
    json_put_str(w, "class", c->class_name);
    write_time(w, "signed_at", c->signed_at);
    json_open_object(w, "not_before");
    for (size_t i = 0; i < policy->ring_count; i++) {
        write_time(w, policy->rings[i].name, c->not_before[i]);
    }
    json_close_object(w);
    json_open_object(w, "engine");
    json_put_int(w, "min", c->engine_min);
    json_put_int(w, "max", c->engine_max);
    json_close_object(w);
    json_open_array(w, "platforms");
    for (size_t i = 0; i < c->platform_count; i++) {
        json_put_str(w, NULL, c->platforms[i]);
    }
    json_close_array(w);
    if (c->drill) { json_put_bool(w, "drill", true); }
    json_close_object(w);
    json_close_object(w);
    write_hash_and_length(w, sha256_hex, length);
    json_close_object(w);
}

void entry_codec_write_pointer(struct json_writer *w, const char *path,
                               const struct install_rule_pointer *p)
{
    char content[TUF_PATH_BYTES];
    char hex[DIGEST_HEX_BYTES];
    (void)snprintf(content, sizeof(content), "content/%s/%lld.rwc", p->family,
                   (long long)p->release);
    rw_hex_encode(hex, sizeof(hex), p->sha256, sizeof(p->sha256));
    json_open_object(w, path);
    json_open_object(w, "custom");
    json_open_object(w, "ringward");
    json_put_int(w, "format", ENTRY_FORMAT);
    json_put_str(w, "ring", p->ring);
    json_put_str(w, "family", p->family);
    json_put_str(w, "content", content);
    json_put_int(w, "release", p->release);
    json_put_str(w, "state", p->hold ? "hold" : "go");
    json_close_object(w);
    json_close_object(w);
    write_hash_and_length(w, hex, p->length);
    json_close_object(w);
}

void entry_codec_write_expedite(struct json_writer *w, const char *path,
                                const struct entry_codec_expedite *x, int64_t length,
                                const char *sha256_hex)
{
    json_open_object(w, path);
    json_open_object(w, "custom");
    json_open_object(w, "ringward");
    json_put_int(w, "format", ENTRY_FORMAT);
    json_open_array(w, "rings");
    for (size_t i = 0; i < x->ring_count; i++) {
        json_put_str(w, NULL, x->rings[i]);
    }
    json_close_array(w);
    write_time(w, "not_before", x->not_before);
    write_time(w, "until", x->until);
    json_put_str(w, "reason", x->reason);
    json_close_object(w);
    json_close_object(w);
    write_hash_and_length(w, sha256_hex, length);
    json_close_object(w);
}
