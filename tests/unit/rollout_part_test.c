/* Goal: what is stopped is what the evidence is about, over restarts too: one cohort, nobody while control fails as
 * well (tenants: rollout_tenant_hold_test.c); the hold-back and the second law hold. */
#include "server/rollout/rollout_evidence.h"
#include "tests/unit/rollout_audit.h"
#include "tests/unit/rollout_minutes.h"

#include <math.h>

static bool everybody(size_t number)
{
    (void)number;
    return true;
}

static bool os_1(size_t number)
{
    return cohort_of(number).os[3] == '1';
}

/* Lets the others grow first, so that the small cohort's failures drown in the ring as a whole. */
static bool late_os_1;
static bool os_1_at_last(size_t number)
{
    return late_os_1 && os_1(number);
}

TEST(a_fault_of_one_cohort_halts_that_cohort_and_holds_the_rest)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    world_cohort_step = 12;
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    for (size_t i = 11; i < PER_RING; i += 12) {
        w.endpoints[0][i].done = true; /* they are switched off for now */
        w.endpoints[0][i].granted_s = -1;
    }
    late_os_1 = false;
    minutes(&w, 1, 70, nobody);
    assert_true(exposed(&w, 1, 0) >= 40);
    for (size_t i = 11; i < PER_RING; i += 12) {
        w.endpoints[0][i] = (struct endpoint){.done = false};
    }
    late_os_1 = true;
    minutes(&w, 1, 4, os_1_at_last);
    const struct rollout *ro = the(&w, 1);
    assert_false(ro->halt.there);
    assert_int_equal(overall(&w, 1), ROLLOUT_HELD);
    const struct beacon_cohort bad = cohort_of(11);
    size_t known = rollout_facts_known(ro, &bad);
    assert_true(known < ro->cohort_count && ro->cohorts[known].halted);
    expect_cause(&w, "rollout.cohort_halted", "cohort os-1/x86_64/yara-4.2 of ring canary",
                 "crash");
    assert_int_equal(ask(&w, 0, 11, 1).decision, BEACON_PERMIT_WAIT); /* everything is held */
    MUST(command(&w, 1, ROLLOUT_RESUME, 0, &err));
    restart(&w);
    tick(&w);
    minutes(&w, 1, 40, os_1_at_last);
    ro = the(&w, 1);
    assert_false(ro->halt.there);
    assert_true(overall(&w, 1) != ROLLOUT_HELD); /* the evidence of that cohort has done its work */
    assert_int_equal(ask(&w, 1, 11, 1).decision, BEACON_PERMIT_REFUSED);
    expect_stopped(&w, 1, "cohort os-1/x86_64/yara-4.2 of ring canary", "crash"); /* INV-12 */
    /* Its failures do not stand in the way of the others' gate. */
    assert_true(state(&w, 1, 0) == ROLLOUT_PASSED || state(&w, 1, 0) == ROLLOUT_COMPLETE);
    end(&w);
}

TEST(inv_9_every_move_of_a_ring_stands_in_the_audit_log)
{
    static const char *const moves[] = {"rollout.ramping", "rollout.passed"};
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    for (int i = 0; i < 60 && state(&w, 1, 0) != ROLLOUT_PASSED; i++) {
        minutes(&w, 1, 10, nobody);
    }
    assert_int_equal(state(&w, 1, 0), ROLLOUT_PASSED);
    for (size_t i = 0; i < RW_LEN(moves); i++) {
        assert_true(audit_says(&w, moves[i]));
    }
    MUST(command(&w, 1, ROLLOUT_HALT, 0, &err));
    assert_true(audit_says(&w, "rollout.halted"));
    /* What people did, too. */
    assert_true(audit_says(&w, "rollout.start\""));
    assert_true(audit_says(&w, "rollout.halt\""));
    end(&w);
}

static const struct signal_case {
    const char *id;
    enum beacon_kind kind;
} signals[] = {{"storm", BEACON_STORM}, {"slow", BEACON_SLOW}, {"mute", BEACON_MUTE}};

static int64_t noise_of(const struct fleet_counts *c)
{
    return c->storm + c->slow + c->mute;
}

