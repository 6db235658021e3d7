/* Goal: a token passes exactly the routes of its level; no change of a single byte of it passes anything. */
#include "server/api/http_auth.h"
#include "tests/harness.h"

#include <pthread.h>

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const uint8_t secret[HTTP_SECRET_BYTES] = {1, 2, 3};
static const uint8_t endpoint[API_ENDPOINT_BYTES] = {0xAB, 1};

static const struct {
    const char *text, *name, *tenant;
    enum api_auth role;
} known[] = {
    {"rwj1.acme." HEX64, "", "acme", API_AUTH_ENROL},
    {"rwo1.vera." HEX64, "vera", "", API_AUTH_VIEWER},
    {"rwo1.otto." HEX64, "otto", "", API_AUTH_OPERATOR},
    {"rwo1.paul." HEX64, "paul", "", API_AUTH_PUBLISHER},
    {"rwo1.anna." HEX64, "anna", "", API_AUTH_ADMIN},
};

static struct http_auth *registry(void)
{
    struct rw_err err = {0};
    struct http_auth *auth = NULL;
    struct http_token tokens[RW_LEN(known)];
    MUST(http_auth_new(secret, &auth, &err));
    for (size_t i = 0; i < RW_LEN(known); i++) {
        tokens[i] = (struct http_token){.role = known[i].role};
        MUST(digest_sha256(rw_span_str(known[i].text), tokens[i].sha256, &err));
        (void)snprintf(tokens[i].name, sizeof(tokens[i].name), "%s", known[i].name);
        (void)snprintf(tokens[i].tenant, sizeof(tokens[i].tenant), "%s", known[i].tenant);
    }
    MUST(http_auth_set_tokens(auth, tokens, RW_LEN(tokens), &err));
    return auth;
}

static enum rw_code ask(struct http_auth *auth, enum api_auth need, const char *token,
                        struct api_identity *who)
{
    char header[HTTP_TOKEN_BYTES + 64];
    struct rw_err err = {0};
    (void)snprintf(header, sizeof(header), "Bearer %s", token);
    return http_auth_check(auth, need, rw_span_str(header), who, &err).code;
}

/* Columns: ENROL, ENDPOINT, VIEWER, OPERATOR, PUBLISHER, ADMIN. '+': may, '-': forbidden. */
static const struct level_case {
    const char *id;
    int known; /* -1: an endpoint token */
    const char *may;
} level_cases[] = {
    {"enrolment", 0, "+-----"}, {"endpoint", -1, "-+----"}, {"viewer", 1, "--+---"},
    {"operator", 2, "--++--"},  {"publisher", 3, "--+++-"}, {"admin", 4, "--++++"},
};

TEST_EACH(a_token_passes_its_own_routes_only, level_cases)
{
    struct rw_err err = {0};
    struct http_auth *auth = registry();
    char token[HTTP_TOKEN_BYTES];
    MUST(http_auth_endpoint_token(auth, endpoint, "acme", (struct rw_wall){1800000000}, token,
                                  &err));
    const char *text = it->known < 0 ? token : known[it->known].text;
    for (int need = API_AUTH_ENROL; need <= API_AUTH_ADMIN; need++) {
        struct api_identity who;
        bool may = it->may[need - API_AUTH_ENROL] == '+';
        assert_int_equal(ask(auth, (enum api_auth)need, text, &who),
                         may ? RW_E_NONE : RW_E_FORBIDDEN);
    }
    http_auth_free(auth);
}

TEST(an_identity_tells_who_it_is)
{
    struct rw_err err = {0};
    struct http_auth *auth = registry();
    struct api_identity who;
    char token[HTTP_TOKEN_BYTES];
    assert_int_equal(ask(auth, API_AUTH_VIEWER, known[3].text, &who), RW_E_NONE);
    assert_int_equal(who.level, API_AUTH_PUBLISHER);
    assert_string_equal(who.name, "paul");
    assert_int_equal(ask(auth, API_AUTH_ENROL, known[0].text, &who), RW_E_NONE);
    assert_string_equal(who.tenant, "acme");
    MUST(
        http_auth_endpoint_token(auth, endpoint, "t-1", (struct rw_wall){1800000000}, token, &err));
    assert_int_equal(ask(auth, API_AUTH_ENDPOINT, token, &who), RW_E_NONE);
    assert_int_equal(who.level, API_AUTH_ENDPOINT);
    assert_string_equal(who.tenant, "t-1");
    assert_memory_equal(who.endpoint, endpoint, sizeof(endpoint));
    assert_string_equal(who.name, "");
    http_auth_free(auth);
}

