/* Goal: what was committed is what is there after any reopening (INV-8); one endpoint has one vote per release and
 * signal (INV-11); silence becomes dark (INV-4); only proof of the release's own bytes counts as healthy. */
#include "server/health/fleet_permit.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <unistd.h>

static const uint8_t good_bytes[32] = {7};
static const uint8_t other_bytes[32] = {8};
static const struct beacon_cohort debian = {"debian-12", "x86_64", "yara-4.2"};

static const struct fleet_watch watch_2 = {.family = "yara",
                                           .release = 2,
                                           .sha256 = good_bytes,
                                           .now = {1},
                                           .window_s = 900,
                                           .after_s = 7200};

struct world {
    char dir[64];
    char path[96];
    struct store store;
    struct fleet_state *fleet;
    uint64_t next_id; /* of beacons */
};

static void reopen(struct world *w)
{
    struct rw_err err;
    fleet_state_drop(&w->fleet);
    store_close(&w->store);
    MUST(store_sqlite_open(w->path, &w->store, &err));
    MUST(fleet_state_open(&w->store, &w->fleet, &err));
}

static void begin(struct world *w)
{
    *w = (struct world){.next_id = 1};
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/rw-fleet-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->path, sizeof(w->path), "%s/db", w->dir);
    reopen(w);
    struct rw_err err;
    MUST(fleet_state_know_ring(w->fleet, "canary", &err));
    MUST(fleet_state_watch(w->fleet, &watch_2, &err));
}

