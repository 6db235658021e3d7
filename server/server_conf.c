#include "server/server_conf.h"

#include "common/box/box_run.h"
#include "server/api/limit_rule.h"
#include "server/store/store_pg.h"
#include "server/store/store_sqlite.h"

#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#define FIELD(name) offsetof(struct server_conf, name)

enum { WORKERS_BY_DEFAULT_MAX = 8 };

#define RECORDS_MS_MIN (INT64_C(30) * 86400000)

static const struct conf_setting settings[] = {
    {"listen", CONF_STR, FIELD(listen), SERVER_CONF_LISTEN_BYTES, 0, 0, "127.0.0.1:8443",
     "address and port, or unix:/path (without TLS, for a proxy on this host)"},
    {"workers", CONF_INT, FIELD(workers), 0, 0, 64, "0",
     "threads that speak HTTP; 0: one per core, at most 8"},
    {"tls", CONF_BOOL, FIELD(tls), 0, 0, 0, "yes",
     "whether to speak TLS with tls/cert.pem and tls/key.pem"},
    {"store", CONF_STR, FIELD(store), SERVER_CONF_PATH_BYTES, 0, 0, "",
     "postgresql://... for several nodes (docs/nodes.md); empty: the file store/ringward.db"},
    {"node", CONF_STR, FIELD(node), SERVER_CONF_NODE_BYTES, 0, 0, "",
     "name of this node on a PostgreSQL store; empty: the name of the host"},
    {"controller", CONF_BOOL, FIELD(controller), 0, 0, 0, "yes",
     "whether this node may be controller on a PostgreSQL store: it needs the signer"},
    {"box_dir", CONF_STR, FIELD(box_dir), SERVER_CONF_PATH_BYTES, 0, 0, "",
     "folder of ringward-box and the validators; empty: beside ringward-server"},
    {"signer", CONF_STR, FIELD(signer), SERVER_CONF_PATH_BYTES, 0, 0, "",
     "path of ringward-signer; empty: beside ringward-server"},
    {"signer_socket", CONF_STR, FIELD(signer_socket), SERVER_CONF_SOCKET_BYTES, 0, 0, "",
     "where a ringward-signer of its own user listens; empty: it is started as a child"},
    {"clean_files", CONF_INT, FIELD(clean_files), 0, 0, 100000, "500",
     "files of this host that new content must not match"},
    {"check_time", CONF_DURATION_MS, FIELD(check_time_ms), 0, 1000, 600000, "20s",
     "longest time that one check in the box may take"},
    {"queue", CONF_INT, FIELD(queue), 0, 16, 1000000, "4096",
     "requests that may wait before new ones are answered 503"},
    {"connections", CONF_INT, FIELD(connections), 0, 0, 1000000, "0",
     "most connections at a time; 0: by the limit of descriptors"},
    {"connections_per_address", CONF_INT, FIELD(connections_per_address), 0, 1, 1000000, "1024",
     "most connections of one client address (IPv6: one /64); endpoints of a whole site may share "
     "one"},
    {"connection_rate", CONF_INT, FIELD(connection_rate), 0, 0, LIMIT_PER_S_MAX, "200",
     "new connections a second of one client address, more are closed at once; "
     "connections_per_address may come at once; 0: no limit"},
    {"connection_rate_exempt", CONF_STR, FIELD(connection_rate_exempt), HTTP_NETWORKS_TEXT_BYTES, 0,
     0, HTTP_NETWORKS_LOOPBACK,
     "addresses and networks without that limit: balancers, this host (with blanks between)"},
    {"endpoint_rate", CONF_INT, FIELD(endpoint_rate), 0, 0, LIMIT_PER_S_MAX, "20",
     "requests a second of one endpoint in the long run, others are answered 429; 0: no limit"},
    {"operator_rate", CONF_INT, FIELD(operator_rate), 0, 0, LIMIT_PER_S_MAX, "50",
     "the same with one operator's token"},
    {"address_rate", CONF_INT, FIELD(address_rate), 0, 0, LIMIT_PER_S_MAX, "50",
     "the same of one client address without a valid token, and for probes and metrics"},
    {"limit_burst", CONF_DURATION_MS, FIELD(limit_burst_ms), 0, 1000, LIMIT_BURST_MS_MAX, "60s",
     "what these rates give in so long may come at once"},
    {"tenant_share", CONF_INT, FIELD(tenant_share), 0, 1, LIMIT_SHARE_MAX, "75",
     "percent of the queue that one tenant may fill, several share it; 100: all of it"},
    {"renew", CONF_DURATION_MS, FIELD(renew_ms), 0, 1000, 3600000, "60s",
     "how often signatures, expiry and the published policy are looked at"},
    {"endpoint_token_life", CONF_DURATION_MS, FIELD(endpoint_token_life_ms), 0, 0,
     INT64_C(3650) * 86400000, "90d",
     "endpoint tokens are renewed at half of it and refused after it; 0s: they do not age"},
    {"endpoint_tokens_since", CONF_STR, FIELD(endpoint_tokens_since), RW_TIME_TEXT_BYTES, 0, 0, "",
     "call in endpoint tokens issued before this time (2026-12-01T00:00:00Z); empty: none"},
    {"endpoint_token_overlap", CONF_DURATION_MS, FIELD(endpoint_token_overlap_ms), 0, 0,
     INT64_C(365) * 86400000, "7d", "tokens that were called in are good for so long after that"},
    {"retention_every", CONF_DURATION_MS, FIELD(retention_every_ms), 0, 0, INT64_C(365) * 86400000,
     "1d", "how often what nobody needs any more is removed (docs/server.md); 0s: never"},
    {"retention_files", CONF_DURATION_MS, FIELD(retention_files_ms), 0, INT64_C(86400000),
     INT64_C(36500) * 86400000, "90d",
     "files of repo and staging go when they have been of no use for so long; at least 1d"},
    {"retention_records", CONF_DURATION_MS, FIELD(retention_records_ms), 0, 0,
     INT64_C(36500) * 86400000, "400d",
     "records of the store that are over (rollouts, tokens, orders) go after so long; 0s: never"},
    {"retention_audit", CONF_DURATION_MS, FIELD(retention_audit_ms), 0, 0,
     INT64_C(36500) * 86400000, "0s",
     "audit records that are so old move into files in DIR/audit, kept for good; 0s: never"},
    {"retention_keep", CONF_INT, FIELD(retention_keep), 0, 1, 1000000, "3",
     "newest versions of metadata and measures of later releases that always stay"},
    {"log_level", CONF_STR, FIELD(log_level), 8, 0, 0, "info", "debug, info, warn or error"},
};

