#include "server/server_init.h"

#include "common/base/file.h"
#include "common/crypto/cert.h"
#include "common/json/json_write.h"
#include "common/policy/ring_policy.h"
#include "server/report/audit_log.h"
#include "server/server_init_given.h"
#include "server/server_init_trust.h"
#include "server/store/store_pg.h"
#include "server/store/store_sqlite.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    PATH_BYTES = 4096,
    TOKEN_BYTES = 160,
    TOKEN_SECRET_BYTES = 32,
    SERVER_SECRET_BYTES = 32,
    CERT_DAYS = 397, /* what browsers and curl accept without a word */
    CA_DAYS = 3650,
    DAY_S = 86400,
};

static const char default_listen[] = "127.0.0.1:8443";
static const char *const default_hosts[] = {"localhost", "127.0.0.1", "::1"};
static const char *const default_families[] = {"yara"};

static RW_RC join(char dst[static PATH_BYTES], const char *dir, const char *file,
                  struct rw_err *err)
{
    int n = snprintf(dst, PATH_BYTES, "%s/%s", dir, file);
    /* Room is left for the names below: no later path is cut. */
    if (n < 0 || n >= PATH_BYTES - 128) {
        return rw_fail(err, RW_E_RANGE, "directory name '%.60s...' is too long", dir);
    }
    return RW_OK;
}

static RW_RC put_text(const char *dir, const char *file, struct rw_span text, struct rw_err *err)
{
    char path[PATH_BYTES];
    RW_TRY(join(path, dir, file, err));
    return rw_file_replace(path, 0600, text, err);
}

static bool is_development(const struct server_init_settings *s)
{
    return s->trust == NULL;
}

/* --- folders --- */
/* Before a ceremony the online keys were made: they alone may be there. */
static RW_RC require_empty(const char *dir, bool keys_may_be_there, struct rw_err *err)
{
    DIR *d = opendir(dir);
    if (d == NULL) { return rw_fail_errno(err, RW_E_IO, errno, "directory '%s'", dir); }
    bool empty = true;
    for (const struct dirent *e = readdir(d); e != NULL && empty; e = readdir(d)) {
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
                (keys_may_be_there && strcmp(e->d_name, "signer") == 0);
    }
    (void)closedir(d);
    if (empty) { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_EXISTS, "directory '%s' is not empty", dir), "hint");
    return rw_hint(err, "give a new directory: init never writes over keys");
}

static RW_RC make_folders(const struct server_init_settings *s, struct rw_err *err)
{
    static const char *const folders[] = {"repo/metadata",
                                          "repo/targets/policy",
                                          "repo/targets/content",
                                          "tls",
                                          "tokens",
                                          "signer/state/trust",
                                          "signer/state/proof",
                                          "store",
                                          "staging",
                                          "offline",
                                          "engineers",
                                          "officers"};
    size_t count = RW_LEN(folders) - (is_development(s) ? 0 : 3); /* no place for keys of people */
    char path[PATH_BYTES];
    RW_TRY(rw_dir_make(s->dir, 0700, err));
    RW_TRY(require_empty(s->dir, !is_development(s), err));
    for (size_t i = 0; i < count; i++) {
        RW_TRY(join(path, s->dir, folders[i], err));
        RW_TRY(rw_dir_make(path, 0700, err));
    }
    for (size_t i = 0; i < s->family_count; i++) {
        RW_TRY(ring_policy_check_name(s->families[i], "family", err));
        (void)snprintf(path, sizeof(path), "%s/repo/targets/content/%s", s->dir, s->families[i]);
        RW_TRY(rw_dir_make(path, 0700, err));
    }
    return RW_OK;
}

/* --- listening address --- */
struct address {
    char host[CERT_NAME_BYTES_MAX + 1]; /* without brackets */
    const char *port;
};

static RW_RC split_listen(const char *listen, struct address *out, struct rw_err *err)
{
    const char *colon = strrchr(listen, ':');
    int64_t port = 0;
    if (colon == NULL) {
        return rw_fail(err, RW_E_SCHEMA, "listen address '%.60s' has no ':PORT'", listen);
    }
    RW_TRY(rw_parse_i64(rw_span_str(colon + 1), 0, 65535, "port", &port, err));
    struct rw_span host = rw_span_of(listen, (size_t)(colon - listen));
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
        host = rw_span_of(host.p + 1, host.n - 2);
    }
    out->port = colon + 1;
    return rw_span_to_str(out->host, sizeof(out->host), host, "listen address", err);
}

