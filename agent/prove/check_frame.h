/* check_frame.h: the frame around a validator: arguments, descriptors, exit status.
 *
 * memory   frees everything before return
 * threads  one thread
 * source   docs/protocol.md 11 "A validator"
 */
#ifndef RINGWARD_CHECK_FRAME_H
#define RINGWARD_CHECK_FRAME_H

#include "agent/prove/check_input.h"
#include "agent/prove/check_said.h"

struct check_frame_validator {
    const char *name;
    const char *type;
    size_t content_max;
    RW_RC (*begin)(struct rw_err *err); /* before the content is touched; NULL: nothing to do */
    RW_RC (*run)(struct check_input *in, struct check_said *said, struct rw_err *err);
};

/* Reads 3 and 4, runs, writes 5. Gives the exit status. */
int check_frame(const struct check_frame_validator *v, int argc, char **argv);

#endif
