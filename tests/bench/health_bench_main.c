/* health_bench: what a beacon costs in the health code, and a decision over all rings and cohorts.
 *
 * Usage: health_bench [ROUNDS]     (scripts/bench health)
 * All variants take turns, round by round, so that what the machine does meanwhile hits them alike; medians are shown.
 * Beside them, in the same rounds: one atomic increment, and the same decision from counts that are made anew by
 * walking all endpoints. Allocations are those of this program's own code (malloc, calloc, realloc are wrapped),
 * counted one by one behind some rounds that let buffers reach their size: the journal's batch grows with the first. */
#include "common/base/num.h"
#include "server/health/fleet_outcome_rule.h"
#include "server/health/fleet_permit.h"
#include "server/health/health_rule.h"
#include "server/health/late_rule.h"
#include "server/store/store_sqlite.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    ROUNDS_DEFAULT = 101,
    ROUNDS_MAX = 400,
    BATCH = 200, /* beacons per round and kind */
    RINGS = 4,
    COHORTS = 64,
    SCOPES = RINGS * (1 + COHORTS),
    WALKED = 100000, /* endpoints of the decision that counts anew */
    DEADLINE_S = 900,
    START_S = 1700000000,
    VARIANTS = 7,
    BEACONS_FROM = 2, /* variants that are beacons */
    BEACONS_TO = 4,
    WARM_ROUNDS = 3,
};

static struct rw_err err;
static size_t allocations;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
    allocations++;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    allocations++;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    allocations++;
    return __real_realloc(p, n);
}

static void must(struct rw_rc rc)
{
    if (rw_is_ok(rc)) { return; }
    (void)fprintf(stderr, "health_bench: %s\n", err.text);
    exit(1);
}

static double now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* --- the fleet --- */

struct world {
    struct store store;
    struct fleet_state *fleet;
    struct rw_wall now;
    uint32_t next; /* number of the next endpoint */
    uint64_t beacon;
};

static const char *const rings[RINGS] = {"internal", "canary", "early", "broad"};

static struct fleet_who who(uint32_t number)
{
    struct fleet_who w = {.tenant = "acme"};
    rw_copy(w.endpoint, sizeof(w.endpoint), &number, sizeof(number));
    return w;
}

static struct beacon_cohort cohort_of(uint32_t number)
{
    struct beacon_cohort c = {.arch = "x86_64", .engine = "yara-4.2"};
    (void)snprintf(c.os, sizeof(c.os), "os-%u", (unsigned)(number % COHORTS));
    return c;
}

static struct beacon beacon_of(struct world *w, uint32_t number, enum beacon_kind kind)
{
    struct beacon b = {
        .kind = kind, .family = "yara", .release = 1, .cohort = cohort_of(number), .trust = "ok"};
    uint64_t id = ++w->beacon;
    rw_copy(b.id, sizeof(b.id), &id, sizeof(id));
    (void)snprintf(b.ring, sizeof(b.ring), "%s", rings[number % RINGS]);
    b.sha256[0] = 1;
    return b;
}

static void begin(struct world *w)
{
    static const uint8_t sha256[BEACON_HASH_BYTES] = {1};
    *w = (struct world){.now = {START_S}};
    must(store_sqlite_open(":memory:", &w->store, &err));
    must(fleet_state_open(&w->store, &w->fleet, &err));
    for (size_t i = 0; i < RINGS; i++) {
        must(fleet_state_know_ring(w->fleet, rings[i], &err));
    }
    const struct fleet_watch watch = {.family = "yara",
                                      .release = 1,
                                      .sha256 = sha256,
                                      .now = w->now,
                                      .window_s = DEADLINE_S,
                                      .after_s = 7200};
    must(fleet_state_watch(w->fleet, &watch, &err));
}

static void flush(struct world *w)
{
    must(store_begin(&w->store, &err));
    must(fleet_state_flush(w->fleet, &err));
    must(store_commit(&w->store, &err));
}

