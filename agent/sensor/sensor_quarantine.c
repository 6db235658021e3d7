#include "agent/sensor/sensor_quarantine.h"

#include "agent/sensor/sensor_quarantine_rule.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/json/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MANIFEST_BYTES_MAX = 8 * 1024 * 1024,
    LINE_BYTES_MAX = 4096,
    KEPT_BYTES = 96,
    FILE_NAME_BYTES = SENSOR_FAMILY_BYTES + 24,
};

void sensor_quarantine_drop(struct sensor_quarantine *q)
{
    rw_fd_drop(&q->files);
    rw_fd_drop(&q->manifests);
    rw_fd_drop(&q->watched);
}

static void hand_over(struct sensor_quarantine *from, struct sensor_quarantine *to)
{
    *to = *from;
    *from = (struct sensor_quarantine){.files = -1, .manifests = -1, .watched = -1};
}

RW_RC sensor_quarantine_open(const char *dir, const char *watched, struct sensor_quarantine *out,
                             struct rw_err *err)
{
    RW_AUTO(sensor_quarantine)
    struct sensor_quarantine q = {.files = -1, .manifests = -1, .watched = -1};
    RW_AUTO(rw_fd) rw_fd top = -1;
    struct stat from;
    struct stat to;
    RW_TRY(rw_dir_make(dir, 0700, err));
    RW_TRY(rw_dir_open(dir, &top, err));
    RW_TRY(rw_dir_make_at(top, "files", 0700, &q.files, err));
    RW_TRY(rw_dir_make_at(top, "manifest", 0700, &q.manifests, err));
    q.watched = open(watched, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (q.watched < 0) {
        return rw_fail_errno(err, errno == ENOENT ? RW_E_NOT_FOUND : RW_E_IO, errno,
                             "directory '%s'", watched);
    }
    if (fstat(q.watched, &from) != 0 || fstat(q.files, &to) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "quarantine '%s'", dir);
    }
    if (from.st_dev != to.st_dev) {
        RW_IGNORE(rw_fail(err, RW_E_CONFIG, "quarantine '%s' and '%s' are on two file systems", dir,
                          watched),
                  "hint follows");
        return rw_hint(err, "files are moved with mode and owner: choose a folder beside it");
    }
    hand_over(&q, out);
    return RW_OK;
}

static void manifest_of(const char *family, int64_t release, char dst[static FILE_NAME_BYTES])
{
    (void)snprintf(dst, FILE_NAME_BYTES, "%s-%lld", family, (long long)release);
}

static RW_RC write_line(const struct sensor_quarantine_order *o, const char *kept,
                        struct rw_buf *line, struct rw_err *err)
{
    char at[RW_TIME_TEXT_BYTES];
    char hex[2 * NAME_MAX + 1];
    struct rw_clock clock = rw_clock_system();
    struct json_writer w = json_begin(line);
    rw_wall_format(at, rw_clock_wall(&clock));
    rw_hex_encode(hex, sizeof(hex), (const uint8_t *)o->name, strlen(o->name));
    json_open_object(&w, NULL);
    json_put_str(&w, "at", at);
    json_put_str(&w, "rule", o->rule);
    json_put_bool(&w, "trial", o->trial);
    json_put_str(&w, "file", o->name); /* for people: bytes that are no text are not exact here */
    json_put_str(&w, "name", hex);
    json_put_str(&w, "kept", kept);
    json_put_int(&w, "mode", (int64_t)(o->found->st_mode & 07777U));
    json_put_int(&w, "uid", (int64_t)o->found->st_uid);
    json_put_int(&w, "gid", (int64_t)o->found->st_gid);
    json_put_int(&w, "bytes", (int64_t)o->found->st_size);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    return rw_buf_append_str(line, "\n", err);
}

