/* content_delta.h: content as a difference to a release that is stored already (zstd, "patch from").
 *
 * The difference is not signed and need not be: only the hash of the result counts (docs/protocol.md 2). It is decoded
 * by a process of its own, ringward-patch, which can do nothing but compute (INV-5).
 *
 * memory   nothing is kept; the agent never holds content in memory
 * threads  one writer per store
 * source   docs/architecture.md "Network"
 */
#ifndef RINGWARD_CONTENT_DELTA_H
#define RINGWARD_CONTENT_DELTA_H

#include "common/crypto/digest.h"
#include "common/net/http_client.h"

struct content_delta_want {
    const char *url_path;
    const char *program_dir;    /* folder of ringward-patch */
    const uint8_t *base_sha256; /* DIGEST_BYTES; must be stored */
    int64_t base_bytes;
    const uint8_t *sha256; /* of the result, signed */
    int64_t length;        /* of the result, signed */
    int64_t slice_ms;      /* for the download */
    int64_t budget_bytes;  /* what the whole store may hold; 0: no budget */
};

/* Fetches the difference, applies it, verifies the result and gives it its name in the store. *bytes_out: what was
 * fetched. Fails with RW_E_NOT_FOUND (the server has none, or the base is not stored), and in many other ways: the
 * caller fetches the whole content then. Leaves nothing behind. */
RW_RC content_delta_fetch(int store_dir, struct http_client *http,
                          const struct content_delta_want *want, int64_t *bytes_out,
                          struct rw_err *err);

#endif
