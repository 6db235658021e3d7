/* box_secret_rule.h: may a validator see this file of the host? Secrets are no samples: content that breaks a validator
 * would read them, and a rule that tells by its hits what they hold needs not even that.
 *
 * memory   values only
 * threads  pure
 * source   docs/sandbox.md "What is no sample"; INV-10 asks for our own settings, not for our keys
 */
#ifndef RINGWARD_BOX_SECRET_RULE_H
#define RINGWARD_BOX_SECRET_RULE_H

#include "common/base/buf.h"

struct box_secret_rule_file {
    const char *path;
    unsigned mode;
    bool own;            /* one of Ringward's files; else one of the host */
    struct rw_span head; /* its first bytes */
};

enum box_secret {
    BOX_SECRET_NONE,
    BOX_SECRET_NAME, /* *.token, *.key */
    BOX_SECRET_MODE, /* not for everybody (host), for its owner alone (own, no program and no *.conf) */
    BOX_SECRET_TOKEN, /* begins as our tokens do, whatever its name */
    BOX_SECRET_KEY,   /* a text that holds a private key */
};

enum box_secret box_secret_rule(const struct box_secret_rule_file *f);

#endif
