/* Goal: INV-1, INV-2, INV-8 over several nodes on one store. Three nodes with the server's own code take permits and
 * beacons in random turns; commits fail, or hold although their answer is lost; nodes crash, start again, are cut off
 * from the store, and stand still between looking at the lease and deciding, or while a pointer is signed; leases end;
 * somebody halts. The store is SQLite below and adds what PostgreSQL has: the one row that all transactions lock.
 *
 * A model keeps what was committed. After every commit
 *     exposed - survived <= U + k * survived      in each ring and in each cohort of it, and
 *     exposed - alive <= U' + k' * alive          with those that proved it again some time after their permit
 * must hold (what was lost when a person resumed takes no place under the first law any more), a tenant of two
 * has its share of the start and what its own survivors gave, and no more (INV-11), a halt must stay
 * (INV-9), no permit may follow it, and a stale term may write nothing. After every step a node that follows counts
 * exactly what the model does, nothing lost and nothing twice, and knows every permit that anybody was told. */
#include "server/api/api_core.h"
#include "server/rollout/lease_rule.h"
#include "tests/sim/nodes_store.h"

/* --- nodes --- */

enum { USUAL_SEED = 20261127 };

static RW_RC point(void *ctx, const char *ring, const char *family, int64_t release, bool hold,
                   struct rw_err *err)
{
    struct node *n = ctx;
    (void)ring;
    (void)family;
    (void)release;
    (void)hold;
    assert_false(n->store.in_transaction);
    if (n->w->meanwhile != NULL) { n->w->meanwhile(n); }
    return !n->w->calm && draw(n->w, 6) == 0 ? rw_fail(err, RW_E_PROCESS, "the signer is away")
                                             : RW_OK;
}

static void leave(void *ctx)
{
    (void)ctx;
}

static void crash(struct node *n)
{
    if (!n->up) { return; }
    rollout_run_drop(&n->core.rollouts);
    fleet_state_drop(&n->fleet);
    store_close(&n->base); /* SQLite rolls back what was open */
    n->up = false;
}

static RW_RC open_rollouts(struct node *n, struct rw_err *err)
{
    const struct rollout_run_effects effects = {
        .point = point, .release_info = info, .release_sha256 = bytes_of, .gone = gone, .ctx = n};
    rollout_run_drop(&n->core.rollouts);
    return rollout_run_open(&n->store, n->fleet, &n->w->policy, effects, &n->core.rollouts, err);
}

static void start(struct node *n)
{
    struct rw_err err;
    crash(n);
    n->cut = false;
    MUST(store_sqlite_open(n->w->path, &n->base, &err));
    n->store = (struct store){.backend = &shared, .ctx = n};
    n->lease = (struct api_node){.may_control = true, .leave = leave};
    n->core = (struct api_core){
        .store = &n->store, .node = &n->lease, .clock = {.wall = wall, .mono = mono, .ctx = n->w}};
    MUST(api_node_begin(&n->core, &err));
    MUST(fleet_state_open(&n->store, &n->fleet, &err));
    n->core.fleet = n->fleet;
    MUST(open_rollouts(n, &err));
    n->up = true;
}

/* As api_core_heal, with the effects of this test. */
static RW_RC heal(struct node *n, struct rw_err *err)
{
    struct api_core *c = &n->core;
    if (c->rollouts_stale) {
        RW_TRY(store_look(&n->store, err));
        n->lease.change = n->store.now.change;
    }
    if (c->fleet_stale) { RW_TRY(fleet_state_reload(n->fleet, err)); }
    c->fleet_stale = false;
    if (c->rollouts_stale) { RW_TRY(open_rollouts(n, err)); }
    c->rollouts_stale = false;
    return RW_OK;
}

/* --- what endpoints do --- */

