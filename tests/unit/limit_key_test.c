/* Goal: the hash is SipHash-2-4, as published, and two keys have nothing in common. */
#include "server/api/limit_key.h"
#include "tests/harness.h"

/* Key 00 01 .. 0f, message of n bytes 00 01 ..: from the reference implementation. */
static const struct vector {
    const char *id;
    size_t n;
    uint64_t want;
} vectors[] = {
    {"empty", 0, UINT64_C(0x726fdb47dd0e0e31)},    {"one", 1, UINT64_C(0x74f839c593dc67fd)},
    {"seven", 7, UINT64_C(0xab0200f58b01d137)},    {"eight", 8, UINT64_C(0x93f5f5799a932462)},
    {"fifteen", 15, UINT64_C(0xa129ca6149be45e5)},
};

TEST_EACH(the_published_vectors_come_out, vectors)
{
    const struct limit_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t bytes[16];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    assert_true(limit_key_hash(&key, rw_span_of(bytes, it->n)) == it->want);
}

TEST(each_key_is_another)
{
    struct rw_err err;
    struct limit_key a;
    struct limit_key b;
    MUST(limit_key_new(&a, &err));
    MUST(limit_key_new(&b, &err));
    assert_true(limit_key_hash(&a, rw_span_str("x")) != limit_key_hash(&b, rw_span_str("x")));
}

RUN_TESTS(cmocka_unit_test(the_published_vectors_come_out), cmocka_unit_test(each_key_is_another))
