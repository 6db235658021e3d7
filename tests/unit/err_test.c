/* Goal: a code and its text cannot disagree, context never changes the code, and a foreign name in a text can
 * neither overflow, nor steer a terminal, nor break the JSON that carries it. */
#include "tests/fakes/capture.h"
#include "tests/harness.h"

#include <errno.h>
#include <signal.h>

static const struct code_row {
    const char *id;
    enum rw_code code;
    int value;
} codes[] = {
#define RW_ERROR(name, value, retry, http, exit) {#name, RW_E_##name, value},
#include "common/base/err.def"
#undef RW_ERROR
};

TEST_EACH(every_code_has_its_facts, codes)
{
    assert_string_equal(rw_code_name(it->code), it->id);
    assert_in_range(rw_code_http_status(it->code), 400, 599);
    assert_in_range(rw_code_exit_status(it->code), 1, 9);
    assert_in_range(it->value >> 8, 1, 6);
    for (size_t i = 0; i < RW_LEN(codes); i++) {
        assert_true(&codes[i] == it || codes[i].value != it->value);
    }
}

TEST(success_is_no_failure)
{
    assert_string_equal(rw_code_name(RW_E_NONE), "NONE");
    assert_int_equal(rw_code_exit_status(RW_E_NONE), 0);
    assert_int_equal(rw_code_http_status(RW_E_NONE), 200);
    assert_true(rw_is_ok(RW_OK));
    assert_false(rw_code_retry(RW_E_SYNTAX));
    assert_true(rw_code_retry(RW_E_NET));
}

TEST(a_failure_carries_code_and_text_and_no_old_hint)
{
    struct rw_err err = {.hint = "old"};
    MUST_FAIL(rw_fail(&err, RW_E_RANGE, "%s is %d", "depth", 33), RW_E_RANGE);
    assert_string_equal(err.text, "depth is 33");
    assert_string_equal(err.hint, "");
    MUST_FAIL(rw_hint(&err, "at most %d", 32), RW_E_RANGE);
    assert_string_equal(err.hint, "at most 32");
}

TEST(a_failure_may_be_made_from_its_own_text)
{
    struct rw_err err = {0};
    MUST_FAIL(rw_fail(&err, RW_E_IO, "first"), RW_E_IO);
    MUST_FAIL(rw_fail(&err, RW_E_CONFIG, "again: %s", err.text), RW_E_CONFIG);
    assert_string_equal(err.text, "again: first");
}

TEST(context_goes_before_the_text_and_the_code_stays)
{
    struct rw_err err = {0};
    MUST_FAIL(rw_fail(&err, RW_E_TUF_HASH, "another hash"), RW_E_TUF_HASH);
    MUST_FAIL(rw_wrap(&err, "file '%s'", "a"), RW_E_TUF_HASH);
    assert_string_equal(err.text, "file 'a': another hash");
}

TEST(long_texts_are_cut_and_stay_terminated)
{
    struct rw_err err = {0};
    char longer[2000];
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    MUST_FAIL(rw_fail(&err, RW_E_IO, "%s", longer), RW_E_IO);
    assert_int_equal(strlen(err.text), RW_ERR_TEXT_BYTES - 1);
    MUST_FAIL(rw_wrap(&err, "%s", longer), RW_E_IO);
    assert_int_equal(strlen(err.text), RW_ERR_TEXT_BYTES - 1);
    MUST_FAIL(rw_hint(&err, "%s", longer), RW_E_IO);
    assert_int_equal(strlen(err.hint), RW_ERR_HINT_BYTES - 1);
    MUST_FAIL(rw_fail_errno(&err, RW_E_IO, EIO, "%s", longer), RW_E_IO);
    assert_int_equal(strlen(err.text), RW_ERR_TEXT_BYTES - 1);
}

static const struct errno_row {
    const char *id;
    int sys_errno;
    enum rw_code want;
} errnos[] = {
    {"no_space_is_full", ENOSPC, RW_E_FULL},
    {"quota_is_full", EDQUOT, RW_E_FULL},
    {"no_memory_is_nomem", ENOMEM, RW_E_NOMEM},
    {"anything_else_keeps_the_code", EACCES, RW_E_STORE},
};

