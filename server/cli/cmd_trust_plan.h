/* cmd_trust_plan.h: root and targets as a ceremony plans them: roles with keys and thresholds, ends, policy; read from
 * published documents, written as the unsigned documents that people sign.
 *
 * memory   a plan owns keys and texts until cmd_trust_plan_drop; borrows nothing
 * threads  one thread
 * source   docs/trust.md "Roles" and "Ceremony"; TUF 1.0.34, 4.3 to 4.5
 */
#ifndef RINGWARD_CMD_TRUST_PLAN_H
#define RINGWARD_CMD_TRUST_PLAN_H

#include "common/policy/trust_check.h"
#include "common/tuf/tuf_make.h"

enum {
    CMD_TRUST_DOC_BYTES_MAX = 1024 * 1024,
    CMD_TRUST_ENVELOPE_BYTES_MAX = CMD_TRUST_DOC_BYTES_MAX + 65536,
    CMD_TRUST_TOP_ROLES = 4,
};

struct cmd_trust_plan {
    struct tuf_sigset_authority top[CMD_TRUST_TOP_ROLES]; /* root, snapshot, targets, timestamp */
    struct tuf_sigset_authority *delegated;               /* TRUST_CHECK_DELEGATIONS_MAX places */
    size_t delegated_count;
    int64_t root_version;
    struct rw_wall root_expires;
    int64_t targets_version;
    struct rw_wall targets_expires;
    struct rw_wall made;    /* said in every document that is written; s 0: not said */
    struct tuf_doc root;    /* published; no tree: a first ceremony */
    struct tuf_doc targets; /* published; no tree: a first ceremony */
    struct rw_buf policy;   /* text of a new rings.json; n 0: the published one stays */
};

/* An empty plan, versions 1. Fails with RW_E_NOMEM. */
RW_RC cmd_trust_plan_begin(struct cmd_trust_plan *p, struct rw_err *err);
void cmd_trust_plan_drop(struct cmd_trust_plan *p);
/* Takes the published documents (moves them) and reads what they say. Fails with RW_E_SCHEMA. */
RW_RC cmd_trust_plan_take(struct cmd_trust_plan *p, struct tuf_doc *root, struct tuf_doc *targets,
                          struct rw_err *err);

/* The role by name, NULL when the plan has none. */
struct tuf_sigset_authority *cmd_trust_plan_find(struct cmd_trust_plan *p, const char *role);
/* The same, adding an empty content-FAMILY, ring-RING or expedite when there is none.
 * Fails with RW_E_USAGE (another name), RW_E_TOO_BIG. */
RW_RC cmd_trust_plan_role(struct cmd_trust_plan *p, const char *role,
                          struct tuf_sigset_authority **out, struct rw_err *err);
/* Adds the key of a public file. Fails with key_public_read's codes, RW_E_EXISTS when the role has it already. */
RW_RC cmd_trust_plan_add_key(struct tuf_sigset_authority *role, const char *file,
                             struct rw_err *err);

/* The unsigned documents. They are read back and checked as agents and signer will: what nobody could sign, or what
 * lets an online key install something, is refused here. */
RW_RC cmd_trust_plan_write_root(const struct cmd_trust_plan *p, struct rw_buf *into,
                                struct rw_err *err);
RW_RC cmd_trust_plan_write_targets(const struct cmd_trust_plan *p, struct rw_buf *into,
                                   struct rw_err *err);
/* A content role with what `had` says (no tree: no releases), one version up. */
RW_RC cmd_trust_plan_write_content(const struct tuf_doc *had, struct tuf_make_life life,
                                   struct rw_buf *into, struct rw_err *err);
/* The unsigned text as the document that it will be, without signatures. */
RW_RC cmd_trust_plan_parse(struct rw_span text, const char *type, struct tuf_doc *out,
                           struct rw_err *err);

#endif
