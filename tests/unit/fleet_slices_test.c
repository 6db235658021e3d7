/* Goal: a fold that is written in many transactions, while the fleet goes on changing, and is killed between any two of
 * them or in the middle of one, never changes what is known: nothing is lost (INV-8), nothing counts twice (INV-11). */
#include "server/health/fleet_permit.h"
#include "server/store/store_sqlite.h"
#include "tests/unit/fleet_slices_world.h"

/* One step of the walk; true: it was killed. */
static bool walk(struct world *w, unsigned *folds)
{
    struct rw_err err;
    bool more = false;
    uint32_t what = draw(w, 100);
    if (what < 45) {
        some_work(w, 1 + draw(w, 12));
        world_commit(w);
        return false;
    }
    if (what < 90) {
        *folds += !world_piece(w);
        return false;
    }
    if (draw(w, 2) == 0) { /* in the middle of a piece */
        MUST(store_begin(&w->store, &err));
        MUST(fleet_state_fold(w->fleet, &more, &err));
    } else {
        some_work(w, 3); /* never committed */
    }
    world_kill(w);
    world_expect_model(w);
    return true;
}

TEST(inv_8_inv_11_whatever_is_killed_between_slices_is_as_if_it_had_not_been)
{
    enum { RUNS = 6, STEPS = 220 };
    uint32_t seed = harness_seed();
    unsigned kills = 0;
    unsigned folds = 0;
    for (uint32_t run = 0; run < RUNS; run++) {
        struct world *w = rw_mem_new(sizeof(*w));
        assert_non_null(w);
        world_begin(w, seed + run);
        w->requests = true;
        settle_in(w, 1000 + draw(w, 1500));
        for (unsigned i = 0; i < STEPS; i++) {
            kills += walk(w, &folds);
        }
        world_kill(w);
        world_expect_model(w);
        world_end(w);
        rw_mem_free(w);
    }
    print_message("           %u kills, %u folds\n", kills, folds);
    assert_true(kills > 20 && folds > 20); /* else it tried nothing */
}

/* The same day each time, killed one piece later each time: before, in and after every piece of two folds. */
TEST(inv_8_a_kill_at_every_piece_of_a_fold_leaves_the_whole_state)
{
    struct world *w = rw_mem_new(sizeof(*w));
    assert_non_null(w);
    unsigned last = 1;
    for (unsigned killed = 0; killed <= last; killed++) {
        unsigned piece = 0;
        world_begin(w, 7);
        settle_in(w, 2100);
        for (int fold = 0; fold < 2; fold++) {
            bool more = true;
            while (more) {
                some_work(w, 20);
                world_commit(w);
                more = world_piece(w);
                if (piece++ == killed) {
                    world_kill(w);
                    world_expect_model(w);
                    more = true; /* and begins anew */
                }
            }
        }
        some_work(w, 20);
        world_commit(w);
        world_kill(w);
        world_expect_model(w);
        world_end(w);
        last = piece;
        assert_true(last < 100);
    }
    assert_true(last > 6);
    rw_mem_free(w);
}

static RW_RC note(void *arg, const struct store_slice *slice, struct rw_err *err)
{
    return rw_buf_appendf(arg, err, "%lld@%lld ", (long long)slice->number, (long long)slice->mark);
}

static void expect_slices(struct world *w, const char *want)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf have = rw_buf_make(1024);
    MUST(store_slice_each(&w->store, note, &have, &err));
    assert_string_equal(rw_buf_str(&have), want);
}

