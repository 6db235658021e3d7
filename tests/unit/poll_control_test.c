/* Goal: what controls keep, a poll does not begin: no permit is asked for, so the endpoint counts as not exposed; a pin
 * that is set goes back to what ran here; nothing holds an endpoint at what was taken back. */
#include "agent/poll/poll.h"

#include "tests/unit/poll_fixture.h"

static void set(struct bench *b, const struct control *controls, size_t count)
{
    poll_drop(&b->poll);
    b->o.controls = controls;
    b->o.control_count = count;
    open_poll(b);
}

static const struct poll_family *offer(struct bench *b, int release)
{
    add_pointer(b, "yara", release, "go");
    publish(b);
    const struct poll_output *o = run(b);
    if (!o->ok) { fail_msg("%s", o->err.text); }
    return family(o, "yara");
}

static const struct control pause_control = {.kind = CONTROL_PAUSE};
static const struct control delay = {.kind = CONTROL_DELAY, .amount = 3600};
static const struct control pin_back = {.kind = CONTROL_BACK, .amount = 1};
static const struct control pin_1 = {.kind = CONTROL_RELEASE, .family = "yara", .amount = 1};

static const struct keep_case {
    const char *id;
    const struct control *control;
    enum install_rule_decision decision;
    const char *reason;
} keeps[] = {
    {"pause", &pause_control, INSTALL_HOLD, "paused by the administrator"},
    {"delay", &delay, INSTALL_WAIT, "delayed by the administrator"},
    {"n-1", &pin_back, INSTALL_NOTHING, "release 1 is active"},
    {"release", &pin_1, INSTALL_NOTHING, "release 1 is active"},
};

TEST_EACH(what_is_kept_asks_for_no_permit, keeps)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    active(b, "yara", 1);
    proven(b, "yara", 2);
    set(b, it->control, 1);
    (void)offer(b, 1);
    const struct poll_family *f = offer(b, 2);
    assert_int_equal(f->action, POLL_NONE);
    if (it->decision != INSTALL_NOTHING) {
        assert_int_equal(f->result.decision, it->decision);
        assert_non_null(strstr(f->result.reason, it->reason));
    }
    assert_int_equal(f->offered, 2);
    assert_int_equal(web_count_of(b->web, 0, "/v1/permits"), 0);
    /* Without it the same poll asks. */
    set(b, NULL, 0);
    f = offer(b, 2);
    assert_int_equal(f->action, POLL_ACTIVATE);
    assert_int_equal(web_count_of(b->web, 0, "/v1/permits"), 1);
}

TEST(pin_goes_back_to_what_ran_here_without_a_permit)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    active(b, "yara", 2);
    proven(b, "yara", 1);
    set(b, &pin_back, 1);
    (void)offer(b, 1); /* the ring was there once */
    const struct poll_family *f = offer(b, 2);
    assert_int_equal(f->action, POLL_REVERT);
    assert_int_equal(f->content.release, 1);
    assert_int_equal(f->control.effect, CONTROL_LAG);
    assert_int_equal(web_count_of(b->web, 0, "/v1/permits"), 0);
}

TEST(ring_that_goes_back_is_followed_on_hold)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    active(b, "yara", 2);
    proven(b, "yara", 1);
    set(b, &pause_control, 1);
    const struct poll_family *f = offer(b, 1);
    assert_int_equal(f->action, POLL_REVERT);
}

TEST(operators_control_keeps_like_the_administrators)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    active(b, "yara", 1);
    proven(b, "yara", 2);
    b->in.remote[0] =
        (struct control){.kind = CONTROL_HOLD, .since = b->now, .until = {b->now.s + 3600}};
    b->in.remote_count = 1;
    const struct poll_family *f = offer(b, 2);
    assert_int_equal(f->result.decision, INSTALL_HOLD);
    assert_non_null(strstr(f->result.reason, "held by the operator until"));
    assert_int_equal(web_count_of(b->web, 0, "/v1/permits"), 0);
    b->now.s += 3600; /* its end */
    f = offer(b, 2);
    assert_int_equal(f->action, POLL_ACTIVATE);
}

TEST(age_of_a_pause_survives_a_restart_and_it_lapses)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    active(b, "yara", 1);
    proven(b, "yara", 2);
    set(b, &pause_control, 1);
    (void)offer(b, 2);
    b->now.s += 86400 - 10;
    set(b, &pause_control, 1); /* the agent starts again */
    assert_int_equal(offer(b, 2)->result.decision, INSTALL_HOLD);
    b->now.s += 10;
    const struct poll_output *o = run(b);
    assert_int_equal(family(o, "yara")->action, POLL_ACTIVATE);
    assert_int_equal(o->control_count, 1); /* still told */
}

RUN_TESTS(cmocka_unit_test(what_is_kept_asks_for_no_permit),
          cmocka_unit_test(pin_goes_back_to_what_ran_here_without_a_permit),
          cmocka_unit_test(ring_that_goes_back_is_followed_on_hold),
          cmocka_unit_test(operators_control_keeps_like_the_administrators),
          cmocka_unit_test(age_of_a_pause_survives_a_restart_and_it_lapses))
