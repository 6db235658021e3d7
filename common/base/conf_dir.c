#include "common/base/conf_dir.h"

#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 65536, NAME_BYTES = 128 };

/* Owner and mode of what is open: whoever else may write it is as good as this process. */
static RW_RC check_own(int fd, const char *path, bool directory, struct rw_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "'%s'", path); }
    if (directory ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode)) {
        return rw_fail(err, RW_E_CONFIG, "'%s' is not a %s", path,
                       directory ? "directory" : "regular file");
    }
    if (st.st_uid != 0 && st.st_uid != geteuid()) {
        RW_IGNORE(rw_fail(err, RW_E_CONFIG,
                          "'%s' belongs to user %lld, neither to root nor to this user", path,
                          (long long)st.st_uid),
                  "hint follows");
        return rw_hint(err, "chown root '%s'", path);
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        RW_IGNORE(rw_fail(err, RW_E_CONFIG, "'%s' can be written by others (mode %04o)", path,
                          (unsigned)st.st_mode & 07777U),
                  "hint follows");
        return rw_hint(err, "chmod go-w '%s', and look whether it still says what it should", path);
    }
    return RW_OK;
}

static RW_RC open_at(int dir, const char *name, int flags, int *fd_out, struct rw_err *err)
{
    /* Not to wait at a pipe that stands in a file's place. */
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
    if (fd < 0) {
        return rw_fail_errno(err, errno == ENOENT ? RW_E_NOT_FOUND : RW_E_IO, errno, "'%s'", name);
    }
    *fd_out = fd;
    return RW_OK;
}

static RW_RC read_all(int fd, const char *path, size_t max, struct rw_buf *into, struct rw_err *err)
{
    size_t before = into->n;
    for (;;) {
        uint8_t *to = NULL;
        RW_TRY(rw_buf_reserve(into, 4096, &to, err));
        ssize_t got = read(fd, to, 4096);
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { return rw_fail_errno(err, RW_E_IO, errno, "reading '%s'", path); }
        if (got == 0) { return RW_OK; }
        rw_buf_commit(into, (size_t)got);
        if (into->n - before > max) {
            return rw_fail(err, RW_E_TOO_BIG, "'%s' has more than %zu bytes", path, max);
        }
    }
}

RW_RC conf_dir_read_own(const char *path, size_t max, struct rw_buf *into, struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd fd = -1;
    RW_TRY(open_at(AT_FDCWD, path, 0, &fd, err));
    RW_TRY(check_own(fd, path, false, err));
    return read_all(fd, path, max, into, err);
}

RW_RC conf_dir_check(const char *path, struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd fd = -1;
    RW_TRY(open_at(AT_FDCWD, path, O_DIRECTORY, &fd, err));
    return check_own(fd, path, true, err);
}

/* --- the folder --- */

struct listing {
    char names[CONF_FILES_MAX][NAME_BYTES];
    size_t count;
    struct conf_trace *trace;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* NN-NAME.conf, NAME of letters, digits, '.', '_' and '-'. */
static bool is_part(const char *name)
{
    static const char tail[] = ".conf";
    size_t n = strlen(name);
    bool good = n > strlen("NN-") + strlen(tail) && n < NAME_BYTES && is_digit(name[0]) &&
                is_digit(name[1]) && name[2] == '-' && strcmp(name + n - strlen(tail), tail) == 0;
    for (size_t i = 3; i < n && good; i++) {
        char c = name[i];
        good = is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
               c == '_' || c == '-';
    }
    return good;
}

static RW_RC take_name(void *ctx, const char *name, struct rw_err *err)
{
    struct listing *l = ctx;
    if (!is_part(name)) {
        struct conf_trace *t = l->trace;
        if (t->ignored_count < CONF_IGNORED_MAX) {
            (void)snprintf(t->ignored[t->ignored_count++], CONF_IGNORED_BYTES, "%.60s", name);
        }
        return RW_OK;
    }
    if (l->count == CONF_FILES_MAX - 1) {
        return rw_fail(err, RW_E_CONFIG, "conf.d holds more than %d files", CONF_FILES_MAX - 1);
    }
    (void)snprintf(l->names[l->count++], NAME_BYTES, "%s", name);
    return RW_OK;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* NOLINTNEXTLINE(readability-function-size): a part by folder and name, and where its settings go */
static RW_RC add_part(const struct conf_table *table, int dir, const char *folder, const char *name,
                      void *target, struct conf_trace *trace, struct rw_err *err)
{
    char path[CONF_PATH_BYTES];
    RW_AUTO(rw_fd) rw_fd fd = -1;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FILE_BYTES_MAX + 8192);
    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path)) {
        return rw_fail(err, RW_E_CONFIG, "the path of '%s' is too long", name);
    }
    if (!rw_is_ok(open_at(dir, name, O_NOFOLLOW, &fd, err))) {
        return rw_fail(err, RW_E_CONFIG,
                       "'%s' cannot be opened as a regular file (links are not followed)", path);
    }
    RW_TRY(check_own(fd, path, false, err));
    RW_TRY(read_all(fd, path, FILE_BYTES_MAX, &text, err));
    return conf_add(table, path, rw_buf_span(&text), target, trace, err);
}

static RW_RC add_folder(const struct conf_table *table, const char *folder, void *target,
                        struct conf_trace *trace, struct rw_err *err)
{
    struct listing l = {.trace = trace};
    RW_AUTO(rw_fd) rw_fd dir = -1;
    struct rw_rc rc = open_at(AT_FDCWD, folder, O_DIRECTORY, &dir, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    RW_TRY(check_own(dir, folder, true, err));
    RW_TRY(rw_dir_each(dir, take_name, &l, err));
    qsort(l.names, l.count, sizeof(l.names[0]), compare);
    for (size_t i = 0; i < l.count; i++) {
        RW_TRY(add_part(table, dir, folder, l.names[i], target, trace, err));
    }
    return RW_OK;
}

RW_RC conf_dir_load(const struct conf_table *table, const char *path, void *target,
                    struct conf_trace *trace, struct rw_err *err)
{
    char folder[CONF_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FILE_BYTES_MAX + 8192);
    int n = snprintf(folder, sizeof(folder), "%.*sconf.d",
                     slash == NULL ? 0 : (int)(slash + 1 - path), path);
    if (n < 0 || n >= (int)sizeof(folder)) {
        return rw_fail(err, RW_E_CONFIG, "the path '%.60s...' is too long", path);
    }
    RW_TRY(conf_begin(table, target, trace, err));
    RW_TRY(conf_dir_read_own(path, FILE_BYTES_MAX, &text, err));
    RW_TRY(conf_add(table, path, rw_buf_span(&text), target, trace, err));
    RW_TRY(add_folder(table, folder, target, trace, err));
    return conf_end(table, path, trace, err);
}