TEST_EACH(noise_halts_by_its_own_name_within_the_start_of_the_window, signals)
{
    struct world w;
    begin(&w);
    failure = it->kind;
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    minutes(&w, 1, 6, everybody);
    const struct rollout *ro = the(&w, 1);
    assert_true(ro->halt.there);
    assert_string_equal(ro->halt.term, it->id);
    expect_cause(&w, "rollout.halted", "ring canary", it->id);
    struct fleet_counts c = fleet_state_counts(w.fleet, "yara", 1, "canary", NULL);
    assert_true(c.exposed <= 16 && c.survived == 0);
    assert_int_equal(noise_of(&c), ro->halt.failures);
    /* One endpoint, one vote, whatever it says again and whatever it says next (INV-11). */
    int64_t votes = noise_of(&c);
    for (size_t i = 0; i < PER_RING; i++) {
        if (!w.endpoints[0][i].done) { continue; }
        send(&w, 0, i, it->kind, 1);
        send(&w, 0, i, BEACON_HEALTHY, 1);
    }
    c = fleet_state_counts(w.fleet, "yara", 1, "canary", NULL);
    assert_int_equal(noise_of(&c), votes);
    assert_int_equal(c.survived, 0); /* who stormed, was slow or mute on trial is no survivor */
    failure = BEACON_FAILED;
    end(&w);
}

/* An outbreak of what is really bad strikes the release before as well: a person looks. */
TEST(storms_that_control_has_too_only_hold)
{
    struct world w;
    begin(&w);
    failure = BEACON_STORM;
    all_alive(&w, 2);
    start(&w, 1);
    tick(&w);
    for (size_t i = 20; i < PER_RING; i++) {
        send(&w, 0, i, BEACON_STORM, 2);
    }
    commit(&w);
    minutes(&w, 1, 4, everybody);
    assert_false(the(&w, 1)->halt.there);
    assert_int_equal(overall(&w, 1), ROLLOUT_HELD);
    failure = BEACON_FAILED;
    end(&w);
}

TEST(the_policys_budget_of_false_halts_moves_the_threshold)
{
    struct world w;
    struct rollout_facts usual;
    struct rollout_facts patient;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    struct ring_policy policy = w.policy;
    struct rollout_facts_from from = rollout_live_from(w.run, the(&w, 1), w.now);
    from.policy = &policy;
    rollout_facts_ring(&from, 0, &usual);
    policy.releases_per_year = 1000000;
    rollout_facts_ring(&from, 0, &patient);
    assert_true(fabs(patient.threshold - usual.threshold - log(100.0)) < 1e-9);
    end(&w);
}

/* Every second endpoint of the first ring crashes, whether it has the release or not. */
static void crash_everywhere(struct world *w)
{
    all_alive(w, 0);
    run_good(w, 1);
    memset(w->endpoints, 0, sizeof(w->endpoints));
    start(w, 2);
    tick(w);
    w->now.s += 60;
    for (size_t i = 0; i < PER_RING; i++) {
        if (ask(w, 0, i, 2).decision == BEACON_PERMIT_GRANTED) {
            w->endpoints[0][i].granted_s = w->now.s;
        }
    }
    w->now.s += 60;
    for (size_t i = 0; i < PER_RING; i++) {
        bool treated = w->endpoints[0][i].granted_s != 0;
        if (i % 2 == 0) { send(w, 0, i, BEACON_CRASH, treated ? 2 : 1); }
        if (i % 2 == 1 && treated) { send(w, 0, i, BEACON_HEALTHY, 2); }
    }
    commit(w);
    tick(w);
}

/* An incident that crashes sensors everywhere is not the release's. */
TEST(while_control_crashes_too_absolute_terms_only_hold)
{
    struct world w;
    begin(&w);
    crash_everywhere(&w);
    assert_false(the(&w, 2)->halt.there);
    assert_int_equal(overall(&w, 2), ROLLOUT_HELD);
    assert_non_null(strstr(the(&w, 2)->rings[0].reason, "control is abnormal"));
    end(&w);
}

TEST(what_a_person_resumed_is_not_held_again_by_what_that_person_looked_at)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    crash_everywhere(&w);
    assert_int_equal(overall(&w, 2), ROLLOUT_HELD);
    MUST(command(&w, 2, ROLLOUT_RESUME, 0, &err));
    for (int i = 0; i < 5; i++) {
        w.now.s += 60;
        tick(&w);
        assert_int_equal(overall(&w, 2), ROLLOUT_RAMPING);
    }
    restart(&w); /* and it is kept */
    tick(&w);
    assert_int_equal(overall(&w, 2), ROLLOUT_RAMPING);
    assert_int_equal(the(&w, 2)->resumes, 1);
    int64_t before = exposed(&w, 2, 0);
    minutes(&w, 2, 30, nobody);
    assert_true(exposed(&w, 2, 0) > before);
    assert_false(the(&w, 2)->halt.there);
    end(&w);
}

TEST(new_failures_behind_a_resume_halt_as_the_first_ones_would_have)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    crash_everywhere(&w);
    MUST(command(&w, 2, ROLLOUT_RESUME, 0, &err));
    tick(&w);
    struct fleet_counts before =
        fleet_state_counts(w.fleet, "yara", 2, the(&w, 2)->rings[0].name, NULL);
    int64_t law = w.policy.confirm_start + before.survived * w.policy.confirm_per_survivor_m / 1000;
    minutes(&w, 2, 30, everybody);
    assert_true(the(&w, 2)->halt.there);
    int64_t more = exposed(&w, 2, 0) - before.exposed;
    assert_true(more > 0 && more <= law); /* INV-1: as if those before had never been */
    end(&w);
}

