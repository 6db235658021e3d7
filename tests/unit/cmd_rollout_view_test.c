/* Goal: a rollout's state gives the documented exit status, and a halt is told with value, limit and n. */
#include "server/cli/cmd_rollout_explain_view.h"
#include "server/cli/cmd_rollout_view.h"
#include "tests/harness.h"

#define RING(name, state)                                                                          \
    "{\"ring\":\"" name "\",\"state\":\"" state "\",\"exposed\":16,\"healthy\":9,\"failed\":5,"    \
    "\"dark\":2,\"refused\":0,\"members\":99}"
#define ROLLOUT(state, more)                                                                       \
    "{\"family\":\"yara\",\"release\":3,\"state\":\"" state "\"," more                             \
    "\"rings\":[" RING("canary", "ramping") "," RING("broad", "pending") "]}"
#define HALT                                                                                       \
    "\"halt\":{\"at\":\"2026-11-22T05:34:16Z\",\"by\":\"controller\",\"reason\":\"r\",\"ring\":"   \
    "\"canary\",\"term\":\"crash\",\"cohort\":{\"os\":\"debian-12\",\"arch\":\"x86_64\","          \
    "\"engine\":\"yara-4.2\"},\"failures\":5,\"exposures\":16,\"log_e\":\"9.42\","                 \
    "\"threshold\":\"8.90\"},"
#define HALT_BY_HAND                                                                               \
    "\"halt\":{\"at\":\"2026-11-22T05:34:16Z\",\"by\":\"alice\",\"reason\":\"ticket 4711\"},"

static void parse(const char *text, json_tree *tree)
{
    struct rw_err err = {0};
    MUST(json_parse(rw_span_str(text), &json_limits_small, tree, &err));
}

static const struct outcome {
    const char *id, *text;
    int exit_status;
    bool ended;
} outcomes[] = {
    {"pending", ROLLOUT("pending", ""), 0, false},
    {"ramping", ROLLOUT("ramping", ""), 0, false},
    {"baking", ROLLOUT("baking", ""), 0, false},
    {"complete", ROLLOUT("complete", ""), 0, true},
    {"halted", ROLLOUT("halted", HALT), 4, false},
    {"rolling back", ROLLOUT("rolling_back", HALT), 4, false},
    {"rolled back", ROLLOUT("rolled_back", HALT), 5, true},
    {"held", ROLLOUT("held", "\"reason\":\"change freeze\","), 6, false},
};

TEST_EACH(every_state_has_its_exit_status, outcomes)
{
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    parse(it->text, &tree);
    struct rw_rc rc = cmd_rollout_view_outcome(tree, &err);
    assert_int_equal(rw_is_ok(rc) ? 0 : rw_code_exit_status(rc.code), it->exit_status);
    assert_int_equal(cmd_rollout_view_ended(tree), it->ended);
}

TEST(a_halt_by_the_detector_shows_value_limit_and_n)
{
    char why[400];
    RW_AUTO(json_tree) json_tree tree = NULL;
    parse(ROLLOUT("halted", HALT), &tree);
    cmd_rollout_view_why(tree, why, sizeof(why));
    assert_string_equal(why, "halted at 2026-11-22T05:34:16Z by controller in ring canary, cohort "
                             "debian-12/x86_64/yara-4.2: crash: 5 of 16, log E 9.42 >= 8.90");
}

TEST(a_halt_by_hand_shows_who_and_why)
{
    char why[400];
    RW_AUTO(json_tree) json_tree tree = NULL;
    parse(ROLLOUT("halted", HALT_BY_HAND), &tree);
    cmd_rollout_view_why(tree, why, sizeof(why));
    assert_string_equal(why, "halted at 2026-11-22T05:34:16Z by alice: ticket 4711");
}

TEST(who_is_kept_out_is_told_while_the_rest_goes_on)
{
    char text[200];
    char little[30];
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(json_tree) json_tree nobody = NULL;
    parse(ROLLOUT("ramping", "\"cohorts_halted\":[{\"os\":\"windows-11\",\"arch\":\"x86_64\","
                             "\"engine\":\"yara-4.1\"}],\"tenants_held\":[\"acme\"],"),
          &tree);
    cmd_rollout_view_kept_out(tree, text, sizeof(text));
    assert_string_equal(text, "cohort windows-11/x86_64/yara-4.1, tenant acme");
    cmd_rollout_view_kept_out(tree, little, sizeof(little));
    assert_int_equal(strlen(little), sizeof(little) - 1);
    parse(ROLLOUT("ramping", ""), &nobody);
    cmd_rollout_view_kept_out(nobody, text, sizeof(text));
    assert_string_equal(text, "");
}

TEST(a_long_reason_is_cut_and_never_overruns)
{
    char why[40];
    RW_AUTO(json_tree) json_tree tree = NULL;
    parse(ROLLOUT("halted", HALT), &tree);
    cmd_rollout_view_why(tree, why, sizeof(why));
    assert_int_equal(strlen(why), sizeof(why) - 1);
    char line[64];
    cmd_rollout_view_line(tree, line, sizeof(line));
    assert_true(strlen(line) < sizeof(line));
}

TEST(the_line_of_a_pipe_holds_counts_and_cause)
{
    char line[2000];
    RW_AUTO(json_tree) json_tree tree = NULL;
    parse(ROLLOUT("held", "\"reason\":\"change freeze\","), &tree);
    cmd_rollout_view_line(tree, line, sizeof(line));
    assert_string_equal(line,
                        "held  canary ramping 16/99 healthy=9 failed=5 dark=2  why: change freeze");
    RW_AUTO(json_tree) json_tree part = NULL;
    parse(ROLLOUT("ramping", "\"tenants_held\":[\"acme\"],"), &part);
    cmd_rollout_view_line(part, line, sizeof(line));
    assert_non_null(strstr(line, "  gets no permits: tenant acme")); /* INV-12 */
}

