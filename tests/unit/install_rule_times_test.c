/* Goal: through all orders of all times, present and missing, nothing is early but by a valid expedite, and nothing is
 * below the hard minimum; an expedite shortens the bake and does nothing else (INV-7). */
#include "common/policy/install_rule.h"

#include "tests/harness.h"
#include "tests/install_rule_facts.h"

static void unlisted(struct facts *f)
{
    f->c.listed = false;
}
static void other_hash(struct facts *f)
{
    f->c.sha256[31] = 1;
}
static void on_hold(struct facts *f)
{
    f->p.hold = true;
}
static void failed_here(struct facts *f)
{
    f->s.abandoned[0][0] = 7;
    f->s.abandoned_count = 1;
}
static void withdrawn(struct facts *f)
{
    f->c.withdrawn = true;
}
static void below_the_floor(struct facts *f)
{
    f->c.floor = 3;
}
static void engine_too_new(struct facts *f)
{
    f->s.engine = 10;
}
static void nothing_wrong(struct facts *f)
{
    (void)f;
}

/* --- expedite: whatever is wrong with it, the bake is back --- */
static void x_unlisted(struct facts *f)
{
    f->x.listed = false;
}
static void x_other_family(struct facts *f)
{
    f->x.family[0] = 'x';
}
static void x_other_release(struct facts *f)
{
    f->x.release = 1;
}
static void x_other_length(struct facts *f)
{
    f->x.length++;
}
static void x_other_hash(struct facts *f)
{
    f->x.sha256[31] = 1;
}
static void x_other_ring(struct facts *f)
{
    f->x.names_ring = false;
}
static void x_no_time(struct facts *f)
{
    f->x.not_before.s = 0;
    f->s.expedite_longest_s = 1000000;
}
static void x_not_yet(struct facts *f)
{
    f->x.not_before.s = 1201;
}
static void x_over(struct facts *f)
{
    f->x.until.s = 1200;
}
static void x_last_second(struct facts *f)
{
    f->x.until.s = 1201;
}
static void x_role_expired(struct facts *f)
{
    f->x.expires.s = 1200;
}
static void x_too_long(struct facts *f)
{
    f->x.until.s = 2011;
}
static void x_as_long_as_allowed(struct facts *f)
{
    f->x.until.s = 2010;
}
static void x_below_hard_min(struct facts *f)
{
    f->s.hard_min_s = 201;
}
static void x_exactly_hard_min(struct facts *f)
{
    f->s.hard_min_s = 200;
}
static void x_no_hard_min(struct facts *f)
{
    f->s.hard_min_s = -1;
}
static void x_content_without_time(struct facts *f)
{
    f->c.has_not_before = false;
}
static void x_spread_eighth_over(struct facts *f)
{
    f->s.spread_s = 8 * 170 + 7;
}
static void x_spread_eighth_not_over(struct facts *f)
{
    f->s.spread_s = 8 * 171;
}
static void x_back_to_what_never_ran(struct facts *f)
{
    f->s.installed = 3;
}

static const struct decision_case expedites[] = {
    {"expedited", nothing_wrong, INSTALL_GO},
    {"no expedite", x_unlisted, INSTALL_WAIT},
    {"of another family", x_other_family, INSTALL_WAIT},
    {"of another release", x_other_release, INSTALL_WAIT},
    {"of another length", x_other_length, INSTALL_WAIT},
    {"of another hash", x_other_hash, INSTALL_WAIT},
    {"does not name this ring", x_other_ring, INSTALL_WAIT},
    {"without a time", x_no_time, INSTALL_WAIT},
    {"its time has not come", x_not_yet, INSTALL_WAIT},
    {"its time is over", x_over, INSTALL_WAIT},
    {"its last second", x_last_second, INSTALL_GO},
    {"its role expired", x_role_expired, INSTALL_WAIT},
    {"longer than the policy allows", x_too_long, INSTALL_WAIT},
    {"as long as the policy allows", x_as_long_as_allowed, INSTALL_GO},
    {"below the hard minimum", x_below_hard_min, INSTALL_WAIT},
    {"exactly the hard minimum", x_exactly_hard_min, INSTALL_GO},
    {"no hard minimum", x_no_hard_min, INSTALL_WAIT},
    {"content without a time", x_content_without_time, INSTALL_REFUSE},
    {"an eighth of the spread is over", x_spread_eighth_over, INSTALL_GO},
    {"an eighth of the spread is not over", x_spread_eighth_not_over, INSTALL_WAIT},
    {"back to what never ran here", x_back_to_what_never_ran, INSTALL_REVERT},
    {"on hold", on_hold, INSTALL_HOLD},
    {"unlisted content", unlisted, INSTALL_REFUSE},
    {"content of another hash than the pointer", other_hash, INSTALL_REFUSE},
    {"failed here", failed_here, INSTALL_REFUSE},
    {"withdrawn", withdrawn, INSTALL_REFUSE},
    {"below the floor", below_the_floor, INSTALL_REFUSE},
    {"another engine", engine_too_new, INSTALL_REFUSE},
};

