#include "server/server_cmd.h"

#include "common/base/file.h"
#include "common/base/opt.h"
#include "common/tuf/tuf_doc.h"
#include "server/api/http_auth.h"
#include "server/release/release_signer_link.h"
#include "server/report/webhook_conf.h"
#include "server/server_conf.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SPOOL_REQUESTS = 128 /* a full spool of an agent: 4,096 beacons, 32 in each request */ };

static RW_RC check_readable(const char *dir, const char *name, struct rw_err *err)
{
    char path[SERVER_CONF_PATH_BYTES];
    RW_TRY(server_conf_path(dir, name, path, err));
    if (access(path, R_OK) == 0) { return RW_OK; }
    return rw_fail_errno(err, errno == ENOENT ? RW_E_NOT_FOUND : RW_E_IO, errno, "%s", path);
}

static RW_RC check_secret(const char *dir, struct rw_err *err)
{
    char path[SERVER_CONF_PATH_BYTES];
    struct stat st;
    RW_TRY(server_conf_path(dir, "secret", path, err));
    if (stat(path, &st) != 0) { return rw_fail_errno(err, RW_E_NOT_FOUND, errno, "%s", path); }
    if (st.st_size != HTTP_SECRET_BYTES) {
        return rw_fail(err, RW_E_CONFIG, "%s: %lld bytes, want %d", path, (long long)st.st_size,
                       HTTP_SECRET_BYTES);
    }
    if ((st.st_mode & 077) != 0) {
        RW_IGNORE(rw_fail(err, RW_E_CONFIG, "%s: mode %03o lets others read it", path,
                          (unsigned)(st.st_mode & 0777)),
                  "hint follows");
        return rw_hint(err, "chmod 600 %.120s", path);
    }
    return RW_OK;
}

static RW_RC check_root(const char *dir, struct rw_err *err)
{
    char path[SERVER_CONF_PATH_BYTES];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TUF_ROOT_BYTES_MAX);
    RW_AUTO(tuf_doc) struct tuf_doc doc = {.tree = NULL};
    RW_TRY(server_conf_path(dir, "root.json", path, err));
    RW_TRY(rw_file_read(path, TUF_ROOT_BYTES_MAX, &text, err));
    if (!rw_is_ok(tuf_doc_parse(rw_buf_span(&text), "root", &doc, err))) {
        return rw_wrap(err, "%s", path);
    }
    return RW_OK;
}

static RW_RC check_program(const char *path, struct rw_err *err)
{
    if (access(path, X_OK) == 0) { return RW_OK; }
    return rw_fail_errno(err, RW_E_CONFIG, errno, "%s", path);
}

/* A signer that listens: the session is opened and closed, nothing is asked. */
static RW_RC check_signer_socket(const char *dir, const struct server_conf *conf,
                                 struct rw_err *err)
{
    char keys[SERVER_CONF_PATH_BYTES];
    struct release_signer_link link = release_signer_link_make();
    RW_TRY(rw_span_to_str(link.path, sizeof(link.path), rw_span_str(conf->signer_socket),
                          "signer_socket", err));
    RW_TRY(release_signer_link_ensure(&link, err));
    release_signer_link_drop(&link);
    printf("signer: listens on %s\n", conf->signer_socket);
    RW_TRY(server_conf_path(dir, "signer", keys, err));
    if (geteuid() != 0 && access(keys, X_OK) == 0) {
        printf("note: this user may enter %s; only the signer's user should\n", keys);
    }
    return RW_OK;
}

static RW_RC check_signer(const char *dir, const struct server_conf *conf, struct rw_err *err)
{
    char program[SERVER_CONF_PATH_BYTES];
    if (conf->signer_socket[0] != '\0') { return check_signer_socket(dir, conf, err); }
    RW_TRY(check_readable(dir, "signer", err));
    if (conf->signer[0] != '\0') { return check_program(conf->signer, err); }
    RW_TRY(server_conf_program("", "ringward-signer", program, err));
    return check_program(program, err);
}

