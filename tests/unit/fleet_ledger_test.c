/* Goal: the ledger of simulated endpoints notices every permit beyond a law of the window, in ring and cohort
 * (INV-1), and none that is within: else a rehearsal would prove nothing. */
#include "tests/fleet/fleet_ledger.h"

#include "tests/harness.h"

static const uint8_t bytes[BEACON_HASH_BYTES] = {1};

static struct ring_policy policy(int64_t start, int64_t per_survivor_m, int64_t cohort)
{
    struct ring_policy p = {.ring_count = 2,
                            .rings = {{.name = "canary"}, {.name = "broad"}},
                            .confirm_start = start,
                            .confirm_per_survivor_m = per_survivor_m,
                            .cohort_start = cohort,
                            .alive_start = 1000000,
                            .alive_per_survivor_m = 0};
    return p;
}

static int64_t broken(const struct fleet_ledger *l)
{
    return fleet_ledger_broken(l);
}

TEST(the_first_permit_beyond_the_start_is_noticed)
{
    struct fleet_ledger l = {.count = 0};
    struct ring_policy p = policy(3, 1000, 100);
    struct fleet_ledger_release *r = fleet_ledger_of(&l, 2, bytes);
    for (int i = 0; i < 3; i++) {
        fleet_ledger_exposed(r, &p, 0, 0, 10 + i);
    }
    fleet_ledger_exposed(r, &p, 1, 0, 20); /* another ring has a window of its own */
    assert_int_equal(broken(&l), 0);
    fleet_ledger_exposed(r, &p, 0, 1, 30);
    assert_int_equal(broken(&l), 1);
    assert_non_null(strstr(r->broken, "canary: 4 exposed with 0 survivors"));
}

TEST(each_survivor_makes_room_for_one_and_itself_and_no_more)
{
    struct fleet_ledger l = {.count = 0};
    struct ring_policy p = policy(1, 1000, 100);
    struct fleet_ledger_release *r = fleet_ledger_of(&l, 2, bytes);
    fleet_ledger_exposed(r, &p, 0, 0, 1);
    fleet_ledger_survived(r, 0, 0);
    fleet_ledger_exposed(r, &p, 0, 0, 2);
    fleet_ledger_exposed(r, &p, 0, 0, 3);
    assert_int_equal(broken(&l), 0);
    fleet_ledger_exposed(r, &p, 0, 0, 4);
    assert_int_equal(broken(&l), 1);
}

TEST(part_of_a_place_is_no_place)
{
    struct fleet_ledger l = {.count = 0};
    struct ring_policy p = policy(1, 500, 100); /* 1 + 1.5 * 1 = 2.5 */
    struct fleet_ledger_release *r = fleet_ledger_of(&l, 2, bytes);
    fleet_ledger_exposed(r, &p, 0, 0, 1);
    fleet_ledger_survived(r, 0, 0);
    fleet_ledger_exposed(r, &p, 0, 0, 2);
    assert_int_equal(broken(&l), 0);
    fleet_ledger_exposed(r, &p, 0, 0, 3);
    assert_int_equal(broken(&l), 1);
}

TEST(a_cohort_has_its_own_law)
{
    struct fleet_ledger l = {.count = 0};
    struct ring_policy p = policy(100, 1000, 2);
    struct fleet_ledger_release *r = fleet_ledger_of(&l, 2, bytes);
    for (size_t cohort = 0; cohort < FLEET_COHORTS; cohort++) {
        fleet_ledger_exposed(r, &p, 0, cohort, 1);
        fleet_ledger_exposed(r, &p, 0, cohort, 1);
    }
    assert_int_equal(broken(&l), 0);
    fleet_ledger_exposed(r, &p, 0, 3, 2);
    assert_int_equal(broken(&l), 1);
    assert_non_null(strstr(r->broken, "a cohort: 3 exposed"));
}

TEST(the_second_law_counts_who_is_alive_after_its_time)
{
    struct fleet_ledger l = {.count = 0};
    struct ring_policy p = policy(100, 1000, 100);
    p.alive_start = 2;
    p.alive_per_survivor_m = 1000;
    struct fleet_ledger_release *r = fleet_ledger_of(&l, 2, bytes);
    fleet_ledger_exposed(r, &p, 0, 0, 1);
    fleet_ledger_exposed(r, &p, 0, 0, 1);
    fleet_ledger_survived(r, 0, 0);
    fleet_ledger_aged(r, 0, 0);
    fleet_ledger_exposed(r, &p, 0, 0, 2);
    fleet_ledger_exposed(r, &p, 0, 0, 2);
    assert_int_equal(broken(&l), 0);
    fleet_ledger_survived(r, 0, 0); /* of no use to the second law */
    fleet_ledger_exposed(r, &p, 0, 0, 3);
    assert_int_equal(broken(&l), 2); /* ring and cohort */
    assert_non_null(strstr(r->broken, "the second law"));
}