static bool is_wildcard(const char *host)
{
    return host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* Names of the certificate: those given, and the listening address where it is one. */
static size_t certificate_names(const struct server_init_settings *s, const struct address *a,
                                const char *names[static SERVER_INIT_HOSTS_MAX + 1])
{
    size_t n = 0;
    bool listed = is_wildcard(a->host);
    for (; n < s->host_count; n++) {
        names[n] = s->hosts[n];
        listed = listed || strcmp(s->hosts[n], a->host) == 0;
    }
    if (!listed) { names[n++] = a->host; }
    return n;
}

/* --- TLS --- */
static RW_RC make_tls(const struct server_init_settings *s, const struct address *a,
                      struct rw_err *err)
{
    char path[PATH_BYTES];
    const char *names[SERVER_INIT_HOSTS_MAX + 1];
    RW_AUTO(key) struct key ca_key = {.scheme = KEY_UNKNOWN};
    RW_AUTO(key) struct key key = {.scheme = KEY_UNKNOWN};
    RW_AUTO(rw_buf) struct rw_buf ca = rw_buf_make(CERT_PEM_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf cert = rw_buf_make(CERT_PEM_BYTES_MAX);
    struct cert_request request = {.common_name = is_development(s) ? "Ringward development CA"
                                                                    : "Ringward CA",
                                   .not_before = {s->now.s - DAY_S},
                                   .not_after = {s->now.s + (int64_t)CA_DAYS * DAY_S}};
    RW_TRY(key_generate(KEY_ECDSA_P256, &ca_key, err));
    RW_TRY(key_generate(KEY_ECDSA_P256, &key, err));
    RW_TRY(cert_make_authority(&ca_key, &request, &ca, err));
    request.common_name = "ringward-server";
    request.not_after.s = s->now.s + (int64_t)CERT_DAYS * DAY_S;
    request.name_count = certificate_names(s, a, names);
    request.names = names;
    RW_TRY(cert_make_server(&key, &request, rw_buf_span(&ca), &ca_key, &cert, err));
    RW_TRY(put_text(s->dir, "tls/ca.pem", rw_buf_span(&ca), err));
    RW_TRY(put_text(s->dir, "tls/cert.pem", rw_buf_span(&cert), err));
    /* The authority's key is not kept: nobody can make a second certificate that agents would take. */
    RW_TRY(join(path, s->dir, "tls/key.pem", err));
    return key_save_private(&key, path, NULL, err);
}

/* --- tokens (docs/protocol.md 5) --- */
struct token {
    const char *prefix; /* "rwo1.NAME" or "rwj1.TENANT" */
    const char *file;
    const char *name;
    const char *tenant;
    const char *role;
};

static RW_RC put_token(struct store *store, const char *dir, const struct token *t,
                       struct rw_err *err)
{
    uint8_t secret[TOKEN_SECRET_BYTES];
    char secret_hex[2 * TOKEN_SECRET_BYTES + 1];
    char text[TOKEN_BYTES];
    char hex[DIGEST_HEX_BYTES];
    struct store_doc doc = {.generation = 1};
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(1024);
    RW_TRY(digest_random(secret, sizeof(secret), err));
    rw_hex_encode(secret_hex, sizeof(secret_hex), secret, sizeof(secret));
    int n = snprintf(text, sizeof(text), "%s.%s", t->prefix, secret_hex);
    RW_ASSERT(n > 0 && n < TOKEN_BYTES - 1);
    RW_TRY(digest_sha256_hex(rw_span_str(text), hex, err));
    struct json_writer w = json_begin(&body);
    json_open_object(&w, NULL);
    json_put_str(&w, "sha256", hex);
    json_put_str(&w, "name", t->name);
    json_put_str(&w, "tenant", t->tenant);
    json_put_str(&w, "role", t->role);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    (void)snprintf(doc.id, sizeof(doc.id), "%.32s", hex);
    doc.body = rw_buf_span(&body);
    RW_TRY(store_doc_put(store, "token", &doc, err));
    text[n] = '\n';
    struct rw_rc rc = put_text(dir, t->file, rw_span_of(text, (size_t)n + 1), err);
    rw_wipe(text, sizeof(text));
    rw_wipe(secret_hex, sizeof(secret_hex));
    rw_wipe(secret, sizeof(secret));
    return rc;
}

static RW_RC fill_store(struct store *store, const struct server_init_settings *s,
                        struct rw_err *err)
{
    static const struct token tokens[] = {
        {"rwo1.admin", "tokens/admin.token", "admin", "", "admin"},
        {"rwj1.default", "tokens/enrol.token", "enrol", "default", "enrol"},
    };
    const struct audit_log_entry entry = {
        .actor = "server",
        .action = "server.init",
        .object = "server",
        .reason = is_development(s) ? "development trust: all keys on one machine"
                                    : "trust of a ceremony"};
    for (size_t i = 0; i < RW_LEN(tokens); i++) {
        RW_TRY(put_token(store, s->dir, &tokens[i], err));
    }
    return audit_log_append(store, &entry, s->now, err);
}

static RW_RC open_store(const struct server_init_settings *s, struct store *store,
                        struct rw_err *err)
{
    char path[PATH_BYTES];
    struct store_audit_tip tip = {.seq = 0};
    RW_TRY(join(path, s->dir, "store/ringward.db", err));
    if (s->store == NULL) { return store_sqlite_open(path, store, err); }
    RW_TRY(store_pg_open(s->store, store, err));
    struct rw_rc rc = store_audit_tip(store, &tip, err);
    if (rw_is_ok(rc) && tip.seq > 0) {
        RW_IGNORE(rw_fail(err, RW_E_EXISTS, "the database holds the store of another server"),
                  "hint follows");
        rc = rw_hint(err, "make an empty one: createdb ringward");
    }
    if (!rw_is_ok(rc)) { store_close(store); }
    return rc;
}

/* INV-9: the tokens and the record that says they were made are one transaction. */
static RW_RC make_store(const struct server_init_settings *s, struct rw_err *err)
{
    struct store store = {.backend = NULL};
    RW_TRY(open_store(s, &store, err));
    struct rw_rc rc = store_begin(&store, err);
    if (rw_is_ok(rc)) { rc = fill_store(&store, s, err); }
    if (rw_is_ok(rc)) { rc = store_commit(&store, err); }
    store_close(&store);
    return rc;
}

static RW_RC make_secret(const struct server_init_settings *s, struct rw_err *err)
{
    uint8_t secret[SERVER_SECRET_BYTES];
    RW_TRY(digest_random(secret, sizeof(secret), err));
    struct rw_rc rc = put_text(s->dir, "secret", rw_span_of(secret, sizeof(secret)), err);
    rw_wipe(secret, sizeof(secret));
    return rc;
}

/* --- settings --- */
static const char *development_note(const struct server_init_settings *s)
{
    return is_development(s)
               ? "# Development trust: every key of this server lies on one machine.\n"
               : "";
}

static RW_RC put_operator_conf(const struct server_init_settings *s, const struct address *a,
                               struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(2048);
    const char *host = is_wildcard(a->host) ? s->hosts[0] : a->host;
    bool v6 = strchr(host, ':') != NULL;
    RW_TRY(rw_buf_appendf(
        &text, err,
        "# Profile of the command line: RINGWARD_PROFILE=FILE, or --profile FILE behind a verb.\n%s"
        "server = https://%s%s%s:%s\n"
        "ca_file = tls/ca.pem\n"
        "token_file = tokens/admin.token\n",
        development_note(s), v6 ? "[" : "", host, v6 ? "]" : "", a->port));
    return put_text(s->dir, "operator.conf", rw_buf_span(&text), err);
}

static RW_RC put_server_conf(const struct server_init_settings *s, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(8192);
    RW_TRY(rw_buf_appendf(&text, err,
                          "# Settings of ringward-server; all others have defaults.\n%s"
                          "listen = %s\n",
                          development_note(s), s->listen));
    if (s->store != NULL) { RW_TRY(rw_buf_appendf(&text, err, "store = %s\n", s->store)); }
    return put_text(s->dir, "server.conf", rw_buf_span(&text), err);
}

static RW_RC check_counts(const struct server_init_settings *s, struct rw_err *err)
{
    if (s->family_count > SERVER_INIT_FAMILIES_MAX || s->host_count > SERVER_INIT_HOSTS_MAX) {
        return rw_fail(err, RW_E_RANGE, "%zu families and %zu hosts, at most %d and %d are allowed",
                       s->family_count, s->host_count, SERVER_INIT_FAMILIES_MAX,
                       SERVER_INIT_HOSTS_MAX);
    }
    return RW_OK;
}

static void fill_defaults(struct server_init_settings *s)
{
    if (s->policy.n == 0) { s->policy = server_init_policy(); }
    if (s->listen == NULL) { s->listen = default_listen; }
    if (s->family_count == 0) {
        s->families = default_families;
        s->family_count = RW_LEN(default_families);
    }
    if (s->host_count == 0) {
        s->hosts = default_hosts;
        s->host_count = RW_LEN(default_hosts);
    }
}

RW_RC server_init(const struct server_init_settings *settings, struct rw_err *err)
{
    struct server_init_settings s = *settings;
    struct ring_policy policy;
    struct address address = {.port = NULL};
    fill_defaults(&s);
    /* What can be refused is refused before the first file. */
    RW_TRY(check_counts(&s, err));
    if (!rw_is_ok(ring_policy_parse(s.policy, &policy, err))) { return rw_wrap(err, "policy"); }
    RW_TRY(split_listen(s.listen, &address, err));
    if (s.store != NULL && !store_pg_is_url(s.store)) {
        return rw_fail(err, RW_E_USAGE, "--store '%.60s' does not begin with postgresql://",
                       s.store);
    }
    if (!is_development(&s)) { RW_TRY(server_given_check(&s, err)); }
    RW_TRY(make_folders(&s, err));
    RW_TRY(make_tls(&s, &address, err));
    if (is_development(&s)) {
        RW_TRY(server_trust_make(&s, err));
    } else {
        RW_TRY(server_given_make(&s, err));
    }
    RW_TRY(make_secret(&s, err));
    RW_TRY(make_store(&s, err));
    RW_TRY(put_operator_conf(&s, &address, err));
    return put_server_conf(&s, err);
}
