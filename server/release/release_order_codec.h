/* release_order_codec.h: an order as a plain value, and its JSON forms: request, stored document, answer.
 *
 * memory   struct release_order owns a buffer until release_order_drop
 * threads  no shared state
 * source   docs/protocol.md 8
 */
#ifndef RINGWARD_RELEASE_ORDER_CODEC_H
#define RINGWARD_RELEASE_ORDER_CODEC_H

#include "common/policy/entry_codec.h"
#include "server/release/release_codec.h"

enum release_order_kind {
    RELEASE_ORDER_WITHDRAW,
    RELEASE_ORDER_RENEW,
    RELEASE_ORDER_EXPEDITE,
    RELEASE_ORDER_KINDS
};

enum release_order_state {
    RELEASE_ORDER_OPEN, /* waits for signatures */
    RELEASE_ORDER_DONE, /* in force; asked again it begins anew */
};

extern const struct sm_table release_order_states;

enum { RELEASE_ORDER_KEY_BYTES = 72 };

struct release_order_id {
    enum release_order_kind kind;
    struct release_id release; /* RENEW: number 0 */
};

struct release_order {
    struct release_order_id id;
    int state; /* enum release_order_state */
    int64_t generation;
    char author[RELEASE_AUTHOR_BYTES];
    char reason[RELEASE_REASON_BYTES];
    struct rw_wall created;
    struct rw_wall done; /* 0: not yet */
    int64_t floor;       /* RENEW: 0: as it is */
    int64_t for_s;       /* EXPEDITE: from the making of the document */
    char rings[RING_POLICY_RINGS_MAX][RELEASE_NAME_BYTES]; /* EXPEDITE */
    size_t ring_count;

    /* --- the document that waits for signatures --- */
    struct rw_buf tosign; /* "signed" of the role; empty: none made */
    struct rw_wall made;
    struct rw_wall until;                 /* EXPEDITE: as the document says */
    int64_t base_version;                 /* of the role that it follows; 0: it is the first */
    char policy_sha256[DIGEST_HEX_BYTES]; /* policy at its making */
    int64_t threshold;
    struct release_signature signatures[RELEASE_SIGNATURES_MAX]; /* each verified */
    size_t signature_count;
};

struct release_order release_order_make(void); /* empty, with its buffer's ceiling */
void release_order_drop(struct release_order *o);

const char *release_order_kind_name(enum release_order_kind kind);
/* As they stand in a path. Fails with RW_E_NOT_FOUND: no order can have such a name. */
RW_RC release_order_id_parse(struct rw_span kind, struct rw_span family, struct rw_span number,
                             struct release_order_id *out, struct rw_err *err);
void release_order_id_key(const struct release_order_id *id,
                          char dst[static RELEASE_ORDER_KEY_BYTES]);

/* The body of POST /v1/orders. Fails with RW_E_SYNTAX, RW_E_SCHEMA, RW_E_RANGE, naming the member. */
RW_RC release_order_read_request(struct rw_span body, struct release_order *out,
                                 struct rw_err *err);
RW_RC release_order_read_stored(struct rw_span body, int64_t generation, struct release_order *out,
                                struct rw_err *err);
RW_RC release_order_write_stored(const struct release_order *o, struct rw_buf *into,
                                 struct rw_err *err);
void release_order_put_public(struct json_writer *w, const char *name,
                              const struct release_order *o);

#endif
