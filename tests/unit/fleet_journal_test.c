/* Goal: a record is read as it was written, in the room that it needs; batches of the version before are read as they
 * were meant; a version or a record that this program does not know is refused (INV-8). */
#include "server/health/fleet_journal.h"
#include "tests/harness.h"

static const struct fleet_record full = {.type = FLEET_BEACON,
                                         .endpoint = {1, 2, 3},
                                         .tenant = 1,
                                         .ring = 2,
                                         .cohort = 3,
                                         .family = 4,
                                         .release = 5,
                                         .sha256 = {6},
                                         .generation = 7,
                                         .kind = 1,
                                         .grade = 2,
                                         .trust = 1,
                                         .number = 8,
                                         .now_s = 9,
                                         .before = 10};

static struct fleet_record bare_one(void)
{
    struct fleet_record r = full;
    r.family = FLEET_NO_NAME;
    r.release = r.generation = 0;
    r.sha256[0] = 0;
    return r;
}

static struct fleet_record same_one(void)
{
    struct fleet_record r = full;
    r.same = true;
    return r;
}

static void expect_read(const struct fleet_record *wrote, size_t bytes)
{
    struct rw_err err;
    struct fleet_journal_reader reader = {.old = true};
    struct fleet_record got;
    bool end = true;
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(4096);
    MUST(fleet_journal_put(&b, wrote, &err));
    assert_int_equal(b.n, 1 + bytes);
    MUST(fleet_journal_open(rw_buf_span(&b), &reader, &err));
    MUST(fleet_journal_next(&reader, &got, &end, &err));
    assert_false(end);
    assert_memory_equal(got.endpoint, wrote->endpoint, sizeof(got.endpoint));
    assert_int_equal(got.type, FLEET_BEACON);
    assert_int_equal(got.tenant, wrote->tenant);
    assert_int_equal(got.ring, wrote->ring);
    assert_int_equal(got.cohort, wrote->cohort);
    assert_int_equal(got.family, wrote->family);
    assert_int_equal(got.release, wrote->release);
    assert_int_equal(got.generation, wrote->generation);
    assert_int_equal(got.kind, wrote->kind);
    assert_int_equal(got.grade, wrote->grade);
    assert_int_equal(got.trust, wrote->trust);
    assert_int_equal(got.number, wrote->number);
    assert_int_equal(got.now_s, wrote->now_s);
    assert_int_equal(got.before, wrote->before);
    assert_int_equal(got.same, wrote->same);
    assert_int_equal(got.sha256[0], wrote->same ? 0 : wrote->sha256[0]);
    MUST(fleet_journal_next(&reader, &got, &end, &err));
    assert_true(end);
}

TEST(a_beacon_is_read_as_it_was_written_and_takes_the_room_it_needs)
{
    const struct fleet_record bare = bare_one();
    const struct fleet_record same = same_one();
    expect_read(&full, 93);
    expect_read(&same, 61);
    expect_read(&bare, 43);
    for (int i = 0; i < 4; i++) { /* whatever is not empty is written */
        struct fleet_record r = bare;
        if (i == 0) { r.family = 0; }
        if (i == 1) { r.release = 1; }
        if (i == 2) { r.generation = 1; }
        if (i == 3) { r.sha256[0] = 1; }
        expect_read(&r, 93);
    }
}

/* Version 2: what stores have that an older program wrote. */
static void put_old(struct rw_buf *b, unsigned type)
{
    static const uint8_t record[91] = {
        [0] = 1,  [1] = 2,  [16] = 1, [18] = 2, [20] = 3, [22] = 4, [24] = 5,
        [32] = 6, [64] = 7, [72] = 1, [73] = 2, [74] = 1, [75] = 8, [83] = 9};
    struct rw_err err;
    const uint8_t head[2] = {2, (uint8_t)type};
    MUST(rw_buf_append(b, rw_span_of(head, sizeof(head)), &err));
    MUST(rw_buf_append(b, rw_span_of(record, sizeof(record)), &err));
}

TEST(a_batch_of_the_version_before_means_what_it_meant)
{
    struct rw_err err;
    struct fleet_journal_reader reader = {.old = false};
    struct fleet_record got;
    bool end = true;
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(4096);
    put_old(&b, FLEET_BEACON);
    MUST(fleet_journal_open(rw_buf_span(&b), &reader, &err));
    MUST(fleet_journal_next(&reader, &got, &end, &err));
    assert_int_equal(got.release, 5);
    assert_int_equal(got.sha256[0], 6);
    assert_int_equal(got.generation, 7);
    assert_int_equal(got.number, 8);
    assert_int_equal(got.now_s, 9);
    assert_int_equal(got.before, FLEET_BEFORE_MAX); /* nobody knows: as many ids are kept as ever */
    MUST(fleet_journal_next(&reader, &got, &end, &err));
    assert_true(end);
}

TEST(what_is_not_known_is_refused)
{
    struct rw_err err;
    struct fleet_journal_reader reader = {.old = false};
    struct fleet_record got;
    bool end = true;
    const uint8_t newer[] = {FLEET_JOURNAL_VERSION + 1};
    const uint8_t older[] = {FLEET_JOURNAL_OLDEST - 1};
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(4096);
    MUST_FAIL(fleet_journal_open(rw_span_of(newer, 1), &reader, &err), RW_E_PROTOCOL);
    MUST_FAIL(fleet_journal_open(rw_span_of(older, 1), &reader, &err), RW_E_PROTOCOL);
    put_old(&b, FLEET_REUSE + 1); /* version 2 had no such type */
    MUST(fleet_journal_open(rw_buf_span(&b), &reader, &err));
    MUST_FAIL(fleet_journal_next(&reader, &got, &end, &err), RW_E_PROTOCOL);
    struct fleet_record r = full;
    r.before = FLEET_BEFORE_MAX + 1;
    rw_buf_clear(&b);
    MUST(fleet_journal_put(&b, &r, &err));
    MUST(fleet_journal_open(rw_buf_span(&b), &reader, &err));
    MUST_FAIL(fleet_journal_next(&reader, &got, &end, &err), RW_E_PROTOCOL);
}

RUN_TESTS(cmocka_unit_test(a_beacon_is_read_as_it_was_written_and_takes_the_room_it_needs),
          cmocka_unit_test(a_batch_of_the_version_before_means_what_it_meant),
          cmocka_unit_test(what_is_not_known_is_refused))
