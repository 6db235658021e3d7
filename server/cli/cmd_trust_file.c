#include "server/cli/cmd_trust_file.h"

#include "common/base/file.h"
#include "common/json/json_canon.h"
#include "common/json/json_write.h"
#include "common/tuf/tuf_write.h"
#include "server/cli/cmd_trust_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ID_IN_NAME = 16, SIG_FILE_BYTES_MAX = 8192, NAMES_MAX = 256 };

static const char json_ending[] = ".json";
static const char sig_ending[] = ".sig";

static RW_RC join(const char *dir, const char *name, const char *ending,
                  char dst[static CMD_TRUST_PATH_BYTES], struct rw_err *err)
{
    int n = snprintf(dst, CMD_TRUST_PATH_BYTES, "%s/%s%s", dir, name, ending);
    if (n >= 0 && n < CMD_TRUST_PATH_BYTES) { return RW_OK; }
    return rw_fail(err, RW_E_RANGE, "the path of '%.60s' is too long", name);
}

void cmd_trust_file_drop(struct cmd_trust_file *f)
{
    if (f->text.max > 0) { rw_buf_drop(&f->text); }
}

/* --- one document --- */
static RW_RC describe(struct cmd_trust_file *f, struct rw_err *err)
{
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    while (f->text.n > 0 && f->text.p[f->text.n - 1] == '\n') {
        f->text.n--; /* editors and copies may have added it; it is no part of the document */
    }
    RW_TRY(json_parse(rw_buf_span(&f->text), &json_limits_metadata, &tree, err));
    if (json_find(tree, "signatures") != NULL) {
        return rw_fail(err, RW_E_SCHEMA, "the document is signed already");
    }
    RW_TRY(json_get_str(tree, "_type", f->type, sizeof(f->type), err));
    if (strcmp(f->type, "root") != 0 && strcmp(f->type, "targets") != 0) {
        return rw_fail(err, RW_E_SCHEMA, "a document of type '%.20s' is not signed by people",
                       f->type);
    }
    RW_TRY(cmd_trust_plan_parse(rw_buf_span(&f->text), f->type, &doc, err));
    f->version = doc.version;
    f->expires = doc.expires;
    return digest_sha256_hex(rw_buf_span(&doc.canon), f->sha256, err);
}

RW_RC cmd_trust_file_read(const char *path, struct cmd_trust_file *out, struct rw_err *err)
{
    struct cmd_trust_file f = {.text = rw_buf_make(CMD_TRUST_DOC_BYTES_MAX)};
    struct rw_rc rc = rw_file_read(path, CMD_TRUST_DOC_BYTES_MAX, &f.text, err);
    if (rw_is_ok(rc) && !rw_is_ok(describe(&f, err))) { rc = rw_wrap(err, "'%s'", path); }
    if (!rw_is_ok(rc)) {
        cmd_trust_file_drop(&f);
        return rc;
    }
    *out = f;
    return RW_OK;
}

RW_RC cmd_trust_file_write(const char *dir, const char *name, struct rw_span text,
                           struct rw_err *err)
{
    char path[CMD_TRUST_PATH_BYTES];
    char when[RW_TIME_TEXT_BYTES];
    RW_AUTO(cmd_trust_file) struct cmd_trust_file f = {.version = 0};
    RW_AUTO(rw_buf) struct rw_buf line = rw_buf_make(CMD_TRUST_DOC_BYTES_MAX);
    RW_TRY(join(dir, name, json_ending, path, err));
    if (access(path, F_OK) == 0) {
        return rw_fail(err, RW_E_EXISTS, "'%s' exists; a ceremony has a folder of its own", path);
    }
    RW_TRY(rw_buf_append(&line, text, err));
    RW_TRY(rw_buf_append_str(&line, "\n", err));
    RW_TRY(rw_dir_make(dir, 0755, err));
    RW_TRY(rw_file_replace(path, 0644, rw_buf_span(&line), err));
    RW_TRY(cmd_trust_file_read(path, &f, err));
    rw_wall_format(when, f.expires);
    printf("%-20s version %-4lld until %s  %s\n", name, (long long)f.version, when, f.sha256);
    return RW_OK;
}

