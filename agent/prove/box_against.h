/* box_against.h: the release before in the same box: which clean files it hits too, and what it needs.
 *
 * Measured now and on this host, never taken from a record: another machine, another load, another library would
 * compare nothing.
 * memory   borrows everything
 * threads  the process must have one thread
 * source   docs/sandbox.md "Checks"
 */
#ifndef RINGWARD_BOX_AGAINST_H
#define RINGWARD_BOX_AGAINST_H

#include "agent/prove/box_try.h"

/* Clean files that `first` hit are tried with the release before; those that it hits as well become
 * BOX_SAMPLE_KNOWN. *left_out_out: how many. */
RW_RC box_against_leave_out(const struct box_try *t, const struct box_memory *before,
                            const struct box_judge_run *first, struct box_samples *samples,
                            struct verdict *v, struct rw_err *err);
/* Both on the samples of `like`, in turn, three times each (fewer when nothing can be wrong any more). Fills the checks
 * memory, cpu, slowest and count; an acceptance becomes a refusal when one of them is not in order, and no verdict
 * when there was no time to measure (INV-3). */
RW_RC box_against_measure(const struct box_try *t, const struct box_memory *now,
                          const struct box_memory *before, const struct box_judge_run *like,
                          struct verdict *v, struct rw_err *err);

#endif
