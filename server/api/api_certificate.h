/* api_certificate.h: what status, alarms and metrics say of the server's own TLS certificate.
 *
 * memory   plain values; borrows nothing
 * threads  the core thread
 * source   docs/server.md "Certificate"; INV-12: a certificate that was refused, or that ends, is never silent
 */
#ifndef RINGWARD_API_CERTIFICATE_H
#define RINGWARD_API_CERTIFICATE_H

#include "common/base/clock.h"
#include "common/json/json_write.h"

#include <stdbool.h>

struct api_certificate {
    bool tls;            /* whether the server speaks TLS itself; the rest says nothing otherwise */
    struct rw_wall from; /* validity of the certificate in use */
    struct rw_wall until;
    uint64_t loaded;                 /* times that another one was taken into use */
    uint64_t refused;                /* times that one was not */
    char refusal[RW_ERR_TEXT_BYTES]; /* why what lies in the files is not in use; "": it is */
};

/* Writes the member "certificate" into an open object; nothing without TLS. */
void api_certificate_write(const struct api_certificate *c, struct json_writer *w);
/* Appends alarms as strings to an open array. */
void api_certificate_write_alarms(const struct api_certificate *c, struct rw_wall now,
                                  struct json_writer *w);
/* Appends Prometheus samples; none without TLS. Fails as rw_buf_appendf. */
RW_RC api_certificate_metrics(const struct api_certificate *c, struct rw_wall now,
                              struct rw_buf *into, struct rw_err *err);

#endif
