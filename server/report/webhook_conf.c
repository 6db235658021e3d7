#include "server/report/webhook_conf.h"

#include "common/base/file.h"
#include "common/policy/ring_policy.h"
#include "server/report/webhook_rule.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIELD(name) offsetof(struct webhook_target, name)

static const struct conf_setting settings[] = {
    {"url", CONF_STR, FIELD(url), WEBHOOK_URL_BYTES, 0, 0, NULL,
     "where events are sent by POST: https, or http on this machine"},
    {"secret_file", CONF_STR, FIELD(secret_file), WEBHOOK_PATH_BYTES, 0, 0, NULL,
     "file with the shared secret, 16 to 256 bytes, mode 600; relative: beside this file"},
    {"ca_file", CONF_STR, FIELD(ca_file), WEBHOOK_PATH_BYTES, 0, 0, "",
     "certificates that the receiver's certificate must lead to; empty: the system's"},
    {"events", CONF_STR, FIELD(events), WEBHOOK_EVENTS_BYTES, 0, 0, "*",
     "which events: comma-separated, for instance rollout.*,alarm.*"},
    {"timeout", CONF_DURATION_MS, FIELD(timeout_ms), 0, 100, 60000, "10s",
     "longest time for one delivery"},
    {"keep", CONF_INT, FIELD(keep), 0, 10, 1000000, "10000",
     "audit records that may wait for a receiver that is away; older ones are dropped and told"},
};
const struct conf_table webhook_conf_table = {settings, RW_LEN(settings)};

static RW_RC refuse_url(const struct webhook_target *t, const char *why, struct rw_err *err)
{
    return rw_fail(err, RW_E_CONFIG, "webhook %s: url '%.200s': %s", t->name, t->url, why);
}

/* A host of this very machine, so that nothing travels unencrypted. */
static bool is_loopback(const char *authority, size_t n)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};
    for (size_t i = 0; i < RW_LEN(hosts); i++) {
        size_t h = strlen(hosts[i]);
        bool begins = n >= h && strncmp(authority, hosts[i], h) == 0;
        if (begins && (n == h || authority[h] == ':')) { return true; }
    }
    return false;
}

static RW_RC split_url(struct webhook_target *t, struct rw_err *err)
{
    bool https = strncmp(t->url, "https://", 8) == 0;
    if (!https && strncmp(t->url, "http://", 7) != 0) {
        return refuse_url(t, "want https://HOST[:PORT]/PATH", err);
    }
    const char *authority = t->url + (https ? 8 : 7);
    size_t n = strcspn(authority, "/?#");
    for (const char *c = t->url; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || *c == '#') { return refuse_url(t, "odd character", err); }
    }
    if (n == 0 || memchr(authority, '@', n) != NULL) {
        return refuse_url(t, "want a host, and no name or password before it", err);
    }
    if (authority[n] == '?') { return refuse_url(t, "want a path before '?'", err); }
    if (!https && !is_loopback(authority, n)) {
        return refuse_url(t, "http is for this machine only: use https", err);
    }
    rw_copy(t->base, sizeof(t->base), t->url, (size_t)(authority - t->url) + n);
    t->base[(size_t)(authority - t->url) + n] = '\0';
    (void)snprintf(t->path, sizeof(t->path), "%s", authority[n] == '\0' ? "/" : authority + n);
    return RW_OK;
}

/* In place: a relative name is meant from the folder of the targets. */
static RW_RC beside(const char *folder, char path[static WEBHOOK_PATH_BYTES], struct rw_err *err)
{
    char whole[WEBHOOK_PATH_BYTES];
    if (path[0] == '\0' || path[0] == '/') { return RW_OK; }
    int n = snprintf(whole, sizeof(whole), "%s/%s", folder, path);
    if (n < 0 || (size_t)n >= sizeof(whole)) {
        return rw_fail(err, RW_E_CONFIG, "path too long: %.60s.../%.60s", folder, path);
    }
    rw_copy(path, WEBHOOK_PATH_BYTES, whole, (size_t)n + 1);
    return RW_OK;
}

