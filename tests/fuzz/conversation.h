/* conversation.h: a whole server in one thread: connection, HTTP, routes, tokens, core, fleet, rollouts and store are
 * the real ones; signer, publisher and box are played, and time is a number.
 *
 * memory   repository and HTTP worker live as long as the process; store, fleet and rollouts as long as an input
 * threads  one thread: it is client, worker and core in turn
 * source   docs/architecture.md 4, docs/server.md "Threads"
 */
#ifndef RINGWARD_FUZZ_CONVERSATION_H
#define RINGWARD_FUZZ_CONVERSATION_H

#include "common/base/log.h"
#include "common/base/num.h"
#include "server/api/api_aside.h"
#include "server/api/api_core.h"
#include "server/api/api_queue.h"
#include "server/api/api_routes.h"
#include "server/api/http_worker.h"
#include "server/report/audit_log.h"
#include "server/server_init.h"
#include "server/store/store_sqlite.h"
#include "tests/fuzz/folder.h"

#include <event2/event.h>
#include <sys/socket.h>

enum {
    WORLD_START = 2, /* U of the window law; one more exposed for each survivor */
    WORLD_RELEASES = 3,
    WORLD_RINGS = 2,
    WORLD_ENDPOINTS = 6, /* of each tenant */
    WORLD_REPLY_BYTES_MAX = 4 << 20,
    WORLD_EPOCH_S = 1800000000,
};

static const char world_policy[] =
    "{\"format\":1,\"rings\":[{\"name\":\"canary\",\"share\":\"10%\",\"bake\":\"30m\"},"
    "{\"name\":\"broad\",\"share\":\"rest\",\"bake\":\"40m\"}],"
    "\"classes\":{\"rules\":{\"min_bake\":{\"broad\":\"1h\"}}},"
    "\"window\":{\"confirm\":{\"start\":2,\"per_survivor_thousandths\":1000,\"deadline\":\"15m\","
    "\"probation\":\"10m\"},\"cohort\":{\"start\":2}},\"poll\":{\"rollout\":\"1m\"}}";
static const char *const world_rings[WORLD_RINGS] = {"canary", "broad"};
static const char *const world_tenants[] = {"acme", "initech"};

struct world_token {
    char text[HTTP_TOKEN_BYTES];
    enum api_auth level;
    int tenant;   /* of world_tenants; -1: none */
    int endpoint; /* of the tenant's; -1: none */
};

/* The first ones; behind them come those of the endpoints. */
enum { TOKEN_NONE, TOKEN_WRONG, TOKEN_ENROL, TOKEN_ADMIN = 8, TOKEN_ENDPOINTS = 12 };
enum { WORLD_TOKENS = TOKEN_ENDPOINTS + 2 * WORLD_ENDPOINTS };

static struct world {
    struct rw_wall now;
    struct store store;
    struct fleet_state *fleet;
    struct api_core core;
    struct http_auth *auth;
    struct api_trust *trust;
    struct api_queue *queue;
    struct release_index index;
    struct http_shared shared;
    struct http_worker worker;
    struct world_token tokens[WORLD_TOKENS];
    int repo;
    int staging;
    int client;   /* this end of the connection; -1: none */
    bool closing; /* the server said that the connection ends */
    struct rw_buf replies;
} world;

static inline void world_id(size_t tenant, size_t endpoint, uint8_t out[static API_ENDPOINT_BYTES])
{
    for (size_t i = 0; i < API_ENDPOINT_BYTES; i++) {
        out[i] = (uint8_t)(0x51 + 97 * tenant + 13 * endpoint + 29 * i * (tenant + 1));
    }
}

static inline void world_id_hex(size_t tenant, size_t endpoint, char out[static 33])
{
    uint8_t id[API_ENDPOINT_BYTES];
    world_id(tenant, endpoint, id);
    rw_hex_encode(out, 33, id, sizeof(id));
}

/* --- what is played --- */
static inline struct rw_wall world_wall(void *ctx)
{
    (void)ctx;
    return world.now;
}

static inline struct rw_mono world_mono(void *ctx)
{
    (void)ctx;
    return (struct rw_mono){(world.now.s - WORLD_EPOCH_S) * 1000};
}

static const struct rw_clock world_clock = {.wall = world_wall, .mono = world_mono};

