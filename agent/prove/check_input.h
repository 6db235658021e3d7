/* check_input.h: what a validator is given: the content, samples one by one, and perhaps the sensor's manifest.
 *
 * memory   owns content, manifest and the present sample until check_input_drop
 * threads  one thread
 * source   docs/protocol.md 11 "A validator"; runs inside the box (INV-5)
 */
#ifndef RINGWARD_CHECK_INPUT_H
#define RINGWARD_CHECK_INPUT_H

#include "common/base/buf.h"

#include <sys/types.h>

enum { CHECK_INPUT_MANIFEST_BYTES_MAX = 128 * 1024 };

struct check_input {
    struct rw_buf content;
    char sha256[65];        /* of the bytes that were read */
    struct rw_buf manifest; /* empty: none was given */
    uint32_t sample_count;
    uint32_t given; /* samples handed out so far */
    int samples_fd; /* borrowed */
    off_t at;
    struct rw_buf sample;
};

struct check_input check_input_make(size_t content_max);
void check_input_drop(struct check_input *in);
/* Reads content and manifest and counts the samples. Fails with RW_E_TOO_BIG (content), RW_E_SYNTAX (samples),
 * RW_E_IO, RW_E_NOMEM. */
RW_RC check_input_read(struct check_input *in, int content_fd, int samples_fd, struct rw_err *err);
/* The next sample, borrowed until the next call: one in memory at a time, so that the peak is that of the content
 * and not of the samples. False behind the last. */
RW_RC check_input_next(struct check_input *in, struct rw_span *sample_out, bool *more_out,
                       struct rw_err *err);

#endif
