/* Goal: the controller on a virtual clock: a good release goes through ring by ring, a bad one is stopped after a few
 * (INV-1, INV-3), whatever restarts in between. */
#include "server/rollout/rollout_run.h"
#include "tests/unit/rollout_world.h"

TEST(a_good_release_passes_ring_by_ring)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    run_good(&w, 1);
    assert_int_equal(w.pointer[0], 1);
    assert_int_equal(w.pointer[1], 1);
    assert_int_equal(the(&w, 1)->previous, 0);
    assert_true(w.now.s - 1000000 >= 3600 + 2400); /* signed bake of broad, then its own */
    run_good(&w, 2);
    assert_int_equal(the(&w, 2)->previous, 1);
    end(&w);
}

/* The signed bake of broad is an hour, canary's own half an hour: an expedite of broad makes both five minutes. */
static void begin_expedited(struct world *w)
{
    begin(w);
    w->policy.hard_min_s = 300;
    rollout_run_set_policy(w->run, &w->policy);
    w->expedited[1] = (struct rw_wall){w->now.s + 300};
    all_alive(w, 0);
}

TEST(an_expedite_shortens_the_wait_for_its_ring)
{
    struct world w;
    begin_expedited(&w);
    start(&w, 1);
    tick(&w);
    assert_int_equal(w.pointer[1], 0); /* no earlier than its own time */
    int minutes = 0;
    while (w.pointer[1] != 1 && minutes < 200) {
        minute(&w, 1, 0);
        minutes++;
    }
    assert_in_range(minutes, 11, 40); /* probation and window take their time */
    const struct rollout *ro = the(&w, 1);
    assert_int_equal(ro->rings[1].not_before.s, 1000000 + 3600); /* what is signed stays */
    end(&w);
}

TEST(an_expedite_that_lapses_leaves_the_bake)
{
    struct world w;
    begin_expedited(&w);
    start(&w, 1);
    tick(&w);
    w.expedited[1] = (struct rw_wall){0};
    while (w.pointer[1] != 1 && w.now.s < 1000000 + 7200) {
        minute(&w, 1, 0);
    }
    assert_int_equal(w.pointer[1], 1);
    assert_true(w.now.s >= 1000000 + 3600);
    end(&w);
}

/* INV-3: only PASS opens, expedited or not. */
TEST(an_expedite_skips_no_gate)
{
    struct world w;
    begin_expedited(&w);
    start(&w, 1);
    tick(&w);
    for (int i = 0; i < 120; i++) {
        w.now.s += 60; /* nobody confirms: no evidence */
        tick(&w);
    }
    assert_int_equal(w.pointer[0], 1);
    assert_int_equal(w.pointer[1], 0);
    end(&w);
}

TEST(a_crasher_is_halted_after_a_few_and_the_ring_goes_back)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    run_good(&w, 1);
    memset(w.endpoints, 0, sizeof(w.endpoints));
    start(&w, 2);
    tick(&w);
    for (int i = 0; i < 60 && !the(&w, 2)->halt.there; i++) {
        minute(&w, 2, 100);
    }
    const struct rollout *ro = the(&w, 2);
    assert_true(ro->halt.there);
    assert_true(exposed(&w, 2, 0) <= 8);
    assert_int_equal(exposed(&w, 2, 1), 0);
    assert_string_equal(ro->halt.term, "crash");
    assert_string_equal(ro->halt.ring, "canary");
    assert_string_equal(ro->halt.by, "controller");
    assert_true(ro->halt.failures >= 3);
    assert_int_equal(w.pointer[0], 1);
    assert_int_equal(ask(&w, 0, 50, 2).decision, BEACON_PERMIT_REFUSED);
    for (int i = 0; i < 70; i++) {
        minute(&w, 2, 100);
    }
    assert_int_equal(overall(&w, 2), ROLLOUT_ROLLED_BACK);
    MUST_FAIL(rollout_run_start(w.run, "yara", 2, &ada, w.now, &err), RW_E_POLICY);
    restart(&w);
    tick(&w);
    assert_true(the(&w, 2)->halt.there);
    assert_string_equal(the(&w, 2)->halt.term, "crash");
    end(&w);
}

