/* Goal: every attack of the containment table gets its verdict in the box of an unprivileged user, with and without
 * name spaces (INV-5, INV-12). After each of them nothing is left: no process, mount, control group or file. */
#include "agent/prove/box_cgroup.h"
#include "common/box/box_run.h"

#define RIG_BOX RW_BIN_DIR "/ringward-box"
#include "tests/box_attacks.h"

#include <sched.h>

TEST_EACH(an_unprivileged_box_with_name_spaces_names_every_attack, attacks)
{
    const struct rig_run run = {
        .validator = "hostile", .type = it->id, .wall = wall_of(it->id), .unprivileged = true};
    struct verdict v = rig_check(&run);
    expect_named(it, &v);
    assert_true(rig_missing(&v, "uid") && rig_missing(&v, "cgroup")); /* INV-12 */
}

TEST_EACH(an_unprivileged_box_without_name_spaces_names_every_attack, attacks)
{
    const struct rig_run run = {.validator = "hostile",
                                .type = it->id,
                                .wall = wall_of(it->id),
                                .unprivileged = true,
                                .without = "namespaces"};
    struct verdict v = rig_check(&run);
    expect_named(it, &v);
    assert_string_equal(v.grade, "good");
    assert_true(rig_missing(&v, "pidns") && rig_missing(&v, "mntns") && rig_missing(&v, "netns"));
}

/* --- containers --- */

static const struct {
    const char *id;
    const char *commands;
    bool spaces;
} containers[] = {
    {"a root that has no other identity", "exec \"$@\"", true},
    {"no net name spaces", "echo 0 >/proc/sys/user/max_net_namespaces && exec \"$@\"", false},
    {"no pid name spaces", "echo 0 >/proc/sys/user/max_pid_namespaces && exec \"$@\"", false},
};

/* Some hosts forbid user name spaces. */
static bool may_be_a_container(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) { _exit(unshare(CLONE_NEWUSER) == 0 ? 0 : 1); }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_EACH(the_root_of_a_container_gets_what_there_is_and_is_told_what_not, containers)
{
    static const char *const modes[] = {"good", "abort", "shadow", "fork", "kill-parent", "alloc"};
    static const enum verdict_kind want[] = {VERDICT_ACCEPTED,         VERDICT_CRASHED,
                                             VERDICT_POLICY_VIOLATION, VERDICT_POLICY_VIOLATION,
                                             VERDICT_POLICY_VIOLATION, VERDICT_OUT_OF_MEMORY};
    if (!may_be_a_container()) { skip(); }
    for (size_t i = 0; i < RW_LEN(modes); i++) {
        const struct rig_run run = {
            .validator = "hostile", .type = modes[i], .container = it->commands};
        struct verdict v = rig_check(&run);
        if (v.kind != want[i]) {
            fail_msg("%s: %s (%s)", modes[i], verdict_kind_name(v.kind), v.reason);
        }
        assert_string_equal(v.grade, "good");
        assert_true(rig_missing(&v, "uid")); /* INV-12 */
        assert_int_equal(rig_in_force(&v, "pidns"), it->spaces);
        assert_int_equal(rig_in_force(&v, "mntns"), it->spaces); /* lost together */
        assert_int_equal(rig_missing(&v, "netns"), !it->spaces);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unprivileged_box_with_name_spaces_names_every_attack),
        cmocka_unit_test(an_unprivileged_box_without_name_spaces_names_every_attack),
        cmocka_unit_test(the_root_of_a_container_gets_what_there_is_and_is_told_what_not),
    };
    return cmocka_run_group_tests(tests, listen_abstract, rig_close);
}
