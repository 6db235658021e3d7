/* Goal: no sequence of files that a server, a mirror or the holder of one online key can send makes a client trust
 * less than it did (rollback, freeze, mix-and-match, INV-7), and none makes it unusable. */
#include "common/tuf/tuf_client.h"

#include "common/base/file.h"
#include "common/tuf/tuf_doc.h"
#include "tests/fakes/tuf_peer.h"

#include <dirent.h>

/* --- the plain way --- */

TEST(a_first_refresh_trusts_and_stores_everything)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    tuf_peer_refresh(&p, RW_E_NONE);
    assert_int_equal(tuf_peer_version(&p, "root"), 1);
    assert_int_equal(tuf_peer_version(&p, "timestamp"), 1);
    assert_int_equal(tuf_peer_version(&p, "snapshot"), 1);
    assert_int_equal(tuf_peer_version(&p, "targets"), 1);
    assert_true(tuf_peer_stored(&p, "root.json", "1.root.json"));
    assert_true(tuf_peer_stored(&p, "timestamp.json", "timestamp.json"));
    assert_true(tuf_peer_stored(&p, "snapshot.json", "1.snapshot.json"));
    assert_true(tuf_peer_stored(&p, "targets.json", "1.targets.json"));
    (void)tuf_peer_find(&p, "nothing", RW_E_NOT_FOUND);
}

TEST(without_news_two_requests_are_made)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    tuf_peer_refresh(&p, RW_E_NONE);
    tuf_peer_restart(&p);
    tuf_peer_refresh(&p, RW_E_NONE);
    assert_int_equal(p.repo->asked_count, 2);
    assert_string_equal(p.repo->asked[0], "2.root.json");
    assert_string_equal(p.repo->asked[1], "timestamp.json");
    assert_int_equal(tuf_peer_version(&p, "targets"), 1);
}

TEST(without_consistent_snapshots_plain_names_are_asked_for)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    p.repo->consistent = false;
    tuf_repo_next_root(p.repo, "R");
    (void)tuf_repo_next_role(p.repo, "targets", "G", "\"targets\":{}");
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_NONE);
    assert_int_equal(tuf_repo_asked(p.repo, "snapshot.json"), 1);
    assert_int_equal(tuf_repo_asked(p.repo, "targets.json"), 1);
}

TEST(meta_without_length_and_hashes_is_accepted)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    p.repo->bare_meta = true;
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_NONE);
    assert_int_equal(tuf_peer_version(&p, "snapshot"), 2);
}

TEST(the_folder_holds_metadata_only_and_nothing_temporary)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    tuf_peer_refresh(&p, RW_E_NONE);
    DIR *list = opendir(p.dir.path);
    assert_non_null(list);
    size_t n = 0;
    for (const struct dirent *e = readdir(list); e != NULL; e = readdir(list)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) { continue; }
        assert_non_null(strstr(e->d_name, ".json"));
        assert_int_not_equal(e->d_name[0], '.');
        n++;
    }
    (void)closedir(list);
    assert_int_equal(n, 4);
}

/* --- timestamp --- */

TEST(a_lower_timestamp_is_refused_and_the_stored_one_stays)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_NONE);
    RW_AUTO(rw_buf) struct rw_buf newest = rw_buf_make(100000);
    struct rw_err err = {0};
    MUST(rw_buf_append(&newest, rw_buf_span(tuf_repo_get(p.repo, "timestamp.json")), &err));
    p.repo->timestamp_version = 1;
    tuf_repo_write_timestamp(p.repo);
    tuf_peer_refresh(&p, RW_E_TUF_VERSION);
    tuf_peer_restart(&p);
    tuf_peer_refresh(&p, RW_E_TUF_VERSION);
    tuf_repo_put(p.repo, "timestamp.json", rw_buf_span(&newest));
    assert_true(tuf_peer_stored(&p, "timestamp.json", "timestamp.json"));
    tuf_peer_refresh(&p, RW_E_NONE);
}

TEST(an_expired_stored_timestamp_still_is_a_floor)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    struct rw_err err = {0};
    tuf_repo_publish(p.repo);
    p.repo->timestamp_expires = "2026-01-01T00:00:00Z"; /* valid at the first refresh only */
    tuf_repo_write_timestamp(p.repo);
    MUST(tuf_client_refresh(p.client, (struct rw_wall){1700000000}, &err));
    p.repo->timestamp_expires = TUF_REPO_FRESH;
    p.repo->timestamp_version = 1;
    tuf_repo_write_timestamp(p.repo);
    tuf_peer_refresh(&p, RW_E_TUF_VERSION);
}

