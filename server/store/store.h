/* store.h: what the domain may ask of storage, and nothing else.
 *
 * The journal is the truth for permits and beacons: a batch is one packed row; the table of endpoints is its
 * fold. Documents (releases, rollouts, tokens, settings) and audit records share its transactions, so a state
 * and its audit record are one commit (INV-9) and what was answered survives power loss (INV-8).
 *
 * A store may be shared by several processes (nodes). Then one transaction is open at a time in the whole cluster, the
 * journal's rows are numbered without gaps, and `follow` brings a node up to date inside each new transaction, before
 * the caller decides anything: every decision is made on the whole truth (INV-1).
 *
 * memory   a store owns its connection until store_close; callbacks borrow their arguments
 * threads  one thread (the server's core thread)
 * source   docs/architecture.md "Storage"; docs/nodes.md
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

/* Where a shared store stands; zeros in one of a single process. */
struct store_now {
    int64_t tip;    /* newest journal row */
    int64_t change; /* rises with each transaction that wrote documents */
};

/* A piece of the fold without its bytes. */
struct store_slice {
    int64_t number; /* what it stands under, from 0; its meaning is the writer's */
    int64_t mark;   /* the journal row up to which it was folded */
    int64_t bytes;  /* how many */
};

enum { STORE_HOLDER_BYTES = 40, STORE_NODE_BYTES = 256 };

/* Who is controller. It ends by the store's own clock. */
struct store_lease {
    int64_t term;                    /* rises with each new holder; 0: there never was one */
    char holder[STORE_HOLDER_BYTES]; /* names one process of one node; "": given back */
    char node[STORE_NODE_BYTES];     /* the same for people */
    int64_t left_ms;                 /* <= 0: it has ended */
};

/* Functions of a back end; serve.c alone names a concrete one. Every function fails with RW_E_STORE or
 * RW_E_FULL unless said otherwise. */
/* A part of the documents of a kind, in order of id. */
struct store_docs {
    const char *kind;
    const char *after; /* those behind this id; "": from the first on */
    int64_t limit;     /* at most so many */
};

struct store_backend {
    void (*close)(void *ctx);
    RW_RC (*begin)(void *ctx, int64_t term, struct store_now *now, struct rw_err *err);
    RW_RC (*commit)(void *ctx, struct rw_err *err);
    void (*rollback)(void *ctx);
    RW_RC (*doc_put)(void *ctx, const char *kind, const struct store_doc *doc, struct rw_err *err);
    RW_RC(*doc_remove)
    (void *ctx, const char *kind, const char *id, int64_t generation, struct rw_err *err);
    RW_RC(*doc_get)
    (void *ctx, const char *kind, const char *id, struct rw_buf *body, int64_t *generation,
     struct rw_err *err);
    RW_RC(*doc_each)
    (void *ctx, const struct store_docs *which,
     RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err), void *arg,
     struct rw_err *err);
    RW_RC (*doc_count)(void *ctx, const char *kind, int64_t *out, struct rw_err *err);
    RW_RC (*journal_append)(void *ctx, struct rw_span batch, int64_t *row, struct rw_err *err);
    RW_RC(*journal_each)
    (void *ctx, int64_t after,
     RW_RC (*each)(void *arg, int64_t row, struct rw_span batch, struct rw_err *err), void *arg,
     struct rw_err *err);
    RW_RC(*journal_drop)
    (void *ctx, int64_t upto, int64_t limit, bool *more, struct rw_err *err);
    RW_RC (*fold)(void *ctx, int64_t mark, struct rw_span head, struct rw_err *err);
    RW_RC (*fold_load)(void *ctx, int64_t *mark, struct rw_buf *head, struct rw_err *err);
    RW_RC (*fold_mark)(void *ctx, int64_t *mark, struct rw_err *err);
    RW_RC(*slice_put)
    (void *ctx, int64_t number, int64_t mark, struct rw_span bytes, struct rw_err *err);
    RW_RC(*slice_get)
    (void *ctx, int64_t number, int64_t *mark, struct rw_buf *into, struct rw_err *err);
    RW_RC(*slice_each)
    (void *ctx, RW_RC (*each)(void *arg, const struct store_slice *slice, struct rw_err *err),
     void *arg, struct rw_err *err);
    RW_RC (*audit_append)(void *ctx, const struct store_audit *a, struct rw_err *err);
    RW_RC (*audit_tip)(void *ctx, struct store_audit_tip *out, struct rw_err *err);
    RW_RC (*audit_drop)(void *ctx, int64_t up_to, struct rw_err *err);
    RW_RC(*audit_each)
    (void *ctx, int64_t after, int64_t limit,
     RW_RC (*each)(void *arg, const struct store_audit *a, struct rw_err *err), void *arg,
     struct rw_err *err);
    /* --- NULL in a store of a single process --- */
    RW_RC (*look)(void *ctx, struct store_now *now, struct rw_err *err);
    RW_RC(*doc_changed)
    (void *ctx, int64_t after,
     RW_RC (*each)(void *arg, const char *kind, const struct store_doc *doc, struct rw_err *err),
     void *arg, struct rw_err *err);
    RW_RC (*lease_get)(void *ctx, struct store_lease *out, struct rw_err *err);
    RW_RC (*lease_put)(void *ctx, const struct store_lease *lease, struct rw_err *err);
};

