/* Goal: the threshold counts keys, not signatures or key ids (TUF-5.3.4). */
#include "common/tuf/tuf_sigset.h"

#include "common/json/json_write.h"
#include "common/tuf/tuf_write.h"
#include "tests/fakes/tuf_repo.h"
#include "tests/harness.h"

/* Signers: A, B and C are keys; "a" is A's public key under a second id (another member in its object), "!" breaks the
 * signature before it, "0" empties it. */
static const struct threshold_case {
    const char *id;
    const char *listed; /* key ids of the role */
    const char *signers;
    int threshold;
    enum rw_code want;
    unsigned votes;
} cases[] = {
    {"one_of_one_is_accepted", "A", "A", 1, RW_E_NONE, 1},
    {"two_of_two_is_accepted", "AB", "AB", 2, RW_E_NONE, 2},
    {"order_does_not_matter", "AB", "BA", 2, RW_E_NONE, 2},
    {"one_of_two_is_refused", "AB", "A", 2, RW_E_TUF_THRESHOLD, 1},
    {"more_than_needed_is_accepted", "ABC", "ABC", 2, RW_E_NONE, 3},
    {"none_is_refused", "AB", "", 1, RW_E_TUF_THRESHOLD, 0},
    {"one_key_under_two_ids_votes_once", "Aa", "Aa", 2, RW_E_TUF_THRESHOLD, 1},
    {"second_id_counts_if_first_is_broken", "Aa", "A!a", 1, RW_E_NONE, 1},
    {"first_id_counts_if_second_is_broken", "Aa", "Aa!", 1, RW_E_NONE, 1},
    {"unlisted_key_has_no_vote", "AB", "AC", 2, RW_E_TUF_THRESHOLD, 1},
    {"broken_signature_has_no_vote", "AB", "AB!", 2, RW_E_TUF_THRESHOLD, 1},
    {"broken_one_does_not_spoil_the_others", "ABC", "A!BC", 2, RW_E_NONE, 2},
    {"empty_signature_has_no_vote", "AB", "AB0", 2, RW_E_TUF_THRESHOLD, 1},
    {"id_listed_twice_counts_once", "AA", "A", 2, RW_E_TUF_THRESHOLD, 1},
    {"threshold_above_the_number_of_keys_never_verifies", "AB", "AB", 3, RW_E_TUF_THRESHOLD, 2},
    {"a_role_without_keys_never_verifies", "", "A", 1, RW_E_TUF_THRESHOLD, 0},
};

/* A's object with one more member: another id for the same public value. */
static void second_id(struct tuf_repo *r, struct rw_buf *object, char id[static DIGEST_HEX_BYTES])
{
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf plain = rw_buf_make(4096);
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(key) struct key k = {.pkey = NULL};
    MUST(key_write_public(tuf_repo_key(r, 'A'), &plain, &err));
    MUST(
        rw_buf_appendf(object, &err, "%.*s,\"x-second\":1}", (int)plain.n - 1, rw_buf_str(&plain)));
    MUST(json_parse(rw_buf_span(object), &json_limits_small, &tree, &err));
    MUST(key_read_public(tree, &k, &err));
    memcpy(id, k.id, DIGEST_HEX_BYTES);
}

static void id_of(struct tuf_repo *r, char letter, char id[static DIGEST_HEX_BYTES])
{
    RW_AUTO(rw_buf) struct rw_buf object = rw_buf_make(4096);
    if (letter == 'a') {
        second_id(r, &object, id);
    } else {
        memcpy(id, tuf_repo_key(r, letter)->id, DIGEST_HEX_BYTES);
    }
}

/* A root document whose role "timestamp" lists the keys; it serves as authority and as the signed document. */
static struct rw_buf signed_root(struct tuf_repo *r, const char *listed, const char *signers,
                                 int threshold)
{
    struct rw_err err = {0};
    char id[DIGEST_HEX_BYTES];
    struct tuf_write_sig sigs[8];
    size_t n = 0;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(100000);
    RW_AUTO(rw_buf) struct rw_buf second = rw_buf_make(4096);
    struct json_writer w = json_begin(&text);
    json_open_object(&w, NULL);
    json_put_str(&w, "_type", "root");
    json_put_str(&w, "spec_version", "1.0.31");
    json_put_int(&w, "version", 1);
    json_put_str(&w, "expires", TUF_REPO_FRESH);
    json_open_object(&w, "keys");
    for (const char *k = "ABC"; *k != '\0'; k++) {
        RW_AUTO(rw_buf) struct rw_buf object = rw_buf_make(4096);
        MUST(key_write_public(tuf_repo_key(r, *k), &object, &err));
        json_put_raw(&w, tuf_repo_key(r, *k)->id, rw_buf_span(&object));
    }
    second_id(r, &second, id);
    json_put_raw(&w, id, rw_buf_span(&second));
    json_close_object(&w);
    json_open_object(&w, "roles");
    for (size_t i = 0; i < 4; i++) {
        static const char *const names[] = {"root", "timestamp", "snapshot", "targets"};
        json_open_object(&w, names[i]);
        json_open_array(&w, "keyids");
        for (const char *k = listed; *k != '\0'; k++) {
            id_of(r, *k, id);
            json_put_str(&w, NULL, id);
        }
        json_close_array(&w);
        json_put_int(&w, "threshold", threshold);
        json_close_object(&w);
    }
    json_close_object(&w);
    json_close_object(&w);
    MUST(json_done(&w, &err));
    for (const char *s = signers; *s != '\0'; s++) {
        if (*s == '!') {
            sigs[n - 1].sig_hex[5] = sigs[n - 1].sig_hex[5] == '0' ? '1' : '0';
        } else if (*s == '0') {
            sigs[n - 1].sig_hex[0] = '\0';
        } else {
            id_of(r, *s, sigs[n].keyid);
            MUST(tuf_write_sign(rw_buf_span(&text), tuf_repo_key(r, *s == 'a' ? 'A' : *s),
                                sigs[n].sig_hex, &err));
            n++;
        }
    }
    struct rw_buf out = rw_buf_make(200000);
    MUST(tuf_write_envelope_of(rw_buf_span(&text), sigs, n, &out, &err));
    return out;
}

