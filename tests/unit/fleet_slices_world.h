/* fleet_slices_world.h: a fleet whose store is folded, killed and loaded, beside a model that lives in memory only.
 *
 * Work is done on the fleet first; what was committed is done on the model too. Then both must know the same, to the
 * last field: endpoints with their numbers, names, releases, counts, windows.
 *
 * memory   world_end frees
 * threads  one
 * source   fleet_slices_test.c
 */
#ifndef RINGWARD_TEST_FLEET_SLICES_WORLD_H
#define RINGWARD_TEST_FLEET_SLICES_WORLD_H

#include "server/health/fleet_hot.h"
#include "server/health/fleet_image.h"
#include "server/health/fleet_permit.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

enum { WORK_MAX = 800, IMAGE_BYTES_MAX = 16 << 20 };

enum work_kind {
    WORK_ENROL,
    WORK_BEACON,
    WORK_PERMIT,
    WORK_EXPIRE,
    WORK_WATCH,
    WORK_MUTE,
    WORK_CLOSE,
    WORK_RING,
    WORK_KINDS,
};

struct work {
    enum work_kind kind;
    uint32_t endpoint;
    enum beacon_kind beacon;
    int64_t release;
    uint32_t place; /* ring and cohort */
    uint64_t id;    /* of the beacon */
    uint8_t before; /* beacons of its request before it */
    int64_t now_s;
};

struct world {
    char dir[64];
    char path[96];
    struct store store;
    struct fleet_state *fleet;
    bool requests; /* of more than one beacon */
    struct store model_store;
    struct fleet_state *model;
    uint32_t seed;
    uint32_t endpoints; /* that were thought of */
    int64_t releases;   /* newest that was thought of */
    uint32_t rings;
    uint64_t next_id;
    uint32_t kinds; /* of beacons that are thought of: programs of before did not know the last */
    int64_t now_s;
    struct work batch[WORK_MAX];
    size_t count;
};

static uint32_t draw(struct world *w, uint32_t below)
{
    w->seed = w->seed * 1664525U + 1013904223U;
    return (uint32_t)(((uint64_t)(w->seed >> 8) * below) >> 24);
}

/* --- work --- */

static struct fleet_who work_who(uint32_t endpoint)
{
    struct fleet_who who = {.endpoint = {0}};
    rw_copy(who.endpoint, sizeof(who.endpoint), &endpoint, sizeof(endpoint));
    (void)snprintf(who.tenant, sizeof(who.tenant), "tenant-%u", endpoint % 3);
    return who;
}

static void work_bytes(int64_t release, uint8_t sha256[static 32])
{
    for (size_t i = 0; i < 32; i++) {
        sha256[i] = (uint8_t)(release + 1);
    }
}

static struct beacon_cohort work_cohort(uint32_t place)
{
    struct beacon_cohort c = {.arch = "x86_64", .engine = "yara-4.2"};
    (void)snprintf(c.os, sizeof(c.os), "os-%u", place / 4 % 5);
    return c;
}

static RW_RC work_beacon(struct fleet_state *f, const struct work *w, struct rw_err *err)
{
    struct fleet_who who = work_who(w->endpoint);
    who.before = w->before;
    struct beacon b = {.kind = w->beacon,
                       .release = w->release,
                       .cohort = work_cohort(w->place),
                       .grade = "full",
                       .trust = "ok"};
    bool duplicate = false;
    rw_copy(b.id, sizeof(b.id), &w->id, sizeof(w->id));
    (void)snprintf(b.ring, sizeof(b.ring), "ring-%u", w->place % 4);
    if (w->release > 0) {
        (void)snprintf(b.family, sizeof(b.family), w->release % 2 == 0 ? "yara" : "template");
        work_bytes(w->release, b.sha256);
    }
    return fleet_state_beacon(f, &who, &b, (struct rw_wall){w->now_s}, &duplicate, err);
}

static RW_RC work_permit(struct fleet_state *f, const struct work *w, struct rw_err *err)
{
    struct fleet_who who = work_who(w->endpoint);
    struct beacon_permit_request q = {.release = w->release, .cohort = work_cohort(w->place)};
    uint64_t number = 0;
    (void)snprintf(q.ring, sizeof(q.ring), "ring-%u", w->place % 4);
    (void)snprintf(q.family, sizeof(q.family), w->release % 2 == 0 ? "yara" : "template");
    work_bytes(w->release, q.sha256);
    const struct fleet_ask ask = {&who, &q, {w->now_s}, 900};
    return fleet_state_permit_grant(f, &ask, &number, err);
}

