/* Goal: a drill reaches one ring and so many endpoints, never passes, never stands beside a real rollout, is halted by
 * evidence or by its time, comes back to what was there, and is part of no history. */
#include "server/rollout/rollout_run.h"
#include "tests/unit/rollout_world.h"

static struct rw_rc drill(struct world *w, int64_t release, const char *ring, int64_t max,
                          struct rw_err *err_out)
{
    struct rw_err err;
    const struct rollout_run_reach reach = {.ring = ring, .max = max, .within_s = 1800};
    MUST(store_begin(&w->store, &err));
    struct rw_rc rc = rollout_run_drill(w->run, "yara", release, &reach, &ada, w->now, err_out);
    if (rw_is_ok(rc)) {
        commit(w);
    } else {
        store_rollback(&w->store);
    }
    return rc;
}

/* A fleet on release 1, and release 2 signed as a drill. */
static void begin_with_one(struct world *w)
{
    begin(w);
    all_alive(w, 0);
    run_good(w, 1);
    memset(w->endpoints, 0, sizeof(w->endpoints));
    w->drill = 2;
}

TEST(a_drill_is_halted_by_the_reports_and_comes_back)
{
    struct world w;
    struct rw_err err;
    begin_with_one(&w);
    MUST(drill(&w, 2, "canary", 5, &err));
    tick(&w);
    assert_int_equal(w.pointer[0], 2);
    for (int i = 0; i < 60 && overall(&w, 2) != ROLLOUT_ROLLED_BACK; i++) {
        minute(&w, 2, 100);
        assert_int_equal(w.pointer[1], 1); /* the other ring is not part of it */
    }
    const struct rollout *ro = the(&w, 2);
    assert_int_equal(overall(&w, 2), ROLLOUT_ROLLED_BACK);
    assert_string_equal(ro->halt.by, "controller");
    assert_string_not_equal(ro->halt.term, "");
    assert_int_equal(w.pointer[0], 1);
    assert_true(ro->drill.reported > 0 && ro->drill.reported <= 5);
    assert_int_equal(ro->ring_count, 1);
    restart(&w); /* the record stays */
    assert_true(the(&w, 2)->drill.on);
    assert_int_equal(the(&w, 2)->drill.max, 5);
    assert_string_equal(the(&w, 2)->drill.by, "ada");
    end(&w);
}

TEST(a_drill_reaches_so_many_endpoints_and_no_more)
{
    struct world w;
    struct rw_err err;
    begin_with_one(&w);
    MUST(drill(&w, 2, "canary", 3, &err));
    tick(&w);
    for (int i = 0; i < 20; i++) {
        minute(&w, 2, 0);
        assert_in_range(exposed(&w, 2, 0), 0, 3);
    }
    assert_int_equal(exposed(&w, 2, 0), 3);
    assert_int_equal(ask(&w, 1, 5, 2).decision, BEACON_PERMIT_REFUSED); /* another ring */
    end(&w);
}

TEST(a_drill_never_passes_and_ends_by_its_time)
{
    struct world w;
    struct rw_err err;
    begin_with_one(&w);
    MUST(drill(&w, 2, "canary", 60, &err));
    tick(&w);
    MUST_FAIL(command(&w, 2, ROLLOUT_PROMOTE, 0, &err), RW_E_POLICY);
    for (int i = 0; i < 120 && !the(&w, 2)->halt.there; i++) {
        assert_int_not_equal(overall(&w, 2), ROLLOUT_PASSED);
        minute(&w, 2, 0); /* nobody reports a failure: the gate alone would say PASS */
    }
    assert_true(the(&w, 2)->halt.there);
    assert_non_null(strstr(the(&w, 2)->halt.reason, "not halted by evidence within 30m"));
    assert_int_equal(w.pointer[0], 1);
    end(&w);
}

TEST(a_drill_stands_beside_nothing_and_is_no_release)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    w.drill = 2;
    MUST_FAIL(drill(&w, 2, "canary", 5, &err), RW_E_POLICY); /* nothing to come back to */
    assert_non_null(strstr(err.text, "could not go back"));
    start(&w, 1);
    tick(&w);
    MUST_FAIL(drill(&w, 2, "canary", 5, &err), RW_E_POLICY);
    assert_non_null(strstr(err.text, "beside a real rollout"));
    MUST_FAIL(rollout_run_start(w.run, "yara", 2, &ada, w.now, &err), RW_E_POLICY);
    assert_non_null(strstr(err.hint, "drill start"));
    MUST(command(&w, 1, ROLLOUT_HALT, 0, &err));
    tick(&w);
    MUST_FAIL(drill(&w, 2, "canary", 5, &err), RW_E_POLICY);
    MUST_FAIL(drill(&w, 3, "canary", 5, &err), RW_E_POLICY);
    assert_non_null(strstr(err.text, "not as a drill"));
    end(&w);
}

TEST(a_drill_is_part_of_no_history_and_in_nobodys_way)
{
    struct world w;
    struct rw_err err;
    begin_with_one(&w);
    MUST_FAIL(drill(&w, 2, "nowhere", 5, &err), RW_E_NOT_FOUND);
    MUST_FAIL(drill(&w, 2, "canary", 0, &err), RW_E_RANGE);
    MUST(drill(&w, 2, "canary", 5, &err));
    tick(&w);
    minute(&w, 2, 100);
    MUST_FAIL(rollout_run_start(w.run, "yara", 3, &ada, w.now, &err), RW_E_POLICY);
    MUST(command(&w, 2, ROLLOUT_HALT, 0, &err));
    tick(&w);
    memset(w.endpoints, 0, sizeof(w.endpoints));
    run_good(&w, 3); /* does not wait for who follows */
    assert_int_equal(the(&w, 3)->previous, 1);
    assert_int_equal(the(&w, 3)->norm.releases, 1);
    assert_false(the(&w, 2)->closed);
    end(&w);
}

RUN_TESTS(cmocka_unit_test(a_drill_is_halted_by_the_reports_and_comes_back),
          cmocka_unit_test(a_drill_reaches_so_many_endpoints_and_no_more),
          cmocka_unit_test(a_drill_never_passes_and_ends_by_its_time),
          cmocka_unit_test(a_drill_stands_beside_nothing_and_is_no_release),
          cmocka_unit_test(a_drill_is_part_of_no_history_and_in_nobodys_way))