TEST(a_fold_writes_the_slices_that_changed_and_never_over_the_ones_in_use)
{
    struct world *w = rw_mem_new(sizeof(*w));
    assert_non_null(w);
    world_begin(w, 1);
    settle_in(w, 2100);
    int64_t first = w->fleet->last_row;
    assert_int_equal(first, 3); /* rows of 800 pieces of work */
    world_fold(w);
    expect_slices(w, "0@3 2@3 4@3 ");
    world_fold(w); /* nothing changed */
    expect_slices(w, "0@3 2@3 4@3 ");
    world_work(w, (struct work){.kind = WORK_BEACON, .endpoint = 1500});
    world_commit(w);
    world_fold(w);
    expect_slices(w, "0@3 2@3 3@4 4@3 ");
    world_kill(w); /* which slices are current is known after a load too */
    world_work(w, (struct work){.kind = WORK_BEACON, .endpoint = 1500});
    world_commit(w);
    world_work(w, (struct work){.kind = WORK_BEACON, .endpoint = 5});
    world_commit(w);
    assert_true(world_piece(w));
    expect_slices(w, "0@3 1@6 2@3 3@4 4@3 ");
    world_fold(w);
    expect_slices(w, "0@3 1@6 2@6 3@4 4@3 ");
    world_kill(w);
    world_expect_model(w);
    world_end(w);
    rw_mem_free(w);
}

static RW_RC count_row(void *arg, int64_t row, struct rw_span batch, struct rw_err *err)
{
    size_t *rows = arg;
    (void)row;
    (void)batch;
    (void)err;
    (*rows)++;
    return RW_OK;
}

static size_t rows_left(struct world *w)
{
    struct rw_err err;
    size_t rows = 0;
    MUST(store_journal_each(&w->store, 0, count_row, &rows, &err));
    return rows;
}

TEST(journal_rows_go_when_the_fold_has_ended_and_not_those_since_it_began)
{
    struct world *w = rw_mem_new(sizeof(*w));
    assert_non_null(w);
    world_begin(w, 1);
    settle_in(w, 2100);
    assert_int_equal(rows_left(w), 3);
    assert_true(world_piece(w));
    for (int i = 0; i < 5; i++) {
        some_work(w, 4);
        world_commit(w);
    }
    assert_true(world_piece(w));
    assert_int_equal(rows_left(w), 8);
    world_fold(w);
    assert_int_equal(rows_left(w), 5);
    some_work(w, 4);
    world_commit(w);
    world_fold(w);
    assert_int_equal(rows_left(w), 0);
    world_kill(w);
    world_expect_model(w);
    world_end(w);
    rw_mem_free(w);
}

TEST(endpoints_that_come_while_a_fold_is_written_are_in_the_journal)
{
    struct world *w = rw_mem_new(sizeof(*w));
    assert_non_null(w);
    world_begin(w, 4);
    settle_in(w, 2040);
    while (true) { /* the last slice fills up, others begin behind it */
        for (int i = 0; i < 400; i++) {
            think(w, WORK_ENROL);
        }
        world_commit(w);
        if (!world_piece(w)) { break; }
        assert_true(w->endpoints < 10000);
    }
    assert_true(w->endpoints > 3 * FLEET_SLICE_ENDPOINTS);
    world_kill(w);
    world_expect_model(w);
    some_work(w, 50);
    world_commit(w);
    world_fold(w);
    world_kill(w);
    world_expect_model(w);
    world_end(w);
    rw_mem_free(w);
}

/* Each kind of work alone makes its slice one that is to be written. */
TEST(whatever_changes_an_endpoint_is_folded)
{
    static const struct work days[] = {
        {.kind = WORK_ENROL, .endpoint = 3},
        {.kind = WORK_BEACON, .endpoint = 1, .beacon = BEACON_ALIVE, .release = 1},
        {.kind = WORK_PERMIT, .endpoint = 1, .release = 2},
        {.kind = WORK_EXPIRE},
        {.kind = WORK_MUTE, .endpoint = 1, .release = 2},
        {.kind = WORK_CLOSE, .release = 2},
    };
    struct world *w = rw_mem_new(sizeof(*w));
    assert_non_null(w);
    world_begin(w, 4);
    settle_in(w, 10);
    for (size_t i = 0; i < RW_LEN(days); i++) {
        int64_t before = w->fleet->last_row;
        w->now_s += 2000;
        world_work(w, days[i]);
        world_commit(w);
        assert_int_equal(w->fleet->last_row, before + 1); /* else it did nothing */
        world_fold(w);
        world_kill(w);
        world_expect_model(w);
    }
    world_end(w);
    rw_mem_free(w);
}

