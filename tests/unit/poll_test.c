/* Goal: one poll enrols, finds, fetches and asks for a permit for each family by itself; nothing begins without a
 * permit (INV-2), without a clock that can be believed, or twice at a time. */
#include "agent/poll/poll.h"

#include "tests/unit/poll_fixture.h"

TEST(a_first_poll_enrols_fetches_and_brings_a_permit)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    RW_AUTO(rw_buf) struct rw_buf token = rw_buf_make(512);
    struct rw_err err;
    add_pointer(b, "yara", 2, "go");
    publish(b);
    proven(b, "yara", 2);
    assert_string_equal(poll_token(b->poll), "");
    const struct poll_output *o = run(b);
    if (!o->ok) { fail_msg("%s", o->err.text); }
    const struct poll_family *f = family(o, "yara");
    assert_string_equal(f->note, "");
    assert_int_equal(f->action, POLL_ACTIVATE);
    assert_int_equal(f->permit.permit, 77);
    assert_int_equal(f->permit.probation_s, 600);
    assert_true(o->answered);
    assert_string_equal(o->token, "rwe1.endpoint");
    assert_int_equal(web_count_of(b->web, 0, "/v1/enrol"), 1);
    assert_non_null(strstr(web_seen(b->web, 0)->head, "Authorization: Bearer rwj1.enrol\r\n"));
    MUST(rw_file_read_at(b->dir.fd, "token", 512, &token, &err));
    assert_string_equal(rw_buf_str(&token), "rwe1.endpoint");
    const struct web_request *asked = NULL;
    for (size_t i = 0; i < web_count(b->web); i++) {
        if (strcmp(web_seen(b->web, i)->path, "/v1/permits") == 0) { asked = web_seen(b->web, i); }
    }
    assert_non_null(asked);
    assert_non_null(strstr(asked->head, "Authorization: Bearer rwe1.endpoint\r\n"));
    assert_non_null(strstr(rw_buf_str(&asked->body), "\"ring\":\"internal\",\"from\":0"));
    assert_true(content_store_has(b->store, f->content.sha256, f->content.length));
}

TEST(the_token_of_an_earlier_life_is_known_before_the_first_poll)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    publish(b);
    (void)run(b);
    poll_drop(&b->poll);
    open_poll(b);
    assert_string_equal(poll_token(b->poll), "rwe1.endpoint");
    (void)run(b);
    assert_int_equal(web_count_of(b->web, 0, "/v1/enrol"), 1);
}

static void stored_token(struct bench *b, const char *want)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf token = rw_buf_make(512);
    MUST(rw_file_read_at(b->dir.fd, "token", 512, &token, &err));
    assert_string_equal(rw_buf_str(&token), want);
}

TEST(a_token_is_renewed_and_a_lost_answer_locks_nobody_out)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    publish(b);
    (void)run(b);
    b->in.renew_token = true;
    static const int lost[] = {0, 500, 401, 503};
    for (size_t i = 0; i < RW_LEN(lost); i++) {
        b->token_status = lost[i];
        const struct poll_output *o = run(b);
        assert_true(o->ok);
        assert_string_equal(o->token, "rwe1.endpoint"); /* the old one, in use and on the disk */
        stored_token(b, "rwe1.endpoint");
    }
    b->token_status = 200;
    assert_string_equal(run(b)->token, "rwe2.next");
    stored_token(b, "rwe2.next");
    poll_drop(&b->poll);
    open_poll(b);
    assert_string_equal(poll_token(b->poll), "rwe2.next");
}

TEST(a_token_that_is_refused_is_replaced_by_enrolling_anew)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    publish(b);
    (void)run(b);
    b->in.token_refused = true;
    b->enrol_status = 503;
    assert_false(run(b)->ok);
    stored_token(b, "rwe1.endpoint"); /* until there is another */
    b->enrol_status = 200;
    assert_true(run(b)->ok);
    assert_int_equal(web_count_of(b->web, 0, "/v1/enrol"), 3);
}

