/* trust_store.h: the agent's trusted metadata: TUF state on disk, fetched over HTTP, polled cheaply.
 *
 * memory   owns the TUF client and its directory; borrows the HTTP client
 * threads  one thread per store
 * source   docs/trust.md "State on disk", "Time", "HTTP": ETag only with verified metadata, a 304 freezes for
 *          no longer than the stored timestamp lives, expired metadata never end the agent
 */
#ifndef RINGWARD_TRUST_STORE_H
#define RINGWARD_TRUST_STORE_H

#include "common/net/http_client.h"
#include "common/tuf/tuf_client.h"

#define TRUST_STORE_EXPEDITE "expedite"

struct trust_store {
    int dir;                           /* owned: state_dir/trust */
    struct http_client *http;          /* borrowed */
    struct tuf_client *tuf;            /* owned */
    char etag[HTTP_CLIENT_ETAG_BYTES]; /* of the verified timestamp; "": none */
    struct rw_wall last_full;          /* last complete refresh; 0: none in this life */
    bool expired;                      /* the last refresh ended because something expired */
    struct rw_buf timestamp;           /* bytes that the cheap poll brought; used once */
    bool replay;                       /* the stored timestamp stands for the server's */
    bool answered;                     /* the last poll brought a timestamp, good or not */
    int64_t served_version;            /* of that one, before any check; 0: unreadable */
    struct rw_wall served_expires;     /* of that one, before any check: for reports only */
    struct rw_wall older_since; /* the server gives an older timestamp than ours; 0: it does not */
    int64_t retry_after_s;      /* what the last poll's answer asked for; negative: nothing */
};

/* Opens "trust" below the state directory; a missing or damaged root is taken anew from `root`, the
 * installer's own copy (*reset_out tells). Fails with the TUF codes when that does not verify either. */
RW_RC trust_store_open(int state_dir, struct rw_span root, struct http_client *http,
                       struct trust_store *out, bool *reset_out, struct rw_err *err);
void trust_store_drop(struct trust_store *t);

/* One conditional request; the full workflow when something is new, a day has passed, or nothing is trusted in this
 * life. A timestamp older than ours is asked for once more, past the caches: edges of a CDN disagree for a while after
 * each publish. Older still: ours stays in force, quietly for as long as caches may keep it, as RW_E_TUF_VERSION behind
 * that (a rollback, or a mirror that is stuck). *changed_out: look-ups may answer differently now. What was trusted
 * stays after a failure, but look-ups fail until a refresh succeeds. */
RW_RC trust_store_poll(struct trust_store *t, struct rw_wall now, bool *changed_out,
                       struct rw_err *err);
/* Fails with RW_E_NOT_FOUND only when trusted metadata say that the target is not there. */
RW_RC trust_store_find(struct trust_store *t, const char *path, struct tuf_target *out,
                       struct rw_err *err);
/* The "signed" part and the expiry of a delegated role; borrowed until the next poll. */
RW_RC trust_store_role(struct trust_store *t, const char *role, const struct json **signed_out,
                       struct rw_wall *expires_out, struct rw_err *err);
/* A small target's bytes, verified. Fails with RW_E_TOO_BIG, RW_E_TUF_HASH, RW_E_HTTP, RW_E_NET. */
RW_RC trust_store_read(struct trust_store *t, const struct tuf_target *target, size_t max,
                       struct rw_buf *into, struct rw_err *err);
/* Earliest expiry of everything that is loaded: nothing new is installed from then on. The expedite role does not
 * count: it may lie expired, and then says nothing (install_rule.h looks at its end). */
struct rw_wall trust_store_expires(const struct trust_store *t);
struct rw_wall trust_store_root_expires(const struct trust_store *t);
/* Every role that is loaded, at most `max`; gives how many (INV-12). */
size_t trust_store_roles(const struct trust_store *t, struct tuf_role_status *out, size_t max);
/* "expired", "development" or "ok" (INV-12). */
const char *trust_store_name(const struct trust_store *t, struct rw_wall now);

#endif
