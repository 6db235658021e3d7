#include "common/policy/ring_policy.h"

#include <string.h>

RW_RC ring_policy_check_name(const char *name, const char *what, struct rw_err *err)
{
    bool letter = false;
    size_t n = strlen(name);
    bool good = n >= 1 && n < RING_POLICY_NAME_BYTES && name[0] != '-';
    for (size_t i = 0; i < n && good; i++) {
        bool lower = name[i] >= 'a' && name[i] <= 'z';
        good = lower || (name[i] >= '0' && name[i] <= '9') || name[i] == '-';
        letter = letter || lower;
    }
    if (good && letter) { return RW_OK; }
    return rw_fail(err, RW_E_SCHEMA,
                   "%s '%.40s': want 1 to 32 of a-z, 0-9 and '-', with a letter, not '-' first",
                   what, name);
}

RW_RC ring_policy_find(const struct ring_policy *p, const char *name, size_t *index_out,
                       struct rw_err *err)
{
    for (size_t i = 0; i < p->ring_count; i++) {
        if (strcmp(p->rings[i].name, name) == 0) {
            *index_out = i;
            return RW_OK;
        }
    }
    RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "the policy has no ring '%.40s'", name), "hint");
    return rw_hint(err, "'ringward rings show' lists the rings and classes of the policy in force");
}

RW_RC ring_policy_find_class(const struct ring_policy *p, const char *name, size_t *index_out,
                             struct rw_err *err)
{
    for (size_t i = 0; i < p->class_count; i++) {
        if (strcmp(p->classes[i].name, name) == 0) {
            *index_out = i;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_NOT_FOUND, "the policy has no class '%.40s'", name);
}

size_t ring_policy_of_bucket(const struct ring_policy *p, int64_t bucket)
{
    RW_ASSERT(bucket >= 0 && bucket < RING_POLICY_BUCKETS);
    size_t i = 0;
    while (bucket < p->rings[i].bucket_lo || bucket >= p->rings[i].bucket_hi) {
        i++;
    }
    RW_ASSERT(i < p->ring_count); /* read_rings: the last ring takes the rest */
    return i;
}

double ring_policy_alpha(const struct ring_policy *p)
{
    static const double most = 1e-4;
    double wanted = (double)p->false_halts_per_year / (double)p->releases_per_year;
    return wanted < most ? wanted : most;
}

int64_t ring_policy_min_bake_s(const struct ring_policy *p, size_t class_index, size_t ring_index)
{
    RW_ASSERT(class_index < p->class_count && ring_index < p->ring_count);
    int64_t earlier_s = 0;
    for (size_t i = 0; i < ring_index; i++) {
        earlier_s += p->rings[i].bake_s;
    }
    int64_t own_s = p->classes[class_index].min_bake_s[ring_index];
    return own_s > earlier_s ? own_s : earlier_s;
}
