#include "server/api/http_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <time.h>

#define CIPHERS_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define GROUPS        "X25519:P-256"

void http_tls_drop(struct ssl_ctx_st **ctx)
{
    SSL_CTX_free(*ctx);
    *ctx = NULL;
}

/* RFC 7301 3.2: a client that offers protocols, but not ours, is refused. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                       const unsigned char *in, unsigned int in_n, void *ctx)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;
    (void)ssl;
    (void)ctx;
    if (SSL_select_next_proto(&chosen, out_n, ours, sizeof(ours) - 1, in, in_n) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static RW_RC openssl_failed(const char *what, const char *file, struct rw_err *err)
{
    char reason[160];
    ERR_error_string_n(ERR_peek_last_error(), reason, sizeof(reason));
    ERR_clear_error();
    return rw_fail(err, RW_E_CONFIG, "%s '%s': %s", what, file, reason);
}

static RW_RC configure(SSL_CTX *ctx, struct rw_err *err)
{
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, CIPHERS_TLS12) != 1 ||
        SSL_CTX_set1_groups_list(ctx, GROUPS) != 1 || SSL_CTX_set_num_tickets(ctx, 1) != 1) {
        return openssl_failed("TLS setting", CIPHERS_TLS12 " " GROUPS, err);
    }
    /* RELEASE_BUFFERS halves the memory of an idle connection; the write modes are what libevent needs. */
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
    /* Tickets carry the session: no cache, no lock between the workers. */
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    return RW_OK;
}

static RW_RC load(SSL_CTX *ctx, const char *cert_file, const char *key_file, struct rw_err *err)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1) {
        return openssl_failed("certificate", cert_file, err);
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1) {
        return openssl_failed("private key", key_file, err);
    }
    if (SSL_CTX_check_private_key(ctx) != 1) {
        return openssl_failed("the certificate does not belong to the private key", key_file, err);
    }
    return RW_OK;
}

static bool as_wall(const ASN1_TIME *t, struct rw_wall *out)
{
    struct tm tm;
    if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1) { return false; }
    out->s = timegm(&tm);
    return true;
}

RW_RC http_tls_validity(const struct ssl_ctx_st *ctx, struct rw_wall *from_out,
                        struct rw_wall *until_out, struct rw_err *err)
{
    const X509 *cert = SSL_CTX_get0_certificate(ctx);
    struct rw_wall from = {.s = 0};
    struct rw_wall until = {.s = 0};
    if (cert == NULL || !as_wall(X509_get0_notBefore(cert), &from) ||
        !as_wall(X509_get0_notAfter(cert), &until)) {
        return rw_fail(err, RW_E_CONFIG, "the certificate does not say how long it is valid");
    }
    *from_out = from;
    *until_out = until;
    return RW_OK;
}

RW_RC http_tls_open(const char *cert_file, const char *key_file, struct ssl_ctx_st **out,
                    struct rw_err *err)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL) { return openssl_failed("TLS for", cert_file, err); }
    struct rw_rc rc = configure(ctx, err);
    if (rw_is_ok(rc)) { rc = load(ctx, cert_file, key_file, err); }
    struct rw_wall from;
    struct rw_wall until;
    if (rw_is_ok(rc)) { rc = http_tls_validity(ctx, &from, &until, err); }
    if (!rw_is_ok(rc)) {
        http_tls_drop(&ctx);
        return rc;
    }
    *out = ctx;
    return RW_OK;
}
