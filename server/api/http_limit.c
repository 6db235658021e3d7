#include "server/api/http_limit.h"

#include "common/base/log.h"
#include "common/base/num.h"
#include "common/crypto/digest.h"
#include "server/api/limit_key.h"
#include "server/api/limit_table.h"

#include <stdatomic.h>

enum {
    KNOWN_SLOTS = 1 << 17,
    ADDRESS_SLOTS = 1 << 14,
    LOG_EVERY_MS = 60000,
    KEY_BYTES = 1 + 32 + API_TENANT_BYTES, /* domain, token or endpoint id, tenant */
};

struct tally {
    atomic_ullong refused;
    atomic_llong last_ms;   /* the last one; valid when `refused` is not 0 */
    atomic_llong logged_ms; /* when the log was told; < 0: never */
    atomic_ullong logged;   /* how many it has been told of */
};

struct http_limit {
    struct rw_clock clock;
    struct limit_key key;
    struct limit_rate rates[HTTP_LIMIT_KINDS];
    int64_t per_s[HTTP_LIMIT_KINDS];
    struct limit_table *known; /* apart, so that strangers push nobody out */
    struct limit_table *addresses;
    struct limit_table *connects; /* apart: who only connects moves no bucket of requests */
    struct tally tallies[HTTP_LIMIT_KINDS];
};

static int64_t connect_burst_ms(const struct http_limit_rates *r)
{
    if (r->connect_per_s <= 0) { return 0; }
    int64_t burst = r->connect_burst < LIMIT_PER_S_MAX ? r->connect_burst : LIMIT_PER_S_MAX;
    return burst * 1000 / r->connect_per_s;
}