TEST(silence_alone_halts_or_holds_and_never_promotes)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    for (int i = 0; i < 120; i++) {
        w.now.s += 60;
        for (size_t k = 0; k < PER_RING; k++) {
            (void)ask(&w, 0, k, 1);
        }
        tick(&w);
    }
    assert_true(exposed(&w, 1, 0) <= 8);
    assert_true(state(&w, 1, 0) == ROLLOUT_HALTED || state(&w, 1, 0) == ROLLOUT_ROLLING_BACK ||
                state(&w, 1, 0) == ROLLOUT_ROLLED_BACK || state(&w, 1, 0) == ROLLOUT_HELD);
    assert_int_equal(exposed(&w, 1, 1), 0);
    end(&w);
}

TEST(the_window_holds_in_ring_and_cohort_and_waiting_endpoints_are_told_when)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    size_t granted[2] = {0};
    for (size_t i = 0; i < PER_RING; i++) {
        struct beacon_permit_answer a = ask(&w, 0, i, 1);
        if (a.decision == BEACON_PERMIT_GRANTED) {
            granted[i % 2]++;
            assert_int_equal(a.valid_s, 60);
        } else {
            assert_int_equal(a.decision, BEACON_PERMIT_WAIT);
            assert_true(a.retry_after_s >= 1 && a.retry_after_s <= 720);
            assert_non_null(strstr(a.reason, "window"));
        }
    }
    assert_int_equal(granted[0], 4);
    assert_int_equal(granted[1], 4);
    end(&w);
}

TEST(a_lost_answer_costs_no_second_place)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    struct beacon_permit_answer first = ask(&w, 0, 1, 1);
    w.now.s += 30;
    struct beacon_permit_answer second = ask(&w, 0, 1, 1);
    assert_int_equal(second.decision, BEACON_PERMIT_GRANTED);
    assert_true(first.permit == second.permit);
    assert_int_equal(second.deadline_s, first.deadline_s - 30);
    assert_int_equal(exposed(&w, 1, 0), 1);
    end(&w);
}

static const struct refusal_case {
    const char *id;
    int64_t release;
    const char *ring;
    uint8_t first_byte;
    enum beacon_permit_decision want;
} refusals[] = {
    {"the release that is open", 1, "canary", 1, BEACON_PERMIT_GRANTED},
    {"other bytes", 1, "canary", 9, BEACON_PERMIT_REFUSED},
    {"unknown release", 3, "canary", 3, BEACON_PERMIT_REFUSED},
    {"unknown ring", 1, "nowhere", 1, BEACON_PERMIT_REFUSED},
    {"a ring that is not open yet", 1, "broad", 1, BEACON_PERMIT_WAIT},
};

TEST_EACH(only_the_open_release_in_an_open_ring_gets_a_permit, refusals)
{
    struct world w;
    struct rw_err err;
    struct beacon_permit_answer a;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    struct fleet_who me = who(0, 3);
    struct beacon_permit_request q = {
        .family = "yara", .release = it->release, .cohort = cohort_of(3)};
    (void)snprintf(q.ring, sizeof(q.ring), "%s", it->ring);
    MUST(bytes_of(NULL, "yara", it->release, q.sha256, &err));
    q.sha256[0] = it->first_byte;
    MUST(rollout_run_permit(w.run, &me, &q, w.now, &a, &err));
    assert_int_equal(a.decision, it->want);
    end(&w);
}

TEST(a_restart_every_minute_changes_nothing)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    restart(&w);
    tick(&w);
    int points = 0;
    for (int i = 0; i < 240 && overall(&w, 1) != ROLLOUT_COMPLETE; i++) {
        minute(&w, 1, 0);
        int before = state(&w, 1, 0);
        points = w.points;
        restart(&w);
        assert_int_equal(state(&w, 1, 0), before);
        tick(&w);
        assert_int_equal(w.points, points); /* nothing is signed again */
    }
    assert_int_equal(overall(&w, 1), ROLLOUT_COMPLETE);
    end(&w);
}

TEST(one_rollout_per_family_and_numbers_only_rise)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    run_good(&w, 5);
    MUST_FAIL(rollout_run_start(w.run, "yara", 5, &ada, w.now, &err), RW_E_EXISTS);
    MUST_FAIL(rollout_run_start(w.run, "yara", 4, &ada, w.now, &err), RW_E_POLICY);
    MUST_FAIL(rollout_run_start(w.run, "yara", 11, &ada, w.now, &err), RW_E_NOT_FOUND);
    start(&w, 6);
    MUST_FAIL(rollout_run_start(w.run, "yara", 7, &ada, w.now, &err), RW_E_POLICY);
    MUST_FAIL(command(&w, 5, ROLLOUT_HALT, 0, &err), RW_E_POLICY);
    end(&w);
}

