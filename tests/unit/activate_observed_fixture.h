/* activate_observed_fixture.h: a fake sensor that a fake supervisor starts again, found by its pid file or by the
 * answer of a fake systemctl; for tests of observed sensors.
 *
 * memory   one global bench and one fake per test
 * threads  one
 */
#ifndef RINGWARD_ACTIVATE_OBSERVED_FIXTURE_H
#define RINGWARD_ACTIVATE_OBSERVED_FIXTURE_H

#include "tests/unit/activate_fixture.h"

#include <signal.h>
#include <sys/stat.h>

enum { LOAD_MS = 2500 };

static char pid_file[96]; /* of make_by_pid_file, as is the next */
static char systemctl[128];
static struct proc fake; /* what its own supervisor runs */
static int starts;
static int by_hand; /* starts that systemd does not count */
static bool ended_well;

static inline void write_file(const char *path, mode_t mode, const char *text)
{
    struct rw_err err;
    MUST(rw_file_replace(path, mode, rw_span_str(text), &err));
}

/* What a service manager would say of it. */
static inline void write_systemctl(void)
{
    char text[512];
    RW_AUTO(rw_buf) struct rw_buf group = rw_buf_make(4096);
    char at[64];
    struct rw_err err;
    (void)snprintf(at, sizeof(at), "/proc/%d/cgroup", getpid());
    int fd = open(at, O_RDONLY | O_CLOEXEC);
    uint8_t *to = NULL;
    MUST(rw_buf_reserve(&group, 2048, &to, &err));
    ssize_t n = read(fd, to, 2047);
    (void)close(fd);
    rw_buf_commit(&group, n > 0 ? (size_t)n : 0);
    const char *begin = strstr(rw_buf_str(&group), "0::");
    (void)snprintf(text, sizeof(text),
                   "#!/bin/sh\necho LoadState=loaded\necho MainPID=%d\necho NRestarts=%d\n"
                   "echo Result=%s\necho ControlGroup=%.*s\n",
                   fake.pid, starts - 1 - by_hand, ended_well ? "success" : "signal",
                   begin == NULL ? 0 : (int)strcspn(begin + 3, "\n"),
                   begin == NULL ? "" : begin + 3);
    write_file(systemctl, 0700, text);
}

static inline void start_fake(void)
{
    char active[96];
    char agent[96];
    char text[32];
    struct rw_err err;
    (void)snprintf(active, sizeof(active), "RINGWARD_ACTIVE=%s/current", bench.path);
    (void)snprintf(agent, sizeof(agent), "RINGWARD_SOCKET=%s/sensor.sock", bench.path);
    char *argv[] = {(char *)(uintptr_t)RW_FAKE_DIR "/fake_sensor", NULL};
    char *envp[] = {active, agent, NULL};
    const struct proc_spec spec = {
        .path = argv[0], .argv = argv, .envp = envp, .die_with_parent = true};
    MUST(proc_start(&spec, &fake, &err));
    starts++;
    ended_well = true;
    (void)snprintf(text, sizeof(text), "%d\n", (int)fake.pid);
    write_file(pid_file, 0644, text);
    write_systemctl();
}

static inline void reap_fake(void)
{
    struct rw_err err;
    struct proc_exit gone;
    MUST(proc_wait(&fake, 5000, &gone, &err));
    ended_well = false;
    write_systemctl();
}

/* Its own supervisor: starts it again when it has ended. */
static inline void supervise(void)
{
    if (!proc_has_ended(&fake)) { return; }
    reap_fake();
    start_fake();
}

static inline void make(void)
{
    starts = 0;
    by_hand = 0;
    bench_make(NULL);
    start_fake();
    bench_between = supervise;
    bench_start();
    bench_until(ACTIVATE_STEADY);
}

static inline void make_by_pid_file(void)
{
    /* The path is known only once the bench is made: the same for all, since one runs at a time. */
    (void)snprintf(pid_file, sizeof(pid_file), "/tmp/rw-observed-%d.pid", getpid());
    (void)snprintf(systemctl, sizeof(systemctl), "/tmp/rw-observed-%d.sh", getpid());
    bench_way = (struct sensor_way){.observed = {.pid_file = pid_file}};
    bench_load_ms = LOAD_MS;
    bench_alive_ms = 10 * LOAD_MS; /* a busy machine is no hang */
}

static inline void finish(void)
{
    bench_remove();
    proc_drop(&fake);
    bench_between = NULL;
    (void)unlink(pid_file);
    (void)unlink(systemctl);
}

static inline void begin(int64_t release, const char *behaviour, int64_t probation_s)
{
    struct rw_err err;
    struct manifest_entry e = bench_content("yara", release, behaviour);
    struct activate_plan plan = bench_plan(SLOT_TRIAL, &e);
    plan.probation_s = probation_s;
    MUST(activate_begin(&bench.a, &plan, &err));
}

static inline void commit(int64_t release, const char *behaviour)
{
    begin(release, behaviour, 0);
    bench_until(ACTIVATE_STEADY);
}

#endif
