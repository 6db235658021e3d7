/* server_certificate.h: the TLS certificate of a running server: it is watched and replaced.
 *
 * memory   owns its own state until server_certificate_drop; borrows `dir` and the HTTP server
 * threads  everything from the main thread, but server_certificate_state, which any thread may call
 * source   docs/server.md "Certificate"
 */
#ifndef RINGWARD_SERVER_CERTIFICATE_H
#define RINGWARD_SERVER_CERTIFICATE_H

#include "server/api/api_certificate.h"
#include "server/api/http_server.h"

enum {
    SERVER_CERTIFICATE_LOOK_MS = 1000
}; /* how often the files are looked at: two calls of stat */

struct server_certificate;

/* Notes DIR/tls/cert.pem and DIR/tls/key.pem as they are, before the HTTP server reads them; gives.
 * Fails with RW_E_NOMEM, and when the paths are too long. */
RW_RC server_certificate_new(const char *dir, struct server_certificate **out, struct rw_err *err);
void server_certificate_drop(struct server_certificate **c); /* accepts NULL inside */
/* The server that shows it runs from now on, until the drop. */
void server_certificate_serve(struct server_certificate *c, struct http_server *http);

/* Takes what lies in the files into use for new connections, or logs why not and keeps what is in use. */
void server_certificate_reload(struct server_certificate *c);
/* The same, when the files changed since they were tried last and lie still since the look before. */
void server_certificate_look(struct server_certificate *c);

void server_certificate_state(struct server_certificate *c, struct api_certificate *out);

#endif
