/* loopback.h: an HTTP server that says exactly the bytes of a test, once per connection, and keeps the request.
 *
 * memory   one server at a time; the request text is kept until the next exchange
 * threads  the server is a child process; the test's own thread waits for it
 */
#ifndef RINGWARD_LOOPBACK_H
#define RINGWARD_LOOPBACK_H

#include "common/base/buf.h"

/* What the server does with one connection. */
struct loopback_script {
    const char *answer; /* bytes */
    size_t answer_bytes;
    int repeat; /* the answer's last `repeat_bytes` again and again, so many times; 0: not */
    size_t repeat_bytes;
    bool stay; /* keeps the connection open and silent afterwards, until the client leaves */
};

struct loopback {
    char url[64]; /* "http://127.0.0.1:PORT" */
    int request;  /* read end: the request's bytes */
    int pid;
};

/* Serves `count` connections, one after the other, each by its script. */
struct loopback loopback_start(const struct loopback_script *scripts, size_t count);
/* Ends the server; gives all requests it saw, one behind the other. */
const char *loopback_end(struct loopback *l);

#endif
