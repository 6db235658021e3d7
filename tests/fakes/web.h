/* web.h: a small web server in a thread of the test: each request is answered by a function of the test.
 *
 * What the function touches needs no lock where the test's own thread is inside the client's call meanwhile; a client
 * with a thread of its own (webhook_test) needs atomics there.
 *
 * memory   owns its records until web_stop
 * threads  one thread per server, one connection at a time; what was counted may be looked at from any thread
 */
#ifndef RINGWARD_WEB_H
#define RINGWARD_WEB_H

#include "common/base/buf.h"

enum { WEB_PATH_BYTES = 320, WEB_HEAD_BYTES = 4096, WEB_SEEN_MAX = 256 };

struct web_request {
    char method[8];
    char path[WEB_PATH_BYTES];
    char head[WEB_HEAD_BYTES]; /* all header lines */
    struct rw_buf body;
};

struct web_answer {
    int status;
    struct rw_span body;
    const char *headers; /* whole lines, each with \r\n; NULL: none */
    size_t cut;          /* the connection ends after so many bytes of the body; 0: whole */
};

typedef void (*web_handler)(void *ctx, const struct web_request *r, struct web_answer *out);

struct web;

struct web *web_start(web_handler handler, void *ctx);
void web_stop(struct web **w);
const char *web_url(const struct web *w); /* "http://127.0.0.1:PORT" */
size_t web_count(const struct web *w);    /* requests so far */
const struct web_request *web_seen(const struct web *w, size_t index);
/* How many of the requests from `first` on have this path. */
size_t web_count_of(const struct web *w, size_t first, const char *path);

#endif
