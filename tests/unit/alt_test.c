/* Goal: whatever happens to one copy - torn, flipped, missing, of another program - the other one is used, and the
 * newest state is never the one that is overwritten (INV-6). */
#include "common/base/alt.h"

#include "common/base/file.h"
#include "tests/harness.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* No new file gets its name: a full disk. */
static bool disk_is_full;

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    if (disk_is_full) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

static void save(const struct harness_dir *d, const char *text)
{
    struct rw_err err = {0};
    MUST(rw_alt_save(d->fd, "slots", rw_span_str(text), &err));
}

static void expect(const struct harness_dir *d, const char *text, uint64_t serial)
{
    struct rw_err err = {0};
    uint64_t got = 0;
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(100000);
    MUST(rw_alt_load(d->fd, "slots", &b, &got, &err));
    assert_string_equal(rw_buf_str(&b), text);
    assert_int_equal(got, serial);
}

TEST(the_last_saved_state_is_loaded)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    uint64_t serial = 7;
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(100);
    MUST_FAIL(rw_alt_load(d.fd, "slots", &b, &serial, &err), RW_E_NOT_FOUND);
    assert_int_equal(serial, 7);
    for (uint64_t i = 1; i <= 9; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "state %d", (int)i);
        save(&d, text);
        expect(&d, text, i);
    }
    save(&d, "");
    expect(&d, "", 10);
}

/* Every truncation and every flipped bit of the newer copy gives the older state back. */
TEST(a_damaged_newer_copy_gives_the_older_state)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    save(&d, "older"); /* slots.a */
    save(&d, "newer"); /* slots.b */
    RW_AUTO(rw_buf) struct rw_buf whole = rw_buf_make(1000);
    MUST(rw_file_read_at(d.fd, "slots.b", 1000, &whole, &err));
    for (size_t n = 0; n < whole.n; n++) {
        MUST(rw_file_replace_at(d.fd, "slots.b", 0600, rw_span_of(whole.p, n), &err));
        expect(&d, "older", 1);
    }
    for (size_t bit = 0; bit < whole.n * 8; bit++) {
        whole.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
        MUST(rw_file_replace_at(d.fd, "slots.b", 0600, rw_buf_span(&whole), &err));
        expect(&d, "older", 1);
        whole.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    MUST(rw_buf_append_str(&whole, "x", &err));
    MUST(rw_file_replace_at(d.fd, "slots.b", 0600, rw_buf_span(&whole), &err));
    expect(&d, "older", 1);
    save(&d, "repaired");
    expect(&d, "repaired", 2);
}

TEST(both_copies_damaged_is_told_and_can_be_written_anew)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    uint64_t serial = 0;
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(100);
    MUST(rw_file_replace_at(d.fd, "slots.a", 0600, rw_span_str("junk"), &err));
    MUST(rw_file_replace_at(d.fd, "slots.b", 0600, rw_span_str(""), &err));
    MUST_FAIL(rw_alt_load(d.fd, "slots", &b, &serial, &err), RW_E_NOT_FOUND);
    save(&d, "anew");
    expect(&d, "anew", 1);
}

/* Links are not followed: a copy behind one is unreadable, which is not the same as missing. */
TEST(an_unreadable_state_does_not_pass_for_a_missing_one)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    uint64_t serial = 0;
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(100);
    assert_int_equal(symlinkat("elsewhere", d.fd, "slots.a"), 0);
    MUST_FAIL(rw_alt_load(d.fd, "slots", &b, &serial, &err), RW_E_IO);
    MUST_FAIL(rw_alt_save(d.fd, "slots", rw_span_str("x"), &err), RW_E_IO);
    assert_int_equal(unlinkat(d.fd, "slots.a", 0), 0);
    save(&d, "good");
    save(&d, "better");
    assert_int_equal(unlinkat(d.fd, "slots.b", 0), 0);
    assert_int_equal(symlinkat("elsewhere", d.fd, "slots.b"), 0);
    expect(&d, "good", 1);
}

TEST(a_state_above_the_limit_is_refused)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    static uint8_t big[65537];
    save(&d, "had");
    MUST_FAIL(rw_alt_save(d.fd, "slots", rw_span_of(big, sizeof(big)), &err), RW_E_TOO_BIG);
    expect(&d, "had", 1);
    MUST(rw_alt_save(d.fd, "slots", rw_span_of(big, sizeof(big) - 1), &err));
    RW_AUTO(rw_buf) struct rw_buf small = rw_buf_make(10);
    uint64_t serial = 0;
    MUST_FAIL(rw_alt_load(d.fd, "slots", &small, &serial, &err), RW_E_TOO_BIG);
}