TEST(an_enrolment_that_is_to_wait_waits_as_long_as_the_server_says)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    publish(b);
    b->enrol_status = 429;
    const struct poll_output *o = run(b);
    assert_false(o->ok);
    assert_int_equal(o->retry_after_s, 41);
    b->enrol_status = 200;
    o = run(b);
    assert_true(o->ok);
    assert_int_equal(o->retry_after_s, -1);
}

static const struct enrol_case {
    const char *id;
    int status;
    enum rw_code want;
} enrols[] = {
    {"refused", 401, RW_E_AUTH}, {"forbidden", 403, RW_E_AUTH}, {"broken", 500, RW_E_HTTP}};

TEST_EACH(without_enrolment_nothing_begins_but_going_back_works, enrols)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    b->enrol_status = it->status;
    add_pointer(b, "yara", 1, "go");
    add_pointer(b, "ids", 2, "go");
    publish(b);
    active(b, "yara", 2);
    proven(b, "yara", 1);
    proven(b, "ids", 2);
    const struct poll_output *o = run(b);
    assert_false(o->ok);
    assert_int_equal(o->err.code, it->want);
    assert_int_equal(family(o, "yara")->action, POLL_REVERT);
    assert_int_equal(family(o, "ids")->action, POLL_NONE);
    assert_int_equal(web_count_of(b->web, 0, "/v1/permits"), 0);
}

TEST(two_families_are_decided_apart_and_begin_one_at_a_time)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    add_pointer(b, "yara", 2, "go");
    add_pointer(b, "ids", 2, "go");
    publish(b);
    proven(b, "yara", 2);
    proven(b, "ids", 2);
    const struct poll_output *o = run(b);
    assert_int_equal(family(o, "yara")->action, POLL_ACTIVATE);
    assert_int_equal(family(o, "ids")->action, POLL_NONE);
    assert_int_equal(web_count_of(b->web, 0, "/v1/permits"), 1); /* a second would only lie about */
    active(b, "yara", 2);
    o = run(b);
    assert_int_equal(family(o, "yara")->action, POLL_NONE);
    assert_int_equal(family(o, "ids")->action, POLL_ACTIVATE);
}

TEST(what_is_wrong_with_one_family_does_not_keep_the_other)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    add_pointer(b, "yara", 9, "go"); /* the content role does not list it */
    add_pointer(b, "ids", 2, "go");
    publish(b);
    proven(b, "ids", 2);
    const struct poll_output *o = run(b);
    assert_true(o->ok);
    assert_int_equal(family(o, "yara")->result.decision, INSTALL_REFUSE);
    assert_int_equal(family(o, "ids")->action, POLL_ACTIVATE);
}

TEST(a_family_whose_pointer_has_gone_is_taken_out)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    add_pointer(b, "ids", 2, "go");
    publish(b);
    active(b, "yara", 2);
    active(b, "ids", 2);
    const struct poll_output *o = run(b);
    assert_int_equal(family(o, "yara")->action, POLL_REMOVE);
    assert_int_equal(family(o, "ids")->action, POLL_NONE);
}

/* A server that hides the ring's file must not make endpoints drop their protection. */
TEST(a_ring_role_that_cannot_be_fetched_takes_nothing_out)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    add_pointer(b, "yara", 2, "go");
    publish(b);
    tuf_repo_remove(b->repo, tuf_repo_find(b->repo, "ring-internal")->file);
    active(b, "yara", 2);
    const struct poll_output *o = run(b);
    assert_int_equal(family(o, "yara")->action, POLL_NONE);
    assert_int_equal(family(o, "yara")->result.decision, INSTALL_REFUSE);
}

TEST(while_a_change_is_under_way_no_permit_is_asked_for)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    add_pointer(b, "yara", 2, "go");
    publish(b);
    proven(b, "yara", 2);
    b->in.may_begin = false;
    assert_int_equal(family(run(b), "yara")->action, POLL_NONE);
    assert_int_equal(web_count_of(b->web, 0, "/v1/permits"), 0);
}

