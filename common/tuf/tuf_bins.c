#include "common/tuf/tuf_bins.h"

#include "common/base/num.h"
#include "common/crypto/digest.h"

#include <stdio.h>
#include <string.h>

enum { BITS_PER_HEX_DIGIT = 4 };

struct bins {
    int64_t bits;
    struct rw_span prefix;
};

static RW_RC read_bins(const struct json *succinct, struct bins *out, struct rw_err *err)
{
    RW_TRY(json_get_int(succinct, "bit_length", 1, TUF_BINS_BITS_MAX, &out->bits, err));
    return json_get_span(succinct, "name_prefix", &out->prefix, err);
}

RW_RC tuf_bins_check(const struct json *succinct, struct rw_err *err)
{
    struct bins b;
    return read_bins(succinct, &b, err);
}

/* Digits of the greatest bin's number, 2^bits - 1. */
static int digits_of(const struct bins *b)
{
    return ((int)b->bits + BITS_PER_HEX_DIGIT - 1) / BITS_PER_HEX_DIGIT;
}

RW_RC tuf_bins_role(const struct json *succinct, const char *path, char *dst, size_t cap,
                    struct rw_err *err)
{
    struct bins b;
    uint8_t hash[DIGEST_BYTES];
    RW_TRY(read_bins(succinct, &b, err));
    RW_TRY(digest_sha256(rw_span_str(path), hash, err));
    uint32_t head = (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 |
                    (uint32_t)hash[3];
    uint32_t bin = head >> (TUF_BINS_BITS_MAX - b.bits);
    int n = snprintf(dst, cap, "%.*s-%0*x", (int)b.prefix.n, (const char *)b.prefix.p,
                     digits_of(&b), (unsigned)bin);
    if (n < 0 || (size_t)n >= cap) {
        return rw_fail(err, RW_E_TOO_BIG, "name of a hash bin is longer than %zu bytes", cap - 1);
    }
    return RW_OK;
}

bool tuf_bins_has(const struct json *succinct, const char *role)
{
    struct bins b;
    struct rw_err unused;
    if (!rw_is_ok(read_bins(succinct, &b, &unused))) { return false; }
    size_t n = strlen(role);
    size_t digits = (size_t)digits_of(&b);
    if (n != b.prefix.n + 1 + digits || memcmp(role, b.prefix.p, b.prefix.n) != 0 ||
        role[b.prefix.n] != '-') {
        return false;
    }
    uint64_t number = 0;
    for (const char *p = role + b.prefix.n + 1; *p != '\0'; p++) {
        const char *digit = strchr("0123456789abcdef", *p);
        if (digit == NULL) { return false; }
        number = number << BITS_PER_HEX_DIGIT | (uint64_t)(digit - "0123456789abcdef");
    }
    return number < UINT64_C(1) << b.bits;
}
