/* Goal: what is read about a foreign process is understood exactly or refused, and a number alone never names it. */
#include "agent/activate/observe_rule.h"

#include "tests/harness.h"

#include <signal.h>

static const struct pid_case {
    const char *id, *file;
    enum rw_code want;
} pids[] = {
    {"plain", "4711", RW_E_NONE},       {"with_a_line_end", "4711\n", RW_E_NONE},
    {"empty", "", RW_E_SYNTAX},         {"init", "1\n", RW_E_RANGE},
    {"a_group", "-5\n", RW_E_SYNTAX},   {"two_lines", "4711\n\n", RW_E_SYNTAX},
    {"a_name", "clamd\n", RW_E_SYNTAX}, {"too_large", "99999999999\n", RW_E_RANGE},
};

TEST_EACH(a_pid_file_holds_one_number, pids)
{
    int64_t pid = 0;
    struct rw_err err;
    struct rw_rc rc = observe_rule_pid(rw_span_str(it->file), &pid, &err);
    assert_int_equal(rc.code, it->want);
    if (it->want == RW_E_NONE) { assert_int_equal(pid, 4711); }
}

#define STAT_TAIL " 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 11 12 13\n"

static const struct stat_case {
    const char *id, *stat;
    enum rw_code want;
} stats[] = {
    {"plain", "7 (clamd) S" STAT_TAIL, RW_E_NONE},
    {"a_name_that_lies", "7 (x) R 1 1 1 1 1 1 1 1 1 1) S" STAT_TAIL, RW_E_NONE},
    {"a_zombie", "7 (clamd) Z" STAT_TAIL, RW_E_NOT_FOUND},
    {"cut", "7 (clamd) S 1 7 7", RW_E_SYNTAX},
    {"no_name", "7 clamd S" STAT_TAIL, RW_E_SYNTAX},
};

TEST_EACH(the_start_is_found_whatever_the_name, stats)
{
    int64_t ticks = 0;
    struct rw_err err;
    assert_int_equal(observe_rule_start(rw_span_str(it->stat), &ticks, &err).code, it->want);
    if (it->want == RW_E_NONE) { assert_int_equal(ticks, 987654); }
}

static const struct takes_case {
    const char *id, *status;
    int signal_number;
    bool want;
} takes[] = {
    {"handled", "Uid:\t7\t7\t7\t7\nSigCgt:\t0000000000000001\n", SIGHUP, true},
    {"blocked_for_a_descriptor", "SigBlk:\t0000000000000001\nSigCgt:\t0000000000000000\n", SIGHUP,
     true},
    {"ignored", "SigIgn:\t0000000000000800\n", SIGUSR2, true},
    {"another_one_is", "SigCgt:\t0000000000000001\n", SIGUSR2, false},
    {"none", "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n", SIGHUP, false},
    {"not_understood", "SigCgt:\tffff\n", SIGHUP, false},
    {"nothing_known", "", SIGHUP, false},
};

TEST_EACH(a_signal_that_would_end_the_sensor_is_known, takes)
{
    assert_int_equal(observe_rule_takes(rw_span_str(it->status), it->signal_number), it->want);
}

#define SHOWN(pid, restarts, result)                                                               \
    "NRestarts=" restarts "\nResult=" result "\nControlGroup=/system.slice/x.service\n"            \
    "MainPID=" pid "\nLoadState=loaded\n"

static const struct crash_case {
    const char *id, *shown;
    int64_t before, open_ms;
    bool told, running;
    int64_t want;
} ends[] = {
    {"restarted_by_systemd", SHOWN("9", "3", "success"), 2, 0, true, true, 1},
    {"twice_between_two_looks", SHOWN("9", "4", "success"), 2, 0, true, true, 2},
    {"restarted_by_hand", SHOWN("9", "2", "success"), 2, 0, true, true, 0},
    {"by_hand_and_counted_anew", SHOWN("9", "0", "success"), 2, 0, true, true, 0},
    {"by_hand_and_then_crashed", SHOWN("9", "1", "success"), 2, 0, true, true, 1},
    {"died_and_stays_away", SHOWN("0", "2", "signal"), 2, 0, true, false, 1},
    {"stopped_by_hand", SHOWN("0", "2", "success"), 2, 15000, true, false, 0},
    {"stopped_and_not_started_yet", SHOWN("0", "2", "success"), 2, 14999, true, false, -1},
    /* systemd has not heard yet of its end. */
    {"seen_before_systemd", SHOWN("9", "2", "success"), 2, 100, true, false, -1},
    {"nobody_can_tell_yet", SHOWN("9", "2", "success"), 2, 59999, false, false, -1},
    {"nobody_could_tell", SHOWN("9", "2", "success"), 2, 60000, false, false, 1},
};

