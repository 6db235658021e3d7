#include "server/release/release_rule.h"

#include <string.h>

static const struct sm_state states[] = {
    [RELEASE_DRAFT] = {"draft",
                       SM_TO(RELEASE_CHECKING) | SM_TO(RELEASE_CHECKED) | SM_TO(RELEASE_WITHDRAWN),
                       SM_INITIAL},
    [RELEASE_CHECKING] = {"checking",
                          SM_TO(RELEASE_DRAFT) | SM_TO(RELEASE_CHECKED) | SM_TO(RELEASE_REFUSED) |
                              SM_TO(RELEASE_WITHDRAWN),
                          0},
    [RELEASE_CHECKED] = {"checked", SM_TO(RELEASE_APPROVED) | SM_TO(RELEASE_WITHDRAWN), 0},
    [RELEASE_REFUSED] = {"refused", SM_TO(RELEASE_WITHDRAWN), 0},
    /* Back to checked: the content role changed meanwhile, so the signatures are for nothing. */
    [RELEASE_APPROVED] = {"approved",
                          SM_TO(RELEASE_CHECKED) | SM_TO(RELEASE_PUBLISHED) |
                              SM_TO(RELEASE_WITHDRAWN),
                          0},
    [RELEASE_PUBLISHED] = {"published", SM_TO(RELEASE_WITHDRAWN), 0},
    [RELEASE_WITHDRAWN] = {"withdrawn", 0, SM_FINAL},
};

const struct sm_table release_rule_states = {"release", states, RELEASE_WITHDRAWN + 1};

enum release_rule_outcome release_rule_judge(const char *verdict, bool is_final)
{
    if (!is_final) { return RELEASE_RULE_NOTHING; }
    return strcmp(verdict, "accepted") == 0 ? RELEASE_RULE_ACCEPTED : RELEASE_RULE_DENIED;
}

enum release_state release_rule_after_check(enum release_rule_outcome outcome)
{
    switch (outcome) {
    case RELEASE_RULE_ACCEPTED:
        return RELEASE_CHECKED;
    case RELEASE_RULE_DENIED:
        return RELEASE_REFUSED;
    case RELEASE_RULE_NOTHING:
        break;
    }
    return RELEASE_DRAFT;
}
