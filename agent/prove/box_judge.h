/* box_judge.h: from what was seen of one run to its verdict: the launcher, not the validator, judges the hits.
 *
 * memory   borrows the run; fills a plain value
 * threads  no shared state
 * source   docs/protocol.md 11; INV-10, INV-12
 */
#ifndef RINGWARD_BOX_JUDGE_H
#define RINGWARD_BOX_JUDGE_H

#include "agent/prove/box_said.h"
#include "agent/prove/box_samples.h"
#include "agent/prove/box_watch.h"

struct box_judge_run {
    struct box_watch watch;
    struct box_said said;
    bool spoke_lines; /* `said` was made of what it printed */
    int exit_as;      /* then: what its exit status means among validators */
    uint32_t
        order[SAMPLES_BLIND_COUNT_MAX]; /* the validator's i-th sample is samples->at[order[i]] */
    size_t count;
};

/* Fills kind, final, reason, evidence, usage, the checks of samples (anew) and sandbox. The facts of the content,
 * the validator and the limits stand in `v` already. */
void box_judge(const struct box_judge_run *run, const struct box_samples *samples,
               struct verdict *v);
/* Did both runs say the same of every sample of the second? */
bool box_judge_same_hits(const struct box_judge_run *first, const struct box_judge_run *second);

#endif
