/* Goal: what a view says of an endpoint is what its beacons said last, also behind a restart (INV-12). */
#include "common/base/num.h"
#include "server/health/fleet_state.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

struct world {
    struct store store;
    struct fleet_state *fleet;
    uint8_t next_id;
};

static struct fleet_who who(uint8_t number)
{
    return (struct fleet_who){.endpoint = {number}, .tenant = "acme"};
}

static void commit(struct world *w, bool fold)
{
    struct rw_err err;
    MUST(store_begin(&w->store, &err));
    MUST(fleet_state_flush(w->fleet, &err));
    MUST(store_commit(&w->store, &err));
    if (!fold) { return; }
    bool more = true;
    MUST(store_begin(&w->store, &err));
    MUST(fleet_state_fold(w->fleet, &more, &err));
    MUST(store_commit(&w->store, &err));
}

static void say(struct world *w, uint8_t number, enum beacon_kind kind, const char *detail)
{
    struct rw_err err;
    bool duplicate = false;
    struct fleet_who me = who(number);
    struct beacon b = {.id = {++w->next_id}, .kind = kind, .trust = "expired"};
    (void)snprintf(b.detail, sizeof(b.detail), "%s", detail);
    MUST(fleet_state_beacon(w->fleet, &me, &b, (struct rw_wall){1000}, &duplicate, &err));
    assert_false(duplicate);
}

static bool lacks_loader(struct world *w, uint8_t number)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(4096);
    RW_AUTO(json_tree) json_tree tree = NULL;
    bool lacks = false;
    char trust[16];
    struct json_writer j = json_begin(&out);
    struct fleet_who me = who(number);
    struct fleet_who whose;
    MUST(fleet_state_write_one(w->fleet, "", me.endpoint, &whose, &j, &err));
    assert_string_equal(whose.tenant, me.tenant);
    json_close_object(&j);
    MUST(json_done(&j, &err));
    MUST(json_parse(rw_buf_span(&out), &json_limits_small, &tree, &err));
    MUST(json_get_str(tree, "trust", trust, sizeof(trust), &err));
    assert_string_equal(trust, "expired"); /* both lie in one byte */
    MUST(json_get_bool(tree, "no_loader", &lacks, &err));
    return lacks;
}

TEST(a_missing_loader_is_remembered_until_it_is_there)
{
    struct rw_err err;
    struct world w = {.next_id = 0};
    MUST(store_sqlite_open(":memory:", &w.store, &err));
    MUST(fleet_state_open(&w.store, &w.fleet, &err));
    say(&w, 1, BEACON_ALIVE, "restarted; " BEACON_NO_LOADER ", no dry run of the whole set");
    say(&w, 2, BEACON_ALIVE, "");
    say(&w, 1, BEACON_CRASH, "signal 11"); /* says nothing of it */
    assert_true(lacks_loader(&w, 1));
    assert_false(lacks_loader(&w, 2));
    for (int folded = 0; folded < 2; folded++) {
        commit(&w, folded == 1);
        MUST(fleet_state_reload(w.fleet, &err)); /* from the journal, then from the image */
        assert_true(lacks_loader(&w, 1));
        assert_false(lacks_loader(&w, 2));
    }
    say(&w, 1, BEACON_ALIVE, "");
    assert_false(lacks_loader(&w, 1));
    fleet_state_drop(&w.fleet);
    store_close(&w.store);
}

/* "1 2 3 : NEXT": first bytes of the ids of a page, and where the next one begins. */
static void expect_page(const struct world *w, const char *tenant, int64_t after, size_t limit,
                        const char *want)
{
    struct rw_err err;
    char seen[256] = "";
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(1 << 16);
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct json_writer j = json_begin(&out);
    MUST(fleet_state_write_page(w->fleet, tenant, after, limit, &j, &err));
    MUST(json_done(&j, &err));
    MUST(json_parse(rw_buf_span(&out), &json_limits_small, &tree, &err));
    for (const struct json *e = json_first(json_find(tree, "endpoints")); e != NULL;
         e = json_next(e)) {
        char id[2 * FLEET_ENDPOINT_BYTES + 1];
        uint8_t bytes[FLEET_ENDPOINT_BYTES];
        MUST(json_get_str(e, "endpoint", id, sizeof(id), &err));
        MUST(rw_hex_decode(bytes, sizeof(bytes), rw_span_str(id), "endpoint", &err));
        size_t n = strlen(seen);
        (void)snprintf(seen + n, sizeof(seen) - n, "%d ", bytes[0]);
    }
    char next[24] = "-";
    if (json_find(tree, "next") != NULL) {
        MUST(json_get_str(tree, "next", next, sizeof(next), &err));
    }
    size_t n = strlen(seen);
    (void)snprintf(seen + n, sizeof(seen) - n, ": %s", next);
    assert_string_equal(seen, want);
}

TEST(pages_walk_all_endpoints_in_order_of_first_sight)
{
    struct rw_err err;
    struct world w = {.next_id = 0};
    MUST(store_sqlite_open(":memory:", &w.store, &err));
    MUST(fleet_state_open(&w.store, &w.fleet, &err));
    for (int i = 0; i < 5; i++) {
        say(&w, (uint8_t)(50 - 7 * i), BEACON_ALIVE, "");
    }
    for (int folded = 0; folded < 2; folded++) {
        expect_page(&w, "", 0, 2, "50 43 : 2");
        expect_page(&w, "acme", 2, 2, "36 29 : 4");
        expect_page(&w, "", 4, 2, "22 : -");
        expect_page(&w, "", 3, 2, "29 22 : -");
        expect_page(&w, "", 5, 2, ": -");
        expect_page(&w, "", RW_JSON_INT_MAX, 2, ": -");
        expect_page(&w, "initech", 0, 2, ": -"); /* INV-11 */
        commit(&w, true);
        MUST(fleet_state_reload(w.fleet, &err));
    }
    fleet_state_drop(&w.fleet);
    store_close(&w.store);
}

/* Who has few endpoints among many gets short pages, none of which the others wait long for. */
TEST(a_page_looks_at_a_bounded_part_of_the_fleet)
{
    struct rw_err err;
    struct world w = {.next_id = 0};
    MUST(store_sqlite_open(":memory:", &w.store, &err));
    MUST(fleet_state_open(&w.store, &w.fleet, &err));
    for (unsigned i = 0; i < FLEET_PAGE_LOOKS + 10; i++) {
        struct fleet_who me = {.endpoint = {0, 1}, .tenant = "initech"};
        rw_copy(me.endpoint + 2, sizeof(me.endpoint) - 2, &i, sizeof(i));
        MUST(fleet_state_enrol(w.fleet, &me, (struct rw_wall){1}, &err));
        if (i % 1000 == 999) { commit(&w, false); }
    }
    say(&w, 7, BEACON_ALIVE, "");
    expect_page(&w, "acme", 0, 10, ": 16384");
    expect_page(&w, "acme", 16384, 10, "7 : -");
    fleet_state_drop(&w.fleet);
    store_close(&w.store);
}

RUN_TESTS(cmocka_unit_test(a_missing_loader_is_remembered_until_it_is_there),
          cmocka_unit_test(pages_walk_all_endpoints_in_order_of_first_sight),
          cmocka_unit_test(a_page_looks_at_a_bounded_part_of_the_fleet))
