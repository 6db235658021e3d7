#include "server/serve_parts.h"

#include "common/base/file.h"
#include "common/base/notify.h"
#include "common/base/version.h"
#include "server/api/api_release.h"
#include "server/api/api_routes.h"
#include "server/api/api_token.h"
#include "server/api/http_listen.h"
#include "server/server_node.h"
#include "server/server_notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOADING_MS = 5000 };

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
    if (shares_store(s) && rw_is_ok(api_trust_refresh(s->trust, now, &first))) {
        return RW_OK; /* the controller sees to it */
    }
    if (!rw_is_ok(release_signer_renew(s->signer, now, &flag, &first))) {
        struct rw_log_line l;
        rw_log_begin(&l, RW_LOG_ERROR, "signer");
        rw_log_err(&l, &first);
        rw_log_end(&l);
    }
    release_signer_leave(s->signer); /* of several nodes the controller takes it again */
    return api_trust_refresh(s->trust, now, err);
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
        .store = &s->store, .conf = conf, .wake = serve_outside_tell, .ctx = s};
    if (rw_is_ok(rc) && conf->count > 0) { rc = webhook_open(&settings, &s->webhook, err); }
    webhook_conf_wipe(conf);
    rw_mem_free(conf);
    s->api.webhook = s->webhook;
    return rc;
}

/* Every few seconds, so that whoever waits sees that it goes on. */
static void tell_loading(void *ctx, size_t slices, size_t of, size_t journal_bytes)
{
    struct serve *s = ctx;
    struct rw_log_line l;
    const struct rw_clock clock = rw_clock_system();
    struct rw_mono now = rw_clock_mono(&clock);
    if (now.ms < s->next_loading.ms) { return; }
    s->next_loading.ms = now.ms + LOADING_MS;
    rw_log_begin(&l, RW_LOG_INFO, "fleet_loading");
    rw_log_i64(&l, "percent", of == 0 ? 100 : (int64_t)(slices * 100 / of));
    rw_log_i64(&l, "journal_bytes", (int64_t)journal_bytes);
    rw_log_end(&l);
}

/* A large fleet takes its time, in which nothing else is heard of the server. */
static RW_RC load_fleet(struct serve *s, const struct rw_clock *clock, struct rw_err *err)
{
    struct rw_log_line l;
    struct rw_mono begun = rw_clock_mono(clock);
    const struct fleet_progress progress = {.tell = tell_loading, .ctx = s};
    rw_log(RW_LOG_INFO, "fleet_loading", NULL, NULL);
    s->next_loading.ms = begun.ms + LOADING_MS;
    RW_TRY(fleet_state_open_told(&s->store, &progress, &s->fleet, err));
    rw_log_begin(&l, RW_LOG_INFO, "fleet_loaded");
    rw_log_i64(&l, "endpoints", (int64_t)fleet_state_endpoints(s->fleet));
    rw_log_i64(&l, "took_ms", rw_clock_mono(clock).ms - begun.ms);
    rw_log_end(&l);
    return RW_OK;
}

