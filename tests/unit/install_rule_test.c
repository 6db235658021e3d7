/* Goal: installing needs pointer AND content AND the endpoint's own ring AND the bake (INV-7). From one state
 * that may install, every single wrong fact must refuse, wait or hold; none may open. And the ring that an endpoint
 * computes is what the shares say. */
#include "common/policy/install_rule.h"

#include "common/crypto/digest.h"
#include "common/policy/ring_policy.h"
#include "tests/harness.h"
#include "tests/install_rule_facts.h"

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
static void negative_spread(struct facts *f)
{
    f->s.spread_s = -1;
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
    f->s.held = true;
    f->p.hold = true;
    f->now.s = 0;
}
static void points_back_to_what_never_ran(struct facts *f)
{
    f->s.installed = 3;
    f->p.hold = true;
    f->s.spread_s = 5000; /* going back is not spread */
}
static void points_back_to_what_never_ran_unbaked(struct facts *f)
{
    f->s.installed = 3;
    f->now.s = 1499;
}
static void points_back_without_time(struct facts *f)
{
    f->s.installed = 3;
    f->c.has_not_before = false;
}
static void points_back_to_what_failed(struct facts *f)
{
    points_back(f);
    f->s.held = true;
    failed_here(f);
}
static void points_back_below_the_floor(struct facts *f)
{
    points_back(f);
    f->s.held = true;
    f->c.floor = 3;
}
static void points_back_to_withdrawn(struct facts *f)
{
    points_back(f);
    f->s.held = true;
    f->c.withdrawn = true;
}
static void on_the_floor(struct facts *f)
{
    f->c.floor = 2;
}
static void below_the_floor(struct facts *f)
{
    f->c.floor = 3;
}
static void withdrawn(struct facts *f)
{
    f->c.withdrawn = true;
}
static void withdrawn_and_active(struct facts *f)
{
    withdrawn(f);
    f->s.installed = 2;
}
static void left_here(struct facts *f)
{
    f->s.left[0][0] = 7;
    f->s.left_count = 1;
}
static void signed_before_an_earlier_one(struct facts *f)
{
    f->c.signed_before.s = 1001;
}
static void signed_with_an_earlier_one(struct facts *f)
{
    f->c.signed_before.s = 1000;
}
static void as_wide_as_allowed(struct facts *f)
{
    f->s.engine_skew_max = 8;
}
static void wider_than_allowed(struct facts *f)
{
    f->s.engine_skew_max = 7;
}
static void wider_than_a_number(struct facts *f)
{
    f->c.engine_min = INT64_MIN;
    f->c.engine_max = INT64_MAX;
    f->s.engine_skew_max = INT64_MAX;
}
static void zero_not_before(struct facts *f)
{
    f->c.not_before.s = 0;
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

static const struct decision_case cases[] = {
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
    {"negative spread", negative_spread, INSTALL_REFUSE},
    {"clock far behind only delays", clock_far_behind, INSTALL_WAIT},
    {"release is active", active_already, INSTALL_NOTHING},
    {"release failed on this endpoint", failed_here, INSTALL_REFUSE},
    {"ring points back", points_back, INSTALL_REVERT},
    {"going back ignores hold, bake, clock", points_back_on_hold_unbaked, INSTALL_REVERT},
    {"going back needs the content listed", points_back_to_unlisted, INSTALL_REFUSE},
    {"going back to what never ran here, baked", points_back_to_what_never_ran, INSTALL_REVERT},
    {"a lower number is no way around the bake", points_back_to_what_never_ran_unbaked,
     INSTALL_WAIT},
    {"going back without a bake time", points_back_without_time, INSTALL_REFUSE},
    {"going back to what failed here", points_back_to_what_failed, INSTALL_REFUSE},
    {"going back below the floor", points_back_below_the_floor, INSTALL_REFUSE},
    {"going back to withdrawn content", points_back_to_withdrawn, INSTALL_REFUSE},
    {"on the floor", on_the_floor, INSTALL_GO},
    {"below the floor", below_the_floor, INSTALL_REFUSE},
    {"withdrawn", withdrawn, INSTALL_REFUSE},
    {"withdrawn while it runs: kept until the ring moves", withdrawn_and_active, INSTALL_NOTHING},
    {"left by the ring's order", left_here, INSTALL_REFUSE},
    {"signed before an earlier release", signed_before_an_earlier_one, INSTALL_REFUSE},
    {"signed in the second of an earlier one", signed_with_an_earlier_one, INSTALL_GO},
    {"engine range as wide as allowed", as_wide_as_allowed, INSTALL_GO},
    {"engine range too wide", wider_than_allowed, INSTALL_REFUSE},
    {"engine range beyond all numbers", wider_than_a_number, INSTALL_REFUSE},
    {"not_before 0", zero_not_before, INSTALL_REFUSE},
};

TEST_EACH(every_single_wrong_fact_keeps_the_gate_shut, cases)
{
    struct facts f = good();
    it->change(&f);
    assert_int_equal(decide(&f), it->want);
    assert_true(install_rule_decide(&f.p, &f.c, &f.x, &f.s, f.now).reason[0] != '\0');
}

/* A hole in the sieve of one condition would be seen here: every pair of wrong facts keeps the gate shut, too. */
TEST(two_wrong_facts_do_not_cure_each_other)
{
    for (size_t a = 0; a < RW_LEN(cases); a++) {
        for (size_t b = 0; b < RW_LEN(cases); b++) {
            struct facts f = good();
            if (cases[a].want == INSTALL_GO || cases[b].want == INSTALL_GO) { continue; }
            if (cases[a].want == INSTALL_REVERT || cases[b].want == INSTALL_REVERT) { continue; }
            cases[a].change(&f);
            cases[b].change(&f);
            if (f.s.installed > f.p.release) { continue; }
            if (decide(&f) == INSTALL_GO) {
                fail_msg("'%s' and '%s' together go", cases[a].id, cases[b].id);
            }
        }
    }
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

/* --- rings and spread --- */

/* Deterministic, and unlike each other as random salts are: SHA-256 of a counter. */
static int64_t bucket_of(uint32_t n)
{
    struct rw_err err;
    uint8_t salt[32] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16)};
    uint8_t hash[DIGEST_BYTES];
    MUST(digest_sha256(rw_span_of(salt, sizeof(salt)), hash, &err));
    return install_rule_bucket(hash);
}

