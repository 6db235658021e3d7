/* signer_check_expedite.h: may this role of the duty officers follow the published one?
 *
 * memory   borrows its arguments
 * threads  one thread
 * source   docs/trust.md "Expedite"; INV-7: what it names must be listed by the engineers
 */
#ifndef RINGWARD_SIGNER_CHECK_EXPEDITE_H
#define RINGWARD_SIGNER_CHECK_EXPEDITE_H

#include "server/signer/signer_check.h"

/* Signed by enough officers, one version up, no longer than the policy allows, every entry for a release that the
 * content role lists with this length and hash, in rings that the policy knows. Reasons: unknown-role, document,
 * threshold, version, expired, entry, unlisted. */
RW_RC signer_check_expedite(const struct signer_view *v, struct rw_span envelope,
                            struct signer_check_result *out, struct rw_err *err);

#endif