struct store {
    const struct store_backend *backend;
    void *ctx;
    bool in_transaction;
    bool spoilt; /* the open transaction lacks a write: it cannot be committed */
    /* Fencing: while > 0, store_begin fails with RW_E_STALE unless the lease still has this term. */
    int64_t term;
    struct store_now now; /* at the last begin or look */
    /* Shared only: called in each new transaction before store_begin returns; a failure rolls it back. */
    RW_RC (*follow)(void *arg, struct rw_err *err);
    void *follow_arg;
};

void store_close(struct store *s); /* accepts a zeroed store */

/* Several processes may use it at a time. */
bool store_is_shared(const struct store *s);
/* Shared: waits for other nodes' transactions, a few seconds at most. Fails also with RW_E_STALE (`term`). */
RW_RC store_begin(struct store *s, struct rw_err *err);
/* Durable on RW_OK. After a failure the transaction is rolled back. It fails, too, when a write of the transaction
 * failed, other than with RW_E_STALE or RW_E_EXISTS, which changed nothing: what several callers share is kept whole or
 * not at all (INV-9). */
RW_RC store_commit(struct store *s, struct rw_err *err);
/* Something that belongs to the open transaction could not even be tried to write: it is not committed any more. */
void store_spoil(struct store *s);
void store_rollback(struct store *s); /* no-op outside a transaction */

/* Writes a document; doc->generation is the new one: 1 makes it (RW_E_EXISTS when there), n replaces
 * generation n - 1 (RW_E_STALE when that is not the present one). Needs a transaction. */
RW_RC store_doc_put(struct store *s, const char *kind, const struct store_doc *doc,
                    struct rw_err *err);
/* Removes a document that is at `generation`. A node that shares the store hears of it when it reads it again only,
 * so this is for what no decision rests on any more. Fails also with RW_E_STALE (it is not, or not there). Needs a
 * transaction. */
RW_RC store_doc_remove(struct store *s, const char *kind, const char *id, int64_t generation,
                       struct rw_err *err);
/* Appends the body to `body`. Fails also with RW_E_NOT_FOUND. */
RW_RC store_doc_get(struct store *s, const char *kind, const char *id, struct rw_buf *body,
                    int64_t *generation_out, struct rw_err *err);
/* Calls `each` for all documents of a kind in order of id. */
RW_RC store_doc_each(struct store *s, const char *kind,
                     RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err),
                     void *arg, struct rw_err *err);