static const struct spread_case {
    const char *id;
    int64_t bucket, lo, hi, spread, want;
} spreads[] = {
    {"first bucket", 100, 100, 1100, 1000, 0},
    {"middle", 600, 100, 1100, 1000, 500},
    {"last bucket", 1099, 100, 1100, 1000, 999},
    {"behind the range", 1100, 100, 1100, 1000, 0},
    {"before the range", 99, 100, 1100, 1000, 0},
    {"ring joined by hand: no range", 500, 0, 0, 1000, 0},
    {"one bucket", 7, 7, 8, 1000, 0},
    {"no spread", 600, 100, 1100, 0, 0},
    {"negative spread", 600, 100, 1100, -5, 0},
    {"rounded down", 1, 0, 3, 10, 3},
    {"the whole fleet over 90 days", 9999, 0, 10000, 7776000, 7775222},
};

TEST_EACH(spread_is_linear_inside_the_ring_and_zero_outside, spreads)
{
    assert_int_equal(install_rule_spread_s(it->bucket, it->lo, it->hi, it->spread), it->want);
}

TEST(ten_thousand_salts_land_in_the_rings_as_their_shares_say)
{
    enum { ENDPOINTS = 10000 };
    struct ring_policy p;
    struct rw_err err = {0};
    int64_t members[RING_POLICY_RINGS_MAX] = {0};
    int64_t delay_s = 0;
    MUST(ring_policy_parse(
        rw_span_str("{\"format\":1,\"rings\":[{\"name\":\"hand\",\"select\":\"local\"},"
                    "{\"name\":\"canary\",\"share\":\"1%\"},{\"name\":\"early\",\"share\":\"10%\"},"
                    "{\"name\":\"broad\",\"share\":\"rest\",\"spread\":\"1000s\"}],"
                    "\"classes\":{\"data\":{}},\"window\":{\"confirm\":{}}}"),
        &p, &err));
    for (uint32_t i = 0; i < ENDPOINTS; i++) {
        int64_t bucket = bucket_of(i);
        size_t ring = ring_policy_of_bucket(&p, bucket);
        const struct ring_policy_ring *r = &p.rings[ring];
        members[ring]++;
        assert_true(bucket >= r->bucket_lo && bucket < r->bucket_hi);
        if (ring == 3) {
            delay_s += install_rule_spread_s(bucket, r->bucket_lo, r->bucket_hi, r->spread_s);
        }
    }
    /* Five standard deviations of the binomial law: sqrt(10000 * p * (1 - p)) is 10, 30 and 31. */
    assert_int_equal(members[0], 0);
    assert_in_range(members[1], 100 - 50, 100 + 50);
    assert_in_range(members[2], 1000 - 150, 1000 + 150);
    assert_in_range(members[3], 8900 - 156, 8900 + 156);
    assert_in_range(delay_s / members[3], 500 - 16, 500 + 16); /* the mean of an even spread */
}

