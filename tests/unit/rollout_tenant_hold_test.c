/* Goal: one tenant's endpoints halt and hold nothing but their own (INV-11), over restarts too, and what all others say
 * counts as if that tenant had never been there (INV-4); a fault of everybody is still everybody's. */
#include "server/rollout/rollout_evidence.h"
#include "server/rollout/rollout_live.h"
#include "tests/unit/rollout_audit.h"
#include "tests/unit/rollout_minutes.h"

#include <math.h>

static bool everybody(size_t number)
{
    (void)number;
    return true;
}

static bool initech(size_t number)
{
    return strcmp(who(0, number).tenant, "initech") == 0;
}

static const struct signal_case {
    const char *id;
    enum beacon_kind kind;
} signals[] = {{"storm", BEACON_STORM}, {"slow", BEACON_SLOW}, {"mute", BEACON_MUTE}};

/* INV-11: the rest never waits for a person. */
static void expect_open(const struct world *w)
{
    assert_false(the(w, 1)->halt.there);
    for (size_t ring = 0; ring < RINGS; ring++) {
        assert_true(state(w, 1, ring) != ROLLOUT_HELD);
    }
}

static void expect_going_on(const struct world *w)
{
    expect_open(w);
    assert_int_equal(the(w, 1)->resumes, 0);
}

static void go_until_held_alone(struct world *w, bool (*fails)(size_t number))
{
    for (int i = 0; i < 60 && the(w, 1)->tenant_count == 0; i++) {
        minutes(w, 1, 1, fails);
        expect_going_on(w);
    }
    assert_int_equal(the(w, 1)->tenant_count, 1);
    assert_string_equal(the(w, 1)->tenants[0], "initech");
}

static void go_until_passed(struct world *w, bool (*fails)(size_t number))
{
    for (int i = 0; i < 90 && state(w, 1, 0) != ROLLOUT_PASSED; i++) {
        minutes(w, 1, 1, fails);
        expect_going_on(w);
    }
    assert_int_equal(state(w, 1, 0), ROLLOUT_PASSED);
}

static struct rollout_facts facts_of(const struct world *w)
{
    const struct rollout_facts_from from = rollout_live_from(w->run, the(w, 1), w->now);
    struct rollout_facts f;
    rollout_facts_ring(&from, 0, &f);
    return f;
}

TEST_EACH(inv_11_noise_of_one_tenant_holds_that_tenant_alone, signals)
{
    struct world w;
    begin(&w);
    w.policy.tenant_share_bp = 10000; /* so many that the detector is sure */
    failure = it->kind;
    under_way(&w, 4, 2);
    go_until_held_alone(&w, initech);
    struct fleet_counts c = fleet_state_counts(w.fleet, "yara", 1, "canary", NULL);
    assert_int_equal(c.storm + c.slow + c.mute, 0); /* listed, not counted */
    assert_true(c.muted_votes >= 3);
    go_until_passed(&w, initech);
    failure = BEACON_FAILED;
    end(&w);
}

static void expect_alarm(const struct world *w, bool there)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(1 << 16);
    struct json_writer j = json_begin(&out);
    json_open_array(&j, NULL);
    rollout_run_write_alarms(w->run, &j);
    json_close_array(&j);
    MUST(json_done(&j, &err));
    assert_int_equal(strstr(rw_buf_str(&out), "1 tenant") != NULL, there);
    assert_null(strstr(rw_buf_str(&out), "initech")); /* others read it */
}

/* Which tenants are held is told to who sees all and to the tenant, and nobody's name stands anywhere else. */
static void expect_told(const struct world *w, const char *reader, bool told)
{
    struct rw_err err;
    const struct rollout_run_look look = {.now = w->now, .tenant = reader};
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(1 << 18);
    struct json_writer j = json_begin(&out);
    MUST(rollout_run_write(w->run, "yara", 1, &look, &j, &err));
    MUST(json_done(&j, &err));
    assert_non_null(
        strstr(rw_buf_str(&out), told ? "\"tenants_held\":[\"initech\"]" : "\"tenants_held\":[]"));
    const char *name = strstr(rw_buf_str(&out), "initech");
    assert_true(told ? strstr(name + 1, "initech") == NULL : name == NULL);
}