/* Before the file moves: what is in quarantine is always in a manifest, too. */
static RW_RC note(const struct sensor_quarantine *q, const struct sensor_quarantine_order *o,
                  const char *kept, struct rw_err *err)
{
    char name[FILE_NAME_BYTES];
    struct stat st;
    RW_AUTO(rw_buf) struct rw_buf line = rw_buf_make(LINE_BYTES_MAX);
    manifest_of(o->family, o->release, name);
    RW_TRY(write_line(o, kept, &line, err));
    char last = '\n';
    RW_AUTO(rw_fd)
    rw_fd fd =
        openat(q->manifests, name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "quarantine's manifest '%s'", name);
    }
    if (st.st_size + (off_t)line.n > MANIFEST_BYTES_MAX) {
        return rw_fail(err, RW_E_FULL, "quarantine's manifest '%s' has %d bytes", name,
                       MANIFEST_BYTES_MAX);
    }
    /* A crash may have cut the last line: what comes now must not be read as its rest. */
    if (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n') {
        RW_TRY(rw_fd_write_all(fd, rw_span_str("\n"), err));
    }
    RW_TRY(rw_fd_write_all(fd, rw_buf_span(&line), err));
    RW_TRY(rw_fd_sync(fd, name, err));
    return rw_fd_sync(q->manifests, "quarantine's manifests", err);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static RW_RC move(int from, const char *name, int to, const char *as, struct rw_err *err)
{
    if (renameat2(from, name, to, as, RENAME_NOREPLACE) != 0) {
        enum rw_code code =
            errno == ENOENT ? RW_E_NOT_FOUND : (errno == EEXIST ? RW_E_BUSY : RW_E_IO);
        return rw_fail_errno(err, code, errno, "cannot move '%s'", name);
    }
    return RW_OK;
}

/* Two names of one file must not become one. */
static unsigned hash_of(const char *name)
{
    unsigned hash = 2166136261U;
    for (const char *p = name; *p != '\0'; p++) {
        hash = (hash ^ (uint8_t)*p) * 16777619U;
    }
    return hash;
}

RW_RC sensor_quarantine_take(const struct sensor_quarantine *q,
                             const struct sensor_quarantine_order *o, struct rw_err *err)
{
    char kept[KEPT_BYTES];
    struct stat moved;
    (void)snprintf(kept, sizeof(kept), "%s-%lld-%llu-%08x", o->family, (long long)o->release,
                   (unsigned long long)o->found->st_ino, hash_of(o->name));
    RW_TRY(note(q, o, kept, err));
    RW_TRY(move(q->watched, o->name, q->files, kept, err));
    if (fstatat(q->files, kept, &moved, AT_SYMLINK_NOFOLLOW) != 0 || !same_file(&moved, o->found)) {
        RW_TRY(move(q->files, kept, q->watched, o->name, err));
        return rw_fail(err, RW_E_BUSY, "'%s' has changed since it was scanned", o->name);
    }
    RW_TRY(rw_fd_sync(q->files, "quarantine", err));
    return rw_fd_sync(q->watched, "the watched directory", err);
}

/* A name is one component of a path, nothing else. */
static RW_RC check_component(const char *name, size_t n, struct rw_err *err)
{
    if (n == 0 || strlen(name) != n || strchr(name, '/') != NULL || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0) {
        return rw_fail(err, RW_E_SCHEMA, "'%.40s' is not the name of a file", name);
    }
    return RW_OK;
}

struct taken {
    char name[NAME_MAX + 1];
    char kept[KEPT_BYTES];
    bool trial;
};

static RW_RC read_line(struct rw_span line, struct taken *out, struct rw_err *err)
{
    struct rw_span hex;
    RW_AUTO(json_tree) json_tree tree = NULL;
    *out = (struct taken){.trial = false};
    RW_TRY(json_parse(line, &json_limits_small, &tree, err));
    RW_TRY(json_get_bool(tree, "trial", &out->trial, err));
    RW_TRY(json_get_str(tree, "kept", out->kept, sizeof(out->kept), err));
    RW_TRY(check_component(out->kept, strlen(out->kept), err));
    RW_TRY(json_get_span(tree, "name", &hex, err));
    if (hex.n > 2 * (size_t)NAME_MAX) { return rw_fail(err, RW_E_SCHEMA, "a name is too long"); }
    RW_TRY(rw_hex_decode((uint8_t *)out->name, hex.n / 2, hex, "name", err));
    return check_component(out->name, hex.n / 2, err);
}

struct undo {
    const struct sensor_quarantine *q;
    const char *family;
    int64_t release;
    const struct sensor_set *set; /* NULL: all goes back */
    struct sensor_quarantine_undone done;
};

static int64_t loaded_of(const struct sensor_set *set, const char *family)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->at[i].name, family) == 0) { return set->at[i].release; }
    }
    return 0;
}

static bool goes_back(const struct undo *u, bool trial)
{
    if (u->set == NULL) { return true; }
    const struct sensor_quarantine_rule_case c = {.set = u->set->number,
                                                  .loaded = loaded_of(u->set, u->family),
                                                  .release = u->release,
                                                  .trial = trial};
    return sensor_quarantine_rule_undo(&c);
}

