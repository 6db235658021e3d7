#include "server/signer/signer_state.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum { FRAME_TIMEOUT_MS = 30000 };

static const char reason_chars[] = "abcdefghijklmnopqrstuvwxyz-";

void signer_refusal(const struct rw_err *err, struct signer_answer *out)
{
    size_t n = strspn(err->text, reason_chars);
    *out = (struct signer_answer){.refused = true, .code = err->code};
    /* Failures that are no refusals (I/O, memory) have no word of their own. */
    if (n > 0 && n < sizeof(out->reason) && err->text[n] == ':') {
        rw_copy(out->reason, sizeof(out->reason) - 1, err->text, n);
    } else {
        rw_copy(out->reason, sizeof(out->reason), "failed", sizeof("failed"));
    }
    rw_copy(out->text, sizeof(out->text), err->text, sizeof(err->text));
    rw_copy(out->hint, sizeof(out->hint), err->hint, sizeof(err->hint));
}

static RW_RC wait_for_request(int fd, struct rw_err *err)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, -1) < 0) {
        if (errno != EINTR) { return rw_fail_errno(err, RW_E_IO, errno, "poll"); }
    }
    return RW_OK;
}

static RW_RC send_answer(int fd, const struct signer_answer *a, struct rw_err *err)
{
    RW_AUTO(frame_writer) struct frame_writer w = {.buf = rw_buf_make(1)};
    RW_TRY(signer_answer_write(a, &w, err));
    return frame_send(fd, &w, FRAME_TIMEOUT_MS, err);
}

RW_RC signer_serve_one(struct signer *s, int fd, struct rw_buf *bytes, struct signer_answer *answer,
                       struct rw_err *err)
{
    struct frame_reader frame;
    struct signer_request request;
    RW_TRY(frame_recv(fd, bytes, FRAME_TIMEOUT_MS, &frame, err));
    if (rw_is_ok(signer_request_read(&frame, &request, err))) {
        signer_answer(s, &request, answer);
    } else {
        RW_IGNORE(rw_wrap(err, "request"), "the failure goes into the answer");
        signer_refusal(err, answer);
    }
    return send_answer(fd, answer, err);
}

RW_RC signer_serve(struct signer *s, int fd, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(SIGNER_REQUEST_BYTES_MAX);
    struct signer_answer *answer = rw_mem_new(sizeof(*answer));
    if (answer == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for answers"); }
    struct rw_rc rc = RW_OK;
    while (rw_is_ok(rc)) {
        rc = wait_for_request(fd, err);
        if (rw_is_ok(rc)) { rc = signer_serve_one(s, fd, &bytes, answer, err); }
    }
    rw_mem_free(answer);
    return rc.code == RW_E_NOT_FOUND ? RW_OK
                                     : rc; /* the peer closed its end: the usual way to stop */
}
