/* Goal: the client finds every way of bending the audit log by itself (INV-9). */
#include "common/json/json_write.h"
#include "server/cli/cmd_audit_chain.h"
#include "tests/harness.h"

enum { RECORDS = 4, LINE_BYTES = 512 };

/* Chains a text to what came before, as the server does: the hash behind it as the last member. */
static void chain_on(uint8_t hash[static DIGEST_BYTES], const char *text,
                     char line[static LINE_BYTES])
{
    struct rw_err err = {0};
    char hex[DIGEST_HEX_BYTES];
    RW_AUTO(digest) struct digest d = {.ctx = NULL};
    MUST(digest_begin(&d, &err));
    MUST(digest_add(&d, rw_span_of(hash, DIGEST_BYTES), &err));
    MUST(digest_add(&d, rw_span_str(text), &err));
    MUST(digest_end(&d, hash, &err));
    rw_hex_encode(hex, sizeof(hex), hash, DIGEST_BYTES);
    (void)snprintf(line, LINE_BYTES, "%.*s,\"hash\":\"%s\"}", (int)strlen(text) - 1, text, hex);
}

/* An honest log, written as the server writes it: text first, hash behind it. */
static void make_log(char lines[RECORDS][LINE_BYTES])
{
    static const char *const texts[RECORDS] = {
        "{\"seq\":1,\"at\":\"2026-11-22T05:34:16Z\",\"actor\":\"alice\",\"action\":\"release."
        "create\","
        "\"object\":\"yara/1\",\"reason\":\"\"}",
        "{\"seq\":2,\"at\":\"2026-11-22T05:34:17Z\",\"actor\":\"bob\",\"action\":\"rollout.halt\","
        "\"object\":\"yara/1\",\"reason\":\"quotes \\\" and \\\\ and \\u001f\"}",
        "{\"seq\":3,\"at\":\"2026-11-22T05:34:18Z\",\"actor\":\"controller\",\"action\":\"x\","
        "\"object\":\"\xC3\xBC\",\"reason\":\"\",\"details\":{\"a\":[1,2,{\"b\":null}],\"c\":\"-0."
        "5\"}}",
        "{\"seq\":4,\"at\":\"2026-11-22T05:34:19Z\",\"actor\":\"bob\",\"action\":\"y\","
        "\"object\":\"\",\"reason\":\"\",\"details\":{}}",
    };
    uint8_t hash[DIGEST_BYTES] = {0};
    for (size_t i = 0; i < RECORDS; i++) {
        chain_on(hash, texts[i], lines[i]);
    }
}

/* Gives the number of the record that was refused, 0 when all fit. */
static size_t check(char lines[RECORDS][LINE_BYTES], const size_t *order, size_t count,
                    struct rw_err *err)
{
    struct cmd_audit_chain chain = {0};
    for (size_t i = 0; i < count; i++) {
        RW_AUTO(json_tree) json_tree tree = NULL;
        struct rw_err local = {0};
        struct rw_rc rc =
            json_parse(rw_span_str(lines[order[i]]), &json_limits_small, &tree, &local);
        if (!rw_is_ok(rc)) { fail_msg("%s", local.text); }
        if (!rw_is_ok(cmd_audit_chain_add(&chain, tree, err))) { return i + 1; }
    }
    assert_int_equal(chain.seq, (int64_t)count);
    return 0;
}

static const size_t in_order[RECORDS] = {0, 1, 2, 3};

TEST(an_honest_log_fits_together)
{
    char lines[RECORDS][LINE_BYTES];
    struct rw_err err = {0};
    make_log(lines);
    assert_int_equal(check(lines, in_order, RECORDS, &err), 0);
}

TEST(a_missing_record_is_found)
{
    static const size_t without_two[] = {0, 2, 3};
    static const size_t without_one[] = {1, 2, 3};
    char lines[RECORDS][LINE_BYTES];
    struct rw_err err = {0};
    make_log(lines);
    assert_int_equal(check(lines, without_two, 3, &err), 2);
    assert_int_equal(err.code, RW_E_TUF_HASH);
    assert_int_equal(check(lines, without_one, 3, &err), 1);
}

TEST(records_in_another_order_are_found)
{
    static const size_t swapped[] = {0, 2, 1, 3};
    static const size_t twice[] = {0, 1, 1};
    char lines[RECORDS][LINE_BYTES];
    struct rw_err err = {0};
    make_log(lines);
    assert_int_equal(check(lines, swapped, RECORDS, &err), 2);
    assert_int_equal(check(lines, twice, 3, &err), 3);
}

static const struct bend {
    const char *id, *what, *with;
    size_t record;
} bends[] = {
    {"another actor", "\"bob\"", "\"eve\"", 1},
    {"another time", "05:34:18", "06:34:18", 2},
    {"a fact inside the details", "[1,2,", "[1,3,", 2},
    {"a hash of zeros", "\"hash\":\"", "\"hash\":\"0", 0},
    {"another name of a member", "\"reason\"", "\"reasom\"", 0},
    {"members in another order", "\"object\":\"\",\"reason\":\"\"",
     "\"reason\":\"\",\"object\":\"\"", 3},
};

