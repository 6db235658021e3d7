/* Goal: every attack of the containment table gets its verdict in the box of an unprivileged user, with and without
 * name spaces (INV-5, INV-12). After each of them nothing is left: no process, mount, control group or file. */
#include "agent/prove/box_cgroup.h"
#include "common/box/box_run.h"

#define RIG_BOX RW_BIN_DIR "/ringward-box"
#include "tests/box_attacks.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unprivileged_box_with_name_spaces_names_every_attack),
        cmocka_unit_test(an_unprivileged_box_without_name_spaces_names_every_attack),
    };
    return cmocka_run_group_tests(tests, listen_abstract, rig_close);
}