TEST(a_piece_whose_commit_failed_is_written_again)
{
    struct world *w = rw_mem_new(sizeof(*w));
    struct rw_err err;
    bool more = false;
    assert_non_null(w);
    world_begin(w, 3);
    settle_in(w, 2100);
    size_t journal_bytes = w->fleet->journal_bytes;
    for (int i = 0; i < 5; i++) { /* the last one ends a fold */
        MUST(store_begin(&w->store, &err));
        MUST(fleet_state_fold(w->fleet, &more, &err));
        store_rollback(&w->store);
        fleet_state_fold_lost(w->fleet);
        assert_int_equal(w->fleet->journal_bytes, journal_bytes);
        for (int k = 0; k < i; k++) {
            if (!world_piece(w)) { break; }
        }
        journal_bytes = w->fleet->journal_bytes;
    }
    world_fold(w);
    world_kill(w);
    world_expect_model(w);
    world_end(w);
    rw_mem_free(w);
}

/* Slowness is told of what goes on running. It must not make several releases active, whatever an endpoint claims:
 * there would be no slot left to give up for the next one. */
TEST(an_endpoint_runs_one_release_however_many_it_says_are_slow)
{
    struct world *w = rw_mem_new(sizeof(*w));
    assert_non_null(w);
    world_begin(w, 1);
    settle_in(w, 2);
    for (int i = 0; i < 12; i++) {
        think(w, WORK_WATCH);
    }
    for (int64_t release = 2; release <= 12; release += 2) {
        world_work(w, (struct work){.kind = WORK_BEACON,
                                    .endpoint = 1,
                                    .beacon = release == 2 ? BEACON_ALIVE : BEACON_SLOW,
                                    .release = release});
        world_commit(w);
        struct fleet_counts before =
            fleet_state_counts(w->fleet, "yara", release - 2, "ring-0", NULL);
        struct fleet_counts now = fleet_state_counts(w->fleet, "yara", release, "ring-0", NULL);
        assert_int_equal(before.still_on, 0);
        assert_int_equal(now.still_on, 1);
    }
    world_work(w, (struct work){.kind = WORK_PERMIT, .endpoint = 1, .release = 14});
    world_commit(w);
    assert_int_equal(fleet_state_counts(w->fleet, "yara", 14, "ring-0", NULL).exposed, 1);
    world_fold(w);
    world_kill(w);
    world_expect_model(w);
    world_end(w);
    rw_mem_free(w);
}

/* --- two nodes --- */

static const struct store_backend *real;
static int64_t tip; /* of the one store that both have open */

static RW_RC shared_begin(void *ctx, int64_t term, struct store_now *now, struct rw_err *err)
{
    RW_TRY(real->begin(ctx, term, now, err));
    *now = (struct store_now){.tip = tip};
    return RW_OK;
}

static RW_RC shared_look(void *ctx, struct store_now *now, struct rw_err *err)
{
    (void)ctx;
    (void)err;
    *now = (struct store_now){.tip = tip};
    return RW_OK;
}

static RW_RC shared_append(void *ctx, struct rw_span batch, int64_t *row, struct rw_err *err)
{
    RW_TRY(real->journal_append(ctx, batch, row, err));
    tip = *row;
    return RW_OK;
}

static RW_RC follow(void *fleet, struct rw_err *err)
{
    return fleet_state_follow(fleet, err);
}

static void share(struct store *store, struct fleet_state *fleet)
{
    static struct store_backend shared;
    real = store->backend == &shared ? real : store->backend;
    shared = *real;
    shared.begin = shared_begin;
    shared.look = shared_look;
    shared.journal_append = shared_append;
    store->backend = &shared;
    store->follow = follow;
    store->follow_arg = fleet;
}

