/* Goal: a token passes with its role until it is revoked; the store holds hashes only; every change is in the audit
 * log of the same transaction (INV-9). */
#include "server/api/api_token.h"
#include "server/report/audit_log.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

static const uint8_t secret[HTTP_SECRET_BYTES] = {1};
static const struct rw_wall now = {1790000000};

struct fixture {
    struct store store;
    struct http_auth *auth;
};

static void fixture_open(struct fixture *f)
{
    struct rw_err err;
    *f = (struct fixture){.auth = NULL};
    MUST(store_sqlite_open(":memory:", &f->store, &err));
    MUST(http_auth_new(secret, &f->auth, &err));
}

static void fixture_close(struct fixture *f)
{
    store_close(&f->store);
    http_auth_free(f->auth);
}

static size_t load(struct fixture *f)
{
    struct rw_err err;
    size_t count = 0;
    MUST(api_token_load(&f->store, f->auth, now, &count, &err));
    return count;
}

static enum rw_code try_token(struct fixture *f, const char *token, enum api_auth need)
{
    struct rw_err err;
    struct api_identity who;
    char header[HTTP_TOKEN_BYTES + 16];
    (void)snprintf(header, sizeof(header), "Bearer %s", token);
    struct rw_rc rc = http_auth_check(f->auth, need, rw_span_str(header), &who, &err);
    return rc.code;
}

static const struct api_token_request alice = {
    .name = "alice", .tenant = "", .role = API_AUTH_PUBLISHER, .by = "local uid 0"};

TEST(a_made_token_passes_up_to_its_role)
{
    struct fixture f;
    struct rw_err err;
    char token[HTTP_TOKEN_BYTES];
    fixture_open(&f);
    MUST(api_token_make(&f.store, &alice, now, token, &err));
    assert_int_equal(strncmp(token, "rwo1.alice.", 11), 0);
    assert_int_equal(try_token(&f, token, API_AUTH_VIEWER), RW_E_AUTH); /* not loaded yet */
    assert_int_equal(load(&f), 1);
    assert_int_equal(try_token(&f, token, API_AUTH_PUBLISHER), RW_E_NONE);
    assert_int_equal(try_token(&f, token, API_AUTH_ADMIN), RW_E_FORBIDDEN);
    token[12] = token[12] == '0' ? '1' : '0';
    assert_int_equal(try_token(&f, token, API_AUTH_VIEWER), RW_E_AUTH);
    fixture_close(&f);
}

static RW_RC look(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    const char *token = arg;
    char body[1024];
    RW_TRY(rw_span_to_str(body, sizeof(body), doc->body, "body", err));
    assert_null(strstr(body, strrchr(token, '.') + 1));
    assert_null(strstr(doc->id, strrchr(token, '.') + 1));
    return RW_OK;
}

TEST(the_store_never_holds_the_token_itself)
{
    struct fixture f;
    struct rw_err err;
    char token[HTTP_TOKEN_BYTES];
    fixture_open(&f);
    MUST(api_token_make(&f.store, &alice, now, token, &err));
    MUST(store_doc_each(&f.store, "token", look, token, &err));
    fixture_close(&f);
}

TEST(a_second_token_of_a_name_needs_replace_and_ends_the_first)
{
    struct fixture f;
    struct rw_err err;
    char first[HTTP_TOKEN_BYTES];
    char second[HTTP_TOKEN_BYTES];
    int64_t records = 0;
    struct api_token_request again = alice;
    fixture_open(&f);
    MUST(api_token_make(&f.store, &alice, now, first, &err));
    MUST_FAIL(api_token_make(&f.store, &again, now, second, &err), RW_E_EXISTS);
    again.replace = true;
    MUST(api_token_make(&f.store, &again, now, second, &err));
    assert_int_equal(load(&f), 1);
    assert_int_equal(try_token(&f, first, API_AUTH_VIEWER), RW_E_AUTH);
    assert_int_equal(try_token(&f, second, API_AUTH_VIEWER), RW_E_NONE);
    MUST(audit_log_verify(&f.store, &records, &err));
    assert_int_equal(records, 3); /* made, revoked, made */
    fixture_close(&f);
}

