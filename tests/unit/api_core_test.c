/* Goal: a reply leaves only after its change is committed (INV-2, INV-8), whatever fails on the way; what memory
 * holds beyond the store is thrown away; a server that cannot prove its state says so (INV-3). */
#include "server/api/api_core.h"
#include "server/api/api_fold.h"
#include "tests/unit/api_core_script.h"

/* --- jobs --- */
static void apply(char c, struct api_job *job)
{
    struct rw_err err;
    step(c);
    memory++;
    MUST(rw_buf_append_str(&job->reply.body, "granted", &err));
    job->reply.status = 200;
}

static void apply_batched(void *core, struct api_job *job)
{
    (void)core;
    apply('a', job);
}

static void apply_alone(void *core, struct api_job *job)
{
    (void)core;
    apply('s', job);
}

static const struct api_route batched = {.batched = true, .apply = apply_batched};
static const struct api_route alone = {.batched = false, .apply = apply_alone};
static const struct api_route probe = {.probe = true, .apply = apply_alone};

static RW_RC fake_renew(void *ctx, struct rw_wall now, bool *signed_out, struct rw_err *err)
{
    (void)ctx;
    (void)now;
    *signed_out = false;
    return fails == 'n' ? rw_fail(err, RW_E_PROCESS, "the signer is gone") : RW_OK;
}

static struct store store;

static struct api_core fresh_core(void)
{
    struct rw_err err;
    static struct release_index index;
    struct api_core c = {
        .store = &store, .releases = {.index = &index}, .clock = rw_clock_system()};
    store = (struct store){.backend = &backend};
    fails = '\0';
    memory = durable = 0;
    pending = 0;
    fold_due = false;
    pieces = 0;
    c.outside.renew = fake_renew;
    MUST(api_core_begin(&c, &err));
    trace[0] = '\0';
    return c;
}

static const struct api_route *route_of(char kind)
{
    return kind == 'b' ? &batched : kind == 'p' ? &probe : &alone;
}

/* "bbsb": a chain of batched and single jobs, in this order; p: a single one that only tells how the server does. */
static void run(struct api_core *c, const char *kinds)
{
    static struct api_job jobs[8];
    size_t n = strlen(kinds);
    assert_in_range(n, 1, RW_LEN(jobs));
    for (size_t i = 0; i < n; i++) {
        jobs[i] = (struct api_job){.route = route_of(kinds[i]),
                                   .reply = {.body = rw_buf_make(64), .file_fd = -1},
                                   .next = i + 1 < n ? &jobs[i + 1] : NULL};
    }
    api_core_run(c, jobs);
}

static const struct run_case {
    const char *id;
    const char *kinds;
    char fails;
    const char *want;
    int memory; /* afterwards */
} run_cases[] = {
    {"a_batch_is_answered_after_its_one_commit", "bbb", 0, "BaaafC+++", 3},
    {"a_single_job_splits_batches", "bbsb", 0, "BaafC++s+BafC+", 4},
    {"single_jobs_run_one_by_one", "ss", 0, "s+s+", 2},
    {"a_failed_commit_answers_all_with_503_and_reloads", "bb", 'C', "BaafCRlDO--", 0},
    {"a_failed_flush_answers_all_with_503_and_reloads", "bb", 'f', "BaafRlDO--", 0},
    {"a_failed_begin_applies_nothing", "bb", 'B', "B--", 0},
    {"a_failed_batch_does_not_stop_the_next_job", "bs", 'C', "BafCRlDO-s+", 1},
};

TEST_EACH(batches_are_committed_before_they_are_answered, run_cases)
{
    struct api_core c = fresh_core();
    fails = it->fails;
    run(&c, it->kinds);
    assert_string_equal(trace, it->want);
    assert_int_equal(memory, it->memory);
    assert_false(store.in_transaction);
    api_core_end(&c);
}

TEST(the_answer_of_a_lost_batch_says_nothing_of_what_was_granted)
{
    struct api_core c = fresh_core();
    fails = 'C';
    run(&c, "b");
    assert_string_equal(last_body, "");
    assert_int_equal(c.stats.commit_failures, 1);
    assert_int_equal(c.stats.batches, 0);
    api_core_end(&c);
}

/* What the store says may name hosts, users and paths: that is for the log and the alarms. */
TEST(endpoints_are_told_of_a_failed_store_without_its_words)
{
    struct api_core c = fresh_core();
    fails = 'C';
    for (int i = 0; i < 2; i++) { /* the second one is refused without being tried */
        run(&c, "b");
        assert_string_equal(last_error,
                            "STORE: the server cannot keep anything now: nothing was done");
        assert_string_equal(c.store_alarm, "step C fails");
    }
    api_core_end(&c);
}

