/* Goal: the life of a release from draft to an agent against a real directory, store and signer: nothing is signed
 * that was not checked (INV-3), and every step is in the audit log (INV-9). */
#include "server/release/release.h"
#include "server/report/audit_log.h"
#include "server/server_init.h"
#include "tests/release_rig.h"

/* The program under test, built before this one (tests/CMakeLists.txt): RW_BIN_DIR "/ringward-signer" */

/* --- the life --- */
TEST(a_release_goes_from_draft_to_an_agent)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct tuf_target t;
    rw_fd state = -1;
    struct release_id id = checked_release(&r, &plain);
    assert_int_equal(id.number, 1);
    MUST_FAIL(publish(&r, &id, "pat", &err), RW_E_POLICY);
    approve(&r, &id);
    MUST(publish(&r, &id, "pat", &err));
    assert_string_equal(state_of(&r, &id), "published");
    struct tuf_client *c = dev_dir_agent(&r.d, &state);
    MUST(tuf_client_find(c, "content/yara/1.rwc", &t, &err));
    assert_int_equal(t.length, strlen(payload));
    assert_string_equal(t.role, "content-yara");
    MUST_FAIL(tuf_client_find(c, "rings/canary/yara", &t, &err), RW_E_NOT_FOUND);
    tuf_client_drop(&c);
    rw_fd_drop(&state);
    MUST(publish(&r, &id, "pat", &err)); /* again: nothing new */
    MUST(release_signer_point(r.signer, "canary", "yara", 1, false, &err));
    c = dev_dir_agent(&r.d, &state);
    MUST(tuf_client_find(c, "rings/canary/yara", &t, &err));
    tuf_client_drop(&c);
    rw_fd_drop(&state);
}

/* INV-9 */
TEST(every_step_is_in_the_audit_log)
{
    static const char *const steps[] = {"server.init",   "release.create", "release.payload",
                                        "release.check", "release.tosign", "release.sign",
                                        "release.sign",  "release.publish"};
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    int64_t count = 0;
    struct release_id id = checked_release(&r, &plain);
    approve(&r, &id);
    MUST(publish(&r, &id, "pat", &err));
    MUST(audit_log_verify(&r.store, &count, &err));
    assert_int_equal(count, RW_LEN(steps));
    rw_buf_clear(&r.out);
    struct json_writer w = json_begin(&r.out);
    MUST(audit_log_write_page(&r.store, 0, 100, &w, &err));
    MUST(json_done(&w, &err));
    parse_answer(&r);
    size_t i = 0;
    for (const struct json *rec = json_first(json_find(r.answer, "records")); rec != NULL;
         rec = json_next(rec), i++) {
        struct rw_span action;
        MUST(json_get_span(rec, "action", &action, &err));
        assert_true(rw_span_is(action, steps[i]));
    }
}

/* --- uploads --- */
static const struct bytes_case {
    const char *id;
    const char *text;
} wrong_bytes[] = {
    {"another_byte", "rule b { strings: $s = \"x\" condition: $s }"},
    {"one_byte_less", "rule a { strings: $s = \"x\" condition: $s "},
    {"nothing", ""},
};

TEST_EACH(bytes_that_were_not_declared_are_refused, wrong_bytes)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    bool wanted = true;
    int fd = -1;
    struct release_id id = create(&r, &plain);
    MUST_FAIL(upload_part(&r, &id, RELEASE_PAYLOAD, rw_span_str(it->text), &wanted, &err),
              RW_E_TUF_HASH);
    assert_string_equal(state_of(&r, &id), "draft");
    MUST_FAIL(open_payload(&r, &id, &fd, &err), RW_E_NOT_FOUND);
}

TEST(the_check_waits_for_the_samples)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    bool wanted = false;
    struct release_check_job job;
    const struct wish wish = {.class_name = "data", .text = payload, .with_samples = true};
    struct release_id id = create(&r, &wish);
    assert_false(upload(&r, &id, payload));
    assert_string_equal(state_of(&r, &id), "draft");
    MUST_FAIL(release_begin_check(domain(&r), &id, &job, &err), RW_E_POLICY);
    MUST(upload_part(&r, &id, RELEASE_SAMPLES, rw_span_of(samples, sizeof(samples) - 1), &wanted,
                     &err));
    assert_true(wanted);
    MUST(release_begin_check(domain(&r), &id, &job, &err));
    assert_string_equal(job.payload_path, "yara/1/payload");
    assert_string_equal(job.samples_path, "yara/1/samples");
    MUST_FAIL(upload_part(&r, &id, RELEASE_PAYLOAD, rw_span_str(payload), &wanted, &err),
              RW_E_POLICY);
}