RW_RC http_limit_new(const struct http_limit_rates *rates, struct rw_clock clock,
                     struct http_limit **out, struct rw_err *err)
{
    struct http_limit *l = rw_mem_new(sizeof(*l));
    if (l == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the limits"); }
    l->clock = clock;
    l->per_s[HTTP_LIMIT_ENDPOINT] = rates->endpoint_per_s;
    l->per_s[HTTP_LIMIT_OPERATOR] = rates->operator_per_s;
    l->per_s[HTTP_LIMIT_STRANGER] = rates->address_per_s;
    l->per_s[HTTP_LIMIT_OPEN] = rates->address_per_s;
    l->per_s[HTTP_LIMIT_CONNECTION] = rates->connect_per_s;
    for (size_t i = 0; i < HTTP_LIMIT_KINDS; i++) {
        int64_t burst_ms = i == HTTP_LIMIT_CONNECTION ? connect_burst_ms(rates) : rates->burst_ms;
        l->rates[i] = limit_rule_rate(l->per_s[i], burst_ms);
        atomic_init(&l->tallies[i].logged_ms, -1);
    }
    struct rw_rc rc = limit_key_new(&l->key, err);
    if (rw_is_ok(rc)) { rc = limit_table_new(KNOWN_SLOTS, &l->known, err); }
    if (rw_is_ok(rc)) { rc = limit_table_new(ADDRESS_SLOTS, &l->addresses, err); }
    if (rw_is_ok(rc)) { rc = limit_table_new(ADDRESS_SLOTS, &l->connects, err); }
    if (!rw_is_ok(rc)) {
        http_limit_free(l);
        return rc;
    }
    *out = l;
    return RW_OK;
}

void http_limit_free(struct http_limit *l)
{
    if (l == NULL) { return; }
    limit_table_free(l->known);
    limit_table_free(l->addresses);
    limit_table_free(l->connects);
    rw_mem_free(l);
}

const char *http_limit_name(enum http_limit_kind kind)
{
    static const char *const names[] = {"endpoint", "operator", "stranger",
                                        "open",     "tenant",   "connection"};
    RW_ASSERT((size_t)kind < RW_LEN(names));
    return names[kind];
}

static uint32_t draw(void)
{
    uint32_t n = 0;
    struct rw_err unused;
    RW_IGNORE(digest_random((uint8_t *)&n, sizeof(n), &unused), "the jitter may be missing");
    return n;
}

/* --- counting and telling --- */

/* True for one caller a minute; *news_out is what the log does not know of yet. */
static bool may_tell(struct tally *t, int64_t now_ms, uint64_t refused, uint64_t *news_out)
{
    long long told_ms = atomic_load(&t->logged_ms);
    bool quiet = told_ms >= 0 && now_ms >= told_ms && now_ms - told_ms < LOG_EVERY_MS;
    if (quiet || !atomic_compare_exchange_strong(&t->logged_ms, &told_ms, now_ms)) { return false; }
    unsigned long long before = atomic_exchange(&t->logged, refused);
    *news_out = refused > before ? refused - before : 1;
    return true;
}

/* `who` is verified, or NULL. */
static void note(struct http_limit *l, enum http_limit_kind kind, const struct api_identity *who,
                 const char *peer)
{
    struct tally *t = &l->tallies[kind];
    int64_t now_ms = rw_clock_mono(&l->clock).ms;
    uint64_t refused = atomic_fetch_add(&t->refused, 1) + 1;
    uint64_t news = 0;
    atomic_store(&t->last_ms, now_ms);
    if (!may_tell(t, now_ms, refused, &news)) { return; }
    struct rw_log_line line;
    char id[2 * API_ENDPOINT_BYTES + 1];
    rw_log_begin(&line, RW_LOG_WARN, "requests_limited");
    rw_log_str(&line, "kind", http_limit_name(kind));
    rw_log_i64(&line, "refused", (int64_t)news);
    rw_log_str(&line, "last_from", peer);
    if (who != NULL && who->level == API_AUTH_ENDPOINT) {
        rw_hex_encode(id, sizeof(id), who->endpoint, API_ENDPOINT_BYTES);
        rw_log_str(&line, "endpoint", id);
    }
    if (who != NULL && who->name[0] != '\0') { rw_log_str(&line, "name", who->name); }
    if (who != NULL && who->tenant[0] != '\0') { rw_log_str(&line, "tenant", who->tenant); }
    rw_log_end(&line);
}

void http_limit_counts(struct http_limit *l, struct http_limit_count out[static HTTP_LIMIT_KINDS])
{
    int64_t now_ms = rw_clock_mono(&l->clock).ms;
    for (size_t i = 0; i < HTTP_LIMIT_KINDS; i++) {
        const struct tally *t = &l->tallies[i];
        uint64_t refused = atomic_load(&t->refused);
        int64_t ago_ms = now_ms - (int64_t)atomic_load(&t->last_ms);
        out[i].refused = refused;
        out[i].ago_ms = refused == 0 ? -1 : ago_ms < 0 ? 0 : ago_ms;
    }
}

/* --- the buckets --- */

/* `domain` keeps ids of different sorts apart: levels of tokens, and kinds of addresses behind them. */
static uint64_t key_of(const struct http_limit *l, unsigned domain, struct rw_span id,
                       const char *tenant)
{
    uint8_t bytes[KEY_BYTES] = {(uint8_t)domain};
    struct rw_span t = rw_span_str(tenant);
    RW_ASSERT(1 + id.n + t.n <= sizeof(bytes));
    rw_copy(bytes + 1, sizeof(bytes) - 1, id.p, id.n);
    rw_copy(bytes + 1 + id.n, sizeof(bytes) - 1 - id.n, t.p, t.n);
    return limit_key_hash(&l->key, rw_span_of(bytes, 1 + id.n + t.n));
}

static RW_RC refuse(const struct http_limit *l, enum http_limit_kind kind, const char *whose,
                    int64_t retry_s, struct rw_err *err)
{
    RW_IGNORE(rw_fail(err, RW_E_LIMITED, "more than %lld requests a second %s",
                      (long long)l->per_s[kind], whose),
              "a hint follows");
    return rw_hint(err, "nothing was done; send it again in %lld s (Retry-After)",
                   (long long)retry_s);
}

RW_RC http_limit_known(struct http_limit *l, const struct api_identity *who,
                       const struct http_limit_peer *peer, int64_t *retry_s_out, struct rw_err *err)
{
    bool endpoint = who->level == API_AUTH_ENDPOINT;
    bool enrols = who->level == API_AUTH_ENROL;
    RW_ASSERT(who->level != API_AUTH_NONE);
    /* One token for a whole image: its endpoints cannot be told apart yet. Their tenant's share holds them. */
    if (enrols && !who->once) { return RW_OK; }
    enum http_limit_kind kind = endpoint || enrols ? HTTP_LIMIT_ENDPOINT : HTTP_LIMIT_OPERATOR;
    if (l->rates[kind].every_us == 0) { return RW_OK; }
    struct rw_span id = endpoint ? rw_span_of(who->endpoint, sizeof(who->endpoint))
                                 : rw_span_of(who->token_sha256, sizeof(who->token_sha256));
    struct limit_verdict v =
        limit_table_take(l->known, key_of(l, (unsigned)who->level, id, endpoint ? who->tenant : ""),
                         &l->rates[kind], rw_clock_mono(&l->clock).ms);
    if (v.pass) { return RW_OK; }
    note(l, kind, who, peer->text);
    *retry_s_out = limit_rule_retry_s(v.wait_ms, draw());
    return refuse(l, kind, endpoint ? "from this endpoint" : "with this token", *retry_s_out, err);
}

RW_RC http_limit_address(struct http_limit *l, enum http_limit_kind kind,
                         const struct http_limit_peer *peer, int64_t *retry_s_out,
                         struct rw_err *err)
{
    RW_ASSERT(kind == HTTP_LIMIT_STRANGER || kind == HTTP_LIMIT_OPEN);
    if (!peer->known || l->rates[kind].every_us == 0) { return RW_OK; }
    struct rw_span address = rw_span_of((const uint8_t *)&peer->key, sizeof(peer->key));
    struct limit_verdict v =
        limit_table_take(l->addresses, key_of(l, API_AUTH_ADMIN + 1U + (unsigned)kind, address, ""),
                         &l->rates[kind], rw_clock_mono(&l->clock).ms);
    if (v.pass) { return RW_OK; }
    note(l, kind, NULL, peer->text);
    *retry_s_out = limit_rule_retry_s(v.wait_ms, draw());
    return refuse(l, kind,
                  kind == HTTP_LIMIT_OPEN ? "from this address"
                                          : "without a valid token from this address",
                  *retry_s_out, err);
}

bool http_limit_connect(struct http_limit *l, const struct http_limit_peer *peer)
{
    const struct limit_rate *rate = &l->rates[HTTP_LIMIT_CONNECTION];
    if (!peer->known || rate->every_us == 0) { return true; }
    struct rw_span address = rw_span_of((const uint8_t *)&peer->key, sizeof(peer->key));
    uint64_t key = key_of(l, API_AUTH_ADMIN + 1U + (unsigned)HTTP_LIMIT_CONNECTION, address, "");
    if (limit_table_take(l->connects, key, rate, rw_clock_mono(&l->clock).ms).pass) { return true; }
    note(l, HTTP_LIMIT_CONNECTION, NULL, peer->text);
    return false;
}

int64_t http_limit_shared(struct http_limit *l, const struct api_identity *who, const char *peer)
{
    note(l, HTTP_LIMIT_TENANT, who, peer);
    return limit_rule_retry_s(API_RETRY_AFTER_S * INT64_C(1000), draw());
}
