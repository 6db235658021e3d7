/* ringward-http: makes HTTP requests for the process that started it, over the socket on descriptor 3.
 *
 * It ends when that process closes its end, ends, or has enough of an answer.
 */
#include "common/base/opt.h"
#include "common/base/version.h"
#include "common/net/http_wire.h"

#include <stdio.h>
#include <string.h>

/* A starter that does nothing for so long has forgotten us; one that is busy with what it got is waited for. */
enum { IDLE_MS = 24 * 3600 * 1000 };

struct answering {
    bool failed; /* nobody reads any more */
};

static void say(struct answering *s, const struct http_wire_answer *a)
{
    struct rw_err unused;
    struct frame_writer w = frame_begin((uint16_t)a->type);
    s->failed = s->failed || !rw_is_ok(http_wire_put_answer(&w, a, &unused)) ||
                !rw_is_ok(frame_send(HTTP_WIRE_FD, &w, IDLE_MS, &unused));
    frame_writer_drop(&w);
}

static void on_header(void *ctx, struct rw_span line)
{
    say(ctx, &(struct http_wire_answer){.type = HTTP_WIRE_HEADER, .bytes = line});
}

static bool on_body(void *ctx, int status, struct rw_span bytes)
{
    struct answering *s = ctx;
    say(s, &(struct http_wire_answer){.type = HTTP_WIRE_BODY, .status = status, .bytes = bytes});
    return !s->failed;
}

static void on_sent(void *ctx, int64_t sent_bytes, int64_t total_bytes)
{
    say(ctx, &(struct http_wire_answer){
                 .type = HTTP_WIRE_SENT, .sent_bytes = sent_bytes, .total_bytes = total_bytes});
}

static RW_RC serve(struct http_engine *e, struct rw_err *err)
{
    static struct http_wire_request q;
    struct answering s = {.failed = false};
    RW_AUTO(rw_buf) struct rw_buf frame = rw_buf_make(FRAME_BYTES_MAX);
    while (!s.failed) {
        struct frame_reader r;
        struct http_wire_answer end = {.type = HTTP_WIRE_OUTCOME};
        struct rw_rc rc = frame_recv(HTTP_WIRE_FD, &frame, IDLE_MS, &r, err);
        if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
        RW_TRY(rc);
        RW_TRY(http_wire_get_request(&r, &q, err));
        q.x.on_header = on_header;
        q.x.on_body = on_body;
        q.x.ctx = &s;
        q.x.on_sent = q.wants_sent ? on_sent : NULL;
        q.x.on_sent_ctx = &s;
        http_engine_perform(e, &q.x, &end.out);
        rw_wipe(&q, sizeof(q)); /* a token is in it */
        rw_wipe(frame.p, frame.n);
        say(&s, &end);
    }
    return RW_OK;
}

static int answer_option(const char *option, struct rw_err *err)
{
    if (strcmp(option, "--version") == 0) {
        printf("ringward-http %s\n", RW_VERSION);
        return 0;
    }
    if (strcmp(option, "--help") == 0) {
        printf("Usage: ringward-http\n\n"
               "Helper of ringward-agent, which starts it: makes HTTP requests that come on\n"
               "descriptor 3, so that the agent does not carry libcurl while it waits.\n");
        return 0;
    }
    RW_IGNORE(rw_fail(err, RW_E_USAGE, "'%.40s' is not understood", option), "told below");
    RW_IGNORE(rw_hint(err, "try 'ringward-http --help'"), "told below");
    return opt_report("ringward-http", err);
}

int main(int argc, char **argv)
{
    struct rw_err err = {.code = RW_E_NONE};
    struct http_engine *e = NULL;
    if (argc > 1) { return answer_option(argv[1], &err); }
    struct rw_rc rc = http_engine_open(NULL, NULL, &e, &err);
    if (rw_is_ok(rc)) { rc = serve(e, &err); }
    http_engine_drop(&e);
    if (rw_is_ok(rc)) { return 0; }
    RW_IGNORE(rw_hint(&err, "ringward-agent starts this program; see 'ringward-http --help'"),
              "told below");
    return opt_report("ringward-http", &err);
}
