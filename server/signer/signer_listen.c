#include "server/signer/signer_listen.h"

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/num.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 16, UID_MAX_GIVEN = 0x7ffffffe, ACCEPT_PAUSE_MS = 100, PASSWD_BYTES_MAX = 4096 };

struct signer_listen {
    struct signer_peers peers;
    struct sockaddr_un address;
    bool bound;
    rw_fd socket;
    rw_fd stop;    /* readable once SIGTERM or SIGINT came; never read, so it stays so */
    rw_fd session; /* -1: none */
};

/* --- who may --- */
RW_RC signer_listen_peers(const char *name, struct signer_peers *out, struct rw_err *err)
{
    int64_t uid = 0;
    *out = (struct signer_peers){.named = name != NULL, .user = geteuid()};
    if (name == NULL) { return RW_OK; }
    struct passwd entry;
    struct passwd *user = NULL;
    char strings[PASSWD_BYTES_MAX];
    if (getpwnam_r(name, &entry, strings, sizeof(strings), &user) == 0 && user != NULL) {
        out->user = user->pw_uid;
        return RW_OK;
    }
    if (rw_is_ok(rw_parse_i64(rw_span_str(name), 0, UID_MAX_GIVEN, "--peer-user", &uid, err))) {
        out->user = (uid_t)uid;
        return RW_OK;
    }
    return rw_fail(err, RW_E_USAGE, "--peer-user: there is no user '%s'", name);
}

bool signer_listen_allows(const struct signer_peers *peers, uid_t uid)
{
    return uid == peers->user || (!peers->named && uid == 0);
}

/* --- the socket --- */
static const struct sockaddr *address(const struct signer_listen *l)
{
    return (const struct sockaddr *)&l->address;
}

/* A signer that was killed leaves its file behind; one that is answered belongs to somebody. */
static RW_RC clear_path(const struct signer_listen *l, struct rw_err *err)
{
    const char *path = l->address.sun_path;
    struct stat st;
    if (lstat(path, &st) != 0) { return RW_OK; }
    if (!S_ISSOCK(st.st_mode)) {
        return rw_fail(err, RW_E_IO, "'%s' exists and is not a socket", path);
    }
    RW_AUTO(rw_fd) rw_fd probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) { return rw_fail_errno(err, RW_E_IO, errno, "socket"); }
    if (connect(probe, address(l), sizeof(l->address)) == 0 || errno != ECONNREFUSED) {
        return rw_fail(err, RW_E_BUSY, "another process listens on '%s'", path);
    }
    if (unlink(path) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "'%s'", path); }
    return RW_OK;
}

static RW_RC open_socket(struct signer_listen *l, struct rw_err *err)
{
    const char *path = l->address.sun_path;
    RW_TRY(clear_path(l, err));
    l->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->socket < 0) { return rw_fail_errno(err, RW_E_IO, errno, "socket"); }
    if (bind(l->socket, address(l), sizeof(l->address)) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "bind to '%s'", path);
    }
    l->bound = true;
    /* The process's mask made it 0700: nobody could connect before this line. */
    if (chmod(path, 0660) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "mode of '%s'", path); }
    if (listen(l->socket, BACKLOG) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "listen"); }
    return RW_OK;
}

static RW_RC open_stop(struct signer_listen *l, struct rw_err *err)
{
    sigset_t ours;
    (void)sigemptyset(&ours);
    (void)sigaddset(&ours, SIGTERM);
    (void)sigaddset(&ours, SIGINT);
    if (sigprocmask(SIG_BLOCK, &ours, NULL) == 0) {
        l->stop = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
    }
    return l->stop >= 0 ? RW_OK : rw_fail_errno(err, RW_E_IO, errno, "signalfd");
}

