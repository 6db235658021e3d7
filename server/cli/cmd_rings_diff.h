/* cmd_rings_diff.h: what another policy would change, in words, and what of it is less careful.
 *
 * memory   borrows its arguments
 * threads  one thread
 * source   docs/cli.md "Policy"
 */
#ifndef RINGWARD_CMD_RINGS_DIFF_H
#define RINGWARD_CMD_RINGS_DIFF_H

#include "common/policy/ring_policy.h"

struct cmd_rings_diff {
    size_t changes;
    size_t looser; /* changes by which more endpoints may be harmed, or sooner, or unseen */
};

/* Prints one line per change on standard output. */
struct cmd_rings_diff cmd_rings_diff(const struct ring_policy *had, const struct ring_policy *next);

#endif
