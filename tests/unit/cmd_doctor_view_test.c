/* Goal: a role near its end is told in time, and one finding is enough for a bad exit status. */
#include "server/cli/cmd_doctor_view.h"
#include "tests/harness.h"

enum { DAY_S = 86400 };

static const struct judged {
    const char *id, *role;
    int64_t left_s;
    const char *want;
} judged[] = {
    {"root with a year", "root", 365 * DAY_S, "ok"},
    {"root within the warning", "root", 7 * DAY_S - 1, "soon"},
    {"root at the warning", "root", 7 * DAY_S, "ok"},
    {"content within the warning", "content-yara", 3 * DAY_S, "soon"},
    {"targets at its end", "targets", 0, "expired"},
    {"targets past its end", "targets", -1, "expired"},
    {"timestamp with an hour", "timestamp", 3600, "ok"},
    {"timestamp below an hour", "timestamp", 3599, "soon"},
    {"snapshot of a day", "snapshot", DAY_S, "ok"},
    {"ring of a day", "ring-canary", DAY_S, "ok"},
    {"ring past its end", "ring-canary", -5, "expired"},
};

TEST_EACH(roles_are_judged_by_who_renews_them, judged)
{
    assert_string_equal(cmd_doctor_judge(it->role, it->left_s, 7 * DAY_S), it->want);
}

static struct rw_rc report_of(int64_t left_s, bool broken, enum cli_format format,
                              struct rw_err *err)
{
    RW_AUTO(cmd_doctor_report)
    struct cmd_doctor_report report = {.now = {1000000}, .warn_s = 7 * DAY_S};
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
        MUST(report_of(365 * DAY_S, false, formats[i], &err));
        MUST_FAIL(report_of(DAY_S, false, formats[i], &err), RW_E_TUF_EXPIRED);
        MUST_FAIL(report_of(-DAY_S, false, formats[i], &err), RW_E_TUF_EXPIRED);
        MUST_FAIL(report_of(365 * DAY_S, true, formats[i], &err), RW_E_TUF_EXPIRED);
        assert_int_equal(rw_code_exit_status(err.code), 9);
    }
}

RUN_TESTS(cmocka_unit_test(roles_are_judged_by_who_renews_them),
          cmocka_unit_test(one_finding_makes_the_report_bad))
