/* Goal: installing needs pointer AND content AND the endpoint's own ring AND the bake (INV-7). From one state
 * that may install, every single wrong fact must refuse, wait or hold; none may open. */
#include "common/policy/install_rule.h"
#include "tests/harness.h"

struct facts {
    struct install_rule_pointer p;
    struct install_rule_content c;
    struct install_rule_state s;
    struct rw_wall now;
};

static struct facts good(void)
{
    struct facts f = {
        .p = {.ring = "canary", .family = "yara", .release = 2, .length = 100},
        .c = {.listed = true,
              .family = "yara",
              .release = 2,
              .length = 100,
              .signed_at = {1000},
              .has_not_before = true,
              .not_before = {1500},
              .engine_min = 1,
              .engine_max = 9,
              .platform_fits = true},
        .s = {.ring = "canary", .family = "yara", .installed = 1, .engine = 5, .min_bake_s = 400},
        .now = {2000},
    };
    f.p.sha256[0] = f.c.sha256[0] = 7;
    return f;
}

static enum install_rule_decision decide(const struct facts *f)
{
    return install_rule_decide(&f->p, &f->c, &f->s, f->now).decision;
}

static void another_ring(struct facts *f)
{
    f->p.ring[0] = 'x';
}
static void another_family(struct facts *f)
{
    f->p.family[0] = 'x';
}
static void unlisted(struct facts *f)
{
    f->c.listed = false;
}
static void content_of_other_family(struct facts *f)
{
    f->c.family[0] = 'x';
}
static void other_release(struct facts *f)
{
    f->c.release = 3;
}
static void other_length(struct facts *f)
{
    f->c.length = 101;
}
static void other_hash(struct facts *f)
{
    f->c.sha256[31] = 1;
}
static void other_platform(struct facts *f)
{
    f->c.platform_fits = false;
}
static void engine_too_old(struct facts *f)
{
    f->s.engine = 0;
}
static void engine_too_new(struct facts *f)
{
    f->s.engine = 10;
}
static void on_hold(struct facts *f)
{
    f->p.hold = true;
}
static void no_time_for_ring(struct facts *f)
{
    f->c.has_not_before = false;
}
static void no_signing_time(struct facts *f)
{
    f->c.signed_at.s = 0;
}
static void negative_bake(struct facts *f)
{
    f->s.min_bake_s = -1;
}
static void overflowing_bake(struct facts *f)
{
    f->s.min_bake_s = INT64_MAX;
}
static void second_before_not_before(struct facts *f)
{
    f->now.s = 1499;
}
static void policy_bake_is_longer(struct facts *f)
{
    f->s.min_bake_s = 1001;
}
static void spread_not_over(struct facts *f)
{
    f->s.spread_s = 501;
}
static void clock_far_behind(struct facts *f)
{
    f->now.s = 0;
}
static void active_already(struct facts *f)
{
    f->s.installed = 2;
}
static void failed_here(struct facts *f)
{
    f->s.abandoned[0][0] = 7;
    f->s.abandoned_count = 1;
}
static void points_back(struct facts *f)
{
    f->s.installed = 3;
}
static void points_back_on_hold_unbaked(struct facts *f)
{
    f->s.installed = 3;
    f->p.hold = true;
    f->now.s = 0;
}
static void points_back_to_unlisted(struct facts *f)
{
    f->s.installed = 3;
    f->c.listed = false;
}
static void nothing_wrong(struct facts *f)
{
    (void)f;
}
static void exactly_baked(struct facts *f)
{
    f->now.s = 1500;
}

static const struct decision_case {
    const char *id;
    void (*change)(struct facts *f);
    enum install_rule_decision want;
} cases[] = {
    {"all facts agree", nothing_wrong, INSTALL_GO},
    {"the very second of the bake", exactly_baked, INSTALL_GO},
    {"pointer of another ring", another_ring, INSTALL_REFUSE},
    {"pointer of another family", another_family, INSTALL_REFUSE},
    {"content not listed", unlisted, INSTALL_REFUSE},
    {"content of another family", content_of_other_family, INSTALL_REFUSE},
    {"releases differ", other_release, INSTALL_REFUSE},
    {"lengths differ", other_length, INSTALL_REFUSE},
    {"hashes differ in the last byte", other_hash, INSTALL_REFUSE},
    {"not for this platform", other_platform, INSTALL_REFUSE},
    {"engine too old", engine_too_old, INSTALL_REFUSE},
    {"engine too new", engine_too_new, INSTALL_REFUSE},
    {"ring on hold", on_hold, INSTALL_HOLD},
    {"no bake time for the ring", no_time_for_ring, INSTALL_REFUSE},
    {"no signing time", no_signing_time, INSTALL_REFUSE},
    {"negative bake in policy", negative_bake, INSTALL_REFUSE},
    {"bake that overflows", overflowing_bake, INSTALL_REFUSE},
    {"one second too early", second_before_not_before, INSTALL_WAIT},
    {"policy demands a longer bake", policy_bake_is_longer, INSTALL_WAIT},
    {"place in the spread not reached", spread_not_over, INSTALL_WAIT},
    {"clock far behind only delays", clock_far_behind, INSTALL_WAIT},
    {"release is active", active_already, INSTALL_NOTHING},
    {"release failed on this endpoint", failed_here, INSTALL_REFUSE},
    {"ring points back", points_back, INSTALL_REVERT},
    {"going back ignores hold, bake, clock", points_back_on_hold_unbaked, INSTALL_REVERT},
    {"going back needs the content listed", points_back_to_unlisted, INSTALL_REFUSE},
};

TEST_EACH(every_single_wrong_fact_keeps_the_gate_shut, cases)
{
    struct facts f = good();
    it->change(&f);
    assert_int_equal(decide(&f), it->want);
    assert_true(install_rule_decide(&f.p, &f.c, &f.s, f.now).reason[0] != '\0');
}

TEST(buckets_are_spread_over_the_whole_range)
{
    uint8_t hash[INSTALL_HASH_BYTES] = {0};
    assert_int_equal(install_rule_bucket(hash), 0);
    hash[7] = 1;
    assert_int_equal(install_rule_bucket(hash), 1);
    memset(hash, 0xff, sizeof(hash));
    assert_int_equal(install_rule_bucket(hash), (int64_t)(UINT64_MAX % 10000));
}

TEST(spread_is_linear_inside_the_ring_and_zero_outside)
{
    assert_int_equal(install_rule_spread_s(100, 100, 1100, 1000), 0);
    assert_int_equal(install_rule_spread_s(600, 100, 1100, 1000), 500);
    assert_int_equal(install_rule_spread_s(1099, 100, 1100, 1000), 999);
    assert_int_equal(install_rule_spread_s(1100, 100, 1100, 1000), 0);
}

RUN_TESTS(cmocka_unit_test(every_single_wrong_fact_keeps_the_gate_shut),
          cmocka_unit_test(buckets_are_spread_over_the_whole_range),
          cmocka_unit_test(spread_is_linear_inside_the_ring_and_zero_outside))
