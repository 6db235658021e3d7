#include "server/cli/cli_api.h"

#include "common/base/conf.h"
#include "common/base/file.h"
#include "common/net/http_cert.h"
#include "common/net/http_client.h"
#include "server/cli/cli_progress.h"
#include "server/cli/cli_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_BYTES_MAX = 32 * 1024 * 1024,
    TOKEN_BYTES_MAX = 512,
    PATH_BYTES = 1024,
    TOTAL_MS = 15 * 60 * 1000, /* a large upload over a thin line; stalls are cut much earlier */
};

struct profile {
    char server[256];
    char ca_file[PATH_BYTES];
    char token_file[PATH_BYTES];
};

static const struct conf_setting profile_settings[] = {
    {"server", CONF_STR, offsetof(struct profile, server), 256, 0, 0, NULL,
     "URL of the server, without a path"},
    {"ca_file", CONF_STR, offsetof(struct profile, ca_file), PATH_BYTES, 0, 0, "",
     "PEM file that the server's certificate must chain to; empty: the system's store"},
    {"token_file", CONF_STR, offsetof(struct profile, token_file), PATH_BYTES, 0, 0, NULL,
     "file with the operator token"},
};
static const struct conf_table profile_table = {profile_settings, RW_LEN(profile_settings)};

struct cli_api {
    struct http_client *http;
    struct cli_progress progress;
    char profile[PATH_BYTES];
    char server[256];
    char ca_file[PATH_BYTES]; /* "": the system's store */
    int64_t retry_after_s;    /* of the last answer; -1: none */
};

typedef struct http_client *http_client;

static RW_RC profile_path(const char *given, char path[static PATH_BYTES], struct rw_err *err)
{
    const char *env = getenv("RINGWARD_PROFILE");
    const char *home = getenv("HOME");
    const char *chosen = given != NULL ? given : env;
    if (chosen != NULL && chosen[0] != '\0') {
        return rw_span_to_str(path, PATH_BYTES, rw_span_str(chosen), "profile path", err);
    }
    (void)snprintf(path, PATH_BYTES, "%s/.config/ringward/operator.conf", home == NULL ? "" : home);
    return RW_OK;
}

/* A relative path in the profile is meant from the profile's own folder. */
static RW_RC beside(const char *profile, const char *file, char dst[static PATH_BYTES],
                    struct rw_err *err)
{
    const char *slash = strrchr(profile, '/');
    int n = file[0] == '/' || slash == NULL
                ? snprintf(dst, PATH_BYTES, "%s", file)
                : snprintf(dst, PATH_BYTES, "%.*s/%s", (int)(slash - profile), profile, file);
    if (n < 0 || n >= PATH_BYTES) { return rw_fail(err, RW_E_CONFIG, "path too long: %s", file); }
    return RW_OK;
}

static RW_RC read_token(const char *path, char token[static TOKEN_BYTES_MAX], struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TOKEN_BYTES_MAX - 1);
    RW_TRY(rw_file_read(path, TOKEN_BYTES_MAX - 1, &text, err));
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r')) {
        text.n--;
    }
    return rw_span_to_str(token, TOKEN_BYTES_MAX, rw_buf_span(&text), "token", err);
}

/* "https://host:8443/" is as good as without the slash. */
static void trim_server(char *server)
{
    size_t n = strlen(server);
    while (n > 0 && server[n - 1] == '/') {
        server[--n] = '\0';
    }
}

static RW_RC load_profile(const char *file, struct profile *p, struct rw_err *err)
{
    struct rw_rc rc = conf_load(&profile_table, file, p, err);
    if (rc.code == RW_E_NOT_FOUND) {
        RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "there is no operator profile at %s", file), "hint");
        return rw_hint(err, "give --profile FILE or set RINGWARD_PROFILE; 'ringward-server init' "
                            "writes one as operator.conf");
    }
    RW_TRY(rc);
    trim_server(p->server);
    return RW_OK;
}

