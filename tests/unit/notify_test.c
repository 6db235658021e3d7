/* Goal: the service manager hears what it asked for, and nothing breaks where there is none. */
#include "common/base/notify.h"

#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

TEST(without_a_manager_nothing_is_said)
{
    struct rw_err err;
    (void)unsetenv("NOTIFY_SOCKET");
    MUST(notify_say("READY=1", &err));
}

TEST(a_manager_behind_an_abstract_address_hears_the_words)
{
    struct rw_err err;
    char name[64];
    char heard[32] = "";
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int n = snprintf(name, sizeof(name), "@ringward-notify-%d", (int)getpid());
    rw_copy(at.sun_path, sizeof(at.sun_path), name, (size_t)n);
    at.sun_path[0] = '\0';
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n);
    assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&at, bytes), 0);
    (void)setenv("NOTIFY_SOCKET", name, 1);
    MUST(notify_say("WATCHDOG=1", &err));
    assert_int_equal(recv(fd, heard, sizeof(heard) - 1, MSG_DONTWAIT), 10);
    assert_string_equal(heard, "WATCHDOG=1");
    (void)close(fd);
    assert_int_equal(notify_say("READY=1", &err).code, RW_E_IO); /* nobody listens any more */
}

TEST(an_address_that_is_none_is_refused)
{
    struct rw_err err;
    (void)setenv("NOTIFY_SOCKET", "relative", 1);
    assert_int_equal(notify_say("READY=1", &err).code, RW_E_IO);
    (void)unsetenv("NOTIFY_SOCKET");
}

static const struct watchdog_case {
    const char *id;
    const char *usec;
    const char *pid; /* "own": of this process */
    int64_t want_ms;
} watchdogs[] = {
    {"nobody_watches", NULL, NULL, 0},
    {"three_minutes", "180000000", NULL, 180000},
    {"three_minutes_for_this_process", "180000000", "own", 180000},
    {"meant_for_another_process", "180000000", "1", 0},
    {"no_number", "soon", NULL, 0},
    {"negative", "-5", NULL, 0},
};

static void set_or_not(const char *name, const char *value)
{
    if (value != NULL) {
        (void)setenv(name, value, 1);
    } else {
        (void)unsetenv(name);
    }
}

TEST_EACH(the_watchdog_is_what_the_manager_says, watchdogs)
{
    char own[16];
    (void)snprintf(own, sizeof(own), "%d", (int)getpid());
    set_or_not("WATCHDOG_USEC", it->usec);
    set_or_not("WATCHDOG_PID", it->pid != NULL && strcmp(it->pid, "own") == 0 ? own : it->pid);
    assert_int_equal(notify_watchdog_ms(), it->want_ms);
}

TEST(a_socket_is_taken_only_when_it_is_meant_for_this_process)
{
    struct rw_err err;
    char pid[16];
    int fd = -1;
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    (void)unsetenv("LISTEN_FDS");
    MUST(notify_take_socket(&fd, &err));
    (void)setenv("LISTEN_FDS", "1", 1);
    (void)setenv("LISTEN_PID", "1", 1);
    MUST(notify_take_socket(&fd, &err));
    assert_int_equal(fd, -1);
    (void)setenv("LISTEN_PID", pid, 1);
    (void)setenv("LISTEN_FDS", "2", 1);
    MUST_FAIL(notify_take_socket(&fd, &err), RW_E_CONFIG);
    assert_null(getenv("LISTEN_FDS")); /* a child must not take it for its own */
    int kept = dup(3);
    (void)dup2(STDIN_FILENO, 3);
    (void)setenv("LISTEN_PID", pid, 1);
    (void)setenv("LISTEN_FDS", "1", 1);
    MUST(notify_take_socket(&fd, &err));
    assert_int_equal(fd, 3);
    assert_int_equal(fcntl(3, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_null(getenv("LISTEN_PID"));
    if (kept >= 0) { (void)dup2(kept, 3); }
    if (kept < 0) { (void)close(3); }
}

RUN_TESTS(cmocka_unit_test(without_a_manager_nothing_is_said),
          cmocka_unit_test(a_manager_behind_an_abstract_address_hears_the_words),
          cmocka_unit_test(an_address_that_is_none_is_refused),
          cmocka_unit_test(the_watchdog_is_what_the_manager_says),
          cmocka_unit_test(a_socket_is_taken_only_when_it_is_meant_for_this_process))
