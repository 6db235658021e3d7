/* Goal: places are counted per tenant, operators apart, and an emptied queue begins anew. */
#include "server/api/api_share.h"
#include "tests/harness.h"

static struct api_identity who(enum api_auth level, const char *tenant)
{
    struct api_identity w = {.level = level};
    (void)snprintf(w.tenant, sizeof(w.tenant), "%s", tenant);
    return w;
}

static const struct class_case {
    const char *id;
    enum api_auth level;
    const char *tenant;
    bool same; /* as an endpoint of red */
} class_cases[] = {
    {"another_endpoint", API_AUTH_ENDPOINT, "red", true},
    {"its_enrolment", API_AUTH_ENROL, "red", true},
    {"its_operator", API_AUTH_OPERATOR, "red", false},
    {"another_tenant", API_AUTH_ENDPOINT, "blue", false},
    {"nobody", API_AUTH_NONE, "", false},
    {"operators_of_all", API_AUTH_ADMIN, "", false},
};

TEST_EACH(tenants_and_operators_count_apart, class_cases)
{
    struct rw_err err;
    struct api_share *s = NULL;
    MUST(api_share_new(16, 75, &s, &err));
    const struct api_identity red = who(API_AUTH_ENDPOINT, "red");
    const struct api_identity other = who(it->level, it->tenant);
    assert_int_equal(api_share_class(s, &red) == api_share_class(s, &other), it->same);
    api_share_free(s);
}

/* With more classes than anybody would think of: each finds its own count, and rounds do not mix. */
TEST(counts_agree_with_a_plain_model)
{
    enum { CLASSES = 64, CAPACITY = 64 };
    struct rw_err err;
    struct api_share *s = NULL;
    uint32_t seed = harness_seed();
    MUST(api_share_new(CAPACITY, 75, &s, &err));
    for (int round = 0; round < 500; round++) {
        size_t own[CLASSES] = {0};
        size_t used = 0;
        for (int i = 0; i < 200 && used < CAPACITY; i++) {
            size_t k = harness_random(&seed) % (1 + (unsigned)round % CLASSES);
            bool want = own[k] * 25 < (CAPACITY - used) * 75;
            assert_int_equal(api_share_enter(s, k * 128, used, 1), want);
            own[k] += want;
            used += want;
        }
        api_share_clear(s);
    }
    api_share_free(s);
}

RUN_TESTS(cmocka_unit_test(tenants_and_operators_count_apart),
          cmocka_unit_test(counts_agree_with_a_plain_model))
