#include "server/api/http_listen.h"

#include "common/base/file.h"
#include "common/base/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096, SENT_UNSEEN_MS = 30000 };

static RW_RC bad_address(const char *text, struct rw_err *err)
{
    RW_IGNORE(rw_fail(err, RW_E_CONFIG, "'%s' is not an address to listen on", text), "hint next");
    return rw_hint(err, "write 127.0.0.1:8443, [::1]:8443, 0.0.0.0:443 or unix:/path");
}

static RW_RC parse_local(const char *text, struct http_listen *l, struct rw_err *err)
{
    const char *path = text + strlen("unix:");
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (path[0] != '/') { return bad_address(text, err); }
    RW_TRY(rw_span_to_str(l->path, sizeof(l->path), rw_span_str(path), "socket path", err));
    _Static_assert(sizeof(un.sun_path) == HTTP_LISTEN_PATH_BYTES, "one limit for both");
    rw_copy(un.sun_path, sizeof(un.sun_path), l->path, sizeof(l->path));
    rw_copy(&l->addr, sizeof(l->addr), &un, sizeof(un));
    l->addr_bytes = sizeof(un);
    l->local = true;
    return RW_OK;
}

static RW_RC parse_tcp(const char *text, struct http_listen *l, struct rw_err *err)
{
    char host[INET6_ADDRSTRLEN + 2];
    int64_t port = 0;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || (size_t)(colon - text) >= sizeof(host)) {
        return bad_address(text, err);
    }
    RW_TRY(rw_parse_i64(rw_span_str(colon + 1), 0, 65535, "port", &port, err));
    struct rw_span h = rw_span_of(text, (size_t)(colon - text));
    bool is_v6 = h.n > 2 && h.p[0] == '[' && h.p[h.n - 1] == ']';
    if (is_v6) { h = rw_span_of(h.p + 1, h.n - 2); }
    RW_TRY(rw_span_to_str(host, sizeof(host), h, "address", err));
    if (is_v6 && inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        v6.sin6_port = htons((uint16_t)port);
        rw_copy(&l->addr, sizeof(l->addr), &v6, sizeof(v6));
        l->addr_bytes = sizeof(v6);
        return RW_OK;
    }
    if (!is_v6 && inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        v4.sin_port = htons((uint16_t)port);
        rw_copy(&l->addr, sizeof(l->addr), &v4, sizeof(v4));
        l->addr_bytes = sizeof(v4);
        return RW_OK;
    }
    return bad_address(text, err);
}

RW_RC http_listen_parse(const char *text, struct http_listen *out, struct rw_err *err)
{
    struct http_listen l = {.local = false};
    bool local = rw_span_starts(rw_span_str(text), "unix:");
    struct rw_rc rc = local ? parse_local(text, &l, err) : parse_tcp(text, &l, err);
    if (!rw_is_ok(rc)) {
        if (rc.code == RW_E_CONFIG) { return rc; }
        return rw_fail(err, RW_E_CONFIG, "'%s' is not an address to listen on", text);
    }
    *out = l;
    return RW_OK;
}

static bool set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* Accepted sockets inherit all of these. TCP_NODELAY: without it a reply in two writes waits 40 ms for the
 * client's delayed acknowledgement. */
static bool set_tcp_options(int fd)
{
    return set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
           set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
           set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, SENT_UNSEEN_MS);
}

static const struct sockaddr *address(const struct http_listen *l)
{
    return (const struct sockaddr *)&l->addr;
}

/* A socket file of a server that was killed stays behind; one that is answered belongs to somebody. */
static RW_RC clear_path(const struct http_listen *l, struct rw_err *err)
{
    struct stat st;
    if (lstat(l->path, &st) != 0) { return RW_OK; }
    if (!S_ISSOCK(st.st_mode)) {
        return rw_fail(err, RW_E_IO, "'%s' exists and is not a socket", l->path);
    }
    RW_AUTO(rw_fd) int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) { return rw_fail_errno(err, RW_E_IO, errno, "socket"); }
    if (connect(probe, address(l), l->addr_bytes) == 0 || errno != ECONNREFUSED) {
        return rw_fail(err, RW_E_IO, "another process listens on '%s'", l->path);
    }
    if (unlink(l->path) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "'%s'", l->path); }
    return RW_OK;
}

RW_RC http_listen_claim(const struct http_listen *l, struct rw_err *err)
{
    char name[HTTP_PEER_BYTES];
    uint64_t key = 0;
    int on = 1;
    if (l->local || http_listen_port(l) == 0) { return RW_OK; }
    (void)http_listen_peer(address(l), name, &key);
    /* Without SO_REUSEPORT on this side the kernel refuses a port that has a listener; closed connections of a
     * former run do not count. */
    RW_AUTO(rw_fd) int probe = socket(l->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0 || setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "socket");
    }
    if (bind(probe, address(l), l->addr_bytes) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "%s port %u", name, http_listen_port(l));
    }
    return RW_OK;
}