TEST(the_hold_back_gets_no_permit_until_its_time_is_over)
{
    struct world w;
    begin(&w);
    w.policy.confirm_start = 1000;
    w.policy.cohort_start = 1000;
    w.policy.rings[0].hold_back_bp = 2500;
    w.policy.rings[0].hold_back_s = 3600;
    rollout_run_set_policy(w.run, &w.policy);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    bool held[PER_RING] = {false};
    size_t count = 0;
    for (size_t i = 0; i < PER_RING; i++) {
        struct beacon_permit_answer a = ask(&w, 0, i, 1);
        held[i] = a.decision == BEACON_PERMIT_WAIT;
        if (!held[i]) { continue; }
        count++;
        assert_non_null(strstr(a.reason, "control"));
        assert_true(a.retry_after_s <= 720);
    }
    assert_true(count >= 5 && count <= 28);
    w.now.s += 3599;
    tick(&w);
    for (size_t i = 0; i < PER_RING; i++) {
        if (held[i]) { assert_int_equal(ask(&w, 0, i, 1).decision, BEACON_PERMIT_WAIT); }
    }
    w.now.s += 1;
    send(&w, 0, 0, BEACON_ALIVE, 0);
    commit(&w);
    for (size_t i = 0; i < PER_RING && !the(&w, 1)->halt.there; i++) {
        if (held[i]) { assert_int_equal(ask(&w, 0, i, 1).decision, BEACON_PERMIT_GRANTED); }
    }
    end(&w);
}

TEST(the_second_law_waits_for_endpoints_that_are_alive_hours_later)
{
    struct world w;
    begin(&w);
    w.policy.alive_after_s = 3600;
    w.policy.alive_start = 12;
    w.policy.alive_per_survivor_m = 2000;
    rollout_run_set_policy(w.run, &w.policy);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    minutes(&w, 1, 58, nobody);
    assert_int_equal(exposed(&w, 1, 0), 12);
    minutes(&w, 1, 10, nobody); /* the first are alive after their hour */
    assert_true(exposed(&w, 1, 0) > 12);
    struct fleet_counts c = fleet_state_counts(w.fleet, "yara", 1, "canary", NULL);
    assert_true(exposed(&w, 1, 0) <= 12 + 3 * c.aged);
    end(&w);
}

static bool seventh(size_t number)
{
    return number == 7;
}

/* A window that is full only because nobody is old enough yet is no window full of failures. */
TEST(waiting_for_the_second_law_with_one_failure_is_not_held)
{
    struct world w;
    begin(&w);
    w.policy.alive_after_s = 3600;
    w.policy.alive_start = 24;
    rollout_run_set_policy(w.run, &w.policy);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    minutes(&w, 1, 50, seventh);
    struct fleet_counts before = fleet_state_counts(w.fleet, "yara", 1, "canary", NULL);
    assert_int_equal(before.exposed, 24);
    assert_int_equal(before.pending, 0);
    assert_int_equal(before.failed, 1);
    assert_int_equal(overall(&w, 1) == ROLLOUT_RAMPING || overall(&w, 1) == ROLLOUT_BAKING, true);
    minutes(&w, 1, 15, seventh);
    assert_true(exposed(&w, 1, 0) > 24);
    end(&w);
}

static bool first_two(size_t number)
{
    return number < 2;
}

/* INV-3: two boxes of sixty say no, which is far from a halt; everything else that the gate needs is there. */
TEST(inv_3_suspicious_evidence_promotes_nothing)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    for (size_t i = 0; i < PER_RING && first_two(i); i++) {
        send(&w, 0, i, BEACON_REFUSED, 1);
        w.endpoints[0][i] = (struct endpoint){.granted_s = -1, .done = true};
    }
    minutes(&w, 1, 90, first_two);
    const struct rollout_facts_from from = rollout_live_from(w.run, the(&w, 1), w.now);
    struct rollout_facts f;
    rollout_facts_ring(&from, 0, &f);
    assert_true(f.log_e >= log(20.0) && f.log_e < f.threshold);
    assert_true(f.ring.counts.healthy >= f.min_healthy && f.bake_left_s == 0);
    assert_non_null(strstr(f.gate_reason, "suspicious"));
    assert_int_equal(state(&w, 1, 0), ROLLOUT_RAMPING);
    assert_int_equal(state(&w, 1, 1), ROLLOUT_PENDING);
    assert_int_equal(exposed(&w, 1, 1), 0);
    end(&w);
}

