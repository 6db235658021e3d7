/* Goal: a one-time enrolment token lets one endpoint in and no second, whatever is lost on the way: that one may ask
 * again, whoever only knows its id may not; claim and audit record are one transaction (INV-9, INV-11). */
#include "server/api/api_token.h"
#include "server/api/token_once.h"
#include "server/report/audit_log.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

enum { NOW_S = 1790000000, DAY_S = 86400 };

static const struct api_token_request host17 = {.name = "host17",
                                                .tenant = "acme",
                                                .role = API_AUTH_ENROL,
                                                .by = "local uid 0",
                                                .once = true,
                                                .valid_s = DAY_S};
static const struct token_once_asker first = {.endpoint = {1}, .has_proof = true, .proof = {7}};
static const struct token_once_asker second = {.endpoint = {2}, .has_proof = true, .proof = {8}};
static const struct token_once_asker knows_id = {.endpoint = {1}, .has_proof = true, .proof = {9}};
static const struct token_once_asker no_proof = {.endpoint = {1}};

static uint8_t sha256[DIGEST_BYTES];

static void open_with_token(struct store *s)
{
    struct rw_err err;
    char token[HTTP_TOKEN_BYTES];
    MUST(store_sqlite_open(":memory:", s, &err));
    MUST(api_token_make(s, &host17, (struct rw_wall){NOW_S}, token, &err));
    MUST(digest_sha256(rw_span_str(token), sha256, &err));
}

static RW_RC claim(struct store *s, const struct token_once_asker *a, int64_t now_s,
                   struct rw_err *err)
{
    RW_TRY(store_begin(s, err));
    struct rw_rc rc = token_once_claim(s, sha256, a, (struct rw_wall){now_s}, err);
    if (rw_is_ok(rc)) { return store_commit(s, err); }
    store_rollback(s);
    return rc;
}

static void check_refused(struct store *s, const struct token_once_asker *a, int64_t now_s,
                          enum rw_code code, const char *words)
{
    struct rw_err err;
    MUST_FAIL(claim(s, a, now_s, &err), code);
    assert_non_null(strstr(err.text, words));
}

static RW_RC count_record(void *arg, const struct store_audit *a, struct rw_err *err)
{
    size_t *n = arg;
    (void)err;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(4096);
    RW_TRY(rw_buf_append(&text, a->record, err));
    *n += strstr(rw_buf_str(&text), "token.use") != NULL ? 1 : 0;
    return RW_OK;
}

static size_t uses(struct store *s)
{
    struct rw_err err;
    size_t n = 0;
    MUST(store_audit_each(s, 0, 100, count_record, &n, &err));
    return n;
}

TEST(the_first_endpoint_takes_it_and_may_repeat_while_it_lasts)
{
    struct store s;
    struct rw_err err;
    open_with_token(&s);
    MUST(claim(&s, &first, NOW_S + 10, &err));
    MUST(claim(&s, &first, NOW_S + DAY_S - 1, &err)); /* its answer was lost */
    assert_int_equal(uses(&s), 1);
    check_refused(&s, &first, NOW_S + DAY_S, RW_E_AUTH, "was good until");
    store_close(&s);
}

TEST(nobody_else_gets_in)
{
    struct store s;
    struct rw_err err;
    open_with_token(&s);
    check_refused(&s, &no_proof, NOW_S, RW_E_SCHEMA, "'proof' is missing");
    MUST(claim(&s, &first, NOW_S, &err));
    check_refused(&s, &second, NOW_S, RW_E_FORBIDDEN, "used by another endpoint");
    check_refused(&s, &knows_id, NOW_S, RW_E_FORBIDDEN, "used by another endpoint");
    check_refused(&s, &no_proof, NOW_S, RW_E_SCHEMA, "'proof' is missing");
    MUST(claim(&s, &first, NOW_S, &err));
    assert_int_equal(uses(&s), 1);
    store_close(&s);
}

TEST(a_claim_that_is_not_committed_has_taken_nothing)
{
    struct store s;
    struct rw_err err;
    open_with_token(&s);
    MUST(store_begin(&s, &err));
    MUST(token_once_claim(&s, sha256, &second, (struct rw_wall){NOW_S}, &err));
    store_rollback(&s);
    assert_int_equal(uses(&s), 0);
    MUST(claim(&s, &first, NOW_S, &err));
    store_close(&s);
}

