/* http_cert.h: how long the certificate is valid that a server really shows, as clients of it meet it.
 *
 * memory   borrows its arguments
 * threads  no shared state
 * source   libcurl's CURLINFO_CERTINFO
 */
#ifndef RINGWARD_HTTP_CERT_H
#define RINGWARD_HTTP_CERT_H

#include "common/base/clock.h"

struct http_cert {
    struct rw_wall not_before;
    struct rw_wall not_after;
};

/* One verified connection to `base_url` ("https://host:port"). `ca_file` NULL: the system's store.
 * Fails with RW_E_NOT_FOUND (no TLS there), RW_E_NET (unreachable, or the certificate is not accepted),
 * RW_E_PROTOCOL (no dates in it). */
RW_RC http_cert_read(const char *base_url, const char *ca_file, struct http_cert *out,
                     struct rw_err *err);

#endif
