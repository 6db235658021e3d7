/* Goal: no release stays in checking (INV-3): a verdict reaches the record, or, when it is refused, the news that there
 * is none does; whichever of the two the store would not take is brought again. */
#include "server/api/api_verdict.h"

#include "server/api/api_release.h"
#include "tests/harness.h"

static char
    story[32]; /* v a verdict, e an empty one, recorded; capitals: the store was busy; x: refused */
static const char *script;  /* what becomes of each: '+' recorded, 'b' busy, 'x' refused */
static const char *waiting; /* what the checker gives: 'v' or 'e' */

static void tell(char c)
{
    size_t n = strlen(story);
    assert_true(n + 1 < sizeof(story));
    story[n] = c;
    story[n + 1] = '\0';
}

RW_RC api_release_take_verdict(struct api_core *c, const struct release_id *id,
                               struct rw_span verdict, struct rw_err *err)
{
    const char *words = verdict.n == 0 ? "eEx" : "vVx";
    (void)c;
    assert_int_equal(id->number, 7);
    assert_true(*script != '\0');
    char outcome = *script++;
    tell(words[outcome == 'x' ? 2 : outcome == 'b' ? 1 : 0]);
    if (outcome == 'b') { return rw_fail(err, RW_E_STORE, "busy"); }
    if (outcome == 'x') { return rw_fail(err, RW_E_TUF_HASH, "about other bytes"); }
    return RW_OK;
}

static bool next(void *ctx, struct release_id *id_out, struct rw_buf *text)
{
    struct rw_err err;
    (void)ctx;
    rw_buf_clear(text);
    if (*waiting == '\0') { return false; }
    *id_out = (struct release_id){.family = "yara", .number = 7};
    if (*waiting++ == 'v') { MUST(rw_buf_append_str(text, "{}", &err)); }
    return true;
}

static const struct verdict_case {
    const char *id;
    const char *waiting;
    const char *script;
    unsigned turns;
    const char *want;
} verdict_cases[] = {
    {"it_is_recorded", "v", "+", 1, "v"},
    {"none_is_recorded_as_none", "e", "+", 1, "e"},
    {"a_busy_store_gets_it_again", "vv", "bb++", 3, "VVvv"},
    {"a_refused_one_counts_as_none", "vv", "x++", 1, "xev"},
    {"none_in_its_place_is_brought_again", "vv", "xbb++", 3, "xEEev"},
    {"a_release_that_waits_for_none_ends_it", "vv", "xx+", 1, "xxv"},
};

TEST_EACH(what_the_box_said_reaches_the_record, verdict_cases)
{
    struct api_core c = {.store = NULL};
    struct api_verdict v = {.text = rw_buf_make(64)};
    story[0] = '\0';
    script = it->script;
    waiting = it->waiting;
    for (unsigned turn = 0; turn < it->turns; turn++) {
        api_verdict_take(&v, &c, next, NULL);
    }
    assert_string_equal(story, it->want);
    assert_false(v.kept);
    rw_buf_drop(&v.text);
}

TEST(a_node_that_is_not_controller_drops_what_it_kept)
{
    struct api_node node = {.controller = true};
    struct api_core c = {.node = &node};
    struct api_verdict v = {.text = rw_buf_make(64)};
    story[0] = '\0';
    script = "b";
    waiting = "v";
    api_verdict_take(&v, &c, next, NULL);
    assert_true(v.kept);
    node.controller = false;
    waiting = "v";
    api_verdict_take(&v, &c, next, NULL);
    assert_string_equal(story, "V");
    assert_false(v.kept);
    rw_buf_drop(&v.text);
}

RUN_TESTS(cmocka_unit_test(what_the_box_said_reaches_the_record),
          cmocka_unit_test(a_node_that_is_not_controller_drops_what_it_kept))
