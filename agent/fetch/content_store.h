/* content_store.h: content files by their SHA-256 ("store/HEX"), and the download into it.
 *
 * A file gets its name only after length and hash were verified; until then it is ".HEX.part", where an
 * interrupted download goes on. Stored files are read-only: sets are hard links of them.
 *
 * memory   nothing is kept; content never passes through memory as a whole
 * threads  one writer; other threads may open finished files
 * source   docs/protocol.md 9; docs/trust.md "Target files": a cached file counts after it was verified again
 */
#ifndef RINGWARD_CONTENT_STORE_H
#define RINGWARD_CONTENT_STORE_H

#include "common/crypto/digest.h"
#include "common/net/http_client.h"

enum { CONTENT_STORE_BYTES_MAX = 512 * 1024 * 1024 };

struct content_store_want {
    const char *url_path;  /* "/repo/targets/content/yara/HASH.2.rwc" */
    int64_t length;        /* signed */
    const uint8_t *sha256; /* signed; DIGEST_BYTES */
};

/* Is the file there, with this length and hash? One that differs is removed. */
bool content_store_has(int store_dir, const uint8_t sha256[static DIGEST_BYTES], int64_t length);
/* Makes sure that it is there: resumes or begins the download, verifies, names, syncs.
 * Fails with RW_E_TOO_BIG, RW_E_TUF_HASH, RW_E_NOT_FOUND, RW_E_HTTP, RW_E_NET, RW_E_IO, RW_E_FULL. */
RW_RC content_store_fetch(int store_dir, struct http_client *http,
                          const struct content_store_want *want, struct rw_err *err);
/* Takes bytes that are here already (tests, and content that comes by hand). */
RW_RC content_store_put(int store_dir, struct rw_span content, struct rw_err *err);
/* Removes everything, also partial files, but `keep` (an array of hashes). Gives how many were removed. */
RW_RC content_store_collect(int store_dir, const uint8_t (*keep)[DIGEST_BYTES], size_t keep_count,
                            size_t *removed_out, struct rw_err *err);

#endif
