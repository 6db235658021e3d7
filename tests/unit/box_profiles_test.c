/* Goal: a profile opens what its validators need and no more, only until content is touched (INV-5); nothing but the
 * recorded program is started; a launcher killed in the middle leaves nothing behind. */
#include "agent/prove/box_cgroup.h"
#include "common/box/box_run.h"

#define RIG_BOX RW_BIN_DIR "/ringward-box"
#include "tests/box_rig.h"

/* --- profiles with libraries --- */

static const struct {
    const char *id;
    const char *validator;
    const char *type;
    enum verdict_kind want;
    const char *syscall;
    const char *reason;
} profiles[] = {
    {"libraries load", "dynamic", "good", VERDICT_ACCEPTED, "", "fine"},
    {"the host's files are not there early", "dynamic", "early-open", VERDICT_ACCEPTED, "",
     "ENOENT"},
    {"nothing is written early", "dynamic", "early-write", VERDICT_POLICY_VIOLATION, "openat",
     NULL},
    {"code of a library early", "dynamic", "early-library", VERDICT_ACCEPTED, "", "works"},
    {"code of a library late", "dynamic", "late-library", VERDICT_POLICY_VIOLATION, "openat", NULL},
    {"content as code early", "dynamic", "early-content-as-code", VERDICT_POLICY_VIOLATION, "mmap",
     NULL},
    {"content as code late", "dynamic", "content-as-code", VERDICT_POLICY_VIOLATION, "mmap", NULL},
    {"files late", "dynamic", "openat", VERDICT_POLICY_VIOLATION, "openat", NULL},
    {"threads", "dynamic", "thread", VERDICT_POLICY_VIOLATION, "clone", NULL},
    {"descriptors", "dynamic", "fds", VERDICT_ACCEPTED, "", "0 1 2 3 4 5"},
    {"memory", "dynamic", "alloc", VERDICT_OUT_OF_MEMORY, "", NULL},
    {"content by path", "files", "path-content", VERDICT_ACCEPTED, "", "works"},
    {"scratch has an end", "files", "scratch", VERDICT_ACCEPTED, "", "works, with an end"},
    {"nothing else is written", "files", "path-outside", VERDICT_ACCEPTED, "", "EROFS"},
    {"the host's files", "files", "shadow", VERDICT_ACCEPTED, "", "ENOENT"},
    {"code late", "files", "late-library", VERDICT_POLICY_VIOLATION, "mmap", NULL},
    {"another program", "files", "exec", VERDICT_POLICY_VIOLATION, "execve", NULL},
    {"the network", "files", "connect", VERDICT_POLICY_VIOLATION, "socket", NULL},
};

static void check_profile(const __typeof__(profiles[0]) *it, bool unprivileged)
{
    const struct rig_run run = {
        .validator = it->validator, .type = it->type, .unprivileged = unprivileged};
    struct verdict v = rig_check(&run);
    if (v.kind != it->want) {
        fail_msg("%s: %s (%s)", it->id, verdict_kind_name(v.kind), v.reason);
    }
    assert_string_equal(v.profile, it->validator);
    assert_string_equal(v.syscall, it->syscall);
    if (it->reason != NULL) { assert_string_equal(v.reason, it->reason); }
}

TEST_EACH(profiles_open_what_they_need_and_no_more, profiles)
{
    check_profile(it, false);
}

TEST_EACH(profiles_are_the_same_for_an_unprivileged_box, profiles)
{
    check_profile(it, true);
}

TEST(the_phase_of_a_denied_call_stands_in_the_verdict)
{
    const struct rig_run early = {.validator = "dynamic", .type = "early-write"};
    const struct rig_run late = {.validator = "dynamic", .type = "openat"};
    struct verdict v = rig_check(&early);
    assert_string_equal(v.phase, "loader");
    v = rig_check(&late);
    assert_string_equal(v.phase, "content");
}

TEST(a_program_that_is_not_the_recorded_one_is_not_started)
{
    static const char text[] =
        "sha256 = 0000000000000000000000000000000000000000000000000000000000000000\n";
    rig_copy(RW_BIN_DIR "/../tests/ringward-validate-hostile", "swapped");
    rig_write("swapped.conf", rw_span_str(text), 0644);
    const struct rig_run run = {.validator = "swapped", .type = "good"};
    struct verdict v = rig_check(&run);
    assert_int_equal(v.kind, VERDICT_SANDBOX_ERROR);
    assert_false(v.final);
}

TEST(a_script_is_no_validator)
{
    rig_write("script", rw_span_str("#!/bin/true\n"), 0755);
    const struct rig_run run = {.validator = "script", .type = "good"};
    struct verdict v = rig_check(&run);
    assert_int_equal(v.kind, VERDICT_SANDBOX_ERROR);
}

/* --- the launcher is killed in the middle --- */

static bool is_validator(const char *pid)
{
    char path[64];
    char text[128] = "";
    (void)snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) { return false; }
    ssize_t got = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    return got > 0 && strcmp(text, "killed-launcher") == 0;
}

/* The copy of the validator has a name of its own, so that no other box of this host is taken for ours. */
static bool validator_runs(void)
{
    bool found = false;
    DIR *all = opendir("/proc");
    assert_non_null(all);
    for (struct dirent *one = readdir(all); one != NULL; one = readdir(all)) {
        found =
            found || (one->d_name[0] >= '0' && one->d_name[0] <= '9' && is_validator(one->d_name));
    }
    (void)closedir(all);
    return found;
}

static bool comes_true(bool (*condition)(void), bool want)
{
    const struct timespec step = {.tv_nsec = 5 * 1000 * 1000};
    for (int ms = 0; ms < 2 * RIG_GONE_MS; ms += 5) {
        if (condition() == want) { return true; }
        (void)nanosleep(&step, NULL);
    }
    return false;
}

static const struct {
    const char *id;
    bool unprivileged;
    const char *without;
} variants[] = {
    {"all layers", false, NULL},
    {"no pid name space", false, "pidns"},
    {"unprivileged", true, NULL},
    {"unprivileged, no name spaces", true, "namespaces"},
};

TEST_EACH(a_killed_launcher_takes_its_validator_with_it, variants)
{
    struct proc child;
    int out = -1;
    rig_copy(RW_BIN_DIR "/../tests/ringward-validate-hostile", "killed-launcher");
    const struct rig_run run = {.validator = "killed-launcher",
                                .type = "sleep",
                                .wall = "60s",
                                .unprivileged = it->unprivileged,
                                .without = it->without};
    rig_start(&run, &child, &out);
    pid_t launcher = child.pid;
    assert_true(comes_true(validator_runs, true));
    proc_kill(&child);
    (void)close(out);
    assert_true(comes_true(validator_runs, false));
    rig_nobody_is_left();
    rig_same_mounts();
    /* Its control group has nobody to remove it: the next launcher does. */
    const struct rig_run next = {.validator = "hostile", .type = "good"};
    (void)rig_check(&next);
    assert_false(rig_any_group(launcher));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles_open_what_they_need_and_no_more),
        cmocka_unit_test(profiles_are_the_same_for_an_unprivileged_box),
        cmocka_unit_test(the_phase_of_a_denied_call_stands_in_the_verdict),
        cmocka_unit_test(a_program_that_is_not_the_recorded_one_is_not_started),
        cmocka_unit_test(a_script_is_no_validator),
        cmocka_unit_test(a_killed_launcher_takes_its_validator_with_it),
    };
    return cmocka_run_group_tests(tests, rig_open, rig_close);
}