static void end(struct world *w)
{
    fleet_state_drop(&w->fleet);
    store_close(&w->store);
    (void)nftw(w->dir, harness_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void commit(struct world *w)
{
    struct rw_err err;
    MUST(store_begin(&w->store, &err));
    MUST(fleet_state_flush(w->fleet, &err));
    MUST(store_commit(&w->store, &err));
}

static void fold(struct world *w)
{
    struct rw_err err;
    bool more = true;
    MUST(store_begin(&w->store, &err));
    MUST(fleet_state_fold(w->fleet, &more, &err));
    MUST(store_commit(&w->store, &err));
}

static struct fleet_who who(unsigned number)
{
    struct fleet_who w = {.endpoint = {(uint8_t)number, (uint8_t)(number >> 8), 1}};
    (void)snprintf(w.tenant, sizeof(w.tenant), "acme");
    return w;
}

static struct beacon beacon(struct world *w, enum beacon_kind kind, int64_t release)
{
    struct beacon b = {.kind = kind, .ring = "canary", .cohort = debian, .trust = "ok"};
    uint64_t id = w->next_id++;
    rw_copy(b.id, sizeof(b.id), &id, sizeof(id));
    if (release > 0) {
        (void)snprintf(b.family, sizeof(b.family), "yara");
        rw_copy(b.sha256, sizeof(b.sha256), good_bytes, sizeof(good_bytes));
    }
    b.release = release;
    return b;
}

static void send(struct world *w, unsigned endpoint, enum beacon_kind kind, int64_t release,
                 int64_t now_s)
{
    struct rw_err err;
    bool duplicate = true;
    struct fleet_who me = who(endpoint);
    struct beacon b = beacon(w, kind, release);
    MUST(fleet_state_beacon(w->fleet, &me, &b, (struct rw_wall){now_s}, &duplicate, &err));
    assert_false(duplicate);
}

static struct beacon_permit_request request(int64_t release)
{
    struct beacon_permit_request r = {
        .family = "yara", .release = release, .ring = "canary", .cohort = debian};
    rw_copy(r.sha256, sizeof(r.sha256), good_bytes, sizeof(good_bytes));
    return r;
}

static uint64_t grant(struct world *w, unsigned endpoint, int64_t now_s)
{
    struct rw_err err;
    struct fleet_who me = who(endpoint);
    struct beacon_permit_request r = request(2);
    uint64_t number = 0;
    const struct fleet_ask ask = {&me, &r, {now_s}, 900};
    MUST(fleet_state_permit_grant(w->fleet, &ask, &number, &err));
    return number;
}

static enum fleet_permit_past look(struct world *w, unsigned endpoint, int64_t now_s)
{
    struct rw_err err;
    struct fleet_who me = who(endpoint);
    struct beacon_permit_request r = request(2);
    struct fleet_permit p;
    const struct fleet_ask ask = {&me, &r, {now_s}, 900};
    MUST(fleet_state_permit_look(w->fleet, &ask, &p, &err));
    return p.past;
}

static struct fleet_counts counts(struct world *w)
{
    return fleet_state_counts(w->fleet, "yara", 2, "canary", NULL);
}

static size_t expire(struct world *w, int64_t now_s)
{
    struct rw_err err;
    size_t n = 0;
    MUST(fleet_state_expire(w->fleet, (struct rw_wall){now_s}, &n, &err));
    return n;
}

/* Everything that a reader can see, as text. */
static void picture(struct world *w, struct rw_buf *into)
{
    struct rw_err err;
    struct json_writer j = json_begin(into);
    MUST(fleet_state_write_page(w->fleet, "", 0, 1000, &j, &err));
    MUST(json_done(&j, &err));
    MUST(fleet_state_metrics(w->fleet, into, &err));
    struct fleet_counts c = counts(w);
    MUST(rw_buf_append(into, rw_span_of(&c, sizeof(c)), &err));
    c = fleet_state_counts(w->fleet, "yara", 2, "canary", &debian);
    MUST(rw_buf_append(into, rw_span_of(&c, sizeof(c)), &err));
}

static void busy_day(struct world *w)
{
    for (unsigned i = 0; i < 12; i++) {
        send(w, i, BEACON_ALIVE, 1, 1000);
        (void)grant(w, i, 1000 + i);
    }
    for (unsigned i = 0; i < 4; i++) {
        send(w, i, BEACON_HEALTHY, 2, 1700);
    }
    send(w, 4, BEACON_FAILED, 2, 1701);
    send(w, 1, BEACON_CRASH, 2, 1702);
    send(w, 5, BEACON_REVERTED, 2, 1703);
    send(w, 20, BEACON_REFUSED, 2, 1704);
    assert_int_equal(expire(w, 1907), 2); /* deadlines 1906 and 1907 of endpoints 6 and 7 */
}

TEST(a_busy_day_counts_each_endpoint_where_it_ended)
{
    struct world w;
    begin(&w);
    busy_day(&w);
    struct fleet_counts c = counts(&w);
    assert_int_equal(c.members, 13);
    assert_int_equal(c.exposed, 12);
    assert_int_equal(c.survived, 4);
    assert_int_equal(c.healthy, 3);
    assert_int_equal(c.late_crash, 1);
    assert_int_equal(c.failed, 1);
    assert_int_equal(c.dark, 2);
    assert_int_equal(c.pending, 4);
    assert_int_equal(c.reverted, 1);
    assert_int_equal(c.refused, 1);
    assert_int_equal(c.refused_free, 1);
    assert_int_equal(c.still_on, 6); /* 4 confirmed, 2 dark: nobody knows better */
    assert_int_equal(c.marked, 4);
    end(&w);
}

/* INV-8: journal alone, image alone, image and journal behind it: always the same state. */
TEST(reopening_gives_the_same_state_from_journal_image_or_both)
{
    struct world w;
    begin(&w);
    RW_AUTO(rw_buf) struct rw_buf before = rw_buf_make(1 << 20);
    busy_day(&w);
    commit(&w);
    picture(&w, &before);
    static const bool fold_first[] = {false, true, true};
    for (size_t i = 0; i < RW_LEN(fold_first); i++) {
        RW_AUTO(rw_buf) struct rw_buf after = rw_buf_make(1 << 20);
        if (fold_first[i]) { fold(&w); }
        reopen(&w);
        picture(&w, &after);
        assert_true(rw_span_eq(rw_buf_span(&before), rw_buf_span(&after)));
    }
    send(&w, 8, BEACON_HEALTHY, 2, 1800);
    assert_int_equal(expire(&w, 5000), 3);
    commit(&w);
    RW_AUTO(rw_buf) struct rw_buf live = rw_buf_make(1 << 20);
    RW_AUTO(rw_buf) struct rw_buf loaded = rw_buf_make(1 << 20);
    picture(&w, &live);
    reopen(&w);
    picture(&w, &loaded);
    assert_true(rw_span_eq(rw_buf_span(&live), rw_buf_span(&loaded)));
    assert_int_equal(expire(&w, 9000), 0);
    end(&w);
}

TEST(what_was_not_committed_is_gone_after_a_reload)
{
    struct world w;
    begin(&w);
    struct rw_err err;
    commit(&w);
    uint64_t first = grant(&w, 1, 1000);
    MUST(store_begin(&w.store, &err));
    MUST(fleet_state_flush(w.fleet, &err));
    store_rollback(&w.store);
    MUST(fleet_state_reload(w.fleet, &err));
    assert_int_equal(fleet_state_endpoints(w.fleet), 0);
    assert_int_equal(counts(&w).exposed, 0);
    assert_int_equal(grant(&w, 1, 1000), first); /* nobody was told the first time */
    end(&w);
}

TEST(permit_numbers_rise_over_restarts_and_folds)
{
    struct world w;
    begin(&w);
    uint64_t last = 0;
    for (unsigned i = 0; i < 6; i++) {
        uint64_t number = grant(&w, i, 1000);
        assert_true(number > last);
        last = number;
        commit(&w);
        if (i % 2 == 0) { fold(&w); }
        reopen(&w);
    }
    end(&w);
}

TEST(a_repeated_beacon_changes_nothing_and_a_whole_batch_may_be_repeated)
{
    struct world w;
    begin(&w);
    struct rw_err err;
    struct fleet_who me = who(1);
    struct beacon batch[BEACON_BATCH_MAX];
    for (size_t i = 0; i < RW_LEN(batch); i++) {
        batch[i] = beacon(&w, BEACON_ALIVE, 2);
    }
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < RW_LEN(batch); i++) {
            bool duplicate = false;
            me.before = (uint8_t)i;
            MUST(
                fleet_state_beacon(w.fleet, &me, &batch[i], (struct rw_wall){5}, &duplicate, &err));
            assert_int_equal(duplicate, round == 1);
        }
        commit(&w);
        reopen(&w);
    }
    end(&w);
}

