#include "tests/fleet/fleet_options.h"

#include "common/base/file.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum {
    CONNECTIONS_BY_DEFAULT = 256,
    ENROL_CONNECTIONS_MAX = 256,
    TIMEOUT_MS_BY_DEFAULT = 60 * 1000,
    TIMEOUT_MS_MAX = 3600 * 1000,
};

void fleet_options_fill(struct fleet_options *o, struct opt rows[static FLEET_OPTIONS_SHARED])
{
    const struct opt all[FLEET_OPTIONS_SHARED] = {
        {"server", "URL", "https://host:port or http://host:port (required)", &o->server, NULL},
        {"dir", "DIR",
         "directory of the server: root.json, tls/ca.pem, tokens/enrol.token "
         "(required)",
         &o->dir, NULL},
        {"endpoints", "N", "how many endpoints there are", &o->endpoints, NULL},
        {"connections", "N", "kept connections that they share (default: 256)", &o->connections,
         NULL},
        {"own-connections", NULL, "one connection for each endpoint instead", NULL, &o->own},
        {"seed", "N", "the same number gives the same endpoints (default: 1)", &o->seed, NULL},
        {"family", "NAME", "content family (default: yara)", &o->family, NULL},
        {"timeout", "DURATION", "an answer that takes longer is lost (default: 60s)", &o->timeout,
         NULL},
        {"output", "FORMAT", "table or json (default: table)", &o->output, NULL},
    };
    rw_copy(rows, sizeof(all), all, sizeof(all));
}

RW_RC fleet_options_number(const char *text, const char *name, int64_t max, int64_t otherwise,
                           int64_t *out, struct rw_err *err)
{
    if (text == NULL) {
        *out = otherwise;
        return RW_OK;
    }
    if (!rw_is_ok(rw_parse_i64(rw_span_str(text), 0, max, name, out, err))) {
        return rw_fail(err, RW_E_USAGE, "--%s: '%.40s' is no number up to %lld", name, text,
                       (long long)max);
    }
    return RW_OK;
}

static RW_RC read_shared(const struct fleet_options *o, int64_t endpoints, struct fleet_setup *s,
                         struct rw_err *err)
{
    int64_t connections = 0;
    if (o->server == NULL || o->dir == NULL) {
        return rw_fail(err, RW_E_USAGE, "--server and --dir are required");
    }
    RW_TRY(fleet_options_number(o->connections, "connections", FLEET_HTTP_CONNECTIONS_MAX,
                                o->own ? endpoints : CONNECTIONS_BY_DEFAULT, &connections, err));
    if (o->own && connections != endpoints) {
        return rw_fail(err, RW_E_USAGE, "--own-connections: leave --connections out");
    }
    if (connections < 1 || endpoints < 1) {
        return rw_fail(err, RW_E_USAGE, "at least one endpoint and one connection");
    }
    if (o->output != NULL && strcmp(o->output, "json") != 0 && strcmp(o->output, "table") != 0) {
        return rw_fail(err, RW_E_USAGE, "--output: '%.40s' is not table or json", o->output);
    }
    s->json = o->output != NULL && strcmp(o->output, "json") == 0;
    s->http = (struct fleet_http_options){.url = o->server,
                                          .ca_file = s->ca_file,
                                          .connections = (unsigned)connections,
                                          .own = o->own,
                                          .timeout_ms = TIMEOUT_MS_BY_DEFAULT};
    (void)snprintf(s->ca_file, sizeof(s->ca_file), "%.4000s/tls/ca.pem", o->dir);
    if (o->timeout == NULL) { return RW_OK; }
    return rw_parse_duration_ms(rw_span_str(o->timeout), TIMEOUT_MS_MAX, "--timeout",
                                &s->http.timeout_ms, err);
}

static RW_RC open_view(const struct fleet_options *o, struct fleet_setup *s, struct rw_err *err)
{
    char root[FLEET_OPTIONS_PATH_BYTES];
    (void)snprintf(root, sizeof(root), "%.4000s/root.json", o->dir);
    const struct fleet_view_options view = {.url = o->server,
                                            .ca_file = s->ca_file,
                                            .root_file = root,
                                            .family = o->family == NULL ? "yara" : o->family,
                                            .platform = "linux-x86_64"};
    return fleet_view_open(&view, &s->view, err);
}

static RW_RC enrol(const struct fleet_options *o, int64_t endpoints, struct fleet_setup *s,
                   struct rw_err *err)
{
    char path[FLEET_OPTIONS_PATH_BYTES];
    int64_t seed = 0;
    RW_AUTO(rw_buf) struct rw_buf token = rw_buf_make(FLEET_BOOK_TOKEN_BYTES);
    (void)snprintf(path, sizeof(path), "%.4000s/tokens/enrol.token", o->dir);
    RW_TRY(fleet_options_number(o->seed, "seed", RW_JSON_INT_MAX, 1, &seed, err));
    RW_TRY(rw_file_read(path, FLEET_BOOK_TOKEN_BYTES, &token, err));
    RW_TRY(fleet_book_open((size_t)endpoints, seed, rw_buf_span(&token), &s->book, err));
    struct fleet_http_options http = s->http;
    http.own = false;
    if (http.connections > ENROL_CONNECTIONS_MAX) { http.connections = ENROL_CONNECTIONS_MAX; }
    return fleet_enrol_run(s->base, &http, &s->book, &s->enrol, err);
}

RW_RC fleet_setup_open(const struct fleet_options *o, int64_t endpoints, struct fleet_setup *out,
                       struct rw_err *err)
{
    *out = (struct fleet_setup){.base = NULL};
    RW_TRY(read_shared(o, endpoints, out, err));
    out->base = event_base_new();
    if (out->base == NULL) { return rw_fail(err, RW_E_NOMEM, "no event loop"); }
    struct rw_rc rc = open_view(o, out, err);
    if (rw_is_ok(rc)) { rc = enrol(o, endpoints, out, err); }
    if (!rw_is_ok(rc)) { fleet_setup_drop(out); }
    return rc;
}

void fleet_setup_drop(struct fleet_setup *s)
{
    fleet_view_drop(&s->view);
    fleet_book_drop(&s->book);
    if (s->base != NULL) { event_base_free(s->base); }
    s->base = NULL;
}

double fleet_options_cpu_s(void)
{
    struct rusage used = {0};
    (void)getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}
