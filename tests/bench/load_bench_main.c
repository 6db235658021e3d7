/* load_bench: clients of a server on this host, for scripts/bench server: handshakes, and requests with a body.
 *
 * Usage: load_bench hands PORT SECONDS full|resumed
 *        load_bench post PORT[,PORT...] SECONDS CONNECTIONS RATE PATH BODY TOKENS
 * hands: as many connections one after the other as go, each with one request and an orderly end.
 * post: CONNECTIONS kept connections, to the ports in turns. RATE 0: each sends its next request when it has its
 * answer. Otherwise so many requests a second are due by the clock, however late answers are, and latency counts from
 * when one was due.
 * When all are connected it says "ready" and waits for a line on standard input, so that handshakes can be kept out of
 * what is measured. BODY and TOKENS are files: the first "@ID@" of the body becomes hex digits that never come again;
 * each request takes the next token. Prints one JSON object. TLS without verification: the server is one's own.
 */
#include "common/base/file.h"
#include "common/base/num.h"
#include "common/crypto/digest.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 1024,
    PORTS_MAX = 16,
    SECONDS_MAX = 60,
    RATE_MAX = 100000,
    SAMPLES_MAX = 65536, /* per connection; later ones replace the first */
    REPLY_BYTES = 65536,
    REQUEST_BYTES = 8192,
    FILE_BYTES_MAX = 64 * 1024 * 1024,
    STACK_BYTES = 512 * 1024,
    ID_HEX = 32,
};

static struct rw_err err;
static SSL_CTX *tls;
static int ports[PORTS_MAX];
static size_t port_count;
static int64_t begin_ns, end_ns;
static pthread_barrier_t connected, started;

static void must(struct rw_rc rc)
{
    if (rw_is_ok(rc)) { return; }
    (void)fprintf(stderr, "load_bench: %s\n", err.text);
    exit(1);
}

static void usage(void)
{
    (void)fprintf(stderr, "load_bench: see the comment at the top of its source\n");
    exit(2);
}

static int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* --- one connection --- */

static SSL *dial(size_t connection, SSL_SESSION *session)
{
    int port = ports[connection % port_count];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SSL *ssl = SSL_new(tls);
    if (fd < 0 || ssl == NULL) { return NULL; }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (session != NULL) { (void)SSL_set_session(ssl, session); }
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 || SSL_set_fd(ssl, fd) != 1 ||
        SSL_connect(ssl) != 1) {
        SSL_free(ssl);
        (void)close(fd);
        return NULL;
    }
    return ssl;
}

static void hang_up(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    (void)close(fd);
}

/* Sends a request and reads the reply whole; *close_out: the server said that it ends the connection. */
static int ask(SSL *ssl, struct rw_span request, bool *close_out)
{
    char reply[REPLY_BYTES];
    size_t have = 0;
    if (SSL_write(ssl, request.p, (int)request.n) != (int)request.n) { return 0; }
    for (;;) {
        int n = SSL_read(ssl, reply + have, (int)(sizeof(reply) - 1 - have));
        if (n <= 0) { return 0; }
        have += (size_t)n;
        reply[have] = '\0';
        char *head_end = strstr(reply, "\r\n\r\n");
        if (head_end == NULL) { continue; }
        int64_t length = 0;
        const char *at = strcasestr(reply, "\r\nContent-Length: ");
        if (at != NULL && at < head_end) {
            struct rw_span digits = {(const uint8_t *)at + 18, strspn(at + 18, "0123456789")};
            must(rw_parse_i64(digits, 0, REPLY_BYTES, "length", &length, &err));
        }
        if (have < (size_t)(head_end + 4 - reply) + (size_t)length) { continue; }
        at = strcasestr(reply, "\r\nConnection: close");
        *close_out = at != NULL && at < head_end;
        /* A permit that is not granted costs less than one that is. */
        const char *decision = strstr(reply, "\"decision\":");
        bool refused =
            decision != NULL && !rw_span_starts(rw_span_str(decision + 11), "\"granted\"");
        return memcmp(reply, "HTTP/1.1 200 ", 13) == 0 && !refused ? 200 : 1;
    }
}

/* --- handshakes --- */

