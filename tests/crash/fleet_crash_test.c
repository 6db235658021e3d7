/* Goal: INV-8: whatever a server acknowledged is there after kill -9 at any moment. A child commits batches of
 * permits and beacons, writes each acknowledged number to a pipe and folds in pieces in between; it is killed at random
 * moments, again and again over the same database. */
#include "common/base/num.h"
#include "server/health/fleet_hot.h"
#include "server/health/fleet_permit.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KILLS = 40, BATCH = 3, ACKED_MAX = 200000, FILLED = 3 * FLEET_SLICE_ENDPOINTS };

static const uint8_t payload[32] = {7};

/* What stands in the pipe for each acknowledged endpoint. */
struct ack {
    uint64_t endpoint;
    uint64_t permit;
};

static struct fleet_who who(uint64_t number)
{
    struct fleet_who me = {.endpoint = {0}};
    rw_copy(me.endpoint, sizeof(me.endpoint), &number, sizeof(number));
    (void)snprintf(me.tenant, sizeof(me.tenant), "acme");
    return me;
}

static struct beacon_permit_request request(void)
{
    struct beacon_permit_request r = {.family = "yara",
                                      .release = 1,
                                      .ring = "canary",
                                      .cohort = {"debian-12", "x86_64", "yara-4.2"}};
    rw_copy(r.sha256, sizeof(r.sha256), payload, sizeof(payload));
    return r;
}

static RW_RC open_all(const char *path, struct store *store, struct fleet_state **fleet,
                      struct rw_err *err)
{
    RW_TRY(store_sqlite_open(path, store, err));
    RW_TRY(fleet_state_open(store, fleet, err));
    RW_TRY(fleet_state_know_ring(*fleet, "canary", err));
    const struct fleet_watch watch = {
        .family = "yara", .release = 1, .sha256 = payload, .now = {1}, .window_s = 900};
    return fleet_state_watch(*fleet, &watch, err);
}

/* One endpoint's permit and its healthy beacon. */
static RW_RC live_one(struct fleet_state *fleet, uint64_t number, struct ack *ack,
                      struct rw_err *err)
{
    struct fleet_who me = who(number);
    struct beacon_permit_request q = request();
    struct beacon b = {.kind = BEACON_HEALTHY, .family = "yara", .release = 1, .trust = "ok"};
    bool duplicate = false;
    struct rw_wall now = {1000};
    ack->endpoint = number;
    const struct fleet_ask ask = {&me, &q, now, 900};
    RW_TRY(fleet_state_permit_grant(fleet, &ask, &ack->permit, err));
    rw_copy(b.id, sizeof(b.id), &number, sizeof(number));
    (void)snprintf(b.ring, sizeof(b.ring), "canary");
    b.cohort = q.cohort;
    rw_copy(b.sha256, sizeof(b.sha256), payload, sizeof(payload));
    return fleet_state_beacon(fleet, &me, &b, now, &duplicate, err);
}

/* Endpoints that fill some slices of the fold, and are never heard of again. */
static void fill(const char *path)
{
    struct rw_err err;
    struct store store = {.backend = NULL};
    struct fleet_state *fleet = NULL;
    MUST(open_all(path, &store, &fleet, &err));
    for (uint64_t i = 0; i < FILLED; i++) {
        struct fleet_who me = who(i << 32 | UINT32_MAX);
        MUST(fleet_state_enrol(fleet, &me, (struct rw_wall){1000}, &err));
    }
    MUST(store_begin(&store, &err));
    MUST(fleet_state_flush(fleet, &err));
    MUST(store_commit(&store, &err));
    fleet_state_drop(&fleet);
    store_close(&store);
}

static RW_RC serve(const char *path, uint64_t first, int pipe_fd, struct rw_err *err)
{
    struct store store = {.backend = NULL};
    struct fleet_state *fleet = NULL;
    bool more = false;
    RW_TRY(open_all(path, &store, &fleet, err));
    fleet->slices.step_bytes = 1; /* a transaction for each slice */
    fleet->slices.drop_rows = 5;
    for (uint64_t number = first;; number += BATCH) {
        struct ack acks[BATCH];
        for (size_t i = 0; i < BATCH; i++) {
            RW_TRY(live_one(fleet, number + i, &acks[i], err));
        }
        RW_TRY(store_begin(&store, err));
        RW_TRY(fleet_state_flush(fleet, err));
        RW_TRY(store_commit(&store, err));
        /* The acknowledgement: one write, whole or not at all. */
        if (write(pipe_fd, acks, sizeof(acks)) != (ssize_t)sizeof(acks)) {
            return rw_fail(err, RW_E_IO, "pipe");
        }
        if (!more && number % 4 != 0) { continue; }
        RW_TRY(store_begin(&store, err));
        RW_TRY(fleet_state_fold(fleet, &more, err));
        RW_TRY(store_commit(&store, err));
    }
}

