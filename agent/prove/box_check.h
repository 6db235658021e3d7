/* box_check.h: the whole check of one content: inputs, samples, run, second run, one verdict.
 *
 * memory   borrows the request; fills a plain value
 * threads  the process must have one thread
 * source   docs/protocol.md 11; INV-5, INV-10, INV-12
 */
#ifndef RINGWARD_BOX_CHECK_H
#define RINGWARD_BOX_CHECK_H

#include "agent/prove/box_judge.h"

enum {
    BOX_VALIDATOR_BYTES_MAX = 64 * 1024 * 1024,
    BOX_CONTENT_BYTES_MAX = 64 * 1024 * 1024,
};

struct box_check_request {
    const char *validator; /* path of a static executable */
    const char *type;
    const char *content;  /* path */
    const char *samples;  /* path of an RWS1 file; NULL: none */
    const char *own_file; /* one more file that content must never match; NULL: none */
    size_t clean_files;
    uint64_t seed;
    int64_t wall_ms; /* for both runs together */
    int64_t cpu_s;   /* each run */
    int64_t memory_bytes;
};

/* Fails when an input cannot be read (its code says why); everything behind that is a verdict. */
RW_RC box_check_content(const struct box_check_request *req, struct verdict *out,
                        struct rw_err *err);

#endif
