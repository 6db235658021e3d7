/* signer.h: the checking signer: holds the online keys, and signs only what it verified by the agent's own code.
 *
 * It can delay, hold and go back. It cannot bring anything onto an endpoint that engineers did not sign and whose
 * bake has not passed: for that it holds no key, and the same rules run here before it signs (INV-7).
 *
 * memory   a signer owns keys, descriptors and state until signer_drop
 * threads  one thread; one process per key directory (lock file)
 * source   docs/trust.md "The checking signer"
 */
#ifndef RINGWARD_SIGNER_H
#define RINGWARD_SIGNER_H

#include "common/base/clock.h"
#include "common/wire/signer_codec.h"

struct signer;

struct signer_settings {
    const char *key_dir;  /* DIR/signer: ring-RING.key, snapshot.key, timestamp.key, state/ */
    const char *repo_dir; /* DIR/repo: read only */
    struct rw_clock clock;
};

/* Loads keys and state; gives. Fails with RW_E_BUSY (another signer holds the directory), RW_E_NOT_FOUND,
 * RW_E_SYNTAX (a key file), RW_E_TRUST class (the trusted root). */
RW_RC signer_open(const struct signer_settings *settings, struct signer **out, struct rw_err *err);
void signer_drop(struct signer **s);
/* Answers one request. Always gives an answer; it borrows from the signer until the next call. */
void signer_answer(struct signer *s, const struct signer_request *request,
                   struct signer_answer *out);
/* Answers requests on a stream socket until the peer closes it or breaks the framing; a frame that cannot be read
 * as a request is refused and the session goes on. Fails with RW_E_PROTOCOL, RW_E_IO, RW_E_TIMEOUT. */
RW_RC signer_serve(struct signer *s, int fd, struct rw_err *err);
/* One request and its answer; `bytes` and `answer` are kept by the caller between requests. Fails also with
 * RW_E_NOT_FOUND (the peer closed its end). */
RW_RC signer_serve_one(struct signer *s, int fd, struct rw_buf *bytes, struct signer_answer *answer,
                       struct rw_err *err);

#endif
