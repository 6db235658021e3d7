/* Goal: a file is either the old or the new one, never a mixture (INV-6); symlinks, FIFOs and lengths that lie do
 * no harm; a full disk is told as such and loses nothing. */
#include "common/base/file.h"

#include "tests/harness.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* The program's own fsync and renameat stand before the C library's and keep a diary: "f" a file is synced, "r" a name
 * changes, "d" a folder is synced. */
static char diary[16];

static void note(char c)
{
    size_t n = strlen(diary);
    if (n + 1 < sizeof(diary)) { diary[n] = c; }
}

int fsync(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    note(S_ISDIR(st.st_mode) ? 'd' : 'f');
    return (int)syscall(SYS_fsync, fd);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    note('r');
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

static void put(const struct harness_dir *d, const char *name, const char *text)
{
    struct rw_err err = {0};
    MUST(rw_file_replace_at(d->fd, name, 0600, rw_span_str(text), &err));
}

static void expect(const struct harness_dir *d, const char *name, const char *text)
{
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(1000);
    MUST(rw_file_read_at(d->fd, name, 1000, &b, &err));
    assert_string_equal(rw_buf_str(&b), text);
}

TEST(replacing_writes_the_whole_content_with_its_mode)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct stat st;
    put(&d, "state", "one");
    put(&d, "state", "two, longer");
    put(&d, "state", "");
    expect(&d, "state", "");
    put(&d, "state", "three");
    expect(&d, "state", "three");
    assert_int_equal(fstatat(d.fd, "state", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(faccessat(d.fd, ".state.tmp", F_OK, 0), -1);
}

/* After a power cut the name must not stand for content that never reached the disk, nor the old name come back. */
TEST(the_content_is_synced_before_the_name_and_the_name_before_the_end)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    memset(diary, 0, sizeof(diary));
    put(&d, "state", "one");
    assert_string_equal(diary, "frd");
}

TEST(a_temporary_left_by_a_crash_is_no_obstacle)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    int fd = openat(d.fd, ".state.tmp", O_WRONLY | O_CREAT, 0644);
    assert_true(fd >= 0);
    (void)close(fd);
    put(&d, "state", "new");
    expect(&d, "state", "new");
}

TEST(a_temporary_that_is_a_link_is_not_followed)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    put(&d, "victim", "untouched");
    assert_int_equal(symlinkat("victim", d.fd, ".state.tmp"), 0);
    put(&d, "state", "new");
    expect(&d, "victim", "untouched");
    expect(&d, "state", "new");
}

TEST(replacing_a_link_replaces_the_link_and_not_its_target)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct stat st;
    put(&d, "victim", "untouched");
    assert_int_equal(symlinkat("victim", d.fd, "state"), 0);
    put(&d, "state", "new");
    expect(&d, "victim", "untouched");
    assert_int_equal(fstatat(d.fd, "state", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISREG(st.st_mode));
}

TEST(names_that_leave_the_folder_are_refused)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    char longer[300];
    memset(longer, 'n', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    MUST_FAIL(rw_file_replace_at(d.fd, "../x", 0600, rw_span_str("x"), &err), RW_E_RANGE);
    MUST_FAIL(rw_file_replace_at(d.fd, longer, 0600, rw_span_str("x"), &err), RW_E_RANGE);
    MUST_FAIL(rw_link_replace_at(d.fd, "a/b", "x", &err), RW_E_RANGE);
}

TEST(a_failed_replacement_leaves_the_old_file_and_no_temporary)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    assert_int_equal(mkdirat(d.fd, "state", 0700), 0);
    MUST_FAIL(rw_file_replace_at(d.fd, "state", 0600, rw_span_str("x"), &err), RW_E_IO);
    assert_non_null(strstr(err.text, "file 'state': cannot rename"));
    assert_int_equal(faccessat(d.fd, ".state.tmp", F_OK, 0), -1);
}

TEST(a_full_device_is_told_as_full)
{
    struct rw_err err = {0};
    RW_AUTO(rw_fd) rw_fd full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full < 0) { skip(); }
    MUST_FAIL(rw_fd_write_all(full, rw_span_str("x"), &err), RW_E_FULL);
    assert_non_null(strstr(err.text, "No space left"));
}

