#include "agent/activate/sensor.h"

#include "common/base/file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { DISCARD_MAX = 256 };

static RW_RC make_env(char **dst, const char *name, const char *a, const char *b,
                      struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(8192);
    RW_TRY(rw_buf_appendf(&text, err, "%s=%s%s", name, a, b));
    *dst = rw_str_dup(rw_buf_str(&text));
    return *dst == NULL ? rw_fail(err, RW_E_NOMEM, "no memory for the environment") : RW_OK;
}

/* What the service manager says to the agent, and what an agent above us might say to its sensor. */
static bool is_ours(const char *entry)
{
    static const char *const names[] = {"RINGWARD_", "NOTIFY_SOCKET=", "WATCHDOG_"};
    for (size_t i = 0; i < RW_LEN(names); i++) {
        if (strncmp(entry, names[i], strlen(names[i])) == 0) { return true; }
    }
    return false;
}

/* Our own environment without what is_ours, and the four that the sensor contract names. */
static RW_RC fill_environment(struct sensor *s, const struct sensor_options *o, struct rw_err *err)
{
    size_t n = 0;
    char budget[64];
    (void)snprintf(budget, sizeof(budget), "%lld,%lld", (long long)o->detect.budget.per_rule,
                   (long long)o->detect.budget.in_all);
    RW_TRY(make_env(&s->env[0], "RINGWARD_ACTIVE", o->state_path, "/current", err));
    RW_TRY(make_env(&s->env[1], "RINGWARD_SOCKET", o->state_path, "/sensor.sock", err));
    RW_TRY(make_env(&s->env[2], "RINGWARD_ENDPOINT", o->endpoint, "", err));
    RW_TRY(make_env(&s->env[3], "RINGWARD_BUDGET", budget, "", err));
    for (char **e = environ; *e != NULL && n < SENSOR_ENV_MAX; e++) {
        if (!is_ours(*e)) { s->envp[n++] = *e; }
    }
    s->active_at = n;
    for (size_t i = 0; i < RW_LEN(s->env); i++) {
        s->envp[n++] = s->env[i];
    }
    s->envp[n] = NULL;
    return RW_OK;
}

static RW_RC bind_socket(struct sensor *s, const char *state_path, struct rw_err *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int on = 1;
    int n = snprintf(at.sun_path, sizeof(at.sun_path), "%s/sensor.sock", state_path);
    if (n < 0 || (size_t)n >= sizeof(at.sun_path)) {
        return rw_fail(err, RW_E_CONFIG, "state_dir: '%s' is too long for a socket in it",
                       state_path);
    }
    s->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->socket < 0) { return rw_fail_errno(err, RW_E_IO, errno, "sensor socket"); }
    (void)unlink(at.sun_path); /* left by an earlier run; the lock says that none is alive */
    if (setsockopt(s->socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0 ||
        bind(s->socket, (const struct sockaddr *)&at, sizeof(at)) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "sensor socket '%s'", at.sun_path);
    }
    return RW_OK;
}

static RW_RC open_commands(struct sensor *s, const struct sensor_options *o, struct rw_err *err)
{
    RW_TRY(sensor_child_open(&s->command, "sensor_command", o->command, err));
    RW_TRY(sensor_child_open(&s->reload, "sensor_reload_command", o->way.reload_command, err));
    RW_TRY(sensor_child_open(&s->health, "sensor_health_command", o->way.health_command, err));
    if (s->observed == (s->command.text == NULL)) { return RW_OK; }
    return rw_fail(err, RW_E_CONFIG, "want a sensor_command, or a sensor to observe");
}

RW_RC sensor_open(struct sensor *s, const struct sensor_options *options, struct rw_err *err)
{
    const struct sensor_way *w = &options->way;
    *s = (struct sensor){.socket = -1,
                         .proc = {.pid = 0, .pidfd = -1},
                         .detect = detect_make(&options->detect),
                         .way = *w,
                         .observed = w->observed.pid_file != NULL || w->observed.unit != NULL,
                         .unit = {.pid = -1},
                         .load_timeout_ms = options->load_timeout_ms,
                         .alive_ms = options->alive_ms};
    struct rw_rc rc = open_commands(s, options, err);
    if (rw_is_ok(rc)) { rc = fill_environment(s, options, err); }
    if (rw_is_ok(rc)) { rc = bind_socket(s, options->state_path, err); }
    if (!rw_is_ok(rc)) { sensor_drop(s); }
    return rc;
}

/* It goes on without us. */
static void let_go(struct sensor *s)
{
    if (!s->observed) { return; }
    rw_fd_drop(&s->proc.pidfd);
    s->proc.pid = 0;
    sensor_child_kill(&s->reload);
    sensor_child_kill(&s->health);
}

