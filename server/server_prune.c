#include "server/server_prune.h"

#include "common/base/file.h"
#include "common/base/log.h"
#include "server/prune_refs.h"
#include "server/release/release_codec.h"
#include "server/report/audit_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { DETAILS_BYTES_MAX = 4096 };

/* --- what the store says --- */
struct known {
    struct release_id id;
    int state;
    uint8_t sha256[DIGEST_BYTES]; /* of its payload */
    bool measure;                 /* later releases are measured against it: release_check.c */
};

struct knowns {
    struct known *at; /* owned; by family and number */
    size_t count;
};

static void knowns_drop(struct knowns *k)
{
    rw_mem_free(k->at);
}

static RW_RC take_release(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    struct knowns *k = arg;
    RW_AUTO(release) struct release r = release_make();
    RW_TRY(release_read_stored(doc->body, doc->generation, &r, err));
    void *grown = rw_mem_grow(k->at, k->count + 1, sizeof(*k->at));
    if (grown == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for releases"); }
    k->at = grown;
    struct known *own = &k->at[k->count];
    *own = (struct known){.id = r.id, .state = r.state};
    own->measure = r.state == RELEASE_PUBLISHED && !r.unchecked && !r.drill;
    if (r.payload.declared) {
        RW_TRY(rw_hex_decode(own->sha256, DIGEST_BYTES, rw_span_str(r.payload.sha256),
                             "hash of a payload", err));
    }
    k->count++;
    return RW_OK;
}

static int compare(const void *left, const void *right)
{
    const struct known *a = left;
    const struct known *b = right;
    int by_family = strcmp(a->id.family, b->id.family);
    if (by_family != 0) { return by_family; }
    return a->id.number == b->id.number ? 0 : a->id.number < b->id.number ? -1 : 1;
}

/* NULL: the store has no such release. */
static const struct known *look_up(const struct knowns *k, const struct prune_entry *e)
{
    struct known key = {.state = 0};
    if (k->count == 0 || strlen(e->name) >= sizeof(key.id.family)) { return NULL; }
    rw_copy(key.id.family, sizeof(key.id.family), e->name, strlen(e->name));
    key.id.number = e->number;
    return bsearch(&key, k->at, k->count, sizeof(key), compare);
}

static struct prune_release state_of(const struct known *found)
{
    if (found == NULL) { return (struct prune_release){.known = false}; }
    return (struct prune_release){.known = true, .state = found->state};
}

/* --- one run --- */
struct run {
    const struct server_prune_settings *set;
    struct prune_list *list;
    struct knowns knowns;
    struct prune_refs refs;
    int dir; /* borrowed */
};

static void judge_metadata(struct run *r)
{
    int64_t newer = 0;
    for (size_t i = 0; i < r->list->count; i++) {
        struct prune_entry *e = &r->list->at[i];
        if (e->kind != PRUNE_METADATA) { continue; }
        bool same = i > 0 && e[-1].kind == PRUNE_METADATA && strcmp(e[-1].name, e->name) == 0;
        newer = same ? newer + 1 : 0;
        int64_t current = prune_refs_version(&r->refs, e->name);
        const struct prune_metadata m = {.root = strcmp(e->name, "root") == 0,
                                         .listed = current > 0,
                                         .version = e->number,
                                         .current = current,
                                         .newer = newer,
                                         .replaced_s =
                                             same ? e[-1].written_s : r->set->limits.now_s};
        e->verdict = prune_rule_metadata(&r->set->limits, &m);
    }
}

/* What a version that stays names stays too: a client may be on its way by it. */
static RW_RC read_what_stays(struct run *r, struct rw_err *err)
{
    static const char *const no_targets[] = {"root", "snapshot", "timestamp"};
    for (size_t i = 0; i < r->list->count; i++) {
        const struct prune_entry *e = &r->list->at[i];
        bool skip = e->kind != PRUNE_METADATA || e->verdict == PRUNE_GO;
        for (size_t k = 0; k < RW_LEN(no_targets); k++) {
            skip = skip || strcmp(e->name, no_targets[k]) == 0;
        }
        if (!skip) { RW_TRY(prune_refs_add(r->dir, e, &r->refs, err)); }
    }
    prune_refs_sort(&r->refs);
    return RW_OK;
}

static void judge_payloads(struct run *r)
{
    for (size_t i = 0; i < r->list->count; i++) {
        struct prune_entry *e = &r->list->at[i];
        if (e->kind != PRUNE_PAYLOAD) { continue; }
        const struct prune_payload p = {.release = state_of(look_up(&r->knowns, e)),
                                        .listed = prune_refs_name(&r->refs, e->sha256),
                                        .written_s = e->written_s};
        e->verdict = prune_rule_payload(&r->set->limits, &p);
    }
}

static void judge_policies(struct run *r)
{
    for (size_t i = 0; i < r->list->count; i++) {
        struct prune_entry *e = &r->list->at[i];
        if (e->kind != PRUNE_POLICY) { continue; }
        const struct prune_policy p = {prune_refs_name(&r->refs, e->sha256), e->written_s};
        e->verdict = prune_rule_policy(&r->set->limits, &p);
    }
}

/* Behind the payloads: a difference to one that stays stays. */
static RW_RC judge_deltas(struct run *r, struct rw_err *err)
{
    struct prune_list *list = r->list;
    for (size_t i = 0; i < list->count; i++) {
        const struct prune_entry *e = &list->at[i];
        if (e->kind != PRUNE_PAYLOAD || e->verdict == PRUNE_GO) { continue; }
        RW_TRY(prune_refs_take(&r->refs, e->sha256, err));
    }
    prune_refs_sort(&r->refs);
    for (size_t i = 0; i < list->count; i++) {
        struct prune_entry *e = &list->at[i];
        if (e->kind != PRUNE_DELTA) { continue; }
        const struct prune_delta d = {prune_refs_name(&r->refs, e->sha256), e->written_s};
        e->verdict = prune_rule_delta(&r->set->limits, &d);
    }
    return RW_OK;
}

static void judge_staging(struct run *r)
{
    for (size_t i = 0; i < r->list->count; i++) {
        struct prune_entry *e = &r->list->at[i];
        if (e->kind != PRUNE_STAGING) { continue; }
        const struct known *own = look_up(&r->knowns, e);
        struct prune_staging s = {.release = state_of(own),
                                  .listed = own != NULL && prune_refs_name(&r->refs, own->sha256),
                                  .written_s = e->written_s};
        for (size_t k = 0; k < r->knowns.count; k++) {
            const struct known *other = &r->knowns.at[k];
            if (strcmp(other->id.family, e->name) != 0) { continue; }
            s.newer += other->measure && other->id.number > e->number;
            s.checking = s.checking || other->state == RELEASE_CHECKING;
        }
        e->verdict = prune_rule_staging(&r->set->limits, &s);
    }
}

/* Half of a change of trust is no repository to judge by: release_signer.c. */
static RW_RC require_whole(int dir, struct rw_err *err)
{
    if (faccessat(dir, "repo/unfinished", F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) {
        return RW_OK;
    }
    RW_IGNORE(rw_fail(err, RW_E_BUSY, "a change of trust is being written (repo/unfinished)"),
              "hint follows");
    return rw_hint(err, "try again; after a crash the server's next start finishes it");
}

static RW_RC plan(struct run *r, struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd repo = -1;
    RW_TRY(require_whole(r->dir, err));
    RW_TRY(prune_list_read(r->dir, r->list, err));
    RW_TRY(store_doc_each(r->set->store, "release", take_release, &r->knowns, err));
    if (r->knowns.count > 0) {
        qsort(r->knowns.at, r->knowns.count, sizeof(*r->knowns.at), compare);
    }
    RW_TRY(rw_dir_open_at(r->dir, "repo", &repo, err));
    RW_TRY(prune_refs_read(repo, &r->refs, err));
    judge_metadata(r);
    RW_TRY(read_what_stays(r, err));
    judge_staging(r);
    judge_policies(r);
    judge_payloads(r);
    RW_TRY(judge_deltas(r, err));
    return require_whole(r->dir, err);
}

/* --- removing --- */
static RW_RC write_details(const struct prune_list *list, struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    for (enum prune_kind kind = PRUNE_METADATA; kind < PRUNE_STRANGER; kind++) {
        struct server_prune_sum sum = server_prune_sum(list, kind);
        json_open_object(&w, prune_list_kind(kind));
        json_put_int(&w, "files", sum.files);
        json_put_int(&w, "bytes", sum.bytes);
        json_close_object(&w);
    }
    json_close_object(&w);
    return json_done(&w, err);
}

/* Before the first file goes: one that the store would not take stops the run. */
static RW_RC record(const struct run *r, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf details = rw_buf_make(DETAILS_BYTES_MAX);
    const struct rw_wall now = {r->set->limits.now_s};
    RW_TRY(write_details(r->list, &details, err));
    const struct audit_log_entry entry = {.actor = r->set->by,
                                          .action = "server.prune",
                                          .object = "repository and staging",
                                          .reason = "",
                                          .details = rw_buf_span(&details)};
    RW_TRY(store_begin(r->set->store, err));
    struct rw_rc rc = audit_log_append(r->set->store, &entry, now, err);
    if (!rw_is_ok(rc)) {
        store_rollback(r->set->store);
        return rc;
    }
    return store_commit(r->set->store, err);
}

static RW_RC remove_folder(int dir, const struct prune_entry *e, struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd own = -1;
    RW_TRY(rw_dir_open_at(dir, e->path, &own, err));
    RW_TRY(rw_file_remove_at(own, "payload", err));
    RW_TRY(rw_file_remove_at(own, "samples", err));
    if (unlinkat(dir, e->path, AT_REMOVEDIR) == 0) { return RW_OK; }
    return rw_fail_errno(err, RW_E_IO, errno, "'%s'", e->path);
}

static RW_RC remove_one(int dir, const struct prune_entry *e, struct rw_err *err)
{
    struct rw_log_line l;
    RW_TRY(e->kind == PRUNE_STAGING ? remove_folder(dir, e, err)
                                    : rw_file_remove_at(dir, e->path, err));
    rw_log_begin(&l, RW_LOG_INFO, "pruned");
    rw_log_str(&l, "kind", prune_list_kind(e->kind));
    rw_log_str(&l, "path", e->path);
    rw_log_i64(&l, "bytes", e->bytes);
    rw_log_end(&l);
    return RW_OK;
}

static RW_RC remove_all(const struct run *r, struct rw_err *err)
{
    const struct prune_list *list = r->list;
    size_t going = 0;
    for (size_t i = 0; i < list->count; i++) {
        going += list->at[i].verdict == PRUNE_GO;
    }
    if (going == 0) { return RW_OK; }
    RW_TRY(record(r, err));
    for (size_t i = 0; i < list->count; i++) {
        if (r->set->stopping != NULL && r->set->stopping(r->set->ctx)) { return RW_OK; }
        if (list->at[i].verdict == PRUNE_GO) { RW_TRY(remove_one(r->dir, &list->at[i], err)); }
    }
    return RW_OK;
}

static RW_RC lock(int dir, const char *path, const char *who, struct rw_err *err)
{
    if (flock(dir, LOCK_EX | LOCK_NB) == 0) { return RW_OK; }
    if (errno != EWOULDBLOCK) { return rw_fail_errno(err, RW_E_IO, errno, "'%s'", path); }
    return rw_fail(err, RW_E_BUSY, "%s is at work in '%s'", who, path);
}

/* A policy is written before targets list it: release_signer.c holds the same lock from one to the other. */
static RW_RC lock_policies(int dir, rw_fd *out, struct rw_err *err)
{
    static const char path[] = "repo/targets/policy";
    struct rw_rc rc = rw_dir_open_at(dir, path, out, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    return lock(*out, path, "a change of trust", err);
}

RW_RC server_prune(const struct server_prune_settings *s, struct prune_list *out,
                   struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd dir = -1;
    RW_AUTO(rw_fd) rw_fd policies = -1;
    *out = (struct prune_list){.at = NULL};
    RW_TRY(rw_dir_open(s->dir, &dir, err));
    RW_TRY(lock(dir, s->dir, "another run or a backup", err));
    RW_TRY(lock_policies(dir, &policies, err));
    struct run r = {.set = s, .list = out, .dir = dir};
    struct rw_rc rc = plan(&r, err);
    if (!rw_is_ok(rc)) { rc = rw_wrap(err, "nothing is removed"); }
    if (rw_is_ok(rc) && !s->dry_run) { rc = remove_all(&r, err); }
    knowns_drop(&r.knowns);
    prune_refs_drop(&r.refs);
    if (!rw_is_ok(rc)) { prune_list_drop(out); }
    return rc;
}

struct server_prune_sum server_prune_sum(const struct prune_list *list, enum prune_kind kind)
{
    struct server_prune_sum sum = {.files = 0};
    for (size_t i = 0; i < list->count; i++) {
        const struct prune_entry *e = &list->at[i];
        if (e->kind != kind || e->verdict != PRUNE_GO) { continue; }
        sum.files++;
        sum.bytes += e->bytes;
    }
    return sum;
}
