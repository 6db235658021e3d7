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
    int64_t slice_ms;      /* ends with RW_E_TIMEOUT after so long, to go on later; 0: no slices */
    int64_t budget_bytes;  /* what the whole store may hold; 0: no budget */
    int64_t *got; /* receives how many bytes came in this call; NULL: nobody wants to know */
};

/* Is the file there, with this length and hash? One that differs is removed. */
bool content_store_has(int store_dir, const uint8_t sha256[static DIGEST_BYTES], int64_t length);
/* The same, and read-only as it should be: a wrong mode is put right, a file that cannot be ours is removed. */
bool content_store_mend(int store_dir, const uint8_t sha256[static DIGEST_BYTES], int64_t length);
/* Has a download of it begun? */
bool content_store_has_part(int store_dir, const uint8_t sha256[static DIGEST_BYTES]);
/* Makes sure that it is there: resumes or begins the download, hashing while it writes, then names and syncs. What
 * came before a cut stays for the next call.
 * Fails with RW_E_TOO_BIG, RW_E_TUF_HASH, RW_E_FULL (budget, disk), RW_E_TIMEOUT, RW_E_NET, RW_E_HTTP and the like. */
RW_RC content_store_fetch(int store_dir, struct http_client *http,
                          const struct content_store_want *want, struct rw_err *err);
/* Is there room for so many bytes more, by the budget (0: none) and on the disk? Fails with RW_E_FULL. */
RW_RC content_store_room(int store_dir, int64_t more_bytes, int64_t budget_bytes,
                         struct rw_err *err);
/* Takes bytes that are here already (tests, and content that comes by hand). */
RW_RC content_store_put(int store_dir, struct rw_span content, struct rw_err *err);
/* Removes everything, also partial files, but `keep` (an array of hashes). Gives how many were removed. */
RW_RC content_store_collect(int store_dir, const uint8_t (*keep)[DIGEST_BYTES], size_t keep_count,
                            size_t *removed_out, struct rw_err *err);

#endif
