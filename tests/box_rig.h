/* box_rig.h: the real ringward-box in its variants, and a look at what a run left behind.
 *
 * A test defines RIG_BOX as RW_BIN_DIR "/ringward-box" and includes the headers of the libraries itself, so that the
 * build knows what it needs.
 * rig_open / rig_close       a folder with copies of the programs that any user may read and execute
 * rig_check                  one run -> verdict; fails the test when a process, mount, group or file is left
 */
#ifndef RINGWARD_TEST_BOX_RIG_H
#define RINGWARD_TEST_BOX_RIG_H

#include "agent/prove/box_cgroup.h"
#include "common/base/file.h"
#include "common/base/proc.h"
#include "common/box/box_run.h"
#include "tests/harness.h"

#include <dirent.h>
#include <errno.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { RIG_ARGS_MAX = 48, RIG_GONE_MS = 30000, RIG_PROGRAM_BYTES_MAX = 64 << 20 };

struct rig {
    char dir[64];
    struct box_cgroup_base groups;
    int mounts; /* before */
};

static struct rig rig;

struct rig_run {
    const char *validator; /* name in the rig's folder */
    const char *type;
    bool unprivileged;
    const char *container; /* shell commands of a container's root before the box; NULL: none */
    const char *without;   /* NULL: nothing */
    bool allow_weak;
    const char *wall;    /* NULL: 30s, for busy hosts */
    const char *samples; /* path; NULL: none */
    const char *content; /* path; NULL: the rig's */
    const char *clean;   /* number; NULL: 0 */
    const char *memory;  /* NULL: 128MiB */
};

static inline void rig_path(char path[static 128], const char *name)
{
    (void)snprintf(path, 128, "%s/%s", rig.dir, name);
}

static inline void rig_write(const char *name, struct rw_span bytes, mode_t mode)
{
    struct rw_err err;
    char path[128];
    rig_path(path, name);
    MUST(rw_file_replace(path, mode, bytes, &err));
    assert_int_equal(chmod(path, mode), 0); /* whatever the umask */
}

static inline void rig_copy(const char *from, const char *name)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(RIG_PROGRAM_BYTES_MAX);
    MUST(rw_file_read(from, RIG_PROGRAM_BYTES_MAX, &bytes, &err));
    rig_write(name, rw_buf_span(&bytes), 0755);
}

static inline int rig_count_mounts(void);

