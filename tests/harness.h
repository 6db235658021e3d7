/* harness.h: cmocka with tables of named cases; the only test macros of the project.
 *
 * TEST(name) { ... }                      one test
 * TEST_EACH(name, table) { ... it->id }   one run per row; rows begin with `const char *id`
 * main: RUN_TESTS(cmocka_unit_test(name), ...);
 */
#ifndef RINGWARD_TEST_HARNESS_H
#define RINGWARD_TEST_HARNESS_H

#include "common/base/buf.h"
#include "common/base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEST(name) static void name(void **rw_test_state __attribute__((unused)))

#define TEST_EACH(name, table)                                                                     \
    static void each_##name(const __typeof__((table)[0]) *it);                                     \
    static void name(void **rw_test_state __attribute__((unused)))                                 \
    {                                                                                              \
        for (size_t rw_i = 0; rw_i < RW_LEN(table); rw_i++) {                                      \
            print_message("           case %s\n", (table)[rw_i].id);                               \
            each_##name(&(table)[rw_i]);                                                           \
        }                                                                                          \
    }                                                                                              \
    static void each_##name(const __typeof__((table)[0]) *it)

/* `call` must succeed; its error's text is shown when it does not. Needs `struct rw_err err`. */
#define MUST(call)                                                                                 \
    do {                                                                                           \
        struct rw_rc rw_must_rc = (call);                                                          \
        if (rw_must_rc.code != RW_E_NONE) { fail_msg("%s: %s", #call, err.text); }                 \
    } while (0)

/* `call` must fail with exactly this code, and the error object must agree. */
#define MUST_FAIL(call, want)                                                                      \
    do {                                                                                           \
        struct rw_rc rw_must_rc = (call);                                                          \
        if (rw_must_rc.code != (want)) {                                                           \
            fail_msg("%s: code %s, want %s", #call, rw_code_name(rw_must_rc.code),                 \
                     rw_code_name(want));                                                          \
        }                                                                                          \
        if ((want) != RW_E_NONE) { assert_int_equal(err.code, (want)); }                           \
    } while (0)

#define RUN_TESTS(...)                                                                             \
    int main(void)                                                                                 \
    {                                                                                              \
        const struct CMUnitTest rw_tests[] = {__VA_ARGS__};                                        \
        return cmocka_run_group_tests(rw_tests, NULL, NULL);                                       \
    }

#endif
