/* server_conf.h: settings of ringward-server: DIR/server.conf, and the paths below DIR.
 *
 * memory   plain values
 * threads  no shared state
 * source   docs/protocol.md 4; docs/server.md
 */
#ifndef RINGWARD_SERVER_CONF_H
#define RINGWARD_SERVER_CONF_H

#include "common/base/clock.h"
#include "common/base/conf.h"
#include "common/base/log.h"
#include "server/api/http_networks.h"
#include "server/store/store.h"

enum {
    SERVER_CONF_PATH_BYTES = 4096,
    SERVER_CONF_LISTEN_BYTES = 256,
    SERVER_CONF_SOCKET_BYTES = 108, /* unix(7) */
    SERVER_CONF_NODE_BYTES = 65,
};

struct server_conf {
    char listen[SERVER_CONF_LISTEN_BYTES];
    int64_t workers; /* 0: one per core, at most 8 */
    bool tls;
    char store[SERVER_CONF_PATH_BYTES];   /* postgresql://...; "": DIR/store/ringward.db */
    char node[SERVER_CONF_NODE_BYTES];    /* "": the host's name */
    bool controller;                      /* may this node be controller? */
    char box_dir[SERVER_CONF_PATH_BYTES]; /* of ringward-box and validators; "": beside ourselves */
    char signer[SERVER_CONF_PATH_BYTES];  /* "": ringward-signer beside ourselves */
    char signer_socket[SERVER_CONF_SOCKET_BYTES]; /* "": the signer is started as a child */
    int64_t clean_files;   /* files of this host that content must not match */
    int64_t check_time_ms; /* wall clock of one check in the box */
    int64_t queue;         /* requests that may wait for the core thread */
    int64_t connections;   /* 0: by the limit of descriptors */
    int64_t connections_per_address;
    int64_t connection_rate;
    char connection_rate_exempt[HTTP_NETWORKS_TEXT_BYTES]; /* networks without it */
    int64_t endpoint_rate; /* requests a second; 0: no limit. Here and below: api/http_limit.h */
    int64_t operator_rate;
    int64_t address_rate;
    int64_t limit_burst_ms;
    int64_t tenant_share;           /* percent of the queue */
    int64_t renew_ms;               /* how often signatures and trust are looked at */
    int64_t endpoint_token_life_ms; /* 0: they do not age */
    int64_t endpoint_token_overlap_ms;
    char endpoint_tokens_since[RW_TIME_TEXT_BYTES]; /* "": none were called in */
    int64_t retention_every_ms;                     /* 0: nothing is removed by itself */
    int64_t retention_files_ms;                     /* without use for so long */
    int64_t retention_audit_ms;   /* audit records that are so old go into files; 0: never */
    int64_t retention_records_ms; /* of the store: over for so long; 0: they stay */
    int64_t retention_keep;       /* newest ones that stay whatever their age */
    char log_level[8];
};

extern const struct conf_table server_conf_table;

/* Reads DIR/server.conf. Fails with RW_E_CONFIG (file and line), RW_E_NOT_FOUND (with a hint at init). */
RW_RC server_conf_load(const char *dir, struct server_conf *out, struct rw_err *err);
/* "DIR/name". Fails with RW_E_CONFIG when it is too long. */
RW_RC server_conf_path(const char *dir, const char *name, char dst[static SERVER_CONF_PATH_BYTES],
                       struct rw_err *err);
/* The program `name` in `folder`, or beside the running executable when that is "". */
RW_RC server_conf_program(const char *folder, const char *name,
                          char dst[static SERVER_CONF_PATH_BYTES], struct rw_err *err);
/* Checks a URL and puts it in the place of the setting; NULL or "": the setting stays. Fails with RW_E_CONFIG. */
RW_RC server_conf_set_store(struct server_conf *conf, const char *url, struct rw_err *err);
/* Opens the store of the settings. Fails as the back ends do; RW_E_NOT_FOUND when there is no file yet. */
RW_RC server_conf_store(const struct server_conf *conf, const char *dir, struct store *out,
                        struct rw_err *err);
unsigned server_conf_workers(const struct server_conf *conf);

#endif