static void hands(bool resumed)
{
    static const char request[] =
        "GET /repo/metadata/timestamp.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    SSL_SESSION *session = NULL;
    size_t done = 0, reused = 0, failed = 0;
    while (now_ns() < end_ns) {
        bool unused = false;
        SSL *ssl = dial(0, session);
        if (ssl == NULL || ask(ssl, rw_span_str(request), &unused) != 200) {
            failed++;
            if (failed > 100) { break; }
            if (ssl != NULL) { hang_up(ssl); }
            continue;
        }
        done++;
        reused += SSL_session_reused(ssl) == 1;
        if (resumed) {
            SSL_SESSION_free(session);
            session = SSL_get1_session(ssl); /* the ticket came in front of the reply */
        }
        (void)SSL_shutdown(ssl);
        hang_up(ssl);
    }
    SSL_SESSION_free(session);
    printf("{\"done\": %zu, \"resumed\": %zu, \"failed\": %zu}\n", done, reused, failed);
}

/* --- requests with a body --- */

static struct {
    const char *path;
    int64_t connections, rate;
    struct rw_buf body, tokens;
    size_t token_count, token_bytes; /* lines of one length */
} plan;

struct client {
    pthread_t thread;
    size_t number, done, failed;
    uint32_t *took_us; /* SAMPLES_MAX */
    uint64_t ids;
};

/* Unlike any other of this run and of runs before: the first half is random per client. */
static void put_id(struct client *c, char *at)
{
    char text[ID_HEX + 1];
    c->ids += UINT64_C(0x9E3779B97F4A7C15);
    (void)snprintf(text, sizeof(text), "%016llx%08zx%08llx", (unsigned long long)c->ids, c->number,
                   (unsigned long long)(c->ids >> 32));
    rw_copy(at, ID_HEX, text, ID_HEX);
}

/* Everything but token and id is written once: *token_out and *id_out (NULL: none) say where they go. */
static struct rw_span make_request(char *into, char **token_out, char **id_out)
{
    const char *body = rw_buf_str(&plan.body);
    const char *mark = strstr(body, "@ID@");
    size_t n = plan.body.n + (mark == NULL ? 0 : ID_HEX - 4);
    int head = snprintf(into, REQUEST_BYTES,
                        "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\nAuthorization: Bearer ",
                        plan.path, n);
    if (head < 0 || (size_t)head + plan.token_bytes + 4 + n > REQUEST_BYTES) { usage(); }
    char *at = into + head;
    *token_out = at;
    at += plan.token_bytes;
    rw_copy(at, 4, "\r\n\r\n", 4);
    at += 4;
    *id_out = mark == NULL ? NULL : at + (mark - body);
    size_t front = mark == NULL ? plan.body.n : (size_t)(mark - body);
    rw_copy(at, REQUEST_BYTES, body, front);
    if (mark != NULL) { rw_copy(at + front + ID_HEX, REQUEST_BYTES, mark + 4, strlen(mark + 4)); }
    return rw_span_of(into, (size_t)(at + n - into));
}

static void wait_until(int64_t due_ns)
{
    const struct timespec t = {due_ns / 1000000000, due_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0) {}
}