RW_RC signer_listen_open(const char *path, const struct signer_peers *peers,
                         struct signer_listen **out, struct rw_err *err)
{
    struct signer_listen *l = rw_mem_new(sizeof(*l));
    if (l == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a listener"); }
    l->peers = *peers;
    l->socket = l->stop = l->session = -1;
    l->address.sun_family = AF_UNIX;
    struct rw_rc rc = rw_span_to_str(l->address.sun_path, sizeof(l->address.sun_path),
                                     rw_span_str(path), "--listen", err);
    if (!rw_is_ok(rc) || path[0] == '\0') {
        rc = rw_fail(err, RW_E_USAGE, "--listen wants a path of 1 to %zu bytes",
                     sizeof(l->address.sun_path) - 1);
    }
    if (rw_is_ok(rc)) { rc = open_stop(l, err); }
    if (rw_is_ok(rc)) { rc = open_socket(l, err); }
    if (!rw_is_ok(rc)) {
        signer_listen_drop(&l);
        return rc;
    }
    *out = l;
    return RW_OK;
}

void signer_listen_drop(struct signer_listen **l)
{
    if (*l == NULL) { return; }
    if ((*l)->bound) { (void)unlink((*l)->address.sun_path); }
    rw_fd_drop(&(*l)->session);
    rw_fd_drop(&(*l)->socket);
    rw_fd_drop(&(*l)->stop);
    rw_mem_free(*l);
    *l = NULL;
}

/* --- sessions --- */
static void log_peer(enum rw_log_level level, const char *event, const struct ucred *who)
{
    struct rw_log_line line;
    rw_log_begin(&line, level, event);
    rw_log_i64(&line, "uid", (int64_t)who->uid);
    rw_log_i64(&line, "pid", who->pid);
    rw_log_end(&line);
}

/* Strangers are turned away also while a session lasts: otherwise they could fill the queue. */
static void take_peer(struct signer_listen *l)
{
    struct ucred who = {.pid = 0};
    socklen_t n = sizeof(who);
    struct sockaddr_un from;
    socklen_t from_bytes = sizeof(from);
    RW_AUTO(rw_fd)
    rw_fd fd =
        accept4(l->socket, (struct sockaddr *)&from, &from_bytes, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) { return; }
        rw_log(RW_LOG_ERROR, "accept_failed", "error", strerror(errno));
        (void)poll(NULL, 0, ACCEPT_PAUSE_MS); /* no descriptors or memory: no busy loop */
        return;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0 || n != sizeof(who)) {
        rw_log(RW_LOG_WARN, "stranger_refused", "reason", "the kernel does not tell who it is");
        return;
    }
    if (!signer_listen_allows(&l->peers, who.uid)) {
        log_peer(RW_LOG_WARN, "stranger_refused", &who);
        return;
    }
    if (l->session >= 0) {
        log_peer(RW_LOG_WARN, "second_session_refused", &who);
        return;
    }
    l->session = rw_fd_steal(&fd);
    log_peer(RW_LOG_INFO, "session_begun", &who);
}

static void serve_request(struct signer_listen *l, struct signer *s, struct signer_answer *answer,
                          struct rw_buf *bytes)
{
    struct rw_err err;
    struct rw_rc rc = signer_serve_one(s, l->session, bytes, answer, &err);
    if (rw_is_ok(rc)) { return; }
    rw_fd_drop(&l->session);
    if (rc.code == RW_E_NOT_FOUND) {
        rw_log(RW_LOG_INFO, "session_ended", "reason", "the peer closed it");
        return;
    }
    struct rw_log_line line;
    rw_log_begin(&line, RW_LOG_WARN, "session_ended");
    rw_log_err(&line, &err);
    rw_log_end(&line);
}

static RW_RC loop(struct signer_listen *l, struct signer *s, struct signer_answer *answer,
                  struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(SIGNER_REQUEST_BYTES_MAX);
    for (;;) {
        struct pollfd p[] = {{.fd = l->stop, .events = POLLIN},
                             {.fd = l->session, .events = POLLIN},
                             {.fd = l->socket, .events = POLLIN}};
        if (poll(p, RW_LEN(p), -1) < 0 && errno != EINTR) {
            return rw_fail_errno(err, RW_E_IO, errno, "poll");
        }
        if (p[0].revents != 0) { return RW_OK; }
        /* First the session: a server that came back finds the place of its old connection free. */
        if (p[1].revents != 0) { serve_request(l, s, answer, &bytes); }
        if (p[2].revents != 0) { take_peer(l); }
    }
}

RW_RC signer_listen_serve(struct signer_listen *l, struct signer *s, struct rw_err *err)
{
    struct signer_answer *answer = rw_mem_new(sizeof(*answer));
    if (answer == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for answers"); }
    rw_log(RW_LOG_INFO, "listening", "path", l->address.sun_path);
    struct rw_rc rc = loop(l, s, answer, err);
    rw_mem_free(answer);
    if (rw_is_ok(rc)) { rw_log(RW_LOG_INFO, "stopped", NULL, NULL); }
    return rc;
}