/* INV-3: what must be counted before a risk is counted on a full disk too. */
TEST(a_full_disk_takes_a_state_of_the_same_size)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    save(&d, "state 1");
    save(&d, "state 2");
    disk_is_full = true;
    for (uint64_t i = 3; i < 9; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "state %d", (int)i);
        save(&d, text);
        expect(&d, text, i);
    }
    MUST_FAIL(rw_alt_save(d.fd, "slots", rw_span_str("a longer state"), &err), RW_E_FULL);
    expect(&d, "state 8", 8);
    disk_is_full = false;
    save(&d, "a longer state");
    expect(&d, "a longer state", 9);
}

/* Written over in place, a copy may be any mixture of what was and what should be: the newest one was not touched. */
TEST(a_copy_torn_at_any_byte_leaves_the_newest_state)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf was = rw_buf_make(1000);
    RW_AUTO(rw_buf) struct rw_buf new = rw_buf_make(1000);
    save(&d, "aaaaaaaa");
    save(&d, "bbbbbbbb");
    MUST(rw_file_read_at(d.fd, "slots.a", 1000, &was, &err));
    save(&d, "cccccccc");
    MUST(rw_file_read_at(d.fd, "slots.a", 1000, &new, &err));
    assert_int_equal(was.n, new.n);
    for (size_t n = 0; n < new.n; n++) {
        RW_AUTO(rw_buf) struct rw_buf torn = rw_buf_make(1000);
        MUST(rw_buf_append(&torn, rw_span_of(new.p, n), &err));
        MUST(rw_buf_append(&torn, rw_span_of(was.p + n, was.n - n), &err));
        MUST(rw_file_replace_at(d.fd, "slots.a", 0600, rw_buf_span(&torn), &err));
        expect(&d, "bbbbbbbb", 2);
    }
    for (size_t n = 1; n < new.n; n++) { /* the end reached the disk before the begin */
        RW_AUTO(rw_buf) struct rw_buf torn = rw_buf_make(1000);
        MUST(rw_buf_append(&torn, rw_span_of(was.p, n), &err));
        MUST(rw_buf_append(&torn, rw_span_of(new.p + n, new.n - n), &err));
        MUST(rw_file_replace_at(d.fd, "slots.a", 0600, rw_buf_span(&torn), &err));
        expect(&d, n <= 8 ? "cccccccc" : "bbbbbbbb", n <= 8 ? 3 : 2); /* the magic is the same */
    }
}

/* Killed at any moment while it saves, the writer leaves the former or the new state. */
TEST(a_writer_killed_at_any_time_leaves_a_whole_state)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    uint32_t seed = harness_seed();
    struct rw_err err = {0};
    uint64_t last = 0;
    save(&d, "00000000");
    for (int round = 0; round < 40; round++) {
        pid_t writer = fork();
        if (writer == 0) {
            for (int i = 1; i < 1000; i++) {
                char text[16];
                (void)snprintf(text, sizeof(text), "%08d", i);
                RW_IGNORE(rw_alt_save(d.fd, "slots", rw_span_str(text), &err),
                          "judged by the reader");
            }
            _exit(0);
        }
        struct timespec pause = {.tv_nsec = (long)(harness_random(&seed) % 3000000)};
        (void)nanosleep(&pause, NULL);
        assert_int_equal(kill(writer, SIGKILL), 0);
        assert_int_equal(waitpid(writer, NULL, 0), writer);
        uint64_t serial = 0;
        RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(100);
        MUST(rw_alt_load(d.fd, "slots", &b, &serial, &err));
        assert_int_equal(b.n, 8);
        assert_true(serial >= last);
        last = serial;
    }
}

RUN_TESTS(cmocka_unit_test(the_last_saved_state_is_loaded),
          cmocka_unit_test(a_damaged_newer_copy_gives_the_older_state),
          cmocka_unit_test(both_copies_damaged_is_told_and_can_be_written_anew),
          cmocka_unit_test(an_unreadable_state_does_not_pass_for_a_missing_one),
          cmocka_unit_test(a_state_above_the_limit_is_refused),
          cmocka_unit_test(a_full_disk_takes_a_state_of_the_same_size),
          cmocka_unit_test(a_copy_torn_at_any_byte_leaves_the_newest_state),
          cmocka_unit_test(a_writer_killed_at_any_time_leaves_a_whole_state))