/* --- drills --- */

static void takes_no_part(struct facts *f)
{
    f->s.drills = false;
}
static void nothing_to_come_back_to(struct facts *f)
{
    f->s.installed = 0;
}
static void points_back_to_a_drill(struct facts *f)
{
    f->s.installed = 3;
}
static void bytes_that_ran_here(struct facts *f)
{
    f->s.held = true;
}
static void a_day_old(struct facts *f)
{
    f->now.s = f->c.signed_at.s + INSTALL_DRILL_LIFE_S;
}
static void nearly_a_day_old(struct facts *f)
{
    f->now.s = f->c.signed_at.s + INSTALL_DRILL_LIFE_S - 1;
}
static void no_drill_at_all(struct facts *f)
{
    f->c.drill = false;
    f->s.drills = false;
}

static const struct decision_case drill_cases[] = {
    {"a drill on an endpoint that takes part", nothing_wrong, INSTALL_GO},
    {"a drill elsewhere", takes_no_part, INSTALL_REFUSE},
    {"a drill on an empty endpoint", nothing_to_come_back_to, INSTALL_REFUSE},
    {"a drill to go back to", points_back_to_a_drill, INSTALL_REFUSE},
    {"a drill with a real release's bytes", bytes_that_ran_here, INSTALL_REFUSE},
    {"a drill of yesterday", a_day_old, INSTALL_REFUSE},
    {"a drill of today", nearly_a_day_old, INSTALL_GO},
    {"a release where drills are off", no_drill_at_all, INSTALL_GO},
};

/* Whoever holds ring keys can point at a drill, and repeat nothing by it. */
TEST_EACH(a_drill_only_ever_rehearses, drill_cases)
{
    struct facts f = good();
    f.c.drill = true;
    f.s.drills = true;
    it->change(&f);
    assert_int_equal(decide(&f), it->want);
}

RUN_TESTS(cmocka_unit_test(a_drill_only_ever_rehearses),
          cmocka_unit_test(every_single_wrong_fact_keeps_the_gate_shut),
          cmocka_unit_test(two_wrong_facts_do_not_cure_each_other),
          cmocka_unit_test(buckets_are_spread_over_the_whole_range),
          cmocka_unit_test(spread_is_linear_inside_the_ring_and_zero_outside),
          cmocka_unit_test(ten_thousand_salts_land_in_the_rings_as_their_shares_say))
