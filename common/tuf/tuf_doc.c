#include "common/tuf/tuf_doc.h"

#include "common/base/num.h"
#include "common/crypto/digest.h"
#include "common/json/json_canon.h"
#include "common/tuf/tuf_bins.h"

#include <stdlib.h>
#include <string.h>

static int compare_spans(const void *a, const void *b)
{
    const struct rw_span *x = a;
    const struct rw_span *y = b;
    if (x->n != y->n) { return x->n < y->n ? -1 : 1; }
    return x->n == 0 ? 0 : memcmp(x->p, y->p, x->n);
}

/* TUF-4.2.1: a key id twice in "signatures" refuses the file. */
static RW_RC check_signatures(const struct json *signatures, struct rw_err *err)
{
    struct rw_span ids[TUF_SIGNATURES_MAX];
    size_t n = 0;
    if (json_count(signatures) > TUF_SIGNATURES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "%zu signatures, at most %d are allowed",
                       json_count(signatures), TUF_SIGNATURES_MAX);
    }
    for (const struct json *s = json_first(signatures); s != NULL; s = json_next(s)) {
        struct rw_span sig;
        RW_TRY(json_get_span(s, "keyid", &ids[n], err));
        RW_TRY(json_get_span(s, "sig", &sig, err));
        n++;
    }
    qsort(ids, n, sizeof(ids[0]), compare_spans);
    for (size_t i = 1; i < n; i++) {
        if (rw_span_eq(ids[i - 1], ids[i])) {
            return rw_fail(err, RW_E_SCHEMA, "one key id stands twice in the signatures");
        }
    }
    return RW_OK;
}

static RW_RC check_role(const struct json *role, struct rw_err *err)
{
    const struct json *keyids = NULL;
    int64_t threshold = 0;
    RW_TRY(json_get(role, "keyids", JSON_ARRAY, &keyids, err));
    /* A threshold of 0 would switch verification off. */
    RW_TRY(json_get_int(role, "threshold", 1, RW_JSON_INT_MAX, &threshold, err));
    if (json_count(keyids) > TUF_KEYS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "line %u: %zu keys in one role, at most %d",
                       json_line(role), json_count(keyids), TUF_KEYS_MAX);
    }
    for (const struct json *id = json_first(keyids); id != NULL; id = json_next(id)) {
        if (json_type(id) != JSON_STR) {
            return rw_fail(err, RW_E_SCHEMA, "line %u: key ids are strings", json_line(id));
        }
    }
    return RW_OK;
}

static RW_RC check_root(const struct json *root, struct rw_err *err)
{
    static const char *const top_roles[] = {"root", "timestamp", "snapshot", "targets"};
    const struct json *keys = NULL;
    const struct json *roles = NULL;
    const struct json *role = NULL;
    RW_TRY(json_get(root, "keys", JSON_OBJECT, &keys, err));
    RW_TRY(json_get(root, "roles", JSON_OBJECT, &roles, err));
    for (size_t i = 0; i < RW_LEN(top_roles); i++) {
        RW_TRY(json_get(roles, top_roles[i], JSON_OBJECT, &role, err));
        RW_TRY(check_role(role, err));
    }
    return RW_OK;
}

static RW_RC check_meta_entry(const struct json *entry, struct rw_err *err)
{
    struct tuf_meta unused = {0};
    RW_TRY(json_get_int(entry, "version", 1, RW_JSON_INT_MAX, &unused.version, err));
    if (json_find(entry, "length") != NULL) {
        RW_TRY(json_get_int(entry, "length", 0, RW_JSON_INT_MAX, &unused.length, err));
    }
    if (json_find(entry, "hashes") != NULL) {
        const struct json *hashes = NULL;
        RW_TRY(json_get(entry, "hashes", JSON_OBJECT, &hashes, err));
        RW_TRY(json_get_span(hashes, "sha256", &unused.sha256, err));
    }
    return RW_OK;
}

static RW_RC check_meta(const struct json *doc, struct rw_err *err)
{
    const struct json *meta = NULL;
    RW_TRY(json_get(doc, "meta", JSON_OBJECT, &meta, err));
    for (const struct json *entry = json_first(meta); entry != NULL; entry = json_next(entry)) {
        RW_TRY(check_meta_entry(entry, err));
    }
    return RW_OK;
}

