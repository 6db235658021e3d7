/* Goal: records of rollouts that ended long ago go, with an audit record (INV-9), and nothing that decides anything by
 * them changes: what was halted is not started again, history and what endpoints may still take stay. */
#include "server/rollout/rollout_evidence.h"
#include "server/rollout/rollout_run.h"
#include "server/rollout/rollout_stopped.h"
#include "tests/unit/rollout_world.h"

enum { DAY = 86400, ALL = 72, NEWER = 64 };

static const int64_t age_s = INT64_C(100) * DAY;

static void put_one(struct world *w, int64_t release, bool halted, int64_t ended_s)
{
    struct rw_err err;
    struct rollout *ro = rw_mem_new(sizeof(*ro));
    struct rollout_evidence *e = NULL;
    assert_non_null(ro);
    (void)snprintf(ro->family, sizeof(ro->family), "yara");
    (void)snprintf(ro->class_name, sizeof(ro->class_name), "rules");
    ro->release = ro->seq = release;
    ro->previous = release - 1;
    ro->generation = 1;
    ro->started.s = ended_s - 100;
    ro->ended.s = ended_s;
    ro->closed = !halted;
    ro->ring_count = RINGS;
    for (size_t i = 0; i < RINGS; i++) {
        (void)snprintf(ro->rings[i].name, sizeof(ro->rings[i].name), "%s", ring_names[i]);
        ro->rings[i].state = halted ? ROLLOUT_ROLLED_BACK : ROLLOUT_COMPLETE;
        ro->rings[i].pointer = halted ? ROLLOUT_POINTER_OLD : ROLLOUT_POINTER_NEW;
        ro->rings[i].since.s = ro->rings[i].opened.s = ro->started.s;
    }
    ro->norm = (struct rollout_norm){.p0_crash_e9 = 1000, .p0_storm_e9 = 1000, .p0_slow_e9 = 1000};
    ro->halt.there = halted;
    MUST(store_begin(&w->store, &err));
    MUST(rollout_doc_put(&w->store, ro, &err));
    MUST(rollout_evidence_open(&w->store, ro, w->now, &e, &err));
    MUST(rollout_evidence_put(&w->store, ro, e, &err));
    MUST(store_commit(&w->store, &err));
    rollout_evidence_drop(&e);
    rw_mem_free(ro);
}

/* yara/1 to yara/72, of which 5 was halted and 3 ended lately. */
static void begin_old(struct world *w)
{
    begin(w);
    w->now.s = INT64_C(400) * DAY;
    for (int64_t release = 1; release <= ALL; release++) {
        put_one(w, release, release == 5, release == 3 ? w->now.s - DAY : release * DAY);
    }
    restart(w);
    tick(w);
}

static RW_RC count_one(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    int64_t *count = arg;
    (void)doc;
    (void)err;
    (*count)++;
    return RW_OK;
}

static int64_t stored(struct world *w, const char *kind)
{
    struct rw_err err;
    int64_t count = 0;
    MUST(store_doc_each(&w->store, kind, count_one, &count, &err));
    return count;
}

static void keep_stopped(struct world *w, int64_t release)
{
    struct rw_err err;
    const struct fleet_counts counts = {.exposed = 1};
    const struct rollout_cause cause = {
        .scope = "tenant a in ring b", .counts = &counts, .term = ""};
    MUST(store_begin(&w->store, &err));
    MUST(rollout_stopped_add(&w->store, the(w, release), w->now, &cause, "a test", &err));
    MUST(rollout_stopped_add(&w->store, the(w, release), w->now, &cause, "a test", &err));
    MUST(store_commit(&w->store, &err));
}

static size_t forget(struct world *w, int64_t age)
{
    struct rw_err err;
    size_t count = 0;
    MUST(rollout_run_forget(w->run, age, &count, &err));
    return count;
}

static void expect_kept(struct world *w)
{
    for (int64_t release = 1; release <= ALL; release++) {
        bool gone = release < ALL - NEWER + 1 && release != 3;
        assert_int_equal(rollout_live_find(w->run, "yara", release) == NULL, gone);
    }
}

TEST(what_ended_long_ago_and_was_followed_by_many_goes)
{
    struct world w;
    struct store_audit_tip before;
    struct store_audit_tip after;
    struct rw_err err;
    begin_old(&w);
    assert_int_equal(forget(&w, 0), 0);
    assert_int_equal(forget(&w, INT64_C(1000) * DAY), 0);
    keep_stopped(&w, 1);
    keep_stopped(&w, ALL);
    assert_int_equal(stored(&w, "stopped"), 2);
    MUST(store_audit_tip(&w.store, &before, &err));
    assert_int_equal(forget(&w, age_s), 7);
    MUST(store_audit_tip(&w.store, &after, &err));
    assert_int_equal(after.seq, before.seq + 1);
    expect_kept(&w);
    assert_int_equal(stored(&w, "rollout"), ALL - 7);
    assert_int_equal(stored(&w, "evidence"), ALL - 7);
    assert_int_equal(stored(&w, "stopped"), 1);
    assert_int_equal(forget(&w, age_s), 0);
    restart(&w);
    tick(&w);
    expect_kept(&w);
    end(&w);
}

TEST(inv_3_what_was_halted_is_not_started_again_when_its_record_is_gone)
{
    struct world w;
    struct rw_err err;
    begin_old(&w);
    assert_int_equal(forget(&w, age_s), 7);
    MUST(store_begin(&w.store, &err));
    MUST_FAIL(rollout_run_start(w.run, "yara", 5, &ada, w.now, &err), RW_E_POLICY);
    store_rollback(&w.store);
    assert_int_equal(ask(&w, 0, 1, 5).decision, BEACON_PERMIT_REFUSED);
    end(&w);
}

static RW_RC fails(void *ctx, const struct store_audit *a, struct rw_err *e)
{
    (void)ctx;
    (void)a;
    return rw_fail(e, RW_E_FULL, "the disk is full");
}

TEST(a_record_that_cannot_be_removed_stays_in_memory_and_store)
{
    struct world w;
    struct rw_err err;
    size_t count = 1;
    begin_old(&w);
    struct store_backend broken = *w.store.backend;
    broken.audit_append = fails;
    const struct store_backend *whole = w.store.backend;
    w.store.backend = &broken;
    MUST_FAIL(rollout_run_forget(w.run, age_s, &count, &err), RW_E_FULL);
    w.store.backend = whole;
    assert_int_equal(count, 0);
    assert_int_equal(stored(&w, "rollout"), ALL);
    assert_non_null(rollout_live_find(w.run, "yara", 1));
    end(&w);
}

RUN_TESTS(cmocka_unit_test(what_ended_long_ago_and_was_followed_by_many_goes),
          cmocka_unit_test(inv_3_what_was_halted_is_not_started_again_when_its_record_is_gone),
          cmocka_unit_test(a_record_that_cannot_be_removed_stays_in_memory_and_store))
