/* Goal: OpenSSL, as a TLS client uses it, accepts the certificates that we make, for the names in them and no
 * others; names cannot smuggle in more names. */
#include "common/crypto/cert.h"
#include "tests/harness.h"

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <time.h>

enum { DAY_S = 86400 };

struct pair {
    struct key ca_key;
    struct key key;
    struct rw_buf ca;
    struct rw_buf cert;
};

static const char *const names[] = {"localhost", "rw.example.org", "127.0.0.1", "::1"};

static struct pair pair_make(void)
{
    struct rw_err err = {0};
    struct pair p = {.ca = rw_buf_make(CERT_PEM_BYTES_MAX),
                     .cert = rw_buf_make(CERT_PEM_BYTES_MAX)};
    int64_t now_s = (int64_t)time(NULL);
    struct cert_request request = {
        .common_name = "Test CA", .not_before = {now_s - DAY_S}, .not_after = {now_s + DAY_S}};
    MUST(key_generate(KEY_ECDSA_P256, &p.ca_key, &err));
    MUST(key_generate(KEY_ECDSA_P256, &p.key, &err));
    MUST(cert_make_authority(&p.ca_key, &request, &p.ca, &err));
    request.common_name = "server";
    request.names = names;
    request.name_count = RW_LEN(names);
    MUST(cert_make_server(&p.key, &request, rw_buf_span(&p.ca), &p.ca_key, &p.cert, &err));
    return p;
}

static void pair_drop(struct pair *p)
{
    key_drop(&p->ca_key);
    key_drop(&p->key);
    rw_buf_drop(&p->ca);
    rw_buf_drop(&p->cert);
}

static X509 *decode(const struct rw_buf *pem)
{
    BIO *bio = BIO_new_mem_buf(pem->p, (int)pem->n);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(cert);
    return cert;
}

/* The verdict of a TLS client at the time now + later_s. */
static int verify(const struct rw_buf *ca_pem, const struct rw_buf *cert_pem, long later_s)
{
    X509 *ca = decode(ca_pem);
    X509 *cert = decode(cert_pem);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    assert_int_equal(X509_STORE_add_cert(store, ca), 1);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, cert, NULL), 1);
    assert_int_equal(X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER), 1);
    X509_STORE_CTX_set_time(ctx, 0, time(NULL) + later_s);
    (void)X509_verify_cert(ctx);
    int code = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(cert);
    X509_free(ca);
    return code;
}

TEST(a_tls_client_accepts_the_chain_while_it_is_valid)
{
    RW_AUTO(pair) struct pair p = pair_make();
    assert_int_equal(verify(&p.ca, &p.cert, 0), X509_V_OK);
    assert_int_equal(verify(&p.ca, &p.cert, 3 * DAY_S), X509_V_ERR_CERT_HAS_EXPIRED);
    assert_int_equal(verify(&p.ca, &p.cert, -3 * DAY_S), X509_V_ERR_CERT_NOT_YET_VALID);
}

TEST(another_authority_is_not_enough)
{
    RW_AUTO(pair) struct pair p = pair_make();
    RW_AUTO(pair) struct pair other = pair_make();
    assert_int_not_equal(verify(&other.ca, &p.cert, 0), X509_V_OK);
}

/* A thief of the server's key must not be able to make certificates. */
TEST(the_server_certificate_is_no_authority)
{
    RW_AUTO(pair) struct pair p = pair_make();
    X509 *cert = decode(&p.cert);
    X509 *ca = decode(&p.ca);
    assert_int_equal(X509_check_ca(cert), 0);
    assert_int_equal(X509_check_ca(ca), 1);
    X509_free(cert);
    X509_free(ca);
}

static const struct name_case {
    const char *id;
    const char *name;
    bool ip;
    int want;
} name_cases[] = {
    {"a_listed_dns_name", "rw.example.org", false, 1},
    {"another_dns_name", "example.org", false, 0},
    {"a_listed_address", "127.0.0.1", true, 1},
    {"a_listed_address_of_version_6", "::1", true, 1},
    {"another_address", "127.0.0.2", true, 0},
};

TEST_EACH(the_certificate_is_for_the_names_in_it, name_cases)
{
    RW_AUTO(pair) struct pair p = pair_make();
    X509 *cert = decode(&p.cert);
    int got =
        it->ip ? X509_check_ip_asc(cert, it->name, 0) : X509_check_host(cert, it->name, 0, 0, NULL);
    assert_int_equal(got, it->want);
    X509_free(cert);
}

static const struct bad_name {
    const char *id;
    const char *name;
} bad_names[] = {
    {"a_comma_would_add_a_name", "a.example,DNS:b.example"},
    {"a_line_end", "a.example\nx"},
    {"empty", ""},
    {"a_blank", "a b"},
    {"a_dot_in_front", ".example"},
    {"a_section_of_a_configuration", "@section"},
};

TEST_EACH(names_that_are_none_are_refused, bad_names)
{
    struct rw_err err = {0};
    RW_AUTO(pair) struct pair p = pair_make();
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(CERT_PEM_BYTES_MAX);
    const struct cert_request request = {.common_name = "server",
                                         .not_after = {(int64_t)time(NULL) + DAY_S},
                                         .names = &it->name,
                                         .name_count = 1};
    MUST_FAIL(cert_make_server(&p.key, &request, rw_buf_span(&p.ca), &p.ca_key, &out, &err),
              RW_E_SCHEMA);
    assert_int_equal(out.n, 0);
}

RUN_TESTS(cmocka_unit_test(a_tls_client_accepts_the_chain_while_it_is_valid),
          cmocka_unit_test(another_authority_is_not_enough),
          cmocka_unit_test(the_server_certificate_is_no_authority),
          cmocka_unit_test(the_certificate_is_for_the_names_in_it),
          cmocka_unit_test(names_that_are_none_are_refused))
