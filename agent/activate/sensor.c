#include "agent/activate/sensor.h"

#include "common/base/file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { DRAIN_MESSAGES_MAX = 256 };

static RW_RC split_command(struct sensor *s, const char *command, struct rw_err *err)
{
    size_t n = 0;
    char *rest = NULL;
    s->command = rw_str_dup(command);
    if (s->command == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the sensor command"); }
    for (char *word = strtok_r(s->command, " \t", &rest); word != NULL;
         word = strtok_r(NULL, " \t", &rest)) {
        if (n == SENSOR_ARGS_MAX) {
            return rw_fail(err, RW_E_CONFIG, "sensor_command has more than %d words",
                           SENSOR_ARGS_MAX);
        }
        s->argv[n++] = word;
    }
    if (n == 0 || strchr(s->argv[0], '/') == NULL) {
        return rw_fail(err, RW_E_CONFIG, "sensor_command must begin with a path");
    }
    return RW_OK;
}

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

RW_RC sensor_open(struct sensor *s, const struct sensor_options *options, struct rw_err *err)
{
    *s = (struct sensor){
        .socket = -1, .proc = {.pid = 0, .pidfd = -1}, .detect = detect_make(&options->detect)};
    struct rw_rc rc = split_command(s, options->command, err);
    if (rw_is_ok(rc)) { rc = fill_environment(s, options, err); }
    if (rw_is_ok(rc)) { rc = bind_socket(s, options->state_path, err); }
    if (!rw_is_ok(rc)) { sensor_drop(s); }
    return rc;
}

void sensor_drop(struct sensor *s)
{
    if (s->command == NULL) { return; }
    proc_drop(&s->proc);
    rw_fd_drop(&s->socket);
    rw_cstr_drop(&s->command);
    for (size_t i = 0; i < RW_LEN(s->env); i++) {
        rw_cstr_drop(&s->env[i]);
    }
}

/* A queue full of the last words of the process before would swallow the proof of the new one. */
static void discard_waiting(const struct sensor *s)
{
    char byte;
    for (int i = 0; i < DRAIN_MESSAGES_MAX; i++) {
        if (recv(s->socket, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN) { return; }
    }
}

/* What was said from here on is of another load. */
static void begin_load(struct sensor *s)
{
    s->load_error = false;
    s->selftest_failed = false;
    s->tested_before = s->tested;
    s->tested = false;
    s->mute_told = false;
}

RW_RC sensor_start(struct sensor *s, struct rw_mono now, struct rw_err *err)
{
    RW_ASSERT(s->proc.pid == 0);
    discard_waiting(s);
    const struct proc_spec spec = {
        .path = s->argv[0], .argv = s->argv, .envp = s->envp, .die_with_parent = true};
    s->generation = 0;
    s->asked = 0;
    s->loaded_count = 0;
    s->too_many = false;
    begin_load(s);
    detect_restart(&s->detect);
    s->started = now;
    s->last_seen = now;
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
    if (s->proc.pid <= 0) { return; }
    proc_signal(&s->proc, SIGTERM);
    wait_for_exit(s, grace_ms);
    sensor_kill(s);
}

void sensor_kill(struct sensor *s)
{
    if (s->proc.pid <= 0) { return; }
    proc_signal(&s->proc, SIGKILL);
    wait_for_exit(s, -1);
}

bool sensor_reap(struct sensor *s)
{
    if (s->proc.pid <= 0) { return false; }
    wait_for_exit(s, 0);
    return s->proc.pid == 0;
}

/* A repeated message says nothing new; a different one for the same family is kept beside the first, so that a
 * sensor that contradicts itself proves nothing. */
static void take_loaded(struct sensor *s, const struct sensor_message *m)
{
    struct sensor_loaded l = {.release = m->release};
    if (m->generation < s->generation) { return; } /* of an earlier load */
    if (m->generation > s->generation) {
        s->generation = m->generation;
        s->loaded_count = 0;
        s->too_many = false;
    }
    (void)snprintf(l.family, sizeof(l.family), "%s", m->family);
    rw_copy(l.sha256, sizeof(l.sha256), m->sha256, sizeof(m->sha256));
    for (size_t i = 0; i < s->loaded_count; i++) {
        const struct sensor_loaded *had = &s->loaded[i];
        if (strcmp(had->family, l.family) == 0 && had->release == l.release &&
            memcmp(had->sha256, l.sha256, sizeof(l.sha256)) == 0) {
            return;
        }
    }
    if (s->loaded_count == MANIFEST_FAMILIES_MAX) {
        s->too_many = true;
        return;
    }
    s->loaded[s->loaded_count++] = l;
}

/* Foreign text goes into files and beacons of ours: printable ASCII only, so that any cut stays valid. */
static void take_detail(struct sensor *s, const char *text)
{
    size_t n = 0;
    for (; text[n] != '\0' && n + 1 < sizeof(s->detail); n++) {
        s->detail[n] = (char)(text[n] >= ' ' && text[n] <= '~' ? text[n] : '?');
    }
    s->detail[n] = '\0';
}

/* A sensor that does not say which load it counts for means the one in force. */
static void take_stats(struct sensor *s, const struct sensor_message *m)
{
    struct sensor_message stats = *m;
    if (stats.generation == 0) { stats.generation = s->generation; }
    if (stats.generation > 0 && stats.generation <= s->generation) {
        detect_take(&s->detect, &stats);
    }
}

static void take_message(struct sensor *s, const struct sensor_message *m)
{
    switch (m->type) {
    case SENSOR_LOADED:
        take_loaded(s, m);
        break;
    case SENSOR_STATS:
        take_stats(s, m);
        break;
    case SENSOR_SELFTEST:
        s->selftest_failed = !m->ok;
        s->tested = true;
        break;
    case SENSOR_ERROR:
        s->load_error = true;
        take_detail(s, m->detail);
        break;
    case SENSOR_ALIVE:
        break;
    }
}

static pid_t sender_of(struct msghdr *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS &&
            c->cmsg_len == CMSG_LEN(sizeof(struct ucred))) {
            struct ucred who;
            rw_copy(&who, sizeof(who), CMSG_DATA(c), sizeof(who));
            return who.pid;
        }
    }
    return 0;
}

