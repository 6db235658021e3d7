/* gate_rule.h: the promote gate: PASS, FAIL or NONE; only PASS opens (INV-3).
 *
 * memory   values only
 * threads  pure
 * source   docs/health.md "The gate": anytime-valid upper bound of the failure share
 */
#ifndef RINGWARD_GATE_RULE_H
#define RINGWARD_GATE_RULE_H

#include "common/base/err.h"

enum gate_rule_verdict { GATE_NONE, GATE_PASS, GATE_FAIL };

/* Confidence of the bound: 1 - alpha holds at every look, however often it is looked at. */
#define GATE_RULE_ALPHA 0.05

struct gate_rule_input {
    int64_t bake_left_s; /* <= 0: the bake is over */
    int64_t exposed;     /* endpoints with a permit in this ring */
    int64_t healthy;
    int64_t failed; /* failed, crashed and dark */
    int64_t unable; /* their box cannot try the content: no evidence, for or against */
    int64_t pending;
    double limit; /* greatest failure share, 0..1 */
    int64_t min_healthy;
    double log_e;         /* combined evidence of harm */
    double log_threshold; /* halt at or above */
    bool telemetry_fresh; /* the counts are of now */
    const char
        *spared; /* why evidence above the threshold does not halt everybody; NULL: it does */
};

enum { GATE_RULE_REASON_BYTES = 200 };

/* The reason says which number holds the gate, against which limit. Not-a-number input gives NONE. */
enum gate_rule_verdict gate_rule_decide(const struct gate_rule_input *in,
                                        char reason[static GATE_RULE_REASON_BYTES]);
/* Smallest share that k failures of n rule out at confidence 1 - alpha, at any look; 1.0 when none. */
double gate_rule_upper(int64_t failures, int64_t n, double alpha);
/* Endpoints, the failed ones included, that a PASS at this limit needs when `failures` of them have failed; INT64_MAX:
 * it is never reached. */
int64_t gate_rule_needed(int64_t failures, double limit, double alpha);
const char *gate_rule_name(enum gate_rule_verdict v);

#endif