/* What is refused is refused to both. */
static struct rw_rc work_do(struct fleet_state *f, const struct work *w, struct rw_err *err)
{
    const char *family = w->release % 2 == 0 ? "yara" : "template";
    struct fleet_who who = work_who(w->endpoint);
    struct rw_wall now = {w->now_s};
    uint8_t sha256[32];
    size_t expired = 0;
    char name[16];
    work_bytes(w->release, sha256);
    const struct fleet_watch watch = {.family = family,
                                      .release = w->release,
                                      .sha256 = sha256,
                                      .now = now,
                                      .window_s = 900,
                                      .after_s = 3600};
    switch (w->kind) {
    case WORK_ENROL:
        return fleet_state_enrol(f, &who, now, err);
    case WORK_BEACON:
        return work_beacon(f, w, err);
    case WORK_PERMIT:
        return work_permit(f, w, err);
    case WORK_EXPIRE:
        return fleet_state_expire(f, now, &expired, err);
    case WORK_WATCH:
        return fleet_state_watch(f, &watch, err);
    case WORK_MUTE:
        return fleet_state_mute(f, family, w->release, who.tenant, err);
    case WORK_CLOSE:
        return fleet_state_close(f, family, w->release, now, err);
    case WORK_RING:
        (void)snprintf(name, sizeof(name), "ring-%u", w->place);
        return fleet_state_know_ring(f, name, err);
    case WORK_KINDS:
        break;
    }
    return RW_OK;
}

static void world_work(struct world *w, struct work work)
{
    struct rw_err err;
    work.now_s = w->now_s;
    work.id = w->next_id++;
    work.before = w->requests ? (uint8_t)(draw(w, 32) * draw(w, 2)) : 0;
    assert_true(w->count < WORK_MAX);
    w->batch[w->count++] = work;
    struct rw_rc rc = work_do(w->fleet, &work, &err);
    (void)rc; /* compared when the model does the same */
}

/* --- the store --- */

static void world_open(struct world *w)
{
    struct rw_err err;
    MUST(store_sqlite_open(w->path, &w->store, &err));
    MUST(fleet_state_open(&w->store, &w->fleet, &err));
    w->fleet->slices.step_bytes = 1; /* each slice is a piece of its own */
    w->fleet->slices.drop_rows = 3;
}

/* Nothing of an open transaction is left, as after kill -9. */
static void world_kill(struct world *w)
{
    w->count = 0;
    fleet_state_drop(&w->fleet);
    store_close(&w->store);
    world_open(w);
}