static inline int rig_open(void **state)
{
    (void)state;
    (void)snprintf(rig.dir, sizeof(rig.dir), "/tmp/rw-rig-XXXXXX");
    if (mkdtemp(rig.dir) == NULL || chmod(rig.dir, 0755) != 0) { return -1; }
    rig_copy(RIG_BOX, "ringward-box");
    rig_copy(RW_BIN_DIR "/../tests/ringward-validate-hostile", "hostile");
    rig_copy(RW_BIN_DIR "/../tests/ringward-validate-hostile-dynamic", "dynamic");
    rig_copy(RW_BIN_DIR "/../tests/ringward-validate-hostile-dynamic", "files");
    rig_write("dynamic.conf", rw_span_str("profile = dynamic\n"), 0644);
    rig_write("files.conf", rw_span_str("profile = files\n"), 0644);
    rig_write("content", rw_span_str("content"), 0644);
    box_cgroup_find_own(&rig.groups);
    rig.mounts = rig_count_mounts();
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static inline int rig_close(void **state)
{
    (void)state;
    return nftw(rig.dir, harness_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- what is left behind --- */

/* We are the reaper of all descendants: an orphan of the box would be ours now. It may be about to die. */
static inline void rig_nobody_is_left(void)
{
    const struct timespec step = {.tv_nsec = 5 * 1000 * 1000};
    for (int ms = 0; ms < RIG_GONE_MS; ms += 5) {
        if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD) { return; }
        (void)nanosleep(&step, NULL);
    }
    fail_msg("a process outlived its box");
}

static inline bool rig_has_group(const char *base, pid_t launcher)
{
    char prefix[48];
    bool found = false;
    DIR *all = base[0] != '\0' ? opendir(base) : NULL;
    if (all == NULL) { return false; }
    (void)snprintf(prefix, sizeof(prefix), "ringward-box-%d-", (int)launcher);
    for (struct dirent *one = readdir(all); one != NULL; one = readdir(all)) {
        found = found || strncmp(one->d_name, prefix, strlen(prefix)) == 0;
    }
    (void)closedir(all);
    return found;
}

static inline bool rig_any_group(pid_t launcher)
{
    return rig_has_group(rig.groups.v2, launcher) ||
           rig_has_group(rig.groups.v1_memory, launcher) ||
           rig_has_group(rig.groups.v1_pids, launcher);
}

/* Mounts of the kind that a box makes: others of this host come and go as they like. */
static inline int rig_count_mounts(void)
{
    static const char *const points[] = {" /tmp ", " /tmp/usr", " /tmp/lib", " /tmp/etc",
                                         " /tmp/tmp "};
    struct rw_err err;
    int count = 0;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 20);
    MUST(rw_file_read("/proc/self/mountinfo", 1 << 20, &text, &err));
    for (size_t i = 0; i < RW_LEN(points); i++) {
        for (const char *at = rw_buf_str(&text); (at = strstr(at, points[i])) != NULL; at++) {
            count++;
        }
    }
    return count;
}

static inline void rig_same_mounts(void)
{
    assert_int_equal(rig_count_mounts(), rig.mounts);
}

static inline void rig_nothing_is_left(pid_t launcher)
{
    rig_nobody_is_left();
    assert_false(rig_any_group(launcher));
    rig_same_mounts();
    assert_int_equal(access("/tmp/ringward-hostile", F_OK), -1);
}

/* --- running --- */

struct rig_args {
    char *at[RIG_ARGS_MAX];
    size_t n;
};

static inline void rig_add(struct rig_args *a, const char *text)
{
    assert_true(a->n + 1 < RIG_ARGS_MAX);
    a->at[a->n++] = (char *)(uintptr_t)text;
}

/* The program is the box, or setpriv that becomes it as another user. */
static inline const char *rig_begin(struct rig_args *a, const char box[static 128],
                                    const struct rig_run *r)
{
    if (r->container != NULL) { /* root of a user name space that knows no other identity */
        const char *const words[] = {
            "unshare", "--user", "--map-root-user", "sh", "-c", r->container, "sh", box};
        for (size_t i = 0; i < RW_LEN(words); i++) {
            rig_add(a, words[i]);
        }
        return "/usr/bin/unshare";
    }
    if (r->unprivileged && geteuid() == 0) {
        static const char *const words[] = {"setpriv", "--reuid", "65534",
                                            "--regid", "65534",   "--clear-groups"};
        for (size_t i = 0; i < RW_LEN(words); i++) {
            rig_add(a, words[i]);
        }
        rig_add(a, box);
        return "/usr/bin/setpriv";
    }
    rig_add(a, "ringward-box");
    return box;
}

static inline void rig_start(const struct rig_run *r, struct proc *child, int *out_fd)
{
    struct rw_err err;
    struct rig_args a = {.n = 0};
    char box[128];
    char validator[128];
    char content[128];
    int pair[2];
    rig_path(box, "ringward-box");
    rig_path(validator, r->validator);
    rig_path(content, "content");
    const char *program = rig_begin(&a, box, r);
    /* Of loops alone processor time is the test: a page may cost a busy host many times as much as an idle one. */
    bool spins = strcmp(r->type, "spin") == 0;
    const char *const words[] = {"run",
                                 "--validator",
                                 validator,
                                 "--type",
                                 r->type,
                                 "--content",
                                 r->content != NULL ? r->content : content,
                                 "--wall",
                                 r->wall != NULL ? r->wall : "30s",
                                 "--cpu",
                                 spins ? "1s" : "20s",
                                 "--memory",
                                 r->memory != NULL ? r->memory : "128MiB",
                                 "--clean-files",
                                 r->clean != NULL ? r->clean : "0"};
    for (size_t i = 0; i < RW_LEN(words); i++) {
        rig_add(&a, words[i]);
    }
    if (r->samples != NULL) { rig_add(&a, "--samples"); }
    if (r->samples != NULL) { rig_add(&a, r->samples); }
    if (r->without != NULL) { rig_add(&a, "--without"); }
    if (r->without != NULL) { rig_add(&a, r->without); }
    if (r->allow_weak) { rig_add(&a, "--allow-weak"); }
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    const struct proc_fd fds[] = {{pair[1], STDOUT_FILENO}};
    const struct proc_spec spec = {.path = program, .argv = a.at, .fds = fds, .fd_count = 1};
    MUST(proc_start(&spec, child, &err));
    (void)close(pair[1]);
    *out_fd = pair[0];
}

static inline struct verdict rig_check(const struct rig_run *r)
{
    struct rw_err err;
    struct proc child;
    struct proc_exit gone;
    struct verdict v;
    int out = -1;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(VERDICT_TEXT_BYTES_MAX);
    rig_start(r, &child, &out);
    pid_t launcher = child.pid;
    for (ssize_t got = 1; got > 0;) {
        uint8_t *at = NULL;
        MUST(rw_buf_reserve(&text, 4096, &at, &err));
        got = read(out, at, 4096);
        if (got > 0) { rw_buf_commit(&text, (size_t)got); }
    }
    (void)close(out);
    MUST(proc_wait(&child, 60000, &gone, &err));
    assert_false(gone.signaled);
    if (r->without != NULL && gone.status == 2) { skip(); } /* a build that is shipped */
    MUST(verdict_read(rw_buf_span(&text), &v, &err));
    rig_nothing_is_left(launcher);
    return v;
}

static inline bool rig_missing(const struct verdict *v, const char *layer)
{
    size_t n = strlen(layer);
    for (size_t i = 0; i < v->missing_count; i++) {
        if (strncmp(v->missing[i], layer, n) == 0 && v->missing[i][n] == ':') { return true; }
    }
    return false;
}

static inline bool rig_in_force(const struct verdict *v, const char *layer)
{
    size_t n = strlen(layer);
    for (size_t i = 0; i < v->layer_count; i++) {
        char end = v->layers[i][n < VERDICT_LAYER_BYTES ? n : 0];
        if (strncmp(v->layers[i], layer, n) == 0 && (end == '\0' || end == ':')) { return true; }
    }
    return false;
}

#endif
