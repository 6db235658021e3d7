/* harness.h: cmocka with tables of named cases; the only test macros of the project.
 *
 * TEST(name) { ... }                      one test
 * TEST_EACH(name, table) { ... it->id }   one run per row; rows begin with `const char *id`
 * main: RUN_TESTS(cmocka_unit_test(name), ...);
 * harness_seed(), harness_seed_or(N)      seed of random walks, printed; RW_TEST_SEED=N repeats one
 * RW_AUTO(harness_dir) struct harness_dir d = harness_dir();   a folder that goes away with the scope
 */
#ifndef RINGWARD_TEST_HARNESS_H
#define RINGWARD_TEST_HARNESS_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/num.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

/* The seed that RW_TEST_SEED gives, else `usual`; always printed, so that a failure can be repeated. */
static inline uint32_t harness_seed_or(int64_t usual)
{
    struct rw_err err = {0};
    const char *given = getenv("RW_TEST_SEED");
    int64_t seed = usual;
    if (given != NULL) {
        MUST(rw_parse_i64(rw_span_str(given), 0, UINT32_MAX, "RW_TEST_SEED", &seed, &err));
    }
    print_message("           RW_TEST_SEED=%lld\n", (long long)seed);
    return (uint32_t)seed;
}

/* A new seed for each run unless RW_TEST_SEED gives one. */
static inline uint32_t harness_seed(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return harness_seed_or((now.tv_sec ^ now.tv_nsec ^ ((int64_t)getpid() << 16)) & UINT32_MAX);
}

/* Next number of a random walk (splitmix32): every seed is good, also 0. */
static inline uint32_t harness_random(uint32_t *state)
{
    uint32_t z = (*state += 0x9E3779B9U);
    z = (z ^ (z >> 16)) * 0x85EBCA6BU;
    z = (z ^ (z >> 13)) * 0xC2B2AE35U;
    return z ^ (z >> 16);
}

struct harness_dir {
    char path[64];
    int fd;
};

static inline struct harness_dir harness_dir(void)
{
    struct harness_dir d = {.path = "/tmp/rw_test.XXXXXX"};
    if (mkdtemp(d.path) == NULL) { fail_msg("no temporary folder"); }
    d.fd = open(d.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(d.fd >= 0);
    return d;
}

static inline int harness_remove_one(const char *path, const struct stat *st, int flag,
                                     struct FTW *at)
{
    (void)st;
    (void)flag;
    (void)at;
    return remove(path);
}

static inline void harness_dir_drop(struct harness_dir *d)
{
    (void)close(d->fd);
    (void)nftw(d->path, harness_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* How many descriptors this process holds: a test that leaks one shows it. */
static inline int harness_open_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) { n++; }
    }
    return n;
}

#define RUN_TESTS(...)                                                                             \
    int main(void)                                                                                 \
    {                                                                                              \
        const struct CMUnitTest rw_tests[] = {__VA_ARGS__};                                        \
        return cmocka_run_group_tests(rw_tests, NULL, NULL);                                       \
    }

#endif