TEST(inv_11_one_endpoint_has_one_vote_however_often_it_crashes)
{
    struct world w;
    begin(&w);
    (void)grant(&w, 1, 1000);
    for (int i = 0; i < 5; i++) {
        send(&w, 1, BEACON_FAILED, 2, 1001 + i);
        send(&w, 1, BEACON_CRASH, 2, 1001 + i);
    }
    send(&w, 1, BEACON_HEALTHY, 2, 1100);
    struct fleet_counts c = counts(&w);
    assert_int_equal(c.failed, 1);
    assert_int_equal(c.survived, 0);
    assert_int_equal(look(&w, 1, 1101), FLEET_PERMIT_NEVER);
    end(&w);
}

TEST(who_cannot_try_a_release_has_no_vote_and_is_counted_until_it_can)
{
    struct world w;
    begin(&w);
    send(&w, 1, BEACON_UNABLE, 2, 1000);
    send(&w, 1, BEACON_UNABLE, 2, 1001);
    struct fleet_counts c = counts(&w);
    assert_int_equal(c.unable, 1);
    assert_int_equal(c.refused + c.refused_free + c.failed + c.marked + c.exposed, 0);
    (void)grant(&w, 1, 1010); /* its box was mended */
    assert_int_equal(counts(&w).unable, 0);
    end(&w);
}

