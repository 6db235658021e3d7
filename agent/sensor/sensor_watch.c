#include "agent/sensor/sensor_watch.h"

#include "common/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef DIR *dir_stream;

static void dir_stream_drop(dir_stream *d)
{
    if (*d != NULL) { (void)closedir(*d); }
    *d = NULL;
}

RW_RC sensor_watch_open(const char *path, struct sensor_watch *out, struct rw_err *err)
{
    *out = (struct sensor_watch){.dir = -1};
    out->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out->dir < 0) {
        return rw_fail_errno(err, errno == ENOENT ? RW_E_NOT_FOUND : RW_E_IO, errno,
                             "directory '%s'", path);
    }
    return RW_OK;
}

static int by_inode(const void *a, const void *b)
{
    const struct sensor_watch_seen *x = a;
    const struct sensor_watch_seen *y = b;
    return x->inode < y->inode ? -1 : (x->inode > y->inode ? 1 : 0);
}

static bool is_known(const struct sensor_watch *w, const struct sensor_watch_seen *now)
{
    if (w->count == 0) { return false; }
    const struct sensor_watch_seen *old =
        bsearch(now, w->seen, w->count, sizeof(*w->seen), by_inode);
    return old != NULL && old->changed_ns == now->changed_ns && old->size == now->size;
}

struct look {
    struct sensor_watch_seen *at; /* owned */
    size_t count, cap;
};

static void look_drop(struct look *l)
{
    rw_mem_free(l->at);
}

static RW_RC remember(struct look *l, const struct sensor_watch_seen *one, struct rw_err *err)
{
    if (l->count == SENSOR_WATCH_FILES_MAX) {
        return rw_fail(err, RW_E_FULL, "more than %d files to watch", SENSOR_WATCH_FILES_MAX);
    }
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? 64 : l->cap * 2;
        struct sensor_watch_seen *grown = rw_mem_grow(l->at, cap, sizeof(*grown));
        if (grown == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu files", cap); }
        l->at = grown;
        l->cap = cap;
    }
    l->at[l->count++] = *one;
    return RW_OK;
}

RW_RC sensor_watch_look(struct sensor_watch *w, sensor_watch_file *found, void *ctx,
                        struct rw_err *err)
{
    RW_AUTO(look) struct look now = {.count = 0};
    /* A descriptor of its own: closedir would close ours, and a dup shares the read position. */
    int again = openat(w->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    RW_AUTO(dir_stream) dir_stream dir = again >= 0 ? fdopendir(again) : NULL;
    if (dir == NULL) {
        int saved = errno;
        rw_fd_drop(&again);
        return rw_fail_errno(err, RW_E_IO, saved, "watched directory");
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        struct stat st;
        if (fstatat(w->dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) {
            continue;
        }
        const struct sensor_watch_seen one = {
            .inode = (uint64_t)st.st_ino,
            .changed_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
            .size = (int64_t)st.st_size};
        RW_TRY(remember(&now, &one, err));
        if (!is_known(w, &one)) { found(ctx, w->dir, e->d_name, &st); }
    }
    if (now.count > 0) { qsort(now.at, now.count, sizeof(*now.at), by_inode); }
    rw_mem_free(w->seen);
    w->seen = RW_STEAL(now.at);
    w->count = now.count;
    return RW_OK;
}

void sensor_watch_forget(struct sensor_watch *w)
{
    w->count = 0;
}

void sensor_watch_drop(struct sensor_watch *w)
{
    rw_fd_drop(&w->dir);
    rw_mem_free(w->seen);
    *w = (struct sensor_watch){.dir = -1};
}