TEST(an_equal_timestamp_is_dropped_whatever_it_says)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    tuf_peer_refresh(&p, RW_E_NONE);
    p.repo->snapshot_version = 7; /* same timestamp version, another content */
    tuf_repo_write_snapshot(p.repo);
    tuf_repo_write_timestamp(p.repo);
    tuf_peer_refresh(&p, RW_E_NONE);
    assert_int_equal(tuf_peer_version(&p, "snapshot"), 1);
    assert_false(tuf_peer_stored(&p, "timestamp.json", "timestamp.json"));
}

TEST(an_expired_timestamp_is_a_freeze_and_is_not_stored)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    tuf_peer_refresh(&p, RW_E_NONE);
    p.repo->timestamp_expires = TUF_REPO_STALE;
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_TUF_EXPIRED);
    assert_false(tuf_peer_stored(&p, "timestamp.json", "timestamp.json"));
    p.repo->timestamp_expires = TUF_REPO_FRESH;
    tuf_repo_write_timestamp(p.repo); /* the same version, fresh */
    tuf_peer_refresh(&p, RW_E_NONE);
    assert_int_equal(tuf_peer_version(&p, "timestamp"), 2);
}

TEST(a_frozen_client_notices_when_the_stored_timestamp_expires)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    struct rw_err err = {0};
    p.repo->timestamp_expires = "2028-01-01T00:00:00Z"; /* before everything else */
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_NONE);
    MUST_FAIL(tuf_client_refresh(p.client, (struct rw_wall){1830297600}, &err), RW_E_TUF_EXPIRED);
    MUST(tuf_client_refresh(p.client, (struct rw_wall){1830297599}, &err)); /* one second before */
}

/* Stored, such a timestamp would lock the client out for ever. */
TEST(a_timestamp_that_names_a_lower_snapshot_is_never_stored)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_NONE);
    p.repo->snapshot_version = 1;
    p.repo->timestamp_version = 3;
    tuf_repo_write_timestamp(p.repo);
    tuf_peer_refresh(&p, RW_E_TUF_VERSION);
    assert_false(tuf_peer_stored(&p, "timestamp.json", "timestamp.json"));
    p.repo->snapshot_version = 2;
    tuf_repo_write_timestamp(p.repo); /* version 3 again, now right */
    tuf_peer_refresh(&p, RW_E_NONE);
    assert_int_equal(tuf_peer_version(&p, "timestamp"), 3);
}

TEST(a_timestamp_without_a_snapshot_is_refused)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    static const char text[] = "{\"_type\":\"timestamp\",\"spec_version\":\"1.0\",\"version\":5,"
                               "\"expires\":\"2030-01-01T00:00:00Z\",\"meta\":{}}";
    RW_AUTO(rw_buf) struct rw_buf file = tuf_repo_envelope(p.repo, rw_span_str(text), "T");
    tuf_repo_put(p.repo, "timestamp.json", rw_buf_span(&file));
    tuf_peer_refresh(&p, RW_E_TUF_ROLE);
}

/* --- snapshot and targets --- */

TEST(a_snapshot_that_lowers_or_drops_a_role_is_refused)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    (void)tuf_repo_next_role(p.repo, "a", "A", "\"targets\":{}");
    (void)tuf_repo_next_role(p.repo, "a", "A", "\"targets\":{}");
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_NONE);
    tuf_repo_find(p.repo, "a")->version = 1;
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_TUF_VERSION);
    p.repo->role_count--; /* gone altogether */
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_TUF_ROLE);
    assert_true(tuf_peer_stored(&p, "snapshot.json", "2.snapshot.json"));
    p.repo->role_count++;
    tuf_repo_find(p.repo, "a")->version = 2;
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_NONE);
}

