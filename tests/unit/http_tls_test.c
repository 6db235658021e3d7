/* Goal: over TLS everything is as without, and what is not TLS, or too old, gets nothing. */
#include "server/api/http_tls.h"
#include "tests/unit/http_fixture.h"

#include <dlfcn.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdatomic.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"

static char dir[64];
static char cert_file[96];
static char key_file[96];
static char other_key_file[96];

/* --- one accept without memory: libevent's own, from its first allocation on --- */
static atomic_bool no_memory_next;
static _Thread_local bool no_memory;
static atomic_uint sessions_freed;

static void *scarce_new(size_t n)
{
    return no_memory ? NULL : rw_mem_new(n);
}

static void *scarce_grow(void *p, size_t n)
{
    return no_memory ? NULL : rw_mem_grow(p, n, 1);
}

/* Stands before libevent's, and calls it. */
struct bufferevent *bufferevent_openssl_socket_new(struct event_base *base, evutil_socket_t fd,
                                                   struct ssl_st *ssl,
                                                   enum bufferevent_ssl_state state, int options)
{
    __typeof__(&bufferevent_openssl_socket_new) real = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "bufferevent_openssl_socket_new");
    assert_non_null(real);
    no_memory = atomic_exchange(&no_memory_next, false);
    struct bufferevent *bev = real(base, fd, ssl, state, options);
    no_memory = false;
    /* Also keeps the linker from leaving the library out. */
    assert_true(bev == NULL || bufferevent_openssl_get_ssl(bev) == ssl);
    return bev;
}

/* NOLINTNEXTLINE(readability-function-size): as OpenSSL declares it */
static void count_freed(void *parent, void *p, CRYPTO_EX_DATA *data, int index, long number,
                        void *arg)
{
    (void)parent;
    (void)p;
    (void)data;
    (void)index;
    (void)number;
    (void)arg;
    atomic_fetch_add(&sessions_freed, 1);
}

static EVP_PKEY *write_key(const char *path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *f = fopen(path, "w");
    assert_non_null(key);
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    (void)fclose(f);
    return key;
}

