/* Goal: beacons survive a restart, in order, bounded; what tells of failures is dropped last (INV-4, INV-8). */
#include "agent/report/beacon_send.h"
#include "agent/report/beacon_spool.h"

#include "common/base/file.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

static char path[64];
static int dir;
static struct beacon_spool spool;

static int remove_one(const char *name, const struct stat *st, int flag, struct FTW *f)
{
    (void)st;
    (void)flag;
    (void)f;
    return remove(name);
}

static void open_spool(size_t max)
{
    struct rw_err err;
    if (path[0] == '\0') {
        (void)snprintf(path, sizeof(path), "/tmp/rw-spool-XXXXXX");
        assert_non_null(mkdtemp(path));
    }
    MUST(rw_dir_open(path, &dir, &err));
    MUST(beacon_spool_open(dir, max, &spool, &err));
}

static void close_spool(void)
{
    beacon_spool_drop(&spool);
    rw_fd_drop(&dir);
}

static void remove_spool(void)
{
    close_spool();
    (void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    path[0] = '\0';
}

static void add_about(enum beacon_kind kind, uint8_t id, const char *family, int64_t release,
                      const char *detail)
{
    struct rw_err err;
    struct beacon b = {.kind = kind, .at = {1700000000 + id}, .release = release, .trust = "ok"};
    b.id[0] = id;
    (void)snprintf(b.ring, sizeof(b.ring), "canary");
    (void)snprintf(b.family, sizeof(b.family), "%s", family);
    (void)snprintf(b.detail, sizeof(b.detail), "%s", detail);
    (void)snprintf(b.cohort.os, sizeof(b.cohort.os), "debian-12");
    (void)snprintf(b.cohort.arch, sizeof(b.cohort.arch), "x86_64");
    (void)snprintf(b.cohort.engine, sizeof(b.cohort.engine), "yara-4.2");
    MUST(beacon_spool_add(&spool, &b, &err));
}

static void add(enum beacon_kind kind, uint8_t id)
{
    add_about(kind, id, "yara", id, "");
}

/* The first bytes of the ids of the next batch, as a string of numbers. */
static const char *next_ids(size_t *count, uint64_t seqs[static BEACON_BATCH_MAX])
{
    static char text[256];
    static struct beacon all[BEACON_BATCH_MAX];
    struct rw_err err;
    size_t n = 0;
    size_t used = 0;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BEACON_BODY_BYTES_MAX);
    text[0] = '\0';
    MUST(beacon_spool_batch(&spool, &body, seqs, count, &err));
    if (*count == 0) { return text; }
    MUST(beacon_read_batch(rw_buf_span(&body), all, &n, &err));
    assert_int_equal(n, *count);
    for (size_t i = 0; i < n; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%d ", all[i].id[0]);
    }
    return text;
}

TEST(beacons_come_out_in_the_order_of_their_making_also_after_a_restart)
{
    uint64_t seqs[BEACON_BATCH_MAX];
    size_t n = 0;
    open_spool(16);
    add(BEACON_HEALTHY, 3);
    add(BEACON_ALIVE, 1);
    close_spool();
    open_spool(16);
    add(BEACON_FAILED, 2);
    assert_string_equal(next_ids(&n, seqs), "3 1 2 ");
    remove_spool();
}

TEST(only_what_was_acknowledged_leaves)
{
    struct rw_err err;
    uint64_t seqs[BEACON_BATCH_MAX];
    size_t n = 0;
    open_spool(64);
    for (uint8_t i = 1; i <= 40; i++) {
        add(BEACON_ALIVE, i);
    }
    (void)next_ids(&n, seqs);
    assert_int_equal(n, BEACON_BATCH_MAX);
    add(BEACON_CRASH, 41); /* while the batch is on its way */
    MUST(beacon_spool_remove(&spool, seqs, n, &err));
    MUST(beacon_spool_remove(&spool, seqs, n, &err)); /* again is harmless */
    assert_string_equal(next_ids(&n, seqs), "33 34 35 36 37 38 39 40 41 ");
    close_spool();
    open_spool(64);
    assert_int_equal(spool.count, 9);
    remove_spool();
}

