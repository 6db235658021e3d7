/* release_stage.h: uploaded bytes of releases in DIR/staging/FAMILY/NUMBER.
 *
 * memory   gives descriptors
 * threads  no shared state; release_stage_write may run on any thread
 * source   docs/protocol.md 4
 */
#ifndef RINGWARD_RELEASE_STAGE_H
#define RINGWARD_RELEASE_STAGE_H

#include "server/release/release_codec.h"

enum release_part { RELEASE_PAYLOAD, RELEASE_SAMPLES };

enum { RELEASE_PATH_BYTES = 128 };

/* "payload", "samples". Fails with RW_E_NOT_FOUND. */
RW_RC release_stage_part(struct rw_span name, enum release_part *out, struct rw_err *err);
/* "yara/2/payload", below the staging directory. */
void release_stage_path(const struct release_id *id, enum release_part part,
                        char dst[static RELEASE_PATH_BYTES]);
/* Makes the release's own directory. */
RW_RC release_stage_make(int staging_dir, const struct release_id *id, struct rw_err *err);
/* Writes one part durably. Declared length and hash must be met: fails with RW_E_TUF_HASH, and nothing is
 * written. Fails with RW_E_NOT_FOUND when release_stage_make was not called. */
RW_RC release_stage_write(int staging_dir, const struct release_id *id, enum release_part part,
                          const struct release_file *declared, struct rw_span bytes,
                          struct rw_err *err);
/* Opens one part for reading after its hash was compared anew. Gives a descriptor at offset 0. */
RW_RC release_stage_open(int staging_dir, const struct release_id *id, enum release_part part,
                         const struct release_file *declared, int *fd_out, struct rw_err *err);

#endif
