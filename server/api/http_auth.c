#include "server/api/http_auth.h"

#include "common/base/num.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ENDPOINT_HEX = 2 * API_ENDPOINT_BYTES, MAC_HEX = 2 * DIGEST_BYTES };

struct http_auth {
    uint8_t secret[HTTP_SECRET_BYTES];
    bool ages; /* life and clock are set */
    struct token_rule_life life;
    struct rw_clock clock;
    pthread_rwlock_t lock;     /* guards tokens and count */
    struct http_token *tokens; /* sorted by sha256 */
    size_t count;
};

RW_RC http_auth_new(const uint8_t secret[static HTTP_SECRET_BYTES], struct http_auth **out,
                    struct rw_err *err)
{
    struct http_auth *a = rw_mem_new(sizeof(*a));
    if (a == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the token registry"); }
    rw_copy(a->secret, sizeof(a->secret), secret, HTTP_SECRET_BYTES);
    (void)pthread_rwlock_init(&a->lock, NULL); /* default attributes: cannot fail on Linux */
    *out = a;
    return RW_OK;
}

void http_auth_free(struct http_auth *auth)
{
    if (auth == NULL) { return; }
    (void)pthread_rwlock_destroy(&auth->lock);
    rw_mem_free(auth->tokens);
    rw_wipe(auth->secret, sizeof(auth->secret));
    rw_mem_free(auth);
}

void http_auth_set_life(struct http_auth *auth, const struct token_rule_life *life,
                        struct rw_clock clock)
{
    auth->ages = true;
    auth->life = *life;
    auth->clock = clock;
}

static int compare_tokens(const void *a, const void *b)
{
    const struct http_token *x = a;
    const struct http_token *y = b;
    return memcmp(x->sha256, y->sha256, DIGEST_BYTES);
}

RW_RC http_auth_set_tokens(struct http_auth *auth, const struct http_token *tokens, size_t count,
                           struct rw_err *err)
{
    struct http_token *copy = NULL;
    if (count > HTTP_TOKENS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "%zu tokens, at most %d are kept", count,
                       HTTP_TOKENS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        /* A row of another level would let its token pass where it must not. */
        if (tokens[i].role != API_AUTH_ENROL && tokens[i].role < API_AUTH_VIEWER) {
            return rw_fail(err, RW_E_SCHEMA, "token %zu has no role that a stored token can have",
                           i);
        }
    }
    if (count > 0) {
        copy = rw_mem_new_array(count, sizeof(*copy));
        if (copy == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu tokens", count); }
        rw_copy(copy, count * sizeof(*copy), tokens, count * sizeof(*copy));
        qsort(copy, count, sizeof(*copy), compare_tokens);
    }
    (void)pthread_rwlock_wrlock(&auth->lock);
    struct http_token *old = auth->tokens;
    auth->tokens = copy;
    auth->count = count;
    (void)pthread_rwlock_unlock(&auth->lock);
    rw_mem_free(old);
    return RW_OK;
}

static RW_RC mac_of(const struct http_auth *auth, const char *endpoint_hex, const char *tenant,
                    int64_t issued_s, uint8_t mac[static DIGEST_BYTES], struct rw_err *err)
{
    char text[160];
    int n = snprintf(text, sizeof(text), "ringward-endpoint-v2:%s:%s:%lld", endpoint_hex, tenant,
                     (long long)issued_s);
    RW_ASSERT(n > 0 && (size_t)n < sizeof(text));
    return digest_hmac(rw_span_of(auth->secret, sizeof(auth->secret)), rw_span_str(text), mac, err);
}

RW_RC http_auth_endpoint_token(const struct http_auth *auth,
                               const uint8_t endpoint[static API_ENDPOINT_BYTES],
                               const char *tenant, struct rw_wall issued,
                               char dst[static HTTP_TOKEN_BYTES], struct rw_err *err)
{
    char id[ENDPOINT_HEX + 1];
    char mac_hex[MAC_HEX + 1];
    uint8_t mac[DIGEST_BYTES];
    RW_ASSERT(strlen(tenant) >= 1 && strlen(tenant) < API_TENANT_BYTES);
    rw_hex_encode(id, sizeof(id), endpoint, API_ENDPOINT_BYTES);
    RW_TRY(mac_of(auth, id, tenant, issued.s, mac, err));
    rw_hex_encode(mac_hex, sizeof(mac_hex), mac, sizeof(mac));
    int n = snprintf(dst, HTTP_TOKEN_BYTES, "rwe2.%s.%s.%lld.%s", id, tenant, (long long)issued.s,
                     mac_hex);
    RW_ASSERT(n > 0 && n < HTTP_TOKEN_BYTES);
    return RW_OK;
}

/* One text for every kind of wrong token: it tells nobody how near a guess was. */
static RW_RC unknown(struct rw_err *err)
{
    struct rw_rc rc = rw_fail(err, RW_E_AUTH, "the token is not known here");
    RW_IGNORE(
        rw_hint(
            err,
            "it may be withdrawn, over, of another server, or newer than the last reload (SIGHUP)"),
        "is rc");
    return rc;
}

static bool is_tenant(struct rw_span s)
{
    if (s.n == 0 || s.n >= API_TENANT_BYTES) { return false; }
    for (size_t i = 0; i < s.n; i++) {
        bool good =
            (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-';
        if (!good) { return false; }
    }
    return true;
}

/* "TENANT.ISSUED": cuts the part behind the last point off; empty when there is none. */
static struct rw_span cut_last(struct rw_span *s)
{
    for (size_t i = s->n; i > 0; i--) {
        if (s->p[i - 1] != '.') { continue; }
        struct rw_span last = rw_span_of(s->p + i, s->n - i);
        s->n = i - 1;
        return last;
    }
    return rw_span_of(s->p, 0);
}

static RW_RC check_age(const struct http_auth *auth, int64_t issued_s, struct api_identity *who,
                       struct rw_err *err)
{
    if (!auth->ages) { return RW_OK; }
    enum token_rule_state state =
        token_rule_judge(&auth->life, (struct rw_wall){issued_s}, rw_clock_wall(&auth->clock));
    who->renew = state == TOKEN_RENEW;
    if (state != TOKEN_OVER) { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_AUTH, "the endpoint's token has aged out or was called in"),
              "hint");
    return rw_hint(err, "the endpoint enrols anew by itself where enrol_token_file is set");
}

/* rwe2.ENDPOINT.TENANT.ISSUED.MAC: proven by the secret, without a look-up. */
static RW_RC check_endpoint(const struct http_auth *auth, struct rw_span token,
                            struct api_identity *who, struct rw_err *err)
{
    const size_t prefix = strlen("rwe2.");
    const size_t around = prefix + ENDPOINT_HEX + 2 + MAC_HEX;
    char id[ENDPOINT_HEX + 1];
    uint8_t said[DIGEST_BYTES];
    uint8_t mac[DIGEST_BYTES];
    struct rw_err unused;
    if (token.n <= around || token.p[prefix + ENDPOINT_HEX] != '.' ||
        token.p[token.n - MAC_HEX - 1] != '.') {
        return unknown(err);
    }
    struct rw_span id_hex = rw_span_of(token.p + prefix, ENDPOINT_HEX);
    struct rw_span tenant = rw_span_of(token.p + prefix + ENDPOINT_HEX + 1, token.n - around);
    struct rw_span issued_text = cut_last(&tenant);
    int64_t issued_s = 0;
    struct rw_span mac_hex = rw_span_of(token.p + token.n - MAC_HEX, MAC_HEX);
    if (!is_tenant(tenant) ||
        !rw_is_ok(rw_parse_i64(issued_text, 0, RW_JSON_INT_MAX, "issued", &issued_s, &unused)) ||
        !rw_is_ok(rw_hex_decode(who->endpoint, API_ENDPOINT_BYTES, id_hex, "id", &unused)) ||
        !rw_is_ok(rw_hex_decode(said, sizeof(said), mac_hex, "mac", &unused))) {
        return unknown(err);
    }
    RW_TRY(rw_span_to_str(id, sizeof(id), id_hex, "endpoint id", err));
    RW_TRY(rw_span_to_str(who->tenant, sizeof(who->tenant), tenant, "tenant", err));
    RW_TRY(mac_of(auth, id, who->tenant, issued_s, mac, err));
    if (!digest_same(mac, said, sizeof(mac))) { return unknown(err); }
    who->level = API_AUTH_ENDPOINT;
    return check_age(auth, issued_s, who, err);
}

/* Enrolment and operator tokens: the table knows the hash of the whole token. Finding it by binary search
 * tells time about hashes, which are worth nothing to a guesser. */
static RW_RC check_table(struct http_auth *auth, struct rw_span token, struct api_identity *who,
                         struct rw_err *err)
{
    struct http_token key = {.role = API_AUTH_NONE};
    RW_TRY(digest_sha256(token, key.sha256, err));
    (void)pthread_rwlock_rdlock(&auth->lock);
    const struct http_token *found =
        auth->count == 0 ? NULL
                         : bsearch(&key, auth->tokens, auth->count, sizeof(key), compare_tokens);
    if (found != NULL) {
        who->level = found->role;
        rw_copy(who->name, sizeof(who->name), found->name, sizeof(found->name));
        rw_copy(who->tenant, sizeof(who->tenant), found->tenant, sizeof(found->tenant));
        who->once = found->once;
        rw_copy(who->token_sha256, sizeof(who->token_sha256), found->sha256, DIGEST_BYTES);
    }
    (void)pthread_rwlock_unlock(&auth->lock);
    return found != NULL ? RW_OK : unknown(err);
}

static bool may_pass(enum api_auth level, enum api_auth need)
{
    /* Agents' tokens pass their own routes only, operators' tokens never those. */
    if (need == API_AUTH_ENROL || need == API_AUTH_ENDPOINT) { return level == need; }
    return level >= API_AUTH_VIEWER && level >= need;
}

static const char *level_name(enum api_auth level)
{
    static const char *const names[] = {"none",     "enrolment", "endpoint", "viewer",
                                        "operator", "publisher", "admin"};
    RW_ASSERT((size_t)level < RW_LEN(names));
    return names[level];
}

static RW_RC token_of(struct rw_span header, struct rw_span *token, struct rw_err *err)
{
    static const char scheme[] = "Bearer ";
    const size_t n = strlen(scheme);
    if (header.n == 0) {
        RW_IGNORE(rw_fail(err, RW_E_AUTH, "there is no token"), "the hint follows");
        return rw_hint(err, "send 'Authorization: Bearer TOKEN'");
    }
    if (header.n <= n || header.n - n >= HTTP_TOKEN_BYTES ||
        strncasecmp((const char *)header.p, scheme, n) != 0) {
        return rw_fail(err, RW_E_AUTH, "Authorization is not 'Bearer TOKEN'");
    }
    *token = rw_span_of(header.p + n, header.n - n);
    return RW_OK;
}

RW_RC http_auth_check(struct http_auth *auth, enum api_auth need, struct rw_span header,
                      struct api_identity *out, struct rw_err *err)
{
    struct api_identity who = {.level = API_AUTH_NONE};
    struct rw_span token;
    *out = who;
    if (need == API_AUTH_NONE) { return RW_OK; }
    RW_TRY(token_of(header, &token, err));
    struct rw_rc rc = rw_span_starts(token, "rwe2.") ? check_endpoint(auth, token, &who, err)
                                                     : check_table(auth, token, &who, err);
    /* Proven, whatever else is wrong with it: so the refusal counts to its owner, and to nobody else (INV-11). */
    if (who.level != API_AUTH_NONE) { *out = who; }
    RW_TRY(rc);
    if (!may_pass(who.level, need)) {
        return rw_fail(err, RW_E_FORBIDDEN, "the token is of level '%s', this needs '%s'",
                       level_name(who.level), level_name(need));
    }
    return RW_OK;
}
