/* Goal: only moves of the table happen, a refused one changes nothing, states are kept by name. */
#include "common/base/sm.h"

#include "tests/fakes/capture.h"
#include "tests/harness.h"

#include <signal.h>

enum { IDLE, RUNNING, DONE };

static const struct sm_state states[] = {
    {"idle", SM_TO(RUNNING), SM_INITIAL},
    {"running", SM_TO(IDLE) | SM_TO(DONE), 0},
    {"done", 0, SM_FINAL},
};
static const struct sm_table table = {"engine", states, 3};

TEST(exactly_the_moves_of_the_table_are_legal)
{
    static const bool legal[3][3] = {
        {false, true, false}, {true, false, true}, {false, false, false}};
    for (int from = IDLE; from <= DONE; from++) {
        for (int to = IDLE; to <= DONE; to++) {
            struct rw_err err = {0};
            int state = from;
            assert_int_equal(sm_may(&table, from, to), legal[from][to]);
            MUST_FAIL(sm_move(&table, &state, to, &err), legal[from][to] ? RW_E_NONE : RW_E_POLICY);
            assert_int_equal(state, legal[from][to] ? to : from);
        }
    }
}

TEST(a_refused_move_names_both_states)
{
    struct rw_err err = {0};
    int state = DONE;
    MUST_FAIL(sm_move(&table, &state, IDLE, &err), RW_E_POLICY);
    assert_string_equal(err.text, "engine: no way from 'done' to 'idle'");
}

TEST(states_are_found_by_name)
{
    struct rw_err err = {0};
    int state = -1;
    for (int i = IDLE; i <= DONE; i++) {
        MUST(sm_find(&table, sm_name(&table, i), &state, &err));
        assert_int_equal(state, i);
    }
    MUST_FAIL(sm_find(&table, "Idle", &state, &err), RW_E_NOT_FOUND);
    assert_non_null(strstr(err.hint, sm_name(&table, IDLE))); /* what there is */
    assert_non_null(strstr(err.hint, sm_name(&table, DONE)));
    MUST_FAIL(sm_find(&table, "", &state, &err), RW_E_NOT_FOUND);
}

static void move_outside(void)
{
    struct rw_err err = {0};
    int state = IDLE;
    RW_IGNORE(sm_move(&table, &state, 3, &err), "asserted");
}

static void name_outside(void)
{
    (void)sm_name(&table, -1);
}

TEST(a_state_outside_the_table_is_a_bug_of_ours)
{
    assert_int_equal(capture_signal(move_outside), SIGABRT);
    assert_int_equal(capture_signal(name_outside), SIGABRT);
}

RUN_TESTS(cmocka_unit_test(exactly_the_moves_of_the_table_are_legal),
          cmocka_unit_test(a_refused_move_names_both_states),
          cmocka_unit_test(states_are_found_by_name),
          cmocka_unit_test(a_state_outside_the_table_is_a_bug_of_ours))
