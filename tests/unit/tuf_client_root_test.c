/* Goal: the chain of roots is walked one by one, each step by the old and the new threshold (TUF-5.3.4, 5.3.5), and
 * new keys in a root cure what a thief of old ones did (TUF-5.3.11). */
#include "common/tuf/tuf_client.h"

#include "common/base/file.h"
#include "common/tuf/tuf_doc.h"
#include "tests/fakes/tuf_peer.h"

/* --- roots --- */

TEST(a_chain_of_roots_is_walked_one_by_one)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    (void)snprintf(p.repo->root.keys, sizeof(p.repo->root.keys), "QP");
    p.repo->root.threshold = 2;
    tuf_repo_next_root(p.repo, "RQP");
    p.repo->root_expires = TUF_REPO_STALE; /* an intermediate one may have expired */
    tuf_repo_next_root(p.repo, "QP");
    p.repo->root_expires = TUF_REPO_FRESH;
    tuf_repo_next_root(p.repo, "PQ");
    tuf_peer_refresh(&p, RW_E_NONE);
    assert_int_equal(tuf_peer_version(&p, "root"), 4);
    assert_true(tuf_peer_stored(&p, "root.json", "4.root.json"));
    assert_int_equal(tuf_repo_asked(p.repo, "5.root.json"), 1);
}

static const struct root_row {
    const char *id;
    const char *new_keys;
    int threshold;
    const char *signers;
    int64_t skip; /* added to the version before */
    enum rw_code want;
} roots[] = {
    {"old_and_new_key", "Q", 1, "RQ", 0, RW_E_NONE},
    {"not_signed_by_the_old_key", "Q", 1, "Q", 0, RW_E_TUF_THRESHOLD},
    {"not_signed_by_the_new_key", "Q", 1, "R", 0, RW_E_TUF_THRESHOLD},
    {"below_its_own_threshold", "QP", 2, "RQ", 0, RW_E_TUF_THRESHOLD},
    {"signed_by_nobody", "R", 1, "", 0, RW_E_TUF_THRESHOLD},
    {"a_version_is_skipped", "R", 1, "R", 1, RW_E_TUF_VERSION},
};

TEST_EACH(a_new_root_needs_both_thresholds_and_the_next_version, roots)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    (void)snprintf(p.repo->root.keys, sizeof(p.repo->root.keys), "%s", it->new_keys);
    p.repo->root.threshold = it->threshold;
    p.repo->root_version += it->skip;
    tuf_repo_next_root(p.repo, it->signers);
    if (it->skip > 0) { /* the file says 3 and is served as 2 */
        tuf_repo_put(p.repo, "2.root.json", rw_buf_span(tuf_repo_get(p.repo, "3.root.json")));
        tuf_repo_remove(p.repo, "3.root.json");
    }
    tuf_peer_refresh(&p, it->want);
    bool good = it->want == RW_E_NONE;
    assert_true(tuf_peer_stored(&p, "root.json", good ? "2.root.json" : "1.root.json"));
    assert_int_equal(tuf_repo_asked(p.repo, "timestamp.json"), good ? 1 : 0);
}

TEST(the_same_root_again_is_no_next_root)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    tuf_repo_put(p.repo, "2.root.json", rw_buf_span(tuf_repo_get(p.repo, "1.root.json")));
    tuf_peer_refresh(&p, RW_E_TUF_VERSION);
}

TEST(an_expired_last_root_is_stored_and_stops_the_refresh)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    p.repo->root_expires = TUF_REPO_STALE;
    tuf_repo_next_root(p.repo, "R");
    tuf_peer_refresh(&p, RW_E_TUF_EXPIRED);
    assert_true(tuf_peer_stored(&p, "root.json", "2.root.json"));
    assert_int_equal(tuf_repo_asked(p.repo, "timestamp.json"), 0);
    p.repo->root_expires = TUF_REPO_FRESH;
    tuf_repo_next_root(p.repo, "R");
    tuf_peer_refresh(&p, RW_E_NONE);
}

TEST(only_a_missing_file_ends_the_chain_of_roots)
{
    static const enum rw_code others[] = {RW_E_NET, RW_E_TIMEOUT, RW_E_HTTP, RW_E_TOO_BIG};
    for (size_t i = 0; i < RW_LEN(others); i++) {
        RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
        p.repo->fail_file = "2.root.json";
        p.repo->fail_code = others[i];
        tuf_peer_refresh(&p, others[i]);
        assert_int_equal(p.repo->asked_count, 1);
        p.repo->fail_file = NULL;
        tuf_peer_refresh(&p, RW_E_NONE);
    }
}