TEST_EACH(only_what_nobody_ordered_is_a_crash, ends)
{
    struct rw_err err;
    struct observe_rule_unit u;
    MUST(observe_rule_unit(rw_span_str(it->shown), &u, &err));
    const struct observe_rule_look look = {.unit = &u,
                                           .restarts_before = it->before,
                                           .open_ms = it->open_ms,
                                           .told = it->told,
                                           .running = it->running};
    assert_int_equal(observe_rule_crashes(&look), it->want);
}

static const struct stop_case {
    const char *id, *result;
    int status, begun_us, left_us,
        ended_us; /* left: the unit its active state; ended: the process */
    int64_t want;
} stops[] = {
    {"stopped_well", "success", 0, 10, 20, 21, 0},
    /* What it answers to the order to stop is its own business. */
    {"stopped_with_a_status", "exit-code", 143, 10, 20, 21, 0},
    {"stopped_by_another_signal", "signal", 10, 10, 20, 21, 0},
    {"stopped_and_killed_at_last", "timeout", 9, 10, 20, 90, 0},
    /* A fault, what it does by itself, and what systemd does for its sake is not. */
    {"exits_by_itself", "exit-code", 1, 10, 21, 20, 1},
    {"is_killed", "signal", 9, 10, 21, 20, 1},
    {"exits_in_the_same_instant", "exit-code", 1, 10, 20, 20, 1},
    {"a_fault_while_it_stops", "signal", 11, 10, 20, 21, 1},
    {"a_dump_while_it_stops", "core-dump", 6, 10, 20, 21, 1},
    {"the_watchdog", "watchdog", 6, 10, 20, 21, 1},
    {"no_memory", "oom-kill", 9, 10, 20, 21, 1},
    {"a_start_that_hangs", "timeout", 9, 30, 20, 40, 1},
    {"dies_as_it_starts_again", "exit-code", 1, 30, 20, 40, 1},
    {"dies_as_it_starts_at_first", "exit-code", 1, 30, 0, 40, 1},
    {"times_that_are_missing", "exit-code", 1, 0, 20, 40, 1},
};

/* The order of times is what systemd 252 shows of a unit (tests/vm/test_systemd.py). */
TEST_EACH(a_stop_that_was_ordered_is_no_crash_however_it_ends, stops)
{
    char shown[512];
    struct rw_err err;
    struct observe_rule_unit u;
    (void)snprintf(shown, sizeof(shown),
                   "LoadState=loaded\nMainPID=0\nNRestarts=2\nResult=%s\nControlGroup=\n"
                   "ExecMainStatus=%d\nExecMainStartTimestampMonotonic=%d\n"
                   "ActiveExitTimestampMonotonic=%d\nExecMainExitTimestampMonotonic=%d\n",
                   it->result, it->status, it->begun_us, it->left_us, it->ended_us);
    MUST(observe_rule_unit(rw_span_str(shown), &u, &err));
    struct observe_rule_look look = {
        .unit = &u, .restarts_before = 2, .open_ms = 100, .told = true};
    /* Its next start, should there be one, is waited for. */
    assert_int_equal(observe_rule_crashes(&look), it->want == 0 ? OBSERVE_RULE_OPEN : it->want);
    look.open_ms = 15000;
    assert_int_equal(observe_rule_crashes(&look), it->want);
}

static const struct change_case {
    const char *id;
    int pid, left_us, ended_us;
    int64_t open_ms, want;
} changes[] = {
    {"stopped", 0, 20, 21, 100, OBSERVE_RULE_OPEN},
    {"stopped_for_long", 0, 20, 21, 15000, 0},
    {"ended_well_by_itself", 0, 21, 20, 100, 1},
    {"not_known_to_have_ended", 9, 0, 0, 100, OBSERVE_RULE_OPEN},
    {"prepares_its_start", 0, 20, 0, 100, OBSERVE_RULE_OPEN},
    {"nothing_is_known", 0, 0, 0, 15000, 1},
};

