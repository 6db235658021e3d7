#include "common/policy/trust_bundle.h"

#include "common/base/file.h"
#include "common/tuf/tuf_client.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 64 };

static const char policy_path[] = "policy/rings.json";

static void doc_drop(struct trust_bundle_doc *d)
{
    tuf_doc_drop(&d->doc);
    if (d->bytes.max > 0) { rw_buf_drop(&d->bytes); }
}

void trust_bundle_drop(struct trust_bundle *b)
{
    doc_drop(&b->root);
    doc_drop(&b->targets);
    for (size_t i = 0; i < b->content_count; i++) {
        doc_drop(&b->contents[i].role);
    }
    b->content_count = 0;
    if (b->policy.max > 0) { rw_buf_drop(&b->policy); }
}

/* --- loading --- */
static RW_RC load_doc(int dir, const char *name, const char *type, struct trust_bundle_doc *out,
                      struct rw_err *err)
{
    out->bytes = rw_buf_make(TRUST_BUNDLE_FILE_BYTES_MAX);
    struct rw_rc rc = rw_file_read_at(dir, name, TRUST_BUNDLE_FILE_BYTES_MAX, &out->bytes, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    if (rw_is_ok(tuf_doc_parse(rw_buf_span(&out->bytes), type, &out->doc, err))) { return RW_OK; }
    return rw_wrap(err, "%s", name);
}

struct loading {
    int dir;
    struct trust_bundle *b;
};

static RW_RC load_content(void *ctx, const char *name, struct rw_err *err)
{
    static const char prefix[] = "content-";
    static const char ending[] = ".json";
    const struct loading *l = ctx;
    size_t n = strlen(name);
    size_t around = sizeof(prefix) + sizeof(ending) - 2;
    if (n <= around || strncmp(name, prefix, sizeof(prefix) - 1) != 0 ||
        strcmp(name + n - (sizeof(ending) - 1), ending) != 0) {
        return RW_OK;
    }
    if (l->b->content_count == TRUST_BUNDLE_CONTENTS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "more than %d content roles", TRUST_BUNDLE_CONTENTS_MAX);
    }
    char *family = l->b->contents[l->b->content_count].family;
    struct trust_bundle_doc *role = &l->b->contents[l->b->content_count].role;
    RW_TRY(rw_span_to_str(family, RING_POLICY_NAME_BYTES,
                          rw_span_of(name + sizeof(prefix) - 1, n - around), "family", err));
    RW_TRY(ring_policy_check_name(family, "family", err));
    *role = (struct trust_bundle_doc){.bytes = {.max = 0}};
    l->b->content_count++;
    return load_doc(l->dir, name, "targets", role, err);
}

static RW_RC load(const char *path, struct trust_bundle *b, struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd dir = -1;
    RW_TRY(rw_dir_open(path, &dir, err));
    struct loading l = {dir, b};
    RW_TRY(load_doc(dir, "root.json", "root", &b->root, err));
    RW_TRY(load_doc(dir, "targets.json", "targets", &b->targets, err));
    RW_TRY(rw_dir_each(dir, load_content, &l, err));
    b->policy = rw_buf_make(RING_POLICY_BYTES_MAX);
    struct rw_rc rc = rw_file_read_at(dir, "rings.json", RING_POLICY_BYTES_MAX, &b->policy, err);
    if (!rw_is_ok(rc) && rc.code != RW_E_NOT_FOUND) { return rc; }
    if (b->root.doc.tree == NULL && b->targets.doc.tree == NULL && b->content_count == 0) {
        return rw_fail(err, RW_E_NOT_FOUND, "'%s' holds no signed documents", path);
    }
    return RW_OK;
}

RW_RC trust_bundle_load(const char *dir, struct trust_bundle *out, struct rw_err *err)
{
    struct trust_bundle b = {.content_count = 0};
    struct rw_rc rc = load(dir, &b, err);
    if (!rw_is_ok(rc)) {
        trust_bundle_drop(&b);
        return rc;
    }
    *out = b;
    return RW_OK;
}

