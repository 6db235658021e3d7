/* Goal: what is shown per cohort is what was counted there, a cohort that is stopped alone is told, and the releases
 * that are shown are those that endpoints may ask for. */
#include "server/rollout/rollout_run.h"
#include "tests/unit/rollout_world.h"

static void cohorts(struct world *w, const char *family, int64_t after, int64_t limit,
                    json_tree *tree_out)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(1 << 20);
    struct json_writer j = json_begin(&out);
    json_tree_drop(tree_out);
    const struct rollout_run_cohorts page = {
        .family = family, .after = after, .limit = limit, .now = w->now};
    MUST(rollout_run_write_cohorts(w->run, &page, &j, &err));
    MUST(json_done(&j, &err));
    MUST(json_parse(rw_buf_span(&out), &json_limits_small, tree_out, &err));
}

static int64_t sum(const struct json *tree, const char *member)
{
    int64_t total = 0;
    struct rw_err err;
    for (const struct json *c = json_first(json_find(tree, "cohorts")); c != NULL;
         c = json_next(c)) {
        for (const struct json *r = json_first(json_find(c, "releases")); r != NULL;
             r = json_next(r)) {
            int64_t n = 0;
            MUST(json_get_int(r, member, 0, 1000000, &n, &err));
            total += n;
        }
    }
    return total;
}

TEST(cohorts_together_have_what_the_ring_has)
{
    struct world w;
    RW_AUTO(json_tree) json_tree tree = NULL;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    for (int i = 0; i < 12; i++) {
        minute(&w, 1, 20);
    }
    cohorts(&w, "yara", 0, 200, &tree);
    struct fleet_counts c = fleet_state_counts(w.fleet, "yara", 1, "canary", NULL);
    assert_true(c.exposed > 0 && c.failed > 0 && c.healthy > 0);
    assert_int_equal(json_count(json_find(tree, "cohorts")), 2); /* "other" is empty */
    assert_int_equal(sum(tree, "exposed"), c.exposed);
    assert_int_equal(sum(tree, "healthy"), c.healthy);
    assert_int_equal(sum(tree, "failed"), c.failed);
    assert_int_equal(sum(tree, "members"), PER_RING); /* of the ring that it has reached */
    end(&w);
}

TEST(pages_of_cohorts_meet_each_once_and_end)
{
    struct world w;
    struct rw_err err;
    RW_AUTO(json_tree) json_tree tree = NULL;
    size_t found = 0;
    int64_t after = 0;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    for (int pages = 0; pages < 3; pages++) { /* "other" and the two of the world */
        cohorts(&w, "", after, 1, &tree);
        found += json_count(json_find(tree, "cohorts"));
        assert_int_equal(json_find(tree, "next") != NULL, pages < 2);
        after++;
    }
    assert_int_equal(found, 2);
    cohorts(&w, "", 1000000, 1, &tree);
    assert_int_equal(json_count(json_find(tree, "cohorts")), 0);
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(1 << 16);
    struct json_writer j = json_begin(&out);
    const struct rollout_run_cohorts none = {.family = "none", .limit = 1, .now = w.now};
    assert_int_equal(rollout_run_write_cohorts(w.run, &none, &j, &err).code, RW_E_NOT_FOUND);
    end(&w);
}

TEST(offers_are_the_newest_of_a_family_and_what_is_still_served_behind_it)
{
    struct world w;
    struct rollout_run_offer offers[ROLLOUT_OFFERS_MAX];
    begin(&w);
    all_alive(&w, 0);
    assert_int_equal(rollout_run_offers(w.run, offers), 0);
    start(&w, 1);
    tick(&w);
    for (int i = 0; i < 240 && rollout_doc_overall(w.run->all[0]) != ROLLOUT_COMPLETE; i++) {
        minute(&w, 1, 0);
    }
    assert_int_equal(rollout_run_offers(w.run, offers), 1);
    assert_int_equal(offers[0].release, 1);
    assert_false(offers[0].running);
    start(&w, 2);
    tick(&w);
    assert_int_equal(rollout_run_offers(w.run, offers), 2);
    assert_int_equal(offers[0].release, 2);
    assert_true(offers[0].running);
    assert_int_equal(offers[1].release, 1);
    assert_string_equal(offers[1].state, "complete");
    end(&w);
}

RUN_TESTS(cmocka_unit_test(cohorts_together_have_what_the_ring_has),
          cmocka_unit_test(pages_of_cohorts_meet_each_once_and_end),
          cmocka_unit_test(offers_are_the_newest_of_a_family_and_what_is_still_served_behind_it))
