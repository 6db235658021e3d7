/* Goal: a control can only keep an endpoint behind, as long as the policy allows, and never from the way back. Every
 * control meets every class and state at several times; what must come out stands in tables that were written down
 * by hand, not computed. (INV-7: a control never brings anything forward.) */
#include "common/policy/control_rule.h"
#include "tests/harness.h"

enum { HOUR = 3600, DAY = 86400 };

/* Day 100 of a virtual calendar: release 7 was offered 10 days ago, 8 five days ago, 9 one day ago. */
static const struct control_limits limits = {.pause_longest_s = DAY,
                                             .hold_longest_s = 30 * DAY,
                                             .pin_longest_s = 90 * DAY,
                                             .delay_longest_s = 3 * DAY};
#define DAY_AT(d) ((struct rw_wall){(int64_t)((d)*86400)})

/* --- the matrix --- */

enum { NONE, PAUSE, HOLD, DELAY, BACK_1, BACK_2, RELEASE_8, CONTROLS };
static const char *const control_names[] = {"none", "pause", "hold",     "delay",
                                            "n-1",  "n-2",   "release 8"};

static const struct control controls[CONTROLS] = {
    [PAUSE] = {.kind = CONTROL_PAUSE, .since = {100 * DAY - 6 * HOUR}},
    [HOLD] = {.kind = CONTROL_HOLD, .since = {99 * DAY}, .until = {102 * DAY}},
    [DELAY] = {.kind = CONTROL_DELAY, .amount = 2 * DAY, .since = {90 * DAY}},
    [BACK_1] = {.kind = CONTROL_BACK, .amount = 1, .since = {90 * DAY}},
    [BACK_2] = {.kind = CONTROL_BACK, .amount = 2, .since = {90 * DAY}},
    [RELEASE_8] = {.kind = CONTROL_RELEASE, .family = "yara", .amount = 8, .since = {90 * DAY}},
};

/* What a cell says: the release that may run, or S: stays, W: waits. Installed is 8 unless the state says otherwise. */
struct row {
    const char *id;
    int64_t installed;
    bool installed_bad;
    int bad;          /* an offer that is bad; 0: none */
    bool points_back; /* the ring points at 7 again; 8 and 9 are forgotten */
    double day;       /* the clock */
    double passed;    /* what has certainly passed */
    /*              none pause hold delay n-1 n-2 release-8 */
    const char *want[CONTROLS];
};

static const struct row rows[] = {
    {"fresh release", 8, false, 0, false, 100, 100, {"9", "S", "S", "W", "S", "7", "S"}},
    {"nothing installed", 0, false, 0, false, 100, 100, {"9", "S", "S", "9", "8", "7", "8"}},
    {"newest installed", 9, false, 0, false, 100, 100, {"9", "9", "9", "9", "8", "7", "8"}},
    {"one behind n-2", 7, false, 0, false, 100, 100, {"9", "S", "S", "8", "8", "S", "8"}},
    {"delay over", 8, false, 0, false, 101.01, 101.01, {"9", "9", "S", "9", "S", "7", "S"}},
    {"last second of the delay",
     8,
     false,
     0,
     false,
     100.99,
     100.99,
     {"9", "9", "S", "W", "S", "7", "S"}},
    {"hold over", 8, false, 0, false, 102, 102, {"9", "9", "9", "9", "S", "7", "S"}},
    {"pause lapsed", 8, false, 0, false, 100.75, 100.75, {"9", "9", "S", "W", "S", "7", "S"}},
    {"pin lapsed", 8, false, 0, false, 180, 180, {"9", "9", "9", "9", "9", "9", "9"}},
    {"pin in its last hour",
     8,
     false,
     0,
     false,
     179.96,
     179.96,
     {"9", "9", "9", "9", "S", "7", "S"}},
    {"active withdrawn", 8, true, 8, false, 100, 100, {"9", "9", "9", "9", "9", "9", "9"}},
    {"n-1 withdrawn, newest active",
     9,
     false,
     8,
     false,
     100,
     100,
     {"9", "9", "9", "9", "7", "7", "7"}},
    {"n-2 on the bad-list", 8, false, 7, false, 100, 100, {"9", "S", "S", "W", "S", "S", "S"}},
    {"due release is withdrawn", 7, false, 8, false, 100, 100, {"9", "S", "S", "W", "S", "S", "S"}},
    {"rollback to 7", 8, false, 0, true, 100, 100, {"7", "7", "7", "7", "7", "7", "7"}},
    {"rollback from withdrawn", 8, true, 0, true, 100, 100, {"7", "7", "7", "7", "7", "7", "7"}},
    {"clock stepped back a month",
     8,
     false,
     0,
     false,
     70,
     100,
     {"9", "S", "S", "W", "S", "7", "S"}},
    {"clock back, time has passed",
     8,
     false,
     0,
     false,
     70,
     200,
     {"9", "9", "9", "W", "9", "9", "9"}},
    {"clock a year ahead", 8, false, 0, false, 465, 465, {"9", "9", "9", "9", "9", "9", "9"}},
};

