/* second_person.h: which verbs of operators the policy lets happen only when a second person confirms them.
 *
 * Verbs that stop something (pause, halt, rollback) are not in the list: stopping never waits.
 *
 * memory   plain values
 * threads  no shared state
 * source   docs/policy.md, "second_person"
 */
#ifndef RINGWARD_SECOND_PERSON_H
#define RINGWARD_SECOND_PERSON_H

#include "common/policy/policy_read.h"

enum second_person_verb {
    SECOND_PERSON_PROMOTE,
    SECOND_PERSON_RESUME,
    SECOND_PERSON_VERBS,
};

struct second_person {
    bool verbs[SECOND_PERSON_VERBS];
    int64_t within_s; /* a request lapses after this time */
};

/* Reads the member "second_person" of a policy; without it no verb is marked. Fails as the readers of policy_read.h. */
RW_RC second_person_read(const struct policy_at *policy, struct second_person *out,
                         struct rw_err *err);
const char *second_person_name(enum second_person_verb verb);
/* Fails with RW_E_NOT_FOUND, naming the known verbs. */
RW_RC second_person_find(struct rw_span name, enum second_person_verb *out, struct rw_err *err);

#endif