static RW_RC check_webhooks(const char *dir, struct rw_err *err)
{
    char folder[SERVER_CONF_PATH_BYTES];
    struct webhook_conf *conf = rw_mem_new(sizeof(*conf));
    if (conf == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for webhooks"); }
    struct rw_rc rc = server_conf_path(dir, "webhooks", folder, err);
    if (rw_is_ok(rc)) { rc = webhook_conf_load(folder, conf, err); }
    for (size_t i = 0; rw_is_ok(rc) && i < conf->count; i++) {
        printf("webhook: %s sends %s to %s\n", conf->targets[i].name, conf->targets[i].events,
               conf->targets[i].base);
    }
    webhook_conf_wipe(conf);
    rw_mem_free(conf);
    return rc;
}

/* What may come at once is the rate times the burst: an agent that was away sends its whole spool (docs/server.md). */
static void warn_limits(const struct server_conf *conf)
{
    int64_t at_once = conf->endpoint_rate * conf->limit_burst_ms / 1000;
    if (conf->endpoint_rate == 0 || at_once >= SPOOL_REQUESTS) { return; }
    printf(
        "warning: endpoint_rate (%lld a second) for limit_burst (%lld s) lets %lld requests of "
        "one endpoint come\n         at once; an agent that was away for long sends up to %d: it "
        "will deliver its reports in pieces\n",
        (long long)conf->endpoint_rate, (long long)(conf->limit_burst_ms / 1000),
        (long long)at_once, SPOOL_REQUESTS);
}

static RW_RC check_dir(const char *dir, struct rw_err *err)
{
    static const char *const needed[] = {"repo/metadata/timestamp.json", "repo/targets", "staging"};
    struct server_conf conf;
    char box[SERVER_CONF_PATH_BYTES];
    RW_TRY(server_conf_load(dir, &conf, err));
    for (size_t i = 0; i < RW_LEN(needed); i++) {
        RW_TRY(check_readable(dir, needed[i], err));
    }
    if (conf.store[0] == '\0') { RW_TRY(check_readable(dir, "store/ringward.db", err)); }
    if (conf.tls) {
        RW_TRY(check_readable(dir, "tls/cert.pem", err));
        RW_TRY(check_readable(dir, "tls/key.pem", err));
    }
    warn_limits(&conf);
    RW_TRY(check_secret(dir, err));
    RW_TRY(check_webhooks(dir, err));
    RW_TRY(check_root(dir, err));
    RW_TRY(server_conf_program(conf.box_dir, "ringward-box", box, err));
    RW_TRY(check_program(box, err));
    return check_signer(dir, &conf, err);
}

RW_RC server_cmd_check_config(int argc, char **argv, struct rw_err *err)
{
    const char *dir = NULL;
    bool sample = false;
    bool webhook_sample = false;
    const struct opt opts[] = {
        {"dir", "DIR", "directory of the server (required)", &dir, NULL},
        {"sample", NULL, "print all settings with their defaults instead", NULL, &sample},
        {"webhook-sample", NULL, "the same for a webhook's file", NULL, &webhook_sample},
    };
    const struct opt_command command = {
        .program = "ringward-server check-config",
        .usage = "",
        .about =
            "Reads server.conf and looks whether everything that serving needs is there. Changes\n"
            "nothing.",
        .examples = "  ringward-server check-config --dir try\n"
                    "  ringward-server check-config --sample\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    int count = 0;
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    if (sample) {
        conf_print_sample(&server_conf_table);
        return RW_OK;
    }
    if (webhook_sample) {
        conf_print_sample(&webhook_conf_table);
        return RW_OK;
    }
    if (dir == NULL) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "--dir is required"), "hint follows");
        return rw_hint(err, "try 'ringward-server check-config --help'");
    }
    RW_TRY(check_dir(dir, err));
    printf("%s: in order\n", dir);
    return RW_OK;
}