/* INV-3: content that makes a sensor end well has not lived. */
TEST_EACH(on_trial_only_an_ordered_end_is_none, changes)
{
    char shown[512];
    struct rw_err err;
    struct observe_rule_unit u;
    (void)snprintf(shown, sizeof(shown),
                   "LoadState=loaded\nMainPID=%d\nNRestarts=0\nResult=success\nControlGroup=\n"
                   "ExecMainStatus=0\nExecMainStartTimestampMonotonic=10\n"
                   "ActiveExitTimestampMonotonic=%d\nExecMainExitTimestampMonotonic=%d\n",
                   it->pid, it->left_us, it->ended_us);
    MUST(observe_rule_unit(rw_span_str(shown), &u, &err));
    struct observe_rule_look look = {
        .unit = &u, .open_ms = it->open_ms, .told = true, .change = true};
    assert_int_equal(observe_rule_crashes(&look), it->want);
    look.change = false; /* nothing to blame: none of them says that it crashed */
    assert_int_equal(observe_rule_crashes(&look), it->open_ms < 15000 ? OBSERVE_RULE_OPEN : 0);
}

TEST(an_answer_of_systemd_is_whole_or_none)
{
    struct rw_err err;
    struct observe_rule_unit u;
    MUST_FAIL(observe_rule_unit(rw_span_str("MainPID=9\nNRestarts=0\n"), &u, &err), RW_E_SCHEMA);
    MUST_FAIL(observe_rule_unit(rw_span_str("LoadState=not-found\nMainPID=0\nNRestarts=0\n"
                                            "Result=success\nControlGroup=\n"),
                                &u, &err),
              RW_E_NOT_FOUND);
    MUST_FAIL(observe_rule_unit(rw_span_str(SHOWN("9x", "0", "success")), &u, &err), RW_E_SYNTAX);
}

TEST(a_process_belongs_to_its_unit_and_no_other)
{
    struct rw_span at = rw_span_str("0::/system.slice/x.service/worker\n");
    assert_true(observe_rule_in_group(at, "/system.slice/x.service"));
    assert_false(observe_rule_in_group(at, "/system.slice/x.serv"));
    assert_false(observe_rule_in_group(at, "/system.slice/y.service"));
    assert_false(observe_rule_in_group(at, "/"));
    assert_false(observe_rule_in_group(at, ""));
}

TEST(names_of_services_are_no_options)
{
    assert_true(observe_rule_is_unit("clamav-daemon.service"));
    assert_true(observe_rule_is_unit("sensor@1.service"));
    assert_false(observe_rule_is_unit("--all.service"));
    assert_false(observe_rule_is_unit("a/b.service"));
    assert_false(observe_rule_is_unit(".service"));
    assert_false(observe_rule_is_unit("x.socket"));
}

TEST(a_number_written_before_the_process_began_is_of_another)
{
    assert_true(observe_rule_is_stale((struct rw_wall){100}, (struct rw_wall){103}));
    assert_false(observe_rule_is_stale((struct rw_wall){100}, (struct rw_wall){101}));
    assert_false(observe_rule_is_stale((struct rw_wall){100}, (struct rw_wall){50}));
}

TEST(a_young_process_is_given_time_to_load_by_itself)
{
    assert_int_equal(observe_rule_ask_at((struct rw_mono){1000}, 100, 60000).ms, 30900);
    assert_int_equal(observe_rule_ask_at((struct rw_mono){1000}, 90000, 60000).ms, 1000);
}

RUN_TESTS(cmocka_unit_test(a_pid_file_holds_one_number),
          cmocka_unit_test(the_start_is_found_whatever_the_name),
          cmocka_unit_test(a_signal_that_would_end_the_sensor_is_known),
          cmocka_unit_test(only_what_nobody_ordered_is_a_crash),
          cmocka_unit_test(a_stop_that_was_ordered_is_no_crash_however_it_ends),
          cmocka_unit_test(on_trial_only_an_ordered_end_is_none),
          cmocka_unit_test(an_answer_of_systemd_is_whole_or_none),
          cmocka_unit_test(a_process_belongs_to_its_unit_and_no_other),
          cmocka_unit_test(names_of_services_are_no_options),
          cmocka_unit_test(a_number_written_before_the_process_began_is_of_another),
          cmocka_unit_test(a_young_process_is_given_time_to_load_by_itself))
