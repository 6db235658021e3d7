/* release_signer_link.h: the socket to ringward-signer: a child on a socketpair, or a signer of its own user that
 * listens on a path.
 *
 * memory   a link owns socket and child until release_signer_link_drop
 * threads  the core thread
 * source   docs/protocol.md 13; docs/trust.md "The checking signer"
 */
#ifndef RINGWARD_RELEASE_SIGNER_LINK_H
#define RINGWARD_RELEASE_SIGNER_LINK_H

#include "common/base/proc.h"

enum { RELEASE_SIGNER_PATH_BYTES = 4096 };

struct release_signer_link {
    char program[RELEASE_SIGNER_PATH_BYTES];
    char key_dir[RELEASE_SIGNER_PATH_BYTES];
    char repo_dir[RELEASE_SIGNER_PATH_BYTES];
    char path[RELEASE_SIGNER_PATH_BYTES]; /* where a signer listens; "": a child is started */
    int socket;                           /* -1: no session */
    struct proc child;
};

/* An empty link, without session. */
struct release_signer_link release_signer_link_make(void);
/* Makes sure that there is a session: one that broke is begun anew (the signer keeps nothing in memory that is not
 * on disk). Fails with RW_E_PROCESS and a hint. */
RW_RC release_signer_link_ensure(struct release_signer_link *l, struct rw_err *err);
/* Whether the session is gone, as far as that shows without a request. */
bool release_signer_link_lost(const struct release_signer_link *l);
/* What to do about a session that broke. */
const char *release_signer_link_hint(const struct release_signer_link *l);
/* Ends session and child; the link may be used again. */
void release_signer_link_drop(struct release_signer_link *l);

#endif
