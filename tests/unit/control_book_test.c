/* Goal: what an endpoint remembers of offers and of the age of its controls survives restarts and stepped clocks, and a
 * damaged book is refused, never taken for an empty one. */
#include "agent/poll/control_book.h"

#include "common/base/alt.h"
#include "tests/harness.h"

enum { DAY = 86400 };
static const struct rw_wall start = {1800000000};

static struct install_rule_pointer pointer(const char *ring, int64_t release)
{
    struct install_rule_pointer p = {.release = release, .length = 10 * release};
    (void)snprintf(p.ring, sizeof(p.ring), "%s", ring);
    (void)snprintf(p.family, sizeof(p.family), "yara");
    memset(p.sha256, (int)release, sizeof(p.sha256));
    return p;
}

static const struct control_book_family *offer(struct control_book *b, const char *ring,
                                               int64_t release, int64_t day)
{
    struct install_rule_pointer p = pointer(ring, release);
    return control_book_offer(b, &p, (struct rw_wall){start.s + day * DAY});
}

TEST(offers_are_remembered_in_order_until_the_ring_goes_back)
{
    struct control_book b = {.state_dir = -1};
    (void)offer(&b, "broad", 7, 0);
    (void)offer(&b, "broad", 8, 1);
    const struct control_book_family *f = offer(&b, "broad", 8, 5); /* no news */
    assert_int_equal(f->count, 2);
    assert_int_equal(f->offers[0].release, 8);
    assert_int_equal(f->offers[0].at.s, start.s + DAY);
    f = offer(&b, "broad", 7, 6); /* 8 was taken back: it is no place to lag behind to */
    assert_int_equal(f->count, 1);
    assert_int_equal(f->offers[0].at.s, start.s);
    for (int64_t n = 9; n < 40; n++) {
        f = offer(&b, "broad", n, n);
    }
    assert_int_equal(f->count, CONTROL_OFFERS_MAX);
    assert_int_equal(f->offers[CONTROL_OFFERS_MAX - 1].release, 32);
    f = offer(&b, "early", 39, 50); /* another ring offered other things */
    assert_int_equal(f->count, 1);
    assert_int_equal(f->offers[0].at.s, start.s + 50 * DAY);
}

TEST(age_survives_a_restart_and_a_clock_that_was_ahead)
{
    struct rw_err err;
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct control_book b;
    struct control pin = {.kind = CONTROL_BACK, .amount = 1};
    MUST(control_book_open(d.fd, &b, &err));
    control_book_date(&b, &pin, 1, start);
    (void)offer(&b, "broad", 7, 0);
    MUST(control_book_save(&b, &err));
    MUST(control_book_open(d.fd, &b, &err));
    assert_int_equal(b.families[0].offers[0].length, 70);
    control_book_date(&b, &pin, 1, (struct rw_wall){start.s + 45 * DAY});
    assert_int_equal(pin.since.s, start.s);
    assert_false(b.changed);
    /* Set while the clock ran a year ahead: it does not last a year longer for that. */
    control_book_date(&b, &pin, 1, (struct rw_wall){start.s - DAY});
    assert_int_equal(pin.since.s, start.s - DAY);
    assert_true(b.changed);
    /* Taken away and set again is set anew; so is another one. */
    control_book_date(&b, NULL, 0, start);
    control_book_date(&b, &pin, 1, (struct rw_wall){start.s + DAY});
    assert_int_equal(pin.since.s, start.s + DAY);
}

TEST(book_that_is_not_understood_is_begun_anew)
{
    struct rw_err err;
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct control_book b;
    MUST(rw_alt_save(d.fd, "controls", rw_span_str("{\"format\":9}"), &err));
    MUST(control_book_open(d.fd, &b, &err));
    assert_int_equal(b.family_count, 0);
    MUST(control_book_save(&b, &err));
    MUST(control_book_open(d.fd, &b, &err));
    assert_false(b.changed);
}

TEST(unchanged_book_is_not_written)
{
    struct rw_err err;
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct control_book b;
    MUST(control_book_open(d.fd, &b, &err));
    MUST(control_book_save(&b, &err));
    assert_int_equal(faccessat(d.fd, "controls.a", F_OK, 0), -1);
    assert_int_equal(faccessat(d.fd, "controls.b", F_OK, 0), -1);
}

static const struct bad {
    const char *id;
    const char *text;
} bad_books[] = {
    {"empty", ""},
    {"no object", "[]"},
    {"unknown member", "{\"ring\":\"a\",\"families\":[],\"controls\":[],\"x\":1}"},
    {"missing member", "{\"ring\":\"a\",\"families\":[]}"},
    {"offers out of order", "{\"ring\":\"a\",\"families\":[{\"family\":\"f\",\"offers\":["
                            "{\"release\":1,\"length\":1,\"sha256\":"
                            "\"0000000000000000000000000000000000000000000000000000000000000000\","
                            "\"at\":\"2026-11-22T05:34:16Z\"},"
                            "{\"release\":2,\"length\":1,\"sha256\":"
                            "\"0000000000000000000000000000000000000000000000000000000000000000\","
                            "\"at\":\"2026-11-22T05:34:16Z\"}"
                            "]}],\"controls\":[]}"},
    {"time that is none", "{\"ring\":\"a\",\"families\":[],\"controls\":[{\"control\":\"pause\","
                          "\"since\":\"yesterday\"}]}"},
};

TEST_EACH(bad_book_is_refused, bad_books)
{
    struct rw_err err;
    struct control_book b;
    assert_false(rw_is_ok(control_book_read(rw_span_str(it->text), &b, &err)));
}

RUN_TESTS(cmocka_unit_test(offers_are_remembered_in_order_until_the_ring_goes_back),
          cmocka_unit_test(age_survives_a_restart_and_a_clock_that_was_ahead),
          cmocka_unit_test(book_that_is_not_understood_is_begun_anew),
          cmocka_unit_test(unchanged_book_is_not_written), cmocka_unit_test(bad_book_is_refused))
