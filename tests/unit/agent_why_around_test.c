/* Goal: INV-12: what stands around the install rule and can keep content from an endpoint is named as well: enrolment,
 * metadata, clock, controls, other changes, disk, sandbox, loader, permit. */
#include "agent/agent_why.h"

#include "tests/why_world.h"

static void refused_token(struct world *w)
{
    w->why.token_refused = true;
}
static void not_enrolled(struct world *w)
{
    w->poll.token[0] = '\0';
}
static void expired(struct world *w)
{
    w->poll.expires.s = 2000;
}
static void failed_polls(struct world *w)
{
    w->poll.ok = false;
    (void)snprintf(w->poll.err.text, sizeof(w->poll.err.text), "no route to server");
    w->why.failures = 3;
    w->why.next_poll_s = 17;
}
static void clock_behind(struct world *w)
{
    w->poll.clock = CLOCK_RULE_BEHIND;
    w->poll.floor.s = 3000;
}
static void clock_ahead(struct world *w)
{
    w->poll.clock = CLOCK_RULE_AHEAD;
}
static void trial(struct world *w)
{
    w->change.change = SLOT_TRIAL;
    w->change.probation_s = 60;
    w->change.to.release = 9;
    (void)snprintf(w->change.to.family, sizeof(w->change.to.family), "ids");
    w->why.idle = false;
}
static void starting(struct world *w)
{
    w->why.idle = false;
    w->why.phase = "starting";
}
static void full_disk(struct world *w)
{
    w->poll.store_full = true;
    w->family.stage = POLL_STAGE_FETCH;
    (void)snprintf(w->family.note, sizeof(w->family.note), "fetch: the store is full");
}
static void no_grade(struct world *w)
{
    w->why.grade = "none";
}
static void weak_grade(struct world *w)
{
    w->why.grade = "weak";
}
static void self_testing(struct world *w)
{
    w->why.grade = "";
}
static void box_refused(struct world *w)
{
    w->family.stage = POLL_STAGE_PROVE;
    (void)snprintf(w->family.verdict, sizeof(w->family.verdict), "refused: too slow");
}
static void loader_refused(struct world *w)
{
    w->family.stage = POLL_STAGE_PROVE;
    (void)snprintf(w->family.verdict, sizeof(w->family.verdict),
                   "refused: dry run of the whole set: same rule");
}
static void no_loader(struct world *w)
{
    w->why.loader = false;
}
static void no_permit(struct world *w)
{
    w->family.stage = POLL_STAGE_PERMIT;
    w->family.retry_after_s = 30;
    (void)snprintf(w->family.note, sizeof(w->family.note), "permit: wait: the window is used up");
}
static void permitted(struct world *w)
{
    w->family.stage = POLL_STAGE_READY;
    w->family.action = POLL_ACTIVATE;
}
static void paused(struct world *w)
{
    control(w, CONTROL_PAUSE, CONTROL_STAY, "paused by the administrator");
}
static void held(struct world *w)
{
    control(w, CONTROL_HOLD, CONTROL_STAY, "held by the administrator");
}
static void delayed(struct world *w)
{
    control(w, CONTROL_DELAY, CONTROL_WAIT, "delayed by the administrator");
    w->family.control.not_before.s = 2007;
}
static void pinned(struct world *w)
{
    control(w, CONTROL_BACK, CONTROL_LAG, "pinned by the administrator");
}
static void unpausable(struct world *w)
{
    control(w, CONTROL_PAUSE, CONTROL_FOLLOW, "pause is refused: class 'data'");
}
static void lapsed(struct world *w)
{
    control(w, CONTROL_PAUSE, CONTROL_FOLLOW, "");
    w->poll.controls[0].since.s = 1000;
}
static void other_family(struct world *w)
{
    control(w, CONTROL_PAUSE, CONTROL_FOLLOW, "");
    (void)snprintf(w->poll.controls[0].family, CONTROL_FAMILY_BYTES, "ids");
}
static void by_configuration(struct world *w)
{
    w->poll.ring_configured = true;
}

static const struct around {
    void (*change)(struct world *w);
    const char *rule;
    enum why_state state;
    int64_t left_s;
    const char *words;
} arounds[] = {
    {refused_token, "enrolment", WHY_KEEP, -1, "does not accept"},
    {not_enrolled, "enrolment", WHY_KEEP, -1, "not enrolled"},
    {expired, "metadata", WHY_KEEP, -1, "expired at 1970-01-01T00:33:20Z"},
    {failed_polls, "metadata", WHY_KEEP, 17, "no route to server"},
    {failed_polls, "back-off", WHY_KEEP, 17, "3 polls failed"},
    {clock_behind, "clock", WHY_KEEP, -1, "behind 1970-01-01T00:50:00Z"},
    {clock_ahead, "clock", WHY_KEEP, -1, "ahead"},
    {by_configuration, "ring", WHY_PASS, -1, "'canary' by configuration"},
    {no_loader, "ring", WHY_PASS, -1, "'canary' by bucket 1000, range 500 to 2499"},
    {trial, "change", WHY_KEEP, -1, "trial of ids/9 is under way (steady, probation 60 s)"},
    {starting, "change", WHY_KEEP, -1, "not settled: starting"},
    {full_disk, "disk", WHY_KEEP, -1, "waits for room"},
    {full_disk, "download", WHY_KEEP, 0, "the store is full"},
    {no_grade, "sandbox", WHY_KEEP, -1, "grade none"},
    {weak_grade, "sandbox", WHY_KEEP, -1, "grade weak"},
    {self_testing, "sandbox", WHY_UNKNOWN, -1, "self-test"},
    {box_refused, "box", WHY_KEEP, -1, "refused: too slow"},
    {loader_refused, "loader", WHY_KEEP, -1, "same rule"},
    {no_loader, "loader", WHY_UNKNOWN, -1, "sensor_loader: none"},
    {no_permit, "permit", WHY_KEEP, 30, "the window is used up"},
    {permitted, "permit", WHY_PASS, -1, "granted"},
    {paused, "pause", WHY_KEEP, 50, "paused by the administrator"},
    {held, "hold", WHY_KEEP, 40, "held by the administrator"},
    {delayed, "delay", WHY_KEEP, 7, "delayed by the administrator"},
    {pinned, "pin", WHY_KEEP, 50, "pinned by the administrator"},
    {unpausable, "pause", WHY_PASS, 50, "class 'data'"},
    {lapsed, "pause", WHY_PASS, -1, "lapsed"},
    {other_family, "control", WHY_PASS, -1, "no delay, hold, pin or pause"},
};

TEST(what_stands_around_the_install_rule_is_named_too)
{
    for (size_t i = 0; i < RW_LEN(arounds); i++) {
        struct world w;
        begin(&w);
        arounds[i].change(&w);
        look(&w);
        print_message("%zu %s\n", i, arounds[i].rule);
        check_line(&w, arounds[i].rule, arounds[i].state, arounds[i].left_s, arounds[i].words);
    }
}

RUN_TESTS(cmocka_unit_test(what_stands_around_the_install_rule_is_named_too))