/* 2026-11-22T12:00:00Z */
static const struct rw_wall noon = {1795348800};

static const struct waiting {
    const char *id;
    bool first;
    const char *ring, *want;
} waitings[] = {
    {"a time to come", false, "{\"not_before\":\"2026-11-22T12:00:01Z\"}",
     "opens at the earliest at 2026-11-22T12:00:01Z"},
    {"a time that came", false, "{\"not_before\":\"2026-11-22T12:00:00Z\"}",
     "opens after the ring before it: its own time came at 2026-11-22T12:00:00Z"},
    {"a time of the first ring that came", true, "{\"not_before\":\"2026-11-22T12:00:00Z\"}",
     "opens in a moment: its time came at 2026-11-22T12:00:00Z"},
    {"no time", true, "{}", ""},
};

TEST_EACH(a_pending_ring_names_no_time_in_the_past_as_one_to_come, waitings)
{
    char text[200];
    RW_AUTO(json_tree) json_tree ring = NULL;
    parse(it->ring, &ring);
    cmd_rollout_view_pending(ring, it->first, noon, text, sizeof(text));
    assert_string_equal(text, it->want);
}

static const struct sentence {
    const char *id, *rollout, *explain, *want;
} sentences[] = {
    {"halted", ROLLOUT("halted", HALT), "{\"rings\":[{\"ring\":\"canary\",\"state\":\"halted\"}]}",
     "It was halted at 2026"},
    {"ramping", ROLLOUT("ramping", ""),
     "{\"rings\":[{\"ring\":\"internal\",\"state\":\"passed\"},{\"ring\":\"canary\",\"state\":"
     "\"ramping\",\"gate_reason\":\"9 healthy endpoints, needs 150\"}]}",
     "It is ramping in ring canary; the next ring opens when the gate says PASS: 9 healthy "
     "endpoints, needs 150."},
    {"held", ROLLOUT("held", "\"reason\":\"change freeze\","),
     "{\"rings\":[{\"ring\":\"canary\",\"state\":\"held\"}]}",
     "It is held in ring canary: change freeze."},
    {"complete", ROLLOUT("complete", ""),
     "{\"rings\":[{\"ring\":\"canary\",\"state\":\"complete\"}]}", "It is complete"},
    {"waits for the signed bake", ROLLOUT("ramping", ""),
     "{\"rings\":[{\"ring\":\"canary\",\"state\":\"pending\",\"not_before\":"
     "\"2026-11-22T06:00:00Z\"}]}",
     "It waits to open ring canary; its time came at 2026-11-22T06:00:00Z."},
    {"waits for a time to come", ROLLOUT("ramping", ""),
     "{\"rings\":[{\"ring\":\"canary\",\"state\":\"pending\",\"not_before\":"
     "\"2026-11-22T18:00:00Z\"}]}",
     "It waits to open ring canary, at the earliest at 2026-11-22T18:00:00Z."},
    {"nothing to read", "{}", "{}", "The server tells of no ring"},
};

TEST_EACH(explain_begins_with_a_sentence, sentences)
{
    char text[1200];
    RW_AUTO(json_tree) json_tree rollout = NULL;
    RW_AUTO(json_tree) json_tree explain = NULL;
    parse(it->rollout, &rollout);
    parse(it->explain, &explain);
    cmd_rollout_explain_sentence(rollout, explain, noon, text, sizeof(text));
    if (strncmp(text, it->want, strlen(it->want)) != 0) {
        fail_msg("'%s', want '%s'", text, it->want);
    }
}

#define TERMS(more)                                                                                \
    "{\"terms\":[{\"term\":\"dark\",\"failures\":1},{\"term\":\"dark_control\",\"control\":4" more \
    "}]}"

static const struct incident {
    const char *id, *scope, *want;
} incidents[] = {
    {"none", TERMS(""), ""},
    {"no terms", "{}", ""},
    {"a ring that borrowed", TERMS(",\"borrowed_failures\":1800,\"borrowed\":9000"),
     "borrowed control: with too little of its own, while control of all rings was silent, X was\n"
     "    compared with these: 1800 of 9000 windows dark"},
    {"a cohort that was not judged", TERMS(",\"unjudged_failures\":5,\"unjudged\":9"),
     "not judged: 9 windows of X, 5 of them dark: control around it was silent too, and it\n"
     "    had too little of its own"},
};

TEST_EACH(inv_12_explain_says_what_an_incident_was_held_against, incidents)
{
    char text[400];
    RW_AUTO(json_tree) json_tree scope = NULL;
    parse(it->scope, &scope);
    cmd_rollout_explain_incident(scope, "X", text, sizeof(text));
    assert_string_equal(text, it->want);
}

RUN_TESTS(cmocka_unit_test(inv_12_explain_says_what_an_incident_was_held_against),
          cmocka_unit_test(a_pending_ring_names_no_time_in_the_past_as_one_to_come),
          cmocka_unit_test(every_state_has_its_exit_status),
          cmocka_unit_test(a_halt_by_the_detector_shows_value_limit_and_n),
          cmocka_unit_test(a_halt_by_hand_shows_who_and_why),
          cmocka_unit_test(who_is_kept_out_is_told_while_the_rest_goes_on),
          cmocka_unit_test(a_long_reason_is_cut_and_never_overruns),
          cmocka_unit_test(the_line_of_a_pipe_holds_counts_and_cause),
          cmocka_unit_test(explain_begins_with_a_sentence))
