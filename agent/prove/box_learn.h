/* box_learn.h: for a vendor who fits a parser to the box: which calls it wants beyond the list.
 *
 * A learning run answers every denied call with EPERM and writes it down. It gives no verdict, ever.
 * memory   a plain value, bounded
 * threads  one thread
 * source   docs/validators.md
 */
#ifndef RINGWARD_BOX_LEARN_H
#define RINGWARD_BOX_LEARN_H

#include "agent/prove/box_phase.h"
#include "common/base/buf.h"

enum { BOX_LEARN_MAX = 128, BOX_LEARN_OUTPUT_BYTES = 8192 };

struct box_learn {
    struct {
        int nr;
        const char *phase;
        uint64_t args[3]; /* of the first of them */
        int64_t count;
    } at[BOX_LEARN_MAX];
    size_t count;
    int64_t lost;                        /* different calls that did not fit */
    char output[BOX_LEARN_OUTPUT_BYTES]; /* of the validator, printable signs only */
};

void box_learn_note(struct box_learn *learn, const struct seccomp_data *call, const char *phase);
/* What the validator printed: of several runs the first is kept. */
void box_learn_keep(struct box_learn *learn, struct rw_span output);
/* One line per call on stdout, then the output. */
void box_learn_print(const struct box_learn *learn);

#endif
