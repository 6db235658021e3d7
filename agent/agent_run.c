/* The loop: sensor, timers, helper jobs, control socket, signals. Nothing in it blocks for long. */
#include "agent/agent.h"

#include "agent/agent_control.h"
#include "agent/agent_poll.h"
#include "agent/agent_self.h"
#include "common/base/cgroup_leaf.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/notify.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    WORKER_STOP_MS = 2000,
    SLEPT_MS = 5000, /* woken so much too late: the host slept, or we were stopped */
    TIMEOUT_MS_MAX = 60 * 1000,
};

/* Before any thread is started, so that all of them leave these signals to the descriptor. */
static RW_RC open_signals(struct agent *a, struct rw_err *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGPIPE);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) {
        return rw_fail(err, RW_E_IO, "cannot block signals");
    }
    a->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (a->signals < 0) { return rw_fail_errno(err, RW_E_IO, errno, "signalfd"); }
    return RW_OK;
}

/* Bad settings change nothing: what was read last goes on. */
static void read_settings(struct agent *a)
{
    struct rw_err err;
    struct rw_log_line l;
    struct rw_rc rc = agent_conf_load(a->conf.path, &a->next, NULL, &err);
    if (rw_is_ok(rc)) { rc = agent_conf_check_files(&a->next, &err); }
    a->reload = rw_is_ok(rc) && !agent_conf_is_same(&a->conf, &a->next);
    if (rw_is_ok(rc)) {
        rw_log(RW_LOG_INFO, "settings_read", "changed", a->reload ? "yes" : "no");
        return;
    }
    rw_log_begin(&l, RW_LOG_ERROR, "settings_refused");
    rw_log_str(&l, "note", "going on with those that were read before");
    rw_log_err(&l, &err);
    rw_log_end(&l);
}

/* Nothing may be cut off by it: no request, no check, no change of the set. */
static bool may_reload(const struct agent *a)
{
    return a->reload && !a->poll_worker.busy && !a->send_worker.busy && !a->integrity.worker.busy &&
           a->activate.slots.trial.change == SLOT_NO_CHANGE;
}

static void take_signals(struct agent *a)
{
    struct signalfd_siginfo info;
    while (read(a->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) { a->stop = true; }
        if (info.ssi_signo == SIGHUP) {
            a->poll_at = rw_clock_mono(&a->clock);
            read_settings(a);
        }
    }
}

static void tell_manager(const char *state)
{
    struct rw_err err;
    if (!rw_is_ok(notify_say(state, &err))) {
        rw_log(RW_LOG_WARN, "manager_not_told", "text", err.text);
    }
}

/* From this loop only, so that a loop that hangs is restarted; at a wake-up it had anyway where there is one. */
static void feed_watchdog(struct agent *a, struct rw_mono now)
{
    if (a->watchdog_ms == 0 || now.ms < a->watchdog_at.ms) { return; }
    tell_manager("WATCHDOG=1");
    a->watchdog_at.ms = now.ms + a->watchdog_ms / 3;
}

/* The watchdog waits for its last third before it wakes this process on its own account. */
static int64_t until_ms(const struct agent *a, struct rw_mono now)
{
    int64_t at = activate_wake(&a->activate).ms;
    int64_t poll_at = agent_poll_wake(a).ms;
    int64_t feed_at = a->watchdog_at.ms + a->watchdog_ms / 3;
    if (poll_at < at) { at = poll_at; }
    if (a->watchdog_ms > 0 && feed_at < at) { at = feed_at; }
    int64_t check_at = agent_integrity_wake(&a->integrity).ms;
    if (check_at < at) { at = check_at; }
    int64_t ms = at > now.ms ? at - now.ms : 0;
    return ms > TIMEOUT_MS_MAX ? TIMEOUT_MS_MAX : ms;
}

