/* trust_bundle.h: the signed documents of a ceremony in one folder: root.json, targets.json, content-FAMILY.json, and
 * rings.json, the policy that targets list. Each may be missing, as in a rotation.
 *
 * memory   a bundle owns its documents until trust_bundle_drop
 * threads  no shared state
 * source   docs/trust.md "Ceremony"
 */
#ifndef RINGWARD_TRUST_BUNDLE_H
#define RINGWARD_TRUST_BUNDLE_H

#include "common/policy/trust_check.h"

enum { TRUST_BUNDLE_CONTENTS_MAX = 16, TRUST_BUNDLE_FILE_BYTES_MAX = 2 * 1024 * 1024 };

struct trust_bundle_doc {
    struct tuf_doc doc;  /* tree NULL: not in the folder */
    struct rw_buf bytes; /* the envelope as it stands in the file */
};

struct trust_bundle {
    struct trust_bundle_doc root;
    struct trust_bundle_doc targets;
    struct {
        char family[RING_POLICY_NAME_BYTES];
        struct trust_bundle_doc role;
    } contents[TRUST_BUNDLE_CONTENTS_MAX];
    size_t content_count;
    struct rw_buf policy; /* n 0: not in the folder */
};

void trust_bundle_drop(struct trust_bundle *b);
/* Reads what is there; other files are left alone. Fails with RW_E_NOT_FOUND when the folder holds none of them,
 * RW_E_IO, RW_E_SYNTAX, RW_E_SCHEMA. */
RW_RC trust_bundle_load(const char *dir, struct trust_bundle *out, struct rw_err *err);
/* Everything that a new server needs is there, signed by enough keys, fits together and has not expired: root by its
 * own threshold, every family's role empty. Fails with RW_E_TRUST_RULE, RW_E_TUF_*. */
RW_RC trust_bundle_check_first(const struct trust_bundle *b, struct rw_wall now,
                               struct rw_err *err);
/* `text` is the policy that `targets` list: length and SHA-256. Gives it parsed. Fails with RW_E_TUF_HASH. */
RW_RC trust_bundle_check_policy(const struct tuf_doc *targets, struct rw_span text,
                                struct ring_policy *out, struct rw_err *err);

#endif