static RW_RC read_secret(struct webhook_target *t, struct rw_err *err)
{
    struct stat st;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(WEBHOOK_SECRET_BYTES_MAX + 2);
    if (stat(t->secret_file, &st) != 0) {
        return rw_fail_errno(err, RW_E_CONFIG, errno, "webhook %s: secret_file %s", t->name,
                             t->secret_file);
    }
    if ((st.st_mode & 077) != 0) {
        RW_IGNORE(rw_fail(err, RW_E_CONFIG, "webhook %s: %s: mode %03o lets others read it",
                          t->name, t->secret_file, (unsigned)(st.st_mode & 0777)),
                  "hint");
        return rw_hint(err, "chmod 600 %.120s", t->secret_file);
    }
    RW_TRY(rw_file_read(t->secret_file, WEBHOOK_SECRET_BYTES_MAX + 1, &text, err));
    size_t n = text.n;
    while (n > 0 && (text.p[n - 1] == '\n' || text.p[n - 1] == '\r')) {
        n--;
    }
    if (n < WEBHOOK_SECRET_BYTES_MIN || n > WEBHOOK_SECRET_BYTES_MAX) {
        rw_wipe(text.p, text.n);
        return rw_fail(err, RW_E_CONFIG, "webhook %s: the secret has %zu bytes, want %d to %d",
                       t->name, n, WEBHOOK_SECRET_BYTES_MIN, WEBHOOK_SECRET_BYTES_MAX);
    }
    rw_copy(t->secret, sizeof(t->secret), text.p, n);
    t->secret_bytes = n;
    rw_wipe(text.p, text.n);
    return RW_OK;
}

struct folder {
    const char *path;
    struct webhook_conf *conf;
};

static RW_RC load_one(void *ctx, const char *file, struct rw_err *err)
{
    struct folder *f = ctx;
    char path[WEBHOOK_PATH_BYTES];
    size_t n = strlen(file);
    if (n <= 5 || strcmp(file + n - 5, ".conf") != 0) { return RW_OK; }
    if (f->conf->count == WEBHOOK_TARGETS_MAX) {
        return rw_fail(err, RW_E_FULL, "%s: more than %d targets", f->path, WEBHOOK_TARGETS_MAX);
    }
    struct webhook_target *t = &f->conf->targets[f->conf->count];
    (void)snprintf(path, sizeof(path), "%s", file);
    RW_TRY(beside(f->path, path, err));
    RW_TRY(conf_load(&webhook_conf_table, path, t, err));
    RW_TRY(rw_span_to_str(t->name, sizeof(t->name), rw_span_of(file, n - 5), file, err));
    RW_TRY(ring_policy_check_name(t->name, "webhook", err));
    RW_TRY(split_url(t, err));
    if (!webhook_rule_list_ok(t->events)) {
        return rw_fail(err, RW_E_CONFIG,
                       "webhook %s: events '%s': want a list like rollout.*,alarm.raise", t->name,
                       t->events);
    }
    RW_TRY(beside(f->path, t->secret_file, err));
    RW_TRY(beside(f->path, t->ca_file, err));
    f->conf->count++;
    return read_secret(t, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct webhook_target *)a)->name,
                  ((const struct webhook_target *)b)->name);
}

RW_RC webhook_conf_load(const char *folder, struct webhook_conf *out, struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd dir = -1;
    struct folder f = {.path = folder, .conf = out};
    *out = (struct webhook_conf){.count = 0};
    if (access(folder, F_OK) != 0 && errno == ENOENT) { return RW_OK; }
    RW_TRY(rw_dir_open(folder, &dir, err));
    struct rw_rc rc = rw_dir_each(dir, load_one, &f, err);
    if (!rw_is_ok(rc)) {
        webhook_conf_wipe(out);
        return rc;
    }
    qsort(out->targets, out->count, sizeof(out->targets[0]), by_name);
    return RW_OK;
}

void webhook_conf_wipe(struct webhook_conf *conf)
{
    rw_wipe(conf, sizeof(*conf));
}
