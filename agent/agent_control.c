#include "agent/agent_control.h"

#include "agent/agent_view.h"
#include "common/base/file.h"
#include "common/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { REQUEST_BYTES_MAX = 32, REQUEST_MS = 200, BACKLOG = 8, ACCEPTS_MAX = 8 };

/* Through the descriptor: the address stays short however deep the state directory lies. */
static void address_of(int state_dir, struct sockaddr_un *at)
{
    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(at->sun_path, sizeof(at->sun_path), "/proc/self/fd/%d/agent.sock", state_dir);
}

RW_RC agent_control_open(struct agent *a, struct rw_err *err)
{
    struct sockaddr_un at;
    address_of(a->state_dir, &at);
    RW_TRY(rw_file_remove_at(a->state_dir, "agent.sock", err));
    a->control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (a->control < 0 || bind(a->control, (const struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(a->control, BACKLOG) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "control socket '%s/agent.sock'",
                             a->conf.state_dir);
    }
    return RW_OK;
}

static bool readable(int fd, int64_t timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, (int)timeout_ms) > 0;
}

/* One line, or what came within the time. */
static bool read_request(int fd, char line[static REQUEST_BYTES_MAX])
{
    size_t n = 0;
    while (n + 1 < REQUEST_BYTES_MAX && readable(fd, REQUEST_MS)) {
        ssize_t got = read(fd, line + n, 1);
        if (got != 1) { return false; }
        if (line[n] == '\n') {
            line[n] = '\0';
            return true;
        }
        n++;
    }
    return false;
}

/* The socket's buffer holds a whole status; a peer that does not read gets a part of it. */
static void send_text(int fd, struct rw_span text)
{
    while (text.n > 0) {
        ssize_t put = send(fd, text.p, text.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put <= 0) { return; }
        text = rw_span_of(text.p + put, text.n - (size_t)put);
    }
}

static void answer_status(const struct agent *a, int fd)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(AGENT_CONTROL_ANSWER_BYTES_MAX);
    if (!rw_is_ok(agent_view_write(a, &text, &err)) ||
        !rw_is_ok(rw_buf_append_str(&text, "\n", &err))) {
        rw_log(RW_LOG_ERROR, "status_failed", "text", err.text);
        return;
    }
    send_text(fd, rw_buf_span(&text));
}

/* Keeps the connection until the poll that begins now has ended. */
static bool add_waiter(struct agent *a, int fd)
{
    if (a->waiter_count == AGENT_WAITERS_MAX) { return false; }
    a->waiters[a->waiter_count++] = (struct agent_waiter){.fd = fd, .poll = a->polls_begun + 1};
    a->poll_at = rw_clock_mono(&a->clock);
    return true;
}

/* True: the connection is kept for a later answer. */
static bool serve(struct agent *a, int fd)
{
    char line[REQUEST_BYTES_MAX];
    if (!read_request(fd, line)) { return false; }
    if (strcmp(line, "check") == 0) { return add_waiter(a, fd); }
    if (strcmp(line, "status") == 0) {
        answer_status(a, fd);
    } else {
        send_text(fd, rw_span_str("{\"error\":\"unknown request\"}\n"));
    }
    return false;
}

void agent_control_accept(struct agent *a)
{
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_un peer;
        socklen_t peer_bytes = sizeof(peer);
        int fd = accept4(a->control, (struct sockaddr *)&peer, &peer_bytes, SOCK_CLOEXEC);
        if (fd < 0) { return; }
        if (!serve(a, fd)) { rw_fd_drop(&fd); }
    }
}

void agent_control_answer_waiters(struct agent *a)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->waiter_count; i++) {
        if (a->waiters[i].poll > a->polls_ended) {
            a->waiters[kept++] = a->waiters[i];
            a->poll_at = rw_clock_mono(&a->clock);
            continue;
        }
        answer_status(a, a->waiters[i].fd);
        rw_fd_drop(&a->waiters[i].fd);
    }
    a->waiter_count = kept;
}

RW_RC agent_control_ask(const char *state_dir, const char *request, int64_t timeout_ms,
                        struct rw_buf *into, struct rw_err *err)
{
    struct sockaddr_un at;
    char line[REQUEST_BYTES_MAX];
    RW_AUTO(rw_fd) rw_fd dir = -1;
    RW_TRY(rw_dir_open(state_dir, &dir, err));
    RW_AUTO(rw_fd) rw_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address_of(dir, &at);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof(at)) != 0) {
        RW_IGNORE(rw_fail_errno(err, RW_E_NET, errno, "no agent listens in '%s'", state_dir),
                  "hint follows");
        return rw_hint(err, "is ringward-agent run started with this configuration?");
    }
    (void)snprintf(line, sizeof(line), "%s\n", request);
    RW_TRY(rw_fd_write_all(fd, rw_span_str(line), err));
    for (;;) {
        uint8_t *to = NULL;
        if (!readable(fd, timeout_ms)) {
            return rw_fail(err, RW_E_TIMEOUT, "the agent did not answer within %lld ms",
                           (long long)timeout_ms);
        }
        RW_TRY(rw_buf_reserve(into, 4096, &to, err));
        ssize_t got = read(fd, to, 4096);
        if (got < 0) { return rw_fail_errno(err, RW_E_IO, errno, "control socket"); }
        if (got == 0) { break; }
        rw_buf_commit(into, (size_t)got);
    }
    if (into->n == 0) { return rw_fail(err, RW_E_PROTOCOL, "the agent gave no answer"); }
    return RW_OK;
}
