/* Goal: an agent that sends what waits again and again, until it is answered, is never believed twice, and the many
 * that send one beacon at a time are not paid for as the few that send 32 (INV-11; docs/protocol.md 7). */
#include "server/health/fleet_hot.h"
#include "server/health/recent_rule.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

static struct recent_rule after(struct recent_rule r, uint8_t before, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        r = recent_rule_next(r, before);
    }
    return r;
}

TEST(as_many_are_kept_as_the_requests_are_long_and_never_fewer_than_eight)
{
    struct recent_rule r = after(recent_rule_of(0), 0, 100);
    assert_int_equal(r.keep, 8);
    for (uint8_t before = 0; before < 32; before++) {
        r = recent_rule_next(r, before);
        assert_true(r.keep > before && r.keep >= 8 && r.keep <= 32);
    }
    assert_int_equal(r.keep, 32);
    assert_int_equal(recent_rule_of(0).keep, 8);
    assert_int_equal(recent_rule_of(9).keep, 16);
    assert_int_equal(recent_rule_of(32).keep, 32);
    assert_true(recent_rule_fits(recent_rule_of(0), 8));
    assert_false(recent_rule_fits(recent_rule_of(0), 9));
    assert_false(recent_rule_fits((struct recent_rule){.keep = 24}, 1));
    assert_false(recent_rule_fits((struct recent_rule){.keep = 64}, 1));
    assert_false(recent_rule_fits((struct recent_rule){.keep = 4}, 1));
    assert_false(recent_rule_fits((struct recent_rule){.keep = 8, .small = 8}, 1));
}

TEST(it_shrinks_by_half_when_all_ids_of_the_long_request_are_gone)
{
    struct recent_rule r = recent_rule_next((struct recent_rule){.keep = 8}, 31);
    assert_int_equal(after(r, 0, 31).keep, 32);
    assert_int_equal(after(r, 0, 32).keep, 16);
    assert_int_equal(after(r, 0, 32 + 15).keep, 16);
    assert_int_equal(after(r, 0, 32 + 16).keep, 8);
    assert_int_equal(after(after(r, 0, 31), 16, 1).small,
                     0); /* more than half: the count begins anew */
    assert_int_equal(after(after(r, 0, 31), 15, 1).keep, 16);
}

/* --- an agent whose answers get lost --- */

enum { WAITING_MAX = 100, DAYS = 3000 };

struct agent {
    uint64_t first, next; /* ids that wait: first .. next - 1, in that order */
    bool known[WAITING_MAX + DAYS * 2];
    uint32_t seed;
};

static uint32_t draw(struct agent *a, uint32_t below)
{
    a->seed = a->seed * 1664525U + 1013904223U;
    return (a->seed >> 8) % below;
}

struct world {
    struct store store;
    struct fleet_state *fleet;
};

/* The oldest ones, as beacon_spool_batch has them; each is new exactly once. */
static size_t request(struct world *w, struct agent *a)
{
    struct rw_err err;
    struct fleet_who me = {.endpoint = {1}, .tenant = "acme"};
    uint64_t waiting = a->next - a->first;
    size_t count = waiting < 32 ? (size_t)waiting : 32;
    for (size_t i = 0; i < count; i++) {
        uint64_t id = a->first + i;
        struct beacon b = {.kind = BEACON_ALIVE, .ring = "broad", .grade = "full", .trust = "ok"};
        bool duplicate = false;
        rw_copy(b.id, sizeof(b.id), &id, sizeof(id));
        me.before = (uint8_t)i;
        MUST(fleet_state_beacon(w->fleet, &me, &b, (struct rw_wall){1000}, &duplicate, &err));
        assert_int_equal(duplicate, a->known[id]);
        a->known[id] = true;
    }
    return count;
}

static void keep(struct world *w, bool folded)
{
    struct rw_err err;
    bool more = folded;
    MUST(store_begin(&w->store, &err));
    MUST(fleet_state_flush(w->fleet, &err));
    MUST(store_commit(&w->store, &err));
    while (more) {
        MUST(store_begin(&w->store, &err));
        MUST(fleet_state_fold(w->fleet, &more, &err));
        MUST(store_commit(&w->store, &err));
    }
}

TEST(inv_11_no_beacon_is_new_twice_however_many_answers_are_lost)
{
    struct world w = {.fleet = NULL};
    struct rw_err err;
    struct agent *a = rw_mem_new(sizeof(*a));
    assert_non_null(a);
    *a = (struct agent){.first = 1, .next = 1, .seed = harness_seed()};
    MUST(store_sqlite_open(":memory:", &w.store, &err));
    MUST(fleet_state_open(&w.store, &w.fleet, &err));
    for (int day = 0; day < DAYS; day++) {
        uint64_t more =
            draw(a, 40) == 0 ? draw(a, WAITING_MAX) : 1; /* it was away for long, or not */
        uint64_t room = RW_LEN(a->known) - a->next;
        a->next += more < room ? more : room;
        if (a->next - a->first > WAITING_MAX) { a->next = a->first + WAITING_MAX; }
        bool line_is_bad = draw(a, 5) == 0;
        size_t sent = 0;
        do { /* while answers are lost the next beacons join those that wait */
            sent = request(&w, a);
            if (a->next < RW_LEN(a->known) && a->next - a->first < WAITING_MAX) { a->next++; }
        } while (line_is_bad && draw(a, 30) != 0);
        a->first += sent;
        keep(&w, draw(a, 50) == 0);
        if (draw(a, 20) == 0) { MUST(fleet_state_reload(w.fleet, &err)); }
        if (RW_LEN(a->known) - a->next < WAITING_MAX) { break; }
    }
    fleet_state_drop(&w.fleet);
    store_close(&w.store);
    rw_mem_free(a);
}

RUN_TESTS(cmocka_unit_test(as_many_are_kept_as_the_requests_are_long_and_never_fewer_than_eight),
          cmocka_unit_test(it_shrinks_by_half_when_all_ids_of_the_long_request_are_gone),
          cmocka_unit_test(inv_11_no_beacon_is_new_twice_however_many_answers_are_lost))
