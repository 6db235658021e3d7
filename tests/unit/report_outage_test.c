/* Goal: thirty days without a server, a full disk, a kill in between: memory and disk stay bounded, what tells of
 * failures is kept, what is kept arrives in order and counts once, what was dropped is counted and told (INV-12). */
#include "agent/poll/poll_rule.h"
#include "agent/report/beacon_send.h"
#include "agent/report/report.h"

#include "common/base/file.h"
#include "tests/harness.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

enum {
    DAYS = 30,
    DAY_S = 86400,
    ALIVE_EVERY_S = 3600,
    SPOOL_MAX = 256,
    ALL = DAYS * (DAY_S / ALIVE_EVERY_S + 1),
};

static struct rw_wall now = {1800000000};
static struct harness_dir dir;
static struct beacon_spool spool;
static struct report report;

static struct rw_wall wall(void *ctx)
{
    (void)ctx;
    return now;
}

static struct rw_mono mono(void *ctx)
{
    (void)ctx;
    return (struct rw_mono){now.s * 1000};
}

static void open_report(void)
{
    struct rw_err err;
    MUST(beacon_spool_open(dir.fd, SPOOL_MAX, &spool, &err));
    report.spool = &spool;
    report.clock = (struct rw_clock){.wall = wall, .mono = mono};
    (void)snprintf(report.cohort.os, BEACON_COHORT_BYTES, "debian-12");
    (void)snprintf(report.cohort.arch, BEACON_COHORT_BYTES, "x86_64");
    (void)snprintf(report.cohort.engine, BEACON_COHORT_BYTES, "fake");
}

static struct beacon beacon_of(enum beacon_kind kind, int64_t release)
{
    struct beacon b = {.kind = kind, .release = release, .sha256 = {1}, .generation = 1};
    (void)snprintf(b.family, sizeof(b.family), "yara");
    if (kind != BEACON_ALIVE) { b.stage = BEACON_STAGE_ACTIVE; }
    return b;
}

/* A sensor that loads again and again has something new to say each time. */
static int64_t load;
static bool restless;

static bool alive(void)
{
    struct beacon b = beacon_of(BEACON_ALIVE, 1);
    load += restless ? 1 : 0;
    b.generation = load;
    return report_add_alive(&report, &b);
}

static bool crash(int64_t release)
{
    struct beacon b = beacon_of(BEACON_CRASH, release);
    return report_add(&report, &b);
}

static int files_in_spool(void);

/* The server's memory: each id once. */
static struct beacon taken[ALL + 64];
static size_t taken_count;
static int repeats;

static void server_takes(const struct beacon_send *batch)
{
    static struct beacon all[BEACON_BATCH_MAX];
    struct rw_err err;
    size_t n = 0;
    MUST(beacon_read_batch(rw_buf_span(&batch->body), all, &n, &err));
    assert_int_equal(n, batch->count);
    for (size_t i = 0; i < n; i++) {
        size_t from = taken_count > BEACON_BATCH_MAX ? taken_count - BEACON_BATCH_MAX : 0;
        bool had = false;
        for (size_t k = from; k < taken_count; k++) {
            had = had || memcmp(taken[k].id, all[i].id, BEACON_ID_BYTES) == 0;
        }
        repeats += had ? 1 : 0;
        if (!had) { taken[taken_count++] = all[i]; }
    }
}

/* Sends all; the answer to every third batch is lost, so that it comes again. */
static void send_all(void)
{
    struct beacon_send batch = {.count = 0};
    struct rw_err err;
    for (int round = 0;; round++) {
        enum beacon_send_outcome outcome;
        MUST(beacon_send_fill(&batch, &spool, &err));
        if (batch.count == 0) { break; }
        server_takes(&batch);
        batch.status = round % 3 == 2 ? 0 : 200;
        MUST(beacon_send_settle(&batch, &spool, &outcome, &err));
        assert_int_equal(outcome, batch.status == 0 ? BEACON_SEND_RETRY : BEACON_SEND_DONE);
    }
    beacon_send_drop(&batch);
}

static RW_RC count_one(void *ctx, const char *name, struct rw_err *err)
{
    int *n = ctx;
    (void)name;
    (void)err;
    (*n)++;
    return RW_OK;
}

static int files_in_spool(void)
{
    struct rw_err err;
    int n = 0;
    MUST(rw_dir_each(spool.dir, count_one, &n, &err));
    return n;
}

static void live_without_server(void)
{
    for (int64_t t = 0; t < (int64_t)DAYS * DAY_S; t += ALIVE_EVERY_S) {
        now.s += ALIVE_EVERY_S;
        assert_true(alive());
        if (t % DAY_S == 0) { assert_true(crash(1 + t / DAY_S)); }
        assert_true(spool.count <= SPOOL_MAX);
        if (t % (7 * DAY_S) == 0) { /* a restart: nothing is forgotten */
            int64_t dropped = spool.dropped;
            beacon_spool_drop(&spool);
            open_report();
            assert_int_equal(spool.dropped, dropped);
        }
    }
}

static int count_crashes_in_order(void)
{
    int crashes = 0;
    for (size_t i = 0; i < taken_count; i++) {
        if (i > 0) { assert_true(taken[i].at.s >= taken[i - 1].at.s); }
        crashes += taken[i].kind == BEACON_CRASH ? 1 : 0;
    }
    return crashes;
}