static inline RW_RC world_point(void *ctx, const char *ring, const char *family, int64_t release,
                                bool hold, struct rw_err *err)
{
    (void)ctx;
    (void)ring;
    (void)family;
    (void)release;
    (void)hold;
    (void)err;
    RW_ASSERT(!world.store.in_transaction); /* effects come after the commit */
    return RW_OK;
}

static inline RW_RC world_sha256(void *ctx, const char *family, int64_t release,
                                 uint8_t out[static DIGEST_BYTES], struct rw_err *err)
{
    (void)ctx;
    if (strcmp(family, "yara") != 0 || release > WORLD_RELEASES) {
        return rw_fail(err, RW_E_NOT_FOUND, "not published");
    }
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        out[i] = (uint8_t)release;
    }
    return RW_OK;
}

static inline RW_RC world_info(void *ctx, const char *family, int64_t release,
                               char class_out[static RING_POLICY_NAME_BYTES],
                               struct rw_wall not_before[static RING_POLICY_RINGS_MAX],
                               struct rw_err *err)
{
    uint8_t unused[DIGEST_BYTES];
    RW_TRY(world_sha256(ctx, family, release, unused, err));
    (void)snprintf(class_out, RING_POLICY_NAME_BYTES, "rules");
    not_before[0] = world.now;
    not_before[1] = (struct rw_wall){world.now.s + 3600};
    return RW_OK;
}

static inline bool world_gone(void *ctx, const char *family, int64_t release)
{
    (void)ctx;
    return strcmp(family, "yara") != 0 || release > WORLD_RELEASES;
}

static inline RW_RC world_renew(void *ctx, struct rw_wall now, bool *signed_out, struct rw_err *err)
{
    (void)ctx;
    (void)now;
    (void)err;
    *signed_out = false;
    return RW_OK;
}

static inline RW_RC world_refuse_trust(void *ctx, const struct release_signer_trust *change,
                                       struct rw_err *err)
{
    (void)ctx;
    (void)change;
    return rw_fail(err, RW_E_POLICY, "the signer does not");
}

static inline RW_RC world_refuse_check(void *ctx, const struct release_check_job *job,
                                       struct rw_err *err)
{
    (void)ctx;
    (void)job;
    return rw_fail(err, RW_E_FULL, "the box is busy");
}

/* At once, on this thread: an input must always do the same. */
static inline RW_RC world_aside(void *ctx, struct api_job *job, struct rw_err *err)
{
    (void)ctx;
    (void)err;
    api_aside_run(job, world.queue);
    return RW_OK;
}

static inline RW_RC world_refuse_place(void *ctx, const struct release_place *payload,
                                       struct rw_err *err)
{
    (void)ctx;
    (void)payload;
    return rw_fail(err, RW_E_FULL, "the disk is full");
}

static inline RW_RC world_refuse_role(void *ctx, const char *family, struct rw_span envelope,
                                      struct rw_err *err)
{
    (void)ctx;
    (void)family;
    (void)envelope;
    return rw_fail(err, RW_E_BUSY, "the signer is away");
}

static inline RW_RC world_refuse_expedite(void *ctx, struct rw_span envelope, struct rw_err *err)
{
    return world_refuse_role(ctx, NULL, envelope, err);
}

static inline void world_counters(void *ctx, struct http_counters *out)
{
    (void)ctx;
    (void)out;
}

static inline size_t world_depth(void *ctx)
{
    (void)ctx;
    return 0;
}

/* --- once per process --- */
static inline void world_add_token(size_t at, const char *text, enum api_auth level, int tenant)
{
    struct world_token *t = &world.tokens[at];
    *t = (struct world_token){.level = level, .tenant = tenant, .endpoint = -1};
    (void)snprintf(t->text, sizeof(t->text), "%s", text);
}