static void beacon(struct node *n)
{
    struct world *w = n->w;
    size_t i = draw(w, ENDPOINTS);
    if (w->last.id != 0 && draw(w, 6) == 0) { /* its answer was lost: again, wherever */
        send(n, w->last.endpoint, w->last.kind, w->last.id);
        return;
    }
    for (int tries = 0; tries < 20 && !n->memory[i].exposed; tries++) {
        i = draw(w, ENDPOINTS);
    }
    if (!n->memory[i].exposed) { return; }
    w->last.endpoint = i;
    w->last.kind = draw(w, 3) == 0 ? BEACON_ALIVE : BEACON_HEALTHY;
    /* Bad news is mostly of those on trial: late crashes would end every run. */
    bool bad = draw(w, n->memory[i].confirmed ? 200 : 40) == 0;
    if (bad) { w->last.kind = BEACON_FAILED; }
    w->last.id = w->next_id++;
    send(n, i, w->last.kind, w->last.id);
}

/* As api_core's batch. */
static void batch(struct node *n)
{
    struct world *w = n->w;
    struct rw_err err;
    int64_t term = n->store.term;
    if (!rw_is_ok(heal(n, &err))) { return; }
    n->store.term = 0;
    struct rw_rc rc = store_begin(&n->store, &err);
    n->store.term = term;
    if (!rw_is_ok(rc)) { return; }
    for (unsigned left = 1 + draw(w, 5); left > 0; left--) {
        if (draw(w, 2) == 0) {
            ask(n, draw(w, ENDPOINTS));
        } else {
            beacon(n);
        }
    }
    if (!w->calm && draw(w, 60) == 0) { /* dies before the commit */
        start(n);
        return;
    }
    rc = fleet_state_flush(n->fleet, &err);
    if (rw_is_ok(rc)) { rc = store_commit(&n->store, &err); }
    if (rw_is_ok(rc)) {
        rw_copy(w->promised, sizeof(w->promised), w->truth, sizeof(w->truth));
        return;
    }
    store_rollback(&n->store);
    n->core.fleet_stale = n->core.rollouts_stale = true;
}

/* --- controller --- */

static void others_go_on(struct node *n);

static void try_fold(struct node *n)
{
    struct rw_err err;
    if (fleet_state_pending_bytes(n->fleet) > 0 || !rw_is_ok(store_begin(&n->store, &err))) {
        return;
    }
    bool more = false;
    struct rw_rc rc = fleet_state_fold(n->fleet, &more, &err);
    if (rw_is_ok(rc)) { rc = api_node_extend(&n->core, &err); }
    if (rw_is_ok(rc)) { rc = store_commit(&n->store, &err); }
    store_rollback(&n->store);
    n->core.fleet_stale = n->core.fleet_stale || !rw_is_ok(rc);
}

static void turn(struct node *n, bool may_stall)
{
    struct world *w = n->w;
    struct rw_err err;
    if (!rw_is_ok(heal(n, &err)) || !rw_is_ok(api_node_turn(&n->core, &err))) { return; }
    if (!api_node_controls(&n->core)) {
        n->core.rollouts_stale = !rw_is_ok(rollout_run_follow(n->core.rollouts, wall(w), &err));
        return;
    }
    if (may_stall && draw(w, 5) == 0) { /* believes to be controller while the others go on */
        w->now_ms += 20000;
        others_go_on(n);
    }
    struct rw_rc rc = rollout_run_tick(n->core.rollouts, wall(w), &err);
    if (rc.code == RW_E_STALE) { n->core.fleet_stale = n->core.rollouts_stale = true; }
    if (rw_is_ok(rc) && draw(w, 8) == 0) { try_fold(n); }
}

static void command(struct node *n, enum rollout_rule_command what)
{
    const struct rollout_run_actor ada = {.name = "ada", .reason = "why not"};
    struct world *w = n->w;
    struct rw_err err;
    if (!rw_is_ok(heal(n, &err)) || !rw_is_ok(store_begin(&n->store, &err))) { return; }
    struct rw_rc rc = api_core_finish(
        &n->core, rollout_run_command(n->core.rollouts, "yara", 1, what, 0, &ada, wall(w), &err),
        &err);
    (void)rc; /* refused, or lost: the model reads what is stored */
}

