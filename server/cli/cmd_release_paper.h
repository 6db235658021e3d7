/* cmd_release_paper.h: what a person is asked to sign, compared with what is published.
 *
 * The server proposes a document; a server in a thief's hands would propose one entry more. So each document is
 * compared with the published role, which this machine verified from its own trusted root, before a key is touched
 * (INV-7).
 *
 * memory   borrows its arguments
 * threads  no shared state
 * source   docs/trust.md "Releases"
 */
#ifndef RINGWARD_CMD_RELEASE_PAPER_H
#define RINGWARD_CMD_RELEASE_PAPER_H

#include "common/policy/entry_codec.h"
#include "common/tuf/tuf_doc.h"

enum cmd_release_paper_kind {
    CMD_RELEASE_PAPER_RELEASE, /* one release more; old ones may have left */
    CMD_RELEASE_PAPER_WITHDRAW,
    CMD_RELEASE_PAPER_RENEW,
    CMD_RELEASE_PAPER_EXPEDITE,
};

/* What the person means to sign. */
struct cmd_release_paper {
    enum cmd_release_paper_kind kind;
    const char *family;
    int64_t release;    /* RENEW: 0 */
    int64_t floor;      /* RENEW: the floor that is meant; 0: as it is */
    const char *sha256; /* RELEASE: of the payload at hand */
    int64_t length;
    bool drill; /* RELEASE: it is meant to be a drill */
    struct rw_wall now;
    struct rw_wall root_expires; /* of the root that this machine verified */
};

/* `published`: the role's verified document; tree NULL: there is none yet (EXPEDITE only). `content`: the family's
 * verified content role, for EXPEDITE. Fails with RW_E_TRUST_RULE and the schema codes, naming what is not as it
 * should be. */
RW_RC cmd_release_paper_check(const struct cmd_release_paper *want, const struct json *doc,
                              const struct tuf_doc *published, const struct tuf_doc *content,
                              struct rw_err *err);
/* What an expedite document says of the release; for people to read before they sign. */
RW_RC cmd_release_paper_expedite(const struct cmd_release_paper *want, const struct json *doc,
                                 struct entry_codec_expedite *out, struct rw_err *err);

#endif