static inline void world_make_tokens(void)
{
    static const uint8_t secret[HTTP_SECRET_BYTES] = {7};
    struct http_token table[TOKEN_ENDPOINTS];
    struct rw_err err;
    size_t count = 0;
    RW_ASSERT(rw_is_ok(http_auth_new(secret, &world.auth, &err)));
    world_add_token(TOKEN_NONE, "", API_AUTH_NONE, -1);
    world_add_token(TOKEN_WRONG, "rwo1.admin.wrong", API_AUTH_NONE, -1);
    world_add_token(TOKEN_ENROL, "rwj1.acme.a", API_AUTH_ENROL, 0);
    world_add_token(TOKEN_ENROL + 1, "rwj1.initech.b", API_AUTH_ENROL, 1);
    world_add_token(TOKEN_ENROL + 2, "rwj1.acme.once", API_AUTH_ENROL, 0);
    world_add_token(5, "rwo1.viewer.c", API_AUTH_VIEWER, -1);
    world_add_token(6, "rwo1.operator.d", API_AUTH_OPERATOR, -1);
    world_add_token(7, "rwo1.publisher.e", API_AUTH_PUBLISHER, -1);
    world_add_token(TOKEN_ADMIN, "rwo1.admin.f", API_AUTH_ADMIN, -1);
    world_add_token(9, "rwo1.viewera.g", API_AUTH_VIEWER, 0);
    world_add_token(10, "rwo1.operatorb.h", API_AUTH_OPERATOR, 1);
    world_add_token(11, "rwo1.operatora.i", API_AUTH_OPERATOR, 0);
    for (size_t i = TOKEN_ENROL; i < TOKEN_ENDPOINTS; i++) {
        const struct world_token *t = &world.tokens[i];
        struct http_token *row = &table[count++];
        *row = (struct http_token){.role = t->level, .once = i == TOKEN_ENROL + 2};
        RW_ASSERT(rw_is_ok(digest_sha256(rw_span_str(t->text), row->sha256, &err)));
        if (t->tenant >= 0) {
            (void)snprintf(row->tenant, sizeof(row->tenant), "%s", world_tenants[t->tenant]);
        }
        if (t->level >= API_AUTH_VIEWER) {
            (void)snprintf(row->name, sizeof(row->name), "person-%zu", i);
        }
    }
    RW_ASSERT(rw_is_ok(http_auth_set_tokens(world.auth, table, count, &err)));
    for (size_t i = TOKEN_ENDPOINTS; i < WORLD_TOKENS; i++) {
        struct world_token *t = &world.tokens[i];
        uint8_t id[API_ENDPOINT_BYTES];
        t->level = API_AUTH_ENDPOINT;
        t->tenant = (int)((i - TOKEN_ENDPOINTS) / WORLD_ENDPOINTS);
        t->endpoint = (int)((i - TOKEN_ENDPOINTS) % WORLD_ENDPOINTS);
        world_id((size_t)t->tenant, (size_t)t->endpoint, id);
        RW_ASSERT(rw_is_ok(http_auth_endpoint_token(world.auth, id, world_tenants[t->tenant],
                                                    world.now, t->text, &err)));
    }
}

static inline void world_make_worker(void)
{
    struct rw_err err;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const struct sockaddr any = {.sa_family = AF_UNIX}; /* the kernel picks a name; nobody calls */
    RW_ASSERT(bind(listener, &any, sizeof(any.sa_family)) == 0 && listen(listener, 1) == 0);
    struct http_settings *set = &world.shared.set;
    *set = (struct http_settings){.workers = 1,
                                  .repo_dir = world.repo,
                                  .sink = api_queue_sink(world.queue),
                                  .auth = world.auth,
                                  .limits = http_limits_default()};
    set->routes = api_routes(&set->route_count);
    /* Without limits: what an input does must not hang on the inputs before it. */
    RW_ASSERT(rw_is_ok(http_limit_new(&(struct http_limit_rates){0}, rw_clock_system(),
                                      &world.shared.limit, &err)));
    RW_ASSERT(rw_is_ok(http_worker_init(&world.worker, &world.shared, listener, &err)));
}

static inline void world_make(void)
{
    struct rw_err err;
    char dir[96];
    char part[128];
    static bool made;
    if (made) { return; }
    made = true;
    rw_log_setup("fuzz", (enum rw_log_level)(RW_LOG_ERROR + 1)); /* nothing */
    (void)fuzz_folder();
    world.client = -1;
    world.now.s = WORLD_EPOCH_S;
    world.replies = rw_buf_make(WORLD_REPLY_BYTES_MAX);
    (void)snprintf(dir, sizeof(dir), "%s/server", fuzz_folder_path);
    const struct server_init_settings settings = {
        .dir = dir, .policy = rw_span_str(world_policy), .now = world.now};
    RW_ASSERT(rw_is_ok(server_init(&settings, &err)));
    (void)snprintf(part, sizeof(part), "%s/repo", dir);
    RW_ASSERT(rw_is_ok(rw_dir_open(part, &world.repo, &err)));
    (void)snprintf(part, sizeof(part), "%s/staging", dir);
    RW_ASSERT(rw_is_ok(rw_dir_open(part, &world.staging, &err)));
    RW_ASSERT(rw_is_ok(api_trust_open(dir, "trust", &world.trust, &err)));
    RW_ASSERT(rw_is_ok(api_trust_refresh(world.trust, world.now, &err)));
    RW_ASSERT(rw_is_ok(api_queue_new(16, 100, &world.queue, &err)));
    world_make_tokens();
    world_make_worker();
}