static int make_cert(void **state)
{
    (void)state;
    event_set_mem_functions(scarce_new, scarce_grow, rw_mem_free); /* before libevent is used */
    (void)snprintf(dir, sizeof(dir), "/tmp/ringward-tls-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(cert_file, sizeof(cert_file), "%s/cert.pem", dir);
    (void)snprintf(key_file, sizeof(key_file), "%s/key.pem", dir);
    (void)snprintf(other_key_file, sizeof(other_key_file), "%s/other.pem", dir);
    EVP_PKEY_free(write_key(other_key_file));
    EVP_PKEY *key = write_key(key_file);
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    (void)X509_set_version(cert, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    (void)X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1,
                                     -1, 0);
    (void)X509_set_issuer_name(cert, name);
    (void)X509_set_pubkey(cert, key);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    FILE *f = fopen(cert_file, "w");
    assert_int_equal(PEM_write_X509(f, cert), 1);
    (void)fclose(f);
    X509_free(cert);
    EVP_PKEY_free(key);
    return 0;
}

static int remove_cert(void **state)
{
    (void)state;
    return remove(cert_file) + remove(key_file) + remove(other_key_file) + remove(dir);
}

static struct http_settings tls_settings(void)
{
    struct http_settings s = rig_settings();
    s.cert_file = cert_file;
    s.key_file = key_file;
    return s;
}

static void tls_start(struct rig *rig, struct http_settings s)
{
    rig_start(rig, s);
    rig->tls = SSL_CTX_new(TLS_client_method());
    assert_non_null(rig->tls);
}

static void small_and_large(struct rig *rig)
{
    static struct answer a;
    struct client *c = client_open(rig);
    client_send(c, GET("/healthz") GET("/v1/large") GET("/v1/params/a/b"));
    client_read(c, &a, false);
    assert_string_equal(a.body, "{\"ok\":true}");
    client_read(c, &a, false);
    assert_int_equal(a.body_bytes, LARGE_BYTES);
    assert_int_equal(a.wrong, 0);
    client_read(c, &a, false);
    assert_string_equal(a.body, "a|b||127.0.0.1");
    client_close(c);
}

static const struct version_case {
    const char *id;
    int version;
} version_cases[] = {{"TLS 1.2", TLS1_2_VERSION}, {"TLS 1.3", TLS1_3_VERSION}};

TEST_EACH(requests_are_served_over_tls, version_cases)
{
    struct rig rig = {.repo_dir = -1};
    tls_start(&rig, tls_settings());
    (void)SSL_CTX_set_max_proto_version(rig.tls, it->version);
    (void)SSL_CTX_set_min_proto_version(rig.tls, it->version);
    small_and_large(&rig);
    rig_wait_open(&rig, 0);
    rig_stop(&rig);
}

/* Records of 16 KiB and a body that is far longer than the input buffer: nothing may get stuck in OpenSSL. */
TEST(a_large_body_arrives_over_tls)
{
    struct rig rig = {.repo_dir = -1};
    struct rw_err err = {0};
    static struct answer a;
    char want[DIGEST_HEX_BYTES];
    tls_start(&rig, tls_settings());
    struct client *c = client_open(&rig);
    uint8_t *bytes = rw_mem_new(UPLOAD_MAX);
    MUST(digest_sha256_hex(rw_span_of(bytes, UPLOAD_MAX), want, &err));
    client_send(c, "POST /v1/upload HTTP/1.1\r\nHost: t\r\nContent-Length: 4194304\r\n"
                   "Authorization: Bearer " PUBLISHER "\r\n\r\n");
    client_send_bytes(c, bytes, UPLOAD_MAX);
    client_read(c, &a, false);
    assert_int_equal(a.status, 201);
    assert_string_equal(a.body, want);
    client_close(c);
    rw_mem_free(bytes);
    rig_stop(&rig);
}

/* The input has its fill while the core works; afterwards what OpenSSL has decrypted already must be seen. */
TEST(requests_sent_ahead_over_tls_are_held_back_not_lost)
{
    enum { MANY = 900 };
    struct rig rig = {.repo_dir = -1};
    static struct answer a;
    tls_start(&rig, tls_settings());
    struct client *c = client_open(&rig);
    client_send(c, GET("/v1/hold"));
    core_wait_held(&rig.core, 1);
    struct rw_err err = {0};
    struct rw_buf many = rw_buf_make(100000);
    for (int i = 0; i < MANY; i++) {
        MUST(rw_buf_append_str(&many, GET("/healthz"), &err));
    }
    client_send_bytes(c, many.p, many.n);
    core_release(&rig.core);
    for (int i = 0; i <= MANY; i++) {
        client_read(c, &a, false);
        assert_string_equal(a.body, i == 0 ? "held" : "{\"ok\":true}");
    }
    rw_buf_drop(&many);
    client_close(c);
    rig_stop(&rig);
}

static const struct transport_case {
    const char *id;
    bool tls;
} transport_cases[] = {{"plain", false}, {"TLS", true}};

/* Replies that go straight to the socket find it full, again and again. */
TEST_EACH(replies_to_a_client_that_reads_late_arrive_whole_and_in_order, transport_cases)
{
    enum { MANY = 200, BYTES = 12000 };
    static struct answer a;
    static char text[BYTES + 1];
    struct rig rig = {.repo_dir = -1};
    struct rw_err err = {0};
    char path[96];
    struct http_settings s = it->tls ? tls_settings() : rig_settings();
    (void)snprintf(path, sizeof(path), "%s/metadata", dir);
    MUST(rw_dir_make(path, 0700, &err));
    for (size_t i = 0; i < BYTES; i++) {
        text[i] = (char)('a' + i % 26);
    }
    (void)snprintf(path, sizeof(path), "%s/metadata/1.x.json", dir);
    MUST(rw_file_replace(path, 0600, rw_span_str(text), &err));
    MUST(rw_dir_open(dir, &s.repo_dir, &err));
    if (it->tls) {
        tls_start(&rig, s);
    } else {
        rig_start(&rig, s);
    }
    struct client *c = client_on(&rig, connect_narrow(&rig));
    for (int i = 0; i < MANY; i++) {
        client_send(c, i % 2 == 0 ? GET("/repo/metadata/1.x.json") : GET("/healthz"));
    }
    for (int i = 0; i < MANY; i++) {
        client_read(c, &a, false);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.body, i % 2 == 0 ? text : "{\"ok\":true}");
    }
    client_close(c);
    rig_stop(&rig);
    (void)close(s.repo_dir);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof(path), "%s/metadata", dir);
    assert_int_equal(rmdir(path), 0);
}