/* Names are unique in one delegations object; the list is short enough for pairs. */
static RW_RC check_unique(const struct json *roles, struct rw_err *err)
{
    for (const struct json *a = json_first(roles); a != NULL; a = json_next(a)) {
        struct rw_span name = json_str(json_find(a, "name"));
        for (const struct json *b = json_next(a); b != NULL; b = json_next(b)) {
            if (rw_span_eq(name, json_str(json_find(b, "name")))) {
                return rw_fail(err, RW_E_SCHEMA, "line %u: role '%.*s' is delegated twice",
                               json_line(b), (int)(name.n < 60 ? name.n : 60),
                               (const char *)name.p);
            }
        }
    }
    return RW_OK;
}

static RW_RC check_delegation(const struct json *role, struct rw_err *err)
{
    static const char *const reserved[] = {"root", "timestamp", "snapshot", "targets"};
    struct rw_span name;
    bool terminating = false;
    RW_TRY(json_get_span(role, "name", &name, err));
    RW_TRY(check_role(role, err));
    RW_TRY(json_get_bool(role, "terminating", &terminating, err));
    for (size_t i = 0; i < RW_LEN(reserved); i++) {
        if (rw_span_is(name, reserved[i])) {
            return rw_fail(err, RW_E_SCHEMA, "line %u: '%s' cannot be delegated", json_line(role),
                           reserved[i]);
        }
    }
    if ((json_find(role, "paths") == NULL) == (json_find(role, "path_hash_prefixes") == NULL)) {
        return rw_fail(err, RW_E_SCHEMA,
                       "line %u: a delegation has either paths or path_hash_prefixes",
                       json_line(role));
    }
    return RW_OK;
}

static RW_RC check_delegations(const struct json *delegations, struct rw_err *err)
{
    const struct json *keys = NULL;
    const struct json *roles = NULL;
    bool succinct = json_find(delegations, "succinct_roles") != NULL;
    RW_TRY(json_get(delegations, "keys", JSON_OBJECT, &keys, err));
    if (succinct == (json_find(delegations, "roles") != NULL)) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: delegations have either roles or succinct_roles",
                       json_line(delegations));
    }
    if (succinct) {
        RW_TRY(json_get(delegations, "succinct_roles", JSON_OBJECT, &roles, err));
        RW_TRY(check_role(roles, err));
        return tuf_bins_check(roles, err);
    }
    RW_TRY(json_get(delegations, "roles", JSON_ARRAY, &roles, err));
    if (json_count(roles) > TUF_DELEGATIONS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "%zu delegations, at most %d are allowed",
                       json_count(roles), TUF_DELEGATIONS_MAX);
    }
    for (const struct json *role = json_first(roles); role != NULL; role = json_next(role)) {
        RW_TRY(check_delegation(role, err));
    }
    return check_unique(roles, err);
}

static RW_RC check_targets(const struct json *doc, struct rw_err *err)
{
    const struct json *targets = NULL;
    const struct json *delegations = NULL;
    RW_TRY(json_get(doc, "targets", JSON_OBJECT, &targets, err));
    for (const struct json *t = json_first(targets); t != NULL; t = json_next(t)) {
        const struct json *hashes = NULL;
        int64_t length = 0;
        RW_TRY(json_get_int(t, "length", 0, RW_JSON_INT_MAX, &length, err));
        RW_TRY(json_get(t, "hashes", JSON_OBJECT, &hashes, err));
    }
    if (json_find(doc, "delegations") == NULL) { return RW_OK; }
    RW_TRY(json_get(doc, "delegations", JSON_OBJECT, &delegations, err));
    return check_delegations(delegations, err);
}

static RW_RC check_shape(const struct json *doc, const char *type, struct rw_err *err)
{
    if (strcmp(type, "root") == 0) { return check_root(doc, err); }
    if (strcmp(type, "targets") == 0) { return check_targets(doc, err); }
    return check_meta(doc, err);
}

/* Others' documents have no such member, or one that means something else: none of that refuses a document. */
static struct rw_wall read_made(const struct tuf_doc *doc)
{
    const struct json *v = json_find(doc->signed_part, TUF_MADE_MEMBER);
    struct rw_wall made = {0};
    struct rw_err unused;
    if (v == NULL || json_type(v) != JSON_STR ||
        !rw_is_ok(rw_wall_parse(json_str(v), TUF_MADE_MEMBER, &made, &unused)) ||
        made.s >= doc->expires.s) {
        return (struct rw_wall){0};
    }
    return made;
}

