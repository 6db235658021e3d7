/* Goal: faults behind the probation are found against control, or without it where none is left, and not where control
 * has them too; what was gathered survives a restart. */
#include "server/rollout/rollout_evidence.h"
#include "tests/unit/rollout_minutes.h"

#include <math.h>

/* About half of each ring stays control. */
static void keep_control(struct world *w)
{
    for (size_t i = 0; i < RINGS; i++) {
        w->policy.rings[i].hold_back_bp = 5000;
        w->policy.rings[i].hold_back_s = 86400;
    }
    rollout_run_set_policy(w->run, &w->policy);
}

/* Crashes long after probation count for nothing in the absolute terms: control shows them. */
TEST(late_crashes_are_found_against_control)
{
    struct world w;
    begin(&w);
    keep_control(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    minutes(&w, 1, 45, nobody);
    int64_t healthy = fleet_state_counts(w.fleet, "yara", 1, "canary", NULL).at_risk;
    assert_true(healthy >= 16 && healthy < PER_RING);
    size_t crashed = 0;
    for (size_t i = 0; i < PER_RING && !the(&w, 1)->halt.there; i++) {
        if (!w.endpoints[0][i].done) { continue; }
        send(&w, 0, i, BEACON_CRASH, 1);
        crashed++;
        minutes(&w, 1, 1, nobody);
        if (crashed == 6) { restart(&w), tick(&w); } /* the evidence so far is kept */
    }
    const struct rollout *ro = the(&w, 1);
    assert_true(ro->halt.there);
    assert_string_equal(ro->halt.term, "crash_control");
    assert_true(crashed >= 5);
    end(&w);
}

/* A small ring is exposed as a whole before the fault shows: nobody is left to compare with, and no history. */
TEST(late_crashes_of_a_whole_ring_are_found_without_control_and_history)
{
    struct world w;
    begin(&w);
    start(&w, 1);
    tick(&w);
    minutes(&w, 1, 45, nobody);
    struct fleet_counts all = fleet_state_counts(w.fleet, "yara", 1, "canary", NULL);
    assert_int_equal(all.at_risk, PER_RING);
    size_t crashed = 0;
    for (; crashed < PER_RING && !the(&w, 1)->halt.there; crashed++) {
        send(&w, 0, crashed, BEACON_CRASH, 1);
        if (crashed % 4 == 3) { minutes(&w, 1, 1, nobody); }
        if (crashed == 3) { assert_false(the(&w, 1)->halt.there); }
    }
    assert_true(the(&w, 1)->halt.there);
    assert_string_equal(the(&w, 1)->halt.term, "crash_history");
    assert_in_range(crashed, 5, 24);
    end(&w);
}

/* The same crashes where control crashes just as often say nothing. */
TEST(late_crashes_that_control_has_too_say_nothing)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    run_good(&w, 1);
    keep_control(&w);
    memset(w.endpoints, 0, sizeof(w.endpoints));
    start(&w, 2);
    tick(&w);
    minutes(&w, 2, 45, nobody);
    for (size_t i = 0; i < PER_RING; i++) {
        bool treated = w.endpoints[0][i].done;
        send(&w, 0, i, BEACON_CRASH, treated ? 2 : 1);
        if (i % 4 == 3) { minutes(&w, 2, 1, nobody); }
    }
    assert_false(the(&w, 2)->halt.there);
    const struct rollout_facts_from from = rollout_live_from(w.run, the(&w, 2), w.now);
    struct rollout_facts f;
    rollout_facts_ring(&from, 0, &f);
    assert_true(f.ring.terms[HEALTH_CRASH_CONTROL].failures > 10);
    assert_true(f.ring.terms[HEALTH_CRASH_CONTROL].control_failures > 5);
    assert_true(f.ring.result.log_term[HEALTH_CRASH_CONTROL] < log(20.0));
    end(&w);
}

/* All of canary has a permit, so it has no control of its own; then nobody of it is heard of. `others`: but all of the
 * ring behind it, which is control for it. */