/* Failing where everybody else is healthy costs an endpoint its vote, not its place in the window. */
TEST(an_endpoint_that_fails_in_healthy_releases_is_muted)
{
    struct world w;
    begin(&w);
    for (int64_t release = 1; release <= 4; release++) {
        all_alive(&w, release - 1);
        memset(w.endpoints, 0, sizeof(w.endpoints));
        start(&w, release);
        tick(&w);
        for (int i = 0; i < 40 && !w.endpoints[0][7].done; i++) {
            minute(&w, release, 0);
            struct endpoint *e = &w.endpoints[0][7];
            if (e->granted_s != 0 && !e->done) {
                send(&w, 0, 7, BEACON_FAILED, release);
                e->done = true;
            }
        }
        for (int i = 0; i < 240 && overall(&w, release) != ROLLOUT_COMPLETE; i++) {
            minute(&w, release, 0);
        }
        assert_int_equal(overall(&w, release), ROLLOUT_COMPLETE);
        tick(&w);
        struct fleet_counts c = fleet_state_counts(w.fleet, "yara", release, "canary", NULL);
        assert_int_equal(c.failed, release <= 3);
        assert_int_equal(c.muted_votes, release > 3);
        assert_int_equal(c.exposed, PER_RING);
    }
    end(&w);
}

static const struct alone_case {
    const char *id;
    size_t refuse;    /* endpoints of the last ring, always the same, whose boxes say no */
    size_t fail;      /* of a hundred, everywhere */
    bool muted_after; /* three releases that evidence halted */
} alone_cases[] = {
    {"three of a hundred and twenty", 3, 0, true},
    {"one in five", 3, 20, false},
};

/* One release up to its halt: who always refuses does so when half of the last ring is through. */
static void until_halted(struct world *w, int64_t release, const struct alone_case *it)
{
    memset(w->endpoints, 0, sizeof(w->endpoints));
    for (size_t i = PER_RING - it->refuse; i < PER_RING; i++) {
        w->endpoints[1][i].done = true;
    }
    start(w, release);
    tick(w);
    for (int i = 0; i < 240 && !the(w, release)->halt.there; i++) {
        minute(w, release, it->fail);
        if (fleet_state_counts(w->fleet, "yara", release, "broad", NULL).healthy < PER_RING / 2) {
            continue;
        }
        for (size_t k = PER_RING - it->refuse; k < PER_RING; k++) {
            send(w, 1, k, BEACON_REFUSED, release);
        }
        commit(w);
        tick(w);
        break;
    }
}

/* INV-11: where all are of one tenant, whoever always fails would halt every release, and none would ever go through
 * healthy. INV-4: content that fails for many costs nobody a vote. */
TEST_EACH(who_halts_releases_alone_is_muted, alone_cases)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    for (int64_t release = 1; release <= 3; release++) {
        until_halted(&w, release, it);
        assert_true(the(&w, release)->halt.there);
        for (int i = 0; i < 60 && overall(&w, release) != ROLLOUT_ROLLED_BACK; i++) {
            minute(&w, release, 0);
        }
        assert_int_equal(overall(&w, release), ROLLOUT_ROLLED_BACK);
    }
    until_halted(&w, 4, it);
    assert_int_equal(the(&w, 4)->halt.there, !it->muted_after);
    int64_t votes = 0;
    for (size_t ring = 0; ring < RINGS; ring++) {
        votes += fleet_state_counts(w.fleet, "yara", 4, ring_names[ring], NULL).muted_votes;
    }
    assert_int_equal(votes, it->muted_after ? 3 : 0);
    end(&w);
}

RUN_TESTS(cmocka_unit_test(a_fault_of_one_cohort_halts_that_cohort_and_holds_the_rest),
          cmocka_unit_test(inv_9_every_move_of_a_ring_stands_in_the_audit_log),
          cmocka_unit_test(noise_halts_by_its_own_name_within_the_start_of_the_window),
          cmocka_unit_test(storms_that_control_has_too_only_hold),
          cmocka_unit_test(while_control_crashes_too_absolute_terms_only_hold),
          cmocka_unit_test(the_policys_budget_of_false_halts_moves_the_threshold),
          cmocka_unit_test(what_a_person_resumed_is_not_held_again_by_what_that_person_looked_at),
          cmocka_unit_test(new_failures_behind_a_resume_halt_as_the_first_ones_would_have),
          cmocka_unit_test(the_hold_back_gets_no_permit_until_its_time_is_over),
          cmocka_unit_test(the_second_law_waits_for_endpoints_that_are_alive_hours_later),
          cmocka_unit_test(waiting_for_the_second_law_with_one_failure_is_not_held),
          cmocka_unit_test(inv_3_suspicious_evidence_promotes_nothing),
          cmocka_unit_test(an_endpoint_that_fails_in_healthy_releases_is_muted),
          cmocka_unit_test(who_halts_releases_alone_is_muted))