/* INV-11: an attacker with endpoints of one tenant can neither halt a release for everyone nor hold it, and the attempt
 * is visible (INV-12). */
TEST(inv_11_votes_of_one_tenant_hold_that_tenant_alone)
{
    struct world w;
    begin(&w);
    under_way(&w, 4, 2);
    expect_alarm(&w, false);
    go_until_held_alone(&w, initech);
    expect_cause(&w, "rollout.tenant_held", "tenant initech in ring canary", "crash");
    assert_false(audit_says(&w, "rollout.held"));
    expect_alarm(&w, true);
    expect_told(&w, "", true);
    expect_told(&w, "initech", true);
    expect_told(&w, "acme", false);
    assert_true(facts_of(&w).log_e < log(20.0)); /* nothing of it is left in what the gate reads */
    restart(&w);
    tick(&w);
    expect_stopped(&w, 1, "tenant initech in ring canary", "crash"); /* INV-12 */
    assert_int_equal(ask(&w, 0, 59, 1).decision, BEACON_PERMIT_REFUSED);
    struct fleet_counts c = fleet_state_counts(w.fleet, "yara", 1, "canary", NULL);
    assert_int_equal(c.failed, 0); /* listed, not counted */
    assert_true(c.muted_votes >= 3);
    go_until_passed(&w, initech);
    expect_alarm(&w, true);
    end(&w);
}

/* Seven endpoints of initech and one of acme, whose window is the first that closes, take permits; those of initech
 * that `silent` picks are never heard of again. */
static void begin_silent(struct world *w)
{
    begin(w);
    w->policy.tenant_share_bp = 10000; /* so many that the detector is sure */
    w->policy.cohort_start = 8;        /* and that it fills no cohort */
    under_way(w, 2, 3);
    assert_int_equal(ask(w, 0, 2, 1).decision, BEACON_PERMIT_GRANTED);
    w->endpoints[0][2].granted_s = w->now.s;
    for (size_t i = 1; i < PER_RING; i += 2) {
        if (ask(w, 0, i, 1).decision != BEACON_PERMIT_GRANTED) { continue; }
        w->endpoints[0][i] = (struct endpoint){.granted_s = w->now.s, .done = true};
    }
    assert_int_equal(exposed(w, 1, 0), 8);
}

/* INV-11: one tenant's endpoints take permits and are never heard of again: no halt for the others, and no hold. */
TEST(inv_11_silence_of_one_tenant_stops_nobody_else)
{
    struct world w;
    begin_silent(&w);
    w.now.s += 11 * 60;
    send(&w, 0, 2, BEACON_HEALTHY, 1);
    w.endpoints[0][2].done = true;
    w.now.s += 5 * 60;
    commit(&w);
    tick(&w);
    for (int i = 0; i < 5 && the(&w, 1)->tenant_count == 0; i++) {
        w.now.s += 60;
        tick(&w);
    }
    assert_string_equal(the(&w, 1)->tenants[0], "initech");
    expect_going_on(&w);
    /* Its darkness is out of the evidence, that of nobody else is in. */
    struct rollout_facts f = facts_of(&w);
    assert_int_equal(f.ring.terms[HEALTH_DARK].failures, 0);
    assert_int_equal(f.ring.terms[HEALTH_DARK].exposures, 1);
    assert_true(f.log_e < log(20.0));
    restart(&w);
    tick(&w);
    assert_int_equal(ask(&w, 0, 59, 1).decision, BEACON_PERMIT_REFUSED);
    go_until_passed(&w, nobody);
    end(&w);
}

