/* store.h: what the domain may ask of storage, and nothing else.
 *
 * The journal is the truth for permits and beacons: a batch is one packed row; the table of endpoints is its
 * fold. Documents (releases, rollouts, tokens, settings) and audit records share its transactions, so a state
 * and its audit record are one commit (INV-9) and what was answered survives power loss (INV-8).
 *
 * memory   a store owns its connection until store_close; callbacks borrow their arguments
 * threads  one thread (the server's core thread)
 * source   docs/architecture.md "Storage"
 */
#ifndef RINGWARD_STORE_H
#define RINGWARD_STORE_H

#include "common/base/buf.h"

struct store;

enum { STORE_ID_BYTES = 80, STORE_DOC_BYTES_MAX = 1024 * 1024 };

struct store_doc {
    char id[STORE_ID_BYTES];
    int64_t generation;  /* rises by one with each change */
    struct rw_span body; /* JSON text, borrowed */
};

struct store_audit {
    int64_t seq;           /* from 1, without gaps */
    int64_t at_s;          /* wall clock */
    struct rw_span record; /* JSON text of the record, as it was hashed */
    uint8_t hash[32];      /* of this record and its predecessor's hash */
};

/* Where the audit chain ends. */
struct store_audit_tip {
    int64_t seq;      /* of the newest record; 0: there is none */
    uint8_t hash[32]; /* its hash; zeros when there is none */
};

/* Functions of a back end; serve.c alone names a concrete one. Every function fails with RW_E_STORE or
 * RW_E_FULL unless said otherwise. */
struct store_backend {
    void (*close)(void *ctx);
    RW_RC (*begin)(void *ctx, struct rw_err *err);
    RW_RC (*commit)(void *ctx, struct rw_err *err);
    void (*rollback)(void *ctx);
    RW_RC (*doc_put)(void *ctx, const char *kind, const struct store_doc *doc, struct rw_err *err);
    RW_RC(*doc_get)
    (void *ctx, const char *kind, const char *id, struct rw_buf *body, int64_t *generation,
     struct rw_err *err);
    RW_RC(*doc_each)
    (void *ctx, const char *kind,
     RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err), void *arg,
     struct rw_err *err);
    RW_RC (*journal_append)(void *ctx, struct rw_span batch, int64_t *row, struct rw_err *err);
    RW_RC(*journal_each)
    (void *ctx, int64_t after,
     RW_RC (*each)(void *arg, int64_t row, struct rw_span batch, struct rw_err *err), void *arg,
     struct rw_err *err);
    RW_RC (*fold)(void *ctx, int64_t mark, struct rw_span image, struct rw_err *err);
    RW_RC (*fold_load)(void *ctx, int64_t *mark, struct rw_buf *image, struct rw_err *err);
    RW_RC (*audit_append)(void *ctx, const struct store_audit *a, struct rw_err *err);
    RW_RC (*audit_tip)(void *ctx, struct store_audit_tip *out, struct rw_err *err);
    RW_RC(*audit_each)
    (void *ctx, int64_t after, int64_t limit,
     RW_RC (*each)(void *arg, const struct store_audit *a, struct rw_err *err), void *arg,
     struct rw_err *err);
};

struct store {
    const struct store_backend *backend;
    void *ctx;
    bool in_transaction;
};

void store_close(struct store *s); /* accepts a zeroed store */

RW_RC store_begin(struct store *s, struct rw_err *err);
/* Durable on RW_OK. After a failure the transaction is rolled back. */
RW_RC store_commit(struct store *s, struct rw_err *err);
void store_rollback(struct store *s); /* no-op outside a transaction */

/* Writes a document; doc->generation is the new one: 1 makes it (RW_E_EXISTS when there), n replaces
 * generation n - 1 (RW_E_STALE when that is not the present one). Needs a transaction. */
RW_RC store_doc_put(struct store *s, const char *kind, const struct store_doc *doc,
                    struct rw_err *err);
/* Appends the body to `body`. Fails also with RW_E_NOT_FOUND. */
RW_RC store_doc_get(struct store *s, const char *kind, const char *id, struct rw_buf *body,
                    int64_t *generation_out, struct rw_err *err);
/* Calls `each` for all documents of a kind in order of id. */
RW_RC store_doc_each(struct store *s, const char *kind,
                     RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err),
                     void *arg, struct rw_err *err);

/* Appends one batch of records; gives its row number. Needs a transaction. */
RW_RC store_journal_append(struct store *s, struct rw_span batch, int64_t *row_out,
                           struct rw_err *err);
RW_RC store_journal_each(struct store *s, int64_t after,
                         RW_RC (*each)(void *arg, int64_t row, struct rw_span batch,
                                       struct rw_err *err),
                         void *arg, struct rw_err *err);
/* Replaces the folded image by one that covers all rows up to `mark`, and drops those rows. Needs a transaction. */
RW_RC store_fold(struct store *s, int64_t mark, struct rw_span image, struct rw_err *err);
/* Gives mark 0 and nothing when there was no fold yet. */
RW_RC store_fold_load(struct store *s, int64_t *mark_out, struct rw_buf *image, struct rw_err *err);

/* Needs a transaction. audit_log.h computes records and hashes. */
RW_RC store_audit_append(struct store *s, const struct store_audit *a, struct rw_err *err);
RW_RC store_audit_tip(struct store *s, struct store_audit_tip *out, struct rw_err *err);
RW_RC store_audit_each(struct store *s, int64_t after, int64_t limit,
                       RW_RC (*each)(void *arg, const struct store_audit *a, struct rw_err *err),
                       void *arg, struct rw_err *err);

#endif
