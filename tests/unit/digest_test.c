/* Goal: published vectors come out, streaming equals whole, lengths are counted and limited. */
#include "common/crypto/digest.h"

#include "common/base/file.h"
#include "tests/harness.h"

static const struct sha_row {
    const char *id;
    const char *text, *want;
} shas[] = {
    {"empty", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"two_blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

TEST_EACH(the_vectors_of_fips_180_come_out, shas)
{
    struct rw_err err = {0};
    char hex[DIGEST_HEX_BYTES];
    MUST(digest_sha256_hex(rw_span_str(it->text), hex, &err));
    assert_string_equal(hex, it->want);
}

TEST(the_empty_span_without_memory_has_a_digest)
{
    struct rw_err err = {0};
    char hex[DIGEST_HEX_BYTES];
    uint8_t mac[DIGEST_BYTES];
    MUST(digest_sha256_hex(rw_span_of(NULL, 0), hex, &err));
    assert_string_equal(hex, shas[0].want);
    MUST(digest_hmac(rw_span_str("k"), rw_span_of(NULL, 0), mac, &err));
}

TEST(streaming_in_any_pieces_equals_the_whole)
{
    struct rw_err err = {0};
    uint8_t data[1000];
    uint8_t whole[DIGEST_BYTES];
    uint8_t parts[DIGEST_BYTES];
    uint32_t seed = harness_seed();
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)harness_random(&seed);
    }
    MUST(digest_sha256(rw_span_of(data, sizeof(data)), whole, &err));
    RW_AUTO(digest) struct digest d = {NULL};
    MUST(digest_begin(&d, &err));
    for (size_t at = 0; at < sizeof(data);) {
        size_t n = harness_random(&seed) % 100;
        if (n > sizeof(data) - at) { n = sizeof(data) - at; }
        MUST(digest_add(&d, rw_span_of(data + at, n), &err));
        at += n;
    }
    MUST(digest_end(&d, parts, &err));
    assert_null(d.ctx);
    assert_memory_equal(whole, parts, DIGEST_BYTES);
}

TEST(a_file_is_hashed_from_its_offset_and_not_beyond_its_limit)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    uint8_t got[DIGEST_BYTES];
    char hex[DIGEST_HEX_BYTES];
    uint64_t length = 0;
    MUST(rw_file_replace_at(d.fd, "f", 0600, rw_span_str("xxabc"), &err));
    RW_AUTO(rw_fd) rw_fd fd = openat(d.fd, "f", O_RDONLY | O_CLOEXEC);
    assert_int_equal(lseek(fd, 2, SEEK_SET), 2);
    MUST(digest_fd(fd, 3, got, &length, &err));
    assert_int_equal(length, 3);
    rw_hex_encode(hex, sizeof(hex), got, sizeof(got));
    assert_string_equal(hex, shas[1].want);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    MUST_FAIL(digest_fd(fd, 4, got, &length, &err), RW_E_TOO_BIG);
    MUST_FAIL(digest_fd(d.fd, 100, got, &length, &err), RW_E_IO);
}

TEST(hmac_gives_the_vector_of_rfc_4231)
{
    struct rw_err err = {0};
    uint8_t mac[DIGEST_BYTES];
    char hex[DIGEST_HEX_BYTES];
    MUST(digest_hmac(rw_span_str("Jefe"), rw_span_str("what do ya want for nothing?"), mac, &err));
    rw_hex_encode(hex, sizeof(hex), mac, sizeof(mac));
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(random_bytes_differ_and_comparison_sees_every_bit)
{
    struct rw_err err = {0};
    uint8_t a[32];
    uint8_t b[32];
    MUST(digest_random(a, sizeof(a), &err));
    MUST(digest_random(b, sizeof(b), &err));
    assert_false(digest_same(a, b, sizeof(a)));
    memcpy(b, a, sizeof(a));
    assert_true(digest_same(a, b, sizeof(a)));
    for (size_t bit = 0; bit < 256; bit++) {
        b[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(digest_same(a, b, sizeof(a)));
        b[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

RUN_TESTS(cmocka_unit_test(the_vectors_of_fips_180_come_out),
          cmocka_unit_test(the_empty_span_without_memory_has_a_digest),
          cmocka_unit_test(streaming_in_any_pieces_equals_the_whole),
          cmocka_unit_test(a_file_is_hashed_from_its_offset_and_not_beyond_its_limit),
          cmocka_unit_test(hmac_gives_the_vector_of_rfc_4231),
          cmocka_unit_test(random_bytes_differ_and_comparison_sees_every_bit))