RW_RC cmd_trust_file_sign(const char *path, const struct cmd_trust_file *f, const struct key *k,
                          char name_out[static CMD_TRUST_PATH_BYTES], struct rw_err *err)
{
    char sig[2 * SIG_BYTES_MAX + 1];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SIG_FILE_BYTES_MAX);
    RW_TRY(tuf_write_sign(rw_buf_span(&f->text), k, sig, err));
    struct json_writer w = json_begin(&text);
    json_open_object(&w, NULL);
    json_put_str(&w, "keyid", k->id);
    json_put_str(&w, "sha256", f->sha256);
    json_put_str(&w, "sig", sig);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    RW_TRY(rw_buf_append_str(&text, "\n", err));
    int n =
        snprintf(name_out, CMD_TRUST_PATH_BYTES, "%s.%.*s%s", path, ID_IN_NAME, k->id, sig_ending);
    if (n < 0 || n >= CMD_TRUST_PATH_BYTES) {
        return rw_fail(err, RW_E_RANGE, "the path '%.60s...' is too long", path);
    }
    return rw_file_replace(name_out, 0644, rw_buf_span(&text), err);
}

/* --- the folder --- */
static bool ends_with(const char *name, const char *ending)
{
    size_t n = strlen(name);
    size_t tail = strlen(ending);
    return n > tail && strcmp(name + n - tail, ending) == 0;
}

/* Names of the folder in order, so that what is printed and put together does not depend on the file system. */
struct names {
    char (*at)[NAMES_MAX];
    size_t count;
};

static void names_drop(struct names *n)
{
    rw_mem_free(n->at);
}

static RW_RC add_name(void *ctx, const char *name, struct rw_err *err)
{
    struct names *n = ctx;
    if (strlen(name) >= NAMES_MAX) { return RW_OK; } /* none of ours is that long */
    if (n->count == NAMES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "more than %d files in the folder", NAMES_MAX);
    }
    rw_copy(n->at[n->count++], NAMES_MAX, name, strlen(name) + 1);
    return RW_OK;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static RW_RC list(const char *dir, struct names *out, struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd fd = -1;
    out->at = rw_mem_new_array(NAMES_MAX, NAMES_MAX);
    if (out->at == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for names"); }
    RW_TRY(rw_dir_open(dir, &fd, err));
    RW_TRY(rw_dir_each(fd, add_name, out, err));
    qsort(out->at, out->count, NAMES_MAX, compare);
    return RW_OK;
}

static bool is_document(const char *name)
{
    return ends_with(name, json_ending) &&
           (strcmp(name, "root.json") == 0 || strcmp(name, "targets.json") == 0 ||
            strncmp(name, "content-", 8) == 0);
}

/* Calls `each` for every unsigned document of the folder: NAME without ".json". */
static RW_RC each_document(const char *dir,
                           RW_RC (*each)(void *ctx, const char *name, struct rw_err *err),
                           void *ctx, struct rw_err *err)
{
    RW_AUTO(names) struct names names = {.at = NULL};
    size_t found = 0;
    RW_TRY(list(dir, &names, err));
    for (size_t i = 0; i < names.count; i++) {
        if (!is_document(names.at[i])) { continue; }
        names.at[i][strlen(names.at[i]) - (sizeof(json_ending) - 1)] = '\0';
        RW_TRY(each(ctx, names.at[i], err));
        found++;
    }
    if (found > 0) { return RW_OK; }
    return rw_fail(err, RW_E_NOT_FOUND, "'%s' holds no document of a ceremony", dir);
}

/* --- signatures --- */
static RW_RC read_signature(const char *path, const struct cmd_trust_file *f,
                            struct tuf_write_sig *out, struct rw_err *err)
{
    static const char *const members[] = {"keyid", "sha256", "sig"};
    struct rw_span sha256;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SIG_FILE_BYTES_MAX);
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(rw_file_read(path, SIG_FILE_BYTES_MAX, &text, err));
    RW_TRY(json_parse(rw_buf_span(&text), &json_limits_small, &tree, err));
    RW_TRY(json_get_span(tree, "sha256", &sha256, err));
    RW_TRY(json_only(tree, members, RW_LEN(members), err));
    RW_TRY(json_get_str(tree, "keyid", out->keyid, sizeof(out->keyid), err));
    RW_TRY(json_get_str(tree, "sig", out->sig_hex, sizeof(out->sig_hex), err));
    if (rw_span_is(sha256, f->sha256)) { return RW_OK; }
    return rw_fail(err, RW_E_TUF_HASH, "it signs another document (SHA-256 %.*s)",
                   (int)(sha256.n < 16 ? sha256.n : 16), (const char *)sha256.p);
}

struct gathering {
    const char *dir;
    struct trust_bundle *b;
};

