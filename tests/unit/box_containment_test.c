/* Goal: every attack of the containment table gets its verdict under all layers of a box that root started, and is
 * contained, though not noticed, when the filter is taken away (INV-5, INV-12). After each of them nothing is left: no
 * process, mount, control group or file. */
#include "agent/prove/box_cgroup.h"
#include "common/box/box_run.h"

#define RIG_BOX RW_BIN_DIR "/ringward-box"
#include "tests/box_attacks.h"

TEST_EACH(all_layers_of_root_name_every_attack, attacks)
{
    if (geteuid() != 0) { skip(); }
    const struct rig_run run = {.validator = "hostile", .type = it->id, .wall = wall_of(it->id)};
    struct verdict v = rig_check(&run);
    assert_string_equal(v.grade, "full");
    assert_int_equal(v.missing_count, 0);
    expect_named(it, &v);
    assert_int_equal(v.oom_kills > 0, strcmp(it->id, "alloc") == 0);
}

TEST_EACH(what_the_filter_would_have_named_is_contained_without_it, attacks)
{
    if (geteuid() != 0) { skip(); }
    const struct rig_run run = {.validator = "hostile",
                                .type = it->id,
                                .wall = wall_of(it->id),
                                .without = "seccomp",
                                .allow_weak = true};
    struct verdict v = rig_check(&run);
    if (v.kind != it->bare_want) {
        fail_msg("%s: %s (%s), want %s", it->id, verdict_kind_name(v.kind), v.reason,
                 verdict_kind_name(it->bare_want));
    }
    assert_string_equal(v.grade, "weak");
    assert_string_equal(v.syscall, "");
    if (it->bare != NULL && strstr(v.reason, it->bare) == NULL) {
        fail_msg("%s: reason '%s', want '%s'", it->id, v.reason, it->bare);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_layers_of_root_name_every_attack),
        cmocka_unit_test(what_the_filter_would_have_named_is_contained_without_it),
    };
    return cmocka_run_group_tests(tests, listen_abstract, rig_close);
}
