/* Goal: the signer over time: expiry and renewal, versions that are never given twice, a repository that was tampered
 * with, and a peer that sends garbage, which may end a session and never crash the process. */
#include "common/wire/signer_codec.h"
#include "server/server_init.h"
#include "server/signer/signer_rule.h"
#include "tests/signer_rig.h"

/* The program under test, built before this one (tests/CMakeLists.txt): RW_BIN_DIR "/ringward-signer" */

/* --- time --- */
TEST(an_expired_timestamp_refuses_until_it_is_renewed)
{
    RW_AUTO(rig) struct rig r = rig_make(40 * (int64_t)HOUR_S);
    point(&r, "canary", 0, false);
    must_refuse(&r, "expired");
    assert_int_equal(r.answer.code, RW_E_TUF_EXPIRED);
    renew(&r);
    must_grant(&r);
    assert_int_equal(r.answer.file_count, 1); /* rings and snapshot live on */
    write_answer(&r);
    point(&r, "canary", 0, false);
    must_grant(&r);
}

TEST(renewal_after_a_long_rest_signs_every_online_role)
{
    RW_AUTO(rig) struct rig r = rig_make(10 * (int64_t)DAY_S);
    renew(&r);
    must_grant(&r);
    assert_int_equal(r.answer.file_count, 3 + 2);
    write_answer(&r);
    assert_int_equal(agent_sees(&r, "canary", NULL), 0);
    renew(&r);
    must_grant(&r);
    assert_int_equal(r.answer.file_count, 0); /* nothing is due any more */
}

TEST(offline_roles_that_expired_stop_everything)
{
    RW_AUTO(rig) struct rig r = rig_make(200 * (int64_t)DAY_S);
    renew(&r);
    must_refuse(&r, "expired");
    assert_non_null(strstr(r.answer.text, "targets"));
}

TEST(an_expired_content_role_closes_its_pointers_and_is_cured_by_a_new_one)
{
    RW_AUTO(rig) struct rig r = rig_make(15 * (int64_t)DAY_S);
    renew(&r);
    must_grant(&r);
    write_answer(&r);
    point(&r, "canary", 1, false);
    must_refuse(&r, "expired");
    struct plan p = good_plan();
    publish_good(&r, &p);
    point(&r, "canary", 1, false);
    must_grant(&r);
}

static const struct due_case {
    const char *id;
    int64_t left_s;
    bool due;
} due_cases[] = {
    {"a_fresh_role_is_left_alone", 100, false},
    {"half_of_the_life_is_enough", 50, false},
    {"less_than_half_is_due", 49, true},
    {"an_expired_role_is_due", -1, true},
};

TEST_EACH(renewal_is_due_below_half_of_the_life, due_cases)
{
    assert_int_equal(signer_rule_renew_due((struct rw_wall){1000 + it->left_s}, 100,
                                           (struct rw_wall){1000}, (struct rw_wall){5000}),
                     it->due);
}

/* --- versions --- */
static int64_t timestamp_version(struct rig *r)
{
    struct rw_err err = {0};
    struct json *tree = NULL;
    const struct json *signed_part = NULL;
    int64_t version = 0;
    const struct signer_file *f = &r->answer.files[r->answer.file_count - 1];
    assert_string_equal(f->name, "timestamp.json");
    MUST(json_parse(f->bytes, &json_limits_metadata, &tree, &err));
    MUST(json_get(tree, "signed", JSON_OBJECT, &signed_part, &err));
    MUST(json_get_int(signed_part, "version", 1, RW_JSON_INT_MAX, &version, &err));
    json_tree_drop(&tree);
    return version;
}

/* Two files of one version must never exist, whatever became of the first. */
TEST(a_version_that_left_is_never_given_again)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    point(&r, "canary", 0, false);
    must_grant(&r);
    assert_int_equal(timestamp_version(&r), 2);
    assert_string_equal(r.answer.files[0].name, "2.ring-canary.json");
    /* The server died before it wrote a file; then the signer dies too. */
    proc_kill(&r.child);
    rw_fd_drop(&r.socket);
    rig_start(&r);
    point(&r, "canary", 0, false);
    must_grant(&r);
    assert_int_equal(timestamp_version(&r), 3);
    assert_string_equal(r.answer.files[0].name, "3.ring-canary.json");
    write_answer(&r);
    assert_int_equal(agent_sees(&r, "canary", NULL), 0);
}

TEST(a_change_cut_off_before_the_timestamp_is_harmless)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    put_payload(&r, &p.entries[0], p.entries[0].text);
    publish(&r, &p);
    must_grant(&r);
    r.answer.file_count = 2; /* all but the timestamp reach the disk */
    write_answer(&r);
    assert_int_equal(agent_sees(&r, "canary", NULL), 0);
    publish_good(&r, &p);
    point(&r, "canary", 1, false);
    must_grant(&r);
    write_answer(&r);
    assert_int_equal(agent_sees(&r, "canary", NULL), 1);
}

/* What was proven and never written may leave no floor behind: other changes must go on. */
TEST(a_publication_that_was_never_written_blocks_nothing)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    put_payload(&r, &p.entries[0], p.entries[0].text);
    publish(&r, &p);
    must_grant(&r);
    point(&r, "canary", 0, false);
    must_grant(&r);
    write_answer(&r);
    publish(&r, &p);
    must_grant(&r);
}

