/* Goal: what handlers rely on: errors become replies by the table, queries are read strictly, and whatever a job
 * owns goes with it. */
#include "common/base/file.h"
#include "server/api/api_job.h"
#include "server/api/http_reply.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <unistd.h>

static int dropped;

static void count_drop(void *prepared)
{
    dropped++;
    rw_mem_free(prepared);
}

TEST(a_job_drops_what_it_owns)
{
    struct rw_err err = {0};
    struct api_job job = api_job_make();
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dropped = 0;
    job.prepared = rw_mem_new(8);
    job.prepared_drop = count_drop;
    job.reply.file_fd = fd;
    MUST(rw_buf_append_str(&job.reply.body, "text", &err));
    api_job_drop(&job);
    assert_int_equal(dropped, 1);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    api_job_drop(&job); /* again is harmless */
    assert_int_equal(dropped, 1);
}

static const struct error_case {
    const char *id;
    enum rw_code code;
    int status;
    int64_t retry_after_s;
} error_cases[] = {
    {"not found", RW_E_NOT_FOUND, 404, -1},
    {"stale", RW_E_STALE, 409, -1},
    {"queue full", RW_E_FULL, 503, API_RETRY_AFTER_S},
    {"store", RW_E_STORE, 503, API_RETRY_AFTER_S},
    {"schema", RW_E_SCHEMA, 400, -1},
};

TEST_EACH(an_error_replaces_the_reply, error_cases)
{
    struct rw_err err = {0};
    struct api_job job = api_job_make();
    char want[128];
    job.reply.status = 200;
    job.reply.content_type = "text/html";
    job.reply.file_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    MUST(rw_buf_append_str(&job.reply.body, "half a page", &err));
    MUST_FAIL(rw_fail(&err, it->code, "so it is"), it->code);
    api_reply_error(&job, &err);
    assert_int_equal(job.reply.status, it->status);
    assert_int_equal(job.reply.retry_after_s, it->retry_after_s);
    assert_int_equal(job.reply.file_fd, -1);
    assert_null(job.reply.content_type);
    (void)snprintf(want, sizeof(want), "{\"error\":{\"code\":\"%s\",\"text\":\"so it is\"}}",
                   rw_code_name(it->code));
    assert_string_equal(rw_buf_str(&job.reply.body), want);
    api_job_drop(&job);
}

TEST(a_handlers_own_retry_after_stays)
{
    struct rw_err err = {0};
    struct api_job job = api_job_make();
    job.reply.retry_after_s = 77;
    MUST_FAIL(rw_fail(&err, RW_E_BUSY, "later"), RW_E_BUSY);
    api_reply_error(&job, &err);
    assert_int_equal(job.reply.retry_after_s, 77);
    api_job_drop(&job);
}

static const struct query_case {
    const char *id, *query, *name;
    const char *want; /* NULL: not given */
} query_cases[] = {
    {"first", "after=7&limit=50", "after", "7"},
    {"last", "after=7&limit=50", "limit", "50"},
    {"empty value", "after=&limit=50", "after", ""},
    {"name without value", "after&limit=50", "after", NULL},
    {"a longer name", "afterwards=7", "after", NULL},
    {"a name inside", "xafter=7", "after", NULL},
    {"value with '='", "a=b=c", "a", "b=c"},
    {"twice: the first", "a=1&a=2", "a", "1"},
    {"empty pairs", "&&a=1&", "a", "1"},
    {"empty query", "", "a", NULL},
};

TEST_EACH(a_query_value_is_found_as_it_stands, query_cases)
{
    struct rw_span value = {0};
    struct api_request req = {.query = rw_span_str(it->query)};
    assert_int_equal(api_query_find(&req, it->name, &value), it->want != NULL);
    if (it->want != NULL) { assert_true(rw_span_is(value, it->want)); }
}

TEST(a_query_number_has_limits_and_a_default)
{
    struct rw_err err = {0};
    int64_t n = 100;
    struct api_request req = {.query = rw_span_str("a=5&b=x&c=&d=1001")};
    MUST(api_query_i64(&req, "missing", 1, 1000, &n, &err));
    assert_int_equal(n, 100);
    MUST(api_query_i64(&req, "a", 1, 1000, &n, &err));
    assert_int_equal(n, 5);
    MUST_FAIL(api_query_i64(&req, "b", 1, 1000, &n, &err), RW_E_SYNTAX);
    MUST_FAIL(api_query_i64(&req, "c", 1, 1000, &n, &err), RW_E_SYNTAX);
    MUST_FAIL(api_query_i64(&req, "d", 1, 1000, &n, &err), RW_E_RANGE);
    assert_int_equal(n, 5);
}

TEST(a_date_is_written_as_the_rfc_has_it)
{
    char date[HTTP_DATE_BYTES];
    http_reply_date(date, 784111777);
    assert_string_equal(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    http_reply_date(date, 0);
    assert_string_equal(date, "Thu, 01 Jan 1970 00:00:00 GMT");
}

RUN_TESTS(cmocka_unit_test(a_job_drops_what_it_owns), cmocka_unit_test(an_error_replaces_the_reply),
          cmocka_unit_test(a_handlers_own_retry_after_stays),
          cmocka_unit_test(a_query_value_is_found_as_it_stands),
          cmocka_unit_test(a_query_number_has_limits_and_a_default),
          cmocka_unit_test(a_date_is_written_as_the_rfc_has_it))