TEST(samples_that_were_not_declared_are_refused)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    bool wanted = false;
    struct release_id id = create(&r, &plain);
    MUST_FAIL(upload_part(&r, &id, RELEASE_SAMPLES, rw_span_str("x"), &wanted, &err), RW_E_POLICY);
}

/* --- what happens while bytes are on their way --- */
TEST(of_two_uploads_at_once_the_second_finds_the_release_in_checking)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct release_place one;
    struct release_place two;
    bool wanted = false;
    struct release_check_job job;
    struct release_id id = create(&r, &plain);
    MUST(release_upload_place(domain(&r), &id, RELEASE_PAYLOAD, &one, &err));
    MUST(release_upload_place(domain(&r), &id, RELEASE_PAYLOAD, &two, &err));
    MUST(release_stage_write(&one, rw_span_str(payload), &err));
    MUST(release_upload_take(domain(&r), &one, &wanted, &r.out, &err));
    assert_true(wanted);
    MUST(release_stage_write(&two, rw_span_str(payload), &err)); /* the same bytes once more */
    wanted = false;
    MUST_FAIL(release_upload_take(domain(&r), &two, &wanted, &r.out, &err), RW_E_POLICY);
    assert_false(wanted);
    MUST(release_begin_check(domain(&r), &id, &job, &err));
}

TEST(an_upload_into_a_release_that_was_given_up_meanwhile_is_refused)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct release_place at;
    bool wanted = false;
    struct release_id id = create(&r, &plain);
    MUST(release_upload_place(domain(&r), &id, RELEASE_PAYLOAD, &at, &err));
    MUST(release_stage_write(&at, rw_span_str(payload), &err));
    MUST(release_abandon(domain(&r), &id, "pat", "a mistake", &r.out, &err));
    MUST_FAIL(release_upload_take(domain(&r), &at, &wanted, &r.out, &err), RW_E_POLICY);
    assert_false(wanted);
    assert_string_equal(state_of(&r, &id), "withdrawn");
}

/* INV-3: what was true when the payload was placed must be true when the signer is asked. */
TEST(a_release_that_was_given_up_while_its_payload_was_placed_is_not_published)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct release_place at;
    struct tuf_target t;
    rw_fd state = -1;
    bool wanted = false;
    struct release_id id = checked_release(&r, &plain);
    approve(&r, &id);
    MUST(release_publish_place(domain(&r), &id, "pat", &at, &wanted, &err));
    assert_true(wanted);
    MUST(release_signer_place(r.signer, &at, &err));
    MUST(release_abandon(domain(&r), &id, "pat", "a mistake", &r.out, &err));
    MUST_FAIL(release_publish(domain(&r), &id, "pat", &r.out, &err), RW_E_POLICY);
    struct tuf_client *c = dev_dir_agent(&r.d, &state);
    MUST_FAIL(tuf_client_find(c, "content/yara/1.rwc", &t, &err), RW_E_NOT_FOUND);
    tuf_client_drop(&c);
    rw_fd_drop(&state);
}

TEST(what_was_not_placed_the_signer_refuses)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct release_id id = checked_release(&r, &plain);
    approve(&r, &id);
    MUST_FAIL(release_publish(domain(&r), &id, "pat", &r.out, &err), RW_E_TUF_HASH);
    assert_string_equal(state_of(&r, &id), "approved");
    MUST(publish(&r, &id, "pat", &err));
}

TEST(releases_are_counted_as_they_are_made)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    int64_t count = -1;
    MUST(release_count(domain(&r), false, &count, &err));
    assert_int_equal(count, 0);
    (void)create(&r, &plain);
    (void)create(&r, &plain);
    MUST(release_count(domain(&r), false, &count, &err));
    assert_int_equal(count, 2);
    MUST_FAIL(release_create(domain(&r), "carol", rw_span_str("{}"), &r.out, &err), RW_E_SCHEMA);
    (void)create(&r, &plain);
    MUST(release_count(domain(&r), false, &count, &err));
    assert_int_equal(count, 3);
    MUST(store_doc_count(&r.store, "release", &count, &err));
    assert_int_equal(count, 3);
}

TEST(the_payload_that_is_given_out_is_the_declared_one)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    char path[128];
    int fd = -1;
    struct release_id id = checked_release(&r, &plain);
    MUST(open_payload(&r, &id, &fd, &err));
    rw_fd_drop(&fd);
    (void)snprintf(path, sizeof(path), "%s/staging/yara/1/payload", r.d.path);
    MUST(rw_file_replace(path, 0600, rw_span_str("rotten"), &err));
    MUST_FAIL(open_payload(&r, &id, &fd, &err), RW_E_TUF_HASH);
    approve(&r, &id);
    MUST_FAIL(publish(&r, &id, "pat", &err), RW_E_TUF_HASH);
    assert_string_equal(state_of(&r, &id), "approved");
    (void)snprintf(path, sizeof(path), "%s/repo/targets/content/yara", r.d.path);
    assert_int_equal(rmdir(path), 0); /* nothing was put there: it is still empty */
}

