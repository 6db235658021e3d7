/* mute_rule.h: has the sensor lost its function with this load, although it lives?
 *
 * A sensor that is there, answers, and detects nothing any more looks like a healthy one on a quiet host. What tells
 * them apart is what the sensor says of itself: its self-test, and the counts that it gave with the release before. How
 * much it scans or finds is no sign: a host may be idle, and a release may drop a rule that found too much.
 *
 * memory   values only
 * threads  pure
 * source   docs/health.md "Storm, slow and mute"
 */
#ifndef RINGWARD_MUTE_RULE_H
#define RINGWARD_MUTE_RULE_H

#include "common/base/err.h"

struct mute_rule_evidence {
    bool failed;         /* it says that it does not detect its own sample */
    bool fresh;          /* this load brought another release than the one before */
    bool tested;         /* it has said how its self-test went */
    bool tested_before;  /* with the load before it had */
    bool counted;        /* it has given counts */
    bool counted_before; /* with the load before it had */
    int64_t age_ms;      /* of its last sign of life, since it had proven the load */
    int64_t wait_ms;     /* what it says of itself may take so long */
};
enum mute_rule {
    MUTE_NO,
    MUTE_SAMPLE,    /* the self-test failed */
    MUTE_UNTESTED,  /* no self-test, where the load before had one */
    MUTE_UNCOUNTED, /* no counts, where the load before had them */
};
enum mute_rule mute_rule_decide(const struct mute_rule_evidence *e);

#endif