TEST(mixed_versions_are_refused)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    RW_AUTO(rw_buf) struct rw_buf old = rw_buf_make(100000);
    struct rw_err err = {0};
    MUST(rw_buf_append(&old, rw_buf_span(tuf_repo_get(p.repo, "1.targets.json")), &err));
    (void)tuf_repo_next_role(p.repo, "targets", "G", "\"targets\":{}");
    tuf_repo_publish(p.repo);
    tuf_repo_put(p.repo, "2.targets.json", rw_buf_span(&old)); /* good file, wrong version */
    tuf_peer_refresh(&p, RW_E_TUF_HASH);
    p.repo->bare_meta = true; /* without hashes the version still pins it */
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_TUF_VERSION);
    tuf_repo_put(p.repo, "3.snapshot.json", rw_buf_span(tuf_repo_get(p.repo, "1.snapshot.json")));
    tuf_repo_put(p.repo, "3.snapshot.json", rw_buf_span(&old)); /* another role under this name */
    tuf_peer_restart(&p);
    assert_int_equal(unlinkat(p.dir.fd, "snapshot.json", 0), 0);
    tuf_peer_refresh(&p, RW_E_TUF_ROLE);
}

static const struct damage_row {
    const char *id;
    const char *file;
    const char *signers; /* of the role that belongs to the file; NULL: damage the bytes */
    enum rw_code want;
} damages[] = {
    {"timestamp_bytes", "timestamp.json", NULL, RW_E_TUF_THRESHOLD},
    {"snapshot_bytes", "2.snapshot.json", NULL, RW_E_TUF_HASH},
    {"targets_bytes", "2.targets.json", NULL, RW_E_TUF_HASH},
    {"timestamp_by_another_role", "timestamp.json", "S", RW_E_TUF_THRESHOLD},
    {"snapshot_by_another_role", "2.snapshot.json", "T", RW_E_TUF_THRESHOLD},
    {"targets_by_another_role", "2.targets.json", "S", RW_E_TUF_THRESHOLD},
};

TEST_EACH(a_damaged_or_wrongly_signed_file_is_refused_and_not_stored, damages)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    tuf_peer_refresh(&p, RW_E_NONE);
    struct tuf_repo *r = p.repo;
    bool snapshot = strstr(it->file, "snapshot") != NULL;
    bool timestamp = strstr(it->file, "timestamp") != NULL;
    if (it->signers != NULL && snapshot) { r->snapshot.keys[0] = it->signers[0]; }
    if (it->signers != NULL && timestamp) { r->timestamp.keys[0] = it->signers[0]; }
    const char *targets_by = it->signers != NULL && !snapshot && !timestamp ? it->signers : "G";
    (void)tuf_repo_next_role(r, "targets", targets_by, "\"targets\":{}");
    tuf_repo_publish(r);
    if (it->signers == NULL) {
        char *at = strstr((char *)tuf_repo_get(r, it->file)->p, "2030");
        at[3] = '1';
    }
    tuf_peer_refresh(&p, it->want);
    const char *stored = timestamp ? "timestamp.json" : snapshot ? "snapshot.json" : "targets.json";
    assert_false(tuf_peer_stored(&p, stored, it->file));
    (void)tuf_peer_find(&p, "x", RW_E_TUF_ROLE); /* nothing is decided on half a refresh */
    r->snapshot.keys[0] = 'S';
    r->timestamp.keys[0] = 'T';
    (void)tuf_repo_next_role(r, "targets", "G", "\"targets\":{}");
    tuf_repo_publish(r);
    tuf_peer_refresh(&p, RW_E_NONE);
    assert_int_equal(tuf_peer_version(&p, "targets"), 3);
}

TEST(expired_snapshot_and_targets_are_refused)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    p.repo->snapshot_expires = TUF_REPO_STALE;
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_TUF_EXPIRED);
    p.repo->snapshot_expires = TUF_REPO_FRESH;
    struct tuf_repo_role *targets = tuf_repo_find(p.repo, "targets");
    targets->expires = TUF_REPO_STALE;
    (void)tuf_repo_next_role(p.repo, "targets", "G", targets->body);
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_TUF_EXPIRED);
    targets->expires = TUF_REPO_FRESH;
    (void)tuf_repo_next_role(p.repo, "targets", "G", targets->body);
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_NONE);
}

