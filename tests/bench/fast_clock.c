/* fast_clock.c: preloaded into a program, lets its time run a factor as fast as ours: clocks, and what it waits for.
 *
 * Why not libfaketime: its processes share a lock, and an agent whose time is short kills children within their first
 * millisecond; the next process then waits for the dead one's lock for good. Here nothing is shared but three numbers
 * in the environment, so children and their children have the same time.
 *
 * source   RINGWARD_FAST_CLOCK="MONOTONIC_NS REALTIME_NS FACTOR": at that monotonic moment of ours it was that real
 *          time, and since then time runs FACTOR as fast. Without it time is ours.
 * threads  any; what is written is written before main
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { FACTOR_MAX = 100000 };
static const int64_t second_ns = 1000000000;

static int64_t begun_mono_ns;
static int64_t begun_real_ns;
static int64_t factor = 1;
static int (*real_clockwait)(pthread_cond_t *, pthread_mutex_t *, clockid_t,
                             const struct timespec *);

/* Digits, and the space behind them. */
static int64_t take_number(const char **at)
{
    int64_t n = 0;
    for (; **at >= '0' && **at <= '9' && n < INT64_MAX / 10 - 1; (*at)++) {
        n = n * 10 + (**at - '0');
    }
    if (**at == ' ') { (*at)++; }
    return n;
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("RINGWARD_FAST_CLOCK");
    *(void **)(&real_clockwait) = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
    if (text == NULL) { return; }
    const char *at = text;
    begun_mono_ns = take_number(&at);
    begun_real_ns = take_number(&at);
    factor = take_number(&at);
    if (*at == '\0' && begun_mono_ns > 0 && begun_real_ns > 0 && factor >= 1 &&
        factor <= FACTOR_MAX) {
        return;
    }
    (void)fprintf(stderr, "fast_clock: RINGWARD_FAST_CLOCK='%s' is not 'NS NS FACTOR'\n", text);
    _exit(2);
}

static int64_t ns_of(const struct timespec *t)
{
    return t->tv_sec * second_ns + t->tv_nsec;
}

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){ns / second_ns, ns % second_ns};
}

/* Of this time's CLOCK_MONOTONIC or CLOCK_REALTIME when it began to run fast. */
static int64_t begun_ns(clockid_t clock)
{
    bool real = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    return real ? begun_real_ns : begun_mono_ns;
}

static bool is_fast(clockid_t clock)
{
    return factor > 1 && clock != CLOCK_PROCESS_CPUTIME_ID && clock != CLOCK_THREAD_CPUTIME_ID;
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's names are reserved ones */
int clock_gettime(clockid_t clock, struct timespec *out)
{
    clockid_t asked = is_fast(clock) ? CLOCK_MONOTONIC : clock;
    int rc = (int)syscall(SYS_clock_gettime, asked, out);
    if (rc == 0 && is_fast(clock)) {
        *out = timespec_of(begun_ns(clock) + (ns_of(out) - begun_mono_ns) * factor);
    }
    return rc;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec t;
    (void)zone;
    int rc = clock_gettime(CLOCK_REALTIME, &t);
    *out = (struct timeval){t.tv_sec, t.tv_nsec / 1000};
    return rc;
}

time_t time(time_t *out)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_REALTIME, &t);
    if (out != NULL) { *out = t.tv_sec; }
    return t.tv_sec;
}

int nanosleep(const struct timespec *wait, struct timespec *rest)
{
    struct timespec ours = timespec_of(ns_of(wait) / factor);
    int rc = (int)syscall(SYS_nanosleep, &ours, rest);
    if (rc != 0 && errno == EINTR && rest != NULL) { *rest = timespec_of(ns_of(rest) * factor); }
    return rc;
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct timespec ours = timespec_of((int64_t)timeout_ms * 1000000 / factor);
    return (int)syscall(SYS_ppoll, fds, count, timeout_ms < 0 ? NULL : &ours, NULL, 0);
}

int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *until)
{
    struct timespec ours = *until;
    if (is_fast(clock)) {
        ours = timespec_of(begun_mono_ns + (ns_of(until) - begun_ns(clock)) / factor);
        clock = CLOCK_MONOTONIC;
    }
    return real_clockwait(cond, mutex, clock, &ours);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
