/* http_listen.h: the address to listen on, and listening sockets for it.
 *
 * memory   struct http_listen is a plain value; sockets are given
 * threads  one thread
 * source   socket(7), tcp(7), unix(7)
 */
#ifndef RINGWARD_HTTP_LISTEN_H
#define RINGWARD_HTTP_LISTEN_H

#include "common/base/buf.h"

#include <sys/socket.h>

enum { HTTP_PEER_BYTES = 46, HTTP_LISTEN_PATH_BYTES = 108 };

struct http_listen {
    struct sockaddr_storage addr;
    socklen_t addr_bytes;
    bool local;                        /* a socket file */
    bool inherited;                    /* the socket is another's, who keeps it when we end */
    char path[HTTP_LISTEN_PATH_BYTES]; /* of the socket file; else "" */
};

/* "127.0.0.1:8443", "[::1]:0" or "unix:/path". Names are not looked up. Fails with RW_E_CONFIG. */
RW_RC http_listen_parse(const char *text, struct http_listen *out, struct rw_err *err);

/* Gives a listening, non-blocking socket. TCP: may be called again for the same address (one socket per
 * worker); port 0 becomes the kernel's choice with the first call. Local: removes a left-over file that
 * nobody listens on. Fails with RW_E_IO. */
RW_RC http_listen_bind(struct http_listen *l, int *fd_out, struct rw_err *err);

/* The same of a listening socket that was handed over (borrowed; made non-blocking). Fails with RW_E_CONFIG when it is
 * none, or neither TCP nor local. */
RW_RC http_listen_adopt(int fd, struct http_listen *out, struct rw_err *err);
/* A further descriptor of the same socket, for one more worker; gives. Fails with RW_E_IO. */
RW_RC http_listen_share(int fd, int *fd_out, struct rw_err *err);

/* Refuses an address that somebody else listens on: the sockets of http_listen_bind share their port, and
 * would share it with a stranger of the same user without a word. To be called before the first of them.
 * Fails with RW_E_IO. */
RW_RC http_listen_claim(const struct http_listen *l, struct rw_err *err);

unsigned http_listen_port(const struct http_listen *l); /* 0 for a local socket */
void http_listen_remove(const struct http_listen *l);   /* the socket file, if we made one */

/* The client's address as text ("unix" for a local socket) and as a number that is equal for clients that
 * share a cap: an IPv4 address, or the upper half of an IPv6 one. False: local, no cap. */
bool http_listen_peer(const struct sockaddr *addr, char dst[static HTTP_PEER_BYTES],
                      uint64_t *key_out);

#endif
