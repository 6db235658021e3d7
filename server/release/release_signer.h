/* release_signer.h: the server's way to ringward-signer: asks for signatures, writes what came back into the
 * repository in the order that readers need: payloads, roles, snapshot, timestamp last.
 *
 * The server holds no key. The signer verifies the whole new state by itself before it signs and refuses with a
 * named reason; that reason comes back as the error's text.
 *
 * memory   a client owns socket and child until release_signer_drop
 * threads  the core thread, but release_signer_place; a call blocks for one round trip (a few ms, and the slice of a
 *          payload that is being hashed for release_signer_place), at most SIGNER_TIMEOUT_MS. The signer hashes by
 *          itself, in that call, a payload that it does not know: after its own restart
 * source   docs/trust.md "The checking signer"; common/wire/signer_codec.h
 */
#ifndef RINGWARD_RELEASE_SIGNER_H
#define RINGWARD_RELEASE_SIGNER_H

#include "common/wire/signer_codec.h"
#include "server/release/release.h"

struct release_signer;

struct release_signer_settings {
    const char *program;  /* path of ringward-signer */
    const char *key_dir;  /* DIR/signer */
    const char *repo_dir; /* DIR/repo */
    const char *socket;   /* where a signer listens; NULL or "": one is started as a child */
    /* Of several servers on one repository the one that holds this file's lock writes it: taken with the first request.
     * NULL: there is one server only. */
    const char *lock;
};

/* Starts ringward-signer over a socketpair; one that dies is started again at the next request. With a socket it is
 * connected to at the next request, now or after a loss; it need not be there yet. */
RW_RC release_signer_start(const struct release_signer_settings *settings,
                           struct release_signer **out, struct rw_err *err);
void release_signer_drop(struct release_signer **s);
/* Lets go of signer and lock, until the next request; nothing without a lock. */
void release_signer_leave(struct release_signer *s);
/* Whether the session with a signer that listens is gone, as far as that shows without a request; a renewal begins a
 * new one. False for a child: the next request starts it again, whatever became of it. */
bool release_signer_lost(struct release_signer *s);

/* The functions of struct release_publisher; ctx is the client. Puts a payload into repo/targets and has the signer
 * hash it, slice by slice, so that the request behind it finds it known. Any thread. */
RW_RC release_signer_place(void *ctx, const struct release_place *payload, struct rw_err *err);
/* Has snapshot and timestamp signed over the new content role, writes them; the signer finds out by itself which
 * payloads are new, and hashes those that it does not know. Publishing the same again succeeds. */
RW_RC release_signer_publish_role(void *ctx, const char *family, struct rw_span envelope,
                                  struct rw_err *err);
RW_RC release_signer_publish_expedite(void *ctx, struct rw_span envelope, struct rw_err *err);
/* struct rollout_run_effects.point; ctx is the client. `release` 0 removes the ring's pointer (back to nothing).
 * Fails with RW_E_TRUST_RULE when the signer refuses (bake not passed, release not listed, ...). */
RW_RC release_signer_point(void *ctx, const char *ring, const char *family, int64_t release,
                           bool hold, struct rw_err *err);
/* What a ceremony hands over; spans with n 0: that document stays. */
struct release_signer_trust {
    struct rw_span root;
    struct rw_span targets;
    struct rw_span policy; /* text of rings.json, when targets list another one */
    struct signer_content contents[SIGNER_CONTENTS_MAX];
    size_t content_count;
};

/* Puts the policy into repo/targets, has the change verified and what it touches signed, writes all of it: after a
 * crash in between, the next start finishes the writing. Sending the same again succeeds. Fails as the signer
 * refuses. */
RW_RC release_signer_trust(struct release_signer *s, const struct release_signer_trust *change,
                           struct rw_err *err);
/* Signs ring roles, snapshot and timestamp anew when less than half of their life is left; *signed_out tells
 * whether anything was. To be called every few minutes. */
RW_RC release_signer_renew(struct release_signer *s, struct rw_wall now, bool *signed_out,
                           struct rw_err *err);

#endif