static const struct class
{
    const char *name;
    bool unpausable;
} classes[] = {{"data", true}, {"rules", false}, {"engine", false}};

static size_t offers_of(const struct row *r, struct control_offer offers[static 3])
{
    static const struct control_offer all[] = {{.release = 9, .at = {99 * DAY}},
                                               {.release = 8, .at = {95 * DAY}},
                                               {.release = 7, .at = {90 * DAY}}};
    size_t n = 0;
    for (size_t i = r->points_back ? 2 : 0; i < RW_LEN(all); i++) {
        offers[n] = all[i];
        offers[n++].bad = all[i].release == r->bad;
    }
    return n;
}

static struct control_facts facts_of(const struct row *r, const struct class *c,
                                     const struct control_offer *offers, size_t count)
{
    return (struct control_facts){.limits = limits,
                                  .family = "yara",
                                  .class_name = c->name,
                                  .unpausable = c->unpausable,
                                  .policy_line = 12,
                                  .offers = offers,
                                  .offer_count = count,
                                  .installed = r->installed,
                                  .installed_bad = r->installed_bad,
                                  .now = DAY_AT(r->day),
                                  .passed = DAY_AT(r->passed)};
}

static void check_cell(const struct row *r, const struct class *c, int kind, const char *want)
{
    char got[24];
    struct control_offer offers[3];
    size_t n = offers_of(r, offers);
    struct control_facts f = facts_of(r, c, offers, n);
    f.controls = &controls[kind];
    f.count = kind == NONE ? 0 : 1;
    struct control_result x = control_rule_decide(&f);
    (void)snprintf(got, sizeof(got), "%lld", (long long)x.release);
    if (x.effect == CONTROL_STAY || x.effect == CONTROL_WAIT) {
        assert_int_equal(x.release, r->installed);
        (void)snprintf(got, sizeof(got), "%s", x.effect == CONTROL_STAY ? "S" : "W");
    }
    if (strcmp(got, want) != 0) {
        fail_msg("%s, class %s, %s: %s, want %s (%s)", r->id, c->name, control_names[kind], got,
                 want, x.reason);
    }
    /* Whoever is kept is told why; nobody else is told anything, but why a control does nothing. */
    if (x.effect != CONTROL_FOLLOW) { assert_true(x.reason[0] != '\0'); }
}

TEST_EACH(every_control_meets_every_class_and_state, rows)
{
    for (size_t c = 0; c < RW_LEN(classes); c++) {
        for (int kind = 0; kind < CONTROLS; kind++) {
            /* An unpausable class follows the ring: the first column. */
            check_cell(it, &classes[c], kind, it->want[classes[c].unpausable ? NONE : kind]);
        }
    }
}

/* --- what the matrix does not say --- */

static struct control_facts plain_facts(const struct control_offer *offers)
{
    static const struct row fresh = {.installed = 8, .day = 100, .passed = 100};
    return facts_of(&fresh, &classes[1], offers, 3);
}

TEST(refusal_names_class_and_line_of_the_policy)
{
    struct control_offer offers[3];
    static const struct row fresh = {.installed = 8, .day = 100, .passed = 100};
    size_t n = offers_of(&fresh, offers);
    struct control_facts f = facts_of(&fresh, &classes[0], offers, n);
    f.controls = &controls[HOLD];
    f.count = 1;
    struct control_result x = control_rule_decide(&f);
    assert_int_equal(x.effect, CONTROL_FOLLOW);
    assert_string_equal(x.reason,
                        "hold is refused: class 'data' cannot be controlled (policy line 12)");
}

TEST(delay_longer_than_the_time_between_releases_does_not_starve)
{
    /* A release every six hours, a delay of two days: the endpoint runs what was new two days ago, not nothing. */
    struct control_offer offers[CONTROL_OFFERS_MAX];
    for (size_t i = 0; i < CONTROL_OFFERS_MAX; i++) {
        offers[i] = (struct control_offer){.release = 20 - (int64_t)i,
                                           .at = {100 * DAY - (int64_t)i * 8 * HOUR}};
    }
    struct control_facts f = plain_facts(offers);
    f.offer_count = CONTROL_OFFERS_MAX;
    f.controls = &controls[DELAY];
    f.count = 1;
    struct control_result x = control_rule_decide(&f);
    assert_int_equal(x.effect, CONTROL_LAG);
    assert_int_equal(x.release, 14);
    assert_int_equal(x.not_before.s, 100 * DAY + 8 * HOUR); /* when 15 is due */
}

TEST(pin_whose_history_was_lost_stays_where_it_is)
{
    static const struct control_offer only = {.release = 9, .at = {99 * DAY}};
    struct control_facts f = plain_facts(&only);
    f.offer_count = 1;
    f.controls = &controls[BACK_1];
    f.count = 1;
    struct control_result x = control_rule_decide(&f);
    assert_int_equal(x.effect, CONTROL_STAY);
    f.installed = 0; /* protection first */
    assert_int_equal(control_rule_decide(&f).effect, CONTROL_FOLLOW);
}