TEST(after_a_failure_batches_are_refused_for_a_while_without_trying)
{
    struct api_core c = fresh_core();
    const char *why = NULL;
    api_core_renew(&c);
    api_core_tick(&c);
    trace[0] = '\0';
    fails = 'C';
    run(&c, "bsb");
    assert_string_equal(trace, "BafCRlDO-s+-");
    assert_false(api_core_ready(&c, &why));
    assert_string_equal(why, "the store keeps no changes"); /* to anybody: no word of the store's */
    assert_true(c.batch_retry.ms > 0);
    c.batch_retry.ms = 0; /* the while is over: somebody must be let in to find out */
    assert_true(api_core_ready(&c, &why));
    assert_string_equal(c.store_alarm, "step C fails");
    fails = '\0';
    trace[0] = '\0';
    run(&c, "b");
    assert_string_equal(trace, "BafC+");
    assert_string_equal(c.store_alarm, "");
    api_core_end(&c);
}

TEST(nothing_is_served_while_the_state_cannot_be_loaded)
{
    struct api_core c = fresh_core();
    fails = 'C';
    run(&c, "b");
    c.fleet_stale = true; /* as if the reload had failed too */
    c.batch_retry.ms = 0;
    fails = 'l';
    trace[0] = '\0';
    run(&c, "bs");
    assert_string_equal(trace,
                        "ll-l-"); /* tried before and after the batch, and for the single job */
    const char *why = NULL;
    assert_false(api_core_ready(&c, &why));
    trace[0] = '\0';
    run(&c, "p"); /* but whoever asks whether it lives hears so, and costs no try */
    assert_string_equal(trace, "s+");
    fails = '\0';
    c.batch_retry.ms = 0;
    trace[0] = '\0';
    run(&c, "b");
    assert_string_equal(trace, "lBafC+");
    api_core_end(&c);
}

static void note_leave(void *ctx)
{
    unsigned *left = ctx;
    (*left)++;
}

TEST(a_controller_that_cannot_load_the_state_lets_go_of_the_signer)
{
    struct api_core c = fresh_core();
    unsigned left = 0;
    struct api_node node = {.controller = true, .leave = note_leave, .ctx = &left};
    c.node = &node;
    c.fleet_stale = true; /* it was cut off in the middle of a batch */
    fails = 'l';
    api_core_tick(&c);
    assert_int_equal(left, 1);
    assert_false(api_node_controls(&c));
    assert_string_equal(trace, "l");
    api_core_tick(&c);
    assert_int_equal(left, 1);
    c.node = NULL;
    api_core_end(&c);
}

static const struct tick_case {
    const char *id;
    size_t pending;
    bool fold_due;
    char fails;
    const char *want;
    bool ready;
} tick_cases[] = {
    {"nothing_to_do", 0, false, 0, "t", true},
    {"a_long_journal_is_folded", 0, true, 0, "tBoC", true},
    {"the_batch_is_kept_before_the_fold", 9, true, 0, "tBfCBoC", true},
    {"a_batch_that_cannot_be_kept_stops_the_fold", 9, true, 'C', "tBfCR", false},
    {"a_failed_controller_is_not_ready", 0, false, 't', "t", false},
    {"a_fold_whose_commit_fails_is_begun_anew", 0, true, 'C', "tBoCRx", false},
    {"a_failed_fold_is_not_ready", 0, true, 'o', "tBoRx", false},
};

TEST_EACH(a_turn_keeps_its_order_and_tells_its_failures, tick_cases)
{
    struct api_core c = fresh_core();
    const char *why = NULL;
    api_core_renew(&c);
    pending = it->pending;
    fold_due = it->fold_due;
    fails = it->fails;
    api_core_tick(&c);
    assert_string_equal(trace, it->want);
    assert_int_equal(api_core_ready(&c, &why), it->ready);
    assert_int_equal(c.tick_alarm[0] == '\0', it->ready);
    /* The next turn loads what is stale and works. */
    fails = '\0';
    api_core_tick(&c);
    assert_true(api_core_ready(&c, &why));
    api_core_end(&c);
}

static const struct policy_case {
    const char *id;
    char fails;
    bool by_tick;
} policy_cases[] = {
    {"at_the_next_look_at_trust", 0, false},
    {"though_what_was_read_behind_it_failed", 'p', false},
    {"by_the_next_turn_when_an_operators_request_read_it", 0, true},
};

