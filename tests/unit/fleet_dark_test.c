/* Goal: who fell silent with a permit is found, once, by whoever may see it (INV-4, INV-11), and a page over a large
 * fleet stays short. */
#include "server/health/fleet_dark.h"

#include "server/health/fleet_permit.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

enum { GRANTED_S = 1000, WINDOW_S = 900, DARK_S = GRANTED_S + WINDOW_S };

static struct store store;
static struct fleet_state *fleet;
static uint64_t beacons;
static const uint8_t bytes[32] = {7};

static struct fleet_who who(uint16_t number)
{
    struct fleet_who me = {.endpoint = {(uint8_t)(number >> 8), (uint8_t)number, 1}};
    (void)snprintf(me.tenant, sizeof(me.tenant), "%s", number % 2 == 1 ? "acme" : "initech");
    return me;
}

static struct beacon_cohort cohort_of(uint16_t number)
{
    struct beacon_cohort c = {.arch = "x86_64", .engine = "yara 4"};
    (void)snprintf(c.os, sizeof(c.os), "os-%d", number % 3);
    return c;
}

static void say(uint16_t number, enum beacon_kind kind, int64_t release, int64_t at_s)
{
    struct rw_err err;
    bool duplicate = false;
    struct fleet_who me = who(number);
    struct beacon b = {
        .kind = kind, .cohort = cohort_of(number), .trust = "ok", .release = release};
    uint64_t id = ++beacons;
    rw_copy(b.id, sizeof(b.id), &id, sizeof(id));
    (void)snprintf(b.ring, sizeof(b.ring), "%s", number < 100 ? "canary" : "broad");
    if (release > 0) {
        (void)snprintf(b.family, sizeof(b.family), "yara");
        rw_copy(b.sha256, sizeof(b.sha256), bytes, sizeof(bytes));
    }
    MUST(fleet_state_beacon(fleet, &me, &b, (struct rw_wall){at_s}, &duplicate, &err));
}

static void grant(uint16_t number, int64_t release, int64_t at_s)
{
    struct rw_err err;
    uint64_t permit = 0;
    struct fleet_who me = who(number);
    struct beacon_permit_request q = {
        .family = "yara", .release = release, .cohort = cohort_of(number)};
    (void)snprintf(q.ring, sizeof(q.ring), "%s", number < 100 ? "canary" : "broad");
    const struct fleet_ask ask = {.who = &me, .request = &q, .now = {at_s}, .deadline_s = WINDOW_S};
    MUST(fleet_state_permit_grant(fleet, &ask, &permit, &err));
}

static void expire(int64_t at_s)
{
    struct rw_err err;
    size_t expired = 0;
    MUST(fleet_state_expire(fleet, (struct rw_wall){at_s}, &expired, &err));
}