void sensor_drop(struct sensor *s)
{
    if (s->command.setting == NULL) { return; } /* never opened */
    let_go(s);
    proc_drop(&s->proc);
    rw_fd_drop(&s->socket);
    sensor_child_drop(&s->command);
    sensor_child_drop(&s->reload);
    sensor_child_drop(&s->health);
    for (size_t i = 0; i < RW_LEN(s->env); i++) {
        rw_cstr_drop(&s->env[i]);
    }
}

/* A queue full of the last words of the process before would swallow the proof of the new one. */
static void discard_waiting(const struct sensor *s)
{
    char byte;
    for (int i = 0; i < DISCARD_MAX; i++) {
        if (recv(s->socket, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN) { return; }
    }
}

void sensor_begin_load(struct sensor *s)
{
    s->load_error = false;
    s->error_told = false;
    s->selftest_failed = false;
    s->tested_before = s->tested;
    s->tested = false;
    s->mute_told = false;
}

static void begin(struct sensor *s, struct rw_mono now)
{
    s->generation = 0;
    s->asked = 0;
    s->loaded_count = 0;
    s->too_many = false;
    sensor_begin_load(s);
    s->from_bytes = 0;
    detect_restart(&s->detect);
    s->started = now;
    s->last_seen = now;
    s->health_at = now;
}

RW_RC sensor_look(struct sensor *s, struct observe_found *out, struct rw_err *err)
{
    RW_ASSERT(s->observed);
    RW_ASSERT(s->proc.pid == 0);
    struct observe_rule_unit seen;
    struct rw_rc rc = observe_find(&s->way.observed, out, &seen, err);
    if (seen.pid >= 0) { s->unit = seen; }
    return rc;
}

void sensor_take(struct sensor *s, const struct observe_found *found, struct rw_mono now)
{
    RW_ASSERT(s->observed);
    RW_ASSERT(s->proc.pid == 0);
    begin(s, now); /* what waits in the socket may be its proof already */
    s->proc = (struct proc){.pid = found->pid, .pidfd = found->pidfd};
    s->start_ticks = found->start_ticks;
    s->uid = found->uid;
    /* It may have loaded before anybody listened, or another set. */
    s->ask_due = true;
    s->ask_own = s->way.reload == SENSOR_BY_SIGNAL;
    s->ask_at = s->ask_own ? observe_rule_ask_at(now, found->age_ms, s->load_timeout_ms) : now;
}

void sensor_aim(struct sensor *s, int64_t set)
{
    int stem = (int)(strlen(s->env[0]) - strlen("/current"));
    s->named = set >= 0;
    s->envp[s->active_at] = s->env[0];
    if (!s->named) { return; }
    int n =
        snprintf(s->by_name, sizeof(s->by_name), "%.*s/sets/%lld", stem, s->env[0], (long long)set);
    RW_ASSERT(n > 0 && (size_t)n < sizeof(s->by_name)); /* bind_socket has bounded the path */
    s->envp[s->active_at] = s->by_name;
}

RW_RC sensor_start(struct sensor *s, struct rw_mono now, struct rw_err *err)
{
    RW_ASSERT(s->proc.pid == 0);
    RW_ASSERT(!s->observed);
    const struct proc_spec spec = {.path = s->command.argv[0],
                                   .argv = s->command.argv,
                                   .envp = s->envp,
                                   .die_with_parent = true};
    discard_waiting(s);
    begin(s, now);
    s->ask_due = false;
    return proc_start(&spec, &s->proc, err);
}

bool sensor_running(const struct sensor *s)
{
    return s->proc.pid > 0;
}

static void wait_for_exit(struct sensor *s, int64_t timeout_ms)
{
    struct rw_err unused;
    struct proc_exit gone;
    if (s->proc.pid > 0 && rw_is_ok(proc_wait(&s->proc, timeout_ms, &gone, &unused))) {
        s->last_exit = gone;
    }
}

void sensor_stop(struct sensor *s, int64_t grace_ms)
{
    if (s->observed) {
        let_go(s);
        return;
    }
    if (s->proc.pid <= 0) { return; }
    proc_signal(&s->proc, SIGTERM);
    wait_for_exit(s, grace_ms);
    sensor_kill(s);
}

void sensor_kill(struct sensor *s)
{
    if (s->proc.pid <= 0 || s->observed) { return; }
    proc_signal(&s->proc, SIGKILL);
    wait_for_exit(s, -1);
}

bool sensor_reap(struct sensor *s)
{
    if (s->proc.pid <= 0) { return false; }
    if (s->observed) {
        if (!observe_ended(s->proc.pidfd)) { return false; }
        rw_fd_drop(&s->proc.pidfd);
        s->proc.pid = 0;
        return true;
    }
    wait_for_exit(s, 0);
    return s->proc.pid == 0;
}