TEST(inv_11_noise_before_a_permit_counts_once)
{
    struct world w;
    begin(&w);
    send(&w, 1, BEACON_STORM, 1, 1000);
    send(&w, 1, BEACON_STORM, 1, 1001);
    assert_int_equal(counts(&w).control_noise, 1);
    end(&w);
}

TEST(inv_11_an_endpoint_without_a_permit_cannot_vote_on_crashes_or_health)
{
    struct world w;
    begin(&w);
    send(&w, 1, BEACON_FAILED, 2, 1000);
    send(&w, 2, BEACON_CRASH, 2, 1000);
    send(&w, 3, BEACON_HEALTHY, 2, 1000);
    struct fleet_counts c = counts(&w);
    assert_int_equal(c.failed + c.late_crash + c.survived + c.healthy, 0);
    end(&w);
}

TEST(inv_11_forgetting_old_releases_does_not_give_a_second_vote)
{
    struct world w;
    begin(&w);
    struct rw_err err;
    (void)grant(&w, 1, 1000);
    send(&w, 1, BEACON_FAILED, 2, 1001);
    for (int64_t release = 3; release < 9; release++) {
        struct fleet_watch watch = watch_2;
        watch.release = release;
        MUST(fleet_state_watch(w.fleet, &watch, &err));
        send(&w, 1, BEACON_REFUSED, release, 1002);
    }
    send(&w, 1, BEACON_ALIVE, 2, 1003);
    send(&w, 1, BEACON_FAILED, 2, 1004);
    send(&w, 1, BEACON_REFUSED, 2, 1004);
    assert_int_equal(counts(&w).failed, 1);
    assert_int_equal(counts(&w).refused, 0);
    assert_int_equal(look(&w, 1, 1005), FLEET_PERMIT_NEVER);
    end(&w);
}

TEST(inv_4_silence_counts_until_the_release_is_proven_and_stays_for_the_detector)
{
    struct world w;
    begin(&w);
    (void)grant(&w, 1, 1000);
    assert_int_equal(expire(&w, 1899), 0);
    assert_int_equal(expire(&w, 1900), 1);
    send(&w, 1, BEACON_HEALTHY, 2, 2500);
    struct fleet_counts c = counts(&w);
    assert_int_equal(c.dark, 1);
    assert_int_equal(c.survived, 1);
    assert_int_equal(c.healthy, 1);
    assert_int_equal(c.at_risk, 1);
    assert_int_equal(c.marked, 0);
    end(&w);
}

TEST(only_proof_of_the_releases_own_bytes_counts)
{
    struct world w;
    begin(&w);
    struct rw_err err;
    bool duplicate = false;
    struct fleet_who me = who(1);
    (void)grant(&w, 1, 1000);
    struct beacon b = beacon(&w, BEACON_HEALTHY, 2);
    rw_copy(b.sha256, sizeof(b.sha256), other_bytes, sizeof(other_bytes));
    MUST(fleet_state_beacon(w.fleet, &me, &b, (struct rw_wall){1001}, &duplicate, &err));
    assert_int_equal(counts(&w).survived, 0);
    assert_int_equal(counts(&w).still_on, 0);
    send(&w, 1, BEACON_HEALTHY, 2, 1002);
    assert_int_equal(counts(&w).survived, 1);
    end(&w);
}

TEST(a_pending_permit_is_found_again_and_a_dark_one_costs_no_second_place)
{
    struct world w;
    begin(&w);
    assert_int_equal(look(&w, 1, 1000), FLEET_PERMIT_FRESH);
    (void)grant(&w, 1, 1000);
    assert_int_equal(look(&w, 1, 1500), FLEET_PERMIT_OPEN);
    (void)expire(&w, 1900);
    assert_int_equal(look(&w, 1, 1901), FLEET_PERMIT_AGAIN);
    (void)grant(&w, 1, 1901);
    struct fleet_counts c = counts(&w);
    assert_int_equal(c.exposed, 1);
    assert_int_equal(c.dark, 1);
    end(&w);
}