/* A batch of endpoints with a permit; gives the number of the first. */
static uint32_t permitted(struct world *w)
{
    uint32_t first = w->next;
    for (uint32_t i = 0; i < BATCH; i++) {
        struct fleet_who me = who(first + i);
        struct beacon_permit_request q = {
            .family = "yara", .release = 1, .cohort = cohort_of(first + i)};
        uint64_t number = 0;
        (void)snprintf(q.ring, sizeof(q.ring), "%s", rings[(first + i) % RINGS]);
        q.sha256[0] = 1;
        const struct fleet_ask ask = {
            .who = &me, .request = &q, .now = w->now, .deadline_s = DEADLINE_S};
        must(fleet_state_permit_grant(w->fleet, &ask, &number, &err));
    }
    w->next += BATCH;
    flush(w);
    return first;
}

struct measured {
    double ns;          /* each */
    double allocations; /* in all */
};

/* The same kind of beacon from each endpoint of a batch. */
static struct measured beacons(struct world *w, uint32_t first, enum beacon_kind kind)
{
    static struct beacon list[BATCH];
    static struct fleet_who from[BATCH];
    bool duplicate = false;
    for (uint32_t i = 0; i < BATCH; i++) {
        list[i] = beacon_of(w, first + i, kind);
        from[i] = who(first + i);
    }
    size_t before = allocations;
    double start = now_ns();
    for (size_t i = 0; i < BATCH; i++) {
        must(fleet_state_beacon(w->fleet, &from[i], &list[i], w->now, &duplicate, &err));
    }
    double ns = now_ns() - start;
    double made = (double)(allocations - before);
    flush(w);
    return (struct measured){ns / BATCH, made};
}

static struct measured increments(void)
{
    static atomic_uint_fast64_t counter;
    double start = now_ns();
    for (size_t i = 0; i < (size_t)BATCH * 100; i++) {
        (void)atomic_fetch_add(&counter, 1);
    }
    return (struct measured){(now_ns() - start) / (BATCH * 100.0), 0};
}

/* What the rule alone counts for a healthy beacon: the marks, and the counts of cohort, ring and tenant. */
static struct measured counting(void)
{
    static struct fleet_counts scopes[3];
    static unsigned marks[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        marks[i] = fleet_outcome_rule_next(0, FLEET_ON_PERMIT);
    }
    double start = now_ns();
    for (size_t i = 0; i < BATCH; i++) {
        unsigned next = fleet_outcome_rule_next(marks[i], FLEET_ON_HEALTHY);
        for (size_t s = 0; s < RW_LEN(scopes); s++) {
            fleet_outcome_rule_tally(&scopes[s], marks[i], -1);
            fleet_outcome_rule_tally(&scopes[s], next, 1);
        }
        marks[i] = next;
    }
    return (struct measured){(now_ns() - start) / BATCH, 0};
}

/* --- decisions --- */

struct scopes {
    struct health_rule_counts counts[RINGS][1 + COHORTS];
};

static double volatile sink; /* keeps the compiler from leaving decisions out */

static void decide(const struct scopes *s)
{
    const struct health_rule_norm norm = health_rule_cold_start();
    const struct late_rule late = {0};
    double sum = 0;
    for (size_t r = 0; r < RINGS; r++) {
        for (size_t c = 0; c <= COHORTS; c++) {
            sum += health_rule_scope(&norm, &s->counts[r][c], &late).log_e;
        }
    }
    sink = sum;
}

/* By the counts that every permit and beacon keeps up to date. */
static struct measured decide_kept(const struct world *w)
{
    static struct scopes s;
    size_t before = allocations;
    double start = now_ns();
    for (uint32_t r = 0; r < RINGS; r++) {
        for (uint32_t c = 0; c <= COHORTS; c++) {
            struct beacon_cohort cohort = cohort_of(c);
            struct fleet_counts n =
                fleet_state_counts(w->fleet, "yara", 1, rings[r], c == COHORTS ? NULL : &cohort);
            s.counts[r][c] = (struct health_rule_counts){.exposed = n.exposed,
                                                         .failed = n.failed,
                                                         .refused = n.refused,
                                                         .refused_free = n.refused_free,
                                                         .storm = n.storm,
                                                         .slow = n.slow,
                                                         .mute = n.mute};
        }
    }
    decide(&s);
    return (struct measured){now_ns() - start, (double)(allocations - before)};
}