static void steer(struct node *n)
{
    static const enum rollout_rule_command commands[] = {ROLLOUT_PAUSE, ROLLOUT_RESUME,
                                                         ROLLOUT_RESUME, ROLLOUT_RESUME};
    command(n, draw(n->w, 30) == 0 ? ROLLOUT_HALT : commands[draw(n->w, RW_LEN(commands))]);
}

static void others_go_on(struct node *n)
{
    struct world *w = n->w;
    for (unsigned i = 0; i < 6; i++) {
        struct node *other = &w->nodes[draw(w, NODES)];
        if (other == n || !other->up) { continue; }
        turn(other, false);
        batch(other);
    }
}

/* Signing takes its time: another node answers an operator, or is controller before it is done. */
static void while_signing(struct node *n)
{
    struct world *w = n->w;
    struct node *other = &w->nodes[draw(w, NODES)];
    if (w->calm || other == n || !other->up) { return; }
    w->meanwhile = NULL; /* not within itself */
    if (draw(w, 3) == 0) {
        w->now_ms += 20000;
        others_go_on(n);
    }
    steer(other);
    w->meanwhile = while_signing;
}

static void step(struct world *w)
{
    unsigned what = draw(w, 100);
    struct node *n = &w->nodes[draw(w, NODES)];
    if (what < 12) { w->now_ms += draw(w, 4) == 0 ? 120000 + draw(w, 300000) : draw(w, 3000); }
    if (!n->up) {
        if (what < 30) { start(n); }
        return;
    }
    if (what < 40) {
        turn(n, !w->calm);
    } else if (what < 93) {
        batch(n);
    } else if (what < 95) {
        crash(n);
    } else if (what < 98) {
        n->cut = !n->cut;
    } else {
        steer(n);
    }
}

/* A node that has taken in what others committed knows what the model knows. */
static void check_node(struct node *n)
{
    struct rw_err err;
    if (!rw_is_ok(heal(n, &err)) || !rw_is_ok(store_begin(&n->store, &err))) { return; }
    store_rollback(&n->store);
    for (size_t ring = 0; ring < RINGS; ring++) {
        for (size_t cohort = 0; cohort <= COHORTS; cohort++) {
            check_counts(n, ring, cohort);
        }
    }
    check_promises(n);
}

/* Everything answers again: each node must know what the model knows. */
static void check_end(struct world *w)
{
    struct rw_err err;
    w->calm = true;
    for (size_t k = 0; k < NODES; k++) {
        struct node *n = &w->nodes[k];
        if (k == 0 || !n->up) { start(n); } /* one that loads, others that followed */
        n->cut = false;
    }
    for (int round = 0; round < 3; round++) {
        w->now_ms += 10000;
        for (size_t k = 0; k < NODES; k++) {
            turn(&w->nodes[k], false);
        }
    }
    for (size_t k = 0; k < NODES; k++) {
        MUST(heal(&w->nodes[k], &err));
        check_node(&w->nodes[k]);
    }
}

/* Whoever is there when the rollout begins makes its cohorts known. */
static void all_there(struct node *n)
{
    struct rw_err err;
    MUST(store_begin(&n->store, &err));
    for (size_t i = 0; i < ENDPOINTS; i++) {
        struct fleet_who me = who(n->w, i);
        bool duplicate = false;
        struct beacon b = {
            .kind = BEACON_ALIVE, .trust = "ok", .cohort = cohort_named(cohort_of(i))};
        uint64_t id = n->w->next_id++;
        rw_copy(b.id, sizeof(b.id), &id, sizeof(id));
        (void)snprintf(b.ring, sizeof(b.ring), "%s", ring_names[ring_of(i)]);
        MUST(fleet_state_beacon(n->fleet, &me, &b, wall(n->w), &duplicate, &err));
    }
    MUST(fleet_state_flush(n->fleet, &err));
    MUST(store_commit(&n->store, &err));
}