TEST(a_permit_that_has_to_wait_is_not_asked_for_again_before_its_time)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    add_pointer(b, "yara", 2, "go");
    publish(b);
    proven(b, "yara", 2);
    b->permit = waiting;
    const struct poll_family *f = family(run(b), "yara");
    assert_int_equal(f->action, POLL_NONE);
    assert_in_range(f->retry_after_s, 40, 45);
    assert_non_null(strstr(f->note, "the window is full"));
    f = family(run(b), "yara");
    assert_in_range(f->retry_after_s, 39, 45);
    assert_int_equal(web_count_of(b->web, 0, "/v1/permits"), 1);
}

TEST(a_refused_permit_is_asked_for_again_only_when_metadata_change)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    add_pointer(b, "yara", 2, "go");
    publish(b);
    proven(b, "yara", 2);
    b->permit = refused;
    (void)run(b);
    assert_non_null(strstr(family(run(b), "yara")->note, "permit: refused"));
    size_t asked = web_count_of(b->web, 0, "/v1/permits");
    assert_in_range(asked, 1, 2); /* this server gives no ETag: each poll is a change */
    b->permit = granted;
    tuf_repo_publish(b->repo);
    assert_int_equal(family(run(b), "yara")->action, POLL_ACTIVATE);
}

TEST(no_server_no_permit_no_activation)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    add_pointer(b, "yara", 2, "go");
    publish(b);
    proven(b, "yara", 2);
    b->permit = NULL;
    const struct poll_family *f = family(run(b), "yara");
    assert_int_equal(f->action, POLL_NONE);
    assert_in_range(f->retry_after_s, 9, 11);
    b->down = true;
    const struct poll_output *o = run(b);
    assert_false(o->ok);
    assert_false(o->answered);
    assert_int_equal(family(o, "yara")->action, POLL_NONE);
}

TEST(content_is_fetched_ahead_while_the_bake_lasts)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    add_pointer(b, "yara", 2, "go");
    publish(b);
    proven(b, "yara", 2);
    b->now.s = 1795327200 - 60; /* a minute before not_before of ring internal */
    const struct poll_family *f = family(run(b), "yara");
    assert_int_equal(f->result.decision, INSTALL_WAIT);
    assert_true(content_store_has(b->store, f->content.sha256, f->content.length));
    assert_int_equal(web_count_of(b->web, 0, "/v1/permits"), 0);
}

/* The box is what stands between the line and the sensor; without one there is no way (INV-5). */
TEST(without_a_box_new_content_goes_no_further_than_the_store)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    add_pointer(b, "yara", 2, "go");
    publish(b);
    const struct poll_family *f = family(run(b), "yara");
    assert_int_equal(f->action, POLL_NONE);
    assert_true(f->note[0] != '\0');
    assert_int_equal(web_count_of(b->web, 0, "/v1/permits"), 0);
}

/* A fake box judges what is in the store, and the dry run of the whole set. */
static void give_box(struct bench *b)
{
    struct rw_err err;
    static char box_dir[128];
    static char store[128];
    (void)snprintf(box_dir, sizeof(box_dir), "%s/box", b->dir.path);
    (void)snprintf(store, sizeof(store), "%s/store", b->dir.path);
    MUST(rw_dir_make(box_dir, 0700, &err));
    RW_AUTO(rw_fd) rw_fd dir = -1;
    MUST(rw_dir_open(box_dir, &dir, &err));
    assert_int_equal(symlinkat(RW_FAKE_DIR "/fake_box", dir, "ringward-box"), 0);
    poll_drop(&b->poll);
    b->o.box_dir = box_dir;
    b->o.store_path = store;
    b->o.loader = "/usr/sbin/loader";
    open_poll(b);
}

/* What comes of a release when the box is told to get this wrong. */
static enum poll_action boxed(struct bench *b, int release, const char *lie)
{
    add_pointer(b, "yara", release, "go");
    publish(b);
    assert_int_equal(setenv("RW_FAKE_BOX", lie, 1), 0);
    enum poll_action action = family(run(b), "yara")->action;
    assert_int_equal(unsetenv("RW_FAKE_BOX"), 0);
    return action;
}

