#include "tests/fakes/loopback.h"

#include "tests/harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

static char requests[65536];

/* Bytes of the body that Content-Length announces. */
static size_t body_length(const char *head)
{
    static const char name[] = "\r\nContent-Length: ";
    struct rw_err err = {0};
    int64_t n = 0;
    const char *line = strcasestr(head, name);
    if (line == NULL) { return 0; }
    line += sizeof(name) - 1;
    return rw_is_ok(
               rw_parse_i64(rw_span_of(line, strcspn(line, "\r")), 0, 1 << 20, "length", &n, &err))
               ? (size_t)n
               : 0;
}

/* Reads one whole request and hands it to the test. */
static void take_request(int fd, int report)
{
    static char text[262144];
    size_t n = 0;
    for (;;) {
        ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
        if (got <= 0) { return; }
        n += (size_t)got;
        text[n] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        if (end != NULL && n >= (size_t)(end - text) + 4 + body_length(text)) { break; }
    }
    size_t kept = n < 4000 ? n : 4000;
    if (write(report, text, kept) != (ssize_t)kept) { _exit(1); }
}

static bool say(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t put = send(fd, p, n, MSG_NOSIGNAL);
        if (put <= 0) { return false; }
        p += put;
        n -= (size_t)put;
    }
    return true;
}

static void serve_one(int listener, const struct loopback_script *s, int report)
{
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) { _exit(1); }
    take_request(fd, report);
    bool open = say(fd, s->answer, s->answer_bytes);
    for (int i = 0; open && i < s->repeat; i++) {
        open = say(fd, s->answer + s->answer_bytes - s->repeat_bytes, s->repeat_bytes);
    }
    char byte = 0;
    if (open && s->stay) { (void)recv(fd, &byte, 1, 0); }
    (void)shutdown(fd, SHUT_WR);
    /* Until the client is through: closing at once could reset what it has not read. */
    struct pollfd one = {.fd = fd, .events = POLLIN};
    if (poll(&one, 1, 2000) > 0) { (void)recv(fd, &byte, 1, 0); }
    (void)close(fd);
}

struct loopback loopback_start(const struct loopback_script *scripts, size_t count)
{
    struct loopback l = {.url = ""};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_bytes = sizeof(at);
    int pair[2];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)(const void *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)(void *)&at, &at_bytes), 0);
    assert_int_equal(pipe(pair), 0);
    (void)snprintf(l.url, sizeof(l.url), "http://127.0.0.1:%u", ntohs(at.sin_port));
    (void)fflush(NULL);
    l.pid = fork();
    assert_true(l.pid >= 0);
    if (l.pid == 0) {
        (void)close(pair[0]);
        for (size_t i = 0; i < count; i++) {
            serve_one(listener, &scripts[i], pair[1]);
        }
        _exit(0);
    }
    (void)close(pair[1]);
    (void)close(listener);
    l.request = pair[0];
    return l;
}

const char *loopback_end(struct loopback *l)
{
    size_t n = 0;
    struct pollfd one = {.fd = l->request, .events = POLLIN};
    while (n < sizeof(requests) - 1 && poll(&one, 1, 20) > 0) {
        ssize_t got = read(l->request, requests + n, sizeof(requests) - 1 - n);
        if (got <= 0) { break; }
        n += (size_t)got;
    }
    requests[n] = '\0';
    (void)close(l->request);
    (void)kill(l->pid, SIGKILL);
    (void)waitpid(l->pid, NULL, 0);
    return requests;
}