/* --- the box: INV-3 --- */
static const struct check_case {
    const char *id;
    enum verdict_kind kind;
    bool final;
    const char *want;
} check_cases[] = {
    {"accepted", VERDICT_ACCEPTED, true, "checked"},
    {"accepted_but_not_final", VERDICT_ACCEPTED, false, "draft"},
    {"refused", VERDICT_REFUSED, true, "refused"},
    {"crashed", VERDICT_CRASHED, true, "refused"},
    {"no_verdict", VERDICT_SANDBOX_ERROR, false, "draft"},
};

TEST_EACH(only_a_final_accepted_verdict_opens, check_cases)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct rw_buf doc = rw_buf_make(OUT_BYTES_MAX);
    struct release_id id = create(&r, &plain);
    assert_true(upload(&r, &id, payload));
    MUST(record(&r, &id, it->kind, it->final, payload, &err));
    assert_string_equal(state_of(&r, &id), it->want);
    if (strcmp(it->want, "checked") != 0) {
        MUST_FAIL(release_tosign(domain(&r), &id, &doc, &err), RW_E_POLICY);
    }
    rw_buf_drop(&doc);
}

TEST(a_draft_is_checked_again_when_the_payload_is_sent_again)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct release_id id = create(&r, &plain);
    assert_true(upload(&r, &id, payload));
    MUST(release_record_check(domain(&r), &id, rw_span_of(NULL, 0), &r.out, &err));
    assert_string_equal(state_of(&r, &id), "draft");
    assert_true(upload(&r, &id, payload));
    MUST(record(&r, &id, VERDICT_ACCEPTED, true, payload, &err));
    assert_string_equal(state_of(&r, &id), "checked");
}

TEST(a_verdict_about_other_bytes_or_without_sense_changes_nothing)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct release_id id = create(&r, &plain);
    assert_true(upload(&r, &id, payload));
    MUST_FAIL(record(&r, &id, VERDICT_ACCEPTED, true, "other", &err), RW_E_TUF_HASH);
    MUST_FAIL(release_record_check(domain(&r), &id, rw_span_str("{}"), &r.out, &err), RW_E_SCHEMA);
    assert_string_equal(state_of(&r, &id), "checking");
}

static RW_RC count_job(void *arg, const struct release_check_job *job, struct rw_err *err)
{
    (void)err;
    assert_string_equal(job->id.family, "yara");
    *(int64_t *)arg += job->id.number;
    return RW_OK;
}

TEST(checks_that_were_cut_off_are_found_after_a_start)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    int64_t sum = 0;
    (void)checked_release(&r, &plain);
    struct release_id second = create(&r, &plain);
    (void)upload(&r, &second, payload);
    (void)create(&r, &plain);
    MUST(release_each_checking(domain(&r), count_job, &sum, &err));
    assert_int_equal(sum, 2);
}

TEST(an_unchecked_release_says_why_everywhere)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    const struct wish wish = {.class_name = "data", .text = payload, .unchecked = true};
    struct release_facts facts;
    struct rw_span reason;
    struct release_id id = create(&r, &wish);
    assert_false(upload(&r, &id, payload));
    assert_string_equal(state_of(&r, &id), "checked");
    MUST(json_get_span(r.answer, "reason", &reason, &err));
    assert_true(rw_span_is(reason, "box is down"));
    MUST(release_find(domain(&r), &id, &facts, &err));
    assert_true(facts.unchecked);
}

/* --- numbers --- */
TEST(numbers_are_never_used_again)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct release_id one = create(&r, &plain);
    MUST_FAIL(release_abandon(domain(&r), &one, "carol", "", &r.out, &err), RW_E_SCHEMA);
    MUST(release_abandon(domain(&r), &one, "carol", "wrong file", &r.out, &err));
    assert_string_equal(state_of(&r, &one), "withdrawn");
    struct release_id two = create(&r, &plain);
    assert_int_equal(two.number, 2);
    const struct release_page all = {.state = -1, .limit = RELEASE_PAGE_MAX};
    MUST(release_list(domain(&r), &all, &r.out, &err));
    parse_answer(&r);
    assert_int_equal(json_count(json_find(r.answer, "releases")), 2);
}

