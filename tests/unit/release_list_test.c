/* Goal: lists show what was kept, page by page; who may know what endpoints get is told of nothing else (INV-11). */
#include "server/release/release.h"
#include "server/server_init.h"
#include "tests/release_rig.h"

/* The program under test, built before this one (tests/CMakeLists.txt): RW_BIN_DIR "/ringward-signer" */

static void expect_page(struct rig *r, const struct release_page *page, const char *want)
{
    struct rw_err err = {0};
    char seen[128] = "";
    char next[64] = "-";
    MUST(release_list(domain(r), page, &r->out, &err));
    parse_answer(r);
    for (const struct json *e = json_first(json_find(r->answer, "releases")); e != NULL;
         e = json_next(e)) {
        int64_t number = 0;
        MUST(json_get_int(e, "release", 1, RELEASE_NUMBER_MAX, &number, &err));
        size_t n = strlen(seen);
        (void)snprintf(seen + n, sizeof(seen) - n, "%lld ", (long long)number);
    }
    if (json_find(r->answer, "next") != NULL) {
        MUST(json_get_str(r->answer, "next", next, sizeof(next), &err));
    }
    size_t n = strlen(seen);
    (void)snprintf(seen + n, sizeof(seen) - n, "%s", next);
    assert_string_equal(seen, want);
}

TEST(lists_come_in_pages_by_family_and_state_from_both_ends)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    for (int i = 0; i < 5; i++) {
        struct release_id id = create(&r, &plain);
        if (i % 2 == 1) { MUST(release_abandon(domain(&r), &id, "carol", "no", &r.out, &err)); }
    }
    struct release_page page = {.state = -1, .limit = 2};
    expect_page(&r, &page, "1 2 yara/2");
    page.after = (struct release_id){"yara", 2};
    expect_page(&r, &page, "3 4 yara/4");
    page.after.number = 4;
    expect_page(&r, &page, "5 -");
    page = (struct release_page){.family = "yara", .state = RELEASE_WITHDRAWN, .limit = 2};
    expect_page(&r, &page, "2 4 -");
    page = (struct release_page){.state = RELEASE_DRAFT, .limit = 2, .newest_first = true};
    expect_page(&r, &page, "5 3 yara/3");
    page.after = (struct release_id){"yara", 3};
    expect_page(&r, &page, "1 -");
    page = (struct release_page){.family = "ids", .state = -1, .limit = 2};
    expect_page(&r, &page, "-");
}

/* Lists, objects, numbers and payloads: in the words of a release that there never was. */
TEST(inv_11_who_may_know_what_endpoints_get_knows_of_no_other_release)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    char none[RW_ERR_TEXT_BYTES];
    struct release_place at;
    int64_t count = 1;
    struct release_id one = create(&r, &plain);
    const struct release_id unknown = {"yara", 2};
    const struct release_page page = {.state = -1, .limit = 2, .published = true};
    MUST_FAIL(release_payload_place(domain(&r), &unknown, true, &at, &err), RW_E_NOT_FOUND);
    (void)snprintf(none, sizeof(none), "%s", err.text);
    *strchr(none, '2') = '1';
    for (int state = 0; state < 2; state++) {
        MUST_FAIL(release_show(domain(&r), &one, true, &r.out, &err), RW_E_NOT_FOUND);
        MUST_FAIL(release_payload_place(domain(&r), &one, true, &at, &err), RW_E_NOT_FOUND);
        assert_string_equal(err.text, none);
        expect_page(&r, &page, "-");
        MUST(release_count(domain(&r), true, &count, &err));
        assert_int_equal(count, 0);
        if (state == 0) { MUST(release_abandon(domain(&r), &one, "carol", "no", &r.out, &err)); }
    }
}

static RW_RC failing_commit(void *ctx, struct rw_err *err)
{
    (void)ctx;
    return rw_fail(err, RW_E_FULL, "the disk is full");
}

TEST(what_was_not_kept_is_not_in_the_list)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    int64_t count = 0;
    struct release_id one = create(&r, &plain);
    MUST(release_count(domain(&r), false, &count, &err));
    assert_int_equal(count, 1);
    struct store_backend broken = *r.store.backend;
    const struct store_backend *whole = r.store.backend;
    broken.commit = failing_commit;
    r.store.backend = &broken;
    MUST_FAIL(release_abandon(domain(&r), &one, "carol", "no", &r.out, &err), RW_E_FULL);
    r.store.backend = whole;
    const struct release_page withdrawn = {.state = RELEASE_WITHDRAWN, .limit = 2};
    expect_page(&r, &withdrawn, "-");
    MUST(release_count(domain(&r), false, &count, &err));
    assert_int_equal(count, 1);
}

RUN_TESTS(cmocka_unit_test(lists_come_in_pages_by_family_and_state_from_both_ends),
          cmocka_unit_test(inv_11_who_may_know_what_endpoints_get_knows_of_no_other_release),
          cmocka_unit_test(what_was_not_kept_is_not_in_the_list))
