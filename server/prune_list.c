#include "server/prune_list.h"

#include "common/base/file.h"
#include "server/release/release_codec.h"
#include "server/release/release_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One folder that is walked. */
struct walk {
    struct prune_list *list;
    int dir;
    const char *path;   /* below the server's directory, without a slash at the end */
    const char *family; /* of the folder; NULL in one of families and in that of metadata */
    enum prune_kind kind;
};

static const char *const kinds[PRUNE_KINDS] = {"metadata", "payload", "delta",
                                               "policy",   "staging", "stranger"};

const char *prune_list_kind(enum prune_kind kind)
{
    return kinds[kind];
}

void prune_list_drop(struct prune_list *list)
{
    rw_mem_free(list->at);
    *list = (struct prune_list){.at = NULL};
}

static RW_RC add(struct prune_list *list, const struct prune_entry *e, struct rw_err *err)
{
    if (list->count == PRUNE_ENTRIES_MAX) {
        return rw_fail(err, RW_E_RANGE, "more than %d files: look by hand", PRUNE_ENTRIES_MAX);
    }
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 256 : 2 * list->room;
        void *grown = rw_mem_grow(list->at, room, sizeof(*list->at));
        if (grown == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a list of files"); }
        list->at = grown;
        list->room = room;
    }
    list->at[list->count++] = *e;
    return RW_OK;
}

/* --- names --- */
static bool read_number(struct rw_span digits, int64_t max, int64_t *out)
{
    struct rw_err unused;
    return rw_is_ok(rw_parse_i64(digits, 1, max, "number", out, &unused));
}

static bool read_hash(const char *name, uint8_t out[static DIGEST_BYTES])
{
    struct rw_err unused;
    struct rw_span hex = rw_span_of(name, DIGEST_HEX_BYTES - 1);
    return strlen(name) > DIGEST_HEX_BYTES && name[DIGEST_HEX_BYTES - 1] == '.' &&
           rw_is_ok(rw_hex_decode(out, DIGEST_BYTES, hex, "hash", &unused));
}

/* What lies between `head` bytes and the ending; n 0: the name has not this form. */
static struct rw_span between(const char *name, size_t head, const char *ending)
{
    size_t n = strlen(name);
    size_t tail = strlen(ending);
    bool fits = n > head + tail && strcmp(name + n - tail, ending) == 0;
    return fits ? rw_span_of(name + head, n - head - tail) : rw_span_of(name, 0);
}

/* "7.ring-canary.json" */
static bool read_metadata(const char *name, struct prune_entry *e)
{
    struct rw_err unused;
    const char *dot = strchr(name, '.');
    if (dot == NULL) { return false; }
    size_t head = (size_t)(dot - name) + 1;
    struct rw_span role = between(name, head, ".json");
    return role.n > 0 && read_number(rw_span_of(name, head - 1), RW_JSON_INT_MAX, &e->number) &&
           rw_is_ok(rw_span_to_str(e->name, sizeof(e->name), role, "role", &unused));
}

/* "SHA256.17.rwc" */
static bool read_payload(const char *name, struct prune_entry *e)
{
    return read_hash(name, e->sha256) &&
           read_number(between(name, DIGEST_HEX_BYTES, ".rwc"), RELEASE_NUMBER_MAX, &e->number);
}

/* "SHA256.SHA256.zst" */
static bool read_delta(const char *name, struct prune_entry *e)
{
    uint8_t from[DIGEST_BYTES];
    return read_hash(name, e->sha256) && read_hash(name + DIGEST_HEX_BYTES, from) &&
           strcmp(name + 2 * (size_t)DIGEST_HEX_BYTES - 1, ".zst") == 0;
}

/* "SHA256.rings.json" */
static bool read_policy(const char *name, struct prune_entry *e)
{
    return read_hash(name, e->sha256) && strcmp(name + DIGEST_HEX_BYTES, "rings.json") == 0;
}

/* Written by rw_file_replace_at, or left by one that was cut off. */
static bool is_half_written(const char *name)
{
    return name[0] == '.' && between(name, 1, ".tmp").n > 0;
}

static bool read_name(enum prune_kind kind, const char *name, struct prune_entry *e)
{
    switch (kind) {
    case PRUNE_METADATA:
        return read_metadata(name, e);
    case PRUNE_PAYLOAD:
        return read_payload(name, e);
    case PRUNE_DELTA:
        return read_delta(name, e);
    case PRUNE_POLICY:
        return read_policy(name, e);
    case PRUNE_STAGING:
        return read_number(rw_span_str(name), RELEASE_NUMBER_MAX, &e->number);
    case PRUNE_STRANGER:
    case PRUNE_KINDS:
        break;
    }
    return false;
}

/* --- one file or folder --- */
struct content {
    int dir;
    struct prune_entry *of;
};

/* A folder of staging is known when nothing is in it but what an upload leaves. */
static RW_RC take_part(void *ctx, const char *name, struct rw_err *err)
{
    const struct content *c = ctx;
    struct stat st;
    struct rw_err unused;
    enum release_part unused_part = RELEASE_PAYLOAD;
    if (fstatat(c->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) { return RW_OK; } /* an upload goes on */
        return rw_fail_errno(err, RW_E_IO, errno, "'%s/%s'", c->of->path, name);
    }
    bool part = rw_is_ok(release_stage_part(rw_span_str(name), &unused_part, &unused));
    if (!part || !S_ISREG(st.st_mode)) { c->of->kind = PRUNE_STRANGER; }
    c->of->bytes += st.st_size;
    if (st.st_mtim.tv_sec > c->of->written_s) { c->of->written_s = st.st_mtim.tv_sec; }
    return RW_OK;
}

