/* Goal: only proof of load and a whole, living probation commit; everything else waits or goes back (INV-3). */
#include "agent/activate/trial_rule.h"

#include "tests/harness.h"

enum { LOAD_MS = 60000, PROBATION_MS = 600000, SILENCE_MS = 30000, BEGIN_MS = 1000000 };

static struct trial_rule_evidence living(enum trial_rule_phase phase, int64_t after_ms)
{
    return (struct trial_rule_evidence){
        .phase = phase,
        .now = {BEGIN_MS + after_ms},
        .since = {BEGIN_MS},
        .last_seen = {BEGIN_MS + after_ms},
        .load_timeout_ms = LOAD_MS,
        .probation_ms = PROBATION_MS,
        .silence_ms = SILENCE_MS,
        .running = true,
        .proven = phase == TRIAL_PROBATION,
    };
}

static void no_change(struct trial_rule_evidence *e)
{
    (void)e;
}
static void drill(struct trial_rule_evidence *e)
{
    e->drill = true;
}
static void proof(struct trial_rule_evidence *e)
{
    e->proven = true;
}
static void died(struct trial_rule_evidence *e)
{
    e->running = false;
    e->signaled = true;
    e->exit_status = 11;
}
static void died_with_proof(struct trial_rule_evidence *e)
{
    died(e);
    e->proven = true;
}
static void exited(struct trial_rule_evidence *e)
{
    e->running = false;
    e->exit_status = 0;
}
static void other(struct trial_rule_evidence *e)
{
    e->other = true;
    e->proven = false;
}
static void load_error(struct trial_rule_evidence *e)
{
    e->load_error = true;
}
static void bad_selftest(struct trial_rule_evidence *e)
{
    e->selftest_failed = true;
    e->proven = true;
}
static void aborted(struct trial_rule_evidence *e)
{
    e->aborted = true;
    e->proven = true;
}
static void storm(struct trial_rule_evidence *e)
{
    e->storm = true;
    e->proven = true;
}
static void silent(struct trial_rule_evidence *e)
{
    e->last_seen.ms = e->now.ms - SILENCE_MS;
}
static void last_seen_before_the_end(struct trial_rule_evidence *e)
{
    e->last_seen.ms = BEGIN_MS + PROBATION_MS - 1;
}
static void nearly_silent(struct trial_rule_evidence *e)
{
    e->last_seen.ms = e->now.ms - SILENCE_MS + 1;
}

static const struct trial_case {
    const char *id;
    enum trial_rule_phase phase;
    int64_t after_ms;
    void (*change)(struct trial_rule_evidence *e);
    enum trial_rule_decision want;
    int64_t signal;
    bool kill;
} cases[] = {
    {"no_proof_yet_waits", TRIAL_LOADING, 10, no_change, TRIAL_WAIT, 0, false},
    {"proof_of_load_begins_probation", TRIAL_LOADING, 10, proof, TRIAL_PROVEN, 0, false},
    {"proof_at_the_last_moment_counts", TRIAL_LOADING, LOAD_MS, proof, TRIAL_PROVEN, 0, false},
    {"just_before_the_load_timeout_waits", TRIAL_LOADING, LOAD_MS - 1, no_change, TRIAL_WAIT, 0,
     false},
    {"no_proof_in_time_goes_back_and_kills", TRIAL_LOADING, LOAD_MS, no_change, TRIAL_GO_BACK, 0,
     true},
    {"death_while_loading_goes_back", TRIAL_LOADING, 10, died, TRIAL_GO_BACK, 11, false},
    {"death_right_after_the_proof_goes_back", TRIAL_LOADING, 10, died_with_proof, TRIAL_GO_BACK, 11,
     false},
    {"a_clean_exit_is_no_proof_either", TRIAL_LOADING, 10, exited, TRIAL_GO_BACK, 0, false},
    {"another_hash_goes_back", TRIAL_LOADING, 10, other, TRIAL_GO_BACK, 0, false},
    {"an_error_message_goes_back", TRIAL_LOADING, 10, load_error, TRIAL_GO_BACK, 0, false},
    {"a_failed_selftest_beats_the_proof", TRIAL_LOADING, 10, bad_selftest, TRIAL_GO_BACK, 0, false},
    {"silence_while_loading_is_the_load_timeouts_business", TRIAL_LOADING, 40000, silent,
     TRIAL_WAIT, 0, false},
    {"probation_under_way_waits", TRIAL_PROBATION, PROBATION_MS - 1, no_change, TRIAL_WAIT, 0,
     false},
    {"a_whole_probation_commits", TRIAL_PROBATION, PROBATION_MS, no_change, TRIAL_COMMIT, 0, false},
    {"a_probation_without_a_sign_of_life_behind_its_end_waits", TRIAL_PROBATION, PROBATION_MS + 100,
     last_seen_before_the_end, TRIAL_WAIT, 0, false},
    {"and_goes_back_when_none_comes", TRIAL_PROBATION, PROBATION_MS + SILENCE_MS,
     last_seen_before_the_end, TRIAL_GO_BACK, 0, true},
    {"death_in_probation_goes_back", TRIAL_PROBATION, 5000, died, TRIAL_GO_BACK, 11, false},
    {"death_at_the_very_end_goes_back", TRIAL_PROBATION, PROBATION_MS, died, TRIAL_GO_BACK, 11,
     false},
    {"silence_in_probation_goes_back_and_kills", TRIAL_PROBATION, 100000, silent, TRIAL_GO_BACK, 0,
     true},
    {"silence_at_the_very_end_does_not_commit", TRIAL_PROBATION, PROBATION_MS, silent,
     TRIAL_GO_BACK, 0, true},
    {"a_message_just_in_time_is_enough", TRIAL_PROBATION, 100000, nearly_silent, TRIAL_WAIT, 0,
     false},
    {"loading_something_else_in_probation_goes_back", TRIAL_PROBATION, 10, other, TRIAL_GO_BACK, 0,
     false},
    {"an_entry_that_went_back_ends_the_trial", TRIAL_PROBATION, PROBATION_MS, aborted,
     TRIAL_GO_BACK, 0, false},
    {"a_storm_of_detections_goes_back", TRIAL_PROBATION, PROBATION_MS, storm, TRIAL_GO_BACK, 0,
     false},
    {"a_drill_waits_for_proof_of_load", TRIAL_LOADING, 10, drill, TRIAL_WAIT, 0, false},
    {"a_drill_goes_back_once_it_is_loaded", TRIAL_PROBATION, 0, drill, TRIAL_GO_BACK, 0, false},
    {"a_drill_never_commits", TRIAL_PROBATION, PROBATION_MS, drill, TRIAL_GO_BACK, 0, false},
    {"an_entry_that_went_back_ends_the_load", TRIAL_LOADING, 10, aborted, TRIAL_GO_BACK, 0, false},
};

