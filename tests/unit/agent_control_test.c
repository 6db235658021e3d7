/* Goal: the control socket answers its owner with what is, and no peer can hold the loop up. */
#include "agent/agent_control.h"

#include "agent/agent_view.h"
#include "common/base/file.h"
#include "tests/harness.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

/* An agent as far as its control socket looks at it. */
static struct agent *agent_new(const struct harness_dir *d)
{
    struct rw_err err;
    struct agent *a = rw_mem_new(sizeof(*a));
    assert_non_null(a);
    a->clock = rw_clock_system();
    a->control = -1;
    (void)snprintf(a->conf.state_dir, sizeof(a->conf.state_dir), "%s", d->path);
    (void)snprintf(a->identity.endpoint, sizeof(a->identity.endpoint), "%032d", 7);
    MUST(rw_dir_open(d->path, &a->state_dir, &err));
    MUST(agent_control_open(a, &err));
    return a;
}

typedef struct agent *agent_ref;
static void agent_ref_drop(agent_ref *a)
{
    rw_fd_drop(&(*a)->control);
    rw_fd_drop(&(*a)->state_dir);
    rw_mem_free(*a);
}

static bool wait_for_peer(const struct agent *a, int timeout_ms)
{
    struct pollfd p = {.fd = a->control, .events = POLLIN};
    return poll(&p, 1, timeout_ms) > 0;
}

/* The other side of the socket, in a thread: agent_control_ask blocks. */
struct asker {
    const char *dir, *request;
    struct rw_buf answer;
    struct rw_rc rc;
    struct rw_err err;
    pthread_t thread;
};

static void *ask(void *ctx)
{
    struct asker *k = ctx;
    k->rc = agent_control_ask(k->dir, k->request, 5000, &k->answer, &k->err);
    return NULL;
}

static void ask_begin(struct asker *k, const struct harness_dir *d, const char *request)
{
    *k = (struct asker){
        .dir = d->path, .request = request, .answer = rw_buf_make(AGENT_CONTROL_ANSWER_BYTES_MAX)};
    assert_int_equal(pthread_create(&k->thread, NULL, ask, k), 0);
}

static void ask_end(struct asker *k)
{
    assert_int_equal(pthread_join(k->thread, NULL), 0);
}

static int raw_peer(const struct harness_dir *d, const char *bytes)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/agent.sock", d->path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
    return fd;
}

TEST(status_is_answered_at_once)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    RW_AUTO(agent_ref) struct agent *a = agent_new(&d);
    struct asker k;
    ask_begin(&k, &d, "status");
    assert_true(wait_for_peer(a, 5000));
    agent_control_accept(a);
    ask_end(&k);
    assert_true(rw_is_ok(k.rc));
    assert_non_null(
        strstr(rw_buf_str(&k.answer), "\"endpoint\":\"00000000000000000000000000000007\""));
    struct rw_err err;
    MUST_FAIL(agent_view_print_status(rw_span_str("{}"), &err), RW_E_SCHEMA);
    rw_buf_drop(&k.answer);
}

TEST(check_is_answered_when_the_poll_that_it_asked_for_has_ended)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    RW_AUTO(agent_ref) struct agent *a = agent_new(&d);
    struct asker k;
    a->polls_begun = 4; /* one is under way: it began before the question */
    a->polls_ended = 3;
    a->poll_at.ms = INT64_MAX;
    ask_begin(&k, &d, "check");
    assert_true(wait_for_peer(a, 5000));
    agent_control_accept(a);
    assert_int_equal(a->waiter_count, 1);
    assert_true(a->poll_at.ms <= rw_clock_mono(&a->clock).ms);
    a->polls_ended = 4;
    agent_control_answer_waiters(a);
    assert_int_equal(a->waiter_count, 1); /* not the one that was meant */
    a->polls_begun = a->polls_ended = 5;
    agent_control_answer_waiters(a);
    assert_int_equal(a->waiter_count, 0);
    ask_end(&k);
    assert_true(rw_is_ok(k.rc));
    rw_buf_drop(&k.answer);
}

TEST(an_unknown_request_is_told)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    RW_AUTO(agent_ref) struct agent *a = agent_new(&d);
    struct asker k;
    ask_begin(&k, &d, "reboot");
    assert_true(wait_for_peer(a, 5000));
    agent_control_accept(a);
    ask_end(&k);
    assert_true(rw_is_ok(k.rc));
    assert_non_null(strstr(rw_buf_str(&k.answer), "unknown request"));
    rw_buf_drop(&k.answer);
}

static const struct odd_case {
    const char *id, *bytes;
} odd[] = {
    {"silent", ""},
    {"without_an_end", "stat"},
    {"endless", "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"},
    {"empty_line", "\n"},
};

TEST_EACH(no_peer_holds_the_loop_up, odd)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    RW_AUTO(agent_ref) struct agent *a = agent_new(&d);
    RW_AUTO(rw_fd) rw_fd fd = raw_peer(&d, it->bytes);
    assert_true(fd >= 0); /* stays open: the peer is there and says no more */
    int64_t begin_ms = rw_clock_mono(&a->clock).ms;
    assert_true(wait_for_peer(a, 5000));
    agent_control_accept(a);
    assert_true(rw_clock_mono(&a->clock).ms - begin_ms < 2000);
    assert_int_equal(a->waiter_count, 0);
}

TEST(too_many_waiters_are_turned_away)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    RW_AUTO(agent_ref) struct agent *a = agent_new(&d);
    int peers[AGENT_WAITERS_MAX + 2];
    for (size_t i = 0; i < RW_LEN(peers); i++) {
        peers[i] = raw_peer(&d, "check\n");
        agent_control_accept(a);
    }
    assert_int_equal(a->waiter_count, AGENT_WAITERS_MAX);
    char byte = 0;
    assert_int_equal(read(peers[AGENT_WAITERS_MAX], &byte, 1), 0);
    a->polls_begun = a->polls_ended = 1;
    agent_control_answer_waiters(a);
    assert_int_equal(a->waiter_count, 0);
    for (size_t i = 0; i < RW_LEN(peers); i++) {
        (void)close(peers[i]);
    }
}

TEST(without_an_agent_the_hint_says_what_to_look_at)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    RW_AUTO(rw_buf) struct rw_buf answer = rw_buf_make(1000);
    struct rw_err err;
    MUST_FAIL(agent_control_ask(d.path, "status", 100, &answer, &err), RW_E_NET);
    assert_true(err.hint[0] != '\0');
}

RUN_TESTS(cmocka_unit_test(status_is_answered_at_once),
          cmocka_unit_test(check_is_answered_when_the_poll_that_it_asked_for_has_ended),
          cmocka_unit_test(an_unknown_request_is_told), cmocka_unit_test(no_peer_holds_the_loop_up),
          cmocka_unit_test(too_many_waiters_are_turned_away),
          cmocka_unit_test(without_an_agent_the_hint_says_what_to_look_at))
