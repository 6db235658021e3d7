/* approval_rule.h: have enough distinct engineers signed? The author may sign, never alone.
 *
 * memory   values only
 * threads  pure
 * source   docs/trust.md "Releases": one vote per public key, threshold from targets
 */
#ifndef RINGWARD_APPROVAL_RULE_H
#define RINGWARD_APPROVAL_RULE_H

#include "common/base/err.h"

enum { APPROVAL_SIGNATURES_MAX = 64 };

/* One valid signature; invalid ones never reach this rule. */
struct approval_rule_signature {
    size_t voter;   /* same number for every key id that names the same public key */
    bool by_author; /* handed in by the release's author */
};

struct approval_rule_result {
    bool approved;
    int64_t votes;  /* distinct public keys */
    int64_t needed; /* votes that approve: the threshold, and two when the author's is among them */
};

/* `threshold` below 1 never approves. `count` is at most APPROVAL_SIGNATURES_MAX. */
struct approval_rule_result approval_rule_decide(const struct approval_rule_signature *signatures,
                                                 size_t count, int64_t threshold);

#endif
