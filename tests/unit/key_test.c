/* Goal: exactly one signature form per scheme verifies, a malformed one is invalid and never an error, key files are
 * refused or read without ever asking on a terminal, and no PEM junk is looked over. */
#include "common/crypto/key.h"

#include "common/base/file.h"
#include "tests/harness.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <sys/stat.h>

static struct key make(enum key_scheme scheme)
{
    struct rw_err err = {0};
    struct key k;
    if (scheme == KEY_RSA_PSS) {
        MUST(key_adopt(EVP_RSA_gen(2048), true, &k, &err));
    } else {
        MUST(key_generate(scheme, &k, &err));
    }
    assert_int_equal(k.scheme, scheme);
    assert_true(k.is_private);
    return k;
}

static bool verifies(const struct key *k, struct rw_span message, struct rw_span sig)
{
    struct rw_err err = {0};
    bool valid = true;
    MUST(key_verify(k, message, sig, &valid, &err));
    return valid;
}

static const struct scheme_row {
    const char *id;
    enum key_scheme scheme;
} schemes[] = {{"ed25519", KEY_ED25519}, {"ecdsa_p256", KEY_ECDSA_P256}, {"rsa_pss", KEY_RSA_PSS}};

TEST_EACH(a_signature_verifies_and_any_flipped_bit_does_not, schemes)
{
    struct rw_err err = {0};
    char sig[2 * SIG_BYTES_MAX + 1];
    char message[] = "what is signed";
    struct rw_span m = rw_span_str(message);
    RW_AUTO(key) struct key k = make(it->scheme);
    RW_AUTO(key) struct key other = make(it->scheme);
    MUST(key_sign(&k, m, sig, &err));
    assert_true(verifies(&k, m, rw_span_str(sig)));
    assert_false(verifies(&other, m, rw_span_str(sig)));
    message[3] ^= 1;
    assert_false(verifies(&k, m, rw_span_str(sig)));
    message[3] ^= 1;
    assert_false(verifies(&k, rw_span_of(message, 3), rw_span_str(sig)));
    assert_false(verifies(&k, rw_span_of(NULL, 0), rw_span_str(sig)));
    for (size_t i = 0; i < strlen(sig); i += it->scheme == KEY_RSA_PSS ? 37 : 3) {
        char had = sig[i];
        sig[i] = had == '0' ? '1' : '0';
        assert_false(verifies(&k, m, rw_span_str(sig)));
        sig[i] = had;
    }
    assert_true(verifies(&k, m, rw_span_str(sig)));
}

TEST_EACH(malformed_signatures_are_invalid_and_no_error, schemes)
{
    struct rw_err err = {0};
    char sig[2 * SIG_BYTES_MAX + 1];
    char bad[4 * SIG_BYTES_MAX];
    struct rw_span m = rw_span_str("m");
    RW_AUTO(key) struct key k = make(it->scheme);
    MUST(key_sign(&k, m, sig, &err));
    size_t n = strlen(sig);
    assert_false(verifies(&k, m, rw_span_of(NULL, 0)));
    assert_false(verifies(&k, m, rw_span_str("")));
    assert_false(verifies(&k, m, rw_span_str("zz")));
    assert_false(verifies(&k, m, rw_span_of(sig, n - 1)));
    assert_false(verifies(&k, m, rw_span_of(sig, n - 2)));
    (void)snprintf(bad, sizeof(bad), "%s00", sig);
    assert_false(verifies(&k, m, rw_span_str(bad)));
    (void)snprintf(bad, sizeof(bad), "00%s", sig);
    assert_false(verifies(&k, m, rw_span_str(bad)));
    (void)snprintf(bad, sizeof(bad), " %s", sig);
    assert_false(verifies(&k, m, rw_span_str(bad)));
    (void)snprintf(bad, sizeof(bad), "%s\n", sig);
    assert_false(verifies(&k, m, rw_span_str(bad)));
    (void)snprintf(bad, sizeof(bad), "%s", sig);
    for (char *p = bad; *p != '\0'; p++) {
        if (*p >= 'a' && *p <= 'f') { *p = (char)(*p - 'a' + 'A'); }
    }
    assert_false(verifies(&k, m, rw_span_str(bad)));
    memset(bad, '0', n);
    assert_false(verifies(&k, m, rw_span_of(bad, n)));
    memset(bad, 'f', n);
    assert_false(verifies(&k, m, rw_span_of(bad, n)));
    memset(bad, '3', sizeof(bad));
    assert_false(verifies(&k, m, rw_span_of(bad, sizeof(bad))));
    assert_false(verifies(&k, m, rw_span_of(bad, 2 * SIG_BYTES_MAX)));
}

