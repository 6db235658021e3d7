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
    *out = (struct sensor_watch){.dir = -1, .files_max = SENSOR_WATCH_FILES_MAX};
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

static const struct sensor_watch_seen *find(const struct sensor_watch *w, uint64_t inode)
{
    const struct sensor_watch_seen key = {.inode = inode};
    return w->count == 0 ? NULL : bsearch(&key, w->seen, w->count, sizeof(*w->seen), by_inode);
}

struct look {
    struct sensor_watch *w;
    struct rw_mono now;
    sensor_watch_file *found;
    void *ctx;
    struct sensor_watch_seen *at; /* owned */
    size_t count, cap;
    size_t met;    /* files that were known before */
    size_t beyond; /* files without a place */
    size_t turned; /* of them looked at */
};

static void look_drop(struct look *l)
{
    rw_mem_free(l->at);
}

static bool grow(struct look *l)
{
    if (l->count < l->cap) { return true; }
    size_t cap = l->cap == 0 ? 64 : l->cap * 2;
    struct sensor_watch_seen *grown = rw_mem_grow(l->at, cap, sizeof(*grown));
    if (grown == NULL) { return false; }
    l->at = grown;
    l->cap = cap;
    return true;
}

/* What was known keeps its place: what is new takes the places that are left. */
static bool has_place(struct look *l, bool known)
{
    size_t waiting = l->w->count > l->met ? l->w->count - l->met : 0;
    return l->count + (known ? 0 : waiting) < l->w->files_max && grow(l);
}

static int64_t back_off_ms(int failures)
{
    enum { FIRST_MS = 2000, MOST_MS = 600000, DOUBLINGS = 9 };
    int64_t ms = (int64_t)FIRST_MS << (failures <= DOUBLINGS ? failures - 1 : DOUBLINGS);
    return ms < MOST_MS ? ms : MOST_MS;
}

static void meet(struct look *l, const char *name, const struct stat *st)
{
    struct sensor_watch_seen one = {.inode = (uint64_t)st->st_ino,
                                    .changed_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 +
                                                  st->st_ctim.tv_nsec,
                                    .size = (int64_t)st->st_size};
    const struct sensor_watch_seen *old = find(l->w, one.inode);
    bool same = old != NULL && old->changed_ns == one.changed_ns && old->size == one.size;
    if (same) { one = *old; }
    if (old != NULL) { l->met++; }
    bool place = has_place(l, old != NULL);
    if (!place) {
        size_t number = l->beyond++;
        if (number < l->w->turn || l->turned == SENSOR_WATCH_TURN_FILES) { return; }
    }
    if (!same || (one.failures > 0 && l->now.ms >= one.retry_ms)) {
        enum sensor_watch_result r = l->found(l->ctx, l->w->dir, name, st);
        if (r == SENSOR_WATCH_LATER && !same) { return; }
        if (r == SENSOR_WATCH_DONE) { one.failures = 0; }
        if (r == SENSOR_WATCH_FAILED) {
            one.failures++;
            one.retry_ms = l->now.ms + back_off_ms(one.failures);
        }
    }
    l->turned += place ? 0 : 1;
    if (place) { l->at[l->count++] = one; }
}

static void keep(struct look *l)
{
    struct sensor_watch *w = l->w;
    if (l->count > 0) { qsort(l->at, l->count, sizeof(*l->at), by_inode); }
    rw_mem_free(w->seen);
    w->seen = RW_STEAL(l->at);
    w->count = l->count;
    w->beyond = l->beyond;
    w->turn = w->turn + l->turned < l->beyond ? w->turn + l->turned : 0;
}

RW_RC sensor_watch_look(struct sensor_watch *w, struct rw_mono now, sensor_watch_file *found,
                        void *ctx, struct rw_err *err)
{
    RW_AUTO(look) struct look l = {.w = w, .now = now, .found = found, .ctx = ctx};
    /* A descriptor of its own: closedir would close ours, and a dup shares the read position. */
    int again = openat(w->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    RW_AUTO(dir_stream) dir_stream dir = again >= 0 ? fdopendir(again) : NULL;
    if (dir == NULL) {
        int saved = errno;
        rw_fd_drop(&again);
        return rw_fail_errno(err, RW_E_IO, saved, "watched directory");
    }
    if (w->count > 0) { /* room for all that is known, before anything is looked at */
        l.at = rw_mem_grow(NULL, w->count, sizeof(*l.at));
        if (l.at == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu files", w->count); }
        l.cap = w->count;
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        struct stat st;
        if (fstatat(w->dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
            meet(&l, e->d_name, &st);
        }
    }
    keep(&l);
    return RW_OK;
}

void sensor_watch_forget(struct sensor_watch *w)
{
    w->count = 0;
    w->turn = 0;
}

void sensor_watch_drop(struct sensor_watch *w)
{
    rw_fd_drop(&w->dir);
    rw_mem_free(w->seen);
    *w = (struct sensor_watch){.dir = -1};
}