static RW_RC collect(const char *dir, const char *name, const struct cmd_trust_file *f,
                     struct tuf_write_sig *sigs, size_t *count_out, struct rw_err *err)
{
    char prefix[CMD_TRUST_NAME_BYTES + 8];
    char path[CMD_TRUST_PATH_BYTES];
    RW_AUTO(names) struct names names = {.at = NULL};
    (void)snprintf(prefix, sizeof(prefix), "%s.json.", name);
    RW_TRY(list(dir, &names, err));
    for (size_t i = 0; i < names.count; i++) {
        if (strncmp(names.at[i], prefix, strlen(prefix)) != 0 ||
            !ends_with(names.at[i], sig_ending)) {
            continue;
        }
        struct tuf_write_sig *sig = &sigs[*count_out];
        if (*count_out == TUF_SIGNATURES_MAX) {
            return rw_fail(err, RW_E_TOO_BIG, "more than %d signatures", TUF_SIGNATURES_MAX);
        }
        RW_TRY(join(dir, names.at[i], "", path, err));
        if (!rw_is_ok(read_signature(path, f, sig, err))) { return rw_wrap(err, "'%s'", path); }
        bool twice = false;
        for (size_t k = 0; k < *count_out; k++) {
            twice = twice || strcmp(sigs[k].keyid, sig->keyid) == 0;
        }
        if (!twice) { (*count_out)++; } /* the same key again, under another name */
    }
    return RW_OK;
}

static RW_RC put_together(const char *dir, const char *name, struct trust_bundle_doc *out,
                          struct rw_err *err)
{
    char path[CMD_TRUST_PATH_BYTES];
    size_t count = 0;
    RW_AUTO(cmd_trust_file) struct cmd_trust_file f = {.version = 0};
    RW_TRY(join(dir, name, json_ending, path, err));
    RW_TRY(cmd_trust_file_read(path, &f, err));
    struct tuf_write_sig *sigs = rw_mem_new_array(TUF_SIGNATURES_MAX + 1, sizeof(*sigs));
    if (sigs == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for signatures"); }
    struct rw_rc rc = collect(dir, name, &f, sigs, &count, err);
    if (rw_is_ok(rc)) {
        rc = tuf_write_envelope_of(rw_buf_span(&f.text), sigs, count, &out->bytes, err);
    }
    rw_mem_free(sigs);
    RW_TRY(rc);
    return tuf_doc_parse(rw_buf_span(&out->bytes), f.type, &out->doc, err);
}

static RW_RC gather_one(void *ctx, const char *name, struct rw_err *err)
{
    const struct gathering *g = ctx;
    struct trust_bundle_doc *out = NULL;
    if (strcmp(name, "root") == 0) {
        out = &g->b->root;
    } else if (strcmp(name, "targets") == 0) {
        out = &g->b->targets;
    } else {
        if (g->b->content_count == TRUST_BUNDLE_CONTENTS_MAX) {
            return rw_fail(err, RW_E_TOO_BIG, "more than %d content roles",
                           TRUST_BUNDLE_CONTENTS_MAX);
        }
        const char *family = name + strlen("content-");
        RW_TRY(ring_policy_check_name(family, "family", err));
        rw_copy(g->b->contents[g->b->content_count].family, RING_POLICY_NAME_BYTES, family,
                strlen(family) + 1);
        out = &g->b->contents[g->b->content_count++].role;
    }
    *out = (struct trust_bundle_doc){.bytes = rw_buf_make(TRUST_BUNDLE_FILE_BYTES_MAX)};
    return put_together(g->dir, name, out, err);
}

static RW_RC gather(const char *dir, struct trust_bundle *b, struct rw_err *err)
{
    char path[CMD_TRUST_PATH_BYTES];
    struct gathering g = {dir, b};
    RW_TRY(each_document(dir, gather_one, &g, err));
    RW_TRY(join(dir, "rings", json_ending, path, err));
    b->policy = rw_buf_make(RING_POLICY_BYTES_MAX);
    struct rw_rc rc = rw_file_read(path, RING_POLICY_BYTES_MAX, &b->policy, err);
    return rc.code == RW_E_NOT_FOUND ? RW_OK : rc;
}

RW_RC cmd_trust_file_gather(const char *dir, struct trust_bundle *out, struct rw_err *err)
{
    struct trust_bundle b = {.content_count = 0};
    struct rw_rc rc = gather(dir, &b, err);
    if (!rw_is_ok(rc)) {
        trust_bundle_drop(&b);
        return rc;
    }
    *out = b;
    return RW_OK;
}
