/* What the sensor says, and what that proves (sensor.h). */
#include "agent/activate/sensor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { DRAIN_MESSAGES_MAX = 256 };

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

static struct ucred sender_of(struct msghdr *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS &&
            c->cmsg_len == CMSG_LEN(sizeof(struct ucred))) {
            struct ucred who;
            rw_copy(&who, sizeof(who), CMSG_DATA(c), sizeof(who));
            return who;
        }
    }
    return (struct ucred){.pid = 0, .uid = (uid_t)-1};
}

/* The number alone may be that of a later process once an observed one is gone. */
static bool is_observed(struct sensor *s, const struct ucred *who)
{
    if (who->pid != s->proc.pid) { return false; }
    if (observe_ended(s->proc.pidfd) && !observe_is_same(s->proc.pid, s->start_ticks)) {
        return false;
    }
    if (who->uid != s->uid) { s->uid = observe_uid(s->proc.pid); } /* it gave up rights since */
    return who->uid == s->uid;
}

/* The sensor, or the command that loads in its place. */
static bool counts(struct sensor *s, const struct ucred *who)
{
    if (who->pid <= 0) { return false; }
    if (sensor_child_running(&s->reload) && who->pid == s->reload.proc.pid) { return true; }
    if (s->proc.pid <= 0) { return false; }
    return s->observed ? is_observed(s, who) : who->pid == s->proc.pid;
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
    struct sockaddr_un from;
    struct msghdr h = {.msg_name = &from,
                       .msg_namelen = sizeof(from),
                       .msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};
    struct sensor_message m;
    struct rw_err unused;
    ssize_t n = recvmsg(s->socket, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) { return errno != EAGAIN; } /* a full queue left full would swallow the proof */
    struct rw_span line = rw_span_of(text, (size_t)n);
    if (line.n > 0 && line.p[line.n - 1] == '\n') { line.n--; }
    const struct ucred who = sender_of(&h);
    if (!counts(s, &who) || line.n > SENSOR_MESSAGE_BYTES_MAX ||
        !rw_is_ok(sensor_read(line, &m, &unused))) {
        s->foreign++;
        return true;
    }
    if (who.pid == s->proc.pid) {
        s->last_seen = now;
        s->from = from;
        s->from_bytes = h.msg_namelen > sizeof(sa_family_t) ? h.msg_namelen : 0;
    }
    take_message(s, &m);
    return true;
}

bool sensor_listens(const struct sensor *s)
{
    return !s->observed || s->proc.pid > 0 || sensor_child_running(&s->reload);
}

void sensor_drain(struct sensor *s, struct rw_mono now)
{
    for (int i = 0; i < DRAIN_MESSAGES_MAX && sensor_listens(s) && receive_one(s, now); i++) {}
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