/* A controller that is replaced in the middle of a fold and becomes one again must not go on with it: the other one has
 * dropped journal rows that it leans on. Pieces of a fold that nobody ended do no harm. */
struct heard {
    size_t slices, of, journal_bytes;
};

static void hear(void *ctx, size_t slices, size_t of, size_t journal_bytes)
{
    struct heard *h = ctx;
    assert_in_range(slices, h->slices, h->slices + 1);
    assert_true(journal_bytes >= h->journal_bytes && slices <= of);
    assert_true(journal_bytes == 0 || slices == of);
    *h = (struct heard){slices, of, journal_bytes};
}

TEST(a_load_tells_how_far_it_is)
{
    struct rw_err err;
    struct heard heard = {.slices = 0};
    const struct fleet_progress progress = {.tell = hear, .ctx = &heard};
    struct fleet_state *again = NULL;
    struct world *w = rw_mem_new(sizeof(*w));
    assert_non_null(w);
    world_begin(w, 1);
    settle_in(w, 2100);
    while (world_piece(w)) {}
    some_work(w, 20);
    world_commit(w);
    MUST(fleet_state_open_told(&w->store, &progress, &again, &err));
    assert_int_equal(heard.slices, 3);
    assert_int_equal(heard.of, 3);
    assert_true(heard.journal_bytes > 0);
    fleet_state_drop(&again);
    world_end(w);
    rw_mem_free(w);
}

TEST(a_fold_is_given_up_when_another_node_has_folded_meanwhile)
{
    struct world *w = rw_mem_new(sizeof(*w));
    struct rw_err err;
    bool more = true;
    struct store store = {.backend = NULL};
    struct fleet_state *other = NULL;
    assert_non_null(w);
    world_begin(w, 9);
    settle_in(w, 2100);
    tip = w->fleet->last_row;
    MUST(store_sqlite_open(w->path, &store, &err));
    MUST(fleet_state_open(&store, &other, &err));
    share(&w->store, w->fleet);
    share(&store, other);
    for (int round = 0; round < 6; round++) {
        (void)world_piece(w);
        some_work(w, 30);
        world_commit(w);
        for (int piece = 0; piece < 1 + round % 3 && more; piece++) {
            other->slices.step_bytes = round % 2 == 0 ? 1 : 1 << 20;
            if (!rw_is_ok(store_begin(&store, &err))) { /* too far behind */
                MUST(fleet_state_reload(other, &err));
                MUST(store_begin(&store, &err));
            }
            MUST(fleet_state_fold(other, &more, &err));
            MUST(store_commit(&store, &err));
        }
        more = true;
        some_work(w, 30);
        world_commit(w);
        if (round % 2 == 0) { world_fold(w); }
        MUST(fleet_state_reload(w->fleet, &err));
        world_expect_model(w);
    }
    fleet_state_drop(&other);
    store_close(&store);
    world_end(w);
    rw_mem_free(w);
}

RUN_TESTS(cmocka_unit_test(inv_8_inv_11_whatever_is_killed_between_slices_is_as_if_it_had_not_been),
          cmocka_unit_test(inv_8_a_kill_at_every_piece_of_a_fold_leaves_the_whole_state),
          cmocka_unit_test(a_fold_writes_the_slices_that_changed_and_never_over_the_ones_in_use),
          cmocka_unit_test(journal_rows_go_when_the_fold_has_ended_and_not_those_since_it_began),
          cmocka_unit_test(endpoints_that_come_while_a_fold_is_written_are_in_the_journal),
          cmocka_unit_test(whatever_changes_an_endpoint_is_folded),
          cmocka_unit_test(a_piece_whose_commit_failed_is_written_again),
          cmocka_unit_test(an_endpoint_runs_one_release_however_many_it_says_are_slow),
          cmocka_unit_test(a_load_tells_how_far_it_is),
          cmocka_unit_test(a_fold_is_given_up_when_another_node_has_folded_meanwhile))