static RW_RC open_core(struct serve *s, const char *dir, struct rw_err *err)
{
    char staging[SERVER_CONF_PATH_BYTES];
    RW_TRY(api_clock_open(&s->clock, rw_clock_system(), err));
    const struct rw_clock clock = api_clock_of(&s->clock);
    s->api = (struct api_core){
        .store = &s->store,
        .node = shares_store(s) ? &s->node : NULL,
        .releases = {.store = &s->store,
                     .staging_dir = s->staging_dir,
                     .repo_dir = s->repo_dir,
                     .clock = clock,
                     .index = &s->index,
                     .in_place = api_release_in_place,
                     .halted = api_release_halted,
                     .rollouts = &s->api,
                     .publisher = {.place = release_signer_place,
                                   .publish_role = release_signer_publish_role,
                                   .publish_expedite = release_signer_publish_expedite,
                                   .ctx = s->signer}},
        .trust = s->trust,
        .auth = s->auth,
        .outside = serve_outside(s),
        .clock = clock,
        .steady = &s->clock,
        .forget_s = s->conf.retention_records_ms / 1000,
        .started = rw_clock_wall(&clock),
    };
    RW_TRY(api_node_begin(&s->api, err));
    RW_TRY(load_fleet(s, &clock, err));
    s->api.fleet = s->fleet;
    RW_TRY(rollout_control_open(&s->store, &s->api.controls, err));
    RW_TRY(api_core_begin(&s->api, err));
    RW_TRY(api_queue_new((size_t)s->conf.queue, (unsigned)s->conf.tenant_share, &s->queue, err));
    RW_TRY(open_webhooks(s, dir, err));
    RW_TRY(server_conf_path(dir, "staging", staging, err));
    const struct server_check_settings checks = {.staging_dir = staging,
                                                 .box_dir = s->conf.box_dir,
                                                 .clean_files = s->conf.clean_files,
                                                 .wall_ms = s->conf.check_time_ms,
                                                 .wake = serve_outside_wake,
                                                 .ctx = s};
    warn_without_box(s);
    RW_TRY(server_check_start(&checks, &s->check, err));
    RW_TRY(api_aside_start((size_t)s->conf.queue, s->queue, &s->aside, err));
    RW_TRY(server_retention_start(&s->conf, dir, &s->retention, err));
    const struct server_core_settings core = {.api = &s->api,
                                              .queue = s->queue,
                                              .check = s->check,
                                              .aside = s->aside,
                                              .retention = s->retention,
                                              .renew_ms = s->conf.renew_ms,
                                              .signer_lost = serve_outside_signer_lost,
                                              .told = serve_outside_told,
                                              .ctx = s};
    return server_core_start(&core, &s->core, err);
}

static bool is_local(const struct serve *s, const char *listen)
{
    struct http_listen l;
    struct rw_err err;
    if (s->inherited < 0) { return strncmp(listen, "unix:", 5) == 0; }
    return rw_is_ok(http_listen_adopt(s->inherited, &l, &err)) && l.local;
}

static RW_RC open_http(struct serve *s, const struct serve_options *o, struct rw_err *err)
{
    char cert[SERVER_CONF_PATH_BYTES];
    char key[SERVER_CONF_PATH_BYTES];
    RW_TRY(server_conf_path(o->dir, "tls/cert.pem", cert, err));
    RW_TRY(server_conf_path(o->dir, "tls/key.pem", key, err));
    const char *listen = o->listen != NULL ? o->listen : s->conf.listen;
    if (s->inherited >= 0) { listen = "handed over"; }
    bool tls = s->conf.tls && !is_local(s, listen);
    struct http_settings settings = {.listen = listen,
                                     .listen_fd = s->inherited >= 0 ? s->inherited : 0,
                                     .workers = server_conf_workers(&s->conf),
                                     .cert_file = tls ? cert : NULL,
                                     .key_file = tls ? key : NULL,
                                     .repo_dir = s->repo_dir,
                                     .sink = api_queue_sink(s->queue),
                                     .auth = s->auth,
                                     .limits = http_limits_default()};
    settings.routes = api_routes(&settings.route_count);
    settings.limits.per_address_max = (unsigned)s->conf.connections_per_address;
    settings.limits.rates =
        (struct http_limit_rates){.endpoint_per_s = s->conf.endpoint_rate,
                                  .operator_per_s = s->conf.operator_rate,
                                  .address_per_s = s->conf.address_rate,
                                  .burst_ms = s->conf.limit_burst_ms,
                                  .connect_per_s = s->conf.connection_rate,
                                  .connect_burst = s->conf.connections_per_address};
    RW_TRY(http_networks_parse(s->conf.connection_rate_exempt, &settings.limits.connect_free, err));
    if (s->conf.connections > 0) {
        settings.limits.connections_max = (unsigned)s->conf.connections;
    }
    RW_TRY(http_server_start(&settings, &s->http, err));
    serve_outside_count(s, s->http);
    server_certificate_serve(s->certificate, s->http);
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

static RW_RC tell_ready(const struct serve *s, const struct serve_options *o, struct rw_err *err)
{
    unsigned port = http_server_port(s->http);
    if (o->port_file != NULL) { RW_TRY(server_notify_port_file(o->port_file, port, err)); }
    if (o->again) { return RW_OK; }
    if (o->ready_fd >= 0) { RW_TRY(server_notify_fd((int)o->ready_fd, port, err)); }
    return notify_say("READY=1", err);
}

RW_RC serve_open(struct serve *s, const struct serve_options *o, struct rw_err *err)
{
    /* Before the first child is started. */
    if (!o->again) { RW_TRY(notify_take_socket(&s->inherited, err)); }
    RW_TRY(server_conf_set_store(&s->conf, o->store, err));
    RW_TRY(server_node_name(&s->conf, o->node, err));
    s->node = (struct api_node){
        .may_control = s->conf.controller, .leave = serve_outside_leave_signer, .ctx = s};
    (void)snprintf(s->node.name, sizeof(s->node.name), "%s (%.100s)", s->conf.node,
                   o->listen != NULL ? o->listen : s->conf.listen);
    RW_TRY(server_node_lock(&s->conf, o->dir, &s->lock, err));
    RW_TRY(open_auth(s, o->dir, err));
    RW_TRY(open_store(s, o->dir, err));
    RW_TRY(open_signer(s, o->dir, err));
    RW_TRY(open_trust(s, o->dir, err));
    RW_TRY(server_certificate_new(o->dir, &s->certificate, err));
    RW_TRY(open_core(s, o->dir, err));
    RW_TRY(open_http(s, o, err));
    return tell_ready(s, o, err);
}

/* 0 or an errno of making a file there, which leaves none. After an error of the device flags may still say that all is
 * well: only trying tells. */
static int try_write(int dir)
{
    RW_AUTO(rw_fd) rw_fd fd = openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) { return 0; }
    if (errno != EOPNOTSUPP && errno != EISDIR) { return errno; }
    return faccessat(dir, ".", W_OK, 0) == 0 ? 0 : errno; /* a file system without such files */
}