static void log_file(enum rw_log_level level, const char *event, const struct undo *u,
                     const struct taken *t, const struct rw_err *err)
{
    struct rw_log_line line;
    rw_log_begin(&line, level, event);
    rw_log_str(&line, "file", t->name);
    rw_log_str(&line, "family", u->family);
    rw_log_i64(&line, "release", u->release);
    if (err != NULL) { rw_log_err(&line, err); }
    rw_log_end(&line);
}

static void put_back(struct undo *u, const struct taken *t)
{
    struct rw_err err;
    struct stat st;
    if (fstatat(u->q->files, t->kept, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) {
        return; /* it never moved, or is back already */
    }
    if (!rw_is_ok(move(u->q->files, t->kept, u->q->watched, t->name, &err))) {
        u->done.kept++;
        log_file(RW_LOG_ERROR, "not_restored", u, t, &err);
        return;
    }
    u->done.restored++;
    log_file(RW_LOG_INFO, "restored", u, t, NULL);
}

/* Whether all lines were about what goes back. A line that cannot be read names no file that is surely there: it is
 * told, and keeps the manifest. */
static bool undo_lines(struct undo *u, struct rw_span text)
{
    bool all = true;
    while (text.n > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        struct taken t;
        struct rw_err err;
        if (end == NULL) { return all; } /* cut by a crash: its file did not move yet */
        size_t n = (size_t)(end - text.p);
        if (!rw_is_ok(read_line(rw_span_of(text.p, n), &t, &err))) {
            u->done.kept++;
            log_file(RW_LOG_ERROR, "manifest_line_unreadable", u, &t, &err);
        } else if (goes_back(u, t.trial)) {
            put_back(u, &t);
        } else {
            all = false;
        }
        text = rw_span_of(text.p + n + 1, text.n - n - 1);
    }
    return all;
}

static RW_RC undo_release(struct undo *u, struct rw_err *err)
{
    char name[FILE_NAME_BYTES];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(MANIFEST_BYTES_MAX);
    manifest_of(u->family, u->release, name);
    RW_TRY(rw_file_read_at(u->q->manifests, name, MANIFEST_BYTES_MAX, &text, err));
    bool all = undo_lines(u, rw_buf_span(&text));
    RW_TRY(rw_fd_sync(u->q->watched, "the watched directory", err));
    RW_TRY(rw_fd_sync(u->q->files, "quarantine", err));
    if (!all || u->done.kept > 0) { return RW_OK; }
    return rw_file_remove_at(u->q->manifests, name, err);
}

RW_RC sensor_quarantine_undo(const struct sensor_quarantine *q, const char *family, int64_t release,
                             struct sensor_quarantine_undone *out, struct rw_err *err)
{
    struct undo u = {.q = q, .family = family, .release = release};
    struct rw_rc rc = undo_release(&u, err);
    *out = u.done;
    return rc;
}

/* "FAMILY-RELEASE": the number stands behind the last dash. */
static bool split(const char *name, char family[static SENSOR_FAMILY_BYTES], int64_t *release_out)
{
    const char *dash = strrchr(name, '-');
    struct rw_err unused;
    if (dash == NULL || dash == name || dash - name >= SENSOR_FAMILY_BYTES) { return false; }
    (void)snprintf(family, SENSOR_FAMILY_BYTES, "%.*s", (int)(dash - name), name);
    return rw_is_ok(
        rw_parse_i64(rw_span_str(dash + 1), 1, RW_JSON_INT_MAX, "release", release_out, &unused));
}

struct following {
    const struct sensor_quarantine *q;
    const struct sensor_set *set;
};

static RW_RC follow_one(void *ctx, const char *name, struct rw_err *err)
{
    const struct following *f = ctx;
    char family[SENSOR_FAMILY_BYTES];
    struct undo u = {.q = f->q, .set = f->set, .family = family};
    if (!split(name, family, &u.release)) { return RW_OK; }
    if (!goes_back(&u, true)) {
        return RW_OK;
    } /* what was not taken on trial goes back even less */
    struct rw_rc rc = undo_release(&u, err);
    if (!rw_is_ok(rc)) { /* the others' files go back all the same */
        struct rw_log_line line;
        rw_log_begin(&line, RW_LOG_ERROR, "undo_failed");
        rw_log_err(&line, err);
        rw_log_end(&line);
    }
    return RW_OK;
}

RW_RC sensor_quarantine_follow(const struct sensor_quarantine *q, const struct sensor_set *set,
                               struct rw_err *err)
{
    struct following f = {q, set};
    if (q->files < 0) { return RW_OK; }
    return rw_dir_each(q->manifests, follow_one, &f, err);
}
