#include "agent/activate/manifest_codec.h"

#include "common/policy/ring_policy.h"

#include <string.h>

RW_RC manifest_write(const struct manifest *m, struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_int(&w, "set", m->set);
    json_open_array(&w, "content");
    for (size_t i = 0; i < m->count; i++) {
        char hex[DIGEST_HEX_BYTES];
        rw_hex_encode(hex, sizeof(hex), m->content[i].sha256, DIGEST_BYTES);
        json_open_object(&w, NULL);
        json_put_str(&w, "family", m->content[i].family);
        json_put_int(&w, "release", m->content[i].release);
        json_put_str(&w, "sha256", hex);
        json_put_int(&w, "bytes", m->content[i].bytes);
        json_close_object(&w);
    }
    json_close_array(&w);
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC read_entry(const struct json *o, struct manifest_entry *out, struct rw_err *err)
{
    static const char *const known[] = {"family", "release", "sha256", "bytes"};
    struct manifest_entry e = {.release = 0};
    struct rw_span hex;
    RW_TRY(json_only(o, known, RW_LEN(known), err));
    RW_TRY(json_get_str(o, "family", e.family, sizeof(e.family), err));
    RW_TRY(ring_policy_check_name(e.family, "family", err)); /* it becomes a file's name */
    RW_TRY(json_get_int(o, "release", 1, RW_JSON_INT_MAX, &e.release, err));
    RW_TRY(json_get_span(o, "sha256", &hex, err));
    RW_TRY(rw_hex_decode(e.sha256, sizeof(e.sha256), hex, "sha256", err));
    RW_TRY(json_get_int(o, "bytes", 0, RW_JSON_INT_MAX, &e.bytes, err));
    *out = e;
    return RW_OK;
}

RW_RC manifest_read(struct rw_span text, struct manifest *out, struct rw_err *err)
{
    static const char *const known[] = {"set", "content"};
    static const struct json_limits limits = {
        .bytes_max = MANIFEST_BYTES_MAX, .nodes_max = 128, .depth_max = 4};
    struct manifest m = {.set = 0};
    const struct json *list = NULL;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(text, &limits, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(json_get_int(tree, "set", 0, RW_JSON_INT_MAX, &m.set, err));
    RW_TRY(json_get(tree, "content", JSON_ARRAY, &list, err));
    for (const struct json *o = json_first(list); o != NULL; o = json_next(o)) {
        struct manifest_entry e;
        RW_TRY(read_entry(o, &e, err));
        if (manifest_find(&m, e.family) != NULL) {
            return rw_fail(err, RW_E_SCHEMA, "line %u: family '%s' is there twice", json_line(o),
                           e.family);
        }
        RW_TRY(manifest_put(&m, &e, err));
    }
    *out = m;
    return RW_OK;
}

const struct manifest_entry *manifest_find(const struct manifest *m, const char *family)
{
    for (size_t i = 0; i < m->count; i++) {
        if (strcmp(m->content[i].family, family) == 0) { return &m->content[i]; }
    }
    return NULL;
}

RW_RC manifest_put(struct manifest *m, const struct manifest_entry *e, struct rw_err *err)
{
    size_t at = 0;
    while (at < m->count && strcmp(m->content[at].family, e->family) != 0) {
        at++;
    }
    if (at == MANIFEST_FAMILIES_MAX) {
        return rw_fail(err, RW_E_FULL, "a set holds at most %d families", MANIFEST_FAMILIES_MAX);
    }
    m->content[at] = *e;
    if (at == m->count) { m->count++; }
    return RW_OK;
}

void manifest_remove(struct manifest *m, const char *family)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (strcmp(m->content[i].family, family) != 0) { m->content[kept++] = m->content[i]; }
    }
    m->count = kept;
}

bool manifest_same_content(const struct manifest *a, const struct manifest *b)
{
    if (a->count != b->count) { return false; }
    for (size_t i = 0; i < a->count; i++) {
        const struct manifest_entry *e = manifest_find(b, a->content[i].family);
        if (e == NULL || memcmp(e->sha256, a->content[i].sha256, DIGEST_BYTES) != 0) {
            return false;
        }
    }
    return true;
}
