#include "server/serve.h"

#include "common/base/cgroup_leaf.h"
#include "common/base/file.h"
#include "common/base/notify.h"
#include "common/base/num.h"
#include "common/base/opt.h"
#include "common/base/version.h"
#include "server/api/api_routes.h"
#include "server/api/api_token.h"
#include "server/release/release_signer.h"
#include "server/server_certificate.h"
#include "server/server_conf.h"
#include "server/server_core.h"
#include "server/server_node.h"
#include "server/server_notify.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { READY_FD_MAX = 1023 };

struct options {
    const char *dir;
    const char *listen;
    const char *port_file;
    const char *node;
    const char *store;
    int64_t ready_fd; /* -1: none */
};

struct serve {
    struct server_conf conf;
    struct store store;
    struct fleet_state *fleet;
    struct http_auth *auth;
    struct release_signer *signer;
    struct api_trust *trust;
    struct api_queue *queue;
    struct server_check *check;
    struct server_core *core;
    struct http_server *http; /* the main thread's */
    pthread_mutex_t counters_lock;
    struct http_server *counted; /* what metrics count; NULL before the start and in the stop */
    struct api_node node;
    struct api_core api;
    struct webhook *webhook;
    atomic_bool told; /* a webhook's thread has a result */
    int staging_dir;
    int repo_dir;
    int lock; /* held for the life of the process */
};

/* --- what the core needs from outside --- */

static RW_RC point(void *ctx, const char *ring, const char *family, int64_t release, bool hold,
                   struct rw_err *err)
{
    struct serve *s = ctx;
    return release_signer_point(s->signer, ring, family, release, hold, err);
}

static RW_RC renew(void *ctx, struct rw_wall now, bool *signed_out, struct rw_err *err)
{
    struct serve *s = ctx;
    return release_signer_renew(s->signer, now, signed_out, err);
}

static bool signer_lost(void *ctx)
{
    struct serve *s = ctx;
    return release_signer_lost(s->signer);
}

static void leave_signer(void *ctx)
{
    struct serve *s = ctx;
    release_signer_leave(s->signer);
}

static RW_RC trust(void *ctx, const struct release_signer_trust *change, struct rw_err *err)
{
    struct serve *s = ctx;
    return release_signer_trust(s->signer, change, err);
}

static RW_RC check(void *ctx, const struct release_check_job *job, struct rw_err *err)
{
    struct serve *s = ctx;
    return server_check_submit(s->check, job, err);
}

static void counters(void *ctx, struct http_counters *out)
{
    struct serve *s = ctx;
    (void)pthread_mutex_lock(&s->counters_lock);
    if (s->counted != NULL) { http_server_counters(s->counted, out); }
    (void)pthread_mutex_unlock(&s->counters_lock);
}

static void count(struct serve *s, struct http_server *http)
{
    (void)pthread_mutex_lock(&s->counters_lock);
    s->counted = http;
    (void)pthread_mutex_unlock(&s->counters_lock);
}

static size_t queue_depth(void *ctx)
{
    struct serve *s = ctx;
    return api_queue_depth(s->queue);
}

static void tell(void *ctx)
{
    struct serve *s = ctx;
    atomic_store(&s->told, true);
    api_queue_wake(s->queue);
}

static bool told(void *ctx)
{
    struct serve *s = ctx;
    return atomic_exchange(&s->told, false);
}

static void wake(void *ctx)
{
    struct serve *s = ctx;
    api_queue_wake(s->queue);
}

/* --- opening --- */

static bool shares_store(const struct serve *s)
{
    return server_node_shares(&s->conf);
}