TEST(another_tenant_cannot_speak_for_an_endpoint)
{
    struct world w;
    begin(&w);
    struct rw_err err;
    bool duplicate = false;
    send(&w, 1, BEACON_ALIVE, 2, 1000);
    struct fleet_who thief = who(1);
    (void)snprintf(thief.tenant, sizeof(thief.tenant), "evil");
    struct beacon b = beacon(&w, BEACON_ALIVE, 2);
    MUST_FAIL(fleet_state_beacon(w.fleet, &thief, &b, (struct rw_wall){1}, &duplicate, &err),
              RW_E_FORBIDDEN);
    MUST_FAIL(fleet_state_enrol(w.fleet, &thief, (struct rw_wall){1}, &err), RW_E_FORBIDDEN);
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(4096);
    struct json_writer j = json_begin(&out);
    struct fleet_who whose;
    MUST_FAIL(fleet_state_write_one(w.fleet, "evil", thief.endpoint, &whose, &j, &err),
              RW_E_NOT_FOUND);
    end(&w);
}

TEST(invented_cohorts_end_in_other_and_invented_rings_in_none)
{
    struct world w;
    begin(&w);
    struct rw_err err;
    for (unsigned i = 0; i < 1100; i++) {
        bool duplicate = false;
        struct fleet_who me = who(i);
        struct beacon b = beacon(&w, BEACON_ALIVE, 2);
        (void)snprintf(b.cohort.os, sizeof(b.cohort.os), "os-%u", i);
        if (i == 5) { (void)snprintf(b.ring, sizeof(b.ring), "nowhere"); }
        MUST(fleet_state_beacon(w.fleet, &me, &b, (struct rw_wall){9}, &duplicate, &err));
    }
    struct beacon_cohort unknown = {"os-1099", "x86_64", "yara-4.2"};
    struct beacon_cohort other = {.os = "other"};
    assert_int_equal(counts(&w).members, 1099);
    assert_int_equal(fleet_state_counts(w.fleet, "yara", 2, "canary", &unknown).members, 0);
    assert_int_equal(fleet_state_counts(w.fleet, "yara", 2, "canary", &other).members, 1100 - 1023);
    end(&w);
}

RUN_TESTS(
    cmocka_unit_test(a_busy_day_counts_each_endpoint_where_it_ended),
    cmocka_unit_test(reopening_gives_the_same_state_from_journal_image_or_both),
    cmocka_unit_test(what_was_not_committed_is_gone_after_a_reload),
    cmocka_unit_test(permit_numbers_rise_over_restarts_and_folds),
    cmocka_unit_test(a_repeated_beacon_changes_nothing_and_a_whole_batch_may_be_repeated),
    cmocka_unit_test(inv_11_one_endpoint_has_one_vote_however_often_it_crashes),
    cmocka_unit_test(who_cannot_try_a_release_has_no_vote_and_is_counted_until_it_can),
    cmocka_unit_test(inv_11_noise_before_a_permit_counts_once),
    cmocka_unit_test(inv_11_an_endpoint_without_a_permit_cannot_vote_on_crashes_or_health),
    cmocka_unit_test(inv_11_forgetting_old_releases_does_not_give_a_second_vote),
    cmocka_unit_test(inv_4_silence_counts_until_the_release_is_proven_and_stays_for_the_detector),
    cmocka_unit_test(only_proof_of_the_releases_own_bytes_counts),
    cmocka_unit_test(a_pending_permit_is_found_again_and_a_dark_one_costs_no_second_place),
    cmocka_unit_test(another_tenant_cannot_speak_for_an_endpoint),
    cmocka_unit_test(invented_cohorts_end_in_other_and_invented_rings_in_none))
