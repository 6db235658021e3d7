/* Goal: whoever must renew something is told at half, a quarter and a tenth of its life, exactly there. */
#include "common/policy/trust_life_rule.h"
#include "tests/harness.h"

enum { HOUR_S = 3600, DAY_S = 86400 };

static const struct judged {
    const char *id, *role;
    int64_t left_s;
    const char *want;
} judged[] = {
    {"root, whole", "root", INT64_C(365) * DAY_S, "ok"},
    {"root, half and a bit", "root", INT64_C(183) * DAY_S, "ok"},
    {"root, below half", "root", INT64_C(182) * DAY_S, "half"},
    {"root, below a quarter", "root", INT64_C(91) * DAY_S, "quarter"},
    {"root, below a tenth", "root", INT64_C(36) * DAY_S, "tenth"},
    {"root, a second", "root", 1, "tenth"},
    {"root, none", "root", 0, "expired"},
    {"root, over", "root", -1, "expired"},
    {"targets, half", "targets", INT64_C(90) * DAY_S, "ok"},
    {"targets, below half", "targets", INT64_C(88) * DAY_S, "half"},
    {"content, half", "content-yara", INT64_C(7) * DAY_S, "ok"},
    {"content, below half", "content-yara", INT64_C(164) * HOUR_S, "half"},
    {"content, below a quarter", "content-yara", INT64_C(3) * DAY_S, "quarter"},
    {"content, below a tenth", "content-yara", INT64_C(1) * DAY_S, "tenth"},
    {"timestamp, when its signer does it anew", "timestamp", INT64_C(18) * HOUR_S - 300, "ok"},
    {"timestamp, when its signer sleeps", "timestamp", INT64_C(16) * HOUR_S, "half"},
    {"snapshot, when its signer does it anew", "snapshot", INT64_C(84) * HOUR_S - 300, "ok"},
    {"ring, when its signer sleeps", "ring-canary", INT64_C(3) * DAY_S, "half"},
    {"ring, over", "ring-canary", -5, "expired"},
    {"an expedite that is over", "expedite", -5, "ok"},
    {"longer than a life", "ring-canary", INT64_MAX / 2, "ok"},
};

TEST_EACH(a_role_is_judged_by_its_life_and_by_who_renews_it, judged)
{
    int64_t life_s = trust_life_rule_s(it->role);
    bool online = trust_life_rule_online(it->role);
    assert_string_equal(trust_life_rule_name(trust_life_rule_judge(it->left_s, life_s, online)),
                        it->want);
}

static const struct life_case {
    const char *id, *role;
    int64_t made_s, expires_s, now_s;
    int64_t want_s;
} lives[] = {
    {"as made", "root", 1000, 1000 + 40 * DAY_S, 2000, 40 * DAY_S},
    {"longer than by policy", "content-yara", 1000, 1000 + 40 * DAY_S, 2000, 40 * DAY_S},
    {"not said", "root", 0, 1000 + 40 * DAY_S, 2000, INT64_C(365) * DAY_S},
    {"made after its end", "targets", 3000, 2500, 2000, INT64_C(180) * DAY_S},
    {"made at its end", "targets", 2500, 2500, 2000, INT64_C(180) * DAY_S},
    {"by a clock ten minutes ahead", "timestamp", 2600, 2600 + HOUR_S, 2000, HOUR_S},
    {"by one further ahead", "timestamp", 2601, 2601 + HOUR_S, 2000, INT64_C(36) * HOUR_S},
    {"an expedite has none", "expedite", 1000, 1000 + HOUR_S, 2000, 0},
};

TEST_EACH(a_life_is_the_one_that_was_signed, lives)
{
    assert_int_equal(trust_life_rule_of(it->role, (struct rw_wall){it->made_s},
                                        (struct rw_wall){it->expires_s},
                                        (struct rw_wall){it->now_s}),
                     it->want_s);
}

TEST(percents_are_rounded_down_and_bounded)
{
    assert_int_equal(trust_life_rule_percent(99, 1000), 9);
    assert_int_equal(trust_life_rule_percent(100, 1000), 10);
    assert_int_equal(trust_life_rule_percent(5000, 1000), 100);
    assert_int_equal(trust_life_rule_percent(-5, 1000), 0);
}

RUN_TESTS(cmocka_unit_test(a_role_is_judged_by_its_life_and_by_who_renews_it),
          cmocka_unit_test(a_life_is_the_one_that_was_signed),
          cmocka_unit_test(percents_are_rounded_down_and_bounded))
