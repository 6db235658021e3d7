/* cmd_trust_file.h: the folder of a ceremony: unsigned documents, and beside each the signatures that were collected.
 *
 *   root.json targets.json content-FAMILY.json   what is signed, before anybody signed it
 *   root.json.KEYID.sig                          one signature, made on one machine
 *   rings.json                                   the policy that targets list
 *
 * memory   gives texts in buffers of the caller
 * threads  one thread
 * source   docs/trust.md "Ceremony"
 */
#ifndef RINGWARD_CMD_TRUST_FILE_H
#define RINGWARD_CMD_TRUST_FILE_H

#include "common/policy/trust_bundle.h"

enum { CMD_TRUST_PATH_BYTES = 4096, CMD_TRUST_NAME_BYTES = 64 };

/* "root" or "targets", by the document's own "_type"; hash of the canonical form, as people compare it. */
struct cmd_trust_file {
    struct rw_buf text; /* the unsigned document */
    char type[CMD_TRUST_NAME_BYTES];
    char sha256[DIGEST_HEX_BYTES];
    int64_t version;
    struct rw_wall expires;
};

void cmd_trust_file_drop(struct cmd_trust_file *f);
/* Fails with RW_E_NOT_FOUND, RW_E_SYNTAX, RW_E_SCHEMA (no root or targets document). */
RW_RC cmd_trust_file_read(const char *path, struct cmd_trust_file *out, struct rw_err *err);
/* Writes DIR/NAME.json and prints its line: name, version, end, hash. Fails with RW_E_EXISTS. */
RW_RC cmd_trust_file_write(const char *dir, const char *name, struct rw_span text,
                           struct rw_err *err);
/* Writes the detached signature beside `path`; `name_out` receives its path. */
RW_RC cmd_trust_file_sign(const char *path, const struct cmd_trust_file *f, const struct key *k,
                          char name_out[static CMD_TRUST_PATH_BYTES], struct rw_err *err);
/* Puts documents and signatures of the folder together; thresholds are the caller's business. A signature of another
 * document under this name is refused by name: somebody signed something else. */
RW_RC cmd_trust_file_gather(const char *dir, struct trust_bundle *out, struct rw_err *err);

#endif