TEST(harm_is_what_crashed_fell_silent_or_stormed)
{
    struct fleet_ledger l = {.count = 0};
    struct fleet_ledger_release *r = fleet_ledger_of(&l, 2, bytes);
    for (size_t e = FLEET_EFFECT_CRASH; e < FLEET_EFFECTS; e++) {
        fleet_ledger_harmed(r, (enum fleet_effect)e, 5);
    }
    assert_int_equal(fleet_ledger_sum_harmed(r), 3);
    assert_ptr_equal(fleet_ledger_of(&l, 2, bytes), r);
    assert_int_equal(l.count, 1);
}

/* Exposes that many in the first ring and cohort, of whom all are lost. */
static void lose(struct fleet_ledger_release *r, const struct ring_policy *p, int count)
{
    for (int i = 0; i < count; i++) {
        fleet_ledger_exposed(r, p, 0, 0, 10);
    }
}

static void resume(struct fleet_ledger_release *r, int lost)
{
    r->noted++;
    fleet_ledger_begin_anew(r);
    for (int i = 0; i < lost; i++) {
        fleet_ledger_set_aside(r, 0, 0);
    }
}

TEST(a_resume_gives_back_the_places_of_those_who_were_lost_and_no_more)
{
    struct fleet_ledger l = {.count = 0};
    struct ring_policy p = policy(3, 1000, 3);
    struct fleet_ledger_release *r = fleet_ledger_of(&l, 2, bytes);
    lose(r, &p, 3);
    assert_false(fleet_ledger_allows(r, &p, 0, 0));
    resume(r, 2); /* the third is still waited for */
    assert_true(fleet_ledger_allows(r, &p, 0, 0));
    lose(r, &p, 2);
    assert_false(fleet_ledger_allows(r, &p, 0, 0));
    assert_int_equal(broken(&l), 0);
    lose(r, &p, 1);
    assert_int_equal(broken(&l), 2); /* ring and cohort */
    assert_non_null(strstr(r->broken, "6 exposed with 0 survivors, 0 aged and 2 set aside"));
}

TEST(each_resume_counts_anew_who_is_lost)
{
    struct fleet_ledger l = {.count = 0};
    struct ring_policy p = policy(3, 1000, 3);
    struct fleet_ledger_release *r = fleet_ledger_of(&l, 2, bytes);
    lose(r, &p, 3);
    resume(r, 3);
    lose(r, &p, 3);
    resume(r, 6);
    lose(r, &p, 3);
    assert_int_equal(broken(&l), 0);
    assert_int_equal(r->resumes, 2);
    lose(r, &p, 1);
    assert_int_equal(broken(&l), 2);
}

TEST(the_second_law_gives_nothing_back)
{
    struct fleet_ledger l = {.count = 0};
    struct ring_policy p = policy(3, 1000, 3);
    struct fleet_ledger_release *r = fleet_ledger_of(&l, 2, bytes);
    p.alive_start = 3;
    lose(r, &p, 3);
    resume(r, 3);
    assert_false(fleet_ledger_allows(r, &p, 0, 0));
    lose(r, &p, 1);
    assert_int_equal(broken(&l), 2);
    assert_non_null(strstr(r->broken, "the second law"));
}

TEST(other_rings_and_cohorts_have_only_their_own_places_back)
{
    struct fleet_ledger l = {.count = 0};
    struct ring_policy p = policy(4, 1000, 2);
    struct fleet_ledger_release *r = fleet_ledger_of(&l, 2, bytes);
    lose(r, &p, 2);
    fleet_ledger_exposed(r, &p, 0, 1, 10);
    fleet_ledger_exposed(r, &p, 0, 1, 10);
    resume(r, 2);
    assert_true(fleet_ledger_allows(r, &p, 0, 0));
    assert_false(fleet_ledger_allows(r, &p, 0, 1));
    for (int i = 0; i < 4; i++) {
        fleet_ledger_exposed(r, &p, 1, (size_t)i, 10);
    }
    assert_false(fleet_ledger_allows(r, &p, 1, 0));
    assert_int_equal(broken(&l), 0);
}

RUN_TESTS(cmocka_unit_test(the_first_permit_beyond_the_start_is_noticed),
          cmocka_unit_test(each_survivor_makes_room_for_one_and_itself_and_no_more),
          cmocka_unit_test(part_of_a_place_is_no_place), cmocka_unit_test(a_cohort_has_its_own_law),
          cmocka_unit_test(the_second_law_counts_who_is_alive_after_its_time),
          cmocka_unit_test(harm_is_what_crashed_fell_silent_or_stormed),
          cmocka_unit_test(a_resume_gives_back_the_places_of_those_who_were_lost_and_no_more),
          cmocka_unit_test(each_resume_counts_anew_who_is_lost),
          cmocka_unit_test(the_second_law_gives_nothing_back),
          cmocka_unit_test(other_rings_and_cohorts_have_only_their_own_places_back))