/* INV-12: a policy that was read is put in force, once, whoever read it and whatever failed then. */
TEST_EACH(another_policy_reaches_the_rollouts, policy_cases)
{
    struct api_core c = fresh_core();
    api_core_renew(&c);
    policies_set = 0;
    policy_serial++;
    fails = it->fails;
    for (int times = 0; times < 2; times++) {
        if (it->by_tick) {
            api_core_tick(&c);
        } else {
            api_core_renew(&c);
        }
    }
    assert_int_equal(policies_set, 1);
    api_core_end(&c);
}

/* Opened anew, they begin with it. */
TEST(rollouts_that_are_loaded_again_have_the_policy_already)
{
    struct api_core c = fresh_core();
    policies_set = 0;
    policy_serial++;
    c.rollouts_stale = true;
    api_core_tick(&c);
    assert_string_equal(trace, "DOt");
    assert_int_equal(policies_set, 0);
    api_core_end(&c);
}

static struct api_core folding_core(unsigned in_pieces)
{
    struct api_core c = fresh_core();
    fold_due = true;
    pieces = in_pieces;
    api_core_tick(&c);
    assert_string_equal(trace, "tBoC");
    assert_true(c.folding);
    trace[0] = '\0';
    return c;
}

TEST(a_fold_goes_on_in_pieces_between_which_requests_are_worked_off)
{
    struct api_core c = folding_core(3);
    c.fold_next.ms = rw_clock_mono(&c.clock).ms + 100000;
    assert_in_range(api_fold_wait_ms(&c), 1, 100000);
    api_fold_go_on(&c); /* not yet */
    api_core_tick(&c);  /* and no second one beside it */
    assert_string_equal(trace, "t");
    c.fold_next.ms = 0;
    assert_int_equal(api_fold_wait_ms(&c), 0);
    api_fold_go_on(&c);
    assert_string_equal(trace, "tBoC");
    assert_true(c.fold_next.ms > 0); /* a pause follows */
    run(&c, "b");
    c.fold_next.ms = 0;
    api_fold_go_on(&c);
    assert_string_equal(trace, "tBoCBafC+BoC");
    assert_int_equal(api_fold_wait_ms(&c), -1);
    assert_int_equal(c.stats.folds, 1);
    api_core_end(&c);
}

TEST(a_fold_that_fails_midway_is_begun_anew_by_the_next_turn)
{
    struct api_core c = folding_core(3);
    c.fold_next.ms = 0;
    fails = 'C';
    api_fold_go_on(&c);
    assert_string_equal(trace, "BoCRx");
    assert_int_equal(api_fold_wait_ms(&c), -1);
    assert_false(c.fleet_stale); /* memory is as true as before: nothing is loaded */
    fails = '\0';
    api_core_tick(&c);
    assert_string_equal(trace, "BoCRxtBoC");
    api_core_end(&c);
}

TEST(nothing_is_folded_while_memory_is_not_the_truth)
{
    struct api_core c = folding_core(3);
    c.fold_next.ms = 0;
    c.fleet_stale = true;
    api_fold_go_on(&c);
    assert_string_equal(trace, "");
    assert_false(c.folding);
    api_core_end(&c);
}

TEST(a_stop_folds_to_the_end)
{
    struct api_core c = folding_core(4);
    api_fold_last(&c);
    assert_string_equal(trace, "BoCBoCBoC");
    assert_int_equal(c.stats.folds, 1);
    api_core_end(&c);
}

TEST(ready_needs_a_turn_and_a_signer_that_answers)
{
    struct api_core c = fresh_core();
    const char *why = NULL;
    api_core_renew(
        &c); /* the signer alone is not enough (INV-3: what has not looked yet opens nothing) */
    assert_false(api_core_ready(&c, &why));
    assert_string_equal(why, "the controller has not run yet");
    api_core_tick(&c);
    assert_true(api_core_ready(&c, &why));
    fails = 'n';
    api_core_renew(&c);
    assert_false(api_core_ready(&c, &why));
    assert_string_equal(c.signer_alarm, "the signer is gone");
    fails = '\0';
    api_core_renew(&c);
    assert_true(api_core_ready(&c, &why));
    assert_string_equal(c.signer_alarm, "");
    api_core_end(&c);
}

TEST(a_change_of_the_rollouts_that_was_not_kept_is_forgotten)
{
    struct api_core c = fresh_core();
    struct rw_err err;
    MUST(store_begin(&store, &err));
    fails = 'C';
    MUST_FAIL(api_core_finish(&c, RW_OK, &err), RW_E_STORE);
    assert_string_equal(trace, "BfCR");
    fails = '\0';
    trace[0] = '\0';
    api_core_tick(&c);
    assert_string_equal(trace, "lDOt");
    api_core_end(&c);
}