TEST_EACH(errno_decides_what_the_caller_can_do, errnos)
{
    struct rw_err err = {0};
    MUST_FAIL(rw_fail_errno(&err, RW_E_STORE, it->sys_errno, "disk"), it->want);
    assert_true(strncmp(err.text, "disk: ", 6) == 0);
    assert_true(strlen(err.text) > 8);
}

TEST(foreign_text_cannot_steer_a_terminal)
{
    struct rw_err err = {0};
    MUST_FAIL(rw_fail(&err, RW_E_SCHEMA, "member '%s'", "\x1b[2J\n\xff\xc3"), RW_E_SCHEMA);
    assert_string_equal(err.text, "member '?[2J?"
                                  "?"
                                  "?'");
    MUST_FAIL(rw_fail(&err, RW_E_SCHEMA, "%.*s", 1, "\xc3\xa9"), RW_E_SCHEMA);
    assert_string_equal(err.text, "?");
    MUST_FAIL(rw_wrap(&err, "\x9b"
                            "31m"),
              RW_E_SCHEMA);
    assert_string_equal(err.text, "?31m: ?");
    MUST_FAIL(rw_hint(&err, "a\tb"), RW_E_SCHEMA);
    assert_string_equal(err.hint, "a?b");
    MUST_FAIL(rw_fail(&err, RW_E_SCHEMA, "caf\xc3\xa9"), RW_E_SCHEMA);
    assert_string_equal(err.text, "caf\xc3\xa9");
}

static void assert_false_one(void)
{
    volatile int one = 1;
    RW_ASSERT(one == 2);
}

static void assert_unparenthesised(void)
{
    volatile int x = 9;
    RW_ASSERT(x > 5 && x < 9);
}

static void assert_true_one(void)
{
    volatile int one = 1;
    RW_ASSERT(one == 1);
}

static void success_as_failure(void)
{
    struct rw_err err = {0};
    volatile enum rw_code none = RW_E_NONE;
    RW_IGNORE(rw_fail(&err, none, "?"), "must not return");
}

static void wrap_without_failure(void)
{
    struct rw_err err = {0};
    RW_IGNORE(rw_wrap(&err, "?"), "must not return");
}

TEST(assertions_fire_in_every_build)
{
    assert_int_equal(capture_signal(assert_false_one), SIGABRT);
    assert_int_equal(capture_signal(assert_unparenthesised), SIGABRT);
    assert_int_equal(capture_signal(assert_true_one), 0);
    assert_int_equal(capture_signal(success_as_failure), SIGABRT);
    assert_int_equal(capture_signal(wrap_without_failure), SIGABRT);
}

static RW_RC try_twice(bool first_fails, int *reached, struct rw_err *err)
{
    RW_TRY(first_fails ? rw_fail(err, RW_E_BUSY, "first") : RW_OK);
    *reached = 1;
    return RW_OK;
}

TEST(try_returns_early_with_the_failure)
{
    struct rw_err err = {0};
    int reached = 0;
    MUST_FAIL(try_twice(true, &reached, &err), RW_E_BUSY);
    assert_int_equal(reached, 0);
    MUST(try_twice(false, &reached, &err));
    assert_int_equal(reached, 1);
}

TEST(stealing_leaves_null_behind)
{
    char text[] = "x";
    char *owner = text;
    char *taker = RW_STEAL(owner);
    assert_ptr_equal(taker, text);
    assert_null(owner);
}

RUN_TESTS(cmocka_unit_test(every_code_has_its_facts), cmocka_unit_test(success_is_no_failure),
          cmocka_unit_test(a_failure_carries_code_and_text_and_no_old_hint),
          cmocka_unit_test(a_failure_may_be_made_from_its_own_text),
          cmocka_unit_test(context_goes_before_the_text_and_the_code_stays),
          cmocka_unit_test(long_texts_are_cut_and_stay_terminated),
          cmocka_unit_test(errno_decides_what_the_caller_can_do),
          cmocka_unit_test(foreign_text_cannot_steer_a_terminal),
          cmocka_unit_test(assertions_fire_in_every_build),
          cmocka_unit_test(try_returns_early_with_the_failure),
          cmocka_unit_test(stealing_leaves_null_behind))