static RW_RC wait_for_something(struct agent *a, struct rw_err *err)
{
    enum {
        SIGNALS,
        SENSOR_SOCKET,
        SENSOR_PROCESS,
        SENSOR_RELOAD,
        SENSOR_HEALTH,
        CONTROL,
        POLL_DONE,
        SEND_DONE,
        CHECK_DONE,
        COUNT
    };
    const struct sensor *sensor = &a->activate.sensor;
    struct rw_mono before = rw_clock_mono(&a->clock);
    int64_t timeout_ms = until_ms(a, before);
    struct pollfd fds[COUNT] = {
        [SIGNALS] = {.fd = a->signals, .events = POLLIN},
        [SENSOR_SOCKET] = {.fd = sensor_listens(sensor) ? sensor->socket : -1, .events = POLLIN},
        [SENSOR_PROCESS] = {.fd = sensor->proc.pidfd, .events = POLLIN},
        [SENSOR_RELOAD] = {.fd = sensor->reload.proc.pidfd, .events = POLLIN},
        [SENSOR_HEALTH] = {.fd = sensor->health.proc.pidfd, .events = POLLIN},
        [CONTROL] = {.fd = a->control, .events = POLLIN},
        [POLL_DONE] = {.fd = a->poll_worker.done_fd, .events = POLLIN},
        [SEND_DONE] = {.fd = a->send_worker.done_fd, .events = POLLIN},
        [CHECK_DONE] = {.fd = a->integrity.worker.done_fd, .events = POLLIN},
    };
    if (poll(fds, COUNT, (int)timeout_ms) < 0 && errno != EINTR) {
        return rw_fail_errno(err, RW_E_IO, errno, "poll");
    }
    if (rw_clock_mono(&a->clock).ms - before.ms > timeout_ms + SLEPT_MS) {
        activate_forgive(&a->activate);
    }
    if (fds[SIGNALS].revents != 0) { take_signals(a); }
    if (fds[CONTROL].revents != 0) { agent_control_accept(a); }
    return RW_OK;
}

static void check_integrity(struct agent *a)
{
    int64_t known = a->activate.damage.count;
    if (agent_integrity_take(&a->integrity, &a->activate)) {
        a->poll_at = rw_clock_mono(&a->clock); /* the server has what the disk lost */
    }
    if (a->activate.damage.count != known) { activate_report_alive(&a->activate); }
    agent_integrity_begin(&a->integrity, &a->activate);
}

static RW_RC loop(struct agent *a, struct rw_err *err)
{
    a->watchdog_ms = notify_watchdog_ms();
    while (!a->stop && !may_reload(a)) {
        feed_watchdog(a, rw_clock_mono(&a->clock));
        activate_step(&a->activate);
        agent_poll_take(a);
        check_integrity(a);
        if (may_reload(a)) { return RW_OK; }
        if (!a->reload) { agent_poll_begin(a); }
        RW_TRY(wait_for_something(a, err));
    }
    return RW_OK;
}

/* A helper that hangs in the network keeps its data: the process ends without giving them back. Beacons first: a
 * ringward-http that the poll's thread has started ends with that thread. */
static void stop_workers(struct agent *a)
{
    bool send_ended = agent_worker_stop(&a->send_worker, WORKER_STOP_MS);
    bool poll_ended = agent_worker_stop(&a->poll_worker, WORKER_STOP_MS);
    bool check_ended = agent_integrity_stop(&a->integrity, WORKER_STOP_MS);
    if (!poll_ended || !send_ended || !check_ended) {
        rw_log(RW_LOG_INFO, "stopped", "note", "a request was still under way");
        _exit(0);
    }
}

/* The box makes its groups beside us. Without them its grade says so (INV-12). */
void agent_settle(void)
{
    struct rw_err err;
    bool moved = false;
    if (!rw_is_ok(cgroup_leaf_settle(&moved, &err))) {
        rw_log(RW_LOG_WARN, "no_control_groups", "text", err.text);
    }
}

RW_RC agent_run(struct agent *a, struct rw_err *err)
{
    struct rw_err late;
    RW_TRY(open_signals(a, err));
    RW_TRY(agent_control_open(a, err));
    struct rw_rc guarded = activate_guard(&a->activate, err);
    if (!rw_is_ok(guarded) && !a->activate.link_owed) { return guarded; }
    RW_TRY(agent_poll_open(a, err));
    RW_TRY(agent_integrity_open(&a->integrity, &a->activate, a->conf.verify_interval_ms, err));
    /* A halt is asked for before anything is loaded (INV-6), while the sensor starts: nobody waits for the network. */
    if (a->activate.fell_back) { agent_poll_send_now(a); }
    activate_start(&a->activate);
    rw_log(RW_LOG_INFO, "started", "endpoint", a->identity.endpoint);
    tell_manager("READY=1");
    a->ready = true;
    /* Behind the start of protection, so as not to take its processor; before the loop, in which polls begin: as the
     * poll worker's first job it ends before anything can be activated (INV-5). */
    agent_self_begin(a);
    struct rw_rc rc = loop(a, err);
    a->reload = a->reload && !a->stop && rw_is_ok(rc);
    tell_manager(a->reload ? "RELOADING=1" : "STOPPING=1");
    if (!rw_is_ok(activate_stop(&a->activate, &late))) {
        rw_log(RW_LOG_ERROR, "stop_not_recorded", "text", late.text);
    }
    for (size_t i = 0; i < a->waiter_count; i++) {
        rw_fd_drop(&a->waiters[i].fd);
    }
    stop_workers(a);
    rw_log(RW_LOG_INFO, a->reload ? "taking_settings" : "stopped", NULL, NULL);
    return rc;
}
