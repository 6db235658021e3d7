/* activate_fixture.h: a state directory, real slots, sets, spool and a fake sensor process, for tests of activation.
 *
 * memory   one global bench per test
 * threads  one
 */
#ifndef RINGWARD_ACTIVATE_FIXTURE_H
#define RINGWARD_ACTIVATE_FIXTURE_H

#include "agent/activate/activate.h"
#include "agent/fetch/content_store.h"
#include "common/base/file.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

struct bench {
    char path[64];
    int dir;
    struct beacon_spool spool;
    struct report report;
    struct activate a;
};

static struct bench bench;
/* For benches that are made from now on; 0: the server need not be reachable. */
static int64_t bench_reach_ms __attribute__((unused));
static int64_t bench_stable_ms __attribute__((unused)) = 300000;
static int64_t bench_load_ms __attribute__((unused)) = 1500;
static int64_t bench_alive_ms __attribute__((unused)) = 600;
static const char *bench_boot_id __attribute__((unused)) = "one";
static struct sensor_way bench_way __attribute__((unused));
/* Called between two steps of the watch: what goes on outside of the agent meanwhile. NULL: nothing. */
static void (*bench_between)(void) __attribute__((unused));

static inline int bench_remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st;
    (void)flag;
    (void)f;
    return remove(path);
}

static inline void bench_open_again(const char *sensor)
{
    struct rw_err err;
    MUST(rw_dir_open(bench.path, &bench.dir, &err));
    MUST(beacon_spool_open(bench.dir, BEACON_SPOOL_MAX, &bench.spool, &err));
    bench.report = (struct report){.spool = &bench.spool, .clock = rw_clock_system()};
    (void)snprintf(bench.report.cohort.os, BEACON_COHORT_BYTES, "debian-12");
    (void)snprintf(bench.report.cohort.arch, BEACON_COHORT_BYTES, "x86_64");
    (void)snprintf(bench.report.cohort.engine, BEACON_COHORT_BYTES, "fake");
    const struct activate_options o = {
        .state_dir = bench.dir,
        .state_path = bench.path,
        .sensor_command = sensor,
        .sensor_way = bench_way,
        .endpoint = "00112233445566778899aabbccddeeff",
        .boot_id = bench_boot_id,
        .load_timeout_ms = bench_load_ms,
        .stable_ms = bench_stable_ms,
        .alive_ms = bench_alive_ms,
        .reach_ms = bench_reach_ms,
        .detect = {.budget = storm_rule_defaults(), .slow_factor = SLOW_RULE_FACTOR},
        .report = &bench.report,
        .clock = rw_clock_system()};
    MUST(activate_open(&bench.a, &o, &err));
    activate_set_ring(&bench.a, "canary");
}

static inline void bench_close(void)
{
    activate_drop(&bench.a);
    beacon_spool_drop(&bench.spool);
    rw_fd_drop(&bench.dir);
}

static inline void bench_make(const char *sensor)
{
    (void)snprintf(bench.path, sizeof(bench.path), "/tmp/rw-activate-XXXXXX");
    assert_non_null(mkdtemp(bench.path));
    bench_open_again(sensor);
}