static const struct resume_case {
    const char *id;
    int64_t resumes;
} resumes[] = {{"never resumed", 0}, {"resumed before", 1}};

/* INV-4: what is taken out is the held tenant's alone. All have a permit, initech is never heard of again, nor one of
 * acme. */
TEST_EACH(inv_4_silence_of_others_stays_evidence_when_a_tenant_is_held, resumes)
{
    struct world w;
    begin(&w);
    w.policy.confirm_start = w.policy.cohort_start = 2 * PER_RING;
    under_way(&w, 2, 2);
    w.run->all[0]->resumes += it->resumes; /* as after a hold of another ring */
    tick(&w);
    for (size_t i = 0; i < PER_RING; i++) {
        assert_int_equal(ask(&w, 0, i, 1).decision, BEACON_PERMIT_GRANTED);
    }
    w.now.s += 11 * 60;
    for (size_t i = 2; i < PER_RING; i += 2) {
        send(&w, 0, i, BEACON_HEALTHY, 1);
    }
    commit(&w);
    for (int i = 0; i < 10 && the(&w, 1)->tenant_count == 0; i++) {
        w.now.s += 60;
        tick(&w);
        expect_open(&w);
    }
    assert_string_equal(the(&w, 1)->tenants[0], "initech");
    struct rollout_facts f = facts_of(&w);
    assert_int_equal(f.ring.terms[HEALTH_DARK].failures, 1);
    assert_int_equal(f.ring.terms[HEALTH_DARK].exposures, PER_RING / 2);
    end(&w);
}

static bool acme_now;

static bool both_at_last(size_t number)
{
    return initech(number) || acme_now;
}

/* INV-1, INV-4: a fault of everybody that shows in one tenant first is found when the others fail too, and the places
 * that the held tenant lost stay lost. */
TEST(inv_11_a_fault_that_shows_in_one_tenant_first_halts_when_others_fail_too)
{
    struct world w;
    begin(&w);
    acme_now = false;
    w.policy.confirm_start = w.policy.cohort_start = 16;
    under_way(&w, 4, 2);
    for (size_t i = 0; i < PER_RING; i++) { /* the others are off for now */
        if (!initech(i)) { w.endpoints[0][i] = (struct endpoint){.granted_s = -1, .done = true}; }
    }
    go_until_held_alone(&w, both_at_last);
    int64_t before = exposed(&w, 1, 0);
    acme_now = true;
    for (size_t i = 0; i < PER_RING; i++) {
        if (!initech(i)) { w.endpoints[0][i] = (struct endpoint){.done = false}; }
    }
    for (int i = 0; i < 10 && !the(&w, 1)->halt.there; i++) {
        minutes(&w, 1, 1, both_at_last);
        struct fleet_counts c = fleet_state_counts(w.fleet, "yara", 1, "canary", NULL);
        assert_true(c.exposed - c.survived <= w.policy.confirm_start + c.survived);
    }
    assert_true(the(&w, 1)->halt.there);
    assert_string_equal(the(&w, 1)->halt.term, "crash");
    assert_in_range(exposed(&w, 1, 0) - before, 1, 8);
    end(&w);
}

/* INV-12: where its failures fill the window nobody can go on, and a person is told so; behind the resume the others
 * do. */
