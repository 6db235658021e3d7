/* fold_bench: what folding and loading a large fleet costs; for scripts/bench fold.
 *
 * Usage: fold_bench FILE ENDPOINTS
 * FILE is a new SQLite file. Endpoints are enrolled, hear of one release, get a permit and prove it; then everything is
 * folded, a hundredth and a tenth of them (scattered as beacons are) tell that they are alive and are folded again, and
 * the store is loaded anew. Prints a line per step: seconds, CPU, longest transaction, bytes written by the process,
 * resident memory and its peak. */
#include "common/base/num.h"
#include "server/health/fleet_permit.h"
#include "server/health/fleet_state.h"
#include "server/store/store_sqlite.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 1000, ENDPOINTS_MAX = 50 * 1000 * 1000 };

static const uint8_t payload[32] = {7};
static const struct beacon_cohort cohort = {"debian-12", "x86_64", "yara-4.2"};

struct bench {
    struct store store;
    struct fleet_state *fleet;
    uint64_t next_id;
    double longest_s; /* transaction of the present step */
    struct rw_wall now;
};

struct at {
    double wall_s, cpu_s, written_mb;
};

static void must(struct rw_rc rc, const struct rw_err *err)
{
    if (rw_is_ok(rc)) { return; }
    (void)fprintf(stderr, "fold_bench: %s\n", err->text);
    exit(1);
}

static double seconds(clockid_t which)
{
    struct timespec t;
    (void)clock_gettime(which, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A figure of a file of /proc/self, by the name before it; 0: not there. */
static double figure(const char *file, const char *name)
{
    char line[256];
    int64_t value = 0;
    FILE *f = fopen(file, "re");
    if (f == NULL) { return 0; }
    while (fgets(line, sizeof(line), f) != NULL) {
        struct rw_err err;
        if (strncmp(line, name, strlen(name)) != 0) { continue; }
        const char *digits = line + strlen(name) + strspn(line + strlen(name), " \t");
        struct rw_span number = rw_span_of(digits, strspn(digits, "0123456789"));
        must(rw_parse_i64(number, 0, INT64_MAX, name, &value, &err), &err);
    }
    (void)fclose(f);
    return (double)value;
}

static void reset_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "we");
    (void)malloc_trim(0);
    if (f == NULL) { return; }
    (void)fputs("5", f);
    (void)fclose(f);
}

static struct at begin(struct bench *b)
{
    reset_peak();
    b->longest_s = 0;
    return (struct at){seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID),
                       figure("/proc/self/io", "write_bytes:") / 1e6};
}

static void report(const struct bench *b, const char *what, const struct at *from)
{
    printf("%-24s %7.2f s, CPU %7.2f s, longest transaction %6.1f ms, written %7.0f MB, "
           "resident %5.0f MB, peak %5.0f MB\n",
           what, seconds(CLOCK_MONOTONIC) - from->wall_s,
           seconds(CLOCK_PROCESS_CPUTIME_ID) - from->cpu_s, b->longest_s * 1000,
           figure("/proc/self/io", "write_bytes:") / 1e6 - from->written_mb,
           figure("/proc/self/status", "VmRSS:") / 1000,
           figure("/proc/self/status", "VmHWM:") / 1000);
    (void)fflush(stdout);
}

static void commit(struct bench *b, double begun_s)
{
    struct rw_err err;
    must(store_commit(&b->store, &err), &err);
    double took_s = seconds(CLOCK_MONOTONIC) - begun_s;
    if (took_s > b->longest_s) { b->longest_s = took_s; }
}

static void flush(struct bench *b)
{
    struct rw_err err;
    double begun_s = seconds(CLOCK_MONOTONIC);
    must(store_begin(&b->store, &err), &err);
    must(fleet_state_flush(b->fleet, &err), &err);
    commit(b, begun_s);
}

static struct fleet_who who(uint64_t number)
{
    struct fleet_who me = {.tenant = "acme"};
    number *= UINT64_C(0x9e3779b97f4a7c15); /* ids are random */
    rw_copy(me.endpoint, sizeof(me.endpoint), &number, sizeof(number));
    return me;
}