static const struct body_case {
    const char *id;
    const char *body;
    enum rw_code want;
} bad_bodies[] = {
    {"no_json", "x", RW_E_SYNTAX},
    {"nothing_in_it", "{}", RW_E_SCHEMA},
    {"an_unknown_member", "{\"family\":\"yara\",\"colour\":\"red\"}", RW_E_SCHEMA},
    {"a_family_that_is_not_delegated",
     "{\"family\":\"ids\",\"class\":\"data\",\"notes\":\"n\",\"engine\":{\"min\":0,\"max\":1},"
     "\"platforms\":[\"linux-x86_64\"],\"payload\":{\"sha256\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000\",\"bytes\":1}}",
     RW_E_TUF_ROLE},
    {"a_class_without_policy",
     "{\"family\":\"yara\",\"class\":\"other\",\"notes\":\"n\",\"engine\":{\"min\":0,\"max\":1},"
     "\"platforms\":[\"linux-x86_64\"],\"payload\":{\"sha256\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000\",\"bytes\":1}}",
     RW_E_RANGE},
    {"an_engine_range_upside_down",
     "{\"family\":\"yara\",\"class\":\"data\",\"notes\":\"n\",\"engine\":{\"min\":2,\"max\":1},"
     "\"platforms\":[\"linux-x86_64\"],\"payload\":{\"sha256\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000\",\"bytes\":1}}",
     RW_E_RANGE},
    {"unchecked_without_a_reason",
     "{\"family\":\"yara\",\"class\":\"data\",\"notes\":\"n\",\"engine\":{\"min\":0,\"max\":1},"
     "\"platforms\":[\"linux-x86_64\"],\"unchecked\":true,\"payload\":{\"sha256\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000\",\"bytes\":1}}",
     RW_E_SCHEMA},
    {"notes_that_say_nothing",
     "{\"family\":\"yara\",\"class\":\"data\",\"notes\":\"\",\"engine\":{\"min\":0,\"max\":1},"
     "\"platforms\":[\"linux-x86_64\"],\"payload\":{\"sha256\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000\",\"bytes\":1}}",
     RW_E_SCHEMA},
    {"a_payload_of_no_bytes",
     "{\"family\":\"yara\",\"class\":\"data\",\"notes\":\"n\",\"engine\":{\"min\":0,\"max\":1},"
     "\"platforms\":[\"linux-x86_64\"],\"payload\":{\"sha256\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000\",\"bytes\":0}}",
     RW_E_RANGE},
    {"a_hash_in_capitals",
     "{\"family\":\"yara\",\"class\":\"data\",\"notes\":\"n\",\"engine\":{\"min\":0,\"max\":1},"
     "\"platforms\":[\"linux-x86_64\"],\"payload\":{\"sha256\":"
     "\"ABCDEF0000000000000000000000000000000000000000000000000000000000\",\"bytes\":1}}",
     RW_E_SCHEMA},
};

TEST(requests_that_are_none_are_refused_and_leave_nothing)
{
    RW_AUTO(rig) struct rig r = rig_make();
    for (size_t i = 0; i < RW_LEN(bad_bodies); i++) {
        struct rw_err err = {0};
        print_message("           case %s\n", bad_bodies[i].id);
        MUST_FAIL(
            release_create(domain(&r), "carol", rw_span_str(bad_bodies[i].body), &r.out, &err),
            bad_bodies[i].want);
    }
    struct rw_err err = {0};
    int64_t records = 0;
    MUST(audit_log_verify(&r.store, &records, &err));
    assert_int_equal(records, 1); /* that of the init */
}

RUN_TESTS(
    cmocka_unit_test(a_release_goes_from_draft_to_an_agent),
    cmocka_unit_test(every_step_is_in_the_audit_log),
    cmocka_unit_test(bytes_that_were_not_declared_are_refused),
    cmocka_unit_test(the_check_waits_for_the_samples),
    cmocka_unit_test(samples_that_were_not_declared_are_refused),
    cmocka_unit_test(of_two_uploads_at_once_the_second_finds_the_release_in_checking),
    cmocka_unit_test(an_upload_into_a_release_that_was_given_up_meanwhile_is_refused),
    cmocka_unit_test(a_release_that_was_given_up_while_its_payload_was_placed_is_not_published),
    cmocka_unit_test(what_was_not_placed_the_signer_refuses),
    cmocka_unit_test(releases_are_counted_as_they_are_made),
    cmocka_unit_test(the_payload_that_is_given_out_is_the_declared_one),
    cmocka_unit_test(only_a_final_accepted_verdict_opens),
    cmocka_unit_test(a_draft_is_checked_again_when_the_payload_is_sent_again),
    cmocka_unit_test(a_verdict_about_other_bytes_or_without_sense_changes_nothing),
    cmocka_unit_test(checks_that_were_cut_off_are_found_after_a_start),
    cmocka_unit_test(an_unchecked_release_says_why_everywhere),
    cmocka_unit_test(numbers_are_never_used_again),
    cmocka_unit_test(requests_that_are_none_are_refused_and_leave_nothing))
