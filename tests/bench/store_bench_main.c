/* store_bench: beacons through the core's queue, the fleet in memory and the journal, without HTTP; for scripts/bench
 * server.
 *
 * Usage: store_bench durable|null|shared WHERE IN_FLIGHT SECONDS
 *        store_bench raw WHERE BATCH_BYTES SECONDS
 * WHERE is the path of a new SQLite file, or for "shared" the URL of a PostgreSQL database that is empty. "null"
 * forgets the journal (null_store.c). Two threads keep IN_FLIGHT beacons waiting and send another as soon as one is
 * answered, as HTTP workers do; one thread takes whatever waits, changes the fleet, commits once and answers, and folds
 * when that is due, as the core does. Prints one JSON object: CPU of the committing thread and of all three, for each
 * beacon. "raw" is what the storage itself can do: one thread appends batches of BATCH_BYTES,
 * each in a transaction of the same SQLite store, and does nothing else; it prints transactions a second. */
#include "common/base/num.h"
#include "server/api/api_queue.h"
#include "server/api/http_inbox.h"
#include "server/health/fleet_permit.h"
#include "server/health/fleet_state.h"
#include "server/store/store_pg.h"
#include "server/store/store_sqlite.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PRODUCERS = 2,
    IN_FLIGHT_MAX = 4096,
    SECONDS_MAX = 60,
    ENDPOINTS = 100000,
    SAMPLES_MAX = 1 << 20, /* later ones replace the first */
    BATCH_BYTES_MAX = 16 << 20,
    WAIT_MS = 100,
};

RW_RC __real_store_sqlite_open(const char *path, struct store *out, struct rw_err *err);

/* The queue asks of a route how many places its jobs take. */
static const struct api_route beacons = {.pattern = "/v1/beacons", .batched = true};

static struct api_queue *queue;
static atomic_bool over;
static int64_t end_ns;

struct request {
    struct fleet_who who;
    struct beacon beacon;
    int64_t sent_ns;
};

struct producer {
    pthread_t thread;
    struct http_inbox *inbox;
    size_t in_flight, done;
    uint64_t number, step; /* of the next beacon */
    uint32_t *took_us;
};

struct core {
    pthread_t thread;
    struct store store;
    struct fleet_state *fleet;
    size_t batches, folds, bytes;
    bool folding;
    double cpu_ns;
};

static void must(struct rw_rc rc, const struct rw_err *err)
{
    if (rw_is_ok(rc)) { return; }
    (void)fprintf(stderr, "store_bench: %s\n", err->text);
    exit(1);
}

