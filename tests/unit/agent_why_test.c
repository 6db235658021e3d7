/* Goal: `why` names every rule (INV-12): whatever the install rule decides and for whatever reason, at least one line
 * says "keep" with the very words of the decision, exactly when nothing may begin; and no state leaves a rule out. */
#include "agent/agent_why.h"

#include "tests/why_world.h"

/* All rules that every list has, in order; controls stand behind "pointer". */
static const char *const every[] = {
    "enrolment", "metadata",  "clock",        "back-off", "ring",       "pointer",  "control",
    "agreement", "platform",  "engine",       "floor",    "withdrawal", "bad-list", "left-list",
    "drill",     "ring hold", "signing date", "bake",     "expedite",   "spread",   "change",
    "disk",      "download",  "sandbox",      "box",      "loader",     "permit",
};

/* --- the install rule --- */

static void nothing(struct facts *f)
{
    f->s.installed = 2;
}
static void unlisted(struct facts *f)
{
    f->c.listed = false;
}
static void other_hash(struct facts *f)
{
    f->c.sha256[0] = 8;
}
static void platform(struct facts *f)
{
    f->c.platform_fits = false;
}
static void engine(struct facts *f)
{
    f->s.engine = 10;
}
static void wide_engine(struct facts *f)
{
    f->s.engine_skew_max = 2;
}
static void floor_above(struct facts *f)
{
    f->c.floor = 3;
}
static void withdrawn(struct facts *f)
{
    f->c.withdrawn = true;
}
static void failed_here(struct facts *f)
{
    f->s.abandoned[0][0] = 7;
    f->s.abandoned_count = 1;
}
static void left_here(struct facts *f)
{
    f->s.left[0][0] = 7;
    f->s.left_count = 1;
}
static void drill(struct facts *f)
{
    f->c.drill = true;
}
static void hold(struct facts *f)
{
    f->p.hold = true;
}
static void dated_back(struct facts *f)
{
    f->c.signed_before.s = 1001;
}
static void no_bake_time(struct facts *f)
{
    f->c.has_not_before = false;
}
static void early(struct facts *f)
{
    f->now.s = 1450;
}
static void not_its_turn(struct facts *f)
{
    f->s.spread_s = 700;
}
static void back(struct facts *f)
{
    f->s.installed = 3;
    f->s.held = true;
    f->now.s = 1450;
}
static void back_to_unknown(struct facts *f)
{
    f->s.installed = 3;
    f->now.s = 1450;
}
static void expedited_now(struct facts *f)
{
    *f = good_expedited();
}
static void expedited_later(struct facts *f)
{
    *f = good_expedited();
    f->x.not_before.s = 1210;
}

static const struct case_of_rule {
    const char *id;
    void (*change)(struct facts *f);
    enum install_rule_decision decision;
    const char *rule; /* whose line is looked at */
    enum why_state state;
    int64_t left_s;
    const char *words;
} cases[] = {
    {"good", NULL, INSTALL_GO, "bake", WHY_PASS, -1, "over since 1970-01-01T00:25:00Z"},
    {"nothing", nothing, INSTALL_NOTHING, "pointer", WHY_PASS, -1, "release 2 is active"},
    {"unlisted", unlisted, INSTALL_REFUSE, "agreement", WHY_KEEP, -1, "does not list"},
    {"other_hash", other_hash, INSTALL_REFUSE, "agreement", WHY_KEEP, -1, "differ in SHA-256"},
    {"platform", platform, INSTALL_REFUSE, "platform", WHY_KEEP, -1, "not for this platform"},
    {"engine", engine, INSTALL_REFUSE, "engine", WHY_KEEP, -1, "not for this engine"},
    {"wide", wide_engine, INSTALL_REFUSE, "engine", WHY_KEEP, -1, "more engine versions"},
    {"floor", floor_above, INSTALL_REFUSE, "floor", WHY_KEEP, -1, "below the floor"},
    {"withdrawn", withdrawn, INSTALL_REFUSE, "withdrawal", WHY_KEEP, -1, "was withdrawn"},
    {"bad-list", failed_here, INSTALL_REFUSE, "bad-list", WHY_KEEP, -1, "failed on this endpoint"},
    {"left", left_here, INSTALL_REFUSE, "left-list", WHY_KEEP, -1, "left the release"},
    {"drills=no", drill, INSTALL_REFUSE, "drill", WHY_KEEP, -1, "takes no part in drills"},
    {"ring hold", hold, INSTALL_HOLD, "ring hold", WHY_KEEP, -1, "the ring is on hold"},
    {"signed", dated_back, INSTALL_REFUSE, "signing date", WHY_KEEP, -1, "before an earlier one"},
    {"no time", no_bake_time, INSTALL_REFUSE, "bake", WHY_KEEP, -1, "no valid bake time"},
    {"bake", early, INSTALL_WAIT, "bake", WHY_KEEP, 50, "at least 6m 40s after signing"},
    {"spread", not_its_turn, INSTALL_WAIT, "spread", WHY_KEEP, 200, "11m 40s of 13m 20s"},
    {"back", back, INSTALL_REVERT, "bake", WHY_PASS, -1, "ran here before"},
    {"back unknown", back_to_unknown, INSTALL_WAIT, "bake", WHY_KEEP, 50, "at least 6m 40s"},
    {"expedited", expedited_now, INSTALL_GO, "expedite", WHY_PASS, 200, "in force until"},
    {"expedited later", expedited_later, INSTALL_WAIT, "expedite", WHY_KEEP, 10, "begins at"},
};

