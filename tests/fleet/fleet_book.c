#include "tests/fleet/fleet_book.h"

#include "common/json/json_read.h"
#include "common/policy/install_rule.h"

#include <stdio.h>
#include <string.h>

/* --- tokens: "rwj1.TENANT.HEX64", "rwe2.ENDPOINT.TENANT.ISSUED.MAC" --- */

/* The part before the next dot, or the rest. */
static struct rw_span take_part(struct rw_span *rest)
{
    size_t n = 0;
    while (n < rest->n && rest->p[n] != '.') {
        n++;
    }
    struct rw_span part = rw_span_of(rest->p, n);
    size_t skip = n < rest->n ? n + 1 : n;
    *rest = rw_span_of(rest->p + skip, rest->n - skip);
    return part;
}

static RW_RC read_enrol_token(struct rw_span text, struct fleet_book *b, struct rw_err *err)
{
    while (text.n > 0 && text.p[text.n - 1] == '\n') {
        text.n--;
    }
    struct rw_span rest = text;
    if (!rw_span_is(take_part(&rest), "rwj1")) {
        return rw_fail(err, RW_E_SYNTAX, "the enrolment token does not begin with 'rwj1.'");
    }
    RW_TRY(rw_span_to_str(b->tenant, sizeof(b->tenant), take_part(&rest), "tenant", err));
    return rw_span_to_str(b->enrol_token, sizeof(b->enrol_token), text, "enrolment token", err);
}

RW_RC fleet_book_take_token(const struct fleet_book *b, struct fleet_member *m, struct rw_span body,
                            struct rw_err *err)
{
    struct rw_span text;
    uint8_t id[FLEET_BOOK_ID_BYTES];
    int64_t issued_s = 0;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(json_get_span(tree, "token", &text, err));
    bool known = rw_span_is(take_part(&text), "rwe2");
    RW_TRY(rw_hex_decode(id, sizeof(id), take_part(&text), "endpoint of the token", err));
    struct rw_span tenant = take_part(&text);
    RW_TRY(rw_parse_i64(take_part(&text), 1, RW_JSON_INT_MAX, "time of the token", &issued_s, err));
    if (!known || memcmp(id, m->id, sizeof(id)) != 0 || !rw_span_is(tenant, b->tenant)) {
        return rw_fail(err, RW_E_SCHEMA, "the token is not this endpoint's");
    }
    RW_TRY(rw_hex_decode(m->mac, sizeof(m->mac), text, "MAC of the token", err));
    m->issued_s = issued_s;
    return RW_OK;
}

void fleet_book_token(const struct fleet_book *b, const struct fleet_member *m,
                      char dst[static FLEET_BOOK_TOKEN_BYTES])
{
    char id[2 * FLEET_BOOK_ID_BYTES + 1];
    char mac[DIGEST_HEX_BYTES];
    rw_hex_encode(id, sizeof(id), m->id, sizeof(m->id));
    rw_hex_encode(mac, sizeof(mac), m->mac, sizeof(m->mac));
    (void)snprintf(dst, FLEET_BOOK_TOKEN_BYTES, "rwe2.%s.%s.%lld.%s", id, b->tenant,
                   (long long)m->issued_s, mac);
}

/* --- who they are --- */

/* One hash serves as id and as the salt's hash, from which an endpoint computes its bucket. */
static RW_RC make(struct fleet_member *m, int64_t seed, size_t index, struct rw_err *err)
{
    char text[80];
    uint8_t hash[DIGEST_BYTES];
    (void)snprintf(text, sizeof(text), "ringward-fleet:%lld:%zu", (long long)seed, index);
    RW_TRY(digest_sha256(rw_span_str(text), hash, err));
    m->bucket = (uint16_t)install_rule_bucket(hash);
    rw_copy(m->id, sizeof(m->id), hash + DIGEST_BYTES - FLEET_BOOK_ID_BYTES, FLEET_BOOK_ID_BYTES);
    return RW_OK;
}

RW_RC fleet_book_open(size_t count, int64_t seed, struct rw_span enrol_token,
                      struct fleet_book *out, struct rw_err *err)
{
    struct fleet_book b = {.count = count};
    RW_TRY(read_enrol_token(enrol_token, &b, err));
    b.at = rw_mem_new_array(count, sizeof(*b.at));
    if (b.at == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu endpoints", count); }
    for (size_t i = 0; i < count; i++) {
        struct rw_rc rc = make(&b.at[i], seed, i, err);
        if (!rw_is_ok(rc)) {
            fleet_book_drop(&b);
            return rc;
        }
    }
    *out = b;
    return RW_OK;
}

void fleet_book_drop(struct fleet_book *b)
{
    rw_mem_free(b->at);
    b->at = NULL;
    b->count = 0;
}
