/* Goal: an admin of every tenant makes, lists and revokes tokens by the operator API, and nobody else does; a token is
 * good and gone at once; the store and the list never hold it; change and audit record are one transaction (INV-9). */
#include "server/api/api_token.h"
#include "server/report/audit_log.h"
#include "tests/unit/api_operator_rig.h"

#define TOKENS "/v1/tokens"
enum { ANSWER_BYTES = 1024 };

static const uint8_t secret[HTTP_SECRET_BYTES] = {1};

static int set_up_tokens(void **state)
{
    struct rw_err err;
    (void)set_up(state);
    MUST(http_auth_new(secret, &core.auth, &err));
    return 0;
}

static int tear_down_tokens(void **state)
{
    http_auth_free(core.auth);
    return tear_down(state);
}

static int ask(const char *method, const char *pattern, const char *body,
               char answer[static ANSWER_BYTES])
{
    struct rw_err err;
    struct api_job job = job_for(method, pattern, body);
    int status = run(&job);
    MUST(rw_span_to_str(answer, ANSWER_BYTES, rw_buf_span(&job.reply.body), "answer", &err));
    api_job_drop(&job);
    return status;
}

static int64_t records(void)
{
    struct rw_err err;
    int64_t count = 0;
    MUST(audit_log_verify(&store, &count, &err));
    return count;
}

static enum rw_code try_token(const char *token, enum api_auth need)
{
    struct rw_err err;
    struct api_identity who;
    char header[HTTP_TOKEN_BYTES + 16];
    (void)snprintf(header, sizeof(header), "Bearer %s", token);
    return http_auth_check(core.auth, need, rw_span_str(header), &who, &err).code;
}

static void made(const char *body, char token[static HTTP_TOKEN_BYTES])
{
    struct rw_err err;
    char answer[ANSWER_BYTES];
    RW_AUTO(json_tree) json_tree tree = NULL;
    assert_int_equal(ask("POST", TOKENS, body, answer), 201);
    MUST(json_parse(rw_span_str(answer), &json_limits_small, &tree, &err));
    MUST(json_get_str(tree, "token", token, HTTP_TOKEN_BYTES, &err));
}

TEST(a_made_token_is_good_at_once_and_gone_at_once)
{
    char token[HTTP_TOKEN_BYTES];
    char answer[ANSWER_BYTES];
    made("{\"name\":\"bob\",\"role\":\"viewer\"}", token);
    assert_int_equal(try_token(token, API_AUTH_VIEWER), RW_E_NONE);
    assert_int_equal(try_token(token, API_AUTH_OPERATOR), RW_E_FORBIDDEN);
    assert_int_equal(records(), 1);
    int status = ask("POST", TOKENS "/revoke", "{\"name\":\"bob\"}", answer);
    assert_int_equal(status, 200);
    assert_non_null(strstr(answer, "\"revoked\":1"));
    assert_int_equal(try_token(token, API_AUTH_VIEWER), RW_E_AUTH);
    assert_int_equal(records(), 2);
    status = ask("POST", TOKENS "/revoke", "{\"name\":\"bob\"}", answer);
    assert_int_equal(status, 404);
}

TEST(the_list_shows_who_could_get_in_and_never_a_token)
{
    char bob[HTTP_TOKEN_BYTES];
    char host[HTTP_TOKEN_BYTES];
    char answer[ANSWER_BYTES];
    made("{\"name\":\"bob\",\"role\":\"viewer\",\"tenant\":\"acme\"}", bob);
    made("{\"name\":\"host\",\"role\":\"enrol\",\"once\":true,\"valid_s\":60}", host);
    assert_int_equal(strncmp(host, "rwj1.default.", 13), 0);
    assert_int_equal(ask("GET", TOKENS, "", answer), 200);
    assert_non_null(strstr(answer, "\"name\":\"bob\",\"role\":\"viewer\",\"tenant\":\"acme\","
                                   "\"state\":\"in force\""));
    assert_non_null(strstr(answer, "\"state\":\"unused\",\"until\":"));
    assert_null(strstr(answer, strrchr(bob, '.') + 1));
    assert_null(strstr(answer, "sha256"));
    assert_int_equal(ask("POST", TOKENS "/revoke", "{\"name\":\"bob\"}", answer), 200);
    assert_int_equal(ask("GET", TOKENS, "", answer), 200);
    assert_null(strstr(answer, "bob"));
}

TEST(a_token_of_one_tenant_makes_none_even_as_admin)
{
    struct api_job job = job_for("POST", TOKENS, "{\"name\":\"bob\",\"role\":\"admin\"}");
    (void)snprintf(job.req.who.tenant, sizeof(job.req.who.tenant), "acme");
    assert_int_equal(run(&job), 403);
    api_job_drop(&job);
    assert_int_equal(records(), 0);
}

TEST(a_token_that_could_not_be_kept_is_not_given)
{
    char answer[ANSWER_BYTES];
    commit_fails = true;
    int status = ask("POST", TOKENS, "{\"name\":\"bob\",\"role\":\"viewer\"}", answer);
    assert_int_equal(status, 503);
    assert_null(strstr(answer, "rwo1."));
    commit_fails = false;
    assert_int_equal(records(), 0); /* INV-9 */
}

static const struct bad_case {
    const char *id, *body;
} bad[] = {
    {"no_role", "{\"name\":\"bob\"}"},
    {"no_name", "{\"role\":\"viewer\"}"},
    {"a_name_that_breaks_the_form", "{\"name\":\"b.b\",\"role\":\"viewer\"}"},
    {"an_unknown_role", "{\"name\":\"bob\",\"role\":\"root\"}"},
    {"an_unknown_member", "{\"name\":\"bob\",\"role\":\"viewer\",\"sha256\":\"00\"}"},
    {"once_without_an_end", "{\"name\":\"h\",\"role\":\"enrol\",\"once\":true}"},
    {"an_end_without_once", "{\"name\":\"h\",\"role\":\"enrol\",\"valid_s\":60}"},
    {"an_end_too_far", "{\"name\":\"h\",\"role\":\"enrol\",\"once\":true,\"valid_s\":7776001}"},
    {"a_one_time_viewer", "{\"name\":\"h\",\"role\":\"viewer\",\"once\":true,\"valid_s\":60}"},
};

TEST_EACH(a_wish_that_is_not_whole_is_refused, bad)
{
    char answer[ANSWER_BYTES];
    assert_int_equal(ask("POST", TOKENS, it->body, answer), 400);
    assert_int_equal(records(), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up_tokens, tear_down_tokens)

RUN_TESTS(CASE(a_made_token_is_good_at_once_and_gone_at_once),
          CASE(the_list_shows_who_could_get_in_and_never_a_token),
          CASE(a_token_of_one_tenant_makes_none_even_as_admin),
          CASE(a_token_that_could_not_be_kept_is_not_given),
          CASE(a_wish_that_is_not_whole_is_refused))