TEST_EACH(threshold_counts_distinct_keys, cases)
{
    struct rw_err err = {0};
    unsigned votes = 99;
    RW_AUTO(tuf_repo_ref) tuf_repo_ref r = tuf_repo_new();
    RW_AUTO(rw_buf) struct rw_buf file = signed_root(r, it->listed, it->signers, it->threshold);
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    MUST(tuf_doc_parse(rw_buf_span(&file), "root", &doc, &err));
    MUST(tuf_sigset_of_root(&doc, "timestamp", &a, &err));
    MUST_FAIL(tuf_sigset_check(&doc, &a, &votes, &err), it->want);
    assert_int_equal(votes, it->votes);
}

TEST(the_error_names_role_and_counts)
{
    struct rw_err err = {0};
    RW_AUTO(tuf_repo_ref) tuf_repo_ref r = tuf_repo_new();
    RW_AUTO(rw_buf) struct rw_buf file = signed_root(r, "ABC", "A", 2);
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    MUST(tuf_doc_parse(rw_buf_span(&file), "root", &doc, &err));
    MUST(tuf_sigset_of_root(&doc, "timestamp", &a, &err));
    MUST_FAIL(tuf_sigset_check(&doc, &a, NULL, &err), RW_E_TUF_THRESHOLD);
    assert_string_equal(err.text, "role 'timestamp': 1 valid signatures, needs 2");
}

TEST(a_key_id_that_is_not_the_hash_of_its_key_is_refused)
{
    struct rw_err err = {0};
    RW_AUTO(tuf_repo_ref) tuf_repo_ref r = tuf_repo_new();
    RW_AUTO(rw_buf) struct rw_buf file = signed_root(r, "A", "A", 1);
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    const char *id = tuf_repo_key(r, 'A')->id;
    for (char *at = (char *)file.p; (at = strstr(at, id)) != NULL; at++) {
        at[0] = at[0] == '0' ? '1' : '0'; /* the same wrong id everywhere */
    }
    MUST(tuf_doc_parse(rw_buf_span(&file), "root", &doc, &err));
    MUST_FAIL(tuf_sigset_of_root(&doc, "timestamp", &a, &err), RW_E_SCHEMA);
}

TEST(one_signature_is_checked_against_the_keys_of_its_role)
{
    struct rw_err err = {0};
    char sig[2 * SIG_BYTES_MAX + 1];
    RW_AUTO(tuf_repo_ref) tuf_repo_ref r = tuf_repo_new();
    RW_AUTO(rw_buf) struct rw_buf file = signed_root(r, "AB", "A", 1);
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    struct rw_span m = rw_span_str("message");
    MUST(tuf_doc_parse(rw_buf_span(&file), "root", &doc, &err));
    MUST(tuf_sigset_of_root(&doc, "targets", &a, &err));
    MUST(key_sign(tuf_repo_key(r, 'B'), m, sig, &err));
    MUST(
        tuf_sigset_check_one(&a, rw_span_str(tuf_repo_key(r, 'B')->id), m, rw_span_str(sig), &err));
    MUST_FAIL(
        tuf_sigset_check_one(&a, rw_span_str(tuf_repo_key(r, 'A')->id), m, rw_span_str(sig), &err),
        RW_E_TUF_THRESHOLD);
    MUST_FAIL(
        tuf_sigset_check_one(&a, rw_span_str(tuf_repo_key(r, 'C')->id), m, rw_span_str(sig), &err),
        RW_E_TUF_ROLE);
    MUST_FAIL(tuf_sigset_check_one(&a, rw_span_of(NULL, 0), m, rw_span_str(sig), &err),
              RW_E_TUF_ROLE);
}

TEST(a_role_that_is_not_delegated_has_no_authority)
{
    struct rw_err err = {0};
    char body[TUF_REPO_BODY_BYTES];
    char both[TUF_REPO_BODY_BYTES];
    static const struct tuf_repo_delegation rows[] = {{"a", "A", 1, "[\"a/*\"]", true}};
    RW_AUTO(tuf_repo_ref) tuf_repo_ref r = tuf_repo_new();
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    tuf_repo_delegate(r, rows, 1, body);
    int n = snprintf(both, sizeof(both), "\"targets\":{},%s", body);
    assert_in_range(n, 1, sizeof(both) - 1);
    const struct tuf_repo_role *role = tuf_repo_next_role(r, "targets", "G", both);
    MUST(tuf_doc_parse(rw_buf_span(tuf_repo_get(r, role->file)), "targets", &doc, &err));
    MUST(tuf_sigset_of_delegation(&doc, "a", &a, &err));
    assert_int_equal(a.count, 1);
    tuf_sigset_authority_drop(&a);
    MUST_FAIL(tuf_sigset_of_delegation(&doc, "b", &a, &err), RW_E_TUF_ROLE);
}

RUN_TESTS(cmocka_unit_test(threshold_counts_distinct_keys),
          cmocka_unit_test(the_error_names_role_and_counts),
          cmocka_unit_test(a_key_id_that_is_not_the_hash_of_its_key_is_refused),
          cmocka_unit_test(one_signature_is_checked_against_the_keys_of_its_role),
          cmocka_unit_test(a_role_that_is_not_delegated_has_no_authority))