/* BER where DER is due: the same two integers with a long-form length. */
TEST(an_ecdsa_signature_has_one_encoding)
{
    struct rw_err err = {0};
    char sig[2 * SIG_BYTES_MAX + 1];
    char bad[2 * SIG_BYTES_MAX + 8];
    struct rw_span m = rw_span_str("m");
    RW_AUTO(key) struct key k = make(KEY_ECDSA_P256);
    MUST(key_sign(&k, m, sig, &err));
    (void)snprintf(bad, sizeof(bad), "3081%s", sig + 2);
    assert_false(verifies(&k, m, rw_span_str(bad)));
}

static struct key read_back(const struct key *k)
{
    struct rw_err err = {0};
    struct key out;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(8192);
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST(key_write_public(k, &text, &err));
    MUST(json_parse(rw_buf_span(&text), &json_limits_small, &tree, &err));
    MUST(key_read_public(tree, &out, &err));
    return out;
}

TEST_EACH(the_public_object_reads_back_to_the_same_key, schemes)
{
    struct rw_err err = {0};
    char sig[2 * SIG_BYTES_MAX + 1];
    RW_AUTO(key) struct key k = make(it->scheme);
    RW_AUTO(key) struct key other = make(it->scheme);
    RW_AUTO(key) struct key public_half = read_back(&k);
    assert_string_equal(public_half.id, k.id);
    assert_int_equal(strlen(k.id), 64);
    assert_false(public_half.is_private);
    assert_true(key_same_public(&k, &public_half));
    assert_false(key_same_public(&other, &public_half));
    MUST(key_sign(&k, rw_span_str("m"), sig, &err));
    assert_true(verifies(&public_half, rw_span_str("m"), rw_span_str(sig)));
}

#define ED_HEX "ffe96095c7425bd9987bc5e5c38deb75b9ae8d8976f7604dfdbe9ff5895bb63f"
#define P384                                                                                       \
    "-----BEGIN PUBLIC KEY-----\\n"                                                                \
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEbggXolAujoea0mNTlNatb4KmzCjB9tRO\\n"                          \
    "43ci8edTao8vPTKVsz+2Y0gIcz9lAg+oDrqGI7pqVnQnk1LcXjpS7aSxFVR8oH/0\\n"                          \
    "K0hZBnkQ4f5Sal6JpMtFSdRPBeUOeM/B\\n-----END PUBLIC KEY-----\\n"
#define RSA1024                                                                                    \
    "-----BEGIN PUBLIC KEY-----\\n"                                                                \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDjrEHoU270tMyH3I0yVdv1CNe+\\n"                          \
    "OEK4r0qcnsqGjSL1zAk1rta8fEvlETH219FzO3iyVsbmkRBhfiM1NpzUnD5v2ul0\\n"                          \
    "0wlEnYpagCHzLZiYsoaWkkHh3Fb0wNrCH0xnlNRSdmbNAxsz+iESDFWb18nX3A1V\\n"                          \
    "GzUZClMxvXra0eDFLwIDAQAB\\n-----END PUBLIC KEY-----\\n"

static const struct object_row {
    const char *id;
    const char *keytype, *scheme, *value;
    enum rw_code want;
    enum key_scheme kind;
} objects[] = {
    {"ed25519", "ed25519", "ed25519", ED_HEX, RW_E_NONE, KEY_ED25519},
    {"unknown_scheme_has_no_vote", "ed25519", "ed448", ED_HEX, RW_E_NONE, KEY_UNKNOWN},
    {"unknown_keytype_has_no_vote", "dilithium", "x", "y", RW_E_NONE, KEY_UNKNOWN},
    {"keytype_and_scheme_must_fit", "rsa", "ed25519", ED_HEX, RW_E_NONE, KEY_UNKNOWN},
    {"hex_too_short", "ed25519", "ed25519", "ffe9", RW_E_SYNTAX, KEY_UNKNOWN},
    {"hex_in_capitals", "ed25519", "ed25519",
     "FFE96095C7425BD9987BC5E5C38DEB75B9AE8D8976F7604DFDBE9FF5895BB63F", RW_E_SYNTAX, KEY_UNKNOWN},
    {"no_pem", "ecdsa", "ecdsa-sha2-nistp256", "x", RW_E_SCHEMA, KEY_UNKNOWN},
    {"another_curve", "ecdsa", "ecdsa-sha2-nistp256", P384, RW_E_SCHEMA, KEY_UNKNOWN},
    {"rsa_too_short", "rsa", "rsassa-pss-sha256", RSA1024, RW_E_SCHEMA, KEY_UNKNOWN},
    {"a_key_of_another_scheme", "ecdsa", "ecdsa-sha2-nistp256", RSA1024, RW_E_SCHEMA, KEY_UNKNOWN},
};

