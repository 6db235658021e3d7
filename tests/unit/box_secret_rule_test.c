/* Goal: no token and no key of this host is ever a sample for a validator, and Ringward's own programs and settings
 * always are (INV-10). */
#include "agent/prove/box_secret_rule.h"

#include "tests/harness.h"

static const struct secret_case {
    const char *id;
    const char *path;
    unsigned mode;
    bool own;
    const char *head;
    enum box_secret want;
} cases[] = {
    {"the settings", "/etc/ringward/agent.conf", 0640, true, "server = x", BOX_SECRET_NONE},
    {"settings for their owner alone", "/etc/ringward/a.conf", 0600, true, "x", BOX_SECRET_NONE},
    {"the root of trust", "/etc/ringward/root.json", 0644, true, "{}", BOX_SECRET_NONE},
    {"a program for its owner alone", "/opt/ringward-agent", 0700, true, "\177ELF",
     BOX_SECRET_NONE},
    {"the enrolment token", "/etc/ringward/enrol.token", 0640, true, "", BOX_SECRET_NAME},
    {"a token of another name", "/etc/ringward/join", 0640, true, "rwj1.abc", BOX_SECRET_TOKEN},
    {"an endpoint's token", "/etc/ringward/e", 0644, true, "rwe1.abc\n", BOX_SECRET_TOKEN},
    {"a word like a token", "/etc/ringward/e", 0644, true, "rwj1", BOX_SECRET_NONE},
    {"a token's name in capitals", "/etc/ringward/e", 0644, true, "rwJ1.abc", BOX_SECRET_NONE},
    {"a key", "/etc/ringward/tls.key", 0644, true, "", BOX_SECRET_NAME},
    {"a file for its owner alone", "/etc/ringward/pin", 0400, true, "1234", BOX_SECRET_MODE},
    {"a key behind its certificate", "/etc/ringward/tls.pem", 0644, true,
     "-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\n", BOX_SECRET_KEY},
    {"a certificate", "/etc/ringward/ca.pem", 0644, true, "-----BEGIN CERTIFICATE-----\n",
     BOX_SECRET_NONE},
    {"a file of the host", "/etc/hosts", 0644, false, "127.0.0.1", BOX_SECRET_NONE},
    {"a file of the host for a group", "/etc/shadow", 0640, false, "root:", BOX_SECRET_MODE},
    {"a program of the host for a group", "/usr/bin/x", 0750, false, "", BOX_SECRET_MODE},
    {"a key of the host for all", "/etc/ssl/x.key", 0644, false, "", BOX_SECRET_NAME},
    {"a token that was copied", "/etc/motd", 0644, false, "rwj1.abc", BOX_SECRET_TOKEN},
};

TEST_EACH(files_are_samples_or_secrets, cases)
{
    const struct box_secret_rule_file f = {
        .path = it->path, .mode = it->mode, .own = it->own, .head = rw_span_str(it->head)};
    assert_int_equal(box_secret_rule(&f), it->want);
}

/* The words stand in each library that reads keys: those stay samples. */
TEST(a_program_that_looks_for_keys_holds_none)
{
    static const char program[] = "\177ELF\0-----BEGIN PRIVATE KEY-----";
    const struct box_secret_rule_file f = {
        .path = "/usr/lib/libx.so", .mode = 0644, .head = rw_span_of(program, sizeof(program))};
    assert_int_equal(box_secret_rule(&f), BOX_SECRET_NONE);
}

RUN_TESTS(cmocka_unit_test(files_are_samples_or_secrets),
          cmocka_unit_test(a_program_that_looks_for_keys_holds_none))
