/* Goal: a public key that went from hand to hand is the one that was shown, or it is refused with the file's name. */
#include "common/base/file.h"
#include "common/crypto/key_public.h"
#include "common/crypto/key_token.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <unistd.h>

static struct rw_rc read_text(const char *text, struct key *out, struct rw_err *err)
{
    char dir[] = "/tmp/ringward-key-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/a.pub", dir);
    RW_TRY(rw_file_replace(path, 0644, rw_span_str(text), err));
    struct rw_rc rc = key_public_read(path, out, err);
    (void)unlink(path);
    (void)rmdir(dir);
    return rc;
}

TEST(what_was_written_is_read_as_the_same_key)
{
    static const enum key_scheme schemes[] = {KEY_ED25519, KEY_ECDSA_P256};
    for (size_t i = 0; i < RW_LEN(schemes); i++) {
        struct rw_err err = {0};
        RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
        RW_AUTO(key) struct key back = {.scheme = KEY_UNKNOWN};
        RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(KEY_PUBLIC_BYTES_MAX);
        MUST(key_generate(schemes[i], &k, &err));
        MUST(key_public_write(&k, &text, &err));
        MUST(read_text(rw_buf_str(&text), &back, &err));
        assert_true(key_same_public(&k, &back));
        assert_string_equal(back.id, k.id);
        assert_false(back.is_private);
    }
}

#define ED                                                                                         \
    "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":"                      \
    "\"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\"}}"

static const struct broken {
    const char *id, *text;
    enum rw_code code;
} broken[] = {
    {"nothing", "", RW_E_SYNTAX},
    {"no object", "[]", RW_E_SCHEMA},
    {"no key", "{\"keyid\":\"00\"}", RW_E_SCHEMA},
    {"no id", "{\"key\":" ED "}", RW_E_SCHEMA},
    {"another id", "{\"key\":" ED ",\"keyid\":\"00\"}", RW_E_SCHEMA},
    {"more members", "{\"key\":" ED ",\"keyid\":\"00\",\"x\":1}", RW_E_SCHEMA},
    {"a scheme of others",
     "{\"key\":{\"keytype\":\"x\",\"scheme\":\"x\",\"keyval\":{\"public\":\"\"}},\"keyid\":\"00\"}",
     RW_E_SCHEMA},
    {"a private key",
     "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n",
     RW_E_SYNTAX},
};

TEST_EACH(anything_else_is_refused_by_name, broken)
{
    struct rw_err err = {0};
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    MUST_FAIL(read_text(it->text, &k, &err), it->code);
    assert_non_null(strstr(err.text, "a.pub"));
    assert_null(k.pkey);
}

TEST(a_pin_in_a_uri_is_refused_before_any_token_is_asked)
{
    static const char *const uris[] = {"pkcs11:token=a;object=b?pin-value=1234",
                                       "pkcs11:token=a;object=b?pin-source=/etc/passwd", "token=a"};
    assert_true(key_token_is_uri("pkcs11:token=a"));
    assert_false(key_token_is_uri("./pkcs11:a"));
    for (size_t i = 0; i < RW_LEN(uris); i++) {
        struct rw_err err = {0};
        RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
        const struct key_token t = {.uri = uris[i], .pin = "1234"};
        MUST_FAIL(key_token_load(&t, &k, &err), RW_E_USAGE);
        assert_null(strstr(err.text, "1234"));
    }
}

RUN_TESTS(cmocka_unit_test(what_was_written_is_read_as_the_same_key),
          cmocka_unit_test(anything_else_is_refused_by_name),
          cmocka_unit_test(a_pin_in_a_uri_is_refused_before_any_token_is_asked))