static void fall_silent(struct world *w, bool others)
{
    begin(w);
    w->policy.confirm_start = PER_RING + 4;
    w->policy.cohort_start = PER_RING;
    rollout_run_set_policy(w->run, &w->policy);
    start(w, 1);
    tick(w);
    for (int m = 0; m < 25; m++) {
        w->now.s += 60;
        for (size_t i = 0; i < PER_RING; i++) {
            if (m == 0) { assert_int_equal(ask(w, 0, i, 1).decision, BEACON_PERMIT_GRANTED); }
            if (m == 0 || others) { send(w, 1, i, BEACON_ALIVE, 0); }
        }
        commit(w);
        tick(w);
    }
    assert_int_equal(fleet_state_counts(w->fleet, "yara", 1, "canary", NULL).dark, PER_RING);
}

TEST(inv_4_silence_of_a_ring_without_control_halts_where_the_others_are_heard_of)
{
    struct world w;
    fall_silent(&w, true);
    assert_true(the(&w, 1)->halt.there);
    assert_string_equal(the(&w, 1)->halt.term, "dark");
    end(&w);
}

/* Nothing opens meanwhile (INV-3); those that come back and prove the release open the gate without a person. */
TEST(an_outage_halts_no_ring_that_has_no_control_left_and_it_goes_on_afterwards)
{
    struct world w;
    fall_silent(&w, false);
    assert_false(the(&w, 1)->halt.there);
    assert_int_equal(state(&w, 1, 0), ROLLOUT_RAMPING);
    w.now.s += 1200; /* the bake is over: it is their silence that holds the gate */
    send(&w, 1, 0, BEACON_ALIVE, 0);
    send(&w, 0, 0, BEACON_HEALTHY, 1);
    commit(&w);
    tick(&w);
    assert_int_not_equal(state(&w, 1, 0), ROLLOUT_PASSED);
    for (size_t i = 1; i < PER_RING; i++) {
        send(&w, 0, i, BEACON_HEALTHY, 1);
    }
    commit(&w);
    tick(&w);
    assert_int_equal(state(&w, 1, 0), ROLLOUT_PASSED);
    end(&w);
}