const struct conf_table server_conf_table = {settings, RW_LEN(settings)};

RW_RC server_conf_path(const char *dir, const char *name, char dst[static SERVER_CONF_PATH_BYTES],
                       struct rw_err *err)
{
    int n = snprintf(dst, SERVER_CONF_PATH_BYTES, "%s/%s", dir, name);
    if (n < 0 || n >= SERVER_CONF_PATH_BYTES) {
        return rw_fail(err, RW_E_CONFIG, "path too long: %.60s.../%s", dir, name);
    }
    return RW_OK;
}

RW_RC server_conf_load(const char *dir, struct server_conf *out, struct rw_err *err)
{
    char path[SERVER_CONF_PATH_BYTES];
    enum rw_log_level unused;
    RW_TRY(server_conf_path(dir, "server.conf", path, err));
    struct rw_rc rc = conf_load(&server_conf_table, path, out, err);
    if (rc.code == RW_E_NOT_FOUND) {
        return rw_hint(err, "'ringward-server init --dir DIR --dev' makes a directory to try with");
    }
    RW_TRY(rc);
    if (!rw_is_ok(rw_log_level_parse(out->log_level, &unused, err))) {
        return rw_fail(err, RW_E_CONFIG, "%s: log_level '%s' is not debug, info, warn or error",
                       path, out->log_level);
    }
    if (!rw_is_ok(server_conf_set_store(out, out->store, err))) { return rw_wrap(err, "%s", path); }
    struct http_networks none;
    if (!rw_is_ok(http_networks_parse(out->connection_rate_exempt, &none, err))) {
        return rw_wrap(err, "%s: connection_rate_exempt", path);
    }
    if (out->retention_records_ms > 0 && out->retention_records_ms < RECORDS_MS_MIN) {
        return rw_fail(err, RW_E_CONFIG, "%s: retention_records is 0s (never) or at least 30d",
                       path);
    }
    if (out->retention_audit_ms > 0 && out->retention_audit_ms < RECORDS_MS_MIN) {
        return rw_fail(err, RW_E_CONFIG, "%s: retention_audit is 0s (never) or at least 30d", path);
    }
    struct rw_wall since;
    if (out->endpoint_tokens_since[0] != '\0') {
        RW_TRY(rw_wall_parse(rw_span_str(out->endpoint_tokens_since), "endpoint_tokens_since",
                             &since, err));
    }
    if (out->signer_socket[0] != '\0' && out->signer_socket[0] != '/') {
        return rw_fail(err, RW_E_CONFIG, "%s: signer_socket '%s' does not begin with /", path,
                       out->signer_socket);
    }
    return RW_OK;
}

RW_RC server_conf_set_store(struct server_conf *conf, const char *url, struct rw_err *err)
{
    if (url == NULL || url[0] == '\0') { return RW_OK; }
    if (!store_pg_is_url(url)) {
        return rw_fail(err, RW_E_CONFIG, "store '%.60s' does not begin with postgresql://", url);
    }
    if (url == conf->store) { return RW_OK; }
    return rw_span_to_str(conf->store, sizeof(conf->store), rw_span_str(url), "store", err);
}

RW_RC server_conf_store(const struct server_conf *conf, const char *dir, struct store *out,
                        struct rw_err *err)
{
    char path[SERVER_CONF_PATH_BYTES];
    if (conf->store[0] != '\0') { return store_pg_open(conf->store, out, err); }
    RW_TRY(server_conf_path(dir, "store/ringward.db", path, err));
    if (access(path, R_OK | W_OK) != 0) { /* opening would make an empty store */
        RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "%s: no store that may be written", path), "hint");
        return rw_hint(err, "give the directory that 'ringward-server init' made");
    }
    return store_sqlite_open(path, out, err);
}

RW_RC server_conf_program(const char *folder, const char *name,
                          char dst[static SERVER_CONF_PATH_BYTES], struct rw_err *err)
{
    if (folder[0] == '\0') { return box_beside_self(name, dst, SERVER_CONF_PATH_BYTES, err); }
    return server_conf_path(folder, name, dst, err);
}

unsigned server_conf_workers(const struct server_conf *conf)
{
    if (conf->workers > 0) { return (unsigned)conf->workers; }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (cores < 1) { return 1; }
    return cores > WORKERS_BY_DEFAULT_MAX ? WORKERS_BY_DEFAULT_MAX : (unsigned)cores;
}
