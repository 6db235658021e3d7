/* tuf_bins.h: succinct hash-bin delegations: one description for 2^bits roles that share keys and threshold.
 *
 * memory   writes only into what the caller gives
 * threads  no shared state
 * source   TAP 15; TUF 1.0.34, 4.5 (succinct_roles)
 */
#ifndef RINGWARD_TUF_BINS_H
#define RINGWARD_TUF_BINS_H

#include "common/json/json_read.h"

enum { TUF_BINS_BITS_MAX = 32 };

/* Shape of a "succinct_roles" object besides its keys and threshold. Fails with RW_E_SCHEMA, RW_E_RANGE. */
RW_RC tuf_bins_check(const struct json *succinct, struct rw_err *err);
/* Name of the bin that a path falls into: the first bits of SHA-256(path), in hex as wide as the greatest bin.
 * Fails with RW_E_CRYPTO, RW_E_TOO_BIG. */
RW_RC tuf_bins_role(const struct json *succinct, const char *path, char *dst, size_t cap,
                    struct rw_err *err);
/* Whether `role` is one of the bins. */
bool tuf_bins_has(const struct json *succinct, const char *role);

#endif
