/* Goal: people's commands, lost commits and failed signatures: nothing opens before it is stored and published, and no
 * halt is lost (INV-1, INV-9). */
#include "server/rollout/rollout_run.h"
#include "tests/unit/rollout_world.h"

TEST(permits_are_closed_until_the_first_tick_after_a_start)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_WAIT);
    tick(&w);
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_GRANTED);
    restart(&w);
    assert_int_equal(ask(&w, 0, 2, 1).decision, BEACON_PERMIT_WAIT);
    tick(&w);
    assert_int_equal(ask(&w, 0, 2, 1).decision, BEACON_PERMIT_GRANTED);
    end(&w);
}

TEST(people_pause_resume_promote_and_halt_with_a_fresh_generation)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    int64_t generation = the(&w, 1)->generation;
    MUST_FAIL(command(&w, 1, ROLLOUT_RESUME, 0, &err), RW_E_POLICY);
    assert_non_null(strstr(err.hint, "rollout status yara/1"));
    MUST_FAIL(command(&w, 1, ROLLOUT_PAUSE, generation - 1, &err), RW_E_STALE);
    assert_non_null(strstr(err.hint, "look again"));
    MUST_FAIL(command(&w, 2, ROLLOUT_PAUSE, 0, &err), RW_E_NOT_FOUND);
    MUST(command(&w, 1, ROLLOUT_PAUSE, generation, &err));
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_WAIT); /* before any tick */
    tick(&w);
    assert_true(w.hold[0]);
    assert_int_equal(state(&w, 1, 0), ROLLOUT_HELD);
    MUST(command(&w, 1, ROLLOUT_RESUME, 0, &err));
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_WAIT);
    tick(&w);
    assert_false(w.hold[0]);
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_GRANTED);
    MUST(command(&w, 1, ROLLOUT_PROMOTE, 0, &err));
    assert_int_equal(state(&w, 1, 0), ROLLOUT_PASSED);
    MUST(command(&w, 1, ROLLOUT_HALT, 0, &err));
    assert_int_equal(ask(&w, 0, 2, 1).decision, BEACON_PERMIT_REFUSED);
    assert_int_equal(w.pointer[0], 1); /* nothing is signed before the tick */
    tick(&w);
    assert_int_equal(w.pointer[0], 0);
    assert_string_equal(the(&w, 1)->halt.by, "ada");
    assert_string_equal(the(&w, 1)->halt.reason, "because");
    MUST_FAIL(command(&w, 1, ROLLOUT_RESUME, 0, &err), RW_E_POLICY);
    assert_non_null(strstr(err.hint, "new release"));
    end(&w);
}

TEST(a_pause_between_rings_survives_a_restart_and_ends_with_resume)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    for (int i = 0; i < 240 && state(&w, 1, 0) != ROLLOUT_PASSED; i++) {
        minute(&w, 1, 0);
    }
    assert_int_equal(state(&w, 1, 1), ROLLOUT_PENDING); /* its signed bake is not over */
    MUST(command(&w, 1, ROLLOUT_PAUSE, 0, &err));
    assert_int_equal(overall(&w, 1), ROLLOUT_HELD);
    assert_string_equal(the(&w, 1)->rings[1].reason, "paused by ada: because");
    restart(&w);
    for (int i = 0; i < 120; i++) {
        minute(&w, 1, 0);
        assert_int_equal(w.pointer[1], 0);
        assert_int_equal(ask(&w, 0, 55, 1).decision, BEACON_PERMIT_WAIT);
    }
    MUST(command(&w, 1, ROLLOUT_RESUME, 0, &err));
    tick(&w);
    assert_int_equal(w.pointer[1], 1);
    assert_int_equal(state(&w, 1, 1), ROLLOUT_RAMPING);
    end(&w);
}

