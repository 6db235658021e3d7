/* ring_policy.h: the policy file rings.json as plain values: rings, bakes, window, gates, classes.
 *
 * memory   plain values of fixed size; nothing to free
 * threads  no shared state
 * source   docs/policy.md; the same parser in server, signer, agent and command line
 */
#ifndef RINGWARD_RING_POLICY_H
#define RINGWARD_RING_POLICY_H

#include "common/policy/control_rule.h"
#include "common/policy/second_person.h"

enum {
    RING_POLICY_RINGS_MAX = 16,
    RING_POLICY_CLASSES_MAX = 8,
    RING_POLICY_NAME_BYTES = 33,
    RING_POLICY_BUCKETS = 10000,
    RING_POLICY_BYTES_MAX = 64 * 1024,
};

enum ring_policy_select { RING_BY_SHARE, RING_BY_REST, RING_BY_HAND };

struct ring_policy_ring {
    char name[RING_POLICY_NAME_BYTES];
    enum ring_policy_select select;
    int64_t bucket_lo;        /* first bucket; lo == hi: none */
    int64_t bucket_hi;        /* one behind the last bucket */
    int64_t bake_s;           /* from the ring's opening to its promotion at the earliest */
    int64_t gate_limit_bp;    /* greatest failure share for a PASS, hundredths of a percent */
    int64_t gate_min_healthy; /* at least that many healthy endpoints for a PASS */
    int64_t hold_back_bp;     /* share kept on the old release as control; 0: none */
    int64_t hold_back_s;
    int64_t spread_s; /* agents of the ring spread their installs over this time */
};

struct ring_policy_class {
    char name[RING_POLICY_NAME_BYTES];
    int64_t
        min_bake_s[RING_POLICY_RINGS_MAX]; /* per ring, from signing to install at the earliest */
    bool unpausable;          /* no control but the choice of the ring applies to it ... */
    unsigned unpausable_line; /* ... as this line of the file says */
};

struct ring_policy {
    struct ring_policy_ring rings[RING_POLICY_RINGS_MAX];
    size_t ring_count; /* >= 1 */
    struct ring_policy_class classes[RING_POLICY_CLASSES_MAX];
    size_t class_count;             /* >= 1 */
    int64_t confirm_start;          /* U of the window law, per ring */
    int64_t confirm_per_survivor_m; /* k in thousandths */
    int64_t confirm_deadline_s;     /* a permit without confirmation is dark after this time */
    int64_t confirm_probation_s;    /* a sensor must live that long with new content */
    int64_t cohort_start;           /* U per cohort */
    int64_t alive_after_s;          /* horizon of the second law: alive so long after its permit */
    int64_t alive_start;            /* its U, in ring and cohort */
    int64_t alive_per_survivor_m;   /* its k in thousandths */
    int64_t tenant_share_bp;        /* of U for one tenant beside others */
    int64_t tenant_votes; /* more failures of one tenant than this are evidence for all tenants */
    int64_t false_halts_per_year;
    int64_t releases_per_year;
    int64_t poll_rollout_s;      /* poll interval asked for while a rollout runs */
    int64_t hard_min_s;          /* from signing to install, whatever was expedited; >= 1 */
    int64_t expedite_longest_s;  /* an expedite may last that long at most */
    struct second_person second; /* verbs that need another operator's word */
    int64_t engine_skew_max;     /* widest engine range that a release may claim; negative: any */
    struct control_limits controls; /* how long customers may delay, hold, pause and pin */
};

/* Parses and checks the whole policy. Fails with RW_E_SYNTAX, RW_E_SCHEMA or RW_E_RANGE, naming the member's
 * path and line. */
RW_RC ring_policy_parse(struct rw_span text, struct ring_policy *out, struct rw_err *err);
/* Index of a ring or class. Fail with RW_E_NOT_FOUND naming the known ones. */
RW_RC ring_policy_find(const struct ring_policy *p, const char *name, size_t *index_out,
                       struct rw_err *err);
RW_RC ring_policy_find_class(const struct ring_policy *p, const char *name, size_t *index_out,
                             struct rw_err *err);
/* The ring whose range holds the bucket (0..9999): always one, since `rest` takes what is left. */
size_t ring_policy_of_bucket(const struct ring_policy *p, int64_t bucket);
/* Earliest install time after signing for a class in a ring: the class's own minimum, and never before the
 * earlier rings could have baked. */
int64_t ring_policy_min_bake_s(const struct ring_policy *p, size_t class_index, size_t ring_index);
/* Chance at which the detector may stop a good release: the policy's false halts per release, and never above 1e-4, for
 * which the windows were measured. */
double ring_policy_alpha(const struct ring_policy *p);
/* Family, ring, class and tenant names: [a-z0-9][a-z0-9-]{0,31} with a letter. Fails with RW_E_SCHEMA. */
RW_RC ring_policy_check_name(const char *name, const char *what, struct rw_err *err);

#endif