/* A limit on file sizes makes write fail in the middle, as a disk that runs full does. */
TEST(a_write_that_fails_half_way_leaves_the_old_content)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    char big[50000] = {0};
    put(&d, "state", "old");
    pid_t child = fork();
    if (child == 0) {
        struct rw_err err = {0};
        struct rlimit limit = {.rlim_cur = 20000, .rlim_max = 20000};
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        (void)sigaction(SIGXFSZ, &ignore, NULL);
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        struct rw_rc rc =
            rw_file_replace_at(d.fd, "state", 0600, rw_span_of(big, sizeof(big)), &err);
        _exit(rc.code == RW_E_IO ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    expect(&d, "state", "old");
    assert_int_equal(faccessat(d.fd, ".state.tmp", F_OK, 0), -1);
}

static const struct read_row {
    const char *id;
    size_t size, max, ceiling;
    enum rw_code want;
} reads[] = {
    {"empty", 0, 10, 10, RW_E_NONE},
    {"exactly_the_limit", 10, 10, 10, RW_E_NONE},
    {"one_byte_more", 11, 10, 100, RW_E_TOO_BIG},
    {"more_than_the_buffer_takes", 11, 100, 10, RW_E_TOO_BIG},
    {"exactly_what_the_buffer_takes", 10, 100, 10, RW_E_NONE},
    {"several_chunks", 200000, 200000, 200000, RW_E_NONE},
    {"several_chunks_and_a_byte", 200001, 200000, 300000, RW_E_TOO_BIG},
};

TEST_EACH(reading_keeps_to_its_limits, reads)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(it->ceiling);
    int fd = openat(d.fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, (off_t)it->size), 0);
    (void)close(fd);
    MUST_FAIL(rw_file_read_at(d.fd, "f", it->max, &b, &err), it->want);
    if (it->want == RW_E_NONE) { assert_int_equal(b.n, it->size); }
    assert_true(b.n <= it->max);
}

TEST(reading_appends_and_counts_only_the_file)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(100);
    put(&d, "f", "12345");
    MUST(rw_buf_append_str(&b, "had:", &err));
    MUST(rw_file_read_at(d.fd, "f", 5, &b, &err));
    assert_string_equal(rw_buf_str(&b), "had:12345");
}

TEST(only_regular_files_are_read_and_links_are_not_followed)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    char path[128];
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(100);
    put(&d, "f", "content");
    assert_int_equal(mkfifoat(d.fd, "fifo", 0600), 0);
    assert_int_equal(symlinkat("f", d.fd, "link"), 0);
    assert_int_equal(mkdirat(d.fd, "folder", 0700), 0);
    MUST_FAIL(rw_file_read_at(d.fd, "fifo", 100, &b, &err), RW_E_IO);
    MUST_FAIL(rw_file_read_at(d.fd, "folder", 100, &b, &err), RW_E_IO);
    MUST_FAIL(rw_file_read_at(d.fd, "link", 100, &b, &err), RW_E_IO);
    MUST_FAIL(rw_file_read_at(d.fd, "missing", 100, &b, &err), RW_E_NOT_FOUND);
    MUST_FAIL(rw_file_read("/dev/zero", 100, &b, &err), RW_E_IO);
    (void)snprintf(path, sizeof(path), "%s/link", d.path);
    MUST(rw_file_read(path, 100, &b, &err));
    assert_string_equal(rw_buf_str(&b), "content");
}

TEST(a_file_without_a_size_cannot_pass_its_limit)
{
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(1000);
    /* Files of /proc say size 0 and have content. */
    MUST_FAIL(rw_file_read("/proc/cpuinfo", 10, &b, &err), RW_E_TOO_BIG);
    assert_true(b.n <= 10);
}

TEST(directories_are_made_with_their_parents_and_files_in_the_way_are_told)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    char path[128];
    RW_AUTO(rw_fd) rw_fd fd = -1;
    (void)snprintf(path, sizeof(path), "%s/a/b/c", d.path);
    MUST(rw_dir_make(path, 0700, &err));
    MUST(rw_dir_make(path, 0700, &err));
    MUST(rw_dir_open(path, &fd, &err));
    put(&d, "file", "x");
    (void)snprintf(path, sizeof(path), "%s/file", d.path);
    MUST_FAIL(rw_dir_make(path, 0700, &err), RW_E_IO);
    (void)snprintf(path, sizeof(path), "%s/file/below", d.path);
    MUST_FAIL(rw_dir_make(path, 0700, &err), RW_E_IO);
    MUST_FAIL(rw_dir_make("", 0700, &err), RW_E_RANGE);
}

TEST(a_directory_is_not_opened_through_a_link)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    RW_AUTO(rw_fd) rw_fd fd = -1;
    MUST(rw_dir_make_at(d.fd, "real", 0700, &fd, &err));
    assert_int_equal(symlinkat("real", d.fd, "link"), 0);
    int other = -1;
    MUST_FAIL(rw_dir_open_at(d.fd, "link", &other, &err), RW_E_IO);
    MUST_FAIL(rw_dir_make_at(d.fd, "link", 0700, &other, &err), RW_E_IO);
    MUST_FAIL(rw_dir_open_at(d.fd, "missing", &other, &err), RW_E_NOT_FOUND);
    assert_int_equal(other, -1);
}