struct acked {
    struct ack *list;
    size_t count;
};

static void kill_once(const char *path, struct acked *acked, uint64_t first, long after_us)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rw_err err = {.text = ""};
        (void)close(fds[0]);
        struct rw_rc rc = serve(path, first, fds[1], &err);
        (void)fprintf(stderr, "child: %s\n", err.text);
        _exit(rc.code == RW_E_NONE ? 0 : 1);
    }
    (void)close(fds[1]);
    struct ack got;
    /* At least one acknowledgement, so that a slow start does not make an empty round. */
    assert_int_equal(read(fds[0], &got, sizeof(got)), sizeof(got));
    acked->list[acked->count++] = got;
    const struct timespec t = {.tv_nsec = after_us * 1000};
    (void)nanosleep(&t, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    while (acked->count < ACKED_MAX && read(fds[0], &got, sizeof(got)) == (ssize_t)sizeof(got)) {
        acked->list[acked->count++] = got;
    }
    (void)close(fds[0]);
}

static uint64_t check_all(const char *path, const struct acked *acked)
{
    struct rw_err err;
    struct store store = {.backend = NULL};
    struct fleet_state *fleet = NULL;
    uint64_t highest = 0;
    MUST(open_all(path, &store, &fleet, &err));
    for (size_t i = 0; i < acked->count; i++) {
        struct fleet_permit p;
        struct fleet_who me = who(acked->list[i].endpoint);
        struct beacon_permit_request q = request();
        const struct fleet_ask ask = {&me, &q, {1001}, 900};
        MUST(fleet_state_permit_look(fleet, &ask, &p, &err));
        assert_int_equal(p.past, FLEET_PERMIT_AGAIN); /* exposed, and its beacon came through */
        assert_true(p.number == acked->list[i].permit);
        assert_true(i == 0 || acked->list[i].permit > acked->list[i - 1].permit);
        if (acked->list[i].endpoint > highest) { highest = acked->list[i].endpoint; }
    }
    struct fleet_counts c = fleet_state_counts(fleet, "yara", 1, "canary", NULL);
    assert_true((size_t)c.survived >= acked->count);
    assert_int_equal(c.exposed, c.survived); /* a batch is whole or not there */
    assert_int_equal(c.exposed % BATCH, 0);
    fleet_state_drop(&fleet);
    store_close(&store);
    return highest;
}

TEST(inv_8_what_was_acknowledged_survives_kill_9_at_any_moment)
{
    struct rw_err err;
    const char *given = getenv("RW_TEST_SEED");
    int64_t number = 20261126;
    if (given != NULL) {
        MUST(rw_parse_i64(rw_span_str(given), 0, INT32_MAX, "RW_TEST_SEED", &number, &err));
    }
    unsigned seed = (unsigned)number;
    char dir[] = "/tmp/rw-crash-XXXXXX";
    char path[64];
    print_message("           seed %u (RW_TEST_SEED)\n", seed);
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/db", dir);
    struct acked acked = {.list = rw_mem_new_array(ACKED_MAX + 1, sizeof(struct ack))};
    assert_non_null(acked.list);
    uint64_t next = 1;
    fill(path);
    for (int i = 0; i < KILLS; i++) {
        seed = seed * 1664525U + 1013904223U;
        kill_once(path, &acked, next, (long)((seed >> 8) % 25000U));
        /* Those of the last batch may be there although nobody was told: start well behind them. */
        next = check_all(path, &acked) + 1 + 1000;
    }
    print_message("           %zu acknowledged over %d kills\n", acked.count, KILLS);
    rw_mem_free(acked.list);
    static const char *const tails[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < RW_LEN(tails); i++) {
        char file[96];
        (void)snprintf(file, sizeof(file), "%s%s", path, tails[i]);
        (void)unlink(file);
    }
    assert_int_equal(rmdir(dir), 0);
}

RUN_TESTS(cmocka_unit_test(inv_8_what_was_acknowledged_survives_kill_9_at_any_moment))