TEST(versions_have_an_end_that_is_told)
{
    struct rw_err err = {0};
    int64_t next = 0;
    MUST(signer_rule_next_version(7, 3, &next, &err));
    assert_int_equal(next, 8);
    MUST(signer_rule_next_version(3, 9, &next, &err));
    assert_int_equal(next, 10);
    MUST_FAIL(signer_rule_next_version(INT32_MAX, 0, &next, &err), RW_E_RANGE);
    MUST_FAIL(signer_rule_next_version(0, INT64_MAX, &next, &err), RW_E_RANGE);
}

/* --- a repository that was tampered with --- */
TEST(a_repository_that_went_back_is_not_built_upon)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct rw_err err = {0};
    struct rw_buf old = rw_buf_make(1 << 20);
    MUST(rw_file_read_at(r.d.repo, "metadata/timestamp.json", 1 << 20, &old, &err));
    point(&r, "canary", 0, false);
    must_grant(&r);
    write_answer(&r);
    point(&r, "canary", 0, false); /* the signer has seen the new state now */
    must_grant(&r);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/repo/metadata/timestamp.json", r.d.path);
    MUST(rw_file_replace(path, 0644, rw_buf_span(&old), &err));
    point(&r, "canary", 0, false);
    assert_true(r.answer.refused);
    assert_int_equal(r.answer.code, RW_E_TUF_VERSION);
    rw_buf_drop(&old);
}

TEST(a_forged_role_is_not_built_upon)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct rw_err err = {0};
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/repo/metadata/1.targets.json", r.d.path);
    MUST(rw_file_replace(path, 0644, rw_span_str("{}"), &err));
    point(&r, "canary", 0, false);
    assert_true(r.answer.refused);
    assert_int_equal(r.answer.code, RW_E_TUF_HASH);
}

/* --- the peer is not trusted either --- */
static void send_frame(struct rig *r, uint16_t type, struct rw_span body)
{
    struct rw_err err = {0};
    struct frame_writer w = frame_begin(type);
    MUST(rw_buf_append(&w.buf, body, &err));
    MUST(frame_send(r->socket, &w, TIMEOUT_MS, &err));
    frame_writer_drop(&w);
}

TEST(frames_that_are_no_requests_are_refused_and_the_session_goes_on)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct rw_err err = {0};
    uint32_t seed = 12345;
    print_message("           seed %u\n", seed);
    for (int round = 0; round < 300; round++) {
        uint8_t body[64];
        struct frame_reader frame;
        for (size_t i = 0; i < sizeof(body); i++) {
            seed = seed * 1664525U + 1013904223U;
            body[i] = (uint8_t)(seed >> 24);
        }
        /* Types 1 and 2 with random fields, a renewal with a tail, and unknown types. */
        uint16_t type = (uint16_t)(round % 7 + 1);
        send_frame(&r, type, rw_span_of(body, 1 + (size_t)(round % 63)));
        MUST(frame_recv(r.socket, &r.bytes, TIMEOUT_MS, &frame, &err));
        MUST(signer_answer_read(&frame, &r.answer, &err));
        assert_true(r.answer.refused);
        assert_int_equal(r.answer.code, RW_E_PROTOCOL);
    }
    point(&r, "canary", 0, false);
    must_grant(&r);
}

TEST(broken_framing_ends_the_session_without_a_crash)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct rw_err err = {0};
    struct proc_exit gone;
    const uint8_t huge[6] = {0xff, 0xff, 0xff, 0xff, 1, 0};
    assert_int_equal(send(r.socket, huge, sizeof(huge), MSG_NOSIGNAL), sizeof(huge));
    MUST(proc_wait(&r.child, TIMEOUT_MS, &gone, &err));
    assert_false(gone.signaled);
    assert_int_equal(gone.status, 1);
}

TEST(a_peer_that_goes_away_ends_the_signer)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct rw_err err = {0};
    struct proc_exit gone;
    renew(&r);
    must_grant(&r);
    rw_fd_drop(&r.socket);
    MUST(proc_wait(&r.child, TIMEOUT_MS, &gone, &err));
    assert_false(gone.signaled);
    assert_int_equal(gone.status, 0);
}

RUN_TESTS(cmocka_unit_test(an_expired_timestamp_refuses_until_it_is_renewed),
          cmocka_unit_test(renewal_after_a_long_rest_signs_every_online_role),
          cmocka_unit_test(offline_roles_that_expired_stop_everything),
          cmocka_unit_test(an_expired_content_role_closes_its_pointers_and_is_cured_by_a_new_one),
          cmocka_unit_test(renewal_is_due_below_half_of_the_life),
          cmocka_unit_test(a_version_that_left_is_never_given_again),
          cmocka_unit_test(a_change_cut_off_before_the_timestamp_is_harmless),
          cmocka_unit_test(a_publication_that_was_never_written_blocks_nothing),
          cmocka_unit_test(versions_have_an_end_that_is_told),
          cmocka_unit_test(a_repository_that_went_back_is_not_built_upon),
          cmocka_unit_test(a_forged_role_is_not_built_upon),
          cmocka_unit_test(frames_that_are_no_requests_are_refused_and_the_session_goes_on),
          cmocka_unit_test(broken_framing_ends_the_session_without_a_crash),
          cmocka_unit_test(a_peer_that_goes_away_ends_the_signer))
