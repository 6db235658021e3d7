/* signer_payload.h: is a listed payload really there, byte for byte?
 *
 * The answer is about the moment of the look: whoever may write into repo/targets (the server) can spoil the file right
 * behind it, and then every endpoint refuses the bytes. So it protects from publishing what is not there, not from the
 * server; and a payload that was hashed a moment ago, and of which the kernel says that it is still that very file,
 * need not be hashed again (docs/decisions.md).
 *
 * memory   borrows its arguments; reads the file in pieces; remembers the last SIGNER_PAYLOADS_MAX
 * threads  one thread
 * source   docs/protocol.md 2: targets/content/FAMILY/HASH.RELEASE.rwc
 */
#ifndef RINGWARD_SIGNER_PAYLOAD_H
#define RINGWARD_SIGNER_PAYLOAD_H

#include "common/tuf/tuf_client.h"
#include "server/signer/signer_state.h"

enum {
    SIGNER_PAYLOAD_SLICE_BYTES = 2 * 1024 * 1024, /* some ms: nobody notices waiting for one */
    SIGNER_PAYLOAD_GOOD_S = 86400,                /* older knowledge is none: it is hashed again */
};

/* Refuses with reason "payload" when the file is missing, of another length or of another hash. */
RW_RC signer_payload_check(struct signer *s, const struct tuf_target *t, struct rw_err *err);

/* The same ahead of the request that needs it, one slice with each call: *more_out says that another call is needed.
 * What it found is remembered. A request about another payload begins with that one and forgets how far this one was.
 * Refuses as signer_payload_check. */
RW_RC signer_payload_look(struct signer *s, const struct signer_request *r, bool *more_out,
                          struct rw_err *err);

void signer_payload_drop_look(struct signer_look *l);

#endif