TEST_EACH(evidence_decides, cases)
{
    struct trial_rule_evidence e = living(it->phase, it->after_ms);
    it->change(&e);
    struct trial_rule_result r = trial_rule_decide(&e);
    assert_int_equal(r.decision, it->want);
    assert_int_equal(r.signal, it->signal);
    assert_int_equal(r.kill, it->kill);
    assert_int_equal(r.detail[0] != '\0', it->want == TRIAL_GO_BACK);
    if (it->want == TRIAL_WAIT) { assert_true(r.wake.ms > e.now.ms); }
}

TEST(a_wait_ends_at_the_nearer_of_silence_and_end)
{
    struct trial_rule_evidence e = living(TRIAL_PROBATION, 1000);
    assert_int_equal(trial_rule_decide(&e).wake.ms, e.now.ms + SILENCE_MS);
    e = living(TRIAL_PROBATION, PROBATION_MS - 5);
    assert_int_equal(trial_rule_decide(&e).wake.ms, BEGIN_MS + PROBATION_MS);
}

enum { REACH_MS = 120000, HALF_MS = PROBATION_MS / 2 };

static const struct reach_case {
    const char *id;
    int64_t after_ms;   /* since the load was proven */
    int64_t contact_ms; /* begin of the last exchange, since the same moment */
    bool reach_back;
    enum trial_rule_decision want;
} reaches[] = {
    {"answered_in_the_second_half", PROBATION_MS, HALF_MS, true, TRIAL_COMMIT},
    {"answered_behind_the_end", PROBATION_MS + 9000, PROBATION_MS + 8000, true, TRIAL_COMMIT},
    {"an_answer_of_the_first_half_is_too_old", PROBATION_MS, HALF_MS - 1, true, TRIAL_WAIT},
    {"before_the_end_nothing_is_decided", PROBATION_MS - 1, -5000, true, TRIAL_WAIT},
    {"some_patience_behind_the_end", PROBATION_MS + REACH_MS - 1, -5000, true, TRIAL_WAIT},
    {"and_then_back", PROBATION_MS + REACH_MS, -5000, true, TRIAL_GO_BACK},
    {"switched_off", PROBATION_MS, -5000, false, TRIAL_COMMIT},
};

TEST_EACH(content_that_cuts_the_network_does_not_commit, reaches)
{
    struct trial_rule_evidence e = living(TRIAL_PROBATION, it->after_ms);
    e.reach_back = it->reach_back;
    e.contact.ms = BEGIN_MS + it->contact_ms;
    e.reach_ms = REACH_MS;
    struct trial_rule_result r = trial_rule_decide(&e);
    assert_int_equal(r.decision, it->want);
    assert_int_equal(strstr(r.detail, "reachable") != NULL, it->want == TRIAL_GO_BACK);
    assert_int_equal(r.unreached, it->want == TRIAL_GO_BACK);
    if (it->want == TRIAL_WAIT) { assert_true(r.wake.ms > e.now.ms); }
}

TEST(a_sensor_that_dies_while_the_server_is_awaited_still_counts)
{
    struct trial_rule_evidence e = living(TRIAL_PROBATION, PROBATION_MS + 1000);
    e.reach_back = true;
    e.reach_ms = REACH_MS;
    died(&e);
    assert_int_equal(trial_rule_decide(&e).decision, TRIAL_GO_BACK);
    e = living(TRIAL_PROBATION, PROBATION_MS + 1000);
    e.reach_back = true;
    e.reach_ms = REACH_MS;
    silent(&e);
    assert_int_equal(trial_rule_decide(&e).decision, TRIAL_GO_BACK);
}

RUN_TESTS(cmocka_unit_test(content_that_cuts_the_network_does_not_commit),
          cmocka_unit_test(a_sensor_that_dies_while_the_server_is_awaited_still_counts),
          cmocka_unit_test(evidence_decides),
          cmocka_unit_test(a_wait_ends_at_the_nearer_of_silence_and_end))