static int set_up(void **state)
{
    struct rw_err err;
    (void)state;
    MUST(store_sqlite_open(":memory:", &store, &err));
    MUST(fleet_state_open(&store, &fleet, &err));
    MUST(fleet_state_know_ring(fleet, "canary", &err));
    MUST(fleet_state_know_ring(fleet, "broad", &err));
    for (int64_t release = 1; release <= 2; release++) {
        const struct fleet_watch watch = {.family = "yara",
                                          .release = release,
                                          .sha256 = bytes,
                                          .now = {GRANTED_S},
                                          .window_s = WINDOW_S};
        MUST(fleet_state_watch(fleet, &watch, &err));
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fleet_state_drop(&fleet);
    store_close(&store);
    return 0;
}

static struct fleet_dark_query all(void)
{
    return (struct fleet_dark_query){.tenant = "",
                                     .ring = "",
                                     .family = "",
                                     .cohort = "",
                                     .limit = FLEET_DARK_PAGE_MAX,
                                     .now = {DARK_S + 3600}};
}

static size_t page(const struct fleet_dark_query *q, json_tree *tree_out)
{
    struct rw_err err;
    const struct json *list = NULL;
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(1 << 22);
    struct json_writer w = json_begin(&out);
    json_tree_drop(tree_out);
    MUST(fleet_dark_write_page(fleet, q, &w, &err));
    MUST(json_done(&w, &err));
    MUST(json_parse(rw_buf_span(&out), &json_limits_small, tree_out, &err));
    MUST(json_get(*tree_out, "dark", JSON_ARRAY, &list, &err));
    return json_count(list);
}

TEST(who_fell_silent_is_listed_until_it_proves_or_tells)
{
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct fleet_dark_query q = all();
    for (uint16_t i = 1; i <= 4; i++) {
        say(i, BEACON_ALIVE, 0, GRANTED_S);
        grant(i, 1, GRANTED_S);
    }
    assert_int_equal(page(&q, &tree), 0); /* on probation */
    say(1, BEACON_HEALTHY, 1, GRANTED_S + 60);
    expire(DARK_S);
    assert_int_equal(page(&q, &tree), 3);
    say(2, BEACON_HEALTHY, 1, DARK_S + 60);
    say(3, BEACON_FAILED, 1, DARK_S + 60);
    assert_int_equal(page(&q, &tree), 1);
    const struct json *one = json_first(json_find(tree, "dark"));
    bool heard = true;
    struct rw_err err;
    MUST(json_get_bool(one, "heard_since", &heard, &err));
    assert_false(heard);
    say(4, BEACON_ALIVE, 0, DARK_S + 90); /* talks, and proves nothing */
    assert_int_equal(page(&q, &tree), 1);
    MUST(json_get_bool(json_first(json_find(tree, "dark")), "heard_since", &heard, &err));
    assert_true(heard);
    grant(4, 2, DARK_S + 100); /* the next release: its latest permit is what counts */
    assert_int_equal(page(&q, &tree), 0);
}

static const struct filter_case {
    const char *id, *tenant, *ring, *family, *cohort;
    int64_t release, older_s;
    size_t want;
} filters[] = {
    {"none", "", "", "", "", 0, 0, 6},
    {"tenant", "acme", "", "", "", 0, 0, 3},
    {"a tenant that has none", "globex", "", "", "", 0, 0, 0},
    {"ring", "", "broad", "", "", 0, 0, 2},
    {"family", "", "", "yara", "", 0, 0, 6},
    {"release", "", "", "yara", "", 1, 0, 6},
    {"another release", "", "", "yara", "", 2, 0, 0},
    {"cohort, as people see it", "", "", "", "os-1/x86_64/yara 4", 0, 0, 3},
    {"just old enough", "", "", "", "", 0, 3600, 6},
    {"not old enough", "", "", "", "", 0, 3601, 0},
    {"all together", "acme", "canary", "yara", "os-1/x86_64/yara 4", 1, 60, 1},
};

TEST_EACH(filters_leave_out_the_others, filters)
{
    static const uint16_t numbers[] = {1, 2, 3, 4, 100, 101};
    RW_AUTO(json_tree) json_tree tree = NULL;
    void *state = NULL;
    (void)set_up(&state);
    for (size_t i = 0; i < RW_LEN(numbers); i++) {
        say(numbers[i], BEACON_ALIVE, 0, GRANTED_S);
        grant(numbers[i], 1, GRANTED_S);
    }
    expire(DARK_S);
    struct fleet_dark_query q = all();
    q.tenant = it->tenant;
    q.ring = it->ring;
    q.family = it->family;
    q.cohort = it->cohort;
    q.release = it->release;
    q.older_s = it->older_s;
    assert_int_equal(page(&q, &tree), it->want);
    (void)tear_down(&state);
}

TEST(a_name_that_nobody_told_is_not_an_empty_list)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(1 << 16);
    struct json_writer w = json_begin(&out);
    say(1, BEACON_ALIVE, 0, GRANTED_S);
    struct fleet_dark_query q = all();
    q.ring = "moon";
    assert_int_equal(fleet_dark_write_page(fleet, &q, &w, &err).code, RW_E_NOT_FOUND);
    q = all();
    q.cohort = "os-1/x86_64";
    assert_int_equal(fleet_dark_write_page(fleet, &q, &w, &err).code, RW_E_NOT_FOUND);
    q = all();
    q.limit = 0;
    assert_int_equal(fleet_dark_write_page(fleet, &q, &w, &err).code, RW_E_RANGE);
}

/* A walk in pages meets each once; no page looks at more of the fleet than it may. */
TEST(pages_are_bounded_and_meet_everybody_once)
{
    enum { STEP = 1000 };
    const uint16_t endpoints = FLEET_DARK_LOOKS + 100;
    struct rw_err err;
    size_t found = 0;
    size_t pages = 0;
    RW_AUTO(json_tree) json_tree tree = NULL;
    for (uint16_t i = 1; i <= endpoints; i++) {
        struct fleet_who me = who(i);
        MUST(fleet_state_enrol(fleet, &me, (struct rw_wall){GRANTED_S}, &err));
        if (i % STEP == 0) { grant(i, 1, GRANTED_S); }
    }
    expire(DARK_S);
    struct fleet_dark_query q = all();
    for (bool more = true; more; pages++) {
        int64_t looked = 0;
        found += page(&q, &tree);
        MUST(json_get_int(tree, "looked", 1, endpoints, &looked, &err));
        assert_true(looked - q.after <= FLEET_DARK_LOOKS);
        q.after = looked;
        more = json_find(tree, "next") != NULL;
    }
    assert_int_equal(found, endpoints / STEP);
    assert_int_equal(pages, 2);
    q.after = 0;
    q.limit = 1; /* a full page ends behind the endpoint that fills it */
    assert_int_equal(page(&q, &tree), 1);
    int64_t looked = 0;
    MUST(json_get_int(tree, "looked", STEP, STEP, &looked, &err));
}

RUN_TESTS(cmocka_unit_test_setup_teardown(who_fell_silent_is_listed_until_it_proves_or_tells,
                                          set_up, tear_down),
          cmocka_unit_test(filters_leave_out_the_others),
          cmocka_unit_test_setup_teardown(a_name_that_nobody_told_is_not_an_empty_list, set_up,
                                          tear_down),
          cmocka_unit_test_setup_teardown(pages_are_bounded_and_meet_everybody_once, set_up,
                                          tear_down))
