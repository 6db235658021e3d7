#include "agent/prove/box_cgroup.h"

#include "common/base/file.h"
#include "common/base/num.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    TRIES = 8,           /* names */
    SWEPT_MAX = 64,      /* left-overs per run */
    EMPTY_TRIES = 20000, /* of a quarter of a millisecond: a busy host is slow to let a group go */
    PROCS_MAX = 256,     /* read at once */
    TEXT_BYTES = 4096,
};

static const char prefix[] = "ringward-box-";

struct box_cgroup box_cgroup_none(void)
{
    return (struct box_cgroup){.memory = -1, .pids = -1, .memory_parent = -1, .pids_parent = -1};
}

static bool put_text(int dir, const char *file, const char *text)
{
    int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);
    if (fd < 0) { return false; }
    ssize_t done = write(fd, text, strlen(text));
    int write_errno = errno;
    (void)close(fd);
    errno = write_errno;
    return done == (ssize_t)strlen(text);
}

static bool put_number(int dir, const char *file, int64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    return put_text(dir, file, text);
}

static size_t get_text(int dir, const char *file, char text[static TEXT_BYTES])
{
    int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, TEXT_BYTES - 1);
    if (fd >= 0) { (void)close(fd); }
    text[got > 0 ? got : 0] = '\0';
    return got > 0 ? (size_t)got : 0;
}

static int64_t number_of(const char *text)
{
    struct rw_err err;
    int64_t value = 0;
    size_t n = strspn(text, "0123456789");
    RW_IGNORE(rw_parse_i64(rw_span_of(text, n), 0, INT64_MAX, "counter", &value, &err),
              "a kernel without the counter counts nothing");
    return value;
}

/* The number behind `key` in lines of "key number"; the whole text when key is "". */
static int64_t get_number(int dir, const char *file, const char *key)
{
    char text[TEXT_BYTES];
    size_t n = strlen(key);
    (void)get_text(dir, file, text);
    if (n == 0) { return number_of(text); }
    for (const char *line = text; *line != '\0';) {
        if (strncmp(line, key, n) == 0 && line[n] == ' ') { return number_of(line + n + 1); }
        line += strcspn(line, "\n");
        line += *line == '\n' ? 1 : 0;
    }
    return 0;
}

static void pause_shortly(void)
{
    const struct timespec quarter_ms = {.tv_nsec = 250000};
    (void)nanosleep(&quarter_ms, NULL);
}

/* Sends SIGKILL to what is in the group now; false when nobody is. */
static bool kill_once(int dir)
{
    char text[TEXT_BYTES];
    if (get_text(dir, "cgroup.procs", text) == 0) { return false; }
    const char *at = text;
    for (int i = 0; i < PROCS_MAX && *at != '\0'; i++) {
        int64_t pid = number_of(at);
        if (pid > 1) { (void)kill((pid_t)pid, SIGKILL); }
        at += strcspn(at, "\n");
        at += *at == '\n' ? 1 : 0;
    }
    return true;
}

/* Version 2 kills a group as one. In version 1 nothing new may start any more, then one after another goes. */
static void empty_group(int dir)
{
    if (!put_text(dir, "cgroup.kill", "1")) { (void)put_number(dir, "pids.max", 0); }
    for (int i = 0; i < EMPTY_TRIES && kill_once(dir); i++) {
        pause_shortly();
    }
}

/* A group is busy for some moments after its last process has gone. */
static void remove_group(int parent, const char *name)
{
    for (int i = 0; i < EMPTY_TRIES; i++) {
        if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno != EBUSY) { return; }
        pause_shortly();
    }
}

/* Whoever made it lives when its lock is taken. */
static void sweep_one(int parent, const char *name)
{
    RW_AUTO(rw_fd) rw_fd dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB) != 0) { return; }
    empty_group(dir);
    remove_group(parent, name);
}

static void sweep_below(const char *path)
{
    char names[SWEPT_MAX][BOX_CGROUP_NAME_BYTES];
    size_t count = 0;
    DIR *all = path[0] != '\0' ? opendir(path) : NULL;
    if (all == NULL) { return; }
    for (struct dirent *one = readdir(all); one != NULL && count < SWEPT_MAX; one = readdir(all)) {
        if (strncmp(one->d_name, prefix, sizeof(prefix) - 1) != 0) { continue; }
        int used = snprintf(names[count], BOX_CGROUP_NAME_BYTES, "%s", one->d_name);
        count += used > 0 && used < BOX_CGROUP_NAME_BYTES ? 1 : 0;
    }
    for (size_t i = 0; i < count; i++) {
        sweep_one(dirfd(all), names[i]);
    }
    (void)closedir(all);
}

void box_cgroup_sweep(const struct box_cgroup_base *base)
{
    sweep_below(base->v2);
    sweep_below(base->v1_memory);
    sweep_below(base->v1_pids);
}