TEST(a_refused_command_is_rolled_back_and_reloads_nothing)
{
    struct api_core c = fresh_core();
    struct rw_err err;
    MUST(store_begin(&store, &err));
    MUST_FAIL(api_core_finish(&c, rw_fail(&err, RW_E_STALE, "generation"), &err), RW_E_STALE);
    assert_false(c.rollouts_stale);
    assert_false(store.in_transaction);
    assert_string_equal(trace, "BR");
    api_core_end(&c);
}

/* --- jobs that go on beside the core --- */
static struct api_job *handed; /* to the thread beside the core */

static void nothing_aside(struct api_job *job)
{
    (void)job;
}

static void resume(void *core, struct api_job *job)
{
    (void)core;
    apply('r', job);
}

static void apply_aside(void *core, struct api_job *job)
{
    (void)core;
    step('x');
    job->aside = nothing_aside;
    job->resume = resume;
}

static RW_RC take_aside(void *ctx, struct api_job *job, struct rw_err *err)
{
    (void)ctx;
    if (fails == 'q') { return rw_fail(err, RW_E_FULL, "no place"); }
    handed = job;
    return RW_OK;
}

static const struct api_route beside = {.apply = apply_aside};

static struct api_job job_of(const struct api_route *route)
{
    return (struct api_job){.route = route, .reply = {.body = rw_buf_make(64), .file_fd = -1}};
}

TEST(a_job_that_goes_aside_is_answered_after_it_came_back_and_holds_nobody_up)
{
    struct api_core c = fresh_core();
    struct api_job other = job_of(&alone);
    struct api_job job = job_of(&beside);
    job.next = &other;
    handed = NULL;
    c.outside.aside = take_aside;
    api_core_run(&c, &job);
    assert_string_equal(trace, "xs+");
    assert_ptr_equal(handed, &job);
    assert_int_equal(job.reply.status, 0);
    job.aside = NULL; /* as api_aside_run leaves it */
    job.next = NULL;
    api_core_run(&c, &job);
    assert_string_equal(trace, "xs+r+");
    assert_int_equal(c.stats.jobs, 2);
    api_core_end(&c);
}

/* What it comes back to may have changed: it is let in by the same rules as when it came. */
TEST(a_job_that_comes_back_to_a_state_that_cannot_be_loaded_is_refused)
{
    struct api_core c = fresh_core();
    struct api_job job = job_of(&beside);
    job.resume = resume;
    c.fleet_stale = true;
    fails = 'l';
    api_core_run(&c, &job);
    assert_string_equal(trace, "l-");
    api_core_end(&c);
}

TEST(a_job_for_which_there_is_no_place_aside_is_refused)
{
    struct api_core c = fresh_core();
    struct api_job job = job_of(&beside);
    c.outside.aside = take_aside;
    fails = 'q';
    api_core_run(&c, &job);
    assert_string_equal(trace, "x-");
    api_core_end(&c);
}

RUN_TESTS(
    cmocka_unit_test(batches_are_committed_before_they_are_answered),
    cmocka_unit_test(the_answer_of_a_lost_batch_says_nothing_of_what_was_granted),
    cmocka_unit_test(endpoints_are_told_of_a_failed_store_without_its_words),
    cmocka_unit_test(after_a_failure_batches_are_refused_for_a_while_without_trying),
    cmocka_unit_test(nothing_is_served_while_the_state_cannot_be_loaded),
    cmocka_unit_test(a_controller_that_cannot_load_the_state_lets_go_of_the_signer),
    cmocka_unit_test(a_turn_keeps_its_order_and_tells_its_failures),
    cmocka_unit_test(another_policy_reaches_the_rollouts),
    cmocka_unit_test(rollouts_that_are_loaded_again_have_the_policy_already),
    cmocka_unit_test(a_fold_goes_on_in_pieces_between_which_requests_are_worked_off),
    cmocka_unit_test(a_fold_that_fails_midway_is_begun_anew_by_the_next_turn),
    cmocka_unit_test(nothing_is_folded_while_memory_is_not_the_truth),
    cmocka_unit_test(a_stop_folds_to_the_end),
    cmocka_unit_test(ready_needs_a_turn_and_a_signer_that_answers),
    cmocka_unit_test(a_change_of_the_rollouts_that_was_not_kept_is_forgotten),
    cmocka_unit_test(a_job_that_goes_aside_is_answered_after_it_came_back_and_holds_nobody_up),
    cmocka_unit_test(a_job_that_comes_back_to_a_state_that_cannot_be_loaded_is_refused),
    cmocka_unit_test(a_job_for_which_there_is_no_place_aside_is_refused),
    cmocka_unit_test(a_refused_command_is_rolled_back_and_reloads_nothing))