struct walked {
    uint8_t ring, cohort;
    bool exposed, failed, refused;
};

/* Counted anew in one walk over an array of all endpoints: what no counts at all would cost. */
static struct measured decide_walked(const struct walked *all)
{
    static struct scopes s;
    double start = now_ns();
    s = (struct scopes){0};
    for (size_t i = 0; i < WALKED; i++) {
        const struct walked *e = &all[i];
        struct health_rule_counts *two[] = {&s.counts[e->ring][e->cohort],
                                            &s.counts[e->ring][COHORTS]};
        for (size_t k = 0; k < 2; k++) {
            two[k]->exposed += e->exposed;
            two[k]->failed += e->failed;
            two[k]->refused += e->refused;
        }
    }
    decide(&s);
    return (struct measured){now_ns() - start, 0};
}

/* --- report --- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof(values[0]), by_value);
    return values[n / 2];
}

static double times[VARIANTS][ROUNDS_MAX];
static double made[VARIANTS];
static const char *const names[VARIANTS] = {
    "atomic increment (peer)",
    "the rule's own counting of a healthy beacon",
    "beacon: healthy",
    "beacon: failed",
    "beacon: alive, nothing new",
    "decision, 4 rings x 65 scopes",
    "the same, counted anew over 100,000 (peer)",
};

static void print(size_t rounds)
{
    double peer = median(times[0], rounds);
    printf("%-44s %12s %10s %12s\n", "", "median ns", "x peer", "allocations");
    for (size_t v = 0; v < VARIANTS; v++) {
        double ns = v == 0 ? peer : median(times[v], rounds);
        double of = v <= BEACONS_TO ? peer : median(times[VARIANTS - 1], rounds);
        printf("%-44s %12.1f %10.2f %12.0f\n", names[v], ns, ns / of, made[v]);
    }
    printf("%zu rounds; beacons: %d per round and kind; allocations are those of all rounds\n",
           rounds, BATCH);
    double in_all = 0;
    for (size_t v = BEACONS_FROM; v <= BEACONS_TO; v++) {
        in_all += made[v];
    }
    printf("aim: a beacon costs integer increments and no allocation\n"
           "%s: %.0f allocations in %zu beacons; a healthy one takes %.1f ns, %.1f of it the "
           "rule's own counting\n",
           in_all > 0 ? "MISSED" : "kept", in_all, rounds * BATCH * (BEACONS_TO - BEACONS_FROM + 1),
           median(times[2], rounds), median(times[1], rounds));
}

static void run(size_t rounds)
{
    static struct world w;
    struct walked *all = rw_mem_new_array(WALKED, sizeof(*all));
    if (all == NULL) { exit(1); }
    for (size_t i = 0; i < WALKED; i++) {
        all[i] = (struct walked){.ring = (uint8_t)(i % RINGS),
                                 .cohort = (uint8_t)(i / RINGS % COHORTS),
                                 .exposed = i % 3 == 0,
                                 .failed = i % 10007 == 0};
    }
    begin(&w);
    for (size_t i = 0; i < WARM_ROUNDS + rounds; i++) {
        uint32_t good = permitted(&w);
        uint32_t bad = permitted(&w);
        const struct measured m[VARIANTS] = {increments(),
                                             counting(),
                                             beacons(&w, good, BEACON_HEALTHY),
                                             beacons(&w, bad, BEACON_FAILED),
                                             beacons(&w, good, BEACON_ALIVE),
                                             decide_kept(&w),
                                             decide_walked(all)};
        for (size_t v = 0; v < VARIANTS && i >= WARM_ROUNDS; v++) {
            times[v][i - WARM_ROUNDS] = m[v].ns;
            made[v] += m[v].allocations;
        }
    }
    print(rounds);
    fleet_state_drop(&w.fleet);
    store_close(&w.store);
    rw_mem_free(all);
}

int main(int argc, char **argv)
{
    int64_t rounds = ROUNDS_DEFAULT;
    if (argc > 1) {
        must(rw_parse_i64(rw_span_str(argv[1]), 3, ROUNDS_MAX, "ROUNDS", &rounds, &err));
    }
    run((size_t)rounds);
    return 0;
}
