#include "common/net/http_share.h"

#include "common/base/file.h"
#include "common/net/http_wire.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

struct http_share {
    char *program;
    pthread_mutex_t lock; /* guards what follows */
    struct http_helper idle;
};

static const struct http_helper none = {.child = {.pid = 0, .pidfd = -1}, .socket = -1};

RW_RC http_share_open(const char *program, struct http_share **out, struct rw_err *err)
{
    RW_ASSERT(program != NULL);
    struct http_share *s = rw_mem_new(sizeof(*s));
    char *path = rw_str_dup(program);
    if (s == NULL || path == NULL) {
        rw_mem_free(s);
        rw_mem_free(path);
        return rw_fail(err, RW_E_NOMEM, "no memory for an HTTP client");
    }
    s->program = path;
    s->idle = none;
    (void)pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return RW_OK;
}

void http_share_drop(struct http_share **s)
{
    if (*s == NULL) { return; }
    http_share_rest(*s);
    (void)pthread_mutex_destroy(&(*s)->lock);
    rw_mem_free((*s)->program);
    rw_mem_free(*s);
    *s = NULL;
}

/* It keeps nothing that would have to be saved: killed, so that nobody waits for it. */
void http_helper_drop(struct http_helper *h)
{
    rw_fd_drop(&h->socket);
    proc_drop(&h->child);
    *h = none;
}

static struct http_helper exchange_idle(struct http_share *s, struct http_helper put)
{
    (void)pthread_mutex_lock(&s->lock);
    struct http_helper had = s->idle;
    s->idle = put;
    (void)pthread_mutex_unlock(&s->lock);
    return had;
}

void http_share_rest(struct http_share *s)
{
    struct http_helper had = exchange_idle(s, none);
    http_helper_drop(&had);
}

void http_share_give(struct http_share *s, struct http_helper *h)
{
    struct http_helper had = exchange_idle(s, *h);
    *h = none;
    http_helper_drop(&had);
}

static bool lives(const struct http_helper *h)
{
    struct pollfd one = {.fd = h->child.pidfd, .events = POLLIN};
    return h->socket >= 0 && poll(&one, 1, 0) == 0;
}

static RW_RC start(const char *program, struct http_helper *out, struct rw_err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return rw_fail_errno(err, RW_E_PROCESS, errno, "socket pair for '%s'", program);
    }
    RW_AUTO(rw_fd) rw_fd own = pair[0];
    RW_AUTO(rw_fd) rw_fd other = pair[1];
    char name[] = "ringward-http";
    char *const argv[] = {name, NULL};
    const struct proc_fd fds[] = {{other, HTTP_WIRE_FD}};
    /* Its environment is ours: the settings of proxies and of the TLS store are read there. */
    const struct proc_spec spec = {.path = program,
                                   .argv = argv,
                                   .fds = fds,
                                   .fd_count = RW_LEN(fds),
                                   .die_with_parent = true};
    struct http_helper h = none;
    RW_TRY(proc_start(&spec, &h.child, err));
    h.socket = rw_fd_steal(&own);
    *out = h;
    return RW_OK;
}

RW_RC http_share_take(struct http_share *s, struct http_helper *out, struct rw_err *err)
{
    struct http_helper had = exchange_idle(s, none);
    if (lives(&had)) {
        *out = had;
        return RW_OK;
    }
    http_helper_drop(&had);
    return start(s->program, out, err);
}
