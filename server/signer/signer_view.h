/* signer_view.h: the published repository as an agent sees it, verified; and the new state, as one would see it.
 *
 * memory   a view owns its client and documents until signer_view_drop
 * threads  one thread
 * source   docs/trust.md; the client is the agent's own (common/tuf)
 */
#ifndef RINGWARD_SIGNER_VIEW_H
#define RINGWARD_SIGNER_VIEW_H

#include "common/tuf/tuf_client.h"
#include "server/signer/signer_state.h"

struct signer_view {
    struct tuf_client *client;
    struct tuf_doc snapshot;
    struct tuf_doc targets;
    struct ring_policy policy;
    int64_t timestamp_version;
    struct rw_wall timestamp_expires;
    struct rw_wall now;
};

/* Verifies what repo/ holds. Root and targets must not have expired (reason "expired"): only people can renew
 * them. Online roles may have: signing them anew is what the signer is for. */
RW_RC signer_view_open(struct signer *s, struct signer_view *out, struct rw_err *err);
/* The state that repo/ would hold with the batch written, through the whole workflow of an agent now: everything
 * must verify and nothing may have expired. Fails with the TUF codes. */
RW_RC signer_view_prove(struct signer *s, const struct signer_view *before, struct signer_view *out,
                        struct rw_err *err);
void signer_view_drop(struct signer_view *v);

/* Gives the verified document of a role that targets delegates. Fails with RW_E_TUF_ROLE (not delegated). */
RW_RC signer_view_role(struct signer *s, const struct signer_view *v, const char *role,
                       struct tuf_doc *out, struct rw_err *err);
/* Calls `each` for every delegated role whose name begins with `prefix`; `rest` is what follows it. */
RW_RC signer_view_each(const struct signer_view *v, const char *prefix,
                       RW_RC (*each)(void *ctx, const char *rest, struct rw_err *err), void *ctx,
                       struct rw_err *err);
/* Refuses with reason "expired" when the document's time is over. */
RW_RC signer_view_check_expiry(const struct signer_view *v, const char *role,
                               struct rw_wall expires, struct rw_err *err);

#endif
