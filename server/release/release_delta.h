/* release_delta.h: differences between recent releases, beside the payloads in the repository.
 *
 * repo/targets/delta/FAMILY/TO.FROM.zst, named by the hashes of new and old content, made by zstd with the old content
 * as prefix ("patch from"). They are not signed: an agent believes the hash of what comes out. A release without them
 * is only larger to fetch, so nothing waits for them and a failure is a line in the log.
 *
 * memory   old and new content and the difference at a time, at most RELEASE_DELTA_BYTES_MAX each
 * threads  release_delta_start from any thread; the work runs in a thread of its own
 * source   docs/protocol.md 2
 */
#ifndef RINGWARD_RELEASE_DELTA_H
#define RINGWARD_RELEASE_DELTA_H

#include "server/release/release_codec.h"

enum {
    RELEASE_DELTA_BYTES_MAX = 64 * 1024 * 1024, /* larger content is served whole */
    RELEASE_DELTA_BASES = 3,                    /* how many releases before the newest */
};

struct release_delta_done {
    int made;
    int64_t delta_bytes; /* of what was made */
    int64_t whole_bytes; /* what the same would cost without */
};

/* Makes what is missing for the newest published release of the family, removes what nobody asks for any more.
 * `repo_dir` (DIR/repo) is borrowed until return. Fails with RW_E_IO, RW_E_FULL, RW_E_NOMEM. */
RW_RC release_delta_make(int repo_dir, const char *family, struct release_delta_done *out,
                         struct rw_err *err);
/* The same in the background, at low priority. */
void release_delta_start(int repo_dir, const char *family);

#endif