TEST(a_full_spool_drops_the_oldest_alive_first_and_counts)
{
    uint64_t seqs[BEACON_BATCH_MAX];
    size_t n = 0;
    open_spool(3);
    add(BEACON_FAILED, 1);
    add(BEACON_ALIVE, 2);
    add(BEACON_ALIVE, 3);
    add(BEACON_CRASH, 4);
    assert_string_equal(next_ids(&n, seqs), "1 3 4 ");
    add(BEACON_REVERTED, 5);
    add(BEACON_REFUSED, 6);
    assert_string_equal(next_ids(&n, seqs), "4 5 6 ");
    assert_int_equal(spool.dropped, 3);
    remove_spool();
}

/* What says the same needs no room beside the last one: nothing is lost, and nothing counts as lost (INV-12). */
TEST(a_sign_of_life_drops_nothing_that_tells_more)
{
    uint64_t seqs[BEACON_BATCH_MAX];
    size_t n = 0;
    struct rw_err err;
    struct beacon life = {
        .kind = BEACON_ALIVE, .at = {1700000009}, .trust = "ok", .ring = "canary"};
    open_spool(3);
    add(BEACON_FAILED, 1);
    add(BEACON_CRASH, 2);
    add(BEACON_STORM, 3);
    MUST_FAIL(beacon_spool_add(&spool, &life, &err), RW_E_FULL);
    assert_string_equal(next_ids(&n, seqs), "1 2 3 ");
    assert_int_equal(spool.dropped, 0); /* whoever made it counts it */
    remove_spool();
}

TEST(in_a_full_spool_a_sign_of_life_still_takes_the_place_of_an_equal_one)
{
    uint64_t seqs[BEACON_BATCH_MAX];
    size_t n = 0;
    open_spool(3);
    add_about(BEACON_ALIVE, 1, "yara", 6, "");
    add(BEACON_CRASH, 2);
    add_about(BEACON_ALIVE, 3, "yara", 7, "");
    add_about(BEACON_ALIVE, 4, "yara", 7, "");
    add_about(BEACON_ALIVE, 5, "yara", 7, "");
    assert_string_equal(next_ids(&n, seqs), "1 2 5 ");
    assert_int_equal(spool.dropped, 0);
    remove_spool();
}

/* What one beacon says: family "y", "t" or "-" (nothing is loaded), and a detail, or an event about "y". */
static const struct life_case {
    const char *id;
    const char *said; /* "y" "t" "-": alive; "Y": the same with a detail; "c": a crash */
    const char *want; /* which of them go out, counted from 1 */
} lives[] = {
    {"the_newest_of_the_same_stays", "yyyy", "4 "},
    {"each_family_has_its_own", "ytytyt", "5 6 "},
    {"an_event_parts_before_from_after", "yyycyyy", "3 4 7 "},
    {"two_events_in_a_row", "yccy", "1 2 3 4 "},
    {"another_word_is_kept_in_its_place", "yyYyy", "2 3 5 "},
    {"another_word_of_the_other_family_too", "ytYtyt", "1 3 5 6 "},
    {"an_empty_set_speaks_of_all_families", "y-y--y", "1 2 3 5 6 "},
};

TEST_EACH(a_sign_of_life_takes_the_place_of_the_last_that_said_the_same, lives)
{
    uint64_t seqs[BEACON_BATCH_MAX];
    size_t n = 0;
    open_spool(16);
    for (size_t i = 0; it->said[i] != '\0'; i++) {
        const char *detail = it->said[i] == 'Y' ? "integrity: repaired" : "";
        enum beacon_kind kind = it->said[i] == 'c' ? BEACON_CRASH : BEACON_ALIVE;
        bool empty = it->said[i] == '-';
        const char *family = empty ? "" : (it->said[i] == 't' ? "template" : "yara");
        add_about(kind, (uint8_t)(i + 1), family, empty ? 0 : 7, detail);
        close_spool(); /* what was there before a restart counts too */
        open_spool(16);
    }
    assert_string_equal(next_ids(&n, seqs), it->want);
    assert_int_equal(spool.dropped, 0);
    remove_spool();
}

