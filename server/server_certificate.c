#include "server/server_certificate.h"

#include "server/server_conf.h"

static RW_RC reload(struct http_server *http, const char *dir, struct rw_err *err)
{
    char cert[SERVER_CONF_PATH_BYTES];
    char key[SERVER_CONF_PATH_BYTES];
    RW_TRY(server_conf_path(dir, "tls/cert.pem", cert, err));
    RW_TRY(server_conf_path(dir, "tls/key.pem", key, err));
    return http_server_reload_tls(http, cert, key, err);
}

void server_certificate_reload(struct http_server *http, const char *dir)
{
    struct rw_err err;
    struct rw_log_line l;
    if (rw_is_ok(reload(http, dir, &err))) {
        rw_log(RW_LOG_INFO, "certificate_loaded", NULL, NULL);
        return;
    }
    rw_log_begin(&l, RW_LOG_ERROR, "certificate_refused");
    rw_log_err(&l, &err);
    rw_log_str(&l, "in_use", "the former one");
    rw_log_end(&l);
}
