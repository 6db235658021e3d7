/* Goal: differences exist for what endpoints are likely to have, are worth their bytes, and never pile up. */
#include "server/release/release_delta.h"

#include "common/base/file.h"
#include "tests/harness.h"

#include <dirent.h>
#include <sys/stat.h>

static struct harness_dir repo_new(void)
{
    struct rw_err err;
    char path[128];
    struct harness_dir d = harness_dir();
    (void)snprintf(path, sizeof(path), "%s/targets/content/yara", d.path);
    MUST(rw_dir_make(path, 0755, &err));
    return d;
}

/* Releases of one lineage are alike but for a line; others are not alike at all. */
static void publish(const struct harness_dir *d, int number, uint32_t lineage)
{
    struct rw_err err;
    char hex[DIGEST_HEX_BYTES];
    char path[256];
    uint32_t seed = lineage;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 20);
    for (int i = 0; i < 8000; i++) {
        uint32_t word = i == 1000 ? (uint32_t)number : harness_random(&seed);
        MUST(rw_buf_append(&text, rw_span_of(&word, sizeof(word)), &err));
    }
    MUST(digest_sha256_hex(rw_buf_span(&text), hex, &err));
    (void)snprintf(path, sizeof(path), "%s/targets/content/yara/%s.%d.rwc", d->path, hex, number);
    MUST(rw_file_replace(path, 0644, rw_buf_span(&text), &err));
}

static int deltas(const struct harness_dir *d)
{
    char path[128];
    int n = 0;
    (void)snprintf(path, sizeof(path), "%s/targets/delta/yara", d->path);
    DIR *dir = opendir(path);
    if (dir == NULL) { return 0; }
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        n += strstr(e->d_name, ".zst") != NULL ? 1 : 0;
    }
    (void)closedir(dir);
    return n;
}

static struct release_delta_done make(const struct harness_dir *d)
{
    struct rw_err err;
    struct release_delta_done done = {.made = -1};
    MUST(release_delta_make(d->fd, "yara", &done, &err));
    return done;
}

TEST(a_first_release_has_none)
{
    RW_AUTO(harness_dir) struct harness_dir d = repo_new();
    publish(&d, 1, 5);
    assert_int_equal(make(&d).made, 0);
}

TEST(the_newest_release_has_one_from_each_of_the_three_before)
{
    RW_AUTO(harness_dir) struct harness_dir d = repo_new();
    for (int n = 8; n <= 12; n++) { /* 10 sorts before 9 as text */
        publish(&d, n, 5);
    }
    struct release_delta_done done = make(&d);
    assert_int_equal(done.made, RELEASE_DELTA_BASES);
    assert_int_equal(deltas(&d), RELEASE_DELTA_BASES);
    assert_true(done.delta_bytes < done.whole_bytes / 50);
    assert_int_equal(make(&d).made, 0); /* they are there already */
}

TEST(unrelated_content_is_not_worth_a_second_way)
{
    RW_AUTO(harness_dir) struct harness_dir d = repo_new();
    publish(&d, 1, 5);
    publish(&d, 2, 99);
    assert_int_equal(make(&d).made, 0);
    assert_int_equal(deltas(&d), 0);
}

TEST(what_leads_to_old_releases_is_removed)
{
    RW_AUTO(harness_dir) struct harness_dir d = repo_new();
    publish(&d, 1, 5);
    for (int n = 2; n <= 9; n++) {
        publish(&d, n, 5);
        (void)make(&d);
    }
    assert_int_equal(deltas(&d), 2 * RELEASE_DELTA_BASES);
}

TEST(names_that_are_no_payloads_are_passed_over)
{
    RW_AUTO(harness_dir) struct harness_dir d = repo_new();
    struct rw_err err;
    char path[256];
    static const char *const names[] = {"x", ".tmp", "0000.1.rwc", "zz.rwc"};
    publish(&d, 1, 5);
    publish(&d, 2, 5);
    for (size_t i = 0; i < RW_LEN(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/targets/content/yara/%s", d.path, names[i]);
        MUST(rw_file_replace(path, 0644, rw_span_str("junk"), &err));
    }
    assert_int_equal(make(&d).made, 1);
}

TEST(a_family_without_content_is_told)
{
    RW_AUTO(harness_dir) struct harness_dir d = repo_new();
    struct rw_err err;
    struct release_delta_done done;
    MUST_FAIL(release_delta_make(d.fd, "ids", &done, &err), RW_E_NOT_FOUND);
}

TEST(in_the_background_it_comes_by_itself)
{
    RW_AUTO(harness_dir) struct harness_dir d = repo_new();
    publish(&d, 1, 5);
    publish(&d, 2, 5);
    release_delta_start(d.fd, "yara");
    for (int i = 0; i < 1000 && deltas(&d) == 0; i++) {
        (void)usleep(10000);
    }
    assert_int_equal(deltas(&d), 1);
    (void)usleep(100000); /* the thread still writes its line of the log */
}

RUN_TESTS(cmocka_unit_test(a_first_release_has_none),
          cmocka_unit_test(the_newest_release_has_one_from_each_of_the_three_before),
          cmocka_unit_test(unrelated_content_is_not_worth_a_second_way),
          cmocka_unit_test(what_leads_to_old_releases_is_removed),
          cmocka_unit_test(names_that_are_no_payloads_are_passed_over),
          cmocka_unit_test(a_family_without_content_is_told),
          cmocka_unit_test(in_the_background_it_comes_by_itself))