static void tell(struct bench *b, uint64_t number, enum beacon_kind kind)
{
    struct rw_err err;
    struct fleet_who me = who(number);
    struct beacon beacon = {.kind = kind,
                            .family = "yara",
                            .release = 1,
                            .ring = "broad",
                            .cohort = cohort,
                            .grade = "full",
                            .trust = "ok"};
    bool repeat = false;
    uint64_t id = ++b->next_id;
    rw_copy(beacon.id, sizeof(beacon.id), &id, sizeof(id));
    rw_copy(beacon.sha256, sizeof(beacon.sha256), payload, sizeof(payload));
    must(fleet_state_beacon(b->fleet, &me, &beacon, b->now, &repeat, &err), &err);
}

static void live(struct bench *b, uint64_t number)
{
    struct rw_err err;
    struct fleet_who me = who(number);
    struct beacon_permit_request q = {
        .family = "yara", .release = 1, .ring = "broad", .cohort = cohort};
    uint64_t permit = 0;
    rw_copy(q.sha256, sizeof(q.sha256), payload, sizeof(payload));
    const struct fleet_ask ask = {&me, &q, b->now, 900};
    must(fleet_state_permit_grant(b->fleet, &ask, &permit, &err), &err);
    tell(b, number, BEACON_HEALTHY);
}

static void fill(struct bench *b, uint64_t endpoints)
{
    struct rw_err err;
    const struct fleet_watch watch = {.family = "yara",
                                      .release = 1,
                                      .sha256 = payload,
                                      .now = b->now,
                                      .window_s = 900,
                                      .after_s = 7200};
    struct at from = begin(b);
    must(fleet_state_know_ring(b->fleet, "broad", &err), &err);
    must(fleet_state_watch(b->fleet, &watch, &err), &err);
    for (uint64_t i = 0; i < endpoints; i++) {
        live(b, i);
        if (i % BATCH == BATCH - 1) { flush(b); }
    }
    flush(b);
    report(b, "permits and proofs", &from);
}

static void fold(struct bench *b, const char *what)
{
    struct rw_err err;
    struct at from = begin(b);
    bool more = true;
    while (more) {
        double begun_s = seconds(CLOCK_MONOTONIC);
        must(store_begin(&b->store, &err), &err);
        must(fleet_state_fold(b->fleet, &more, &err), &err);
        commit(b, begun_s);
    }
    report(b, what, &from);
}

/* One endpoint of `of`, anywhere in the fleet. */
static void change(struct bench *b, uint64_t endpoints, uint64_t of)
{
    uint64_t changed = endpoints / of;
    b->now.s += 900;
    for (uint64_t i = 0; i < changed; i++) {
        tell(b, i * UINT64_C(2654435761) % endpoints, BEACON_ALIVE);
        if (i % BATCH == BATCH - 1) { flush(b); }
    }
    flush(b);
}

static void load(struct bench *b, const char *path)
{
    struct rw_err err;
    fleet_state_drop(&b->fleet);
    store_close(&b->store);
    struct at from = begin(b);
    must(store_sqlite_open(path, &b->store, &err), &err);
    must(fleet_state_open(&b->store, &b->fleet, &err), &err);
    report(b, "load", &from);
}

int main(int argc, char **argv)
{
    struct rw_err err;
    struct bench b = {.now = {1700000000}};
    int64_t endpoints = 0;
    if (argc != 3) {
        (void)fprintf(stderr, "usage: fold_bench FILE ENDPOINTS\n");
        return 2;
    }
    must(rw_parse_i64(rw_span_str(argv[2]), BATCH, ENDPOINTS_MAX, "ENDPOINTS", &endpoints, &err),
         &err);
    must(store_sqlite_open(argv[1], &b.store, &err), &err);
    must(fleet_state_open(&b.store, &b.fleet, &err), &err);
    fill(&b, (uint64_t)endpoints);
    fold(&b, "fold of everything");
    change(&b, (uint64_t)endpoints, 100);
    fold(&b, "fold, 1 % changed");
    change(&b, (uint64_t)endpoints, 10);
    fold(&b, "fold, 10 % changed");
    change(&b, (uint64_t)endpoints, 10);
    load(&b, argv[1]);
    fleet_state_drop(&b.fleet);
    store_close(&b.store);
    return 0;
}
