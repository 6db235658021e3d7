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

/* The officers' role; it may lie expired and need not be there. */
#define SIGNER_EXPEDITE_ROLE "expedite"

/* Whose versions begin anew, since no key that signed the published ones is trusted any more (docs/trust.md). */
struct signer_view_restart {
    bool timestamp;
    bool snapshot;
    bool roles; /* what snapshot lists */
};

struct signer_view {
    struct tuf_client *client;
    int dir; /* the client's, borrowed from the signer */
    struct tuf_doc root;
    struct tuf_doc snapshot;
    struct tuf_doc targets;
    struct ring_policy policy;
    struct signer_view_restart restart;
    int64_t timestamp_version;
    struct rw_wall timestamp_expires;
    struct rw_wall now;
};

/* Verifies what repo/ holds. Any role may have expired: signing online roles anew is what the signer is for, and a
 * ceremony replaces the others (see signer_view_require_people). */
RW_RC signer_view_open(struct signer *s, struct signer_view *out, struct rw_err *err);
/* The same without the memory of versions seen before: what an agent that was installed today would accept. Only for a
 * root that takes the power from the keys behind those versions. */
RW_RC signer_view_open_anew(struct signer *s, struct signer_view *out, struct rw_err *err);
/* Root and targets must not have expired (reason "expired"): only people can renew them. */
RW_RC signer_view_require_people(const struct signer_view *v, struct rw_err *err);
/* Reads the policy that v->targets list. Fails with reason "policy". */
RW_RC signer_view_read_policy(const struct signer *s, struct signer_view *v, struct rw_err *err);
/* The state that repo/ would hold with the batch written, through the whole workflow of an agent now: everything
 * must verify and nothing may have expired. Fails with the TUF codes. */
RW_RC signer_view_prove(struct signer *s, const struct signer_view *before, struct signer_view *out,
                        struct rw_err *err);
void signer_view_drop(struct signer_view *v);

/* Gives the verified document of a role that targets delegates. Fails with RW_E_TUF_ROLE (not delegated). */
RW_RC signer_view_role(const struct signer_view *v, const char *role, struct tuf_doc *out,
                       struct rw_err *err);
/* Refuses with reason "expired" when the document's time is over. */
RW_RC signer_view_check_expiry(const struct signer_view *v, const char *role,
                               struct rw_wall expires, struct rw_err *err);

#endif