TEST(every_decision_has_its_line_with_reason_and_time_left)
{
    bool seen[INSTALL_REVERT + 1] = {false};
    for (size_t i = 0; i < RW_LEN(cases); i++) {
        struct world w;
        begin(&w);
        if (cases[i].change != NULL) { cases[i].change(&w.f); }
        look(&w);
        print_message("%s\n", cases[i].id);
        assert_int_equal(w.family.result.decision, cases[i].decision);
        check_line(&w, cases[i].rule, cases[i].state, cases[i].left_s, cases[i].words);
        bool keeps = cases[i].decision == INSTALL_REFUSE || cases[i].decision == INSTALL_WAIT ||
                     cases[i].decision == INSTALL_HOLD;
        assert_int_equal(count_of(&w, WHY_KEEP) > 0, keeps);
        if (cases[i].decision == INSTALL_REFUSE) {
            check_line(&w, cases[i].rule, WHY_KEEP, -1, w.family.result.reason);
        }
        seen[cases[i].decision] = true;
    }
    for (size_t d = 0; d < RW_LEN(seen); d++) {
        assert_true(seen[d]);
    }
}

/* --- what is known of nothing --- */

static void check_all_named(const struct world *w)
{
    assert_int_equal(w->list.count, RW_LEN(every));
    for (size_t i = 0; i < RW_LEN(every); i++) {
        assert_string_equal(w->list.lines[i].rule, every[i]);
        assert_string_not_equal(w->list.lines[i].reason, "");
    }
}

TEST(every_rule_is_named_whatever_is_known)
{
    struct world w;
    begin(&w);
    look(&w);
    check_all_named(&w);
    assert_int_equal(count_of(&w, WHY_KEEP), 0);
    /* The ring has no entry for the family. */
    begin(&w);
    w.family.state = w.f.s;
    (void)snprintf(w.family.result.reason, INSTALL_REASON_BYTES, "ring 'canary' has no entry");
    agent_why_list(&w.why, &w.list);
    check_all_named(&w);
    check_line(&w, "pointer", WHY_KEEP, -1, "ring 'canary' has no entry");
    check_line(&w, "bake", WHY_UNKNOWN, -1, "no content entry");
    /* Before the first poll. */
    begin(&w);
    w.poll = (struct poll_output){.ok = false};
    w.why.polled = false;
    w.why.grade = "";
    w.why.next_poll_s = 5;
    agent_why_list(&w.why, &w.list);
    check_all_named(&w);
    check_line(&w, "metadata", WHY_UNKNOWN, 5, "no poll has ended yet");
    check_line(&w, "ring", WHY_UNKNOWN, -1, "bucket 1000");
}

TEST(more_controls_than_an_endpoint_can_have_do_not_overflow)
{
    struct world w;
    begin(&w);
    control(&w, CONTROL_PAUSE, CONTROL_STAY, "paused");
    w.poll.control_count = CONTROL_MAX;
    look(&w);
    assert_true(w.list.count <= WHY_LINES_MAX);
    check_line(&w, "permit", WHY_UNKNOWN, -1, "every other rule");
}

RUN_TESTS(cmocka_unit_test(every_decision_has_its_line_with_reason_and_time_left),
          cmocka_unit_test(every_rule_is_named_whatever_is_known),
          cmocka_unit_test(more_controls_than_an_endpoint_can_have_do_not_overflow))
