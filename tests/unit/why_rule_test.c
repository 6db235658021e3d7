/* Goal: `why` names every rule (INV-12): whatever the install rule decides and for whatever reason, at least one line
 * says "keep" with the very words of the decision, exactly when nothing may begin; and no state leaves a rule out. */
#include "agent/why_rule.h"

#include "tests/install_rule_facts.h"

#include <string.h>

/* All rules that every list has, in order; controls stand behind "pointer". */
static const char *const every[] = {
    "enrolment", "metadata",  "clock",        "back-off", "ring",       "pointer",  "control",
    "agreement", "platform",  "engine",       "floor",    "withdrawal", "bad-list", "left-list",
    "drill",     "ring hold", "signing date", "bake",     "expedite",   "spread",   "change",
    "disk",      "download",  "sandbox",      "box",      "loader",     "permit",
};

struct world {
    struct facts f;
    struct poll_output poll;
    struct poll_family family;
    struct slot_trial change;
    struct why_facts why;
    struct why_list list;
};

static void begin(struct world *w)
{
    *w = (struct world){.f = good()};
    w->poll = (struct poll_output){.ok = true,
                                   .ring = "canary",
                                   .trust = "ok",
                                   .token = "rwe2.x",
                                   .expires = {9000},
                                   .bucket_lo = 500,
                                   .bucket_hi = 2500,
                                   .ring_spread_s = 800,
                                   .has_limits = true,
                                   .limits = {100, 100, 100, 100}};
    w->why = (struct why_facts){.poll = &w->poll,
                                .family = &w->family,
                                .change = &w->change,
                                .polled = true,
                                .idle = true,
                                .phase = "steady",
                                .grade = "full",
                                .loader = true,
                                .bucket = 1000};
}

/* As a poll leaves it. */
static void look(struct world *w)
{
    struct poll_family *x = &w->family;
    x->has_pointer = true;
    x->pointer = w->f.p;
    x->offered = w->f.p.release;
    x->content = w->f.c;
    x->expedite = w->f.x;
    x->state = w->f.s;
    x->result = install_rule_decide(&w->f.p, &w->f.c, &w->f.x, &w->f.s, w->f.now);
    w->why.now = w->f.now;
    why_rule_list(&w->why, &w->list);
}

static const struct why_line *line_of(const struct world *w, const char *rule)
{
    for (size_t i = 0; i < w->list.count; i++) {
        if (strcmp(w->list.lines[i].rule, rule) == 0) { return &w->list.lines[i]; }
    }
    fail_msg("no line of '%s'", rule);
    return NULL;
}

static void check_line(const struct world *w, const char *rule, enum why_state state,
                       int64_t left_s, const char *words)
{
    const struct why_line *l = line_of(w, rule);
    if (l->state != state || l->left_s != left_s || strstr(l->reason, words) == NULL) {
        fail_msg("%s: %s (%lld s): %s; wanted %s, %lld s, '%s'", rule,
                 why_rule_state_name(l->state), (long long)l->left_s, l->reason,
                 why_rule_state_name(state), (long long)left_s, words);
    }
}

static size_t count_of(const struct world *w, enum why_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < w->list.count; i++) {
        n += w->list.lines[i].state == state ? 1 : 0;
    }
    return n;
}

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
    {"bake", early, INSTALL_WAIT, "bake", WHY_KEEP, 50, "at least 400 s after signing"},
    {"spread", not_its_turn, INSTALL_WAIT, "spread", WHY_KEEP, 200, "700 s of 800 s"},
    {"back", back, INSTALL_REVERT, "bake", WHY_PASS, -1, "ran here before"},
    {"back unknown", back_to_unknown, INSTALL_WAIT, "bake", WHY_KEEP, 50, "at least 400 s"},
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

/* --- what stands around it --- */

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
static void control(struct world *w, enum control_kind kind, enum control_effect effect,
                    const char *reason)
{
    w->poll.control_count = 1;
    w->poll.controls[0] = (struct control){.kind = kind, .since = {1950}, .until = {2040}};
    w->family.control.effect = effect;
    (void)snprintf(w->family.control.reason, sizeof(w->family.control.reason), "%s", reason);
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
    why_rule_list(&w.why, &w.list);
    check_all_named(&w);
    check_line(&w, "pointer", WHY_KEEP, -1, "ring 'canary' has no entry");
    check_line(&w, "bake", WHY_UNKNOWN, -1, "no content entry");
    /* Before the first poll. */
    begin(&w);
    w.poll = (struct poll_output){.ok = false};
    w.why.polled = false;
    w.why.grade = "";
    w.why.next_poll_s = 5;
    why_rule_list(&w.why, &w.list);
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
          cmocka_unit_test(what_stands_around_the_install_rule_is_named_too),
          cmocka_unit_test(every_rule_is_named_whatever_is_known),
          cmocka_unit_test(more_controls_than_an_endpoint_can_have_do_not_overflow))
