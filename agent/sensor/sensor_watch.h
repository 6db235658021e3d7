/* sensor_watch.h: finds new and changed files of one directory by looking again and again.
 *
 * memory   owns the directory and what it remembers until sensor_watch_drop
 * threads  one thread
 * source   polling, as it works on every file system; symbolic links and subdirectories are left out
 */
#ifndef RINGWARD_SENSOR_WATCH_H
#define RINGWARD_SENSOR_WATCH_H

#include "common/base/err.h"

#include <sys/stat.h>

enum { SENSOR_WATCH_FILES_MAX = 20000 };

struct sensor_watch_seen {
    uint64_t inode;
    int64_t changed_ns; /* modification time */
    int64_t size;
};

struct sensor_watch {
    int dir;                        /* -1: not watching */
    struct sensor_watch_seen *seen; /* owned; sorted by inode */
    size_t count;
};

/* `st` as the look found it. */
typedef void sensor_watch_file(void *ctx, int dir, const char *name, const struct stat *st);

/* Fails with RW_E_NOT_FOUND, RW_E_IO. */
RW_RC sensor_watch_open(const char *path, struct sensor_watch *out, struct rw_err *err);
/* Calls back for every regular file that is new or has changed since the last look; the first look finds all.
 * Fails with RW_E_IO, RW_E_NOMEM, RW_E_FULL above SENSOR_WATCH_FILES_MAX. */
RW_RC sensor_watch_look(struct sensor_watch *w, sensor_watch_file *found, void *ctx,
                        struct rw_err *err);
/* The next look finds all files again. */
void sensor_watch_forget(struct sensor_watch *w);
void sensor_watch_drop(struct sensor_watch *w);

#endif
