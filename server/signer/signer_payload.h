/* signer_payload.h: is a listed payload really there, byte for byte?
 *
 * memory   borrows its arguments; reads the file in pieces
 * threads  one thread
 * source   docs/protocol.md 2: targets/content/FAMILY/HASH.RELEASE.rwc
 */
#ifndef RINGWARD_SIGNER_PAYLOAD_H
#define RINGWARD_SIGNER_PAYLOAD_H

#include "common/tuf/tuf_client.h"
#include "server/signer/signer_state.h"

/* Refuses with reason "payload" when the file is missing, of another length or of another hash. */
RW_RC signer_payload_check(const struct signer *s, const struct tuf_target *t, struct rw_err *err);

#endif