static void begin_rollout(struct world *w, bool known)
{
    const struct rollout_run_actor ada = {.name = "ada", .reason = ""};
    struct node *n = &w->nodes[0];
    struct rw_err err;
    w->calm = true;
    turn(n, false);
    assert_true(api_node_controls(&n->core));
    if (known) { all_there(n); }
    w->all_known = known;
    MUST(store_begin(&n->store, &err));
    MUST(api_core_finish(
        &n->core, rollout_run_start(n->core.rollouts, "yara", 1, &ada, wall(w), &err), &err));
    w->calm = false;
}

/* A window full of failures, half of them silent: too few for the detector, so that the ring is held for a person, who
 * resumes at another node. Evidence begins anew in whatever comes next. */
static void begin_badly(struct world *w)
{
    struct node *n = &w->nodes[0];
    struct rw_err err;
    unsigned failed = 0;
    w->calm = true;
    turn(n, false); /* opens the ring */
    MUST(store_begin(&n->store, &err));
    for (size_t i = 0; i < ENDPOINTS; i += RINGS) {
        ask(n, i);
        if (!n->memory[i].exposed || failed >= RING_START / 2) { continue; }
        send(n, i, BEACON_FAILED, w->next_id++);
        failed++;
    }
    MUST(fleet_state_flush(n->fleet, &err));
    MUST(store_commit(&n->store, &err));
    rw_copy(w->promised, sizeof(w->promised), w->truth, sizeof(w->truth));
    w->now_ms += (DEADLINE_S + 1) * INT64_C(1000);
    turn(n, false);
    assert_int_equal(tally(w->truth, 0, COHORTS).lost, RING_START);
    command(&w->nodes[1], ROLLOUT_RESUME);
    w->calm = false;
}

