/* http_networks.h: a short list of addresses and networks, as people write them: "127.0.0.0/8 ::1 192.0.2.7".
 *
 * memory   a plain value
 * threads  no shared state
 * source   RFC 4632 (prefixes); RFC 4291 2.5.5.2 (IPv4 in IPv6 form)
 */
#ifndef RINGWARD_HTTP_NETWORKS_H
#define RINGWARD_HTTP_NETWORKS_H

#include "common/base/err.h"

struct sockaddr;

enum { HTTP_NETWORKS_MAX = 32, HTTP_NETWORKS_TEXT_BYTES = 1024 };

#define HTTP_NETWORKS_LOOPBACK "127.0.0.0/8 ::1"

struct http_network {
    uint8_t address[16]; /* IPv4 in IPv6 form; behind `bits` all zero */
    unsigned bits;       /* 0..128 */
};

struct http_networks {
    struct http_network at[HTTP_NETWORKS_MAX];
    size_t count;
};

/* Separated by blanks; "" is none. A network whose address has bits behind its prefix is refused: it would not be what
 * was meant. Fails with RW_E_CONFIG. */
RW_RC http_networks_parse(const char *text, struct http_networks *out, struct rw_err *err);
/* Whether the address is in one of them; a local socket is in none. */
bool http_networks_have(const struct http_networks *n, const struct sockaddr *addr);

#endif
