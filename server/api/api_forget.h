/* api_forget.h: takes out of the store what nobody decides anything by any more: tokens, orders, requests for a second
 * person, and the bulk of old releases. The releases themselves stay: their numbers are never used again.
 *
 * memory   borrows its settings; gives nothing
 * threads  one thread per store; a server does it beside its core thread, with a connection of its own
 * source   docs/server.md "Records that go"; forget_rule.h decides
 */
#ifndef RINGWARD_API_FORGET_H
#define RINGWARD_API_FORGET_H

#include "common/base/clock.h"
#include "common/crypto/digest.h"
#include "server/report/forget_rule.h"
#include "server/store/store.h"

struct api_forget_settings {
    struct store *store;
    struct forget_limits limits;
    /* Whether the repository's metadata in force list this payload. */
    bool (*listed)(const void *ctx, const uint8_t sha256[static DIGEST_BYTES]);
    const void *listed_ctx;
    bool (*stopping)(void *ctx); /* asked between transactions; true ends the run with success */
    void *stopping_ctx;
};

enum api_forget_kind {
    API_FORGET_TOKEN,
    API_FORGET_ORDER,
    API_FORGET_REQUEST,
    API_FORGET_RELEASE,
    API_FORGET_KINDS
};

/* "token", "order", "request", "release". */
const char *api_forget_name(enum api_forget_kind kind);

/* Counts what went (of a release and of most orders: its bulk) in done_out, also when it fails. Some hundred are one
 * transaction with an audit record (INV-9). Fails with RW_E_STALE (somebody changed one meanwhile: try again later),
 * RW_E_SYNTAX, RW_E_SCHEMA (a document is not understood: none of its kind goes), the store's codes. */
RW_RC api_forget_run(const struct api_forget_settings *s,
                     uint64_t done_out[static API_FORGET_KINDS], struct rw_err *err);

#endif
