/* tuf_path.h: names of roles, targets and files: matching, encoding, URLs.
 *
 * memory   writes only into what the caller gives
 * threads  no shared state
 * source   TUF 1.0.34, 4.5 (PATHPATTERN), 5.6.7; docs/trust.md "Names and paths"
 */
#ifndef RINGWARD_TUF_PATH_H
#define RINGWARD_TUF_PATH_H

#include "common/json/json_read.h"

/* Part by part between '/', '*' and '?' only, never across '/'; byte-wise, case-sensitive. */
bool tuf_path_match(struct rw_span pattern, struct rw_span path);
/* Whether a delegation (its "paths" or "path_hash_prefixes") covers the path. Fails with RW_E_CRYPTO, RW_E_SCHEMA. */
RW_RC tuf_path_covered(const struct json *delegation, const char *path, bool *covered_out,
                       struct rw_err *err);
/* "<percent-encoded role>.json", with "VERSION." before it when version > 0. Fails with RW_E_TOO_BIG. */
RW_RC tuf_path_metadata_name(const char *role, int64_t version, char *dst, size_t cap,
                             struct rw_err *err);

#endif