static void *drive(void *arg)
{
    struct client *c = arg;
    char request[REQUEST_BYTES];
    char *token_at = NULL, *id_at = NULL;
    struct rw_span bytes = make_request(request, &token_at, &id_at);
    SSL *ssl = dial(c->number, NULL);
    (void)pthread_barrier_wait(&connected);
    (void)pthread_barrier_wait(&started);
    for (size_t i = 0;; i++) {
        size_t turn = c->number + i * (size_t)plan.connections;
        int64_t from = now_ns();
        if (plan.rate > 0) {
            from = begin_ns + (int64_t)turn * 1000000000 / plan.rate;
            if (from < end_ns) { wait_until(from); }
        }
        if (from >= end_ns) { break; }
        const uint8_t *token = plan.tokens.p + turn % plan.token_count * (plan.token_bytes + 1);
        rw_copy(token_at, plan.token_bytes, token, plan.token_bytes);
        if (id_at != NULL) { put_id(c, id_at); }
        bool ends = false;
        if (ssl == NULL) { ssl = dial(c->number, NULL); }
        bool good = ssl != NULL && ask(ssl, bytes, &ends) == 200;
        c->failed += !good;
        if (good) {
            c->took_us[c->done % SAMPLES_MAX] = (uint32_t)((now_ns() - from) / 1000);
            c->done++;
        }
        if (ssl != NULL && (!good || ends)) {
            hang_up(ssl);
            ssl = NULL;
        }
    }
    if (ssl != NULL) { hang_up(ssl); }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void report(const struct client *clients)
{
    size_t done = 0, failed = 0, n = 0;
    uint32_t *all = rw_mem_new_array((size_t)plan.connections * SAMPLES_MAX, sizeof(*all));
    if (all == NULL) { exit(1); }
    for (int64_t i = 0; i < plan.connections; i++) {
        const struct client *c = &clients[i];
        done += c->done;
        failed += c->failed;
        for (size_t k = 0; k < c->done && k < SAMPLES_MAX; k++) {
            all[n++] = c->took_us[k];
        }
    }
    if (n > 0) { qsort(all, n, sizeof(*all), by_value); }
    printf("{\"done\": %zu, \"failed\": %zu, \"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u}\n",
           done, failed, n > 0 ? all[n / 2] : 0, n > 0 ? all[n * 99 / 100] : 0,
           n > 0 ? all[n - 1] : 0);
    rw_mem_free(all);
}

static void load(const char *body_file, const char *tokens_file)
{
    plan.body = rw_buf_make(REQUEST_BYTES);
    plan.tokens = rw_buf_make(FILE_BYTES_MAX);
    must(rw_file_read(body_file, REQUEST_BYTES, &plan.body, &err));
    must(rw_file_read(tokens_file, FILE_BYTES_MAX, &plan.tokens, &err));
    plan.token_bytes = strcspn(rw_buf_str(&plan.tokens), "\n");
    plan.token_count = plan.tokens.n / (plan.token_bytes + 1);
    if (plan.token_count == 0 || plan.tokens.n % (plan.token_bytes + 1) != 0) { usage(); }
}

static void post(int64_t seconds)
{
    pthread_attr_t attr;
    struct client *clients = rw_mem_new_array((size_t)plan.connections, sizeof(*clients));
    if (clients == NULL) { exit(1); }
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    (void)pthread_barrier_init(&connected, NULL, (unsigned)plan.connections + 1);
    (void)pthread_barrier_init(&started, NULL, (unsigned)plan.connections + 1);
    for (int64_t i = 0; i < plan.connections; i++) {
        struct client *c = &clients[i];
        c->number = (size_t)i;
        c->took_us = rw_mem_new_array(SAMPLES_MAX, sizeof(*c->took_us));
        must(digest_random((uint8_t *)&c->ids, sizeof(c->ids), &err));
        if (c->took_us == NULL || pthread_create(&c->thread, &attr, drive, c) != 0) { exit(1); }
    }
    (void)pthread_barrier_wait(&connected);
    printf("ready\n");
    (void)fflush(stdout);
    (void)getchar();
    begin_ns = now_ns();
    end_ns = begin_ns + seconds * 1000000000;
    (void)pthread_barrier_wait(&started);
    for (int64_t i = 0; i < plan.connections; i++) {
        (void)pthread_join(clients[i].thread, NULL);
    }
    report(clients);
    for (int64_t i = 0; i < plan.connections; i++) {
        rw_mem_free(clients[i].took_us);
    }
    rw_mem_free(clients);
}

static int64_t number(struct rw_span text, int64_t min, int64_t max)
{
    int64_t n = 0;
    must(rw_parse_i64(text, min, max, "argument", &n, &err));
    return n;
}

static void read_ports(const char *text)
{
    for (;; text++) {
        size_t n = strcspn(text, ",");
        if (port_count == PORTS_MAX) { usage(); }
        ports[port_count++] = (int)number(rw_span_of(text, n), 1, 65535);
        text += n;
        if (*text == '\0') { return; }
    }
}

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 9) { usage(); }
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    read_ports(argv[2]);
    int64_t seconds = number(rw_span_str(argv[3]), 1, SECONDS_MAX);
    tls = SSL_CTX_new(TLS_client_method());
    if (tls == NULL || SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1) { exit(1); }
    begin_ns = now_ns();
    if (strcmp(argv[1], "hands") == 0 && argc == 5) {
        end_ns = begin_ns + seconds * 1000000000;
        hands(strcmp(argv[4], "resumed") == 0);
        return 0;
    }
    if (strcmp(argv[1], "post") != 0 || argc != 9) { usage(); }
    plan.connections = number(rw_span_str(argv[4]), 1, CONNECTIONS_MAX);
    plan.rate = number(rw_span_str(argv[5]), 0, RATE_MAX);
    plan.path = argv[6];
    load(argv[7], argv[8]);
    post(seconds);
    return 0;
}