TEST(an_endpoint_that_appears_late_gets_the_release_that_its_ring_still_points_to)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    run_good(&w, 1);
    start(&w, 2);
    tick(&w);
    assert_int_equal(w.pointer[1], 1);
    assert_int_equal(ask(&w, 1, 200, 1).decision, BEACON_PERMIT_GRANTED);
    end(&w);
}

TEST(views_are_json_that_our_own_readers_take)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    for (int i = 0; i < 15; i++) {
        minute(&w, 1, 30);
    }
    const struct rollout_run_look look = {.now = w.now, .tenant = ""};
    for (int view = 0; view < 3; view++) {
        RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(1 << 18);
        RW_AUTO(json_tree) json_tree tree = NULL;
        struct json_writer j = json_begin(&out);
        if (view == 0) {
            MUST(rollout_run_write(w.run, "yara", 1, &look, &j, &err));
        } else if (view == 1) {
            rollout_run_write_all(w.run, &look, &j);
        } else {
            MUST(rollout_run_explain(w.run, "yara", 1, &j, &err));
        }
        MUST(json_done(&j, &err));
        MUST(json_parse(rw_buf_span(&out), &json_limits_small, &tree, &err));
        assert_non_null(json_find(tree, view == 1 ? "rollouts" : "rings"));
    }
    RW_AUTO(rw_buf) struct rw_buf metrics = rw_buf_make(1 << 18);
    MUST(rollout_run_metrics(w.run, &metrics, &err));
    assert_non_null(strstr(rw_buf_str(&metrics), "ringward_rollout_evidence{family=\"yara\""));
    assert_int_equal(rollout_run_poll_s(w.run, "canary", "yara"), 60);
    assert_int_equal(rollout_run_poll_s(w.run, "canary", "none"), 0);
    end(&w);
}

static int64_t poll_s(const struct world *w)
{
    return rollout_run_poll_s(w->run, "canary", "yara");
}

/* Endpoints poll more often from the moment on at which a rollout begins until it is over, whatever ended before. */
TEST(polls_are_shorter_while_a_rollout_is_under_way)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    for (int64_t release = 1; release <= 3; release++) {
        assert_int_equal(poll_s(&w), 0);
        start(&w, release);
        assert_int_equal(poll_s(&w), 60); /* at once */
        tick(&w);
        assert_int_equal(poll_s(&w), 60);
        memset(w.endpoints, 0, sizeof(w.endpoints));
        for (int i = 0; i < 240 && overall(&w, release) != ROLLOUT_COMPLETE; i++) {
            minute(&w, release, 0);
        }
        tick(&w);
        assert_int_equal(poll_s(&w), 0);
        restart(&w);
        assert_int_equal(poll_s(&w), 0);
        tick(&w);
    }
    MUST(command(&w, 3, ROLLOUT_HALT, 0, &err)); /* it was over, and is not any more */
    tick(&w);
    assert_int_equal(overall(&w, 3), ROLLOUT_ROLLING_BACK);
    assert_int_equal(poll_s(&w), 60);
    end(&w);
}

RUN_TESTS(
    cmocka_unit_test(polls_are_shorter_while_a_rollout_is_under_way),
    cmocka_unit_test(a_good_release_passes_ring_by_ring),
    cmocka_unit_test(an_expedite_shortens_the_wait_for_its_ring),
    cmocka_unit_test(an_expedite_that_lapses_leaves_the_bake),
    cmocka_unit_test(an_expedite_skips_no_gate),
    cmocka_unit_test(a_crasher_is_halted_after_a_few_and_the_ring_goes_back),
    cmocka_unit_test(silence_alone_halts_or_holds_and_never_promotes),
    cmocka_unit_test(the_window_holds_in_ring_and_cohort_and_waiting_endpoints_are_told_when),
    cmocka_unit_test(a_lost_answer_costs_no_second_place),
    cmocka_unit_test(only_the_open_release_in_an_open_ring_gets_a_permit),
    cmocka_unit_test(a_restart_every_minute_changes_nothing),
    cmocka_unit_test(one_rollout_per_family_and_numbers_only_rise),
    cmocka_unit_test(an_endpoint_that_appears_late_gets_the_release_that_its_ring_still_points_to),
    cmocka_unit_test(views_are_json_that_our_own_readers_take))