/* --- once per input --- */
static inline void world_begin(void)
{
    struct rw_err err;
    world.now.s = WORLD_EPOCH_S;
    RW_ASSERT(rw_is_ok(store_sqlite_open(":memory:", &world.store, &err)));
    RW_ASSERT(rw_is_ok(fleet_state_open(&world.store, &world.fleet, &err)));
    world.core = (struct api_core){
        .store = &world.store,
        .fleet = world.fleet,
        .trust = world.trust,
        .auth = world.auth,
        .clock = world_clock,
        .started = world.now,
        .releases = {.store = &world.store,
                     .index = &world.index,
                     .staging_dir = world.staging,
                     .repo_dir = world.repo,
                     .clock = world_clock,
                     .publisher = {.place = world_refuse_place,
                                   .publish_role = world_refuse_role,
                                   .publish_expedite = world_refuse_expedite}},
        .outside = {.point = world_point,
                    .renew = world_renew,
                    .trust = world_refuse_trust,
                    .check = world_refuse_check,
                    .aside = world_aside,
                    .counters = world_counters,
                    .queue_depth = world_depth},
    };
    const struct rollout_run_effects effects = {.point = world_point,
                                                .release_info = world_info,
                                                .release_sha256 = world_sha256,
                                                .gone = world_gone};
    struct api_core *c = &world.core;
    RW_ASSERT(rw_is_ok(rollout_control_open(&world.store, &c->controls, &err)));
    RW_ASSERT(rw_is_ok(rollout_run_open(&world.store, world.fleet, api_trust_policy(world.trust),
                                        effects, &c->rollouts, &err)));
    c->signer_answers =
        true; /* as if it had just renewed: verifying the same metadata is most of the time */
    api_core_tick(c);
    RW_ASSERT(c->ticked);
}

static inline void world_end(void)
{
    http_conn_free_all(&world.worker);
    if (world.client >= 0) { (void)close(world.client); }
    world.client = -1;
    rw_buf_clear(&world.replies);
    api_core_end(&world.core);
    rollout_control_drop(&world.core.controls);
    clone_watch_drop(&world.core.shared);
    permit_memory_drop(&world.core.answers);
    release_index_drop(&world.index);
    fleet_state_drop(&world.fleet);
    store_close(&world.store);
    fuzz_folder_empty_at(world.staging);
}

/* --- the connection --- */
static inline void world_connect(void)
{
    int pair[2];
    const struct http_conn_peer peer = {.text = "unix"};
    http_conn_free_all(&world.worker);
    if (world.client >= 0) { (void)close(world.client); }
    rw_buf_clear(&world.replies);
    world.closing = false;
    RW_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    world.client = pair[0];
    http_conn_open(&world.worker, pair[1], &peer);
}

static inline bool world_read(void)
{
    struct rw_err err;
    uint8_t *at = NULL;
    RW_ASSERT(rw_is_ok(rw_buf_reserve(&world.replies, 65536, &at, &err)));
    ssize_t n = recv(world.client, at, 65536, 0);
    if (n > 0) { rw_buf_commit(&world.replies, (size_t)n); }
    return n > 0;
}

/* Worker, core and client take turns until nothing moves any more. */
static inline void world_pump(void)
{
    for (int still = 0; still < 3; still++) {
        (void)event_base_loop(world.worker.base, EVLOOP_NONBLOCK);
        struct api_job *jobs = api_queue_take(world.queue, 0);
        if (jobs != NULL) {
            api_core_run(&world.core, jobs);
            RW_ASSERT(!world.store.in_transaction);
            still = -1;
        }
        if (world_read()) { still = -1; }
    }
}

static inline void world_send(struct rw_span bytes)
{
    if (world.client < 0 || world.closing || world.worker.open == 0) { world_connect(); }
    while (bytes.n > 0) {
        ssize_t n = send(world.client, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n <= 0) { return; } /* the server has closed, or wants no more of it */
        bytes = rw_span_of(bytes.p + n, bytes.n - (size_t)n);
        world_pump();
    }
}

#endif