/* INV-8: the one that is on its way may be acknowledged or not, the newer one is still to be told. */
TEST(a_sign_of_life_that_is_on_its_way_is_followed_by_the_next)
{
    struct rw_err err;
    uint64_t seqs[BEACON_BATCH_MAX];
    size_t n = 0;
    open_spool(16);
    add_about(BEACON_ALIVE, 1, "yara", 7, "");
    assert_string_equal(next_ids(&n, seqs), "1 ");
    add_about(BEACON_ALIVE, 2, "yara", 7, "");
    MUST(beacon_spool_remove(&spool, seqs, n, &err));
    assert_string_equal(next_ids(&n, seqs), "2 ");
    remove_spool();
}

static const struct damage_case {
    const char *id, *name, *content;
} damages[] = {
    {"half_a_file", "0000000000000001-h-03000000000000000000000000000000.json", "{\"id\":\"03"},
    {"another_document", "0000000000000001-h-03000000000000000000000000000000.json", "{}"},
    {"a_temporary_of_a_crash", ".0000000000000009-a-03000000000000000000000000000000.json.tmp", ""},
    {"a_stranger", "notes.txt", "hello"},
};

TEST_EACH(damage_on_disk_never_blocks_the_others, damages)
{
    struct rw_err err;
    uint64_t seqs[BEACON_BATCH_MAX];
    size_t n = 0;
    open_spool(16);
    add(BEACON_HEALTHY, 3);
    add(BEACON_FAILED, 4);
    RW_AUTO(rw_fd)
    rw_fd out = openat(spool.dir, it->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(rw_fd_write_all(out, rw_span_str(it->content), &err));
    close_spool();
    open_spool(16);
    const char *want = it->name[0] == '0' ? "4 " : "3 4 ";
    assert_string_equal(next_ids(&n, seqs), want);
    assert_true(it->name[0] == '0' || faccessat(spool.dir, it->name, F_OK, 0) != 0);
    remove_spool();
}

static const struct outcome_case {
    const char *id;
    int status;
    enum beacon_send_outcome want;
} outcomes[] = {
    {"acknowledged", 200, BEACON_SEND_DONE},      {"no_answer", 0, BEACON_SEND_RETRY},
    {"server_fault", 503, BEACON_SEND_RETRY},     {"bad_token", 401, BEACON_SEND_RETRY},
    {"forbidden", 403, BEACON_SEND_RETRY},        {"too_many", 429, BEACON_SEND_RETRY},
    {"wrong_for_good", 400, BEACON_SEND_DROPPED}, {"too_large", 413, BEACON_SEND_DROPPED},
    {"redirect", 302, BEACON_SEND_RETRY},
};

TEST_EACH(beacons_are_kept_until_they_are_acknowledged_or_refused_for_good, outcomes)
{
    struct rw_err err;
    struct beacon_send batch = {.count = 0};
    enum beacon_send_outcome outcome = BEACON_SEND_RETRY;
    open_spool(16);
    add(BEACON_FAILED, 1);
    MUST(beacon_send_fill(&batch, &spool, &err));
    assert_int_equal(batch.count, 1);
    batch.status = it->status;
    MUST(beacon_send_settle(&batch, &spool, &outcome, &err));
    assert_int_equal(outcome, it->want);
    assert_int_equal(spool.count, it->want == BEACON_SEND_RETRY ? 1 : 0);
    beacon_send_drop(&batch);
    remove_spool();
}

RUN_TESTS(cmocka_unit_test(beacons_come_out_in_the_order_of_their_making_also_after_a_restart),
          cmocka_unit_test(only_what_was_acknowledged_leaves),
          cmocka_unit_test(a_full_spool_drops_the_oldest_alive_first_and_counts),
          cmocka_unit_test(a_sign_of_life_drops_nothing_that_tells_more),
          cmocka_unit_test(in_a_full_spool_a_sign_of_life_still_takes_the_place_of_an_equal_one),
          cmocka_unit_test(a_sign_of_life_takes_the_place_of_the_last_that_said_the_same),
          cmocka_unit_test(a_sign_of_life_that_is_on_its_way_is_followed_by_the_next),
          cmocka_unit_test(damage_on_disk_never_blocks_the_others),
          cmocka_unit_test(beacons_are_kept_until_they_are_acknowledged_or_refused_for_good))
