/* Goal: what a view says of an endpoint is what its beacons said last, also behind a restart (INV-12). */
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

RUN_TESTS(cmocka_unit_test(a_missing_loader_is_remembered_until_it_is_there))