TEST(one_refresh_takes_a_bounded_number_of_roots_and_the_next_goes_on)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    for (int i = 0; i < TUF_ROOTS_PER_REFRESH_MAX + 4; i++) {
        tuf_repo_next_root(p.repo, "R");
    }
    tuf_peer_refresh(&p, RW_E_NONE);
    assert_int_equal(tuf_peer_version(&p, "root"), TUF_ROOTS_PER_REFRESH_MAX + 1);
    tuf_peer_refresh(&p, RW_E_NONE);
    assert_int_equal(tuf_peer_version(&p, "root"), TUF_ROOTS_PER_REFRESH_MAX + 5);
}

TEST(a_stored_root_that_does_not_verify_is_fatal)
{
    struct rw_err err = {0};
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(100000);
    MUST(rw_buf_append(&bytes, rw_buf_span(tuf_repo_get(p.repo, "1.root.json")), &err));
    char *version = strstr((char *)bytes.p, "\"version\":1");
    version[strlen("\"version\":")] = '9';
    tuf_client_drop(&p.client);
    MUST(rw_file_replace_at(p.dir.fd, "root.json", 0600, rw_buf_span(&bytes), &err));
    MUST_FAIL(tuf_client_open(p.dir.fd, tuf_repo_fetch(p.repo), &p.client, &err),
              RW_E_TUF_THRESHOLD);
    MUST_FAIL(tuf_client_init(p.dir.fd, rw_buf_span(&bytes), &err), RW_E_TUF_THRESHOLD);
    MUST_FAIL(tuf_client_init(p.dir.fd, rw_span_str("{}"), &err), RW_E_SCHEMA);
    assert_int_equal(p.repo->asked_count, 0);
}

/* --- recovery --- */

/* The thief of a timestamp key signed the highest version there is; only a new key can go on (TUF-5.3.11). */
TEST(a_fast_forward_is_cured_by_new_keys)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    p.repo->timestamp_version = INT64_C(9007199254740989);
    p.repo->snapshot_version = INT64_C(2000000000);
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_NONE);
    p.repo->timestamp_version = 0;
    p.repo->snapshot_version = 0;
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_TUF_VERSION);
    (void)snprintf(p.repo->timestamp.keys, sizeof(p.repo->timestamp.keys), "U");
    (void)snprintf(p.repo->snapshot.keys, sizeof(p.repo->snapshot.keys), "V");
    tuf_repo_next_root(p.repo, "R");
    p.repo->timestamp_version = 0;
    p.repo->snapshot_version = 0;
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_NONE);
    assert_int_equal(tuf_peer_version(&p, "timestamp"), 1);
    assert_int_equal(tuf_peer_version(&p, "snapshot"), 1);
}

TEST(a_new_timestamp_key_alone_does_not_lift_the_floor_of_the_snapshot)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    (void)tuf_repo_next_role(p.repo, "targets", "G", "\"targets\":{}");
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_NONE);
    (void)snprintf(p.repo->timestamp.keys, sizeof(p.repo->timestamp.keys), "U");
    tuf_repo_next_root(p.repo, "R");
    tuf_repo_find(p.repo, "targets")->version = 1; /* rollback of targets */
    tuf_repo_write_role(p.repo, tuf_repo_find(p.repo, "targets"));
    p.repo->timestamp_version = 0;
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_TUF_VERSION);
}

TEST(files_signed_by_a_revoked_key_are_refused)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    tuf_peer_refresh(&p, RW_E_NONE);
    (void)snprintf(p.repo->targets.keys, sizeof(p.repo->targets.keys), "H");
    tuf_repo_next_root(p.repo, "R");
    (void)tuf_repo_next_role(p.repo, "targets", "G", "\"targets\":{}");
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_TUF_THRESHOLD);
    (void)tuf_repo_next_role(p.repo, "targets", "H", "\"targets\":{}");
    tuf_repo_publish(p.repo);
    tuf_peer_refresh(&p, RW_E_NONE);
}

RUN_TESTS(cmocka_unit_test(a_chain_of_roots_is_walked_one_by_one),
          cmocka_unit_test(a_new_root_needs_both_thresholds_and_the_next_version),
          cmocka_unit_test(the_same_root_again_is_no_next_root),
          cmocka_unit_test(an_expired_last_root_is_stored_and_stops_the_refresh),
          cmocka_unit_test(only_a_missing_file_ends_the_chain_of_roots),
          cmocka_unit_test(one_refresh_takes_a_bounded_number_of_roots_and_the_next_goes_on),
          cmocka_unit_test(a_stored_root_that_does_not_verify_is_fatal),
          cmocka_unit_test(a_fast_forward_is_cured_by_new_keys),
          cmocka_unit_test(a_new_timestamp_key_alone_does_not_lift_the_floor_of_the_snapshot),
          cmocka_unit_test(files_signed_by_a_revoked_key_are_refused))