static const struct lie {
    const char *id;
} box_lies[] = {
    {"other"},  {"shorter"}, {"refused"},      {"timed_out"},
    {"silent"}, {"blind"},   {"load_refused"}, {"load_silent"},
};

TEST_EACH(inv_3_inv_5_only_a_whole_acceptance_of_these_very_bytes_opens, box_lies)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    give_box(b);
    assert_int_equal(boxed(b, 2, it->id), POLL_NONE);
    assert_int_equal(web_count_of(b->web, 0, "/v1/permits"), 0);
}

/* INV-10: content that matches the agent's own settings can be refused only by a box that was shown them. */
TEST(inv_10_the_box_is_shown_the_agents_own_settings)
{
    static const char *const own[] = {NULL, "/etc/ringward/agent.conf"};
    for (size_t i = 0; i < RW_LEN(own); i++) {
        RW_AUTO(bench_ref) struct bench *b = begin();
        b->o.own_file = own[i];
        give_box(b);
        assert_int_equal(boxed(b, 2, "own_file"), own[i] == NULL ? POLL_NONE : POLL_ACTIVATE);
    }
}

/* INV-7: what the server calls this endpoint is not asked. */
TEST(inv_7_without_a_setting_the_bucket_alone_chooses_the_ring)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    poll_drop(&b->poll);
    b->o.ring = "";
    b->o.bucket = 9000;
    open_poll(b);
    add_pointer(b, "yara", 2, "go");
    publish(b);
    const struct poll_family *f = family(run(b), "yara");
    assert_string_equal(f->state.ring, "broad");
    assert_int_equal(f->action, POLL_NONE);
}

TEST(a_dry_run_that_cannot_even_be_prepared_opens_nothing)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    char path[128];
    struct rw_err err;
    give_box(b);
    (void)snprintf(path, sizeof(path), "%s/dry-run", b->dir.path); /* where its folder has to be */
    MUST(rw_file_replace(path, 0600, rw_span_str(""), &err));
    assert_int_equal(boxed(b, 2, "nothing"), POLL_NONE);
}

TEST(what_was_proven_is_remembered_for_its_own_bytes_and_set_alone)
{
    static const char *const lies[] = {"refused", "load_refused"};
    for (size_t i = 0; i < RW_LEN(lies); i++) {
        RW_AUTO(bench_ref) struct bench *b = begin();
        give_box(b);
        assert_int_equal(boxed(b, 1, "nothing"), POLL_ACTIVATE);
        assert_int_equal(boxed(b, 1, lies[i]), POLL_ACTIVATE); /* not asked again */
        assert_int_equal(boxed(b, 2, lies[i]), POLL_NONE);     /* INV-5 */
    }
}

TEST(the_clock_at_a_good_refresh_is_a_floor_for_expiry_and_never_for_a_bake)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    struct rw_err err;
    b->repo->timestamp_expires = "2027-01-15T09:00:00Z"; /* an hour from now */
    add_pointer(b, "yara", 2, "go");
    publish(b);
    proven(b, "yara", 2);
    b->now.s += 3000;
    const struct poll_output *o = run(b);
    assert_int_equal(o->clock, CLOCK_RULE_OK);
    assert_int_equal(o->floor.s, b->now.s);
    b->now.s -= INT64_C(5) * 365 * 24 * 3600; /* a dead battery */
    poll_drop(&b->poll);
    open_poll(b);
    o = run(b);
    assert_int_equal(o->clock, CLOCK_RULE_BEHIND);
    assert_true(o->ok); /* not expired yet, by the floor */
    assert_int_equal(family(o, "yara")->result.decision, INSTALL_WAIT); /* the bake, by the clock */
    struct poll_family f = *family(o, "yara");
    struct poll_output later = *o;
    later.expires.s = later.floor.s;
    MUST_FAIL(poll_recheck(&f, &later, b->now, &err), RW_E_TUF_EXPIRED);
}