/* --- checking --- */
RW_RC trust_bundle_check_policy(const struct tuf_doc *targets, struct rw_span text,
                                struct ring_policy *out, struct rw_err *err)
{
    struct tuf_target t;
    uint8_t sha256[DIGEST_BYTES];
    const struct json *entry = json_find(json_find(targets->signed_part, "targets"), policy_path);
    if (entry == NULL) {
        return rw_fail(err, RW_E_TRUST_RULE, "targets do not list %s", policy_path);
    }
    RW_TRY(tuf_target_read(entry, "targets", targets->version, &t, err));
    RW_TRY(digest_sha256(text, sha256, err));
    if ((int64_t)text.n != t.length || !digest_same(sha256, t.sha256, DIGEST_BYTES)) {
        return rw_fail(err, RW_E_TUF_HASH, "rings.json is not the policy that targets list");
    }
    return rw_is_ok(ring_policy_parse(text, out, err)) ? RW_OK : rw_wrap(err, "rings.json");
}

static RW_RC check_root_role(const struct trust_bundle *b, const char *role,
                             const struct tuf_doc *doc, struct rw_err *err)
{
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    RW_TRY(tuf_sigset_of_root(&b->root.doc, role, &a, err));
    return tuf_sigset_check(doc, &a, NULL, err);
}

static RW_RC check_alive(const char *role, const struct tuf_doc *doc, struct rw_wall now,
                         struct rw_err *err)
{
    if (doc->expires.s > now.s) { return RW_OK; }
    return rw_fail(err, RW_E_TUF_EXPIRED, "%s has expired", role);
}

struct first {
    const struct trust_bundle *b;
    struct rw_wall now;
};

static RW_RC check_family(void *ctx, const char *family, struct rw_err *err)
{
    const struct first *f = ctx;
    char role[NAME_BYTES];
    const struct tuf_doc *doc = NULL;
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    (void)snprintf(role, sizeof(role), "content-%s", family);
    for (size_t i = 0; i < f->b->content_count; i++) {
        if (strcmp(f->b->contents[i].family, family) == 0) { doc = &f->b->contents[i].role.doc; }
    }
    if (doc == NULL) { return rw_fail(err, RW_E_TRUST_RULE, "%s.json is missing", role); }
    RW_TRY(tuf_sigset_of_delegation(&f->b->targets.doc, role, &a, err));
    RW_TRY(tuf_sigset_check(doc, &a, NULL, err));
    RW_TRY(check_alive(role, doc, f->now, err));
    if (json_first(json_find(doc->signed_part, "targets")) != NULL) {
        return rw_fail(err, RW_E_TRUST_RULE, "%s lists releases; a new server has none", role);
    }
    return trust_check_outlives(&f->b->root.doc, role, doc->expires, err);
}

RW_RC trust_bundle_check_first(const struct trust_bundle *b, struct rw_wall now, struct rw_err *err)
{
    struct ring_policy policy;
    struct first f = {b, now};
    if (b->root.doc.tree == NULL || b->targets.doc.tree == NULL || b->policy.n == 0) {
        return rw_fail(err, RW_E_TRUST_RULE,
                       "root.json, targets.json and rings.json must all be there");
    }
    RW_TRY(check_root_role(b, "root", &b->root.doc, err));
    RW_TRY(check_root_role(b, "targets", &b->targets.doc, err));
    RW_TRY(check_alive("root", &b->root.doc, now, err));
    RW_TRY(check_alive("targets", &b->targets.doc, now, err));
    RW_TRY(trust_bundle_check_policy(&b->targets.doc, rw_buf_span(&b->policy), &policy, err));
    RW_TRY(trust_check_root(&b->root.doc, err));
    RW_TRY(trust_check_targets(&b->root.doc, &b->targets.doc, &policy, err));
    return trust_check_each(&b->targets.doc, "content-", check_family, &f, err);
}