TEST(no_changed_byte_of_an_endpoint_token_passes)
{
    struct rw_err err = {0};
    struct http_auth *auth = registry();
    char token[HTTP_TOKEN_BYTES];
    MUST(http_auth_endpoint_token(auth, endpoint, "acme", (struct rw_wall){1800000000}, token,
                                  &err));
    for (size_t i = 0; token[i] != '\0'; i++) {
        struct api_identity who;
        char was = token[i];
        token[i] = was == '0' ? '1' : '0';
        assert_int_equal(ask(auth, API_AUTH_ENDPOINT, token, &who), RW_E_AUTH);
        token[i] = (char)(was ^ 0x20); /* the other case is another token, too */
        assert_int_equal(ask(auth, API_AUTH_ENDPOINT, token, &who), RW_E_AUTH);
        token[i] = was;
    }
    for (size_t n = strlen(token); n > 0; n--) {
        struct api_identity who;
        token[n - 1] = '\0';
        assert_int_equal(ask(auth, API_AUTH_ENDPOINT, token, &who), RW_E_AUTH);
    }
    http_auth_free(auth);
}

static struct rw_wall late(void *ctx)
{
    return *(struct rw_wall *)ctx;
}

TEST(token_that_aged_is_asked_to_be_renewed_then_refused)
{
    struct rw_err err = {0};
    struct api_identity who;
    char token[HTTP_TOKEN_BYTES];
    struct rw_wall now = {1000};
    struct http_auth *auth = registry();
    const struct token_rule_life life = {.life_s = 100};
    http_auth_set_life(auth, &life, (struct rw_clock){.wall = late, .ctx = &now});
    MUST(http_auth_endpoint_token(auth, endpoint, "acme", now, token, &err));
    assert_int_equal(ask(auth, API_AUTH_ENDPOINT, token, &who), RW_E_NONE);
    assert_false(who.renew);
    now.s += 50;
    assert_int_equal(ask(auth, API_AUTH_ENDPOINT, token, &who), RW_E_NONE);
    assert_true(who.renew);
    now.s += 50;
    assert_int_equal(ask(auth, API_AUTH_ENDPOINT, token, &who), RW_E_AUTH);
    assert_int_equal(who.level, API_AUTH_ENDPOINT); /* it is refused, and is still its own */
    http_auth_free(auth);
}

/* INV-11: a refusal counts to whoever proved to be the owner, so a forged token must name nobody. */
TEST(a_refused_token_names_its_owner_only_when_it_is_proven)
{
    struct rw_err err = {0};
    struct http_auth *auth = registry();
    struct api_identity who = {.level = API_AUTH_ADMIN};
    char token[HTTP_TOKEN_BYTES];
    MUST(http_auth_endpoint_token(auth, endpoint, "acme", (struct rw_wall){1800000000}, token,
                                  &err));
    assert_int_equal(ask(auth, API_AUTH_VIEWER, token, &who), RW_E_FORBIDDEN);
    assert_int_equal(who.level, API_AUTH_ENDPOINT);
    assert_memory_equal(who.endpoint, endpoint, sizeof(endpoint));
    token[strlen(token) - 1] = token[strlen(token) - 1] == '0' ? '1' : '0';
    assert_int_equal(ask(auth, API_AUTH_ENDPOINT, token, &who), RW_E_AUTH);
    assert_int_equal(who.level, API_AUTH_NONE);
    assert_string_equal(who.tenant, "");
    assert_int_equal(ask(auth, API_AUTH_ENDPOINT, "", &who), RW_E_AUTH);
    assert_int_equal(who.level, API_AUTH_NONE);
    http_auth_free(auth);
}

TEST(another_secret_makes_other_tokens)
{
    static const uint8_t other_secret[HTTP_SECRET_BYTES] = {9};
    struct rw_err err = {0};
    struct api_identity who;
    char token[HTTP_TOKEN_BYTES];
    struct http_auth *ours = registry();
    struct http_auth *theirs = NULL;
    MUST(http_auth_new(other_secret, &theirs, &err));
    MUST(http_auth_endpoint_token(theirs, endpoint, "acme", (struct rw_wall){1800000000}, token,
                                  &err));
    assert_int_equal(ask(ours, API_AUTH_ENDPOINT, token, &who), RW_E_AUTH);
    assert_int_equal(ask(theirs, API_AUTH_ENDPOINT, token, &who), RW_E_NONE);
    http_auth_free(ours);
    http_auth_free(theirs);
}