static inline void bench_remove(void)
{
    bench_close();
    (void)nftw(bench.path, bench_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Puts content into the store; `behaviour` is what the fake sensor does with it. */
static inline struct manifest_entry bench_content(const char *family, int64_t release,
                                                  const char *behaviour)
{
    struct rw_err err;
    char text[128];
    struct manifest_entry e = {.release = release};
    (void)snprintf(text, sizeof(text), "%s %s/%lld\n", behaviour, family, (long long)release);
    (void)snprintf(e.family, sizeof(e.family), "%s", family);
    MUST(content_store_put(bench.a.sets.store, rw_span_str(text), &err));
    MUST(digest_sha256(rw_span_str(text), e.sha256, &err));
    e.bytes = (int64_t)strlen(text);
    return e;
}

static inline struct activate_plan bench_plan(enum slot_change change,
                                              const struct manifest_entry *e)
{
    struct activate_plan p = {.change = change, .to = *e};
    (void)snprintf(p.family, sizeof(p.family), "%s", e->family);
    p.valid_until.ms = INT64_MAX;
    return p;
}

/* Runs the watch, as the loop does, until the phase is reached; fails after ten seconds. */
static inline void bench_until(enum activate_phase phase)
{
    struct rw_clock clock = rw_clock_system();
    int64_t end = rw_clock_mono(&clock).ms + 10000;
    for (;;) {
        if (bench_between != NULL) { bench_between(); }
        activate_step(&bench.a);
        if (bench.a.phase == phase) { return; }
        int64_t now = rw_clock_mono(&clock).ms;
        if (now >= end) {
            fail_msg("phase is %s, want %s", activate_phase_name(bench.a.phase),
                     activate_phase_name(phase));
        }
        int64_t wait = activate_wake(&bench.a).ms - now;
        struct pollfd fds[] = {{.fd = bench.a.sensor.socket, .events = POLLIN},
                               {.fd = bench.a.sensor.proc.pidfd, .events = POLLIN}};
        (void)poll(fds, RW_LEN(fds), wait < 0 ? 0 : (wait > 200 ? 200 : (int)wait));
    }
}

/* Begins a run: guard, start, proof of the active set. */
static inline void bench_start(void)
{
    struct rw_err err;
    MUST(activate_guard(&bench.a, &err));
    activate_start(&bench.a);
}

/* The release that the link makes active; 0: none. The whole set must be sound (INV-6). */
static inline int64_t bench_active_release(const char *family)
{
    struct rw_err err;
    struct manifest m;
    int64_t set = -1;
    MUST(set_store_active(&bench.a.sets, &set, &err));
    MUST(set_store_check(&bench.a.sets, set, &m, &err));
    const struct manifest_entry *e = manifest_find(&m, family);
    return e == NULL ? 0 : e->release;
}

/* How many beacons of a kind wait, and the last of them: zeroes when there is none. */
static inline int bench_beacons(enum beacon_kind kind, struct beacon *last)
{
    struct rw_err err;
    static struct beacon all[BEACON_BATCH_MAX];
    uint64_t seqs[BEACON_BATCH_MAX];
    size_t count = 0;
    size_t n = 0;
    int found = 0;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BEACON_BODY_BYTES_MAX);
    if (last != NULL) { *last = (struct beacon){0}; }
    MUST(beacon_spool_batch(&bench.spool, &body, seqs, &count, &err));
    if (count == 0) { return 0; }
    MUST(beacon_read_batch(rw_buf_span(&body), all, &n, &err));
    for (size_t i = 0; i < n; i++) {
        if (all[i].kind != kind) { continue; }
        found++;
        if (last != NULL) { *last = all[i]; }
    }
    return found;
}

/* A run with yara/1 proven and steady. */
static inline void bench_steady_on_one(const char *sensor)
{
    struct rw_err err;
    bench_make(sensor);
    bench_start();
    bench_until(ACTIVATE_STEADY);
    struct manifest_entry one = bench_content("yara", 1, "ok");
    struct activate_plan plan = bench_plan(SLOT_TRIAL, &one);
    MUST(activate_begin(&bench.a, &plan, &err));
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench.a.slots.current, bench.a.active.set);
    assert_int_equal(bench_active_release("yara"), 1);
}

static inline void bench_begin(enum slot_change change, const struct manifest_entry *e,
                               int64_t probation_s)
{
    struct rw_err err;
    struct activate_plan plan = bench_plan(change, e);
    plan.probation_s = probation_s;
    MUST(activate_begin(&bench.a, &plan, &err));
    assert_int_equal(bench.a.phase, ACTIVATE_LOADING);
}

#endif