TEST(a_signed_length_above_our_limit_is_refused_without_a_request)
{
    static const struct {
        long long length;
        enum rw_code want;
        int asked;
    } cases[] = {
        {9007199254740991, RW_E_TOO_BIG, 0},
        {TUF_SNAPSHOT_BYTES_MAX + 1, RW_E_TOO_BIG, 0},
        {TUF_SNAPSHOT_BYTES_MAX, RW_E_NOT_FOUND, 1}, /* within it: asked for, and not there */
    };
    for (size_t i = 0; i < RW_LEN(cases); i++) {
        char text[300];
        RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
        (void)snprintf(text, sizeof(text),
                       "{\"_type\":\"timestamp\",\"spec_version\":\"1.0\",\"version\":5,"
                       "\"expires\":\"2030-01-01T00:00:00Z\",\"meta\":{\"snapshot.json\":"
                       "{\"version\":9,\"length\":%lld}}}",
                       cases[i].length);
        RW_AUTO(rw_buf) struct rw_buf file = tuf_repo_envelope(p.repo, rw_span_str(text), "T");
        tuf_repo_put(p.repo, "timestamp.json", rw_buf_span(&file));
        tuf_peer_refresh(&p, cases[i].want);
        assert_int_equal(tuf_repo_asked(p.repo, "9.snapshot.json"), cases[i].asked);
    }
}

/* A cycle that broke off after any file is completed by the next one, although the timestamp is not newer. */
TEST(a_broken_cycle_is_completed_by_the_next_one)
{
    static const char *const files[] = {"2.snapshot.json", "2.targets.json"};
    for (size_t i = 0; i < RW_LEN(files); i++) {
        RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
        tuf_peer_refresh(&p, RW_E_NONE);
        (void)tuf_repo_next_role(p.repo, "targets", "G", "\"targets\":{}");
        tuf_repo_publish(p.repo);
        p.repo->fail_file = files[i];
        p.repo->fail_code = RW_E_NET;
        tuf_peer_refresh(&p, RW_E_NET);
        p.repo->fail_file = NULL;
        tuf_peer_restart(&p);
        tuf_peer_refresh(&p, RW_E_NONE);
        assert_int_equal(tuf_peer_version(&p, "targets"), 2);
        assert_int_equal(tuf_repo_asked(p.repo, files[i]), 1);
    }
}

TEST(damaged_stored_files_are_fetched_again)
{
    static const char *const files[] = {"timestamp.json", "snapshot.json", "targets.json"};
    struct rw_err err = {0};
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    tuf_peer_refresh(&p, RW_E_NONE);
    for (size_t i = 0; i < RW_LEN(files); i++) {
        MUST(rw_file_replace_at(p.dir.fd, files[i], 0600, rw_span_str("{\"signed\":"), &err));
        tuf_peer_restart(&p);
        tuf_peer_refresh(&p, RW_E_NONE);
        assert_int_equal(tuf_peer_version(&p, "targets"), 1);
    }
    assert_true(tuf_peer_stored(&p, "timestamp.json", "timestamp.json"));
    assert_true(tuf_peer_stored(&p, "snapshot.json", "1.snapshot.json"));
    assert_true(tuf_peer_stored(&p, "targets.json", "1.targets.json"));
}

RUN_TESTS(cmocka_unit_test(a_first_refresh_trusts_and_stores_everything),
          cmocka_unit_test(without_news_two_requests_are_made),
          cmocka_unit_test(without_consistent_snapshots_plain_names_are_asked_for),
          cmocka_unit_test(meta_without_length_and_hashes_is_accepted),
          cmocka_unit_test(the_folder_holds_metadata_only_and_nothing_temporary),
          cmocka_unit_test(a_lower_timestamp_is_refused_and_the_stored_one_stays),
          cmocka_unit_test(an_expired_stored_timestamp_still_is_a_floor),
          cmocka_unit_test(an_equal_timestamp_is_dropped_whatever_it_says),
          cmocka_unit_test(an_expired_timestamp_is_a_freeze_and_is_not_stored),
          cmocka_unit_test(a_frozen_client_notices_when_the_stored_timestamp_expires),
          cmocka_unit_test(a_timestamp_that_names_a_lower_snapshot_is_never_stored),
          cmocka_unit_test(a_timestamp_without_a_snapshot_is_refused),
          cmocka_unit_test(a_snapshot_that_lowers_or_drops_a_role_is_refused),
          cmocka_unit_test(mixed_versions_are_refused),
          cmocka_unit_test(a_damaged_or_wrongly_signed_file_is_refused_and_not_stored),
          cmocka_unit_test(expired_snapshot_and_targets_are_refused),
          cmocka_unit_test(a_signed_length_above_our_limit_is_refused_without_a_request),
          cmocka_unit_test(a_broken_cycle_is_completed_by_the_next_one),
          cmocka_unit_test(damaged_stored_files_are_fetched_again))