static const struct header_case {
    const char *id, *header;
} header_cases[] = {
    {"missing", ""},
    {"scheme only", "Bearer "},
    {"scheme without blank", "Bearer"},
    {"other scheme", "Basic cm9vdDpyb290"},
    {"token only", "rwo1.anna." HEX64},
    {"unknown operator", "Bearer rwo1.nobody." HEX64},
    {"known token and more", "Bearer rwo1.anna." HEX64 "0"},
    {"two blanks", "Bearer  rwo1.anna." HEX64},
    {"endpoint form, nothing in it", "Bearer rwe2."},
    {"endpoint form, no tenant", "Bearer rwe2.00112233445566778899aabbccddeeff.." HEX64},
    {"longer than any token", "Bearer " HEX64 HEX64 HEX64 HEX64},
};

TEST_EACH(a_wrong_header_is_not_a_token, header_cases)
{
    struct rw_err err = {0};
    struct api_identity who;
    struct http_auth *auth = registry();
    MUST_FAIL(http_auth_check(auth, API_AUTH_VIEWER, rw_span_str(it->header), &who, &err),
              RW_E_AUTH);
    assert_null(strstr(err.text, HEX64)); /* no secret in an error text */
    http_auth_free(auth);
}

TEST(an_open_route_looks_at_no_token)
{
    struct rw_err err = {0};
    struct api_identity who = {.level = API_AUTH_ADMIN};
    struct http_auth *auth = registry();
    MUST(http_auth_check(auth, API_AUTH_NONE, rw_span_str("nonsense"), &who, &err));
    assert_int_equal(who.level, API_AUTH_NONE);
    http_auth_free(auth);
}

TEST(a_withdrawn_token_is_unknown_and_a_failure_changes_nothing)
{
    struct rw_err err = {0};
    struct api_identity who;
    struct http_auth *auth = registry();
    const struct http_token odd = {.role = API_AUTH_ENDPOINT};
    MUST_FAIL(http_auth_set_tokens(auth, &odd, 1, &err), RW_E_SCHEMA);
    MUST_FAIL(http_auth_set_tokens(auth, &odd, HTTP_TOKENS_MAX + 1, &err), RW_E_TOO_BIG);
    assert_int_equal(ask(auth, API_AUTH_ADMIN, known[4].text, &who), RW_E_NONE);
    MUST(http_auth_set_tokens(auth, NULL, 0, &err));
    assert_int_equal(ask(auth, API_AUTH_ADMIN, known[4].text, &who), RW_E_AUTH);
    http_auth_free(auth);
}

static void *check_on_and_on(void *arg)
{
    struct http_auth *auth = arg;
    for (int i = 0; i < 2000; i++) {
        struct api_identity who;
        assert_int_equal(ask(auth, API_AUTH_ADMIN, known[4].text, &who), RW_E_NONE);
    }
    return NULL;
}

TEST(tokens_are_replaced_while_others_check)
{
    struct rw_err err = {0};
    struct http_auth *auth = registry();
    struct http_token token = {.role = API_AUTH_ADMIN};
    pthread_t threads[2];
    MUST(digest_sha256(rw_span_str(known[4].text), token.sha256, &err));
    for (size_t i = 0; i < RW_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, check_on_and_on, auth), 0);
    }
    for (int i = 0; i < 500; i++) {
        MUST(http_auth_set_tokens(auth, &token, 1, &err));
    }
    for (size_t i = 0; i < RW_LEN(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    http_auth_free(auth);
}

RUN_TESTS(cmocka_unit_test(a_token_passes_its_own_routes_only),
          cmocka_unit_test(an_identity_tells_who_it_is),
          cmocka_unit_test(no_changed_byte_of_an_endpoint_token_passes),
          cmocka_unit_test(token_that_aged_is_asked_to_be_renewed_then_refused),
          cmocka_unit_test(a_refused_token_names_its_owner_only_when_it_is_proven),
          cmocka_unit_test(another_secret_makes_other_tokens),
          cmocka_unit_test(a_wrong_header_is_not_a_token),
          cmocka_unit_test(an_open_route_looks_at_no_token),
          cmocka_unit_test(a_withdrawn_token_is_unknown_and_a_failure_changes_nothing),
          cmocka_unit_test(tokens_are_replaced_while_others_check))