static RW_RC look_into(const struct walk *w, const char *name, struct prune_entry *e,
                       struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd own = -1;
    struct content c = {.of = e};
    RW_TRY(rw_dir_open_at(w->dir, name, &own, err));
    c.dir = own;
    e->bytes = 0;
    return rw_dir_each(own, take_part, &c, err);
}

static RW_RC take(void *ctx, const char *name, struct rw_err *err)
{
    const struct walk *w = ctx;
    struct stat st;
    struct prune_entry e = {.kind = w->kind, .verdict = PRUNE_UNKNOWN};
    if (is_half_written(name) ||
        (w->kind == PRUNE_METADATA && strcmp(name, "timestamp.json") == 0)) {
        return RW_OK;
    }
    int n = snprintf(e.path, sizeof(e.path), "%s/%s", w->path, name);
    if (n < 0 || n >= (int)sizeof(e.path)) {
        return rw_fail(err, RW_E_RANGE, "'%s': a name of more than %d bytes", w->path,
                       PRUNE_PATH_BYTES);
    }
    if (fstatat(w->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) { return RW_OK; } /* the server removes old differences itself */
        return rw_fail_errno(err, RW_E_IO, errno, "'%s'", e.path);
    }
    e.bytes = st.st_size;
    e.written_s = st.st_mtim.tv_sec;
    if (w->family != NULL) { (void)snprintf(e.name, sizeof(e.name), "%s", w->family); }
    bool folder = w->kind == PRUNE_STAGING;
    bool right = folder ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode);
    if (!right || !read_name(w->kind, name, &e)) {
        e.kind = PRUNE_STRANGER;
    } else if (folder) {
        RW_TRY(look_into(w, name, &e, err));
    }
    return add(w->list, &e, err);
}

/* --- folders --- */
static RW_RC take_family(void *ctx, const char *name, struct rw_err *err)
{
    const struct walk *w = ctx;
    struct release_id id;
    struct rw_err unused;
    char path[PRUNE_PATH_BYTES];
    RW_AUTO(rw_fd) rw_fd dir = -1;
    int n = snprintf(path, sizeof(path), "%s/%s", w->path, name);
    if (n < 0 || n >= (int)sizeof(path)) {
        return rw_fail(err, RW_E_RANGE, "'%s': a name of more than %d bytes", w->path,
                       PRUNE_PATH_BYTES);
    }
    struct stat st;
    bool folder = fstatat(w->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
    if (!folder || !rw_is_ok(release_id_parse(rw_span_str(name), rw_span_str("1"), &id, &unused))) {
        struct prune_entry e = {.kind = PRUNE_STRANGER, .verdict = PRUNE_UNKNOWN};
        (void)snprintf(e.path, sizeof(e.path), "%s", path);
        return add(w->list, &e, err);
    }
    RW_TRY(rw_dir_open_at(w->dir, name, &dir, err));
    struct walk below = {w->list, dir, path, name, w->kind};
    return rw_dir_each(dir, take, &below, err);
}

static RW_RC read_folder(int dir, const char *path, enum prune_kind kind, struct prune_list *list,
                         struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd own = -1;
    struct rw_rc rc = rw_dir_open_at(dir, path, &own, err);
    /* There are none before the second release. */
    if (rc.code == RW_E_NOT_FOUND && kind == PRUNE_DELTA) { return RW_OK; }
    RW_TRY(rc);
    struct walk w = {list, own, path, NULL, kind};
    bool flat = kind == PRUNE_METADATA || kind == PRUNE_POLICY;
    return rw_dir_each(own, flat ? take : take_family, &w, err);
}

static int compare(const void *left, const void *right)
{
    const struct prune_entry *a = left;
    const struct prune_entry *b = right;
    if (a->kind != b->kind) { return a->kind < b->kind ? -1 : 1; }
    int by_name = strcmp(a->name, b->name);
    if (by_name != 0) { return by_name; }
    if (a->number != b->number) { return a->number > b->number ? -1 : 1; }
    return strcmp(a->path, b->path);
}

RW_RC prune_list_read(int dir, struct prune_list *out, struct rw_err *err)
{
    /* Differences first: what one leads to was there before it, and is found afterwards. */
    RW_TRY(read_folder(dir, "repo/targets/delta", PRUNE_DELTA, out, err));
    RW_TRY(read_folder(dir, "repo/targets/content", PRUNE_PAYLOAD, out, err));
    RW_TRY(read_folder(dir, "repo/targets/policy", PRUNE_POLICY, out, err));
    RW_TRY(read_folder(dir, "staging", PRUNE_STAGING, out, err));
    RW_TRY(read_folder(dir, "repo/metadata", PRUNE_METADATA, out, err));
    if (out->count > 0) { qsort(out->at, out->count, sizeof(*out->at), compare); }
    return RW_OK;
}
