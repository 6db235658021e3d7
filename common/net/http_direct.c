/* The engine within this process; the only file besides http_cert.c that knows libcurl. */
#include "common/net/http_engine.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>

enum {
    CONNECT_MS = 10000,
    STALL_BYTES_PER_S = 64,
    STALL_S = 20,
    RATE_BUFFER_MIN = 1024,
    RATE_BUFFER_MAX = 16384,
};

struct http_engine {
    CURL *curl;        /* NULL before the first request */
    bool needs_bundle; /* the folder of the system's store did not do */
};

/* One exchange as libcurl's callbacks see it. */
struct running {
    const struct http_exchange *x;
    CURL *curl;
    bool store_folder; /* trust what the folder of the system's store holds, without its bundle */
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_setup(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

RW_RC http_engine_open(const char *program, struct http_share *share, struct http_engine **out,
                       struct rw_err *err)
{
    (void)program;
    (void)share;
    (void)pthread_once(&curl_once, curl_setup);
    struct http_engine *e = rw_mem_new(sizeof(*e));
    if (e == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for an HTTP client"); }
    *out = e;
    return RW_OK;
}

void http_engine_drop(struct http_engine **e)
{
    if (*e == NULL) { return; }
    curl_easy_cleanup((*e)->curl);
    rw_mem_free(*e);
    *e = NULL;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    const struct running *r = ctx;
    size_t n = size * count; /* libcurl: size is always 1 */
    long status = 0;
    (void)curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
    return r->x->on_body(r->x->ctx, (int)status, rw_span_of(data, n)) ? n : 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    const struct running *r = ctx;
    r->x->on_header(r->x->ctx, rw_span_of(data, size * count));
    return size * count;
}

static int on_progress(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    const struct running *r = ctx;
    (void)down_total;
    (void)down;
    if (up_total > 0) { r->x->on_sent(r->x->on_sent_ctx, up, up_total); }
    return 0;
}

/* libcurl looks at the rate after each hundred buffers: with small ones a burst is worth a second, not megabytes. */
static void set_rate(CURL *c, int64_t bytes_per_s)
{
    int64_t buffer = bytes_per_s / 100;
    if (buffer < RATE_BUFFER_MIN) { buffer = RATE_BUFFER_MIN; }
    if (buffer > RATE_BUFFER_MAX) { buffer = RATE_BUFFER_MAX; }
    (void)curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)buffer);
    (void)curl_easy_setopt(c, CURLOPT_MAX_RECV_SPEED_LARGE, (curl_off_t)bytes_per_s);
}

/* Of the system's store the folder is looked into for the one certificate that is wanted; its bundle is parsed whole,
 * which takes longer than all the rest of a request. */
static void set_trust(CURL *c, const struct running *r)
{
    if (r->x->ca_file != NULL) {
        (void)curl_easy_setopt(c, CURLOPT_CAINFO, r->x->ca_file);
    } else if (r->store_folder) {
        (void)curl_easy_setopt(c, CURLOPT_CAINFO, NULL);
    }
}

static void set_common(CURL *c, struct running *r, char *detail, struct curl_slist *headers)
{
    const struct http_exchange *x = r->x;
    uint64_t max = x->answer_bytes_max;
    curl_easy_reset(c); /* keeps connections, sessions and caches */
    (void)curl_easy_setopt(c, CURLOPT_URL, x->url);
    (void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    set_trust(c, r);
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    if (x->proxy != NULL) { (void)curl_easy_setopt(c, CURLOPT_PROXY, x->proxy); }
    (void)curl_easy_setopt(c, CURLOPT_NOPROXY, x->no_proxy);
    (void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_PER_S);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
    (void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)x->total_ms);
    (void)curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE,
                           (curl_off_t)(max > INT64_MAX ? INT64_MAX : max));
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
    (void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(c, CURLOPT_HEADERDATA, r);
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
    (void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
}

static void set_body(CURL *c, struct running *r)
{
    if (r->x->body.p == NULL) { return; }
    (void)curl_easy_setopt(c, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->x->body.p);
    (void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->x->body.n);
    if (r->x->on_sent == NULL) { return; }
    (void)curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(c, CURLOPT_XFERINFODATA, r);
}

static void fail(struct http_outcome *out, enum rw_code code, const char *text)
{
    out->code = code;
    (void)snprintf(out->text, sizeof(out->text), "%s", text);
}

/* "Expect:" keeps libcurl from asking first. False: no memory. */
static bool add_headers(const struct http_exchange *x, struct curl_slist **list)
{
    struct curl_slist *grown = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; grown != NULL; i++) {
        *list = grown;
        if (i == x->header_count) { return true; }
        grown = curl_slist_append(*list, x->headers[i]);
    }
    return false;
}

static CURLcode run(struct running *r, char *detail, struct curl_slist *headers)
{
    set_common(r->curl, r, detail, headers);
    if (r->x->receive_bytes_per_s > 0) { set_rate(r->curl, r->x->receive_bytes_per_s); }
    set_body(r->curl, r);
    return curl_easy_perform(r->curl);
}

void http_engine_perform(struct http_engine *e, const struct http_exchange *x,
                         struct http_outcome *out)
{
    char detail[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    long status = 0;
    *out = (struct http_outcome){.code = RW_E_NONE};
    if (e->curl == NULL) { e->curl = curl_easy_init(); }
    if (e->curl == NULL || !add_headers(x, &headers)) {
        curl_slist_free_all(headers);
        fail(out, RW_E_NOMEM, "no memory for a request");
        return;
    }
    struct running r = {
        .x = x, .curl = e->curl, .store_folder = x->ca_file == NULL && !e->needs_bundle};
    CURLcode code = run(&r, detail, headers);
    if (code == CURLE_PEER_FAILED_VERIFICATION && r.store_folder) {
        /* A host may keep the bundle alone. Nothing was sent yet. */
        e->needs_bundle = true;
        r.store_folder = false;
        code = run(&r, detail, headers);
    }
    (void)curl_easy_getinfo(e->curl, CURLINFO_RESPONSE_CODE, &status);
    out->status = (int)status;
    if (code == CURLE_FILESIZE_EXCEEDED) {
        fail(out, RW_E_TOO_BIG, "the answer is longer than allowed");
    } else if (code != CURLE_OK) {
        fail(out, code == CURLE_OPERATION_TIMEDOUT ? RW_E_TIMEOUT : RW_E_NET,
             detail[0] != '\0' ? detail : curl_easy_strerror(code));
    }
    /* The handle outlives what is on this stack. */
    curl_easy_reset(e->curl);
    curl_slist_free_all(headers);
}
