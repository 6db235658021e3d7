/* http_serve.h: what a request asks for, and whether it may: route, token, size, repository, handler.
 * No socket is touched here.
 *
 * memory   gives replies and jobs
 * threads  the worker's; settings are read only
 * source   docs/protocol.md 6 to 8
 */
#ifndef RINGWARD_HTTP_SERVE_H
#define RINGWARD_HTTP_SERVE_H

#include "server/api/http_files.h"
#include "server/api/http_inbox.h"
#include "server/api/http_parse.h"
#include "server/api/http_reply.h"
#include "server/api/http_server.h"

struct http_ask {
    struct rw_span bytes; /* the head as it stands in the input */
    const struct http_head *head;
    struct http_limit_peer peer;
    struct http_limit *limit; /* of the server */
    struct http_inbox *inbox; /* of the worker */
    struct http_files *files; /* of the worker; NULL: no repository is served */
};

/* The answer to a head that the parser refused. */
struct http_reply http_serve_refusal(const struct http_head *head);

/* Looks at a good head, before a byte of its body is read. Either *reply_out is the answer and NULL is
 * returned, or a job is given, whose body (content_length bytes, maybe 0) is to be read. A job may be answered already
 * (429): its body is read nevertheless when it is small, since a kept connection costs less than the next handshake. */
struct api_job *http_serve_head(const struct http_settings *set, const struct http_ask *ask,
                                struct http_reply *reply_out);

/* Runs a job whose body is complete. True: *reply_out is the answer and the job was freed (takes). False:
 * it went to the core and comes back through the inbox. */
bool http_serve_job(const struct http_settings *set, struct http_limit *limit, struct api_job *job,
                    struct http_reply *reply_out);

#endif
