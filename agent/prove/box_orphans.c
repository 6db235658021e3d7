#include "agent/prove/box_orphans.h"

#include "common/base/file.h"
#include "common/base/num.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 32, STAT_BYTES = 512 };

void box_orphans_adopt(void)
{
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/* Field 4 of /proc/PID/stat; the name before it may hold anything, but no ')' stands behind it. */
static int64_t parent_of(const char *name)
{
    char path[64];
    char text[STAT_BYTES];
    struct rw_err err;
    int64_t parent = 0;
    (void)snprintf(path, sizeof(path), "/proc/%.20s/stat", name);
    RW_AUTO(rw_fd) rw_fd fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (got <= 0) { return 0; }
    text[got] = '\0';
    const char *at = strrchr(text, ')');
    if (at == NULL || strlen(at) < 5) { return 0; }
    at += 4; /* ") S " */
    RW_IGNORE(rw_parse_i64(rw_span_of(at, strspn(at, "0123456789")), 0, INT32_MAX, "parent",
                           &parent, &err),
              "a process that has gone meanwhile");
    return parent;
}

/* One look at all processes; how many children there were. */
static int end_children(void)
{
    struct rw_err err;
    int found = 0;
    DIR *all = opendir("/proc");
    if (all == NULL) { return 0; }
    for (struct dirent *one = readdir(all); one != NULL; one = readdir(all)) {
        int64_t pid = 0;
        if (!rw_is_ok(rw_parse_i64(rw_span_str(one->d_name), 2, INT32_MAX, "pid", &pid, &err)) ||
            parent_of(one->d_name) != getpid()) {
            continue;
        }
        (void)kill((pid_t)pid, SIGKILL);
        (void)waitpid((pid_t)pid, NULL, 0);
        found++;
    }
    (void)closedir(all);
    return found;
}

void box_orphans_end(void)
{
    int subreaper = 0;
    if (prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0) != 0 || subreaper == 0) { return; }
    /* Each round's children leave theirs to us. */
    for (int round = 0; round < ROUNDS && end_children() > 0; round++) {}
}
