/* webhook_send.h: delivers events to one target, in a thread of its own: a slow or dead target delays nobody else.
 *
 * memory   a sender owns its batch and a copy of the target until webhook_send_stop
 * threads  submit and take from the core thread
 * source   docs/server.md "Webhooks"
 */
#ifndef RINGWARD_WEBHOOK_SEND_H
#define RINGWARD_WEBHOOK_SEND_H

#include "common/base/clock.h"
#include "common/crypto/digest.h"
#include "server/report/webhook_conf.h"

enum { WEBHOOK_BATCH_MAX = 16, WEBHOOK_SIGNATURE_BYTES = 128 };

struct webhook_event {
    int64_t seq;                /* of the audit record */
    char key[DIGEST_HEX_BYTES]; /* the same at every delivery */
    struct rw_buf body;
};

/* Events in their order; the first that is not taken ends the batch. */
struct webhook_batch {
    size_t count;
    struct webhook_event at[WEBHOOK_BATCH_MAX];
};

struct webhook_result {
    size_t delivered;      /* events from the front of the batch */
    bool failed;           /* the next one was not taken; `why` says how */
    int64_t retry_after_s; /* as the receiver asked; negative: it did not */
    char why[RW_ERR_TEXT_BYTES];
};

struct webhook_batch webhook_batch_make(void);
void webhook_batch_clear(struct webhook_batch *b); /* frees all bodies */

/* "t=SECONDS,v1=HEX": HMAC-SHA-256 over "SECONDS.BODY". Fails with RW_E_CRYPTO, RW_E_NOMEM. */
RW_RC webhook_send_sign(const struct webhook_target *t, struct rw_wall now, struct rw_span body,
                        char dst[static WEBHOOK_SIGNATURE_BYTES], struct rw_err *err);

struct webhook_sender;

/* Starts the thread; `wake` is called from it when a result is there. Fails with RW_E_NOMEM, RW_E_PROCESS. */
RW_RC webhook_send_start(const struct webhook_target *target, void (*wake)(void *ctx), void *ctx,
                         struct webhook_sender **out, struct rw_err *err);
/* Ends the thread; a delivery that hangs is given up after a second. Accepts NULL. */
void webhook_send_stop(struct webhook_sender *s);

/* True when nothing is on its way and no result waits. */
bool webhook_send_idle(struct webhook_sender *s);
/* Hands a batch over (takes its bodies: `batch` is empty then); the sender must be idle. */
void webhook_send_submit(struct webhook_sender *s, struct webhook_batch *batch);
/* Takes the result of the last batch. False: there is none yet. */
bool webhook_send_take(struct webhook_sender *s, struct webhook_result *out);

#endif
