/* Goal: groups are made where the kernel's texts say they may be, bound what they hold, and are gone afterwards; what a
 * killed launcher left is swept, what a living one holds is not. */
#include "agent/prove/box_cgroup.h"
#include "common/base/file.h"
#include "tests/harness.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const struct {
    const char *id;
    const char *own;
    const char *mounts;
    struct box_cgroup_base want;
} finds[] = {
    {"version 1",
     "9:name=systemd:/\n8:pids:/a\n4:memory:/b/c\n0::/d\n",
     "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
     "32 31 0:29 / /sys/fs/cgroup/pids rw shared:9 - cgroup cgroup rw,pids\n"
     "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
     {"", "/sys/fs/cgroup/memory/b/c", "/sys/fs/cgroup/pids/a"}},
    {"version 2",
     "0::/system.slice/ringward.service/supervisor\n",
     "25 20 0:22 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw\n",
     {"/sys/fs/cgroup/system.slice/ringward.service/supervisor", "", ""}},
    {"both",
     "1:memory,pids:/x\n0::/\n",
     "1 1 0:1 / /cg/mp rw - cgroup cgroup rw,memory,pids\n2 1 0:2 / /cg/u rw - cgroup2 c rw\n",
     {"/cg/u", "/cg/mp/x", "/cg/mp/x"}},
    {"a part of the hierarchy, as in containers",
     "4:memory:/docker/77/box\n",
     "3 1 0:3 /docker/77 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
     {"", "/sys/fs/cgroup/memory/box", ""}},
    {"outside of what is mounted",
     "4:memory:/elsewhere\n",
     "3 1 0:3 /docker/77 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
     {"", "", ""}},
    {"a name that only begins alike",
     "4:memory:/docker/777\n",
     "3 1 0:3 /docker/77 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
     {"", "", ""}},
    {"a controller whose name contains another's",
     "4:memorystat:/a\n",
     "3 1 0:3 / /sys/fs/cgroup/memorystat rw - cgroup cgroup rw,memorystat\n",
     {"", "", ""}},
    {"odd lines", "::\n4\n:\n\n", "x\n1 2 3\n- - -\n 1 1 1 1 1 1\n", {"", "", ""}},
    {"nothing", "", "", {"", "", ""}},
};

TEST_EACH(groups_are_found_from_the_kernels_texts, finds)
{
    struct box_cgroup_base base;
    box_cgroup_find(it->own, it->mounts, &base);
    assert_string_equal(base.v2, it->want.v2);
    assert_string_equal(base.v1_memory, it->want.v1_memory);
    assert_string_equal(base.v1_pids, it->want.v1_pids);
}

static const struct box_cgroup_limits limits = {.memory_bytes = 32 << 20, .processes = 3};

/* A host without groups for us (no root, no delegation) has nothing to test here. */
static bool open_group(struct box_cgroup *c, struct box_layers *l, struct box_cgroup_base *base)
{
    box_cgroup_find_own(base);
    *l = (struct box_layers){.in_force = 0};
    box_cgroup_open(c, base, &limits, l);
    return box_layer_in_force(l, BOX_LAYER_CGROUP);
}

static bool exists(const char *base, const char *name)
{
    char path[BOX_CGROUP_PATH_BYTES + 64];
    struct stat st;
    if (base[0] == '\0') { return false; }
    (void)snprintf(path, sizeof(path), "%s/%s", base, name);
    return stat(path, &st) == 0;
}

static bool group_exists(const struct box_cgroup_base *base, const char *name)
{
    return exists(base->v2, name) || exists(base->v1_memory, name) || exists(base->v1_pids, name);
}

TEST(a_group_is_made_and_removed)
{
    struct box_cgroup c;
    struct box_layers l;
    struct box_cgroup_base base;
    char name[BOX_CGROUP_NAME_BYTES];
    int before = harness_open_fds();
    if (!open_group(&c, &l, &base)) { skip(); }
    (void)snprintf(name, sizeof(name), "%s", c.name);
    assert_true(group_exists(&base, name));
    box_cgroup_close(&c, &l);
    assert_false(group_exists(&base, name));
    assert_int_equal(harness_open_fds(), before);
}

/* In the group: more children than it may have, which sleep. */
static void fill_group(const struct box_cgroup *c, struct box_layers *l, int report)
{
    int made = 0;
    box_cgroup_enter(c, l);
    for (; made < 10; made++) {
        pid_t pid = fork();
        if (pid < 0) { break; }
        if (pid == 0) {
            (void)close(report);
            for (;;) {
                (void)sleep(100);
            }
        }
    }
    char byte = (char)(box_layer_in_force(l, BOX_LAYER_CGROUP) ? made : -1);
    if (write(report, &byte, 1) != 1) { _exit(1); }
    for (;;) {
        (void)sleep(100);
    }
}

TEST(a_group_bounds_processes_and_kills_what_is_left)
{
    struct box_cgroup c;
    struct box_layers l;
    struct box_cgroup_base base;
    int pair[2];
    signed char made = -2;
    if (!open_group(&c, &l, &base) || l.cgroup_version != 1) { skip(); }
    assert_int_equal(pipe(pair), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(pair[0]);
        fill_group(&c, &l, pair[1]);
    }
    (void)close(pair[1]);
    assert_int_equal(read(pair[0], &made, 1), 1);
    assert_int_equal(made, 2); /* itself and two: three */
    box_cgroup_close(&c, &l);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(read(pair[0], &made, 1), 0); /* nobody holds the other end any more */
    (void)close(pair[0]);
}