/* Only a part of them; nothing else is read. */
RW_RC store_doc_some(struct store *s, const struct store_docs *which,
                     RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err),
                     void *arg, struct rw_err *err);

/* How many documents of a kind there are. SQLite goes through all of them for it. */
RW_RC store_doc_count(struct store *s, const char *kind, int64_t *out, struct rw_err *err);

/* Appends one batch of records; gives its row number (shared: now.tip + 1 for the first). Needs a transaction. */
RW_RC store_journal_append(struct store *s, struct rw_span batch, int64_t *row_out,
                           struct rw_err *err);
RW_RC store_journal_each(struct store *s, int64_t after,
                         RW_RC (*each)(void *arg, int64_t row, struct rw_span batch,
                                       struct rw_err *err),
                         void *arg, struct rw_err *err);
/* Drops at most `limit` (1 or more) of the oldest rows up to `upto`; tells whether there may be more of them. A shared
 * store keeps some more for nodes that are a little behind. Needs a transaction. */
RW_RC store_journal_drop(struct store *s, int64_t upto, int64_t limit, bool *more_out,
                         struct rw_err *err);

/* The fold is a head and slices; which slices belong to a head is the writer's to know. Neither drops journal rows.
 * Replaces the head by one that is true as of row `mark`. Needs a transaction. */
RW_RC store_fold(struct store *s, int64_t mark, struct rw_span head, struct rw_err *err);
/* Gives mark 0 and nothing when there was no fold yet. */
RW_RC store_fold_load(struct store *s, int64_t *mark_out, struct rw_buf *head, struct rw_err *err);
/* The mark alone. */
RW_RC store_fold_mark(struct store *s, int64_t *mark_out, struct rw_err *err);
/* Writes a slice in the place of the one of that number. Needs a transaction. */
RW_RC store_slice_put(struct store *s, int64_t number, int64_t mark, struct rw_span bytes,
                      struct rw_err *err);
/* Appends its bytes to `into`. Fails also with RW_E_NOT_FOUND. */
RW_RC store_slice_get(struct store *s, int64_t number, int64_t *mark_out, struct rw_buf *into,
                      struct rw_err *err);
/* Calls `each` for all slices in order of number; `each` may not ask the store. */
RW_RC store_slice_each(struct store *s,
                       RW_RC (*each)(void *arg, const struct store_slice *slice,
                                     struct rw_err *err),
                       void *arg, struct rw_err *err);

/* Needs a transaction. audit_log.h computes records and hashes. */
RW_RC store_audit_append(struct store *s, const struct store_audit *a, struct rw_err *err);
/* Removes records 1 to `up_to`, never the newest one: numbers go on from it. Needs a transaction. */
RW_RC store_audit_drop(struct store *s, int64_t up_to, struct rw_err *err);
RW_RC store_audit_tip(struct store *s, struct store_audit_tip *out, struct rw_err *err);
RW_RC store_audit_each(struct store *s, int64_t after, int64_t limit,
                       RW_RC (*each)(void *arg, const struct store_audit *a, struct rw_err *err),
                       void *arg, struct rw_err *err);

/* --- shared stores only --- */
/* Sets s->now, outside of a transaction. */
RW_RC store_look(struct store *s, struct rw_err *err);
/* Calls `each` for the documents of all kinds that transactions behind change `after` wrote, in their order. */
RW_RC store_doc_changed(struct store *s, int64_t after,
                        RW_RC (*each)(void *arg, const char *kind, const struct store_doc *doc,
                                      struct rw_err *err),
                        void *arg, struct rw_err *err);
/* Needs a transaction, so that nobody takes it in between. */
RW_RC store_lease_get(struct store *s, struct store_lease *out, struct rw_err *err);
/* From now on, for lease->left_ms. Needs a transaction. */
RW_RC store_lease_put(struct store *s, const struct store_lease *lease, struct rw_err *err);

#endif
