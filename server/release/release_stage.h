/* release_stage.h: uploaded bytes of releases in DIR/staging/FAMILY/NUMBER.
 *
 * memory   gives descriptors; a place borrows its directory
 * threads  no shared state; write, open and publish are what takes long: meant for another thread than the core's
 * source   docs/protocol.md 4
 */
#ifndef RINGWARD_RELEASE_STAGE_H
#define RINGWARD_RELEASE_STAGE_H

#include "server/release/release_codec.h"

enum release_part { RELEASE_PAYLOAD, RELEASE_SAMPLES };

enum { RELEASE_PATH_BYTES = 128 };

/* One part of a release: where it lies, and the bytes that it was declared to have. What a release declares never
 * changes, so a place outlives the record that it was made from. */
struct release_place {
    int staging_dir; /* DIR/staging */
    struct release_id id;
    enum release_part part;
    struct release_file declared;
};

/* "payload", "samples". Fails with RW_E_NOT_FOUND. */
RW_RC release_stage_part(struct rw_span name, enum release_part *out, struct rw_err *err);
/* "yara/2/payload", below the staging directory. */
void release_stage_path(const struct release_id *id, enum release_part part,
                        char dst[static RELEASE_PATH_BYTES]);
/* Makes the release's own directory. */
RW_RC release_stage_make(int staging_dir, const struct release_id *id, struct rw_err *err);
/* Writes one part durably. Declared length and hash must be met: fails with RW_E_TUF_HASH, and nothing is
 * written. Fails with RW_E_NOT_FOUND when release_stage_make was not called. Writing again changes nothing. */
RW_RC release_stage_write(const struct release_place *p, struct rw_span bytes, struct rw_err *err);
/* Opens one part for reading after its hash was compared anew. Gives a descriptor at offset 0. */
RW_RC release_stage_open(const struct release_place *p, int *fd_out, struct rw_err *err);
/* Copies a payload into the repository's targets under its hashed name, durably, after its hash was compared anew:
 * fails with RW_E_TUF_HASH, and nothing is written. No agent asks for it before a signed role names it. */
RW_RC release_stage_publish(const struct release_place *p, int targets_dir, struct rw_err *err);

#endif