/* What waits grows with what happens, not with time: a crash a day, and life before and behind it. */
TEST(thirty_quiet_days_without_a_server)
{
    dir = harness_dir();
    restless = false;
    load = 1;
    taken_count = 0;
    open_report();
    live_without_server();
    assert_in_range(spool.count, 2 * DAYS, 2 * DAYS + 1);
    assert_int_equal(files_in_spool(), spool.count);
    assert_int_equal(spool.dropped, 0);
    send_all();
    assert_int_equal(count_crashes_in_order(), DAYS);
    assert_int_equal(taken[taken_count - 1].kind, BEACON_ALIVE);
    assert_int_equal(taken[taken_count - 1].at.s, now.s); /* the newest */
    beacon_spool_drop(&spool);
    harness_dir_drop(&dir);
}

TEST(thirty_days_without_a_server)
{
    dir = harness_dir();
    restless = true;
    taken_count = 0;
    open_report();
    live_without_server();
    assert_int_equal(files_in_spool(), SPOOL_MAX);
    int64_t dropped = ALL - SPOOL_MAX;
    assert_int_equal(spool.dropped, dropped);
    assert_int_equal(spool.told, 0); /* nobody listened */
    send_all();
    assert_int_equal(taken_count, SPOOL_MAX);
    assert_true(repeats > 0);
    /* What is said once is never dropped for what repeats itself. */
    assert_int_equal(count_crashes_in_order(), DAYS);
    assert_true(alive());
    send_all();
    char words[64];
    (void)snprintf(words, sizeof(words), "%lld beacons dropped, %lld in all", (long long)dropped,
                   (long long)dropped);
    assert_string_equal(taken[taken_count - 1].detail, words);
    assert_int_equal(spool.told, dropped);
    assert_true(alive());
    send_all();
    assert_string_equal(taken[taken_count - 1].detail, ""); /* told once */
    beacon_spool_drop(&spool);
    harness_dir_drop(&dir);
}

TEST(attempts_without_a_server_stay_few_and_scattered)
{
    uint32_t seed = harness_seed();
    int64_t at_ms = 0;
    int attempts = 0;
    int64_t least = INT64_MAX;
    for (; at_ms < (int64_t)DAYS * DAY_S * 1000; attempts++) {
        int64_t wait = poll_rule_back_off_ms(1000, 300 * 1000, attempts + 1, harness_random(&seed));
        if (attempts > 20 && wait < least) { least = wait; }
        at_ms += wait;
    }
    assert_in_range(attempts, DAYS * DAY_S / 300, DAYS * DAY_S / 150 + 20);
    assert_true(least >= 150 * 1000);
    assert_true(poll_rule_retry_after_ms(3600, harness_random(&seed)) >= 3600 * 1000);
}

/* A disk of its own, 128 KiB large. False: this host permits none. */
static bool small_disk(const char *path)
{
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) { return false; }
    (void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    return mount("tmpfs", path, "tmpfs", 0, "size=128k") == 0;
}

#define NEED(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            print_message("           line %d: %s\n", __LINE__, #x);                               \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static int live_on_a_full_disk(void)
{
    struct rw_err err;
    int before = 0;
    if (!small_disk(dir.path)) { return 77; }
    (void)close(dir.fd);
    dir.fd = open(dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    open_report();
    for (int i = 0; i < 200; i++) {
        now.s += ALIVE_EVERY_S;
        (void)alive(); /* the oldest makes room */
    }
    before = (int)spool.count;
    NEED(before < 60 && before > 5 && spool.dropped > 100);
    NEED(crash(1)); /* what matters finds room too */
    NEED(spool.entries[spool.count - 1].kind == 'c');
    while (spool.count > 0 && spool.entries[0].kind == 'a') {
        NEED(rw_is_ok(beacon_spool_remove(&spool, &spool.entries[0].seq, 1, &err)));
    }
    int64_t n = 1;
    while (crash(++n)) {} /* until nothing but these is left */
    NEED(report.owed_count == 1 && spool.count > 5);
    NEED(!crash(++n) && report.owed_count == 2);
    NEED(rw_is_ok(beacon_spool_remove(&spool, &spool.entries[0].seq, 1, &err)));
    NEED(rw_is_ok(beacon_spool_remove(&spool, &spool.entries[0].seq, 1, &err)));
    NEED(rw_is_ok(beacon_spool_remove(&spool, &spool.entries[0].seq, 1, &err)));
    report_flush(&report); /* room again: nothing was lost, the order is kept */
    NEED(report.owed_count == 0);
    send_all();
    for (size_t i = 1; i < taken_count; i++) {
        NEED(taken[i].release == taken[i - 1].release + 1);
    }
    NEED(taken[taken_count - 1].release == n);
    return 0;
}

TEST(a_full_disk_loses_only_what_repeats_itself)
{
    dir = harness_dir();
    restless = true;
    taken_count = 0;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) { _exit(live_on_a_full_disk()); }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    harness_dir_drop(&dir);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("           skipped: this host permits no mount\n");
        skip();
    }
    assert_int_equal(status, 0);
}

RUN_TESTS(cmocka_unit_test(thirty_quiet_days_without_a_server),
          cmocka_unit_test(thirty_days_without_a_server),
          cmocka_unit_test(attempts_without_a_server_stay_few_and_scattered),
          cmocka_unit_test(a_full_disk_loses_only_what_repeats_itself))