static struct world *make_world(uint32_t seed, bool known)
{
    struct rw_err err;
    struct world *w = rw_mem_new(sizeof(*w));
    assert_non_null(w);
    w->seed = seed;
    w->two_tenants = draw(w, 2) == 0;
    w->next_id = 1;
    w->changes = rw_mem_new_array(CHANGES_MAX, sizeof(*w->changes));
    assert_non_null(w->changes);
    /* In memory where there is such a place: it is not the disk that is tried here. */
    (void)snprintf(w->dir, sizeof(w->dir), "%s/rw-nodes-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->path, sizeof(w->path), "%s/db", w->dir);
    MUST(ring_policy_parse(rw_span_str(policy_text), &w->policy, &err));
    for (size_t i = 0; i < NODES; i++) {
        w->nodes[i].w = w;
        start(&w->nodes[i]);
    }
    begin_rollout(w, known);
    return w;
}

static void drop_world(struct world *w)
{
    for (size_t i = 0; i < NODES; i++) {
        crash(&w->nodes[i]);
    }
    (void)nftw(w->dir, harness_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    rw_mem_free(w->changes);
    rw_mem_free(w);
}

TEST(inv_1_no_permit_beyond_the_window_whatever_happens_to_nodes_and_store)
{
    uint32_t seed = harness_seed_or(USUAL_SEED);
    unsigned stale = 0;
    unsigned takeovers = 0;
    unsigned permits = 0;
    unsigned grown = 0;
    unsigned limited = 0;
    int64_t resumes = 0;
    for (unsigned run = 0; run < RUNS; run++) {
        struct world *w = make_world(seed + run, (seed + run) % 2 == 0);
        print_message("           run of seed %u\n", seed + run);
        if (!w->two_tenants) { begin_badly(w); }
        w->meanwhile = while_signing;
        for (unsigned i = 0; i < STEPS; i++) {
            step(w);
            struct node *n = &w->nodes[draw(w, NODES)];
            if (n->up && !n->cut) { check_node(n); }
        }
        check_end(w);
        stale += w->stale_refused;
        takeovers += w->takeovers;
        permits += w->permits;
        grown += w->grown;
        limited += w->limited;
        resumes += w->resumes;
        drop_world(w);
    }
    print_message("           %u permits, %u changes of controller, %u writes of stale terms "
                  "refused, %u looks at grown windows, %lld times begun anew\n",
                  permits, takeovers, stale, grown, (long long)resumes);
    assert_true(permits > 20 && takeovers > 5 && stale > 0); /* else it tried nothing */
    assert_true((grown > 0 && resumes > 0 && limited > 0) || getenv("RW_TEST_SEED") != NULL);
}

static void another_halts(struct node *n)
{
    n->w->meanwhile = NULL;
    /* Twice: behind a fold a node loads anew first. */
    for (int tries = 0; tries < 2 && !n->w->halted; tries++) {
        command(&n->w->nodes[1], ROLLOUT_HALT);
    }
    assert_true(n->w->halted);
}

/* INV-1, INV-9: it was answered and recorded while the controller was busy with what it had planned before. */
TEST(a_halt_at_another_node_while_a_pointer_is_signed_stays)
{
    struct rw_err err;
    struct world *w = make_world(harness_seed_or(USUAL_SEED), false);
    w->calm = true;
    w->meanwhile = another_halts;
    MUST(rollout_run_tick(w->nodes[0].core.rollouts, wall(w), &err));
    assert_null(w->meanwhile);               /* something was signed */
    assert_true(w->halted);                  /* the last commit left it there: note_halt */
    for (size_t i = 0; i < 2 * NODES; i++) { /* twice: as above */
        turn(&w->nodes[i % NODES], false);
    }
    for (size_t k = 0; k < NODES; k++) {
        const struct rollout *ro = rollout_live_find(w->nodes[k].core.rollouts, "yara", 1);
        assert_non_null(ro);
        assert_true(ro->halt.there);
        for (size_t ring = 0; ring < ro->ring_count; ring++) {
            assert_int_equal(ro->rings[ring].pointer, ROLLOUT_POINTER_OLD);
            assert_false(ro->rings[ring].open);
        }
    }
    drop_world(w);
}

static const struct lease_case {
    const char *id;
    struct lease_rule_input in;
    enum lease_rule_move want;
} lease_cases[] = {
    {"mine_is_renewed", {.mine = true, .left_ms = 100, .may = true}, LEASE_RENEW},
    {"mine_that_ended_and_nobody_took", {.mine = true, .left_ms = -5, .may = true}, LEASE_RENEW},
    {"mine_is_given_back_at_the_stop",
     {.mine = true, .left_ms = 100, .may = true, .stopping = true},
     LEASE_GIVE_BACK},
    {"mine_but_not_allowed_any_more", {.mine = true, .left_ms = 100}, LEASE_GIVE_BACK},
    {"of_another_that_lasts", {.left_ms = 1, .may = true}, LEASE_FOLLOW},
    {"of_another_that_ended", {.left_ms = 0, .may = true}, LEASE_TAKE},
    {"given_back", {.given_back = true, .left_ms = 0, .may = true}, LEASE_TAKE},
    {"ended_but_this_one_may_not", {.left_ms = -1}, LEASE_FOLLOW},
    {"ended_but_this_one_stops", {.left_ms = -1, .may = true, .stopping = true}, LEASE_FOLLOW},
};

TEST_EACH(a_lease_is_taken_only_when_nobody_holds_it, lease_cases)
{
    assert_int_equal(lease_rule_decide(&it->in), it->want);
}

RUN_TESTS(cmocka_unit_test(a_halt_at_another_node_while_a_pointer_is_signed_stays),
          cmocka_unit_test(a_lease_is_taken_only_when_nobody_holds_it),
          cmocka_unit_test(inv_1_no_permit_beyond_the_window_whatever_happens_to_nodes_and_store))
