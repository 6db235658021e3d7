/* Goal: only a self-test that gave all five expected verdicts is a pass; anything else has grade none (INV-5,
 * INV-12). */
#include "common/box/box_self.h"
#include "tests/harness.h"

#define BOX RW_BIN_DIR "/ringward-box"

#define FIVE                                                                                       \
    "segv     crashed            ok\nopenat   policy_violation   ok\n"                             \
    "spin     timed_out          ok\nalloc    out_of_memory      ok\n"

static const struct {
    const char *id;
    const char *text;
    int status;
    bool passed;
    const char *grade;
} outputs[] = {
    {"a pass", "good     accepted           ok\ngrade    full\n" FIVE, 0, true, "full"},
    {"a pass with less", "good     accepted           ok\ngrade    good\nmissing  cgroup: x\n" FIVE,
     0, true, "good"},
    {"another exit status", "good     accepted           ok\ngrade    full\n" FIVE, 1, false,
     "none"},
    {"killed", "good     accepted           ok\ngrade    full\n" FIVE, -1, false, "none"},
    {"one is wrong, whatever the status",
     "good     accepted           ok\ngrade    full\nspin     accepted           WRONG: fine\n", 0,
     false, "none"},
    {"no grade", "good     accepted           ok\n", 0, false, "none"},
    {"an odd grade", "grade    splendid\n", 0, false, "none"},
    {"grade none", "grade    none\n", 0, false, "none"},
    {"nothing", "", 0, false, "none"},
};

TEST_EACH(only_five_right_verdicts_are_a_pass, outputs)
{
    struct box_self self;
    box_self_read(it->text, it->status, &self);
    assert_int_equal(self.passed, it->passed);
    assert_string_equal(self.grade, it->grade);
    assert_int_equal(self.why[0] != '\0', !it->passed);
}

TEST(missing_layers_are_kept)
{
    struct box_self self;
    box_self_read("grade    good\nmissing  uid: shared\nmissing  cgroup: Permission denied\n", 0,
                  &self);
    assert_string_equal(self.missing, "uid: shared; cgroup: Permission denied");
}

TEST(the_box_of_this_build_passes)
{
    struct box_self self;
    box_self_test(BOX, false, &self);
    if (!self.passed) { fail_msg("%s", self.why); }
}

TEST(a_box_that_is_not_there_fails)
{
    struct box_self self;
    box_self_test("/nope/ringward-box", false, &self);
    assert_false(self.passed);
    assert_string_equal(self.grade, "none");
    assert_non_null(strstr(self.why, "/nope/ringward-box"));
}

TEST(another_program_in_its_place_fails)
{
    struct box_self self;
    box_self_test("/bin/true", false, &self);
    assert_false(self.passed);
    box_self_test("/bin/cat", false, &self);
    assert_false(self.passed);
}

RUN_TESTS(cmocka_unit_test(only_five_right_verdicts_are_a_pass),
          cmocka_unit_test(missing_layers_are_kept), cmocka_unit_test(the_box_of_this_build_passes),
          cmocka_unit_test(a_box_that_is_not_there_fails),
          cmocka_unit_test(another_program_in_its_place_fails))