TEST(a_window_full_of_a_held_tenants_failures_is_held_and_says_so)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    w.policy.tenant_share_bp = 10000;
    w.policy.cohort_start = 8;
    under_way(&w, 2, 2);
    for (size_t i = 1; i < PER_RING; i += 2) {
        if (ask(&w, 0, i, 1).decision != BEACON_PERMIT_GRANTED) { continue; }
        send(&w, 0, i, BEACON_FAILED, 1);
    }
    commit(&w);
    tick(&w);
    tick(&w);
    assert_int_equal(the(&w, 1)->tenant_count, 1);
    assert_false(the(&w, 1)->halt.there);
    assert_int_equal(overall(&w, 1), ROLLOUT_HELD);
    assert_non_null(strstr(the(&w, 1)->rings[0].reason, "full of failures: 8 failed"));
    MUST(command(&w, 1, ROLLOUT_RESUME, 0, &err));
    tick(&w);
    assert_int_equal(overall(&w, 1), ROLLOUT_RAMPING);
    assert_int_equal(ask(&w, 0, 0, 1).decision, BEACON_PERMIT_GRANTED);
    /* No places are kept for those who get none. */
    const struct rollout_facts_from from = rollout_live_from(w.run, the(&w, 1), w.now);
    assert_int_equal(rollout_facts_tenant(&from, 0, "acme", 8).others, 0);
    end(&w);
}

/* How many late crashes of acme stop a ring that is through, when initech told of `before` and is listed since. */
static size_t crashes_until_halt(size_t before)
{
    struct world w;
    struct rw_err err;
    size_t crashed = 0;
    begin(&w);
    world_tenants = 4;
    start(&w, 1);
    tick(&w);
    minutes(&w, 1, 45, nobody);
    for (size_t i = 0, told = 0; told < before; i++) {
        if (!initech(i)) { continue; }
        send(&w, 0, i, BEACON_CRASH, 1);
        told++;
    }
    minutes(&w, 1, 1, nobody);
    MUST(store_begin(&w.store, &err));
    MUST(fleet_state_mute(w.fleet, "yara", 1, "initech", &err));
    commit(&w);
    minutes(&w, 1, 1, nobody);
    assert_false(the(&w, 1)->halt.there);
    for (size_t i = 0; i < PER_RING && !the(&w, 1)->halt.there; i++) {
        if (initech(i)) { continue; }
        send(&w, 0, i, BEACON_CRASH, 1);
        crashed++;
        minutes(&w, 1, 1, nobody);
    }
    assert_true(the(&w, 1)->halt.there);
    end(&w);
    return crashed;
}

/* Three tenants, and the first ring full for three quarters of an hour. */
static void begin_baking(struct world *w)
{
    begin(w);
    world_tenants = 3;
    start(w, 1);
    tick(w);
    minutes(w, 1, 45, nobody);
}

/* Evidence of late crashes behind the hold of initech, all of whose endpoints crashed; one of acme's did or did not. */
static double late_evidence(bool of_acme)
{
    struct world w;
    begin_baking(&w);
    if (of_acme) { send(&w, 0, 0, BEACON_CRASH, 1); }
    for (size_t i = 0; i < PER_RING; i++) {
        if (initech(i)) { send(&w, 0, i, BEACON_CRASH, 1); }
    }
    go_until_held_alone(&w, nobody);
    struct rollout_facts f = facts_of(&w);
    assert_int_equal(f.ring.terms[HEALTH_CRASH_HISTORY].failures, of_acme);
    assert_true(f.log_e < log(20.0));
    end(&w);
    return f.ring.result.log_term[HEALTH_CRASH_HISTORY];
}

/* INV-4: what is taken out is the held tenant's alone. */
TEST(inv_4_late_crashes_of_others_stay_evidence_when_a_tenant_is_held)
{
    assert_true(late_evidence(true) > late_evidence(false) + 0.1);
}

/* INV-4: when a second tenant is held, the time of the first one at risk is not expected to have brought crashes of the
 * others: what is out is out once. */