TEST(delay_above_the_policys_greatest_is_cut)
{
    struct control_offer offers[3];
    const struct row r = {.installed = 8, .day = 102.01, .passed = 102.01};
    size_t n = offers_of(&r, offers);
    struct control_facts f = facts_of(&r, &classes[1], offers, n);
    const struct control month = {.kind = CONTROL_DELAY, .amount = 30 * DAY};
    f.controls = &month;
    f.count = 1;
    assert_int_equal(control_rule_decide(&f).release,
                     9); /* 3 days and some minutes after it was offered */
}

TEST(control_of_another_family_says_nothing)
{
    struct control_offer offers[3];
    static const struct row fresh = {.installed = 8, .day = 100, .passed = 100};
    struct control c = controls[HOLD];
    (void)offers_of(&fresh, offers);
    struct control_facts f = plain_facts(offers);
    (void)snprintf(c.family, sizeof(c.family), "ids");
    f.controls = &c;
    f.count = 1;
    assert_int_equal(control_rule_decide(&f).effect, CONTROL_FOLLOW);
}

TEST(age_and_end_are_told)
{
    struct rw_wall ends;
    const struct control *pin = &controls[BACK_1];
    assert_int_equal(control_rule_life(pin, &limits, DAY_AT(135), &ends), CONTROL_IN_FORCE);
    assert_int_equal(ends.s, 180 * DAY);
    assert_false(control_rule_is_old(pin, &limits, DAY_AT(170)));
    assert_true(control_rule_is_old(pin, &limits, DAY_AT(172)));
    assert_int_equal(control_rule_life(pin, &limits, DAY_AT(180), &ends), CONTROL_LAPSED);
    assert_true(control_rule_is_old(pin, &limits, DAY_AT(180)));
    assert_int_equal(control_rule_life(&controls[HOLD], &limits, DAY_AT(102), &ends), CONTROL_OVER);
    assert_int_equal(control_rule_life(&controls[DELAY], &limits, DAY_AT(9999), &ends),
                     CONTROL_IN_FORCE);
    /* A hold whose own end lies behind the greatest age lapses by age; a time that overflows is no time. */
    struct control c = {.kind = CONTROL_HOLD, .since = {99 * DAY}, .until = {900 * DAY}};
    assert_int_equal(control_rule_life(&c, &limits, DAY_AT(129), &ends), CONTROL_LAPSED);
    c.since.s = INT64_MAX - 5;
    assert_int_equal(control_rule_life(&c, &limits, DAY_AT(129), &ends), CONTROL_LAPSED);
}

static struct control random_control(uint32_t *state)
{
    struct control c = controls[1 + harness_random(state) % (CONTROLS - 1)];
    c.since.s = (int64_t)(harness_random(state) % (120 * DAY));
    c.until.s = (int64_t)(harness_random(state) % (120 * DAY));
    if (c.kind == CONTROL_RELEASE) { c.amount = harness_random(state) % 12; }
    c.by_operator = harness_random(state) % 2 == 0;
    return c;
}

/* INV-7: whatever else is set, one more control never lets a newer release in, nor any when there was none. */
TEST(one_more_control_never_brings_anything_forward)
{
    uint32_t state = harness_seed();
    for (int round = 0; round < 200000; round++) {
        struct control set[4];
        struct control_offer offers[3];
        const struct row r = {.installed = harness_random(&state) % 11,
                              .bad = (int)(harness_random(&state) % 10),
                              .installed_bad = harness_random(&state) % 8 == 0,
                              .points_back = harness_random(&state) % 8 == 0,
                              .day = harness_random(&state) % 130,
                              .passed = 100 + harness_random(&state) % 30};
        size_t n = offers_of(&r, offers);
        struct control_facts f = facts_of(&r, &classes[harness_random(&state) % 3], offers, n);
        int64_t before = offers[0].release;
        for (size_t i = 0; i < RW_LEN(set); i++) {
            set[i] = random_control(&state);
        }
        f.controls = set;
        for (f.count = 0; f.count <= RW_LEN(set); f.count++) {
            struct control_result x = control_rule_decide(&f);
            assert_true(x.release <= before);
            before = x.release;
            /* Either what the ring offers or offered, or what is there already. */
            bool known = x.release == r.installed;
            for (size_t i = 0; i < n; i++) {
                known = known || x.release == offers[i].release;
            }
            assert_true(known);
            /* The way back is never barred. */
            if (offers[0].release < r.installed || r.installed_bad) {
                assert_int_equal(x.release, offers[0].release);
            }
        }
    }
}

RUN_TESTS(cmocka_unit_test(every_control_meets_every_class_and_state),
          cmocka_unit_test(refusal_names_class_and_line_of_the_policy),
          cmocka_unit_test(delay_longer_than_the_time_between_releases_does_not_starve),
          cmocka_unit_test(pin_whose_history_was_lost_stays_where_it_is),
          cmocka_unit_test(delay_above_the_policys_greatest_is_cut),
          cmocka_unit_test(control_of_another_family_says_nothing),
          cmocka_unit_test(age_and_end_are_told),
          cmocka_unit_test(one_more_control_never_brings_anything_forward))
