/* Orders to load, and the question whether it lives, by the way of the settings (sensor.h). */
#include "agent/activate/sensor.h"

#include <signal.h>
#include <stdio.h>

enum { AGAIN_MS = 200, HEALTH_DENSE_MS = 1000, HEALTH_SHARE = 3 };

/* A clean environment: what the contract names, and which load and which process it is about. */
static RW_RC start_child(struct sensor *s, struct sensor_child *child, struct rw_mono now,
                         int64_t generation, struct rw_err *err)
{
    char number[48];
    char pid[48];
    int64_t limit_ms = child == &s->reload ? s->load_timeout_ms : s->alive_ms;
    (void)snprintf(number, sizeof(number), "RINGWARD_GENERATION=%lld", (long long)generation);
    (void)snprintf(pid, sizeof(pid), "RINGWARD_PID=%d", (int)s->proc.pid);
    char *const envp[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                          "LC_ALL=C",
                          s->env[0],
                          s->env[1],
                          s->env[2],
                          s->env[3],
                          number,
                          pid,
                          NULL};
    return sensor_child_start(child, envp, now, limit_ms, err);
}

static void fail_load(struct sensor *s, const char *why)
{
    s->load_error = true;
    (void)snprintf(s->detail, sizeof(s->detail), "%.190s", why);
}

/* False: not yet. */
static bool ask_by_signal(struct sensor *s)
{
    int number = s->way.reload_signal != 0 ? s->way.reload_signal : SIGHUP;
    if (s->proc.pid <= 0) { return false; }
    if (s->observed && !observe_takes(s->proc.pid, number)) { return false; }
    proc_signal(&s->proc, number);
    return true;
}

static bool ask_by_message(struct sensor *s)
{
    struct rw_err unused;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SENSOR_MESSAGE_BYTES_MAX);
    if (s->proc.pid <= 0 || s->from_bytes == 0) {
        return false;
    } /* nobody knows where it listens */
    if (!rw_is_ok(sensor_write_load(&text, &unused))) { return false; }
    return sendto(s->socket, text.p, text.n, MSG_DONTWAIT | MSG_NOSIGNAL,
                  (const struct sockaddr *)&s->from, s->from_bytes) == (ssize_t)text.n;
}

/* Also while an observed process is away: what it will load at its start is what the command makes ready. */
static bool ask_by_command(struct sensor *s, struct rw_mono now)
{
    struct rw_err err;
    sensor_child_kill(&s->reload);
    if (!rw_is_ok(start_child(s, &s->reload, now, s->generation + 1, &err))) {
        fail_load(s, err.text);
    }
    return true;
}

static void ask(struct sensor *s, struct rw_mono now)
{
    bool done = false;
    switch (s->way.reload) {
    case SENSOR_BY_SIGNAL:
        done = ask_by_signal(s);
        break;
    case SENSOR_BY_COMMAND:
        done = ask_by_command(s, now);
        break;
    case SENSOR_BY_MESSAGE:
        done = ask_by_message(s);
        break;
    }
    if (done) { s->asked = s->generation; }
    s->ask_due = !done;
    s->ask_own = s->ask_own && !done;
    s->ask_at.ms = now.ms + AGAIN_MS;
}

void sensor_reload(struct sensor *s, struct rw_mono now)
{
    sensor_drain(s, now);
    s->asked = s->generation;
    sensor_begin_load(s);
    s->ask_own = false;
    ask(s, now);
}

void sensor_spare(struct sensor *s)
{
    if (s->ask_own) { s->ask_due = false; }
    s->ask_own = false;
}

static void look_at_health(struct sensor *s, struct rw_mono now, bool dense)
{
    char unused[SENSOR_CHILD_DETAIL_BYTES];
    struct rw_err err;
    if (s->health.text == NULL || s->proc.pid <= 0) { return; }
    enum sensor_child_state state = sensor_child_look(&s->health, now, unused);
    /* It lived when the question was put: an answer may not reach beyond the end of a probation. */
    if (state == SENSOR_CHILD_GOOD && s->health.begun.ms > s->last_seen.ms) {
        s->last_seen = s->health.begun;
    }
    int64_t every_ms = dense ? HEALTH_DENSE_MS : s->alive_ms / HEALTH_SHARE;
    if (s->health_at.ms > now.ms + every_ms) { s->health_at.ms = now.ms + every_ms; }
    if (state == SENSOR_CHILD_RUNS || now.ms < s->health_at.ms) { return; }
    s->health_at.ms = now.ms + every_ms;
    /* One that cannot be started is as silent as one that fails: the watchdog hears it. */
    RW_IGNORE(start_child(s, &s->health, now, s->generation, &err), "the silence is heard");
}

void sensor_tend(struct sensor *s, struct rw_mono now, bool dense)
{
    char detail[SENSOR_CHILD_DETAIL_BYTES];
    /* Its last words count: they were said before its number was given back. */
    if (sensor_child_running(&s->reload) && proc_has_ended(&s->reload.proc)) {
        sensor_drain(s, now);
    }
    if (s->reload.text != NULL &&
        sensor_child_look(&s->reload, now, detail) == SENSOR_CHILD_FAILED && !s->load_error) {
        fail_load(s, detail); /* what it said itself is better */
    }
    look_at_health(s, now, dense);
    if (s->ask_due && now.ms >= s->ask_at.ms) { ask(s, now); }
}

struct rw_mono sensor_wake(const struct sensor *s)
{
    int64_t ms = INT64_MAX;
    if (s->ask_due && (s->proc.pid > 0 || s->way.reload == SENSOR_BY_COMMAND)) {
        ms = s->ask_at.ms;
    }
    if (sensor_child_running(&s->reload) && s->reload.end.ms < ms) { ms = s->reload.end.ms; }
    if (s->health.text != NULL && s->proc.pid > 0) {
        bool runs = sensor_child_running(&s->health);
        int64_t due_ms = runs ? s->health.end.ms : s->health_at.ms;
        if (due_ms < ms) { ms = due_ms; }
    }
    return (struct rw_mono){ms};
}
