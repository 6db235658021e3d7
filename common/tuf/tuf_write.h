/* tuf_write.h: making signed metadata: envelopes around a "signed" object.
 *
 * memory   appends to buffers of the caller; borrows keys
 * threads  no shared state
 * source   TUF 1.0.34, 4.2.1 (envelope); what is signed is the canonical form of "signed"
 */
#ifndef RINGWARD_TUF_WRITE_H
#define RINGWARD_TUF_WRITE_H

#include "common/crypto/key.h"

/* Hex signature of the canonical form of the JSON text `signed_text` by `key`. Fails with RW_E_SYNTAX, RW_E_CRYPTO. */
RW_RC tuf_write_sign(struct rw_span signed_text, const struct key *key,
                     char sig_hex[static 2 * SIG_BYTES_MAX + 1], struct rw_err *err);
/* Writes {"signatures":[...],"signed":<signed_text>} signed by every key of the list. */
RW_RC tuf_write_envelope(struct rw_span signed_text, const struct key *keys, size_t key_count,
                         struct rw_buf *into, struct rw_err *err);
struct tuf_write_sig {
    char keyid[DIGEST_HEX_BYTES];
    char sig_hex[2 * SIG_BYTES_MAX + 1];
};
/* The same from signatures that were made elsewhere. */
RW_RC tuf_write_envelope_of(struct rw_span signed_text, const struct tuf_write_sig *sigs,
                            size_t sig_count, struct rw_buf *into, struct rw_err *err);

#endif