static void world_begin(struct world *w, uint32_t seed)
{
    struct rw_err err;
    *w = (struct world){.seed = seed, .next_id = 1, .kinds = FLEET_KINDS, .now_s = 100000};
    (void)snprintf(w->dir, sizeof(w->dir), "%s/rw-slices-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->path, sizeof(w->path), "%s/db", w->dir);
    MUST(store_sqlite_open(":memory:", &w->model_store, &err));
    MUST(fleet_state_open(&w->model_store, &w->model, &err));
    world_open(w);
}

static void world_end(struct world *w)
{
    fleet_state_drop(&w->fleet);
    store_close(&w->store);
    fleet_state_drop(&w->model);
    store_close(&w->model_store);
    (void)nftw(w->dir, harness_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void world_commit(struct world *w)
{
    struct rw_err err;
    MUST(store_begin(&w->store, &err));
    MUST(fleet_state_flush(w->fleet, &err));
    MUST(store_commit(&w->store, &err));
    for (size_t i = 0; i < w->count; i++) {
        struct rw_rc rc = work_do(w->model, &w->batch[i], &err);
        (void)rc; /* what differed shows in what is known */
    }
    w->count = 0;
    MUST(store_begin(&w->model_store, &err));
    MUST(fleet_state_flush(w->model, &err));
    MUST(store_commit(&w->model_store, &err));
    assert_int_equal(w->fleet->last_row, w->model->last_row);
}

static bool world_piece(struct world *w)
{
    struct rw_err err;
    bool more = false;
    MUST(store_begin(&w->store, &err));
    MUST(fleet_state_fold(w->fleet, &more, &err));
    MUST(store_commit(&w->store, &err));
    return more;
}

static void world_fold(struct world *w)
{
    while (world_piece(w)) {}
}

/* --- days --- */

static void think(struct world *w, enum work_kind kind)
{
    struct work work = {.kind = kind,
                        .endpoint = draw(w, w->endpoints + 1),
                        .beacon = (enum beacon_kind)draw(w, w->kinds),
                        .release = draw(w, 4) == 0 ? 0 : 1 + draw(w, (uint32_t)w->releases),
                        .place = draw(w, 20)};
    w->now_s += draw(w, 3);
    if (kind == WORK_ENROL) { work.endpoint = w->endpoints++; }
    if (kind == WORK_WATCH) { work.release = ++w->releases; }
    if (kind == WORK_RING) { work.place = w->rings++; }
    if (kind >= WORK_PERMIT && work.release == 0) { work.release = w->releases; }
    world_work(w, work);
}

/* Rings, two releases, and so many endpoints that they fill some slices. */
static void settle_in(struct world *w, uint32_t endpoints)
{
    for (int i = 0; i < 3; i++) {
        think(w, WORK_RING);
    }
    think(w, WORK_WATCH);
    think(w, WORK_WATCH);
    while (w->endpoints < endpoints) {
        think(w, WORK_ENROL);
        if (w->count == WORK_MAX) { world_commit(w); }
    }
    world_commit(w);
}

static void some_work(struct world *w, unsigned n)
{
    static const uint32_t per_thousand[WORK_KINDS] = {
        [WORK_ENROL] = 60, [WORK_BEACON] = 500, [WORK_PERMIT] = 400, [WORK_EXPIRE] = 15,
        [WORK_WATCH] = 8,  [WORK_MUTE] = 7,     [WORK_CLOSE] = 7,    [WORK_RING] = 3,
    };
    for (unsigned i = 0; i < n; i++) {
        uint32_t what = draw(w, 1000);
        size_t kind = 0;
        while (what >= per_thousand[kind]) {
            what -= per_thousand[kind++];
        }
        think(w, (enum work_kind)kind);
    }
    if (draw(w, 6) == 0) { w->now_s += 1000; }
}

/* --- what is known --- */

static void put_endpoints(const struct fleet_state *f, struct rw_buf *into)
{
    struct rw_err err;
    MUST(fleet_image_put_begin(&f->table, into, &err));
    for (size_t i = 0; i < fleet_table_slices(&f->table); i++) {
        MUST(fleet_image_put_slice(&f->table, i, 0, into, &err));
    }
}

static size_t permits_open(const struct fleet_state *f)
{
    size_t open = 0;
    for (size_t i = 0; i < f->table.open_count; i++) {
        const struct fleet_open_permit *p = &f->table.open[i];
        const struct fleet_slot *s =
            fleet_table_slot(&f->table, &f->table.tracks[p->track], p->release);
        open += s != NULL && s->deadline_s == p->deadline_s && fleet_outcome_rule_pending(s->marks);
    }
    return open;
}

/* Every count and window of `a` is in `b`, and the same. */
static void expect_counts_in(const struct fleet_table *a, const struct fleet_table *b)
{
    for (size_t i = 0; i < a->count_cap; i++) {
        const struct fleet_count_entry *e = &a->counts[i];
        if (e->key == 0) { continue; }
        const struct fleet_counts *there =
            fleet_table_counts(b, (uint32_t)((e->key - 1) >> 32), (uint16_t)((e->key - 1) >> 16),
                               (uint16_t)(e->key - 1));
        assert_non_null(there);
        assert_memory_equal(there, &e->counts, sizeof(e->counts));
    }
    for (size_t i = 0; i < a->windows.cap; i++) {
        const struct fleet_window_entry *e = &a->windows.entries[i];
        if (e->key == 0) { continue; }
        const struct fleet_window_entry *there = fleet_windows_find(&b->windows, e->key);
        assert_non_null(there);
        assert_memory_equal(there, e, sizeof(*e));
    }
}

/* INV-8, INV-11: what was committed has counted, once. */
static void world_expect_model(struct world *w)
{
    const struct fleet_table *a = &w->fleet->table;
    const struct fleet_table *b = &w->model->table;
    RW_AUTO(rw_buf) struct rw_buf have = rw_buf_make(IMAGE_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf want = rw_buf_make(IMAGE_BYTES_MAX);
    put_endpoints(w->fleet, &have);
    put_endpoints(w->model, &want);
    assert_int_equal(a->endpoint_count, b->endpoint_count);
    assert_true(rw_span_eq(rw_buf_span(&have), rw_buf_span(&want)));
    assert_int_equal(a->count_used, b->count_used);
    assert_int_equal(a->windows.used, b->windows.used);
    expect_counts_in(a, b);
    expect_counts_in(b, a);
    assert_memory_equal(a->beacons, b->beacons, sizeof(a->beacons));
    assert_memory_equal(a->ring_seen_s, b->ring_seen_s,
                        b->names[FLEET_RINGS].count * sizeof(*b->ring_seen_s));
    assert_true(a->next_permit == b->next_permit);
    assert_int_equal(permits_open(w->fleet), permits_open(w->model));
}

#endif
