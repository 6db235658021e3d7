#include "server/api/http_server.h"

#include "common/base/file.h"
#include "common/base/log.h"
#include "server/api/http_route.h"
#include "server/api/http_tls.h"
#include "server/api/http_worker.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    DESCRIPTOR_RESERVE = 256, /* files, store, children */
    CONNECTIONS_DEFAULT_MAX = 262144,
};

struct http_server {
    struct http_shared shared;
    struct http_worker *workers;
    unsigned worker_count; /* of those that were initialised */
};

struct http_limits http_limits_default(void)
{
    struct rlimit files = {.rlim_cur = 1024};
    (void)getrlimit(RLIMIT_NOFILE, &files);
    rlim_t most = files.rlim_cur / 2;
    if (most > DESCRIPTOR_RESERVE) { most = files.rlim_cur - DESCRIPTOR_RESERVE; }
    if (most > CONNECTIONS_DEFAULT_MAX) { most = CONNECTIONS_DEFAULT_MAX; }
    struct http_limits limits = {.tick_ms = 1000,
                                 .head_ms = 10000,
                                 .body_ms = 10000,
                                 .idle_ms = 75000,
                                 .stall_ms = 30000,
                                 .drain_ms = 30000,
                                 .connections_max = (unsigned)most,
                                 .per_address_max = 64,
                                 .requests_per_conn = 1000,
                                 .rates = {.endpoint_per_s = 20,
                                           .operator_per_s = 50,
                                           .address_per_s = 50,
                                           .burst_ms = 60000,
                                           .connect_per_s = 200,
                                           .connect_burst = 1024}};
    struct rw_err unused;
    RW_ASSERT(rw_is_ok(http_networks_parse(HTTP_NETWORKS_LOOPBACK, &limits.connect_free, &unused)));
    return limits;
}

static RW_RC check_settings(const struct http_settings *s, struct rw_err *err)
{
    const struct http_limits *l = &s->limits;
    if (s->workers < 1 || s->workers > HTTP_WORKERS_MAX) {
        return rw_fail(err, RW_E_CONFIG, "%u workers, 1 to %d are possible", s->workers,
                       HTTP_WORKERS_MAX);
    }
    if (l->tick_ms < 1 || l->head_ms < 1 || l->body_ms < 1 || l->idle_ms < 1 || l->stall_ms < 1 ||
        l->drain_ms < 0 || l->connections_max < 1 || l->requests_per_conn < 1) {
        return rw_fail(err, RW_E_CONFIG, "a limit of the HTTP server is zero or negative");
    }
    if ((s->cert_file == NULL) != (s->key_file == NULL)) {
        return rw_fail(err, RW_E_CONFIG, "certificate and private key belong together");
    }
    return http_route_check(s->routes, s->route_count, s->auth != NULL, err);
}

static void on_libevent_log(int severity, const char *text)
{
    rw_log(severity >= EVENT_LOG_WARN ? RW_LOG_WARN : RW_LOG_DEBUG, "libevent", "text", text);
}

static void setup_libevent(void)
{
    event_set_log_callback(on_libevent_log);
}

/* TCP: a socket per worker, so that the kernel spreads connections. Local or handed over: one socket, shared. */
static RW_RC listen_socket(struct http_server *s, int first, int *fd_out, struct rw_err *err)
{
    if (s->shared.listen.inherited) {
        return http_listen_share(s->shared.set.listen_fd, fd_out, err);
    }
    if (first >= 0 && s->shared.listen.local) { return http_listen_share(first, fd_out, err); }
    return http_listen_bind(&s->shared.listen, fd_out, err);
}

static RW_RC init_workers(struct http_server *s, struct rw_err *err)
{
    RW_AUTO(rw_fd) int first = -1; /* kept until all have theirs */
    if (!s->shared.listen.inherited) { RW_TRY(http_listen_claim(&s->shared.listen, err)); }
    for (unsigned i = 0; i < s->shared.set.workers; i++) {
        int fd = -1;
        RW_TRY(listen_socket(s, first, &fd, err));
        if (i == 0) { first = fcntl(fd, F_DUPFD_CLOEXEC, 0); }
        struct rw_rc rc = http_worker_init(&s->workers[i], &s->shared, fd, err);
        s->worker_count = i + 1;
        RW_TRY(rc);
    }
    return RW_OK;
}

/* Signals are the main thread's; and a write to a closed socket must be an error, not the end of the process:
 * SIGPIPE goes to the thread that writes, so blocking it there is enough. */
