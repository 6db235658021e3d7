/* box_samples.h: everything that content is tried on: the release's vectors, clean files, our own files.
 *
 * memory   owns files, paths and list until box_samples_drop; spans borrow from them
 * threads  no shared state
 * source   docs/protocol.md 11; INV-10: our own files are always among the samples
 */
#ifndef RINGWARD_BOX_SAMPLES_H
#define RINGWARD_BOX_SAMPLES_H

#include "agent/prove/box_memory.h"
#include "agent/prove/box_pick.h"
#include "common/box/samples_codec.h"

enum {
    BOX_CLEAN_FILES_DEFAULT = 500,
    BOX_CLEAN_BYTES_MAX = 40 * 1024 * 1024, /* of all clean files together */
    BOX_CLEAN_FILE_BYTES = 1024 * 1024,     /* of one: larger ones are tried with their head */
    BOX_OWN_FILE_BYTES = 8 * 1024 * 1024,
    BOX_SECOND_RUN_BYTES = 8 * 1024 * 1024, /* what the determinism run repeats at most */
};

enum box_sample_kind {
    BOX_SAMPLE_MUST,
    BOX_SAMPLE_MUST_NOT,
    BOX_SAMPLE_CLEAN,
    BOX_SAMPLE_OWN,
    BOX_SAMPLE_KNOWN, /* a clean file that the release before hits too: judges nobody */
};

struct box_sample {
    enum box_sample_kind kind;
    struct rw_span bytes;
    const char *path; /* of a file of this host; NULL: one of the release's vectors */
    size_t at;        /* offset in the pool, for files of this host */
};

struct box_samples {
    struct box_sample *at; /* owned */
    size_t count;
    struct box_memory release; /* the RWS1 file */
    struct samples_list vectors;
    struct box_memory pool; /* bytes of clean and own files, one behind another */
    struct box_pick paths;
    const char *named; /* of `paths`: the own file that was asked for; NULL: none */
    struct rw_span
        manifest; /* of the installed sensor, borrowed; goes along with every bundle; n 0: none */
    uint64_t seed;
    int64_t clean_files, clean_bytes;
};

/* Reads the release's file (NULL: none), chooses `clean_want` files by `seed`, adds our own files and
 * `own_extra` (NULL: none). What box_secret_rule.h calls a secret is left out. Fails with RW_E_SYNTAX (samples
 * file), RW_E_IO, RW_E_NOMEM, and with RW_E_NOT_FOUND when an own file that was named cannot be read. */
RW_RC box_samples_gather(struct box_samples *s, const char *release_file, size_t clean_want,
                         const char *own_extra, uint64_t seed, struct rw_err *err);
/* Writes the validator's view of the samples order[0..n-1], and the manifest behind it, and seals it. */
RW_RC box_samples_bundle(const struct box_samples *s, const uint32_t *order, size_t n,
                         struct box_memory *out, struct rw_err *err);
void box_samples_drop(struct box_samples *s);

#endif