static RW_RC read_common(struct tuf_doc *doc, const char *type, struct rw_err *err)
{
    struct rw_span text;
    RW_TRY(json_get(doc->tree, "signed", JSON_OBJECT, &doc->signed_part, err));
    RW_TRY(json_get(doc->tree, "signatures", JSON_ARRAY, &doc->signatures, err));
    RW_TRY(check_signatures(doc->signatures, err));
    RW_TRY(json_get_span(doc->signed_part, "_type", &text, err));
    if (!rw_span_is(text, type)) {
        return rw_fail(err, RW_E_TUF_ROLE, "the file is of type '%.*s', want '%s'",
                       (int)(text.n < 20 ? text.n : 20), text.p, type);
    }
    RW_TRY(json_get_span(doc->signed_part, "spec_version", &text, err));
    if (!rw_span_starts(text, "1.")) {
        return rw_fail(err, RW_E_SCHEMA, "spec_version is not of major version 1");
    }
    RW_TRY(json_get_int(doc->signed_part, "version", 1, RW_JSON_INT_MAX, &doc->version, err));
    RW_TRY(json_get_span(doc->signed_part, "expires", &text, err));
    RW_TRY(rw_wall_parse(text, "expires", &doc->expires, err));
    doc->made = read_made(doc);
    return RW_OK;
}

RW_RC tuf_doc_parse(struct rw_span bytes, const char *type, struct tuf_doc *out, struct rw_err *err)
{
    RW_AUTO(tuf_doc) struct tuf_doc doc = {.canon = rw_buf_make(TUF_CANON_BYTES_MAX)};
    RW_TRY(json_parse(bytes, &json_limits_metadata, &doc.tree, err));
    RW_TRY(read_common(&doc, type, err));
    RW_TRY(check_shape(doc.signed_part, type, err));
    RW_TRY(json_canon(doc.signed_part, &doc.canon, err));
    *out = doc;
    doc.tree = NULL; /* handed over */
    doc.canon = rw_buf_make(1);
    return RW_OK;
}

void tuf_doc_drop(struct tuf_doc *doc)
{
    json_tree_drop(&doc->tree);
    if (doc->canon.max > 0) { rw_buf_drop(&doc->canon); }
    doc->signed_part = NULL;
    doc->signatures = NULL;
}

RW_RC tuf_doc_meta(const struct tuf_doc *doc, const char *file, struct tuf_meta *out,
                   struct rw_err *err)
{
    const struct json *meta = NULL;
    RW_TRY(json_get(doc->signed_part, "meta", JSON_OBJECT, &meta, err));
    const struct json *entry = json_find(meta, file);
    if (entry == NULL) { return rw_fail(err, RW_E_TUF_ROLE, "'%s' is not listed", file); }
    struct tuf_meta m = {.length = -1, .sha256 = {NULL, 0}};
    RW_TRY(json_get_int(entry, "version", 1, RW_JSON_INT_MAX, &m.version, err));
    if (json_find(entry, "length") != NULL) {
        RW_TRY(json_get_int(entry, "length", 0, RW_JSON_INT_MAX, &m.length, err));
    }
    const struct json *hashes = json_find(entry, "hashes");
    if (hashes != NULL) { RW_TRY(json_get_span(hashes, "sha256", &m.sha256, err)); }
    *out = m;
    return RW_OK;
}

RW_RC tuf_doc_check_bytes(const struct tuf_meta *meta, const char *file, struct rw_span bytes,
                          struct rw_err *err)
{
    if (meta->length >= 0 && (uint64_t)meta->length != bytes.n) {
        return rw_fail(err, RW_E_TUF_HASH, "'%s' has %zu bytes, signed are %lld", file, bytes.n,
                       (long long)meta->length);
    }
    if (meta->sha256.p == NULL) { return RW_OK; }
    char hex[DIGEST_HEX_BYTES];
    RW_TRY(digest_sha256_hex(bytes, hex, err));
    if (!rw_span_is(meta->sha256, hex)) {
        return rw_fail(err, RW_E_TUF_HASH, "'%s' has another SHA-256 than the signed one", file);
    }
    return RW_OK;
}