TEST_EACH(key_objects_are_read_strictly, objects)
{
    struct rw_err err = {0};
    RW_AUTO(key) struct key k = {.pkey = NULL};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(8192);
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST(rw_buf_appendf(&text, &err,
                        "{\"keytype\":\"%s\",\"scheme\":\"%s\",\"keyval\":{\"public\":\"%s\"}}",
                        it->keytype, it->scheme, it->value));
    MUST(json_parse(rw_buf_span(&text), &json_limits_small, &tree, &err));
    MUST_FAIL(key_read_public(tree, &k, &err), it->want);
    if (it->want == RW_E_NONE) {
        assert_int_equal(k.scheme, it->kind);
        assert_int_equal(strlen(k.id), 64);
        if (it->kind == KEY_UNKNOWN) {
            assert_false(verifies(&k, rw_span_str("m"), rw_span_str("00")));
        }
    }
}

static const struct broken_row {
    const char *id;
    const char *text;
} brokens[] = {
    {"no_object", "[]"},
    {"no_keytype", "{\"scheme\":\"ed25519\",\"keyval\":{\"public\":\"" ED_HEX "\"}}"},
    {"no_scheme", "{\"keytype\":\"ed25519\",\"keyval\":{\"public\":\"" ED_HEX "\"}}"},
    {"no_keyval", "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\"}"},
    {"keyval_is_a_string", "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":\"x\"}"},
    {"no_public", "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{}}"},
    {"public_is_a_number",
     "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":1}}"},
};

TEST_EACH(broken_key_objects_are_refused, brokens)
{
    struct rw_err err = {0};
    RW_AUTO(key) struct key k = {.pkey = NULL};
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST(json_parse(rw_span_str(it->text), &json_limits_small, &tree, &err));
    MUST_FAIL(key_read_public(tree, &k, &err), RW_E_SCHEMA);
}

TEST(every_member_of_a_key_object_counts_for_its_id)
{
    struct rw_err err = {0};
    RW_AUTO(key) struct key a = {.pkey = NULL};
    RW_AUTO(key) struct key b = {.pkey = NULL};
    RW_AUTO(json_tree) json_tree plain = NULL;
    RW_AUTO(json_tree) json_tree more = NULL;
    MUST(json_parse(
        rw_span_str(
            "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":\"" ED_HEX
            "\"}}"),
        &json_limits_small, &plain, &err));
    MUST(json_parse(
        rw_span_str(
            "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":\"" ED_HEX
            "\"},\"x-note\":\"a\"}"),
        &json_limits_small, &more, &err));
    MUST(key_read_public(plain, &a, &err));
    MUST(key_read_public(more, &b, &err));
    assert_string_equal(a.id, "cbfe09f842693f26ee02d111834f0bcd93b76f203a34ab80005875dbf61e9b1a");
    assert_string_not_equal(a.id, b.id);
    assert_true(key_same_public(&a, &b));
}

/* What stands around the one PEM block would be overlooked by OpenSSL and by no other reader. */
static const struct pem_row {
    const char *id;
    const char *before, *behind;
    bool good;
} pems[] = {
    {"alone", "", "", true},
    {"white_space_behind", "", "\\n \\n", true},
    {"junk_before", "junk\\n", "", false},
    {"blank_before", "\\n", "", false},
    {"junk_behind", "", "junk", false},
    {"a_second_block", "", "-----BEGIN PUBLIC KEY-----\\n", false},
};

TEST_EACH(nothing_stands_around_a_pem_key, pems)
{
    struct rw_err err = {0};
    RW_AUTO(key) struct key k = make(KEY_ECDSA_P256);
    RW_AUTO(key) struct key got = {.pkey = NULL};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(8192);
    RW_AUTO(rw_buf) struct rw_buf changed = rw_buf_make(8192);
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST(key_write_public(&k, &text, &err));
    const char *begin = strstr(rw_buf_str(&text), "-----BEGIN");
    const char *end = strstr(begin, "\"}");
    MUST(rw_buf_appendf(&changed, &err, "%.*s%s%.*s%s%s", (int)(begin - rw_buf_str(&text)),
                        rw_buf_str(&text), it->before, (int)(end - begin), begin, it->behind, end));
    MUST(json_parse(rw_buf_span(&changed), &json_limits_small, &tree, &err));
    MUST_FAIL(key_read_public(tree, &got, &err), it->good ? RW_E_NONE : RW_E_SCHEMA);
}

