/* beacon_send.h: one batch of beacons from the spool to the server: compose, post, settle.
 *
 * Composing and settling touch the spool and belong to the loop's thread; posting touches the network only
 * and may run in a helper thread, so a dead server never delays anything.
 *
 * memory   a batch owns its body until beacon_send_drop
 * threads  one thread at a time per batch
 * source   docs/protocol.md 7; INV-8: what a beacon says leaves the spool only after a 2xx
 */
#ifndef RINGWARD_BEACON_SEND_H
#define RINGWARD_BEACON_SEND_H

#include "agent/report/beacon_spool.h"
#include "common/net/http_client.h"
#include "common/policy/control_codec.h"

struct beacon_send {
    struct rw_buf body;
    uint64_t seqs[BEACON_BATCH_MAX];
    size_t count;          /* 0: nothing to send */
    int status;            /* 0: no answer */
    int64_t retry_after_s; /* negative: none given */
    int64_t poll_s;        /* what the server asks for; 0: as configured */
    bool renew;            /* the server wants the token renewed */
    bool has_controls;     /* the answer said what operators have set */
    struct control controls[CONTROL_MAX];
    size_t control_count;
    struct rw_err err; /* why there is no answer */
};

enum beacon_send_outcome {
    BEACON_SEND_DONE,    /* acknowledged and removed */
    BEACON_SEND_DROPPED, /* removed without: the server will never take them */
    BEACON_SEND_RETRY,   /* all are still there */
};

RW_RC beacon_send_fill(struct beacon_send *b, struct beacon_spool *s, struct rw_err *err);
/* Blocks for at most the client's own limits. Never fails: the batch keeps what happened. */
void beacon_send_post(struct beacon_send *b, struct http_client *http);
RW_RC beacon_send_settle(struct beacon_send *b, struct beacon_spool *s,
                         enum beacon_send_outcome *out, struct rw_err *err);
void beacon_send_drop(struct beacon_send *b);

#endif