static int64_t clock_ns(clockid_t which)
{
    struct timespec t;
    (void)clock_gettime(which, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* --- producers: what HTTP workers do --- */

static void submit(struct producer *p, struct api_job *job)
{
    struct rw_err err;
    struct request *r = job->prepared;
    uint32_t endpoint = (uint32_t)(p->number * 2654435761U % ENDPOINTS);
    rw_copy(r->who.endpoint, sizeof(r->who.endpoint), &endpoint, sizeof(endpoint));
    rw_copy(r->beacon.id, sizeof(r->beacon.id), &p->number, sizeof(p->number));
    p->number += p->step;
    r->sent_ns = clock_ns(CLOCK_MONOTONIC);
    const struct api_sink sink = api_queue_sink(queue);
    must(sink.submit(sink.ctx, job, &err), &err);
}

static struct api_job *make_job(struct producer *p)
{
    struct api_job *job = http_inbox_job_new(p->inbox);
    struct request *r = rw_mem_new(sizeof(*r));
    if (job == NULL || r == NULL) { exit(1); }
    *r = (struct request){.who = {.tenant = "acme"},
                          .beacon = {.kind = BEACON_ALIVE,
                                     .ring = "broad",
                                     .cohort = {"debian-12", "x86_64", "yara-4.2"},
                                     .grade = "full",
                                     .trust = "ok"}};
    job->route = &beacons;
    job->prepared = r;
    job->prepared_drop = rw_mem_free;
    return job;
}

static void *produce(void *arg)
{
    struct producer *p = arg;
    size_t waiting = p->in_flight;
    for (size_t i = 0; i < p->in_flight; i++) {
        submit(p, make_job(p));
    }
    while (waiting > 0) {
        struct pollfd ready = {.fd = http_inbox_fd(p->inbox), .events = POLLIN};
        (void)poll(&ready, 1, -1);
        struct api_job *next = NULL;
        for (struct api_job *job = http_inbox_take(p->inbox); job != NULL; job = next) {
            next = job->next;
            const struct request *r = job->prepared;
            int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
            p->took_us[p->done++ % SAMPLES_MAX] = (uint32_t)((now_ns - r->sent_ns) / 1000);
            if (now_ns < end_ns) {
                submit(p, job);
            } else {
                http_inbox_job_free(job);
                waiting--;
            }
        }
    }
    return NULL;
}

/* --- the core --- */

static void run_batch(struct core *c, struct api_job *jobs, struct rw_wall now)
{
    struct rw_err err;
    must(store_begin(&c->store, &err), &err);
    for (const struct api_job *job = jobs; job != NULL; job = job->next) {
        const struct request *r = job->prepared;
        fleet_state_expect(c->fleet, r->who.endpoint);
    }
    for (struct api_job *job = jobs; job != NULL; job = job->next) {
        const struct request *r = job->prepared;
        bool repeat = false;
        must(fleet_state_beacon(c->fleet, &r->who, &r->beacon, now, &repeat, &err), &err);
        if (repeat) { exit(1); }
    }
    c->bytes += fleet_state_pending_bytes(c->fleet);
    must(fleet_state_flush(c->fleet, &err), &err);
    must(store_commit(&c->store, &err), &err);
    api_job_done_all(jobs);
    c->batches++;
}

static void fold(struct core *c)
{
    struct rw_err err;
    if (!c->folding && !fleet_state_fold_due(c->fleet)) { return; }
    must(store_begin(&c->store, &err), &err);
    must(fleet_state_fold(c->fleet, &c->folding, &err), &err);
    must(store_commit(&c->store, &err), &err);
    c->folds += !c->folding;
}

static void *commit(void *arg)
{
    struct core *c = arg;
    const struct rw_clock clock = rw_clock_system();
    int64_t tick_ns = clock_ns(CLOCK_MONOTONIC);
    int64_t used_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    while (!atomic_load(&over)) {
        struct api_job *jobs = api_queue_take(queue, WAIT_MS);
        if (jobs != NULL) { run_batch(c, jobs, rw_clock_wall(&clock)); }
        bool tick = clock_ns(CLOCK_MONOTONIC) - tick_ns >= 1000000000;
        if (tick) { tick_ns += 1000000000; }
        if (tick || c->folding) { fold(c); }
    }
    c->cpu_ns = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - used_ns);
    return NULL;
}

/* All endpoints are known before time is taken. */
static void fill(struct core *c)
{
    struct rw_err err;
    struct rw_wall now = {1700000000};
    struct fleet_who who = {.tenant = "acme"};
    must(store_begin(&c->store, &err), &err);
    for (uint32_t i = 0; i < ENDPOINTS; i++) {
        rw_copy(who.endpoint, sizeof(who.endpoint), &i, sizeof(i));
        must(fleet_state_enrol(c->fleet, &who, now, &err), &err);
    }
    must(fleet_state_flush(c->fleet, &err), &err);
    must(store_commit(&c->store, &err), &err);
    do {
        must(store_begin(&c->store, &err), &err);
        must(fleet_state_fold(c->fleet, &c->folding, &err), &err);
        must(store_commit(&c->store, &err), &err);
    } while (c->folding);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void report(const struct core *c, const struct producer *producers, double seconds,
                   double cpu_ns)
{
    static uint32_t all[PRODUCERS * SAMPLES_MAX];
    size_t done = 0;
    size_t n = 0;
    for (size_t i = 0; i < PRODUCERS; i++) {
        const struct producer *p = &producers[i];
        size_t have = p->done < SAMPLES_MAX ? p->done : SAMPLES_MAX;
        rw_copy(&all[n], sizeof(all) - n * sizeof(all[0]), p->took_us, have * sizeof(all[0]));
        n += have;
        done += p->done;
    }
    qsort(all, n, sizeof(all[0]), by_value);
    printf("{\"per_s\": %.0f, \"core_us\": %.3f, \"cpu_us\": %.3f, \"p50_us\": %u, \"p99_us\": %u, "
           "\"batch\": %.1f, \"batch_bytes\": %zu, \"folds\": %zu}\n",
           (double)done / seconds, c->cpu_ns / 1000 / (double)done, cpu_ns / 1000 / (double)done,
           all[n / 2], all[n * 99 / 100], (double)done / (double)c->batches, c->bytes / c->batches,
           c->folds);
}

static void open_store(const char *kind, const char *where, struct store *out)
{
    struct rw_err err;
    if (strcmp(kind, "durable") == 0) {
        must(__real_store_sqlite_open(where, out, &err), &err);
    } else if (strcmp(kind, "null") == 0) {
        must(store_sqlite_open(where, out, &err), &err);
    } else {
        must(store_pg_open(where, out, &err), &err);
    }
}

/* What the storage can do, without a fleet, a queue and anybody to answer. */
static void run_raw(const char *path, size_t bytes, int64_t seconds)
{
    struct rw_err err;
    struct store store;
    size_t done = 0;
    RW_AUTO(rw_buf) struct rw_buf batch = rw_buf_make(BATCH_BYTES_MAX);
    uint8_t *at = NULL;
    must(rw_buf_reserve(&batch, bytes, &at, &err), &err);
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(i * 2654435761U >> 13);
    }
    rw_buf_commit(&batch, bytes);
    must(__real_store_sqlite_open(path, &store, &err), &err);
    int64_t begin = clock_ns(CLOCK_MONOTONIC);
    int64_t used_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    while (clock_ns(CLOCK_MONOTONIC) - begin < seconds * 1000000000) {
        int64_t row = 0;
        must(store_begin(&store, &err), &err);
        must(store_journal_append(&store, rw_buf_span(&batch), &row, &err), &err);
        must(store_commit(&store, &err), &err);
        done++;
    }
    double took_s = (double)(clock_ns(CLOCK_MONOTONIC) - begin) / 1e9;
    used_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - used_ns;
    printf("{\"transactions_s\": %.0f, \"cpu_us\": %.1f}\n", (double)done / took_s,
           (double)used_ns / 1000 / (double)done);
    store_close(&store);
}

static void start(struct producer *p, size_t i, size_t in_flight)
{
    struct rw_err err;
    *p = (struct producer){.in_flight = in_flight / PRODUCERS, .number = 1 + i, .step = PRODUCERS};
    p->took_us = rw_mem_new_array(SAMPLES_MAX, sizeof(*p->took_us));
    must(http_inbox_new(&p->inbox, &err), &err);
    if (p->took_us == NULL || pthread_create(&p->thread, NULL, produce, p) != 0) { exit(1); }
}

int main(int argc, char **argv)
{
    struct rw_err err;
    struct core core = {.batches = 0};
    struct producer producers[PRODUCERS];
    int64_t in_flight = 0;
    int64_t seconds = 0;
    if (argc != 5) {
        (void)fprintf(stderr, "usage: store_bench durable|null|shared WHERE IN_FLIGHT SECONDS\n"
                              "       store_bench raw WHERE BATCH_BYTES SECONDS\n");
        return 2;
    }
    bool raw = strcmp(argv[1], "raw") == 0;
    must(rw_parse_i64(rw_span_str(argv[3]), PRODUCERS, raw ? BATCH_BYTES_MAX : IN_FLIGHT_MAX,
                      raw ? "BATCH_BYTES" : "IN_FLIGHT", &in_flight, &err),
         &err);
    must(rw_parse_i64(rw_span_str(argv[4]), 1, SECONDS_MAX, "SECONDS", &seconds, &err), &err);
    if (raw) {
        run_raw(argv[2], (size_t)in_flight, seconds);
        return 0;
    }
    open_store(argv[1], argv[2], &core.store);
    must(fleet_state_open(&core.store, &core.fleet, &err), &err);
    fill(&core);
    must(api_queue_new(IN_FLIGHT_MAX, 100, &queue, &err), &err);
    int64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
    int64_t used_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    end_ns = begin_ns + seconds * 1000000000;
    if (pthread_create(&core.thread, NULL, commit, &core) != 0) { return 1; }
    for (size_t i = 0; i < PRODUCERS; i++) {
        start(&producers[i], i, (size_t)in_flight);
    }
    for (size_t i = 0; i < PRODUCERS; i++) {
        (void)pthread_join(producers[i].thread, NULL);
    }
    double took_s = (double)(clock_ns(CLOCK_MONOTONIC) - begin_ns) / 1e9;
    atomic_store(&over, true);
    api_queue_wake(queue);
    (void)pthread_join(core.thread, NULL);
    report(&core, producers, took_s, (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - used_ns));
    for (size_t i = 0; i < PRODUCERS; i++) {
        rw_mem_free(producers[i].took_us);
        http_inbox_unref(producers[i].inbox);
    }
    api_queue_free(queue);
    fleet_state_drop(&core.fleet);
    store_close(&core.store);
    return 0;
}
