#include "common/crypto/cert.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SERIAL_BYTES = 16, SAN_BYTES_MAX = CERT_NAMES_MAX * (CERT_NAME_BYTES_MAX + 8) };

static void bio_drop(BIO **b)
{
    BIO_free(*b);
}

static void x509_drop(X509 **c)
{
    X509_free(*c);
}

static RW_RC failed(const char *what, struct rw_err *err)
{
    ERR_clear_error();
    return rw_fail(err, RW_E_CRYPTO, "OpenSSL failed: certificate: %s", what);
}

static RW_RC set_serial(X509 *cert, struct rw_err *err)
{
    uint8_t raw[SERIAL_BYTES];
    RW_TRY(digest_random(raw, sizeof(raw), err));
    raw[0] &= 0x7f; /* positive, as RFC 5280 demands */
    raw[0] |= 0x40; /* and never shorter */
    BIGNUM *n = BN_bin2bn(raw, sizeof(raw), NULL);
    bool set = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
    BN_free(n);
    return set ? RW_OK : failed("serial number", err);
}

static bool set_time(ASN1_TIME *field, struct rw_wall t)
{
    return ASN1_TIME_set(field, (time_t)t.s) != NULL;
}

static RW_RC add_extension(X509 *cert, X509 *issuer, int nid, const char *value, struct rw_err *err)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool added = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return added ? RW_OK : failed(OBJ_nid2sn(nid), err);
}

/* What both kinds share: version 3, serial, times, subject, public key. */
static RW_RC begin(X509 *cert, const struct key *key, const struct cert_request *request,
                   struct rw_err *err)
{
    X509_NAME *name = X509_get_subject_name(cert);
    if (X509_set_version(cert, X509_VERSION_3) != 1 ||
        !set_time(X509_getm_notBefore(cert), request->not_before) ||
        !set_time(X509_getm_notAfter(cert), request->not_after) ||
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                   (const unsigned char *)request->common_name, -1, -1, 0) != 1 ||
        X509_set_pubkey(cert, key->pkey) != 1) {
        return failed("subject, times or key", err);
    }
    return set_serial(cert, err);
}

static RW_RC finish(X509 *cert, const struct key *signer, struct rw_buf *pem_out,
                    struct rw_err *err)
{
    const EVP_MD *md = signer->scheme == KEY_ED25519 ? NULL : EVP_sha256();
    RW_AUTO(bio) BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (bio == NULL || X509_sign(cert, signer->pkey, md) == 0 ||
        PEM_write_bio_X509(bio, cert) != 1) {
        return failed("signing", err);
    }
    long n = BIO_get_mem_data(bio, &text);
    RW_ASSERT(n >= 0);
    return rw_buf_append(pem_out, rw_span_of(text, (size_t)n), err);
}

RW_RC cert_make_authority(const struct key *key, const struct cert_request *request,
                          struct rw_buf *pem_out, struct rw_err *err)
{
    RW_ASSERT(key->is_private && request->name_count == 0);
    RW_AUTO(x509) X509 *cert = X509_new();
    if (cert == NULL) { return failed("no memory", err); }
    RW_TRY(begin(cert, key, request, err));
    if (X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1) {
        return failed("issuer", err);
    }
    RW_TRY(add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0", err));
    RW_TRY(add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign", err));
    RW_TRY(add_extension(cert, cert, NID_subject_key_identifier, "hash", err));
    return finish(cert, key, pem_out, err);
}

/* The names go through OpenSSL's configuration syntax, where ',' and ':' have a meaning: only what is an IP
 * address or a plain DNS name gets that far. */
static RW_RC check_dns_name(const char *name, struct rw_err *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    size_t n = strlen(name);
    if (n >= 1 && n <= CERT_NAME_BYTES_MAX && strspn(name, allowed) == n && name[0] != '-' &&
        name[0] != '.') {
        return RW_OK;
    }
    return rw_fail(err, RW_E_SCHEMA, "'%.60s' is neither a DNS name nor an IP address", name);
}

static RW_RC alternative_names(const struct cert_request *request, struct rw_buf *into,
                               struct rw_err *err)
{
    RW_ASSERT(request->name_count >= 1 && request->name_count <= CERT_NAMES_MAX);
    for (size_t i = 0; i < request->name_count; i++) {
        uint8_t raw[sizeof(struct in6_addr)];
        const char *name = request->names[i];
        bool is_ip = inet_pton(AF_INET, name, raw) == 1 || inet_pton(AF_INET6, name, raw) == 1;
        if (!is_ip) { RW_TRY(check_dns_name(name, err)); }
        RW_TRY(rw_buf_appendf(into, err, "%s%s:%s", i == 0 ? "" : ",", is_ip ? "IP" : "DNS", name));
    }
    return RW_OK;
}

RW_RC cert_make_server(const struct key *key, const struct cert_request *request,
                       struct rw_span ca_pem, const struct key *ca_key, struct rw_buf *pem_out,
                       struct rw_err *err)
{
    RW_ASSERT(ca_key->is_private && ca_pem.n <= CERT_PEM_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf names = rw_buf_make(SAN_BYTES_MAX);
    RW_TRY(alternative_names(request, &names, err));
    RW_AUTO(bio) BIO *bio = BIO_new_mem_buf(ca_pem.p, (int)ca_pem.n);
    RW_AUTO(x509) X509 *ca = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (ca == NULL) {
        ERR_clear_error();
        return rw_fail(err, RW_E_SYNTAX, "the authority's certificate does not decode");
    }
    RW_AUTO(x509) X509 *cert = X509_new();
    if (cert == NULL) { return failed("no memory", err); }
    RW_TRY(begin(cert, key, request, err));
    if (X509_set_issuer_name(cert, X509_get_subject_name(ca)) != 1) {
        return failed("issuer", err);
    }
    RW_TRY(add_extension(cert, ca, NID_basic_constraints, "critical,CA:FALSE", err));
    RW_TRY(add_extension(cert, ca, NID_key_usage, "critical,digitalSignature", err));
    RW_TRY(add_extension(cert, ca, NID_ext_key_usage, "serverAuth", err));
    RW_TRY(add_extension(cert, ca, NID_subject_key_identifier, "hash", err));
    RW_TRY(add_extension(cert, ca, NID_authority_key_identifier, "keyid", err));
    RW_TRY(add_extension(cert, ca, NID_subject_alt_name, rw_buf_str(&names), err));
    return finish(cert, ca_key, pem_out, err);
}