TEST(inv_4_what_a_held_tenant_lived_through_is_taken_out_once)
{
    struct world w;
    begin_baking(&w);
    send(&w, 0, 0, BEACON_CRASH, 1);
    for (size_t i = 0; i < PER_RING; i++) {
        if (initech(i) && i % 8 != 0) { send(&w, 0, i, BEACON_CRASH, 1); }
    }
    const struct rollout_evidence_scope *ring =
        rollout_evidence_scope(w.run->all[0]->evidence, 0, 0);
    int64_t had_s = ring->risk_s;
    int64_t from_s = w.now.s;
    go_until_held_alone(&w, nobody);
    assert_true(ring->risk_s < had_s + PER_RING * (w.now.s - from_s));
    struct rollout_facts once = facts_of(&w);
    rollout_evidence_take_out(w.run->all[0]->evidence, the(&w, 1), w.fleet, w.now);
    struct rollout_facts twice = facts_of(&w);
    assert_float_equal(once.ring.result.log_term[HEALTH_CRASH_HISTORY],
                       twice.ring.result.log_term[HEALTH_CRASH_HISTORY], 1e-6);
    end(&w);
}

static bool two_of_initech(size_t number)
{
    return initech(number) && number < 8;
}

/* How many failures of acme hold it, when `early` ones of initech were set aside by a person before that was listed. */
static size_t failures_until_held(bool (*early)(size_t number))
{
    struct world w;
    struct rw_err err;
    size_t failed = 0;
    begin(&w);
    world_tenants = 4;
    start(&w, 1);
    tick(&w);
    minutes(&w, 1, 14, early);
    w.run->all[0]->resumes++; /* as after a hold of another ring */
    minutes(&w, 1, 1, early);
    MUST(store_begin(&w.store, &err));
    MUST(fleet_state_mute(w.fleet, "yara", 1, "initech", &err));
    commit(&w);
    minutes(&w, 1, 1, early);
    assert_false(the(&w, 1)->halt.there);
    for (size_t i = 8; i < PER_RING && the(&w, 1)->tenant_count == 0; i++) {
        struct endpoint *e = &w.endpoints[0][i];
        if (initech(i) || e->granted_s == 0 || e->done) { continue; }
        send(&w, 0, i, BEACON_FAILED, 1);
        e->done = true;
        failed++;
        minutes(&w, 1, 1, early);
    }
    assert_string_equal(the(&w, 1)->tenants[0], "acme");
    end(&w);
    return failed;
}

/* INV-4, INV-11: votes that are taken out must not hide as many of others, worked in or set aside before. */
TEST(inv_4_votes_of_a_listed_tenant_hide_none_of_others)
{
    size_t alone = crashes_until_halt(0);
    assert_true(crashes_until_halt(6) <= alone);
    size_t anew = failures_until_held(nobody);
    assert_in_range(failures_until_held(two_of_initech), anew - 1, anew + 1);
}

TEST(a_fault_of_all_tenants_halts_for_all_of_them)
{
    struct world w;
    begin(&w);
    under_way(&w, 2, 2);
    minutes(&w, 1, 3, everybody);
    assert_true(the(&w, 1)->halt.there);
    assert_true(exposed(&w, 1, 0) <= 8); /* INV-1 */
    end(&w);
}

RUN_TESTS(
    cmocka_unit_test(inv_11_noise_of_one_tenant_holds_that_tenant_alone),
    cmocka_unit_test(inv_11_votes_of_one_tenant_hold_that_tenant_alone),
    cmocka_unit_test(inv_11_silence_of_one_tenant_stops_nobody_else),
    cmocka_unit_test(inv_4_silence_of_others_stays_evidence_when_a_tenant_is_held),
    cmocka_unit_test(inv_11_a_fault_that_shows_in_one_tenant_first_halts_when_others_fail_too),
    cmocka_unit_test(a_window_full_of_a_held_tenants_failures_is_held_and_says_so),
    cmocka_unit_test(inv_4_late_crashes_of_others_stay_evidence_when_a_tenant_is_held),
    cmocka_unit_test(inv_4_what_a_held_tenant_lived_through_is_taken_out_once),
    cmocka_unit_test(inv_4_votes_of_a_listed_tenant_hide_none_of_others),
    cmocka_unit_test(a_fault_of_all_tenants_halts_for_all_of_them))
