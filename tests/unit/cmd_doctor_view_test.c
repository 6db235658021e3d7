/* Goal: one finding is enough for a bad exit status. */
#include "server/cli/cmd_doctor_view.h"
#include "tests/harness.h"

enum { DAY_S = 86400 };

static struct rw_rc report_of(int64_t left_s, bool broken, enum cli_format format,
                              struct rw_err *err)
{
    RW_AUTO(cmd_doctor_report)
    struct cmd_doctor_report report = {.now = {1000000}};
    struct tuf_role_status role = {.role = "root", .version = 1, .expires = {1000000 + left_s}};
    struct rw_err why = {.code = RW_E_TUF_HASH, .text = "hash differs"};
    RW_TRY(cmd_doctor_view_begin(&report, format, err));
    RW_TRY(cmd_doctor_view_role(&report, &role, err));
    if (broken) { RW_TRY(cmd_doctor_view_broken(&report, "ring-a", &why, err)); }
    return cmd_doctor_view_end(&report, err);
}

TEST(one_finding_makes_the_report_bad)
{
    static const enum cli_format formats[] = {CLI_TABLE, CLI_JSON};
    for (size_t i = 0; i < RW_LEN(formats); i++) {
        struct rw_err err = {0};
        MUST(report_of(INT64_C(365) * DAY_S, false, formats[i], &err));
        MUST_FAIL(report_of(INT64_C(100) * DAY_S, false, formats[i], &err), RW_E_ATTENTION);
        MUST_FAIL(report_of(-DAY_S, false, formats[i], &err), RW_E_ATTENTION);
        MUST_FAIL(report_of(INT64_C(365) * DAY_S, true, formats[i], &err), RW_E_ATTENTION);
        assert_int_equal(rw_code_exit_status(err.code), 6);
    }
}

TEST(a_role_is_judged_by_the_life_that_it_was_signed_for)
{
    static const struct {
        int64_t made_ago_s, left_s;
        size_t bad;
    } cases[] = {
        {DAY_S, 39 * DAY_S, 0},                 /* of 40 days: not a tenth of a year */
        {30 * DAY_S, 10 * DAY_S - 1, 1},        /* less than a quarter of 40 days */
        {INT64_C(700) * DAY_S, 365 * DAY_S, 1}, /* less than half of three years */
    };
    for (size_t i = 0; i < RW_LEN(cases); i++) {
        struct rw_err err = {0};
        RW_AUTO(cmd_doctor_report)
        struct cmd_doctor_report r = {.now = {INT64_C(1000) * DAY_S}};
        const struct tuf_role_status role = {.role = "root",
                                             .version = 1,
                                             .expires = {r.now.s + cases[i].left_s},
                                             .made = {r.now.s - cases[i].made_ago_s}};
        MUST(cmd_doctor_view_begin(&r, CLI_JSON, &err));
        MUST(cmd_doctor_view_role(&r, &role, &err));
        assert_int_equal(r.bad, cases[i].bad);
    }
}

TEST(the_certificate_is_judged_by_its_own_life)
{
    struct rw_err err = {0};
    for (int64_t left = 10; left <= 90; left += 80) {
        RW_AUTO(cmd_doctor_report) struct cmd_doctor_report r = {.now = {1000000}};
        MUST(cmd_doctor_view_begin(&r, CLI_JSON, &err));
        MUST(cmd_doctor_view_cert(&r, (struct rw_wall){1000000 - (100 - left) * DAY_S},
                                  (struct rw_wall){1000000 + left * DAY_S}, &err));
        assert_int_equal(r.bad, left == 10 ? 1 : 0);
        struct rw_rc rc = cmd_doctor_view_end(&r, &err);
        assert_int_equal(rc.code, left == 10 ? RW_E_ATTENTION : RW_E_NONE);
    }
}

RUN_TESTS(cmocka_unit_test(one_finding_makes_the_report_bad),
          cmocka_unit_test(a_role_is_judged_by_the_life_that_it_was_signed_for),
          cmocka_unit_test(the_certificate_is_judged_by_its_own_life))