bool serve_is_left(const struct serve *s, const char *dir)
{
    struct stat held;
    struct stat there;
    char path[SERVER_CONF_PATH_BYTES];
    struct rw_err err;
    RW_AUTO(rw_fd) rw_fd fresh = -1;
    if (!rw_is_ok(server_conf_path(dir, "repo", path, &err))) { return false; }
    if (fstat(s->repo_dir, &held) != 0 || stat(path, &there) != 0) { return false; }
    if (held.st_dev == there.st_dev) { return false; }
    int ours = try_write(s->repo_dir);
    if (ours != EROFS && ours != EIO) { return false; }
    return rw_is_ok(rw_dir_open(path, &fresh, &err)) && try_write(fresh) == 0;
}

struct serve serve_parts_none(void)
{
    return (struct serve){.counters_lock = PTHREAD_MUTEX_INITIALIZER,
                          .staging_dir = -1,
                          .repo_dir = -1,
                          .lock = -1,
                          .inherited = -1};
}

void serve_drop(struct serve *s)
{
    serve_outside_count(s, NULL); /* before the server goes that the core's metrics would ask */
    if (s->http != NULL) { http_server_stop(s->http); }
    server_core_stop(s->core);
    server_retention_stop(s->retention);
    api_aside_free(s->aside);
    server_check_stop(s->check);
    webhook_close(&s->webhook);
    server_certificate_drop(&s->certificate);
    api_core_end(&s->api);
    api_clock_close(&s->clock);
    rollout_control_drop(&s->api.controls);
    release_index_drop(&s->index);
    clone_watch_drop(&s->api.shared);
    permit_memory_drop(&s->api.answers);
    api_queue_free(s->queue);
    api_trust_drop(&s->trust);
    release_signer_drop(&s->signer);
    fleet_state_drop(&s->fleet);
    store_close(&s->store);
    http_auth_free(s->auth);
    rw_fd_drop(&s->staging_dir);
    rw_fd_drop(&s->repo_dir);
    rw_fd_drop(&s->inherited);
    rw_fd_drop(&s->lock);
}