/* False when nothing waits. Messages that do not count are counted as foreign. */
static bool receive_one(struct sensor *s, struct rw_mono now)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))]; /* no room for descriptors on purpose */
    } control;
    uint8_t text[SENSOR_MESSAGE_BYTES_MAX + 1];
    struct iovec part = {.iov_base = text, .iov_len = sizeof(text)};
    struct msghdr h = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};
    struct sensor_message m;
    struct rw_err unused;
    ssize_t n = recvmsg(s->socket, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) { return errno != EAGAIN; } /* a full queue left full would swallow the proof */
    struct rw_span line = rw_span_of(text, (size_t)n);
    if (line.n > 0 && line.p[line.n - 1] == '\n') { line.n--; }
    if (s->proc.pid <= 0 || sender_of(&h) != s->proc.pid || line.n > SENSOR_MESSAGE_BYTES_MAX ||
        !rw_is_ok(sensor_read(line, &m, &unused))) {
        s->foreign++;
        return true;
    }
    s->last_seen = now;
    take_message(s, &m);
    return true;
}

void sensor_drain(struct sensor *s, struct rw_mono now)
{
    for (int i = 0; i < DRAIN_MESSAGES_MAX && receive_one(s, now); i++) {}
}

void sensor_reload(struct sensor *s, struct rw_mono now)
{
    sensor_drain(s, now);
    s->asked = s->generation;
    begin_load(s);
    proc_signal(&s->proc, SIGHUP);
}

enum sensor_proof sensor_proves(const struct sensor *s, const struct manifest *m)
{
    size_t matched = 0;
    if (s->generation <= s->asked || s->loaded_count == 0) { return SENSOR_NOT_YET; }
    if (s->too_many) { return SENSOR_OTHER; }
    if (m->count == 0) {
        return s->loaded_count == 1 && s->loaded[0].release == 0 ? SENSOR_PROVEN : SENSOR_OTHER;
    }
    for (size_t i = 0; i < s->loaded_count; i++) {
        const struct sensor_loaded *l = &s->loaded[i];
        const struct manifest_entry *e = manifest_find(m, l->family);
        if (e == NULL || l->release != e->release ||
            memcmp(l->sha256, e->sha256, DIGEST_BYTES) != 0) {
            return SENSOR_OTHER;
        }
    }
    for (size_t i = 0; i < m->count; i++) {
        for (size_t k = 0; k < s->loaded_count; k++) {
            if (strcmp(m->content[i].family, s->loaded[k].family) == 0) {
                matched++;
                break;
            }
        }
    }
    return matched == m->count ? SENSOR_PROVEN : SENSOR_NOT_YET;
}