TEST(unused_it_ends_by_time_or_by_hand)
{
    struct store s;
    struct rw_err err;
    size_t count = 0;
    open_with_token(&s);
    check_refused(&s, &first, NOW_S + DAY_S, RW_E_AUTH, "was good until 2026-");
    MUST(api_token_revoke(&s, "host17", "local uid 0", (struct rw_wall){NOW_S}, &count, &err));
    check_refused(&s, &first, NOW_S, RW_E_AUTH, "was revoked");
    sha256[0] ^= 1;
    check_refused(&s, &first, NOW_S, RW_E_AUTH, "not known");
    store_close(&s);
}

TEST(what_is_over_leaves_the_table_and_what_was_asked_wrongly_is_refused)
{
    static const uint8_t secret[HTTP_SECRET_BYTES] = {1};
    struct store s;
    struct rw_err err;
    struct http_auth *auth = NULL;
    char token[HTTP_TOKEN_BYTES];
    size_t count = 0;
    struct api_token_request bad = host17;
    open_with_token(&s);
    MUST(http_auth_new(secret, &auth, &err));
    MUST(api_token_load(&s, auth, (struct rw_wall){NOW_S}, &count, &err));
    assert_int_equal(count, 1);
    MUST(api_token_load(&s, auth, (struct rw_wall){NOW_S + DAY_S}, &count, &err));
    assert_int_equal(count, 0);
    bad.name = "other";
    bad.valid_s = 0;
    MUST_FAIL(api_token_make(&s, &bad, (struct rw_wall){NOW_S}, token, &err), RW_E_SCHEMA);
    bad.valid_s = TOKEN_ONCE_LONGEST_S + 1;
    MUST_FAIL(api_token_make(&s, &bad, (struct rw_wall){NOW_S}, token, &err), RW_E_SCHEMA);
    bad.valid_s = DAY_S;
    bad.role = API_AUTH_OPERATOR;
    MUST_FAIL(api_token_make(&s, &bad, (struct rw_wall){NOW_S}, token, &err), RW_E_SCHEMA);
    http_auth_free(auth);
    store_close(&s);
}

static RW_RC no_append(void *ctx, const struct store_audit *a, struct rw_err *err)
{
    (void)ctx;
    (void)a;
    return rw_fail(err, RW_E_FULL, "the disk is full");
}

static RW_RC no_tip(void *ctx, struct store_audit_tip *out, struct rw_err *err)
{
    (void)ctx;
    (void)out;
    return rw_fail(err, RW_E_STORE, "the disk cannot be read");
}

static const struct record_case {
    const char *id;
    bool cannot_read; /* else: cannot write */
} record_cases[] = {
    {"that_cannot_be_written", false},
    {"for_which_the_chain_cannot_be_read", true},
};

/* INV-9: the requests of a batch share a transaction, which goes on behind one that failed. */
TEST_EACH(no_batch_keeps_a_claim_without_its_record, record_cases)
{
    struct store s;
    struct rw_err err;
    open_with_token(&s);
    const struct store_backend *real = s.backend;
    struct store_backend broken = *real;
    if (it->cannot_read) {
        broken.audit_tip = no_tip;
    } else {
        broken.audit_append = no_append;
    }
    MUST(store_begin(&s, &err));
    s.backend = &broken;
    assert_false(rw_is_ok(token_once_claim(&s, sha256, &first, (struct rw_wall){NOW_S}, &err)));
    s.backend = real;
    MUST_FAIL(store_commit(&s, &err), RW_E_STORE);
    assert_int_equal(uses(&s), 0);
    MUST(claim(&s, &second, NOW_S, &err)); /* nobody has it */
    assert_int_equal(uses(&s), 1);
    store_close(&s);
}

RUN_TESTS(cmocka_unit_test(no_batch_keeps_a_claim_without_its_record),
          cmocka_unit_test(the_first_endpoint_takes_it_and_may_repeat_while_it_lasts),
          cmocka_unit_test(nobody_else_gets_in),
          cmocka_unit_test(a_claim_that_is_not_committed_has_taken_nothing),
          cmocka_unit_test(unused_it_ends_by_time_or_by_hand),
          cmocka_unit_test(what_is_over_leaves_the_table_and_what_was_asked_wrongly_is_refused))
