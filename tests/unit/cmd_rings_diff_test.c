/* Goal: each change is told once, with both values, and marked when it is less careful and not when it is more. */
#include "server/cli/cmd_rings_diff.h"

#include "tests/fakes/capture.h"
#include "tests/harness.h"

static const char base_text[] =
    "{\"format\":1,\"rings\":[{\"name\":\"canary\",\"share\":\"10%\",\"bake\":\"1h\",\"gate\":{"
    "\"limit\":\"2%\","
    "\"min_healthy\":100}},{\"name\":\"broad\",\"share\":\"rest\",\"hold_back\":{\"share\":\"2%\","
    "\"for\":\"24h\"}}],"
    "\"classes\":{\"rules\":{\"min_bake\":{\"broad\":\"6h\"}}},\"window\":{\"confirm\":{}}}";

static struct ring_policy base(void)
{
    struct ring_policy p;
    struct rw_err err;
    MUST(ring_policy_parse(rw_span_str(base_text), &p, &err));
    return p;
}

#define CHANGE(name, field, amount)                                                                \
    static void name##_up(struct ring_policy *p)                                                   \
    {                                                                                              \
        p->field += (amount);                                                                      \
    }                                                                                              \
    static void name##_down(struct ring_policy *p)                                                 \
    {                                                                                              \
        p->field -= (amount);                                                                      \
    }

CHANGE(bake, rings[0].bake_s, 60)
CHANGE(limit, rings[0].gate_limit_bp, 50)
CHANGE(healthy, rings[0].gate_min_healthy, 10)
CHANGE(held_back, rings[1].hold_back_bp, 100)
CHANGE(start, confirm_start, 1)
CHANGE(probation, confirm_probation_s, 60)
CHANGE(deadline, confirm_deadline_s, 60)
CHANGE(tenant, tenant_votes, 1)
CHANGE(tenant_share, tenant_share_bp, 1000)
CHANGE(hard_min, hard_min_s, 60)

static void nothing(struct ring_policy *p)
{
    (void)p;
}
static void ring_goes(struct ring_policy *p)
{
    p->rings[0] = p->rings[1];
    p->rings[0].bucket_lo = 0;
    p->ring_count = 1;
}
static void second_needed(struct ring_policy *p)
{
    p->second.verbs[SECOND_PERSON_RESUME] = true;
}
static void skew_limited(struct ring_policy *p)
{
    p->engine_skew_max = 3;
}
static void canary_grows(struct ring_policy *p)
{
    p->rings[0].bucket_hi += 1000;
    p->rings[1].bucket_lo += 1000;
}

static const struct diff_case {
    const char *id;
    void (*change)(struct ring_policy *p);
    size_t changes, looser;
    const char *says;
} cases[] = {
    {"nothing", nothing, 0, 0, ""},
    {"longer_bake", bake_up, 1, 0, "ring canary: bake: 1h -> 1h 1m\n"},
    {"shorter_bake", bake_down, 1, 1, "! ring canary: bake: 1h -> 59m  (less careful)\n"},
    {"higher_limit", limit_up, 1, 1, "2.00% -> 2.50%"},
    {"lower_limit", limit_down, 1, 0, "2.00% -> 1.50%"},
    {"more_healthy", healthy_up, 1, 0, "100 -> 110"},
    {"fewer_healthy", healthy_down, 1, 1, "100 -> 90"},
    {"more_held_back", held_back_up, 1, 0, "hold-back: 2.00% -> 3.00%"},
    {"less_held_back", held_back_down, 1, 1, "hold-back: 2.00% -> 1.00%"},
    {"wider_window", start_up, 1, 1, "16 -> 17"},
    {"narrower_window", start_down, 1, 0, "16 -> 15"},
    {"longer_probation", probation_up, 1, 0, "probation: 10m -> 11m"},
    {"shorter_probation", probation_down, 1, 1, "probation: 10m -> 9m"},
    {"later_dark", deadline_up, 1, 1, "dark after: 15m -> 16m"},
    {"earlier_dark", deadline_down, 1, 0, "dark after: 15m -> 14m"},
    {"more_votes_of_one_tenant", tenant_up, 1, 1, "8 -> 9"},
    {"fewer_votes_of_one_tenant", tenant_down, 1, 0, "8 -> 7"},
    {"more_places_of_one_tenant", tenant_share_up, 1, 1, "50.00% -> 60.00%"},
    {"fewer_places_of_one_tenant", tenant_share_down, 1, 0, "50.00% -> 40.00%"},
    {"longer_hard_minimum", hard_min_up, 1, 0, "30m -> 31m"},
    {"shorter_hard_minimum", hard_min_down, 1, 1, "30m -> 29m"},
    {"a_second_person", second_needed, 1, 0, "resume needs a second person"},
    {"a_skew_limit", skew_limited, 1, 0, "narrower range"},
    {"a_larger_canary", canary_grows, 2, 1, "! ring canary: members: 10.00% -> 20.00%"},
};

static void check(const struct diff_case *it, const struct ring_policy *had,
                  const struct ring_policy *next)
{
    capture_begin(1);
    struct cmd_rings_diff d = cmd_rings_diff(had, next);
    const char *text = capture_end();
    assert_int_equal(d.changes, it->changes);
    assert_int_equal(d.looser, it->looser);
    if (strstr(text, it->says) == NULL) { fail_msg("'%s' lacks '%s'", text, it->says); }
}

TEST_EACH(each_change_is_told_once_and_marked, cases)
{
    struct ring_policy had = base();
    struct ring_policy next = base();
    it->change(&next);
    check(it, &had, &next);
}

TEST(what_is_given_up_is_less_careful)
{
    struct ring_policy had = base();
    struct ring_policy next = base();
    second_needed(&had);
    struct diff_case second = {"", nothing, 1, 1, "resume no longer needs a second person"};
    check(&second, &had, &next);
    had = base();
    skew_limited(&had);
    struct diff_case skew = {"", nothing, 1, 1, "wider range"};
    check(&skew, &had, &next);
    had = base();
    ring_goes(&next);
    capture_begin(1);
    struct cmd_rings_diff d = cmd_rings_diff(&had, &next);
    assert_non_null(strstr(capture_end(), "! ring canary (10.00%) goes"));
    assert_true(d.looser >= 1);
    capture_begin(1);
    d = cmd_rings_diff(&next, &had);
    assert_non_null(strstr(capture_end(), "ring canary is new, as ring 1: 10.00%"));
    assert_int_equal(d.changes,
                     4); /* its own, place and members of broad, and what that means for a class */
    assert_int_equal(d.looser, 0);
}

RUN_TESTS(cmocka_unit_test(each_change_is_told_once_and_marked),
          cmocka_unit_test(what_is_given_up_is_less_careful))