static RW_RC connect_to(struct cli_api *api, const struct profile *p, struct rw_err *err)
{
    char ca_file[PATH_BYTES];
    char token_file[PATH_BYTES];
    char token[TOKEN_BYTES_MAX];
    RW_TRY(beside(api->profile, p->ca_file, ca_file, err));
    RW_TRY(beside(api->profile, p->token_file, token_file, err));
    struct rw_rc rc = read_token(token_file, token, err);
    if (!rw_is_ok(rc)) { return rw_wrap(err, "token of profile %s", api->profile); }
    (void)snprintf(api->server, sizeof(api->server), "%s", p->server);
    if (p->ca_file[0] != '\0') {
        (void)snprintf(api->ca_file, sizeof(api->ca_file), "%s", ca_file);
    }
    const struct http_client_options options = {
        .base_url = p->server,
        .ca_file = p->ca_file[0] == '\0' ? NULL : ca_file,
        .token = token,
        .total_ms = TOTAL_MS,
        .on_sent = cli_progress_enabled() ? cli_progress_show : NULL,
        .on_sent_ctx = &api->progress,
    };
    rc = http_client_open(&options, &api->http, err);
    rw_wipe(token, sizeof(token));
    return rc;
}

RW_RC cli_api_open(const char *path, struct cli_api **out, struct rw_err *err)
{
    struct profile p;
    RW_AUTO(cli_api) cli_api api = rw_mem_new(sizeof(*api));
    if (api == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory"); }
    RW_TRY(profile_path(path, api->profile, err));
    RW_TRY(load_profile(api->profile, &p, err));
    RW_TRY(connect_to(api, &p, err));
    *out = RW_STEAL(api);
    return RW_OK;
}

void cli_api_drop(cli_api *api)
{
    if (*api == NULL) { return; }
    http_client_drop(&(*api)->http);
    rw_mem_free(*api);
    *api = NULL;
}

RW_RC cli_api_beside(const struct cli_api *api, const char *name, char *dst, size_t cap,
                     struct rw_err *err)
{
    char path[PATH_BYTES];
    RW_TRY(beside(api->profile, name, path, err));
    return rw_span_to_str(dst, cap, rw_span_str(path), "path beside the profile", err);
}

RW_RC cli_api_cert(const struct cli_api *api, struct rw_wall *not_before_out,
                   struct rw_wall *not_after_out, struct rw_err *err)
{
    struct http_cert cert;
    RW_TRY(http_cert_read(api->server, api->ca_file[0] == '\0' ? NULL : api->ca_file, &cert, err));
    *not_before_out = cert.not_before;
    *not_after_out = cert.not_after;
    return RW_OK;
}

static enum rw_code code_of_name(struct rw_span name, int status)
{
    static const struct named {
        const char *name;
        enum rw_code code;
    } names[] = {
#define RW_ERROR(name, value, retry, http, exit) {#name, RW_E_##name},
#include "common/base/err.def"
#undef RW_ERROR
    };
    for (size_t i = 0; i < RW_LEN(names); i++) {
        if (rw_span_is(name, names[i].name)) { return names[i].code; }
    }
    static const struct plain {
        int status;
        enum rw_code code;
    } plain[] = {{401, RW_E_AUTH},    {403, RW_E_FORBIDDEN}, {404, RW_E_NOT_FOUND},
                 {413, RW_E_TOO_BIG}, {429, RW_E_BUSY},      {503, RW_E_BUSY}};
    for (size_t i = 0; i < RW_LEN(plain); i++) {
        if (plain[i].status == status) { return plain[i].code; }
    }
    return RW_E_HTTP;
}

/* A refusal carries {"error":{"code","text","hint"}}; anything else is told by its status alone. */
static RW_RC refusal(int status, struct rw_span body, struct rw_err *err)
{
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct rw_err unused;
    struct rw_span code = rw_span_of(NULL, 0);
    char text[RW_ERR_TEXT_BYTES] = "";
    char hint[RW_ERR_HINT_BYTES] = "";
    const struct json *error = NULL;
    if (rw_is_ok(json_parse(body, &json_limits_small, &tree, &unused)) &&
        rw_is_ok(json_get(tree, "error", JSON_OBJECT, &error, &unused)) &&
        rw_is_ok(json_get_span(error, "code", &code, &unused)) &&
        rw_is_ok(json_get_str(error, "text", text, sizeof(text), &unused))) {
        RW_IGNORE(json_get_str(error, "hint", hint, sizeof(hint), &unused), "a hint is optional");
        cli_view_clean(text);
        cli_view_clean(hint);
        RW_IGNORE(rw_fail(err, code_of_name(code, status), "%s", text), "hint follows");
        return rw_hint(err, "%s", hint);
    }
    return rw_fail(err, code_of_name(code, status), "the server answered with status %d", status);
}

static RW_RC parse_answer(int status, const struct rw_buf *body, struct json **tree_out,
                          struct rw_err *err)
{
    static const struct json_limits limits = {
        .bytes_max = ANSWER_BYTES_MAX, .nodes_max = 2000000, .depth_max = 16};
    if (status < 200 || status > 299) { return refusal(status, rw_buf_span(body), err); }
    return json_parse(rw_buf_span(body), &limits, tree_out, err);
}

/* Where the server was looked for is half of the answer to "cannot be reached". */
static RW_RC explain_transport(struct cli_api *api, struct rw_rc rc,
                               const struct http_client_answer *answer, struct rw_err *err)
{
    api->retry_after_s = rw_is_ok(rc) ? answer->retry_after_s : -1;
    if (rc.code != RW_E_NET) { return rc; }
    return rw_hint(err, "is the server running? server and ca_file stand in %.90s", api->profile);
}

RW_RC cli_api_get(struct cli_api *api, const char *path, struct json **tree_out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(ANSWER_BYTES_MAX);
    struct http_client_answer answer;
    struct rw_rc rc = http_client_get(api->http, path, NULL, ANSWER_BYTES_MAX, &body, &answer, err);
    RW_TRY(explain_transport(api, rc, &answer, err));
    return parse_answer(answer.status, &body, tree_out, err);
}

static RW_RC post(struct cli_api *api, const char *path, const char *type, struct rw_span bytes,
                  struct json **tree_out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(ANSWER_BYTES_MAX);
    struct http_client_answer answer;
    struct rw_rc rc =
        http_client_post(api->http, path, type, bytes, ANSWER_BYTES_MAX, &body, &answer, err);
    RW_TRY(explain_transport(api, rc, &answer, err));
    return parse_answer(answer.status, &body, tree_out, err);
}

RW_RC cli_api_post(struct cli_api *api, const char *path, struct rw_span json_body,
                   struct json **tree_out, struct rw_err *err)
{
    return post(api, path, "application/json", json_body, tree_out, err);
}

RW_RC cli_api_upload(struct cli_api *api, const char *path, struct rw_span bytes,
                     struct json **tree_out, struct rw_err *err)
{
    const char *slash = strrchr(path, '/');
    api->progress.what = slash == NULL ? NULL : slash + 1;
    struct rw_rc rc = post(api, path, "application/octet-stream", bytes, tree_out, err);
    cli_progress_end(&api->progress);
    return rc;
}

int64_t cli_api_retry_after_s(const struct cli_api *api)
{
    return api->retry_after_s;
}

RW_RC cli_api_download(struct cli_api *api, const char *path, size_t max, struct rw_buf *into,
                       struct rw_err *err)
{
    struct http_client_answer answer;
    struct rw_rc rc = http_client_get(api->http, path, NULL, max, into, &answer, err);
    RW_TRY(explain_transport(api, rc, &answer, err));
    if (answer.status != 200) { return refusal(answer.status, rw_buf_span(into), err); }
    return RW_OK;
}