TEST(a_fix_does_not_wait_for_an_endpoint_that_never_reports_back)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    run_good(&w, 1);
    memset(w.endpoints, 0, sizeof(w.endpoints));
    start(&w, 2);
    tick(&w);
    assert_int_equal(ask(&w, 0, 1, 2).decision, BEACON_PERMIT_GRANTED);
    MUST(command(&w, 2, ROLLOUT_HALT, 0, &err));
    MUST_FAIL(rollout_run_start(w.run, "yara", 3, &ada, w.now, &err), RW_E_POLICY);
    tick(&w);
    assert_int_equal(overall(&w, 2), ROLLOUT_ROLLING_BACK); /* its permit is still open */
    start(&w, 3);
    tick(&w);
    assert_int_equal(the(&w, 3)->previous, 1);
    assert_int_equal(w.pointer[0], 3);
    assert_int_equal(ask(&w, 0, 2, 2).decision, BEACON_PERMIT_REFUSED);
    assert_int_equal(ask(&w, 0, 2, 3).decision, BEACON_PERMIT_GRANTED);
    assert_int_equal(ask(&w, 1, 200, 1).decision, BEACON_PERMIT_GRANTED);
    MUST_FAIL(command(&w, 2, ROLLOUT_RESUME, 0, &err), RW_E_POLICY);
    restart(&w);
    for (int i = 0; i < 80; i++) {
        w.now.s += 60;
        send(&w, 0, 0, BEACON_ALIVE, 0);
        commit(&w);
        tick(&w);
        assert_int_equal(w.pointer[0], 3); /* the one that ends touches no pointer any more */
    }
    assert_int_equal(overall(&w, 2), ROLLOUT_ROLLED_BACK);
    MUST_FAIL(rollout_run_start(w.run, "yara", 2, &ada, w.now, &err), RW_E_POLICY);
    end(&w);
}

TEST(a_command_whose_commit_failed_has_not_happened)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    MUST(store_begin(&w.store, &err));
    MUST(rollout_run_command(w.run, "yara", 1, ROLLOUT_PROMOTE, 0, &ada, w.now, &err));
    store_rollback(&w.store);
    tick(&w);
    assert_int_equal(state(&w, 1, 0), ROLLOUT_RAMPING);
    MUST(store_begin(&w.store, &err));
    MUST(rollout_run_start(w.run, "other", 1, &ada, w.now, &err));
    store_rollback(&w.store);
    tick(&w);
    assert_null(rollout_live_find(w.run, "other", 1));
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_GRANTED);
    end(&w);
}

TEST(a_signature_that_fails_keeps_the_ring_closed_and_is_told)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    w.signing_fails = true;
    start(&w, 1);
    tick(&w);
    tick(&w);
    assert_int_equal(state(&w, 1, 0), ROLLOUT_PENDING);
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_WAIT);
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(4096);
    struct json_writer j = json_begin(&out);
    json_open_array(&j, NULL);
    rollout_run_write_alarms(w.run, &j);
    json_close_array(&j);
    MUST(json_done(&j, &err));
    assert_non_null(strstr(rw_buf_str(&out), "the signer is away"));
    w.signing_fails = false;
    tick(&w);
    assert_int_equal(state(&w, 1, 0), ROLLOUT_RAMPING);
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_GRANTED);
    /* A halt that cannot be signed stops permits all the same, and goes back once it can. */
    w.signing_fails = true;
    MUST(command(&w, 1, ROLLOUT_HALT, 0, &err));
    tick(&w);
    assert_int_equal(ask(&w, 0, 2, 1).decision, BEACON_PERMIT_REFUSED);
    assert_int_equal(state(&w, 1, 0), ROLLOUT_HALTED);
    restart(&w);
    w.signing_fails = false;
    tick(&w);
    assert_int_equal(w.pointer[0], 0);
    end(&w);
}

/* A crash between publishing a pointer and storing that it is out must not be forgotten at a halt. */
TEST(a_pointer_that_may_be_out_is_taken_back_after_a_crash)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    w.signing_fails = true;
    start(&w, 1);
    tick(&w);
    w.pointer[0] = 1; /* it was published after all */
    restart(&w);
    MUST(command(&w, 1, ROLLOUT_HALT, 0, &err));
    w.signing_fails = false;
    tick(&w);
    assert_int_equal(w.pointer[0], 0);
    end(&w);
}

RUN_TESTS(cmocka_unit_test(permits_are_closed_until_the_first_tick_after_a_start),
          cmocka_unit_test(people_pause_resume_promote_and_halt_with_a_fresh_generation),
          cmocka_unit_test(a_pause_between_rings_survives_a_restart_and_ends_with_resume),
          cmocka_unit_test(a_fix_does_not_wait_for_an_endpoint_that_never_reports_back),
          cmocka_unit_test(a_command_whose_commit_failed_has_not_happened),
          cmocka_unit_test(a_signature_that_fails_keeps_the_ring_closed_and_is_told),
          cmocka_unit_test(a_pointer_that_may_be_out_is_taken_back_after_a_crash))