static RW_RC open_auth(struct serve *s, const char *dir, struct rw_err *err)
{
    char path[SERVER_CONF_PATH_BYTES];
    RW_AUTO(rw_buf) struct rw_buf secret = rw_buf_make(HTTP_SECRET_BYTES);
    RW_TRY(server_conf_path(dir, "secret", path, err));
    RW_TRY(rw_file_read(path, HTTP_SECRET_BYTES, &secret, err));
    if (secret.n != HTTP_SECRET_BYTES) {
        return rw_fail(err, RW_E_CONFIG, "%s: %zu bytes, want %d", path, secret.n,
                       HTTP_SECRET_BYTES);
    }
    struct rw_rc rc = http_auth_new(secret.p, &s->auth, err);
    rw_wipe(secret.p, secret.n);
    RW_TRY(rc);
    struct token_rule_life life = {.life_s = s->conf.endpoint_token_life_ms / 1000,
                                   .overlap_s = s->conf.endpoint_token_overlap_ms / 1000};
    if (s->conf.endpoint_tokens_since[0] != '\0') {
        RW_TRY(rw_wall_parse(rw_span_str(s->conf.endpoint_tokens_since), "endpoint_tokens_since",
                             &life.since, err));
    }
    http_auth_set_life(s->auth, &life, rw_clock_system());
    return RW_OK;
}

static RW_RC open_store(struct serve *s, const char *dir, struct rw_err *err)
{
    size_t tokens = 0;
    RW_TRY(server_conf_store(&s->conf, dir, &s->store, err));
    const struct rw_clock clock = rw_clock_system();
    RW_TRY(api_token_load(&s->store, s->auth, rw_clock_wall(&clock), &tokens, err));
    if (tokens == 0) {
        rw_log(RW_LOG_WARN, "no_tokens", "hint", "ringward-server token makes one");
    }
    return RW_OK;
}

static RW_RC open_signer(struct serve *s, const char *dir, struct rw_err *err)
{
    char program[SERVER_CONF_PATH_BYTES];
    char keys[SERVER_CONF_PATH_BYTES];
    char repo[SERVER_CONF_PATH_BYTES];
    char staging[SERVER_CONF_PATH_BYTES];
    char lock[SERVER_CONF_PATH_BYTES];
    RW_TRY(server_conf_path(dir, "controller.lock", lock, err));
    RW_TRY(server_conf_path(dir, "signer", keys, err));
    RW_TRY(server_conf_path(dir, "repo", repo, err));
    RW_TRY(server_conf_path(dir, "staging", staging, err));
    RW_TRY(rw_dir_open(repo, &s->repo_dir, err));
    RW_TRY(rw_dir_open(staging, &s->staging_dir, err));
    if (s->conf.signer[0] != '\0') {
        RW_TRY(
            rw_span_to_str(program, sizeof(program), rw_span_str(s->conf.signer), "signer", err));
    } else {
        RW_TRY(server_conf_program("", "ringward-signer", program, err));
    }
    const struct release_signer_settings settings = {.program = program,
                                                     .key_dir = keys,
                                                     .repo_dir = repo,
                                                     .socket = s->conf.signer_socket,
                                                     .staging_dir = s->staging_dir,
                                                     .lock = shares_store(s) ? lock : NULL};
    return release_signer_start(&settings, &s->signer, err);
}

/* A missing box refuses nothing by itself: every check will fail and say so. Told now, not with the first release. */
static void warn_without_box(const struct serve *s)
{
    char box[SERVER_CONF_PATH_BYTES] = "";
    struct rw_err err;
    if (rw_is_ok(server_conf_program(s->conf.box_dir, "ringward-box", box, &err)) &&
        access(box, X_OK) == 0) {
        return;
    }
    rw_log(RW_LOG_WARN, "no_box", "path", box);
}

