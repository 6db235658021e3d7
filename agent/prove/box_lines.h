/* box_lines.h: reads what a program printed that does not speak the validators' protocol, as if it did.
 *
 * The program was given the samples as files /samples/0, /samples/1, ... A line that names one of them and bears the
 * hit word is a hit. Exit 0: ran, nothing matched; 1: ran, something matched; 2: refused the content.
 * memory   borrows the output, fills a plain value
 * threads  no shared state
 * source   docs/validators.md
 */
#ifndef RINGWARD_BOX_LINES_H
#define RINGWARD_BOX_LINES_H

#include "agent/prove/box_said.h"

/* Where the output disagrees with the exit status, or names a sample that there is not, `out` is not valid. Gives the
 * exit status that a validator of our own would have had. */
int box_lines_read(struct rw_span output, const char *hit_word, size_t samples, int exit_status,
                   struct box_said *out);

/* The same of a program that says all by its exit status, as loaders do. 0: loads; any other: refused, with the reason
 * that it printed; 12 and 125 and above keep their meaning (docs/validators.md). */
int box_lines_read_exit(struct rw_span output, int exit_status, struct box_said *out);

#endif