/* Makes and locks one directory; -1 with errno. Its parent stays open, to remove it. */
static int make_dir(const char *base, const char *name, int *parent_out)
{
    *parent_out = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*parent_out < 0 || mkdirat(*parent_out, name, 0755) != 0) { return -1; }
    int dir = openat(*parent_out, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) == 0) { return dir; }
    int lock_errno = errno;
    rw_fd_drop(&dir);
    remove_group(*parent_out, name);
    errno = lock_errno;
    return -1;
}

static void drop_group(struct box_cgroup *c)
{
    if (c->memory >= 0) { remove_group(c->memory_parent, c->name); }
    if (c->pids >= 0) { remove_group(c->pids_parent, c->name); }
    rw_fd_drop(&c->memory);
    rw_fd_drop(&c->pids);
    rw_fd_drop(&c->memory_parent);
    rw_fd_drop(&c->pids_parent);
}

static bool make_v2(struct box_cgroup *c, const char *base, const struct box_cgroup_limits *limits)
{
    c->memory = make_dir(base, c->name, &c->memory_parent);
    if (c->memory < 0) { return false; }
    (void)put_number(c->memory, "memory.swap.max", 0); /* missing where there is no swap */
    (void)put_number(c->memory, "memory.oom.group", 1);
    /* One processor. Missing where the controller was not delegated: the limits of time do not need it. */
    (void)put_text(c->memory, "cpu.max", "100000 100000");
    return put_number(c->memory, "memory.max", limits->memory_bytes) &&
           put_number(c->memory, "pids.max", limits->processes);
}

static bool make_v1(struct box_cgroup *c, const struct box_cgroup_base *base,
                    const struct box_cgroup_limits *limits)
{
    c->memory = make_dir(base->v1_memory, c->name, &c->memory_parent);
    if (c->memory < 0) { return false; }
    c->pids = make_dir(base->v1_pids, c->name, &c->pids_parent);
    if (c->pids < 0) { return false; }
    (void)put_number(c->memory, "memory.swappiness", 0);
    bool done = put_number(c->memory, "memory.limit_in_bytes", limits->memory_bytes) &&
                put_number(c->pids, "pids.max", limits->processes);
    /* Is there only with swap accounting; with it, memory and swap together. */
    (void)put_number(c->memory, "memory.memsw.limit_in_bytes", limits->memory_bytes);
    return done;
}

void box_cgroup_open(struct box_cgroup *c, const struct box_cgroup_base *base,
                     const struct box_cgroup_limits *limits, struct box_layers *l)
{
    bool v1 = base->v1_memory[0] != '\0' && base->v1_pids[0] != '\0';
    *c = box_cgroup_none();
    if (!box_layer_wanted(l, BOX_LAYER_CGROUP)) { return; }
    box_cgroup_sweep(base);
    errno = ENODEV;
    for (int i = 0; i < TRIES && (v1 || base->v2[0] != '\0'); i++) {
        (void)snprintf(c->name, sizeof(c->name), "%s%d-%d", prefix, (int)getpid(), i);
        bool made = base->v2[0] != '\0' ? make_v2(c, base->v2, limits) : make_v1(c, base, limits);
        if (made) {
            l->cgroup_version = base->v2[0] != '\0' ? 2 : 1;
            box_layer_note(l, BOX_LAYER_CGROUP, true, 0);
            return;
        }
        int make_errno = errno;
        drop_group(c);
        errno = make_errno;
        if (make_errno == EACCES || make_errno == EPERM || make_errno == EROFS) { break; }
    }
    box_layer_note(l, BOX_LAYER_CGROUP, false, errno);
}

int box_cgroup_clone_fd(const struct box_cgroup *c, const struct box_layers *l)
{
    return l->cgroup_version == 2 && box_layer_in_force(l, BOX_LAYER_CGROUP) ? c->memory : -1;
}

void box_cgroup_enter(const struct box_cgroup *c, struct box_layers *l)
{
    if (!box_layer_in_force(l, BOX_LAYER_CGROUP) || l->cgroup_version != 1) { return; }
    if (!put_number(c->memory, "tasks", 0) || !put_number(c->pids, "tasks", 0)) {
        box_layer_note(l, BOX_LAYER_CGROUP, false, errno);
    }
}

void box_cgroup_close(struct box_cgroup *c, const struct box_layers *l)
{
    if (c->memory < 0) { return; }
    if (c->pids >= 0) { empty_group(c->pids); }
    empty_group(c->memory);
    if (l->cgroup_version == 2) {
        c->oom_kills = get_number(c->memory, "memory.events", "oom_kill");
        c->peak_kib = get_number(c->memory, "memory.peak", "") / 1024;
    } else {
        c->oom_kills = get_number(c->memory, "memory.oom_control", "oom_kill");
        c->peak_kib = get_number(c->memory, "memory.max_usage_in_bytes", "") / 1024;
    }
    drop_group(c);
}