RW_RC http_listen_bind(struct http_listen *l, int *fd_out, struct rw_err *err)
{
    char name[HTTP_PEER_BYTES + HTTP_LISTEN_PATH_BYTES];
    uint64_t key = 0;
    (void)http_listen_peer(address(l), name, &key);
    if (l->local) { RW_TRY(clear_path(l, err)); }
    RW_AUTO(rw_fd)
    int fd = socket(l->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "socket"); }
    if (!l->local && !(set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
                       set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) && set_tcp_options(fd))) {
        return rw_fail_errno(err, RW_E_IO, errno, "options of the listening socket");
    }
    if (bind(fd, address(l), l->addr_bytes) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "bind to %s port %u", l->local ? l->path : name,
                             http_listen_port(l));
    }
    /* A proxy of the same group may connect, nobody else. */
    if (l->local && chmod(l->path, 0660) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "mode of '%s'", l->path);
    }
    if (listen(fd, BACKLOG) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "listen"); }
    if (!l->local) {
        socklen_t n = sizeof(l->addr);
        if (getsockname(fd, (struct sockaddr *)&l->addr, &n) != 0) {
            return rw_fail_errno(err, RW_E_IO, errno, "name of the listening socket");
        }
    }
    *fd_out = rw_fd_steal(&fd);
    return RW_OK;
}

RW_RC http_listen_adopt(int fd, struct http_listen *out, struct rw_err *err)
{
    struct http_listen l = {.addr_bytes = sizeof(l.addr), .inherited = true};
    int listening = 0;
    socklen_t n = sizeof(listening);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) != 0 || listening != 1 ||
        getsockname(fd, (struct sockaddr *)&l.addr, &l.addr_bytes) != 0) {
        return rw_fail(err, RW_E_CONFIG, "what was handed over is not a listening socket");
    }
    l.local = l.addr.ss_family == AF_UNIX;
    if (!l.local && l.addr.ss_family != AF_INET && l.addr.ss_family != AF_INET6) {
        return rw_fail(err, RW_E_CONFIG,
                       "the socket that was handed over is neither TCP nor local");
    }
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        (!l.local && !set_tcp_options(fd))) {
        return rw_fail_errno(err, RW_E_CONFIG, errno, "options of the socket that was handed over");
    }
    *out = l;
    return RW_OK;
}

RW_RC http_listen_share(int fd, int *fd_out, struct rw_err *err)
{
    int more = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (more < 0) { return rw_fail_errno(err, RW_E_IO, errno, "listening socket"); }
    *fd_out = more;
    return RW_OK;
}

static struct sockaddr_in as_v4(const struct sockaddr *addr)
{
    struct sockaddr_in v4;
    rw_copy(&v4, sizeof(v4), addr, sizeof(v4));
    return v4;
}

static struct sockaddr_in6 as_v6(const struct sockaddr *addr)
{
    struct sockaddr_in6 v6;
    rw_copy(&v6, sizeof(v6), addr, sizeof(v6));
    return v6;
}

unsigned http_listen_port(const struct http_listen *l)
{
    if (l->local) { return 0; }
    return ntohs(l->addr.ss_family == AF_INET ? as_v4(address(l)).sin_port
                                              : as_v6(address(l)).sin6_port);
}

void http_listen_remove(const struct http_listen *l)
{
    if (l->local && !l->inherited) { (void)unlink(l->path); }
}

bool http_listen_peer(const struct sockaddr *addr, char dst[static HTTP_PEER_BYTES],
                      uint64_t *key_out)
{
    /* IPv4 keys lie in ::/32, which no IPv6 client has. */
    const uint64_t v4_mark = UINT64_C(1) << 32;
    *key_out = 0;
    (void)snprintf(dst, HTTP_PEER_BYTES, "unix");
    if (addr->sa_family == AF_INET) {
        struct sockaddr_in v4 = as_v4(addr);
        (void)inet_ntop(AF_INET, &v4.sin_addr, dst, HTTP_PEER_BYTES);
        *key_out = v4_mark | ntohl(v4.sin_addr.s_addr);
        return true;
    }
    if (addr->sa_family != AF_INET6) { return false; }
    struct sockaddr_in6 v6 = as_v6(addr);
    const uint8_t *b = v6.sin6_addr.s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
        (void)inet_ntop(AF_INET, b + 12, dst, HTTP_PEER_BYTES);
        *key_out =
            v4_mark | (uint64_t)b[12] << 24 | (uint64_t)b[13] << 16 | (uint64_t)b[14] << 8 | b[15];
        return true;
    }
    (void)inet_ntop(AF_INET6, b, dst, HTTP_PEER_BYTES);
    for (size_t i = 0; i < 8; i++) {
        *key_out = *key_out << 8 | b[i];
    }
    return true;
}