TEST(a_link_is_switched_and_removal_may_find_nothing)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    char target[64] = {0};
    MUST(rw_link_replace_at(d.fd, "current", "sets/1", &err));
    MUST(rw_link_replace_at(d.fd, "current", "sets/2", &err));
    assert_int_equal(readlinkat(d.fd, "current", target, sizeof(target) - 1), 6);
    assert_string_equal(target, "sets/2");
    MUST(rw_file_remove_at(d.fd, "current", &err));
    MUST(rw_file_remove_at(d.fd, "current", &err));
}

TEST(by_path_the_folder_and_name_are_split)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/named", d.path);
    MUST(rw_file_replace(path, 0640, rw_span_str("x"), &err));
    expect(&d, "named", "x");
    (void)snprintf(path, sizeof(path), "%s/none/named", d.path);
    MUST_FAIL(rw_file_replace(path, 0640, rw_span_str("x"), &err), RW_E_NOT_FOUND);
}

/* A reader that looks all the time sees one whole version or the other. */
TEST(readers_see_one_whole_version_whenever_they_look)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    char a[30000];
    char b[20000];
    memset(a, 'a', sizeof(a));
    memset(b, 'b', sizeof(b));
    MUST(rw_file_replace_at(d.fd, "f", 0600, rw_span_of(a, sizeof(a)), &err));
    pid_t writer = fork();
    if (writer == 0) {
        for (int i = 0; i < 60; i++) {
            bool even = i % 2 == 0;
            struct rw_span s = rw_span_of(even ? b : a, even ? sizeof(b) : sizeof(a));
            if (!rw_is_ok(rw_file_replace_at(d.fd, "f", 0600, s, &err))) { _exit(1); }
        }
        _exit(0);
    }
    int status = 0;
    do {
        RW_AUTO(rw_buf) struct rw_buf got = rw_buf_make(40000);
        MUST(rw_file_read_at(d.fd, "f", 40000, &got, &err));
        assert_true(got.n == sizeof(a) || got.n == sizeof(b));
        assert_memory_equal(got.p, got.n == sizeof(a) ? a : b, got.n);
    } while (waitpid(writer, &status, WNOHANG) == 0);
    assert_int_equal(status, 0);
}

TEST(no_descriptor_is_left_open)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(10);
    int before = harness_open_fds();
    put(&d, "f", "x");
    MUST(rw_file_read_at(d.fd, "f", 10, &b, &err));
    MUST_FAIL(rw_file_read_at(d.fd, "g", 10, &b, &err), RW_E_NOT_FOUND);
    MUST_FAIL(rw_file_read_at(d.fd, ".", 10, &b, &err), RW_E_IO);
    MUST_FAIL(rw_file_replace_at(d.fd, "a/b", 0600, rw_span_str("x"), &err), RW_E_RANGE);
    MUST(rw_link_replace_at(d.fd, "l", "x", &err));
    assert_int_equal(harness_open_fds(), before);
    rw_fd fd = dup(0);
    int stolen = rw_fd_steal(&fd);
    assert_int_equal(fd, -1);
    rw_fd_drop(&stolen);
    assert_int_equal(harness_open_fds(), before);
}

RUN_TESTS(cmocka_unit_test(replacing_writes_the_whole_content_with_its_mode),
          cmocka_unit_test(the_content_is_synced_before_the_name_and_the_name_before_the_end),
          cmocka_unit_test(a_temporary_left_by_a_crash_is_no_obstacle),
          cmocka_unit_test(a_temporary_that_is_a_link_is_not_followed),
          cmocka_unit_test(replacing_a_link_replaces_the_link_and_not_its_target),
          cmocka_unit_test(names_that_leave_the_folder_are_refused),
          cmocka_unit_test(a_failed_replacement_leaves_the_old_file_and_no_temporary),
          cmocka_unit_test(a_full_device_is_told_as_full),
          cmocka_unit_test(a_write_that_fails_half_way_leaves_the_old_content),
          cmocka_unit_test(reading_keeps_to_its_limits),
          cmocka_unit_test(reading_appends_and_counts_only_the_file),
          cmocka_unit_test(only_regular_files_are_read_and_links_are_not_followed),
          cmocka_unit_test(a_file_without_a_size_cannot_pass_its_limit),
          cmocka_unit_test(directories_are_made_with_their_parents_and_files_in_the_way_are_told),
          cmocka_unit_test(a_directory_is_not_opened_through_a_link),
          cmocka_unit_test(a_link_is_switched_and_removal_may_find_nothing),
          cmocka_unit_test(by_path_the_folder_and_name_are_split),
          cmocka_unit_test(readers_see_one_whole_version_whenever_they_look),
          cmocka_unit_test(no_descriptor_is_left_open))