TEST(keys_are_saved_for_the_owner_alone_and_loaded_again)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    struct stat st;
    char path[128];
    RW_AUTO(key) struct key k = make(KEY_ED25519);
    RW_AUTO(key) struct key back = {.pkey = NULL};
    (void)snprintf(path, sizeof(path), "%s/k.key", d.path);
    MUST(key_save_private(&k, path, NULL, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    MUST(key_load_private(path, NULL, &back, &err));
    assert_string_equal(back.id, k.id);
    assert_true(back.is_private);
}

TEST(an_encrypted_key_needs_its_passphrase_and_never_asks)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    char path[128];
    RW_AUTO(key) struct key k = make(KEY_ECDSA_P256);
    RW_AUTO(key) struct key back = {.pkey = NULL};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(8192);
    (void)snprintf(path, sizeof(path), "%s/k.key", d.path);
    MUST(key_save_private(&k, path, "correct horse", &err));
    MUST(rw_file_read(path, 8192, &text, &err));
    assert_non_null(strstr(rw_buf_str(&text), "BEGIN ENCRYPTED PRIVATE KEY"));
    MUST_FAIL(key_load_private(path, NULL, &back, &err), RW_E_AUTH);
    assert_true(err.hint[0] != '\0');
    MUST_FAIL(key_load_private(path, "wrong", &back, &err), RW_E_AUTH);
    MUST_FAIL(key_load_private(path, "", &back, &err), RW_E_AUTH);
    char longer[5000];
    memset(longer, 'p', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    MUST_FAIL(key_load_private(path, longer, &back, &err), RW_E_AUTH);
    MUST(key_load_private(path, "correct horse", &back, &err));
    assert_string_equal(back.id, k.id);
}

static const struct file_row {
    const char *id;
    const char *text;
} files[] = {
    {"empty", ""},
    {"text", "hello\n"},
    {"public_key", "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n"},
    {"cut_block", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw"},
    {"bad_base64", "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n"},
};

TEST_EACH(a_file_without_a_private_key_is_told, files)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    char path[128];
    RW_AUTO(key) struct key back = {.pkey = NULL};
    (void)snprintf(path, sizeof(path), "%s/k.key", d.path);
    MUST_FAIL(key_load_private(path, NULL, &back, &err), RW_E_NOT_FOUND);
    MUST(rw_file_replace_at(d.fd, "k.key", 0600, rw_span_str(it->text), &err));
    MUST_FAIL(key_load_private(path, NULL, &back, &err), RW_E_SYNTAX);
    assert_non_null(strstr(err.text, path));
}

TEST(a_key_without_a_scheme_of_ours_is_not_adopted)
{
    struct rw_err err = {0};
    struct key k = {.pkey = NULL};
    MUST_FAIL(key_adopt(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), true, &k, &err), RW_E_SCHEMA);
    MUST_FAIL(key_adopt(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"), true, &k, &err), RW_E_SCHEMA);
    MUST_FAIL(key_adopt(EVP_RSA_gen(1024), true, &k, &err), RW_E_SCHEMA);
    assert_null(k.pkey);
}

RUN_TESTS(cmocka_unit_test(a_signature_verifies_and_any_flipped_bit_does_not),
          cmocka_unit_test(malformed_signatures_are_invalid_and_no_error),
          cmocka_unit_test(an_ecdsa_signature_has_one_encoding),
          cmocka_unit_test(the_public_object_reads_back_to_the_same_key),
          cmocka_unit_test(key_objects_are_read_strictly),
          cmocka_unit_test(broken_key_objects_are_refused),
          cmocka_unit_test(every_member_of_a_key_object_counts_for_its_id),
          cmocka_unit_test(nothing_stands_around_a_pem_key),
          cmocka_unit_test(keys_are_saved_for_the_owner_alone_and_loaded_again),
          cmocka_unit_test(an_encrypted_key_needs_its_passphrase_and_never_asks),
          cmocka_unit_test(a_file_without_a_private_key_is_told),
          cmocka_unit_test(a_key_without_a_scheme_of_ours_is_not_adopted))
