/* Goal: whoever invents names of cohorts takes them from nobody (INV-1, INV-11): names that nothing needs are used
 * again, an endpoint and a tenant have a share, what is counted keeps its name, and a restart changes nothing of it. */
#include "server/health/fleet_permit.h"
#include "server/health/fleet_table.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint8_t bytes_of_2[32] = {7};
static const struct beacon_cohort real = {"debian-12", "x86_64", "yara-4.2"};

enum { HOUR_S = 3600 };

struct world {
    struct harness_dir dir;
    char path[128];
    struct store store;
    struct fleet_state *fleet;
    uint64_t next_id;
    int64_t now_s;
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
    struct rw_err err;
    const struct fleet_watch watch = {
        .family = "yara", .release = 2, .sha256 = bytes_of_2, .now = {1}, .window_s = 900};
    *w = (struct world){.dir = harness_dir(), .next_id = 1, .now_s = 100};
    (void)snprintf(w->path, sizeof(w->path), "%s/db", w->dir.path);
    reopen(w);
    MUST(fleet_state_know_ring(w->fleet, "canary", &err));
    MUST(fleet_state_watch(w->fleet, &watch, &err));
}

static void end(struct world *w)
{
    fleet_state_drop(&w->fleet);
    store_close(&w->store);
    harness_dir_drop(&w->dir);
}

static void restart(struct world *w, bool folded)
{
    struct rw_err err;
    MUST(store_begin(&w->store, &err));
    MUST(fleet_state_flush(w->fleet, &err));
    MUST(store_commit(&w->store, &err));
    if (folded) {
        bool more = true;
        MUST(store_begin(&w->store, &err));
        MUST(fleet_state_fold(w->fleet, &more, &err));
        MUST(store_commit(&w->store, &err));
    }
    reopen(w);
}

static struct fleet_who who(const char *tenant, unsigned number)
{
    struct fleet_who me = {.endpoint = {(uint8_t)number, (uint8_t)(number >> 8), 1}};
    (void)snprintf(me.tenant, sizeof(me.tenant), "%s", tenant);
    me.endpoint[15] = (uint8_t)tenant[0];
    return me;
}

static struct beacon_cohort invented(unsigned number)
{
    struct beacon_cohort c = {.arch = "x86_64", .engine = "yara-4.2"};
    (void)snprintf(c.os, sizeof(c.os), "made-up-%u", number);
    return c;
}

static void send(struct world *w, const char *tenant, unsigned endpoint,
                 const struct beacon_cohort *cohort, enum beacon_kind kind)
{
    struct rw_err err;
    bool duplicate = true;
    struct fleet_who me = who(tenant, endpoint);
    struct beacon b = {.kind = kind, .ring = "canary", .cohort = *cohort, .trust = "ok"};
    uint64_t id = w->next_id++;
    rw_copy(b.id, sizeof(b.id), &id, sizeof(id));
    if (kind == BEACON_REFUSED) {
        (void)snprintf(b.family, sizeof(b.family), "yara");
        b.release = 2;
        rw_copy(b.sha256, sizeof(b.sha256), bytes_of_2, sizeof(bytes_of_2));
    }
    MUST(fleet_state_beacon(w->fleet, &me, &b, (struct rw_wall){w->now_s}, &duplicate, &err));
}

static int64_t members(const struct world *w, const struct beacon_cohort *cohort)
{
    return fleet_state_counts(w->fleet, "yara", 2, "canary", cohort).members;
}

static int64_t in_other(const struct world *w)
{
    const struct beacon_cohort other = {.os = "other"};
    return members(w, &other);
}

static bool alarms(const struct world *w)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(4096);
    struct json_writer j = json_begin(&text);
    json_open_array(&j, NULL);
    fleet_state_write_alarms(w->fleet, &j);
    json_close_array(&j);
    MUST(json_done(&j, &err));
    return text.n > 2;
}

TEST(inv_11_one_endpoint_that_invents_cohorts_takes_none_from_the_others)
{
    struct world w;
    begin(&w);
    for (unsigned i = 0; i < 32 * 40; i++) { /* batch upon batch, within one second */
        struct beacon_cohort c = invented(i);
        send(&w, "evil", 1, &c, BEACON_ALIVE);
    }
    assert_int_equal(in_other(&w), 1);
    assert_true(alarms(&w));                               /* INV-12 */
    for (unsigned i = 0; i < 3 * FLEET_COHORTS_MAX; i++) { /* and for a month, as often as it may */
        struct beacon_cohort c = invented(10000 + i);
        w.now_s += 900;
        send(&w, "evil", 1, &c, BEACON_ALIVE);
        if (i % 500 == 0) { restart(&w, i % 1000 == 0); }
    }
    assert_int_equal(in_other(&w), 0);
    assert_false(alarms(&w));
    send(&w, "acme", 2, &real, BEACON_ALIVE);
    assert_int_equal(members(&w, &real), 1);
    restart(&w, true);
    assert_int_equal(members(&w, &real), 1);
    end(&w);
}