TEST(signed_at_of_engineers_lifts_the_floor)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    add_pointer(b, "yara", 2, "go");
    publish(b);
    b->now.s = 1700000000;
    const struct poll_output *o = run(b);
    assert_int_equal(o->floor.s, 1795325656); /* 2026-11-22T05:34:16Z */
    assert_int_equal(o->clock, CLOCK_RULE_BEHIND);
}

TEST(a_clock_that_is_years_ahead_is_told_and_installs_nothing)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    add_pointer(b, "yara", 2, "go");
    publish(b);
    proven(b, "yara", 2);
    b->now.s += INT64_C(8) * 365 * 24 * 3600;
    const struct poll_output *o = run(b);
    assert_false(o->ok);
    assert_int_equal(o->clock, CLOCK_RULE_AHEAD);
    assert_string_equal(o->trust, "expired");
    assert_int_equal(family(o, "yara")->action, POLL_NONE);
    assert_int_equal(o->floor.s, 0); /* and such a clock makes no floor */
    b->now = TUF_REPO_NOW;
    o = run(b);
    assert_int_equal(o->clock, CLOCK_RULE_OK);
    assert_int_equal(family(o, "yara")->action, POLL_ACTIVATE);
}

TEST(a_full_store_is_told)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    add_pointer(b, "yara", 2, "go");
    publish(b);
    poll_drop(&b->poll);
    b->o.store_bytes_max = 5;
    open_poll(b);
    const struct poll_output *o = run(b);
    assert_true(o->store_full);
    assert_non_null(strstr(family(o, "yara")->note, "store_max"));
}

RUN_TESTS(cmocka_unit_test(a_token_is_renewed_and_a_lost_answer_locks_nobody_out),
          cmocka_unit_test(a_token_that_is_refused_is_replaced_by_enrolling_anew),
          cmocka_unit_test(a_first_poll_enrols_fetches_and_brings_a_permit),
          cmocka_unit_test(the_token_of_an_earlier_life_is_known_before_the_first_poll),
          cmocka_unit_test(an_enrolment_that_is_to_wait_waits_as_long_as_the_server_says),
          cmocka_unit_test(without_enrolment_nothing_begins_but_going_back_works),
          cmocka_unit_test(two_families_are_decided_apart_and_begin_one_at_a_time),
          cmocka_unit_test(what_is_wrong_with_one_family_does_not_keep_the_other),
          cmocka_unit_test(a_family_whose_pointer_has_gone_is_taken_out),
          cmocka_unit_test(a_ring_role_that_cannot_be_fetched_takes_nothing_out),
          cmocka_unit_test(while_a_change_is_under_way_no_permit_is_asked_for),
          cmocka_unit_test(a_permit_that_has_to_wait_is_not_asked_for_again_before_its_time),
          cmocka_unit_test(a_refused_permit_is_asked_for_again_only_when_metadata_change),
          cmocka_unit_test(no_server_no_permit_no_activation),
          cmocka_unit_test(content_is_fetched_ahead_while_the_bake_lasts),
          cmocka_unit_test(without_a_box_new_content_goes_no_further_than_the_store),
          cmocka_unit_test(inv_3_inv_5_only_a_whole_acceptance_of_these_very_bytes_opens),
          cmocka_unit_test(inv_10_the_box_is_shown_the_agents_own_settings),
          cmocka_unit_test(inv_7_without_a_setting_the_bucket_alone_chooses_the_ring),
          cmocka_unit_test(a_dry_run_that_cannot_even_be_prepared_opens_nothing),
          cmocka_unit_test(what_was_proven_is_remembered_for_its_own_bytes_and_set_alone),
          cmocka_unit_test(the_clock_at_a_good_refresh_is_a_floor_for_expiry_and_never_for_a_bake),
          cmocka_unit_test(signed_at_of_engineers_lifts_the_floor),
          cmocka_unit_test(a_clock_that_is_years_ahead_is_told_and_installs_nothing),
          cmocka_unit_test(a_full_store_is_told))
