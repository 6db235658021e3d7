/* check_yara.h: what the YARA validator does with the content and the samples that it is given.
 *
 * It reports what matched; it never learns what had to match (the launcher judges).
 * memory   a result owns its list of hits until check_yara_drop
 * threads  one thread
 * source   docs/protocol.md 11; INV-5: runs inside the box only
 */
#ifndef RINGWARD_CHECK_YARA_H
#define RINGWARD_CHECK_YARA_H

#include "common/base/buf.h"

enum { CHECK_YARA_REASON_BYTES = 220, CHECK_YARA_NAMED_MAX = 256, CHECK_YARA_NAME_BYTES = 64 };

struct check_yara {
    bool accepted;
    char reason[CHECK_YARA_REASON_BYTES];
    char sha256[65]; /* of the bytes that were read */
    int64_t rules;
    struct rw_buf hits;  /* one '0' or '1' per sample */
    struct rw_buf named; /* first matching rule of the first hits, each with its NUL */
    size_t named_count;
};

struct check_yara check_yara_make(void);
void check_yara_drop(struct check_yara *c);
/* Reads both descriptors from their beginning. libyara must be ready (yara_begin). A refusal is a success of this
 * function. Fails with RW_E_NOMEM, or with RW_E_IO and RW_E_SYNTAX when the *samples* cannot be read. */
RW_RC check_yara_run(struct check_yara *c, int content_fd, int samples_fd, struct rw_err *err);
/* The one object of the verdict pipe. */
RW_RC check_yara_write(const struct check_yara *c, struct rw_buf *into, struct rw_err *err);

#endif