static RW_RC start_workers(struct http_server *s, struct rw_err *err)
{
    sigset_t all;
    sigset_t before;
    struct rw_rc rc = RW_OK;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 0; i < s->worker_count && rw_is_ok(rc); i++) {
        rc = http_worker_start(&s->workers[i], err);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static RW_RC open_all(struct http_server *s, struct rw_err *err)
{
    const struct http_settings *set = &s->shared.set;
    RW_TRY(check_settings(set, err));
    if (set->listen_fd > 0) {
        RW_TRY(http_listen_adopt(set->listen_fd, &s->shared.listen, err));
    } else {
        RW_TRY(http_listen_parse(set->listen, &s->shared.listen, err));
    }
    if (s->shared.listen.local && set->cert_file != NULL) {
        RW_IGNORE(rw_fail(err, RW_E_CONFIG, "a local socket is served without TLS"), "hint next");
        return rw_hint(err, "leave certificate and key out, the proxy has them");
    }
    if (set->cert_file != NULL) {
        RW_TRY(http_tls_open(set->cert_file, set->key_file, &s->shared.tls, err));
    }
    RW_TRY(http_peers_new(set->limits.connections_max, set->limits.per_address_max,
                          &s->shared.peers, err));
    RW_TRY(http_limit_new(&set->limits.rates, rw_clock_system(), &s->shared.limit, err));
    s->workers = rw_mem_new_array(set->workers, sizeof(*s->workers));
    if (s->workers == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the workers"); }
    RW_TRY(init_workers(s, err));
    return start_workers(s, err);
}

RW_RC http_server_start(const struct http_settings *settings, struct http_server **out,
                        struct rw_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, setup_libevent);
    struct http_server *s = rw_mem_new(sizeof(*s));
    if (s == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the HTTP server"); }
    s->shared.set = *settings;
    (void)pthread_mutex_init(&s->shared.tls_lock, NULL); /* cannot fail on Linux */
    struct rw_rc rc = open_all(s, err);
    if (!rw_is_ok(rc)) {
        s->shared.set.limits.drain_ms = 0;
        http_server_stop(s);
        return rc;
    }
    *out = s;
    return RW_OK;
}

unsigned http_server_port(const struct http_server *server)
{
    return http_listen_port(&server->shared.listen);
}

static uint64_t value_of(const atomic_ullong *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

RW_RC http_server_reload_tls(struct http_server *server, const char *cert_file,
                             const char *key_file, struct rw_err *err)
{
    struct http_shared *shared = &server->shared;
    struct ssl_ctx_st *fresh = NULL;
    if (shared->set.cert_file == NULL) { return RW_OK; }
    RW_TRY(http_tls_open(cert_file, key_file, &fresh, err));
    (void)pthread_mutex_lock(&shared->tls_lock);
    struct ssl_ctx_st *old = shared->tls;
    shared->tls = fresh;
    (void)pthread_mutex_unlock(&shared->tls_lock);
    http_tls_drop(&old); /* it goes with the last connection that has it */
    return RW_OK;
}

bool http_server_certificate(const struct http_server *server, struct rw_wall *from_out,
                             struct rw_wall *until_out)
{
    struct rw_err err;
    return server->shared.tls != NULL &&
           rw_is_ok(http_tls_validity(server->shared.tls, from_out, until_out, &err));
}

void http_server_counters(const struct http_server *server, struct http_counters *out)
{
    *out = (struct http_counters){.accepted = 0};
    for (unsigned i = 0; i < server->worker_count; i++) {
        const struct http_tally *t = &server->workers[i].tally;
        out->accepted += value_of(&t->accepted);
        out->open += value_of(&t->open);
        out->turned_away += value_of(&t->turned_away);
        out->requests += value_of(&t->requests);
        out->refused += value_of(&t->refused);
        out->cut += value_of(&t->cut);
        for (size_t k = 0; k < RW_LEN(out->replies); k++) {
            out->replies[k] += value_of(&t->replies[k]);
        }
    }
    http_limit_counts(server->shared.limit, out->limited);
}

static void wake_all(struct http_server *s)
{
    for (unsigned i = 0; i < s->worker_count; i++) {
        if (s->workers[i].running) { http_worker_wake(&s->workers[i]); }
    }
}

void http_server_drain(struct http_server *server)
{
    atomic_store(&server->shared.drain, true);
    wake_all(server);
}

void http_server_stop(struct http_server *server)
{
    const struct rw_clock clock = rw_clock_system();
    atomic_store(&server->shared.stop_by_ms,
                 rw_clock_mono(&clock).ms + server->shared.set.limits.drain_ms);
    http_server_drain(server);
    atomic_store(&server->shared.stop, true);
    wake_all(server);
    for (unsigned i = 0; i < server->worker_count; i++) {
        http_worker_join(&server->workers[i]);
        http_worker_drop(&server->workers[i]);
    }
    if (server->worker_count > 0) { http_listen_remove(&server->shared.listen); }
    rw_mem_free(server->workers);
    http_peers_free(server->shared.peers);
    http_limit_free(server->shared.limit);
    http_tls_drop(&server->shared.tls);
    (void)pthread_mutex_destroy(&server->shared.tls_lock);
    rw_mem_free(server);
}
