/* manifest_codec.h: manifest.json of one content set, both directions.
 *
 * memory   plain values
 * threads  no shared state
 * source   docs/protocol.md 9
 */
#ifndef RINGWARD_MANIFEST_CODEC_H
#define RINGWARD_MANIFEST_CODEC_H

#include "common/crypto/digest.h"
#include "common/json/json_write.h"
#include "common/policy/install_rule.h"

enum { MANIFEST_FAMILIES_MAX = 8, MANIFEST_BYTES_MAX = 8192 };

struct manifest_entry {
    char family[INSTALL_NAME_BYTES];
    int64_t release;
    uint8_t sha256[DIGEST_BYTES];
    int64_t bytes;
};

struct manifest {
    int64_t set; /* 0: the empty built-in set */
    struct manifest_entry content[MANIFEST_FAMILIES_MAX];
    size_t count;
};

RW_RC manifest_write(const struct manifest *m, struct rw_buf *into, struct rw_err *err);
/* Strict: unknown members, a family twice, names that are no file names. Fails with RW_E_SYNTAX, RW_E_SCHEMA,
 * RW_E_RANGE. */
RW_RC manifest_read(struct rw_span text, struct manifest *out, struct rw_err *err);

/* NULL when the set does not hold the family. */
const struct manifest_entry *manifest_find(const struct manifest *m, const char *family);
/* Sets or replaces one family's entry. Fails with RW_E_FULL. */
RW_RC manifest_put(struct manifest *m, const struct manifest_entry *e, struct rw_err *err);
void manifest_remove(struct manifest *m, const char *family);
/* Do both hold the same content, whatever their numbers? */
bool manifest_same_content(const struct manifest *a, const struct manifest *b);

#endif
