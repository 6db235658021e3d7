/* Goal: who an endpoint is stays the same over restarts, is never guessed anew from damage, and is its own secret. */
#include "agent/agent_identity.h"

#include "common/base/alt.h"
#include "common/base/file.h"
#include "tests/harness.h"

TEST(an_identity_is_drawn_once_and_kept)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err;
    struct agent_identity a;
    struct agent_identity b;
    bool fresh = false;
    MUST(agent_identity_load(d.fd, &a, &fresh, &err));
    assert_true(fresh);
    assert_int_equal(strlen(a.endpoint), 32);
    assert_in_range(a.bucket, 0, 9999);
    MUST(agent_identity_load(d.fd, &b, &fresh, &err));
    assert_false(fresh);
    assert_string_equal(a.endpoint, b.endpoint);
    assert_int_equal(a.bucket, b.bucket);
    assert_memory_equal(a.salt, b.salt, sizeof(a.salt));
}

TEST(two_endpoints_differ)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    RW_AUTO(harness_dir) struct harness_dir e = harness_dir();
    struct rw_err err;
    struct agent_identity a;
    struct agent_identity b;
    bool fresh = false;
    MUST(agent_identity_load(d.fd, &a, &fresh, &err));
    MUST(agent_identity_load(e.fd, &b, &fresh, &err));
    assert_string_not_equal(a.endpoint, b.endpoint);
    assert_memory_not_equal(a.salt, b.salt, sizeof(a.salt));
}

TEST(buckets_spread_over_the_whole_range)
{
    int low = 0;
    for (int i = 0; i < 64; i++) {
        RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
        struct rw_err err;
        struct agent_identity a;
        bool fresh = false;
        MUST(agent_identity_load(d.fd, &a, &fresh, &err));
        low += a.bucket < 5000 ? 1 : 0;
    }
    assert_in_range(low, 8, 56); /* one of 10^10 fair runs falls outside */
}

static const struct bad_case {
    const char *id, *text;
} bad[] = {
    {"not_json", "junk"},
    {"no_salt", "{\"endpoint\":\"00112233445566778899aabbccddeeff\"}"},
    {"short_endpoint", "{\"endpoint\":\"0011\",\"salt\":\"00\"}"},
    {"another_member",
     "{\"endpoint\":\"00112233445566778899aabbccddeeff\",\"salt\":\"00\",\"ring\":\"canary\"}"},
};

/* INV-7: an identity drawn anew would be another bucket, so maybe another ring, and a new endpoint to the server. */
TEST_EACH(what_cannot_be_understood_is_told_and_not_replaced, bad)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err;
    struct agent_identity a;
    bool fresh = false;
    MUST(rw_alt_save(d.fd, "identity", rw_span_str(it->text), &err));
    assert_false(rw_is_ok(agent_identity_load(d.fd, &a, &fresh, &err)));
    assert_false(fresh);
}

TEST(a_copied_disk_becomes_an_endpoint_of_its_own)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err;
    struct agent_identity a;
    struct agent_identity b;
    bool fresh = false;
    bool cloned = false;
    int spool = -1;
    MUST(agent_identity_load(d.fd, &a, &fresh, &err));
    MUST(agent_identity_bind(d.fd, rw_span_str("machine one\n"), &a, &cloned, &err));
    assert_false(cloned);
    MUST(rw_file_replace_at(d.fd, "token", 0600, rw_span_str("rwe2.x"), &err));
    MUST(rw_dir_make_at(d.fd, "spool", 0700, &spool, &err));
    MUST(rw_file_replace_at(spool, "beacon", 0600, rw_span_str("{}"), &err));
    /* The same machine, and one that has no id to tell. */
    MUST(agent_identity_load(d.fd, &b, &fresh, &err));
    MUST(agent_identity_bind(d.fd, rw_span_str("machine one\n"), &b, &cloned, &err));
    assert_false(cloned);
    MUST(agent_identity_bind(d.fd, rw_span_str(""), &b, &cloned, &err));
    assert_false(cloned);
    assert_string_equal(a.endpoint, b.endpoint);
    assert_int_equal(faccessat(d.fd, "token", F_OK, 0), 0);
    /* Another one: new id, new bucket's salt, nothing that speaks for the first. */
    MUST(agent_identity_bind(d.fd, rw_span_str("machine two\n"), &b, &cloned, &err));
    assert_true(cloned);
    assert_string_not_equal(a.endpoint, b.endpoint);
    assert_memory_not_equal(a.salt, b.salt, sizeof(a.salt));
    assert_string_equal(b.cloned_from, a.endpoint);
    assert_int_equal(faccessat(d.fd, "token", F_OK, 0), -1);
    assert_int_equal(faccessat(spool, "beacon", F_OK, 0), -1);
    MUST(agent_identity_load(d.fd, &a, &fresh, &err));
    MUST(agent_identity_bind(d.fd, rw_span_str("machine two\n"), &a, &cloned, &err));
    assert_false(cloned);
    assert_string_equal(a.endpoint, b.endpoint);
    assert_string_equal(a.cloned_from, b.cloned_from);
    (void)close(spool);
}

RUN_TESTS(cmocka_unit_test(a_copied_disk_becomes_an_endpoint_of_its_own),
          cmocka_unit_test(an_identity_is_drawn_once_and_kept),
          cmocka_unit_test(two_endpoints_differ),
          cmocka_unit_test(buckets_spread_over_the_whole_range),
          cmocka_unit_test(what_cannot_be_understood_is_told_and_not_replaced))