TEST_EACH(an_expedite_shortens_the_bake_and_does_nothing_else, expedites)
{
    struct facts f = good_expedited();
    it->change(&f);
    struct install_rule_result r = install_rule_decide(&f.p, &f.c, &f.x, &f.s, f.now);
    assert_int_equal(r.decision, it->want);
    if (it->want == INSTALL_GO) { assert_true(r.expedited); }
    if (it->want == INSTALL_GO) { assert_non_null(strstr(r.reason, "expedited")); }
    assert_int_equal(install_rule_wants_expedite(&r), it->want == INSTALL_WAIT && !r.expedited);
}

/* --- all orders of all times --- */
enum { T = 100 };

/* What the documents say, in plain words: the earliest second, INT64_MAX for never; -1: refused. */
static int64_t earliest_by_the_page(const struct facts *f)
{
    if (!f->c.has_not_before || f->c.not_before.s <= 0 || f->c.signed_at.s <= 0 ||
        f->s.min_bake_s < 0) {
        return -1;
    }
    int64_t base = f->c.signed_at.s + f->s.min_bake_s;
    if (f->c.not_before.s > base) { base = f->c.not_before.s; }
    bool valid = f->x.listed && f->x.not_before.s > 0 && f->now.s < f->x.until.s &&
                 f->now.s < f->x.expires.s &&
                 f->x.until.s - f->x.not_before.s <= f->s.expedite_longest_s;
    if (!valid) { return base; }
    int64_t sooner = f->c.signed_at.s + f->s.hard_min_s;
    if (f->x.not_before.s > sooner) { sooner = f->x.not_before.s; }
    return sooner < base ? sooner : base;
}

static void check_times(const struct facts *f)
{
    int64_t want = earliest_by_the_page(f);
    struct install_rule_result r = install_rule_decide(&f->p, &f->c, &f->x, &f->s, f->now);
    if (want < 0) {
        assert_int_equal(r.decision, INSTALL_REFUSE);
        return;
    }
    assert_int_equal(r.decision, f->now.s >= want ? INSTALL_GO : INSTALL_WAIT);
    assert_int_equal(r.not_before.s, want);
    if (r.decision != INSTALL_GO) { return; }
    /* INV-7 in its own words. */
    int64_t baked = f->c.signed_at.s + f->s.min_bake_s;
    bool early = f->now.s < baked || f->now.s < f->c.not_before.s;
    assert_true(!early || f->x.listed);
    assert_true(!early || f->now.s >= f->c.signed_at.s + f->s.hard_min_s);
}

/* Each time before, at and after each other one, and missing. */
TEST(through_all_orders_of_times_nothing_is_early)
{
    struct facts f = good_expedited();
    int64_t count = 0;
    f.s.hard_min_s = T;
    f.s.expedite_longest_s = 2 * T;
    for (int64_t signed_at = 0; signed_at <= 2; signed_at++) {
        for (int64_t min = -1; min <= 3; min++) {
            for (int64_t not_before = 0; not_before <= 4; not_before++) {
                for (int64_t early = 0; early <= 4; early++) {
                    for (int64_t until = 0; until <= 5; until++) {
                        for (int64_t expires = 3; expires <= 5; expires++) {
                            for (int64_t now = 0; now <= 11; now++) {
                                f.c.signed_at.s = signed_at * T;
                                f.s.min_bake_s = min * T;
                                f.c.has_not_before = not_before > 0;
                                f.c.not_before.s = not_before * T;
                                f.x.listed = early > 0;
                                f.x.not_before.s = early * T;
                                f.x.until.s = until * T;
                                f.x.expires.s = expires * T;
                                f.now.s = now * T / 2 - (now & 1);
                                check_times(&f);
                                count++;
                            }
                        }
                    }
                }
            }
        }
    }
    assert_int_equal(count, INT64_C(3) * 5 * 5 * 5 * 6 * 3 * 12);
}

RUN_TESTS(cmocka_unit_test(an_expedite_shortens_the_bake_and_does_nothing_else),
          cmocka_unit_test(through_all_orders_of_times_nothing_is_early))
