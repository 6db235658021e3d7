/* api_trust.h: the server's own verified view of its repository: the policy in force, what a release's signed
 * entry says, which roles come near their end.
 *
 * It is read by the same TUF client as on every endpoint, from the files that are served: what the server believes
 * is what an agent would believe.
 *
 * memory   a view owns its client and documents until api_trust_drop
 * threads  the core thread only
 * source   docs/protocol.md 2 and 3; INV-12
 */
#ifndef RINGWARD_API_TRUST_H
#define RINGWARD_API_TRUST_H

#include "common/json/json_write.h"
#include "common/policy/ring_policy.h"
#include "common/tuf/tuf_client.h"

struct api_trust;

/* Opens on DIR (borrowed path): DIR/trust keeps the client's state, begun from DIR/root.json. Reads nothing yet:
 * call api_trust_refresh. Fails with the TUF codes, RW_E_IO, RW_E_NOT_FOUND. */
RW_RC api_trust_open(const char *dir, const char *view, struct api_trust **out, struct rw_err *err);
void api_trust_drop(struct api_trust **t);

/* Reads the published metadata and the policy anew. A policy that verifies is taken even when something behind it
 * fails; else the former one stays in force. A failure is an alarm. */
RW_RC api_trust_refresh(struct api_trust *t, struct rw_wall now, struct rw_err *err);
/* The policy in force; NULL before the first successful refresh. */
const struct ring_policy *api_trust_policy(const struct api_trust *t);
/* Rises with each other policy that is read, by whichever call; 0: there is none. Who keeps a copy compares. */
uint64_t api_trust_policy_serial(const struct api_trust *t);
struct rw_span api_trust_policy_text(const struct api_trust *t);
/* Whether root says that this is a development trust. */
bool api_trust_development(const struct api_trust *t);

/* Class and signed earliest install times of a published release, in the policy's order of rings. Refreshes once
 * when the release is not listed in what was read last. Fails with RW_E_NOT_FOUND and the TUF codes. */
RW_RC api_trust_release(struct api_trust *t, const char *family, int64_t release,
                        char class_out[static RING_POLICY_NAME_BYTES],
                        struct rw_wall not_before[static RING_POLICY_RINGS_MAX],
                        struct rw_err *err);

/* Whether what was read last lists the release no more. Reads and verifies nothing, since endpoints ask: while that is
 * not known, because the last look failed, the answer is no. */
bool api_trust_gone(struct api_trust *t, const char *family, int64_t release);

/* SHA-256 of its payload as the content role lists it. Fails as api_trust_release. */
/* Whether the release was signed as a drill. Fails with RW_E_NOT_FOUND. */
RW_RC api_trust_drill(struct api_trust *t, const char *family, int64_t release, bool *out,
                      struct rw_err *err);
RW_RC api_trust_release_sha256(struct api_trust *t, const char *family, int64_t release,
                               uint8_t sha256_out[static DIGEST_BYTES], struct rw_err *err);

/* Earliest install times by an expedite in force, per ring of the policy; 0 where none makes it earlier. */
RW_RC api_trust_expedited(struct api_trust *t, const char *family, int64_t release,
                          struct rw_wall now, struct rw_wall out[static RING_POLICY_RINGS_MAX],
                          struct rw_err *err);
/* Appends {"role","version","expires"} of every role read last to an open array. */
void api_trust_write_roles(const struct api_trust *t, struct json_writer *w);
/* Appends alarms as strings to an open array: development trust, a failed refresh, roles near their end. */
void api_trust_write_alarms(const struct api_trust *t, struct rw_wall now, struct json_writer *w);
/* Appends Prometheus samples: seconds left per role, trust mode. */
RW_RC api_trust_metrics(const struct api_trust *t, struct rw_wall now, struct rw_buf *into,
                        struct rw_err *err);

#endif
