/* sensor_watch.h: finds new and changed files of one directory by looking again and again.
 *
 * memory   owns the directory and what it remembers until sensor_watch_drop
 * threads  one thread
 * source   polling, as it works on every file system; symbolic links and subdirectories are left out
 */
#ifndef RINGWARD_SENSOR_WATCH_H
#define RINGWARD_SENSOR_WATCH_H

#include "common/base/clock.h"

#include <sys/stat.h>

/* Remembered at most; of the files beyond, so many are looked at in one look, each in its turn. */
enum { SENSOR_WATCH_FILES_MAX = 20000, SENSOR_WATCH_TURN_FILES = 200 };

struct sensor_watch_seen {
    uint64_t inode;
    int64_t changed_ns; /* of the inode: unlike the time of its content nobody can set it back */
    int64_t size;
    int64_t retry_ms; /* failures > 0: not before */
    int failures;     /* in a row, of this state of the file */
};

struct sensor_watch {
    int dir;                        /* -1: not watching */
    struct sensor_watch_seen *seen; /* owned; sorted by inode */
    size_t count;
    size_t files_max; /* SENSOR_WATCH_FILES_MAX; tests lower it */
    size_t beyond;    /* files of the last look that cannot be remembered; 0: none */
    size_t turn;      /* the first of them whose turn is next */
};

enum sensor_watch_result {
    SENSOR_WATCH_DONE,
    SENSOR_WATCH_FAILED, /* it comes again after a back-off of 2 s to 10 min */
    SENSOR_WATCH_LATER,  /* it was not looked at: it comes again in the next look */
};

/* `st` as the look found it. */
typedef enum sensor_watch_result sensor_watch_file(void *ctx, int dir, const char *name,
                                                   const struct stat *st);

/* Fails with RW_E_NOT_FOUND, RW_E_IO. */
RW_RC sensor_watch_open(const char *path, struct sensor_watch *out, struct rw_err *err);
/* Calls back for every regular file that is new, has changed or is to be tried again; the first look finds all. Files
 * above files_max cannot be remembered: they are looked at again and again, some in each look (w->beyond).
 * Fails with RW_E_IO, RW_E_NOMEM; what was seen before stays known. */
RW_RC sensor_watch_look(struct sensor_watch *w, struct rw_mono now, sensor_watch_file *found,
                        void *ctx, struct rw_err *err);
/* The next look finds all files again. */
void sensor_watch_forget(struct sensor_watch *w);
void sensor_watch_drop(struct sensor_watch *w);

#endif
