/* release_order.h: orders: documents that people sign besides new releases. The last signature puts them into force.
 *
 *   withdraw  a release leaves its content role, for good        signed by release engineers
 *   renew     a content role gets a later end, or a higher floor  signed by release engineers
 *   expedite  a release bakes shorter in some rings, for a while  signed by duty officers
 *
 * Every verb does one transaction that holds state and audit record (INV-9), and appends the order object of
 * docs/protocol.md 8 to `out`.
 *
 * memory   a domain borrows everything in it; objects are appended to buffers of the caller
 * threads  the server's core thread
 * source   docs/trust.md "Expedite", "Withdrawal"; docs/protocol.md 8
 */
#ifndef RINGWARD_RELEASE_ORDER_H
#define RINGWARD_RELEASE_ORDER_H

#include "common/json/json_write.h"
#include "server/release/release.h"
#include "server/release/release_order_codec.h"
#include "server/store/store_page.h"

/* POST /v1/orders. Asking again for an order that is open and says the same changes nothing; otherwise the order begins
 * anew without signatures. Fails with RW_E_SCHEMA, RW_E_RANGE, RW_E_NOT_FOUND (release, ring), RW_E_POLICY (not
 * published, a ring points at it, already so), RW_E_TUF_ROLE (family or expedite not delegated). */
RW_RC release_order_ask(struct release_domain *d, const char *by, struct rw_span body,
                        struct rw_buf *out, struct rw_err *err);
RW_RC release_order_show(struct release_domain *d, const struct release_order_id *id,
                         struct rw_buf *out, struct rw_err *err);
/* {"orders":[...],"next":"KIND/FAMILY/NUMBER"?} in order of kind, family and number. */
RW_RC release_order_list(struct release_domain *d, struct store_page *page, struct rw_buf *out,
                         struct rw_err *err);
/* GET .../tosign: the document, made anew without the signatures so far when it no longer fits. */
RW_RC release_order_tosign(struct release_domain *d, const struct release_order_id *id,
                           struct rw_buf *out, struct rw_err *err);
/* POST .../signatures: keeps one; when there are enough, the signer is asked and the order is in force (*done_out).
 * Refused by the signer it stays open with its signatures: any of its signers may send the same again.
 * Fails as release_sign does, and as the signer refuses. */
RW_RC release_order_sign(struct release_domain *d, const struct release_order_id *id,
                         const char *by, struct rw_span body, struct rw_buf *out, bool *done_out,
                         struct rw_err *err);
/* Appends strings to an open array: orders that wait for signatures, expedites in force, withdrawn releases that
 * endpoints still have (`on` counts them; NULL: not asked). */
RW_RC release_order_write_alarms(struct release_domain *d, struct rw_wall now,
                                 int64_t (*on)(const void *ctx, const char *family,
                                               int64_t release),
                                 const void *ctx, struct json_writer *w, struct rw_err *err);

#endif