/* The signer renews first: after a long stop the server's own metadata would be expired otherwise. */
static RW_RC open_trust(struct serve *s, const char *dir, struct rw_err *err)
{
    struct rw_clock clock = rw_clock_system();
    struct rw_wall now = rw_clock_wall(&clock);
    struct rw_err first;
    bool flag = false;
    char view[SERVER_CONF_NODE_BYTES + 16] = "trust"; /* each node verifies for itself */
    if (shares_store(s)) { (void)snprintf(view, sizeof(view), "trust-%s", s->conf.node); }
    RW_TRY(api_trust_open(dir, view, &s->trust, err));
    if (shares_store(s) && rw_is_ok(api_trust_refresh(s->trust, now, &flag, &first))) {
        return RW_OK; /* the controller sees to it */
    }
    if (!rw_is_ok(release_signer_renew(s->signer, now, &flag, &first))) {
        struct rw_log_line l;
        rw_log_begin(&l, RW_LOG_ERROR, "signer");
        rw_log_err(&l, &first);
        rw_log_end(&l);
    }
    release_signer_leave(s->signer); /* of several nodes the controller takes it again */
    return api_trust_refresh(s->trust, now, &flag, err);
}

/* After the queue, which their threads wake. */
static RW_RC open_webhooks(struct serve *s, const char *dir, struct rw_err *err)
{
    char folder[SERVER_CONF_PATH_BYTES];
    struct webhook_conf *conf = rw_mem_new(sizeof(*conf));
    if (conf == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for webhooks"); }
    struct rw_rc rc = server_conf_path(dir, "webhooks", folder, err);
    if (rw_is_ok(rc)) { rc = webhook_conf_load(folder, conf, err); }
    const struct webhook_settings settings = {
        .store = &s->store, .conf = conf, .wake = tell, .ctx = s};
    if (rw_is_ok(rc) && conf->count > 0) { rc = webhook_open(&settings, &s->webhook, err); }
    webhook_conf_wipe(conf);
    rw_mem_free(conf);
    s->api.webhook = s->webhook;
    return rc;
}

static RW_RC open_core(struct serve *s, const char *dir, struct rw_err *err)
{
    char staging[SERVER_CONF_PATH_BYTES];
    struct rw_clock clock = rw_clock_system();
    s->api = (struct api_core){
        .store = &s->store,
        .node = shares_store(s) ? &s->node : NULL,
        .releases = {.store = &s->store,
                     .staging_dir = s->staging_dir,
                     .repo_dir = s->repo_dir,
                     .clock = clock,
                     .publisher = {.publish = release_signer_publish,
                                   .publish_role = release_signer_publish_role,
                                   .publish_expedite = release_signer_publish_expedite,
                                   .ctx = s->signer}},
        .trust = s->trust,
        .auth = s->auth,
        .outside = {.point = point,
                    .renew = renew,
                    .trust = trust,
                    .check = check,
                    .counters = counters,
                    .queue_depth = queue_depth,
                    .ctx = s},
        .clock = clock,
        .started = rw_clock_wall(&clock),
    };
    RW_TRY(api_node_begin(&s->api, err));
    RW_TRY(fleet_state_open(&s->store, &s->fleet, err));
    s->api.fleet = s->fleet;
    RW_TRY(rollout_control_open(&s->store, &s->api.controls, err));
    RW_TRY(api_core_begin(&s->api, err));
    RW_TRY(api_queue_new((size_t)s->conf.queue, &s->queue, err));
    RW_TRY(open_webhooks(s, dir, err));
    RW_TRY(server_conf_path(dir, "staging", staging, err));
    const struct server_check_settings checks = {.staging_dir = staging,
                                                 .box_dir = s->conf.box_dir,
                                                 .clean_files = s->conf.clean_files,
                                                 .wall_ms = s->conf.check_time_ms,
                                                 .wake = wake,
                                                 .ctx = s};
    warn_without_box(s);
    RW_TRY(server_check_start(&checks, &s->check, err));
    const struct server_core_settings core = {.api = &s->api,
                                              .queue = s->queue,
                                              .check = s->check,
                                              .renew_ms = s->conf.renew_ms,
                                              .signer_lost = signer_lost,
                                              .told = told,
                                              .ctx = s};
    return server_core_start(&core, &s->core, err);
}

static RW_RC open_http(struct serve *s, const struct options *o, struct rw_err *err)
{
    char cert[SERVER_CONF_PATH_BYTES];
    char key[SERVER_CONF_PATH_BYTES];
    RW_TRY(server_conf_path(o->dir, "tls/cert.pem", cert, err));
    RW_TRY(server_conf_path(o->dir, "tls/key.pem", key, err));
    const char *listen = o->listen != NULL ? o->listen : s->conf.listen;
    bool tls = s->conf.tls && strncmp(listen, "unix:", 5) != 0;
    struct http_settings settings = {.listen = listen,
                                     .workers = server_conf_workers(&s->conf),
                                     .cert_file = tls ? cert : NULL,
                                     .key_file = tls ? key : NULL,
                                     .repo_dir = s->repo_dir,
                                     .sink = api_queue_sink(s->queue),
                                     .auth = s->auth,
                                     .limits = http_limits_default()};
    settings.routes = api_routes(&settings.route_count);
    settings.limits.per_address_max = (unsigned)s->conf.connections_per_address;
    if (s->conf.connections > 0) {
        settings.limits.connections_max = (unsigned)s->conf.connections;
    }
    RW_TRY(http_server_start(&settings, &s->http, err));
    count(s, s->http);
    struct rw_log_line l;
    rw_log_begin(&l, RW_LOG_INFO, "accepting");
    rw_log_str(&l, "version", RW_VERSION);
    rw_log_str(&l, "listen", listen);
    rw_log_i64(&l, "port", http_server_port(s->http));
    rw_log_str(&l, "tls", tls ? "yes" : "no");
    rw_log_str(&l, "trust", api_trust_development(s->trust) ? "development" : "production");
    rw_log_end(&l);
    return RW_OK;
}

static RW_RC tell_ready(const struct serve *s, const struct options *o, struct rw_err *err)
{
    unsigned port = http_server_port(s->http);
    if (o->port_file != NULL) { RW_TRY(server_notify_port_file(o->port_file, port, err)); }
    if (o->ready_fd >= 0) { RW_TRY(server_notify_fd((int)o->ready_fd, port, err)); }
    return notify_say("READY=1", err);
}

static RW_RC open_all(struct serve *s, const struct options *o, struct rw_err *err)
{
    RW_TRY(server_conf_set_store(&s->conf, o->store, err));
    RW_TRY(server_node_name(&s->conf, o->node, err));
    s->node = (struct api_node){.may_control = s->conf.controller, .leave = leave_signer, .ctx = s};
    (void)snprintf(s->node.name, sizeof(s->node.name), "%s (%.100s)", s->conf.node,
                   o->listen != NULL ? o->listen : s->conf.listen);
    RW_TRY(server_node_lock(&s->conf, o->dir, &s->lock, err));
    RW_TRY(open_auth(s, o->dir, err));
    RW_TRY(open_store(s, o->dir, err));
    RW_TRY(open_signer(s, o->dir, err));
    RW_TRY(open_trust(s, o->dir, err));
    RW_TRY(open_core(s, o->dir, err));
    RW_TRY(open_http(s, o, err));
    return tell_ready(s, o, err);
}

/* In the order that loses nothing: no new requests, running ones answered by the core, last commit and fold, then
 * what the core used. Accepts a half-opened one. */
static void serve_drop(struct serve *s)
{
    count(s, NULL); /* before the server goes that the core's metrics would ask */
    if (s->http != NULL) { http_server_stop(s->http); }
    server_core_stop(s->core);
    server_check_stop(s->check);
    webhook_close(&s->webhook);
    api_core_end(&s->api);
    rollout_control_drop(&s->api.controls);
    clone_watch_drop(&s->api.shared);
    api_queue_free(s->queue);
    api_trust_drop(&s->trust);
    release_signer_drop(&s->signer);
    fleet_state_drop(&s->fleet);
    store_close(&s->store);
    http_auth_free(s->auth);
    rw_fd_drop(&s->staging_dir);
    rw_fd_drop(&s->repo_dir);
    rw_fd_drop(&s->lock);
}

/* --- running --- */

/* Blocked before the first thread is made: every thread inherits it, and the main thread alone takes them. */
static sigset_t block_signals(void)
{
    sigset_t ours;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigemptyset(&ours);
    (void)sigaddset(&ours, SIGTERM);
    (void)sigaddset(&ours, SIGINT);
    (void)sigaddset(&ours, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &ours, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    return ours;
}

static void run_until_stopped(const struct serve *s, const char *dir, const sigset_t *signals)
{
    for (;;) {
        int number = 0;
        if (sigwait(signals, &number) != 0) { continue; }
        if (number == SIGHUP) {
            rw_log(RW_LOG_INFO, "reload", NULL, NULL);
            server_certificate_reload(s->http, dir);
            server_core_reload(s->core);
            continue;
        }
        rw_log(RW_LOG_INFO, "stopping", "signal", number == SIGTERM ? "TERM" : "INT");
        struct rw_err err;
        RW_IGNORE(notify_say("STOPPING=1", &err), "nobody waits for it");
        return;
    }
}

/* The box makes its groups beside us. Without them its grade says so (INV-12). */
static void make_room_for_boxes(void)
{
    struct rw_err err;
    bool moved = false;
    if (!rw_is_ok(cgroup_leaf_settle(&moved, &err))) {
        rw_log(RW_LOG_WARN, "no_control_groups", "text", err.text);
    }
}

static RW_RC run(const struct options *o, struct rw_err *err)
{
    RW_AUTO(serve)
    struct serve s = {
        .counters_lock = PTHREAD_MUTEX_INITIALIZER, .staging_dir = -1, .repo_dir = -1, .lock = -1};
    enum rw_log_level level = RW_LOG_INFO;
    if (o->dir == NULL) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "--dir is required"), "hint follows");
        return rw_hint(err, "try 'ringward-server serve --help'");
    }
    RW_TRY(server_conf_load(o->dir, &s.conf, err));
    RW_TRY(rw_log_level_parse(s.conf.log_level, &level, err));
    rw_log_setup("server", level);
    make_room_for_boxes();
    sigset_t signals = block_signals();
    RW_TRY(open_all(&s, o, err));
    run_until_stopped(&s, o->dir, &signals);
    return RW_OK;
}

