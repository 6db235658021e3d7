/* Goal: a path finds its row or nothing, and a table that cannot be served is refused before the start. */
#include "server/api/http_route.h"
#include "tests/harness.h"

static void nothing(struct api_job *job)
{
    (void)job;
}

#define ROW(m, p)                                                                                  \
    {                                                                                              \
        .method = (m), .pattern = (p), .prepare = nothing                                          \
    }

static const struct api_route routes[] = {
    ROW("GET", "/"),
    ROW("GET", "/v1/policy"),
    ROW("GET", "/v1/releases"),
    ROW("POST", "/v1/releases"),
    ROW("GET", "/v1/releases/{family}/{n}"),
    ROW("POST", "/v1/releases/{family}/{n}/payload"),
};

static const struct find_case {
    const char *id;
    enum api_method method;
    const char *path;
    int row;           /* -1: none */
    const char *allow; /* NULL: 404 */
    const char *param; /* of params[1] */
} find_cases[] = {
    {"root", API_GET, "/", 0, NULL, NULL},
    {"literal", API_GET, "/v1/policy", 1, NULL, NULL},
    {"HEAD is answered by GET", API_HEAD, "/v1/policy", 1, NULL, NULL},
    {"by method, GET", API_GET, "/v1/releases", 2, NULL, NULL},
    {"by method, POST", API_POST, "/v1/releases", 3, NULL, NULL},
    {"parameters", API_GET, "/v1/releases/yara/12", 4, NULL, "12"},
    {"parameters inside", API_POST, "/v1/releases/yara/7/payload", 5, NULL, "7"},
    {"POST on GET", API_POST, "/v1/policy", -1, "GET, HEAD", NULL},
    {"HEAD on POST", API_HEAD, "/v1/releases/yara/7/payload", -1, "POST", NULL},
    {"empty parameter", API_GET, "/v1/releases//12", -1, NULL, NULL},
    {"empty last parameter", API_GET, "/v1/releases/yara/", -1, NULL, NULL},
    {"slash behind", API_GET, "/v1/policy/", -1, NULL, NULL},
    {"too short", API_GET, "/v1/releases/yara", -1, NULL, NULL},
    {"too long", API_GET, "/v1/releases/yara/12/x", -1, NULL, NULL},
    {"prefix only", API_GET, "/v1/polic", -1, NULL, NULL},
    {"double slash", API_GET, "//v1/policy", -1, NULL, NULL},
};

TEST_EACH(a_path_finds_its_row, find_cases)
{
    struct http_match m =
        http_route_find(routes, RW_LEN(routes), it->method, rw_span_str(it->path));
    assert_ptr_equal(m.route, it->row < 0 ? NULL : &routes[it->row]);
    if (it->row < 0 && it->allow == NULL) { assert_null(m.allow); }
    if (it->allow != NULL) { assert_string_equal(m.allow, it->allow); }
    if (it->param != NULL) { assert_true(rw_span_is(m.params[1], it->param)); }
}

static const struct refused_case {
    const char *id;
    struct api_route route;
    const char *says;
} refused_cases[] = {
    {"relative", ROW("GET", "v1"), "begin"},
    {"empty", ROW("GET", ""), "begin"},
    {"brace in the middle", ROW("GET", "/v1/a{b}"), "brace"},
    {"open brace", ROW("GET", "/v1/{a"), "brace"},
    {"five parameters", ROW("GET", "/{a}/{b}/{c}/{d}/{e}"), "5 parameters"},
    {"other method", ROW("PUT", "/v1"), "PUT"},
    {"GET with a body",
     {.method = "GET", .pattern = "/", .prepare = nothing, .body_bytes_max = 1},
     "bodies"},
    {"no handler", {.method = "GET", .pattern = "/"}, "no handler"},
    {"token without registry",
     {.method = "GET", .pattern = "/", .prepare = nothing, .auth = API_AUTH_VIEWER},
     "token"},
};

TEST_EACH(a_wrong_table_is_refused, refused_cases)
{
    struct rw_err err = {0};
    MUST_FAIL(http_route_check(&it->route, 1, false, &err), RW_E_CONFIG);
    if (strstr(err.text, it->says) == NULL) { fail_msg("'%s' lacks '%s'", err.text, it->says); }
}

TEST(a_right_table_is_taken)
{
    struct rw_err err = {0};
    MUST(http_route_check(routes, RW_LEN(routes), false, &err));
}

RUN_TESTS(cmocka_unit_test(a_path_finds_its_row), cmocka_unit_test(a_wrong_table_is_refused),
          cmocka_unit_test(a_right_table_is_taken))