TEST_EACH(a_changed_record_is_found, bends)
{
    char lines[RECORDS][LINE_BYTES];
    char bent[LINE_BYTES];
    struct rw_err err = {0};
    make_log(lines);
    char *at = strstr(lines[it->record], it->what);
    assert_non_null(at);
    (void)snprintf(bent, sizeof(bent), "%.*s%s%s", (int)(at - lines[it->record]), lines[it->record],
                   it->with, at + strlen(it->what));
    (void)snprintf(lines[it->record], LINE_BYTES, "%s", bent);
    assert_int_equal(check(lines, in_order, RECORDS, &err), it->record + 1);
    assert_int_equal(err.code, RW_E_TUF_HASH);
}

/* A log written anew around a hole has fitting hashes, but its numbers tell. */
TEST(a_hole_in_the_numbers_is_found_though_the_hashes_fit)
{
    static const size_t both[] = {0, 1};
    char lines[RECORDS][LINE_BYTES];
    struct rw_err err = {0};
    uint8_t hash[DIGEST_BYTES] = {0};
    chain_on(hash, "{\"seq\":1,\"at\":\"x\"}", lines[0]);
    chain_on(hash, "{\"seq\":3,\"at\":\"x\"}", lines[1]);
    assert_int_equal(check(lines, both, 2, &err), 2);
    assert_int_equal(err.code, RW_E_TUF_HASH);
}

TEST(a_record_that_does_not_end_with_its_hash_is_refused)
{
    static const char *const texts[] = {
        "{}", "{\"seq\":1}", "{\"hash\":\"00\",\"seq\":1}", "{\"seq\":1,\"hash\":7}", "[1]", "7"};
    for (size_t i = 0; i < RW_LEN(texts); i++) {
        struct rw_err err = {0};
        struct cmd_audit_chain chain = {0};
        RW_AUTO(json_tree) json_tree tree = NULL;
        MUST(json_parse(rw_span_str(texts[i]), &json_limits_small, &tree, &err));
        MUST_FAIL(cmd_audit_chain_add(&chain, tree, &err), RW_E_TUF_HASH);
    }
}

static struct rw_rc anchor(struct cmd_audit_chain *chain, const char *text, struct rw_err *err)
{
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(rw_span_str(text), &json_limits_small, &tree, err));
    return cmd_audit_chain_anchor(chain, tree, "after", err);
}

TEST(what_was_moved_must_be_what_came_before)
{
    char lines[RECORDS][LINE_BYTES];
    char text[256];
    char hex[DIGEST_HEX_BYTES];
    struct rw_err err = {0};
    struct cmd_audit_chain chain = {0};
    RW_AUTO(json_tree) json_tree first = NULL;
    RW_AUTO(json_tree) json_tree second = NULL;
    make_log(lines);
    MUST(json_parse(rw_span_str(lines[0]), &json_limits_small, &first, &err));
    MUST(json_parse(rw_span_str(lines[1]), &json_limits_small, &second, &err));
    MUST(cmd_audit_chain_add(&chain, first, &err));
    rw_hex_encode(hex, sizeof(hex), chain.hash, DIGEST_BYTES);
    (void)snprintf(text, sizeof(text), "{\"after\":1,\"hash\":\"%s\"}", hex);
    MUST(anchor(&chain, text, &err)); /* a segment behind the one that was seen */
    struct cmd_audit_chain fresh = {0};
    MUST(anchor(&fresh, text, &err)); /* or one alone */
    assert_int_equal(fresh.from, 1);
    MUST(cmd_audit_chain_add(&fresh, second, &err));
    MUST_FAIL(anchor(&fresh, text, &err), RW_E_TUF_HASH); /* the same one again */
    (void)snprintf(text, sizeof(text), "{\"after\":2,\"hash\":\"%s\"}", hex);
    MUST_FAIL(anchor(&chain, text, &err), RW_E_TUF_HASH); /* a gap */
    (void)snprintf(text, sizeof(text), "{\"after\":0,\"hash\":\"%s\"}", hex);
    struct cmd_audit_chain begun = {0};
    MUST_FAIL(anchor(&begun, text, &err), RW_E_TUF_HASH); /* record 1 follows zeros */
}

RUN_TESTS(cmocka_unit_test(what_was_moved_must_be_what_came_before),
          cmocka_unit_test(an_honest_log_fits_together),
          cmocka_unit_test(a_missing_record_is_found),
          cmocka_unit_test(records_in_another_order_are_found),
          cmocka_unit_test(a_changed_record_is_found),
          cmocka_unit_test(a_hole_in_the_numbers_is_found_though_the_hashes_fit),
          cmocka_unit_test(a_record_that_does_not_end_with_its_hash_is_refused))