TEST(what_a_dead_launcher_left_is_swept_and_what_a_living_one_holds_is_not)
{
    struct box_cgroup mine;
    struct box_cgroup other;
    struct box_layers l;
    struct box_layers l2;
    struct box_cgroup_base base;
    char left[BOX_CGROUP_NAME_BYTES];
    if (!open_group(&mine, &l, &base)) { skip(); }
    (void)snprintf(left, sizeof(left), "%s", mine.name);
    box_cgroup_sweep(&base);
    assert_true(group_exists(&base, left)); /* locked */
    /* As if its launcher had been killed: the locks go with the descriptors, the folders stay. */
    rw_fd_drop(&mine.memory);
    rw_fd_drop(&mine.pids);
    rw_fd_drop(&mine.memory_parent);
    rw_fd_drop(&mine.pids_parent);
    assert_true(group_exists(&base, left));
    assert_true(open_group(&other, &l2, &base));
    if (strcmp(other.name, left) != 0) { assert_false(group_exists(&base, left)); }
    box_cgroup_close(&other, &l2);
    assert_false(group_exists(&base, left));
}

TEST(a_folder_that_is_no_group_is_none)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct box_cgroup c;
    struct box_layers l = {.in_force = 0};
    struct box_cgroup_base base = {.v2 = ""};
    (void)snprintf(base.v1_memory, sizeof(base.v1_memory), "%s", d.path);
    (void)snprintf(base.v1_pids, sizeof(base.v1_pids), "%s", d.path);
    int before = harness_open_fds();
    box_cgroup_open(&c, &base, &limits, &l);
    assert_false(box_layer_in_force(&l, BOX_LAYER_CGROUP));
    assert_true(l.missing[BOX_LAYER_CGROUP] != 0); /* INV-12 */
    box_cgroup_close(&c, &l);
    assert_int_equal(harness_open_fds(), before);
    assert_int_equal(rmdir(d.path), 0); /* empty again */
    assert_int_equal(mkdir(d.path, 0700), 0);
}

TEST(a_layer_that_was_taken_away_makes_no_group)
{
    struct box_cgroup c;
    struct box_cgroup_base base;
    struct box_layers l = {.without = BOX_LAYER_BIT(BOX_LAYER_CGROUP)};
    box_cgroup_find_own(&base);
    box_cgroup_open(&c, &base, &limits, &l);
    assert_int_equal(c.memory, -1);
    assert_int_equal(l.missing[BOX_LAYER_CGROUP], BOX_LAYER_TAKEN_AWAY);
}

/* --- version 2, as far as this host has it: a group with no controllers is enough for these two --- */

struct clone_request {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
};

static bool find_v2(char path[static BOX_CGROUP_PATH_BYTES])
{
    struct rw_err err;
    struct box_cgroup_base base;
    RW_AUTO(rw_buf) struct rw_buf own = rw_buf_make(1 << 16);
    RW_AUTO(rw_buf) struct rw_buf mounts = rw_buf_make(1 << 20);
    MUST(rw_file_read("/proc/self/cgroup", 1 << 16, &own, &err));
    MUST(rw_file_read("/proc/self/mountinfo", 1 << 20, &mounts, &err));
    box_cgroup_find(rw_buf_str(&own), rw_buf_str(&mounts), &base);
    (void)snprintf(path, BOX_CGROUP_PATH_BYTES, "%s", base.v2);
    return path[0] != '\0';
}

TEST(in_version_2_a_child_is_born_in_its_group_and_dies_with_it)
{
    char base[BOX_CGROUP_PATH_BYTES];
    char path[BOX_CGROUP_PATH_BYTES + 64];
    if (!find_v2(base)) { skip(); }
    (void)snprintf(path, sizeof(path), "%s/ringward-test-%d", base, (int)getpid());
    if (mkdir(path, 0755) != 0) { skip(); }
    struct box_cgroup c = box_cgroup_none();
    struct box_layers l = {.cgroup_version = 2};
    (void)snprintf(c.name, sizeof(c.name), "ringward-test-%d", (int)getpid());
    c.memory_parent = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    c.memory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    box_layer_note(&l, BOX_LAYER_CGROUP, true, 0);
    assert_int_equal(box_cgroup_clone_fd(&c, &l), c.memory);
    const struct clone_request request = {
        .flags = UINT64_C(0x200000000), .exit_signal = SIGCHLD, .cgroup = (uint64_t)c.memory};
    pid_t pid = (pid_t)syscall(SYS_clone3, &request, sizeof(request));
    if (pid == 0) {
        for (;;) {
            (void)sleep(100);
        }
    }
    assert_true(pid > 0);
    box_cgroup_close(&c, &l);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(access(path, F_OK), -1);
}

RUN_TESTS(cmocka_unit_test(groups_are_found_from_the_kernels_texts),
          cmocka_unit_test(a_group_is_made_and_removed),
          cmocka_unit_test(a_group_bounds_processes_and_kills_what_is_left),
          cmocka_unit_test(what_a_dead_launcher_left_is_swept_and_what_a_living_one_holds_is_not),
          cmocka_unit_test(a_folder_that_is_no_group_is_none),
          cmocka_unit_test(a_layer_that_was_taken_away_makes_no_group),
          cmocka_unit_test(in_version_2_a_child_is_born_in_its_group_and_dies_with_it))
