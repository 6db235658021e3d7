/* Goal: requests of several clients of one process go through one ringward-http, one after the other; one that died or
 * was left in the middle of an answer is never used again, and nothing stays behind a rest. */
#include "common/net/http_share.h"

#include "common/net/http_client.h"
#include "tests/fakes/web.h"
#include "tests/harness.h"

#include <poll.h>
#include <signal.h>

#define HTTP_PROGRAM RW_BIN_DIR "/ringward-http"
#define BODY         "0123456789"

struct rig {
    struct web *web;
    struct http_share *share;
    struct http_client *small;
    struct http_client *large;
};

static void answer(void *ctx, const struct web_request *r, struct web_answer *out)
{
    (void)ctx;
    int status = strcmp(r->path, "/missing") == 0 ? 404 : 200;
    *out = (struct web_answer){.status = status, .body = rw_span_str(BODY)};
}

static void rig_drop(struct rig *r)
{
    http_client_drop(&r->small);
    http_client_drop(&r->large);
    http_share_drop(&r->share);
    web_stop(&r->web);
}

static struct rig rig_make(void)
{
    struct rw_err err = {0};
    struct rig r = {.web = web_start(answer, NULL)};
    MUST(http_share_open(HTTP_PROGRAM, &r.share, &err));
    const struct http_client_options o = {.base_url = web_url(r.web), .share = r.share};
    MUST(http_client_open(&o, &r.small, &err));
    MUST(http_client_open(&o, &r.large, &err));
    return r;
}

static struct rw_rc get(struct http_client *c, size_t max)
{
    struct rw_err err = {0};
    struct http_client_answer unused;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(1000);
    return http_client_get(c, "/", NULL, max, &body, &unused, &err);
}

/* Children of the thread of this test, the web server's thread has none. */
static int children(void)
{
    char text[256] = "";
    int count = 0;
    FILE *f = fopen("/proc/thread-self/children", "re");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f);
    for (size_t i = 0; i < n; i++) {
        count += text[i] == ' ' ? 1 : 0;
    }
    return count;
}

/* The process that waits in the share; one is started when none does. */
static pid_t waiting(struct http_share *s)
{
    struct rw_err err = {0};
    struct http_helper h;
    MUST(http_share_take(s, &h, &err));
    pid_t pid = h.child.pid;
    http_share_give(s, &h);
    return pid;
}

TEST(two_clients_use_one_process)
{
    RW_AUTO(rig) struct rig r = rig_make();
    assert_int_equal(children(), 0);
    assert_int_equal(get(r.small, 100).code, RW_E_NONE);
    pid_t first = waiting(r.share);
    assert_int_equal(get(r.large, 100).code, RW_E_NONE);
    assert_int_equal(get(r.small, 100).code, RW_E_NONE);
    assert_int_equal(waiting(r.share), first);
    assert_int_equal(children(), 1);
    http_share_rest(r.share);
    assert_int_equal(children(), 0);
    assert_int_equal(get(r.small, 100).code, RW_E_NONE); /* after a rest as before */
}

TEST(two_at_once_have_a_process_each_and_one_of_them_stays)
{
    struct rw_err err = {0};
    struct http_helper a;
    struct http_helper b;
    RW_AUTO(rig) struct rig r = rig_make();
    MUST(http_share_take(r.share, &a, &err));
    MUST(http_share_take(r.share, &b, &err));
    assert_int_not_equal(a.child.pid, b.child.pid);
    assert_int_equal(children(), 2);
    http_share_give(r.share, &a);
    http_share_give(r.share, &b);
    assert_int_equal(a.socket, -1); /* given away */
    assert_int_equal(children(), 1);
    assert_int_equal(get(r.small, 100).code, RW_E_NONE);
}

TEST(one_that_died_while_it_waited_costs_no_request)
{
    struct rw_err err = {0};
    struct http_helper h;
    RW_AUTO(rig) struct rig r = rig_make();
    MUST(http_share_take(r.share, &h, &err));
    pid_t dead = h.child.pid;
    struct pollfd gone = {.fd = h.child.pidfd, .events = POLLIN};
    proc_signal(&h.child, SIGKILL);
    assert_int_equal(poll(&gone, 1, 30000), 1);
    http_share_give(r.share, &h);
    assert_int_equal(get(r.small, 100).code, RW_E_NONE);
    assert_int_not_equal(waiting(r.share), dead);
    assert_int_equal(children(), 1);
}

TEST(one_that_was_left_in_the_middle_of_an_answer_is_not_used_again)
{
    struct rw_err err = {0};
    RW_AUTO(rig) struct rig r = rig_make();
    assert_int_equal(get(r.small, 100).code, RW_E_NONE);
    pid_t first = waiting(r.share);
    /* No byte of an error page is wanted: the exchange ends before its outcome. */
    MUST_FAIL(http_client_download(r.large, "/missing", -1, 0, 100, &err), RW_E_NOT_FOUND);
    assert_int_not_equal(waiting(r.share), first);
    assert_int_equal(get(r.small, 100).code, RW_E_NONE);
    assert_int_equal(children(), 1);
}

TEST(a_program_that_is_not_there_is_told_and_leaves_nothing)
{
    struct rw_err err = {0};
    struct http_share *s = NULL;
    struct http_helper h;
    MUST(http_share_open(RW_BIN_DIR "/no-such-program", &s, &err));
    MUST_FAIL(http_share_take(s, &h, &err), RW_E_PROCESS);
    assert_int_equal(children(), 0);
    http_share_drop(&s);
}

RUN_TESTS(cmocka_unit_test(two_clients_use_one_process),
          cmocka_unit_test(two_at_once_have_a_process_each_and_one_of_them_stays),
          cmocka_unit_test(one_that_died_while_it_waited_costs_no_request),
          cmocka_unit_test(one_that_was_left_in_the_middle_of_an_answer_is_not_used_again),
          cmocka_unit_test(a_program_that_is_not_there_is_told_and_leaves_nothing))
