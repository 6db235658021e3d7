#include "server/release/approval_rule.h"

struct approval_rule_result approval_rule_decide(const struct approval_rule_signature *signatures,
                                                 size_t count, int64_t threshold)
{
    struct approval_rule_result r = {.approved = false, .votes = 0, .needed = threshold};
    bool author_votes = false;
    RW_ASSERT(count <= APPROVAL_SIGNATURES_MAX);
    for (size_t i = 0; i < count; i++) {
        bool counted = false;
        for (size_t k = 0; k < i && !counted; k++) {
            counted = signatures[k].voter == signatures[i].voter;
        }
        if (!counted) { r.votes++; }
        author_votes = author_votes || signatures[i].by_author;
    }
    /* Four eyes, whatever threshold the delegation has: the author may sign, never alone. */
    if (author_votes && r.needed < 2) { r.needed = 2; }
    r.approved = threshold >= 1 && r.votes >= r.needed;
    return r;
}
