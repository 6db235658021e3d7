#include "server/api/limit_key.h"

#include "common/crypto/digest.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t turn(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void rounds(struct state *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = turn(s->v1, 13) ^ s->v0;
        s->v3 = turn(s->v3, 16) ^ s->v2;
        s->v0 = turn(s->v0, 32);
        s->v2 += s->v1;
        s->v0 += s->v3;
        s->v1 = turn(s->v1, 17) ^ s->v2;
        s->v3 = turn(s->v3, 21) ^ s->v0;
        s->v2 = turn(s->v2, 32);
    }
}

static void take_word(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    rounds(s, 2);
    s->v0 ^= word;
}

/* Little endian; fewer than eight bytes leave the upper ones zero. */
static uint64_t word_of(const uint8_t *p, size_t n)
{
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++) {
        word |= (uint64_t)p[i] << (8 * i);
    }
    return word;
}

RW_RC limit_key_new(struct limit_key *out, struct rw_err *err)
{
    uint8_t bytes[16];
    RW_TRY(digest_random(bytes, sizeof(bytes), err));
    *out = (struct limit_key){.k0 = word_of(bytes, 8), .k1 = word_of(bytes + 8, 8)};
    return RW_OK;
}

uint64_t limit_key_hash(const struct limit_key *key, struct rw_span bytes)
{
    struct state s = {.v0 = key->k0 ^ UINT64_C(0x736f6d6570736575),
                      .v1 = key->k1 ^ UINT64_C(0x646f72616e646f6d),
                      .v2 = key->k0 ^ UINT64_C(0x6c7967656e657261),
                      .v3 = key->k1 ^ UINT64_C(0x7465646279746573)};
    size_t whole = bytes.n / 8 * 8;
    for (size_t i = 0; i < whole; i += 8) {
        take_word(&s, word_of(bytes.p + i, 8));
    }
    uint64_t last = whole == bytes.n ? 0 : word_of(bytes.p + whole, bytes.n - whole);
    take_word(&s, last | (uint64_t)bytes.n << 56);
    s.v2 ^= 0xff;
    rounds(&s, 4);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
