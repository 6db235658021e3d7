/* Goal: the server's own view of trust is verified: it tells the policy that targets lists, and it turns what does
 * not verify into an alarm without giving up the policy in force. */
#include "common/base/file.h"
#include "common/json/json_write.h"
#include "server/api/api_trust.h"
#include "server/server_init.h"
#include "tests/harness.h"

#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[64];
static const struct rw_wall born = {1790000000};

static int set_up(void **state)
{
    struct rw_err err;
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/api_trust_test.XXXXXX");
    assert_non_null(mkdtemp(dir));
    const struct server_init_settings settings = {.dir = dir, .now = born};
    MUST(server_init(&settings, &err));
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

typedef struct api_trust *api_trust;

static struct api_trust *open_view(void)
{
    struct rw_err err;
    struct api_trust *t = NULL;
    MUST(api_trust_open(dir, "trust", &t, &err));
    return t;
}

static struct rw_wall after(int64_t seconds)
{
    return (struct rw_wall){born.s + seconds};
}

/* All alarms as one text. */
static void alarms(const struct api_trust *t, struct rw_wall now, struct rw_buf *into)
{
    struct rw_err err;
    rw_buf_clear(into);
    struct json_writer w = json_begin(into);
    json_open_array(&w, NULL);
    api_trust_write_alarms(t, now, &w);
    json_close_array(&w);
    MUST(json_done(&w, &err));
}

TEST(a_new_directory_has_the_built_in_policy_and_says_development)
{
    struct rw_err err;
    RW_AUTO(api_trust) struct api_trust *t = open_view();
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(65536);
    assert_null(api_trust_policy(t));
    assert_int_equal(api_trust_policy_serial(t), 0);
    MUST(api_trust_refresh(t, after(60), &err));
    assert_int_equal(api_trust_policy_serial(t), 1);
    assert_non_null(api_trust_policy(t));
    assert_true(rw_span_eq(api_trust_policy_text(t), server_init_policy()));
    assert_true(api_trust_development(t));
    alarms(t, after(60), &text);
    assert_non_null(strstr(rw_buf_str(&text), "development trust")); /* INV-12 */
    assert_null(strstr(rw_buf_str(&text), "expire"));
    assert_null(strstr(rw_buf_str(&text), "cannot be read"));
    MUST(api_trust_refresh(t, after(120), &err));
    assert_int_equal(api_trust_policy_serial(t), 1); /* the same one */
}

TEST(a_release_that_is_not_published_is_not_found)
{
    struct rw_err err;
    char class_name[RING_POLICY_NAME_BYTES];
    struct rw_wall not_before[RING_POLICY_RINGS_MAX];
    RW_AUTO(api_trust) struct api_trust *t = open_view();
    MUST(api_trust_refresh(t, after(60), &err));
    MUST_FAIL(api_trust_release(t, "yara", 1, class_name, not_before, &err), RW_E_NOT_FOUND);
}

/* An endpoint says which release it runs: no number that it makes up may cost a look at the repository. */
TEST(whether_a_release_is_gone_is_told_without_reading_anything)
{
    struct rw_err err;
    char path[256];
    char class_name[RING_POLICY_NAME_BYTES];
    struct rw_wall not_before[RING_POLICY_RINGS_MAX];
    RW_AUTO(api_trust) struct api_trust *t = open_view();
    assert_false(api_trust_gone(t, "yara", 1)); /* not known yet */
    MUST(api_trust_refresh(t, after(60), &err));
    assert_true(api_trust_gone(t, "yara", 1));
    assert_false(api_trust_gone(t, "../yara", 1)); /* no name */
    (void)snprintf(path, sizeof(path), "%s/repo/metadata/timestamp.json", dir);
    MUST(rw_file_replace(path, 0644, rw_span_str("{}"), &err));
    assert_true(api_trust_gone(t, "yara", 1)); /* as before: it has not looked */
    MUST_FAIL(api_trust_release(t, "yara", 1, class_name, not_before, &err), RW_E_SCHEMA);
    assert_false(api_trust_gone(t, "yara", 1)); /* not known any more */
}

TEST(metadata_that_expired_are_an_alarm_and_the_policy_stays)
{
    struct rw_err err;
    RW_AUTO(api_trust) struct api_trust *t = open_view();
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(65536);
    struct rw_wall late = after(INT64_C(3650) * 86400);
    MUST(api_trust_refresh(t, after(60), &err));
    MUST_FAIL(api_trust_refresh(t, late, &err), RW_E_TUF_EXPIRED);
    assert_non_null(api_trust_policy(t));
    alarms(t, late, &text);
    assert_non_null(strstr(rw_buf_str(&text), "does not verify"));
    assert_non_null(strstr(rw_buf_str(&text), "expired"));
}

TEST(a_policy_file_that_targets_does_not_list_is_refused)
{
    struct rw_err err;
    char path[512];
    RW_AUTO(api_trust) struct api_trust *t = open_view();
    char hex[DIGEST_HEX_BYTES];
    MUST(digest_sha256_hex(server_init_policy(), hex, &err));
    (void)snprintf(path, sizeof(path), "%s/repo/targets/policy/%s.rings.json", dir, hex);
    MUST(rw_file_replace(path, 0600, rw_span_str("{}"), &err));
    MUST_FAIL(api_trust_refresh(t, after(60), &err), RW_E_TUF_HASH);
    assert_null(api_trust_policy(t));
}

TEST(metrics_tell_the_mode_and_the_time_left)
{
    struct rw_err err;
    RW_AUTO(api_trust) struct api_trust *t = open_view();
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(65536);
    MUST(api_trust_refresh(t, after(60), &err));
    MUST(api_trust_metrics(t, after(60), &text, &err));
    assert_non_null(strstr(rw_buf_str(&text), "\nringward_trust{mode=\"development\"} 1\n"));
    assert_non_null(strstr(rw_buf_str(&text), "\nringward_repository_ok 1\n"));
    assert_non_null(
        strstr(rw_buf_str(&text), "\nringward_role_left_seconds{role=\"content-yara\"} "));
    assert_non_null(strstr(rw_buf_str(&text), "\nringward_role_left_seconds{role=\"timestamp\"} "));
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

RUN_TESTS(FRESH(a_new_directory_has_the_built_in_policy_and_says_development),
          FRESH(a_release_that_is_not_published_is_not_found),
          FRESH(whether_a_release_is_gone_is_told_without_reading_anything),
          FRESH(metadata_that_expired_are_an_alarm_and_the_policy_stays),
          FRESH(a_policy_file_that_targets_does_not_list_is_refused),
          FRESH(metrics_tell_the_mode_and_the_time_left))
