/* Goal: a script of faults says exactly what it says: what is unknown, missing or there twice is refused with its line,
 * and the first fault that fits an endpoint decides. */
#include "tests/fleet/fleet_fault.h"

#include "tests/harness.h"

static const struct refused {
    const char *id;
    const char *text;
    enum rw_code want;
    const char *named;
} refused[] = {
    {"no_release", "effect=crash", RW_E_SCHEMA, "fault 1: a fault needs 'release'"},
    {"no_effect", "release=2", RW_E_SCHEMA, "fault 1: a fault needs 'release'"},
    {"unknown_word", "release=2 effect=crash colour=red", RW_E_SCHEMA, "'colour' is unknown"},
    {"twice", "release=2 release=3 effect=crash", RW_E_SCHEMA, "'release' is there twice"},
    {"unknown_effect", "release=2 effect=explode", RW_E_SCHEMA, "effect 'explode'"},
    {"no_effect_by_name", "release=2 effect=none", RW_E_SCHEMA, "effect 'none'"},
    {"empty_value", "release= effect=crash", RW_E_SYNTAX, "name=value"},
    {"second_line", "release=2 effect=crash\nrelease=x effect=crash", RW_E_SYNTAX, "fault 2"},
    {"release_zero", "release=0 effect=crash", RW_E_RANGE, "release"},
    {"share_above_all", "release=2 effect=crash share=101%", RW_E_RANGE, "share"},
    {"share_without_percent", "release=2 effect=crash share=5", RW_E_SYNTAX, "share"},
    {"after_without_unit", "release=2 effect=crash after=5", RW_E_SYNTAX, "after"},
    {"long_name", "release=2 effect=crash os=123456789012345678901234567890123", RW_E_TOO_BIG,
     "os"},
};

TEST_EACH(a_script_that_is_not_understood_is_refused_by_line, refused)
{
    struct fleet_faults f = {.count = 7};
    struct rw_err err = {.code = RW_E_NONE};
    MUST_FAIL(fleet_fault_read(rw_span_str(it->text), &f, &err), it->want);
    if (strstr(err.text, it->named) == NULL) { fail_msg("%s", err.text); }
    assert_int_equal(f.count, 7); /* untouched */
}

TEST(comments_blanks_and_both_separators_are_understood)
{
    struct fleet_faults f;
    struct rw_err err;
    MUST(fleet_fault_read(rw_span_str("# what follows is bad\n\n  release=2   effect=crash ;"
                                      "release=3 effect=brick share=0.5% after=90s arch=aarch64"),
                          &f, &err));
    assert_int_equal(f.count, 2);
    assert_int_equal(f.at[0].share_bp, 10000);
    assert_int_equal(f.at[1].share_bp, 50);
    assert_int_equal(f.at[1].after_ms, 90000);
    assert_int_equal(f.at[1].effect, FLEET_EFFECT_BRICK);
    assert_string_equal(f.at[1].cohort.arch, "aarch64");
}

TEST(seventeen_faults_are_too_many)
{
    char text[1024];
    size_t n = 0;
    struct fleet_faults f;
    struct rw_err err;
    for (int i = 0; i <= FLEET_FAULTS_MAX; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "release=%d effect=crash\n", i + 1);
    }
    MUST_FAIL(fleet_fault_read(rw_span_str(text), &f, &err), RW_E_TOO_BIG);
}

TEST(the_first_fault_that_fits_decides_by_cohort_and_luck)
{
    static const struct beacon_cohort old = {"windows-11", "x86_64", "yara-4.1"};
    static const struct beacon_cohort new = {"debian-12", "x86_64", "yara-4.2"};
    struct fleet_faults f;
    struct rw_err err;
    MUST(fleet_fault_read(rw_span_str("release=2 effect=brick engine=yara-4.1 share=10%\n"
                                      "release=2 effect=crash"),
                          &f, &err));
    assert_ptr_equal(fleet_fault_of(&f, 2, &old, 999), &f.at[0]);
    assert_null(fleet_fault_of(&f, 2, &old, 1000)); /* named by the first, and spared by it */
    assert_ptr_equal(fleet_fault_of(&f, 2, &new, 9999), &f.at[1]);
    assert_null(fleet_fault_of(&f, 3, &new, 0));
}

RUN_TESTS(cmocka_unit_test(a_script_that_is_not_understood_is_refused_by_line),
          cmocka_unit_test(comments_blanks_and_both_separators_are_understood),
          cmocka_unit_test(seventeen_faults_are_too_many),
          cmocka_unit_test(the_first_fault_that_fits_decides_by_cohort_and_luck))