TEST(a_revoked_token_passes_no_more_and_is_revoked_once)
{
    struct fixture f;
    struct rw_err err;
    char token[HTTP_TOKEN_BYTES];
    size_t count = 0;
    fixture_open(&f);
    MUST(api_token_make(&f.store, &alice, now, token, &err));
    MUST(api_token_revoke(&f.store, "alice", "local uid 0", now, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(load(&f), 0);
    assert_int_equal(try_token(&f, token, API_AUTH_VIEWER), RW_E_AUTH);
    MUST_FAIL(api_token_revoke(&f.store, "alice", "local uid 0", now, &count, &err),
              RW_E_NOT_FOUND);
    fixture_close(&f);
}

static const struct bad_case {
    const char *id;
    struct api_token_request request;
} bad[] = {
    {"upper_case_name", {.name = "Alice", .tenant = "", .role = API_AUTH_VIEWER, .by = "x"}},
    {"name_with_a_dot", {.name = "a.b", .tenant = "", .role = API_AUTH_VIEWER, .by = "x"}},
    {"empty_name", {.name = "", .tenant = "", .role = API_AUTH_VIEWER, .by = "x"}},
    {"enrolment_without_tenant", {.name = "a", .tenant = "", .role = API_AUTH_ENROL, .by = "x"}},
    {"tenant_with_a_blank", {.name = "a", .tenant = "a b", .role = API_AUTH_VIEWER, .by = "x"}},
};

TEST_EACH(names_that_would_break_the_tokens_form_are_refused, bad)
{
    struct fixture f;
    struct rw_err err;
    char token[HTTP_TOKEN_BYTES];
    fixture_open(&f);
    MUST_FAIL(api_token_make(&f.store, &it->request, now, token, &err), RW_E_SCHEMA);
    assert_int_equal(load(&f), 0);
    fixture_close(&f);
}

TEST(a_document_that_is_not_understood_changes_nothing)
{
    struct fixture f;
    struct rw_err err;
    char token[HTTP_TOKEN_BYTES];
    size_t count = 0;
    struct store_doc doc = {
        .id = "odd", .generation = 1, .body = rw_span_str("{\"role\":\"root\"}")};
    fixture_open(&f);
    MUST(api_token_make(&f.store, &alice, now, token, &err));
    (void)load(&f);
    MUST(store_begin(&f.store, &err));
    MUST(store_doc_put(&f.store, "token", &doc, &err));
    MUST(store_commit(&f.store, &err));
    MUST_FAIL(api_token_load(&f.store, f.auth, now, &count, &err), RW_E_SCHEMA);
    assert_int_equal(try_token(&f, token, API_AUTH_VIEWER), RW_E_NONE); /* the old table stands */
    fixture_close(&f);
}

static RW_RC no_record(void *ctx, const struct store_audit *a, struct rw_err *err)
{
    (void)ctx;
    (void)a;
    return rw_fail(err, RW_E_FULL, "the disk is full");
}

/* INV-9: neither a token nor the end of one without its record. */
TEST(what_cannot_be_recorded_does_not_happen)
{
    struct fixture f;
    struct rw_err err;
    char token[HTTP_TOKEN_BYTES];
    size_t count = 0;
    const struct api_token_request bob = {
        .name = "bob", .tenant = "", .role = API_AUTH_VIEWER, .by = "local uid 0"};
    fixture_open(&f);
    MUST(api_token_make(&f.store, &alice, now, token, &err));
    const struct store_backend *whole = f.store.backend;
    struct store_backend broken = *whole;
    broken.audit_append = no_record;
    f.store.backend = &broken;
    MUST_FAIL(api_token_make(&f.store, &bob, now, token, &err), RW_E_FULL);
    MUST_FAIL(api_token_revoke(&f.store, "alice", "local uid 0", now, &count, &err), RW_E_FULL);
    f.store.backend = whole;
    assert_int_equal(load(&f), 1); /* alice's, and no other */
    fixture_close(&f);
}

/* --- another node of the same store, that is a moment earlier --- */

static const struct store_backend *alone;
static struct store *shared;
static const char *other_wish; /* what it does right before our transaction begins */

static RW_RC begin_behind_another(void *ctx, int64_t term, struct store_now *at,
                                  struct rw_err *outer)
{
    const char *wish = other_wish;
    char token[HTTP_TOKEN_BYTES];
    struct rw_err err;
    size_t count = 0;
    other_wish = NULL;
    if (wish != NULL) {
        struct store node = *shared;
        node.backend = alone;
        node.in_transaction = false;
        if (strcmp(wish, "make") == 0) { MUST(api_token_make(&node, &alice, now, token, &err)); }
        if (strcmp(wish, "revoke") == 0) {
            MUST(api_token_revoke(&node, "alice", "local uid 0", now, &count, &err));
        }
    }
    return alone->begin(ctx, term, at, outer);
}

TEST(two_nodes_that_are_asked_for_one_name_make_one_token)
{
    struct fixture f;
    struct rw_err err;
    char token[HTTP_TOKEN_BYTES] = "untouched";
    size_t count = 0;
    fixture_open(&f);
    shared = &f.store;
    alone = f.store.backend;
    struct store_backend behind = *alone;
    behind.begin = begin_behind_another;
    f.store.backend = &behind;
    other_wish = "make";
    MUST_FAIL(api_token_make(&f.store, &alice, now, token, &err), RW_E_EXISTS);
    assert_string_equal(token, "untouched");
    assert_int_equal(load(&f), 1);
    other_wish = "revoke"; /* a token is taken out of force once, with one record */
    MUST_FAIL(api_token_revoke(&f.store, "alice", "local uid 0", now, &count, &err),
              RW_E_NOT_FOUND);
    assert_int_equal(load(&f), 0);
    f.store.backend = alone;
    fixture_close(&f);
}

/* As many documents as a load takes; `over`: the first of them is a one-time token whose time has passed. */
static void fill_table(struct fixture *f, bool over)
{
    struct rw_err err;
    MUST(store_begin(&f->store, &err));
    for (int i = 0; i < HTTP_TOKENS_MAX; i++) {
        RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(TOKEN_DOC_BYTES_MAX);
        struct token_doc t = {.token = {.role = API_AUTH_ENROL, .once = true, .name = "host"},
                              .until = {over && i == 0 ? now.s : now.s + 60}};
        struct store_doc doc = {.generation = 1};
        (void)snprintf(t.token.tenant, sizeof(t.token.tenant), "acme");
        (void)snprintf(doc.id, sizeof(doc.id), "%032d", i);
        MUST(token_doc_write(&t, &body, &err));
        doc.body = rw_buf_span(&body);
        MUST(store_doc_put(&f->store, "token", &doc, &err));
    }
    MUST(store_commit(&f->store, &err));
}

/* A server that cannot load its tokens does not start. */
TEST(one_token_more_than_a_load_takes_is_not_made)
{
    struct fixture f;
    struct rw_err err;
    char token[HTTP_TOKEN_BYTES];
    fixture_open(&f);
    fill_table(&f, false);
    MUST_FAIL(api_token_make(&f.store, &alice, now, token, &err), RW_E_TOO_BIG);
    assert_non_null(strstr(err.text, "10000 tokens are in force"));
    assert_int_equal(load(&f), HTTP_TOKENS_MAX);
    fixture_close(&f);
}

TEST(a_one_time_token_that_is_over_leaves_room)
{
    struct fixture f;
    struct rw_err err;
    char token[HTTP_TOKEN_BYTES];
    fixture_open(&f);
    fill_table(&f, true);
    MUST(api_token_make(&f.store, &alice, now, token, &err));
    assert_int_equal(load(&f), HTTP_TOKENS_MAX);
    fixture_close(&f);
}

RUN_TESTS(cmocka_unit_test(two_nodes_that_are_asked_for_one_name_make_one_token),
          cmocka_unit_test(what_cannot_be_recorded_does_not_happen),
          cmocka_unit_test(one_token_more_than_a_load_takes_is_not_made),
          cmocka_unit_test(a_one_time_token_that_is_over_leaves_room),
          cmocka_unit_test(a_made_token_passes_up_to_its_role),
          cmocka_unit_test(the_store_never_holds_the_token_itself),
          cmocka_unit_test(a_second_token_of_a_name_needs_replace_and_ends_the_first),
          cmocka_unit_test(a_revoked_token_passes_no_more_and_is_revoked_once),
          cmocka_unit_test(names_that_would_break_the_tokens_form_are_refused),
          cmocka_unit_test(a_document_that_is_not_understood_changes_nothing))