TEST(inv_11_a_tenant_with_endless_endpoints_leaves_half_of_the_names_to_the_others)
{
    struct world w;
    begin(&w);
    send(&w, "acme", 1, &real, BEACON_ALIVE);
    for (unsigned i = 0; i < 2 * FLEET_COHORTS_MAX; i++) {
        struct beacon_cohort c = invented(i);
        send(&w, "evil", i, &c, BEACON_ALIVE);
        if (i == 700) { restart(&w, true); } /* the share holds over a restart */
    }
    int64_t held = 2 * FLEET_COHORTS_MAX - in_other(&w);
    assert_in_range(held, FLEET_COHORTS_MAX / 2 - 2, FLEET_COHORTS_MAX / 2);
    for (unsigned i = 1; i < FLEET_COHORTS_MAX / 8; i++) {
        struct beacon_cohort c = invented(50000 + i);
        send(&w, "acme", 10 + i, &c, BEACON_ALIVE);
        assert_int_equal(members(&w, &c), 1);
    }
    end(&w);
}

TEST(inv_1_a_name_that_something_is_counted_under_is_not_used_again)
{
    struct world w;
    begin(&w);
    struct beacon_cohort kept = invented(0);
    send(&w, "evil", 1, &kept, BEACON_REFUSED);
    w.now_s += HOUR_S;
    send(&w, "evil", 1, &real, BEACON_ALIVE);              /* nobody is in it any more */
    for (unsigned i = 1; i < 2 * FLEET_COHORTS_MAX; i++) { /* until all others were used again */
        struct beacon_cohort c = invented(i);
        w.now_s += HOUR_S;
        send(&w, "evil", 2, &c, BEACON_ALIVE);
        assert_int_equal(members(&w, &c), 1);
    }
    struct fleet_counts c = fleet_state_counts(w.fleet, "yara", 2, "canary", &kept);
    assert_int_equal(c.refused, 1);
    struct beacon_cohort gone = invented(5);
    assert_int_equal(fleet_state_counts(w.fleet, "yara", 2, "canary", &gone).members, 0);
    restart(&w, true);
    c = fleet_state_counts(w.fleet, "yara", 2, "canary", &kept);
    assert_int_equal(c.refused, 1);
    end(&w);
}

TEST(inv_1_room_is_looked_for_where_the_permit_is_booked)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    struct beacon_cohort first = invented(1);
    send(&w, "evil", 1, &real, BEACON_ALIVE);
    send(&w, "evil", 1, &first, BEACON_ALIVE);
    const struct fleet_who me = who("evil", 1);
    struct beacon_permit_request request = {
        .family = "yara", .release = 2, .ring = "canary", .cohort = invented(2)};
    rw_copy(request.sha256, sizeof(request.sha256), bytes_of_2, sizeof(bytes_of_2));
    const struct fleet_ask ask = {&me, &request, {w.now_s}, 900};
    uint64_t number = 0;
    struct beacon_cohort booked = fleet_state_cohort_for(w.fleet, &ask);
    assert_string_equal(booked.os, "other"); /* its second name within the same second */
    assert_int_equal(fleet_state_counts(w.fleet, "yara", 2, "canary", &booked).exposed, 0);
    MUST(fleet_state_permit_grant(w.fleet, &ask, &number, &err));
    assert_int_equal(fleet_state_counts(w.fleet, "yara", 2, "canary", &booked).exposed, 1);
    end(&w);
}

RUN_TESTS(
    cmocka_unit_test(inv_11_one_endpoint_that_invents_cohorts_takes_none_from_the_others),
    cmocka_unit_test(inv_11_a_tenant_with_endless_endpoints_leaves_half_of_the_names_to_the_others),
    cmocka_unit_test(inv_1_a_name_that_something_is_counted_under_is_not_used_again),
    cmocka_unit_test(inv_1_room_is_looked_for_where_the_permit_is_booked))
