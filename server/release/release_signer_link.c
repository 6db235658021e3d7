#include "server/release/release_signer_link.h"

#include "common/base/file.h"
#include "common/base/log.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { SIGNER_FD = 3 };

struct release_signer_link release_signer_link_make(void)
{
    return (struct release_signer_link){.socket = -1, .child = {.pidfd = -1}};
}

void release_signer_link_drop(struct release_signer_link *l)
{
    rw_fd_drop(&l->socket);
    proc_drop(&l->child);
}

bool release_signer_link_lost(const struct release_signer_link *l)
{
    struct pollfd p = {.fd = l->socket, .events = POLLRDHUP};
    /* Nothing is under way between requests: bytes nobody asked for are left to the next exchange. */
    return l->socket < 0 || (poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)));
}

const char *release_signer_link_hint(const struct release_signer_link *l)
{
    return l->path[0] == '\0'
               ? "the signer is started again with the next request; see the server's log"
               : "see the signer's log; it must be started with --peer-user of the server's user";
}

/* --- a child --- */
static RW_RC start(struct release_signer_link *l, struct rw_err *err)
{
    char keys_option[] = "--keys";
    char repo_option[] = "--repo";
    char *const argv[] = {l->program, keys_option, l->key_dir, repo_option, l->repo_dir, NULL};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return rw_fail_errno(err, RW_E_PROCESS, errno, "socket for the signer");
    }
    RW_AUTO(rw_fd) rw_fd theirs = pair[1];
    l->socket = pair[0];
    const struct proc_fd fds[] = {{theirs, SIGNER_FD}};
    const struct proc_spec spec = {
        .path = l->program, .argv = argv, .fds = fds, .fd_count = 1, .die_with_parent = true};
    struct rw_rc rc = proc_start(&spec, &l->child, err);
    if (!rw_is_ok(rc)) { release_signer_link_drop(l); }
    return rc;
}

static RW_RC ensure_child(struct release_signer_link *l, struct rw_err *err)
{
    struct proc_exit gone;
    struct rw_err unused;
    if (l->child.pid > 0 && !rw_is_ok(proc_wait(&l->child, 0, &gone, &unused))) { return RW_OK; }
    if (l->socket >= 0) { rw_log(RW_LOG_WARN, "signer_restart", NULL, NULL); }
    release_signer_link_drop(l);
    return start(l, err);
}

/* --- a signer that listens --- */
static RW_RC not_there(const struct release_signer_link *l, int why, struct rw_err *err)
{
    RW_IGNORE(
        rw_fail_errno(err, RW_E_PROCESS, why, "ringward-signer cannot be reached on %s", l->path),
        "the hint follows");
    if (why == EACCES || why == EPERM) {
        return rw_hint(err, "the server's user must be in the group of that socket");
    }
    return rw_hint(err, "start it: systemctl start ringward-signer, or ringward-signer --keys "
                        "DIR/signer --repo DIR/repo --listen PATH --peer-user USER");
}

static RW_RC ensure_session(struct release_signer_link *l, struct rw_err *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (!release_signer_link_lost(l)) { return RW_OK; }
    release_signer_link_drop(l);
    RW_TRY(rw_span_to_str(un.sun_path, sizeof(un.sun_path), rw_span_str(l->path), "signer_socket",
                          err));
    /* Without blocking: a full queue there must not hold up the core thread. */
    RW_AUTO(rw_fd) rw_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) { return rw_fail_errno(err, RW_E_PROCESS, errno, "socket for the signer"); }
    if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) != 0) {
        return not_there(l, errno, err);
    }
    l->socket = rw_fd_steal(&fd);
    rw_log(RW_LOG_INFO, "signer_connected", "path", l->path);
    return RW_OK;
}

RW_RC release_signer_link_ensure(struct release_signer_link *l, struct rw_err *err)
{
    return l->path[0] == '\0' ? ensure_child(l, err) : ensure_session(l, err);
}