TEST(the_end_of_a_reply_is_an_orderly_end)
{
    struct rig rig = {.repo_dir = -1};
    static struct answer a;
    tls_start(&rig, tls_settings());
    struct client *c = client_open(&rig);
    client_send(c, "GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    client_read(c, &a, false);
    char byte = 0;
    client_wait(c, POLLIN);
    int got = SSL_read(c->ssl, &byte, 1);
    assert_int_equal(SSL_get_error(c->ssl, got), SSL_ERROR_ZERO_RETURN); /* close_notify came */
    client_close(c);
    rig_stop(&rig);
}

TEST(a_refused_upload_over_tls_still_reads_the_answer)
{
    struct rig rig = {.repo_dir = -1};
    static struct answer a;
    tls_start(&rig, tls_settings());
    struct client *c = client_open(&rig);
    uint8_t *bytes = rw_mem_new(200000);
    client_send(c, "POST /v1/upload HTTP/1.1\r\nHost: t\r\nContent-Length: 4000000\r\n\r\n");
    client_send_bytes(c, bytes, 200000);
    client_read(c, &a, false);
    assert_int_equal(a.status, 401);
    client_close(c);
    rw_mem_free(bytes);
    rig_wait_open(&rig, 0);
    rig_stop(&rig);
}

static const struct alpn_case {
    const char *id;
    const unsigned char *offer;
    unsigned n;
    bool good;
} alpn_cases[] = {
    {"ours among others", (const unsigned char *)"\x02h2\x08http/1.1", 12, true},
    {"only others", (const unsigned char *)"\x02h2", 3, false},
};

TEST_EACH(alpn_chooses_http_1_1_or_refuses, alpn_cases)
{
    struct rig rig = {.repo_dir = -1};
    tls_start(&rig, tls_settings());
    SSL *ssl = SSL_new(rig.tls);
    int fd = connect_to(&rig);
    assert_int_equal(SSL_set_alpn_protos(ssl, it->offer, it->n), 0);
    (void)SSL_set_fd(ssl, fd);
    assert_int_equal(SSL_connect(ssl) == 1, it->good);
    if (it->good) {
        const unsigned char *chosen = NULL;
        unsigned n = 0;
        SSL_get0_alpn_selected(ssl, &chosen, &n);
        assert_int_equal(n, 8);
        assert_memory_equal(chosen, "http/1.1", 8);
    }
    SSL_free(ssl);
    (void)close(fd);
    rig_stop(&rig);
}

TEST(tls_1_1_is_refused)
{
    struct rig rig = {.repo_dir = -1};
    tls_start(&rig, tls_settings());
    (void)SSL_CTX_set_min_proto_version(rig.tls, TLS1_VERSION);
    (void)SSL_CTX_set_max_proto_version(rig.tls, TLS1_1_VERSION);
    (void)SSL_CTX_set_cipher_list(rig.tls, "ALL:@SECLEVEL=0");
    SSL *ssl = SSL_new(rig.tls);
    int fd = connect_to(&rig);
    (void)SSL_set_fd(ssl, fd);
    assert_int_not_equal(SSL_connect(ssl), 1);
    SSL_free(ssl);
    (void)close(fd);
    rig_stop(&rig);
}

static const struct garbage_case {
    const char *id, *bytes;
    size_t n;
} garbage_cases[] = {
    {"plain HTTP", GET("/healthz"), sizeof(GET("/healthz")) - 1},
    {"zeros", "\0\0\0\0\0\0\0\0\0\0\0", 11},
    {"a record that lies about its length", "\x16\x03\x01\xff\xff\x01\x00", 7},
    {"an alert", "\x15\x03\x01\x00\x02\x02\x28", 7},
};

TEST_EACH(what_is_not_tls_is_closed_and_others_go_on, garbage_cases)
{
    struct rig rig = {.repo_dir = -1};
    tls_start(&rig, tls_settings());
    int fd = connect_to(&rig);
    char in[256];
    assert_int_equal(send(fd, it->bytes, it->n, MSG_NOSIGNAL), it->n);
    ssize_t got = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    do {
        assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
        got = recv(fd, in, sizeof(in), 0);
        assert_true(got <= 0 || in[0] == 0x15); /* a TLS alert, never an HTTP answer */
    } while (got > 0);
    (void)close(fd);
    rig_wait_open(&rig, 0);
    struct client *c = client_open(&rig);
    assert_int_equal(client_ask(c, GET("/healthz"))->status, 200);
    client_close(c);
    rig_stop(&rig);
}

/* The session is freed once, the socket closed, and the next client served. */
TEST(an_accept_without_memory_costs_that_connection_only)
{
    struct rig rig = {.repo_dir = -1};
    char in[16];
    assert_true(SSL_get_ex_new_index(0, NULL, NULL, NULL, count_freed) >= 0);
    tls_start(&rig, tls_settings());
    atomic_store(&sessions_freed, 0);
    atomic_store(&no_memory_next, true);
    int fd = connect_to(&rig);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_true(recv(fd, in, sizeof(in), 0) <= 0);
    (void)close(fd);
    assert_int_equal(atomic_load(&sessions_freed), 1);
    struct client *c = client_open(&rig);
    assert_int_equal(client_ask(c, GET("/healthz"))->status, 200);
    client_close(c);
    rig_stop(&rig);
}

TEST(a_handshake_that_does_not_begin_is_cut)
{
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = tls_settings();
    s.limits.head_ms = 300;
    tls_start(&rig, s);
    int fd = connect_to(&rig);
    char in[16];
    assert_int_equal(recv(fd, in, sizeof(in), 0), 0);
    (void)close(fd);
    rig_wait_open(&rig, 0);
    assert_int_equal(rig_counters(&rig).cut, 1);
    rig_stop(&rig);
}

TEST(a_session_is_resumed_on_any_worker)
{
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = tls_settings();
    SSL_SESSION *session = NULL;
    s.workers = 3;
    tls_start(&rig, s);
    for (int i = 0; i < 6; i++) {
        struct client *c = rw_mem_new(sizeof(*c));
        c->fd = connect_to(&rig);
        c->ssl = SSL_new(rig.tls);
        if (session != NULL) { (void)SSL_set_session(c->ssl, session); }
        (void)SSL_set_fd(c->ssl, c->fd);
        assert_int_equal(SSL_connect(c->ssl), 1);
        assert_int_equal(SSL_session_reused(c->ssl), i > 0);
        assert_int_equal(client_ask(c, GET("/healthz"))->status, 200);
        SSL_SESSION_free(session);
        session = SSL_get1_session(c->ssl);
        (void)SSL_shutdown(c->ssl);
        client_close(c);
    }
    SSL_SESSION_free(session);
    rig_stop(&rig);
}

TEST(a_certificate_that_cannot_be_used_is_named)
{
    struct rw_err err = {0};
    struct ssl_ctx_st *ctx = NULL;
    MUST_FAIL(http_tls_open("/nowhere/cert.pem", key_file, &ctx, &err), RW_E_CONFIG);
    assert_non_null(strstr(err.text, "/nowhere/cert.pem"));
    MUST_FAIL(http_tls_open(key_file, key_file, &ctx, &err), RW_E_CONFIG);
    MUST_FAIL(http_tls_open(cert_file, cert_file, &ctx, &err), RW_E_CONFIG);
    MUST_FAIL(http_tls_open(cert_file, other_key_file, &ctx, &err), RW_E_CONFIG);
    assert_non_null(strstr(err.text, other_key_file));
    assert_null(ctx);
}

TEST(a_certificate_says_how_long_it_is_good_for)
{
    struct rw_err err = {0};
    struct ssl_ctx_st *ctx = NULL;
    struct rw_wall from;
    struct rw_wall until;
    MUST(http_tls_open(cert_file, key_file, &ctx, &err));
    MUST(http_tls_validity(ctx, &from, &until, &err));
    assert_int_equal(until.s - from.s, 3660);
    const struct rw_clock clock = rw_clock_system();
    assert_in_range(until.s - rw_clock_wall(&clock).s, 3000, 3600);
    http_tls_drop(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_served_over_tls),
        cmocka_unit_test(a_large_body_arrives_over_tls),
        cmocka_unit_test(requests_sent_ahead_over_tls_are_held_back_not_lost),
        cmocka_unit_test(replies_to_a_client_that_reads_late_arrive_whole_and_in_order),
        cmocka_unit_test(the_end_of_a_reply_is_an_orderly_end),
        cmocka_unit_test(a_refused_upload_over_tls_still_reads_the_answer),
        cmocka_unit_test(alpn_chooses_http_1_1_or_refuses),
        cmocka_unit_test(tls_1_1_is_refused),
        cmocka_unit_test(what_is_not_tls_is_closed_and_others_go_on),
        cmocka_unit_test(an_accept_without_memory_costs_that_connection_only),
        cmocka_unit_test(a_handshake_that_does_not_begin_is_cut),
        cmocka_unit_test(a_session_is_resumed_on_any_worker),
        cmocka_unit_test(a_certificate_that_cannot_be_used_is_named),
        cmocka_unit_test(a_certificate_says_how_long_it_is_good_for),
    };
    return cmocka_run_group_tests(tests, make_cert, remove_cert);
}