RW_RC serve(int argc, char **argv, struct rw_err *err)
{
    struct options o = {.ready_fd = -1};
    const char *ready_fd = NULL;
    const struct opt opts[] = {
        {"dir", "DIR", "directory of the server (required)", &o.dir, NULL},
        {"listen", "ADDRESS", "instead of the setting, for instance 127.0.0.1:0", &o.listen, NULL},
        {"node", "NAME", "instead of the setting: several nodes may share one directory", &o.node,
         NULL},
        {"store", "URL", "instead of the setting: postgresql://...", &o.store, NULL},
        {"port-file", "FILE", "write the port there once the server accepts", &o.port_file, NULL},
        {"ready-fd", "N", "write the port to this descriptor once the server accepts", &ready_fd,
         NULL},
    };
    const struct opt_command command = {
        .program = "ringward-server serve",
        .usage = "",
        .about =
            "Runs the server in the foreground until SIGTERM or SIGINT; then requests that run\n"
            "are finished and answered first. SIGHUP loads tokens, policy and certificate anew. "
            "Speaks to\n"
            "systemd by NOTIFY_SOCKET.",
        .examples = "  ringward-server serve --dir /var/lib/ringward\n"
                    "  ringward-server serve --dir try --listen 127.0.0.1:0 --port-file port\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    int count = 0;
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    if (ready_fd != NULL) {
        RW_TRY(
            rw_parse_i64(rw_span_str(ready_fd), 3, READY_FD_MAX, "--ready-fd", &o.ready_fd, err));
    }
    RW_TRY(run(&o, err));
    rw_log(RW_LOG_INFO, "stopped", NULL, NULL);
    return RW_OK;
}