/* A clock that was a month ahead wrote the evidence, and the server was started anew with the right one (INV-3). */
TEST(evidence_of_a_clock_that_was_ahead_does_not_blind_the_detector)
{
    struct world w;
    begin(&w);
    keep_control(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    minutes(&w, 1, 45, nobody);
    int64_t right_s = w.now.s;
    w.now.s += (int64_t)30 * 86400;
    all_alive(&w, 0);
    tick(&w);
    assert_false(the(&w, 1)->halt.there);
    w.now.s = right_s + 60;
    restart(&w);
    tick(&w);
    minutes(&w, 1, 5, nobody);
    for (size_t i = 0; i < PER_RING && !the(&w, 1)->halt.there; i++) {
        if (!w.endpoints[0][i].done) { continue; }
        send(&w, 0, i, BEACON_CRASH, 1);
        minutes(&w, 1, 1, nobody);
    }
    assert_true(the(&w, 1)->halt.there);
    assert_string_equal(the(&w, 1)->halt.term, "crash_control");
    end(&w);
}

TEST(evidence_is_the_same_after_a_restart)
{
    struct world w;
    begin(&w);
    keep_control(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    minutes(&w, 1, 40, nobody);
    struct rollout_facts before;
    struct rollout_facts after;
    struct rollout_facts_from from = rollout_live_from(w.run, the(&w, 1), w.now);
    rollout_facts_ring(&from, 0, &before);
    restart(&w);
    tick(&w);
    from = rollout_live_from(w.run, the(&w, 1), w.now);
    rollout_facts_ring(&from, 0, &after);
    for (int t = 0; t < HEALTH_RULE_TERMS; t++) {
        assert_true(before.ring.result.log_term[t] == after.ring.result.log_term[t]);
        assert_int_equal(before.ring.terms[t].failures, after.ring.terms[t].failures);
        assert_int_equal(before.ring.terms[t].control, after.ring.terms[t].control);
    }
    assert_true(before.log_e == after.log_e);
    assert_true(before.ring.terms[HEALTH_CRASH_CONTROL].control >
                0); /* else nothing was compared */
    end(&w);
}

TEST(what_history_made_normal_is_frozen_and_older_rollouts_go_by_the_cold_start)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    restart(&w); /* read as it was stored */
    struct rollout ro = *the(&w, 1);
    assert_int_equal(ro.norm.p0_crash_e9, 5000000);
    assert_int_equal(ro.norm.p0_storm_e9, 10000000);
    assert_int_equal(ro.cohorts[0].norm.p0_slow_e9, 10000000);
    ro.norm.p0_storm_e9 = 31000000;
    ro.norm.p0_slow_e9 = 0; /* begun under a server that did not know it */
    struct health_rule_norm norm = rollout_evidence_norm(&ro, 0);
    assert_true(fabs(norm.p0[HEALTH_STORM] - 0.031) < 1e-12);
    assert_true(norm.p0[HEALTH_SLOW] == 0.01);
    end(&w);
}

static bool is_closed_notebook(size_t number)
{
    return number < 30 && number % 5 == 3;
}

/* They take the release and are not heard of again. */
static void hour_with_closed_notebooks(struct world *w)
{
    for (int m = 0; m < 60; m++) {
        minute(w, 1, 0);
        for (size_t i = 0; i < PER_RING; i++) {
            struct endpoint *e = &w->endpoints[0][i];
            if (is_closed_notebook(i) && e->granted_s != 0) { e->done = true; }
        }
    }
}

/* INV-3: six of sixty are silent, which the detector takes for nothing yet, and everything else that the gate needs
 * is there. It opens when they have proven the release after all, and not before. */
TEST(inv_3_who_is_dark_is_failed_for_the_gate_until_it_proves_the_release)
{
    struct world w;
    struct rollout_facts f;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    hour_with_closed_notebooks(&w);
    const struct rollout_facts_from from = rollout_live_from(w.run, the(&w, 1), w.now);
    rollout_facts_ring(&from, 0, &f);
    assert_int_equal(f.ring.counts.dark, 6);
    assert_true(f.log_e < log(20.0) && f.bake_left_s == 0);
    assert_true(f.ring.counts.healthy >= f.min_healthy && f.ring.counts.pending == 0);
    assert_int_equal(f.gate, GATE_NONE);
    assert_true(state(&w, 1, 0) == ROLLOUT_RAMPING || state(&w, 1, 0) == ROLLOUT_BAKING);
    assert_int_equal(exposed(&w, 1, 1), 0);
    for (size_t i = 0; i < PER_RING; i++) {
        if (is_closed_notebook(i)) { send(&w, 0, i, BEACON_HEALTHY, 1); }
    }
    commit(&w);
    minute(&w, 1, 0);
    assert_int_equal(state(&w, 1, 0), ROLLOUT_PASSED);
    end(&w);
}

RUN_TESTS(
    cmocka_unit_test(inv_3_who_is_dark_is_failed_for_the_gate_until_it_proves_the_release),

    cmocka_unit_test(late_crashes_are_found_against_control),
    cmocka_unit_test(late_crashes_of_a_whole_ring_are_found_without_control_and_history),
    cmocka_unit_test(late_crashes_that_control_has_too_say_nothing),
    cmocka_unit_test(evidence_of_a_clock_that_was_ahead_does_not_blind_the_detector),
    cmocka_unit_test(evidence_is_the_same_after_a_restart),
    cmocka_unit_test(what_history_made_normal_is_frozen_and_older_rollouts_go_by_the_cold_start),
    cmocka_unit_test(inv_4_silence_of_a_ring_without_control_halts_where_the_others_are_heard_of),
    cmocka_unit_test(an_outage_halts_no_ring_that_has_no_control_left_and_it_goes_on_afterwards))
