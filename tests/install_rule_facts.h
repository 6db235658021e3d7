/* install_rule_facts.h: one state of endpoint and metadata in which a release may be installed; tests change one fact.
 *
 * memory   values only
 * threads  one thread
 */
#ifndef RINGWARD_TEST_INSTALL_RULE_FACTS_H
#define RINGWARD_TEST_INSTALL_RULE_FACTS_H

#include "common/policy/install_rule.h"
#include "tests/harness.h"

struct facts {
    struct install_rule_pointer p;
    struct install_rule_content c;
    struct install_rule_expedite x;
    struct install_rule_state s;
    struct rw_wall now;
};

static inline struct facts good(void)
{
    struct facts f = {
        .p = {.ring = "canary", .family = "yara", .release = 2, .length = 100},
        .c = {.listed = true,
              .family = "yara",
              .release = 2,
              .length = 100,
              .signed_at = {1000},
              .has_not_before = true,
              .not_before = {1500},
              .engine_min = 1,
              .engine_max = 9,
              .platform_fits = true},
        .s = {.ring = "canary",
              .family = "yara",
              .installed = 1,
              .engine = 5,
              .min_bake_s = 400,
              .hard_min_s = 30,
              .expedite_longest_s = 1000,
              .engine_skew_max = -1},
        .now = {2000},
    };
    f.p.sha256[0] = f.c.sha256[0] = 7;
    return f;
}

/* Too early by the bake, but expedited: may install, too. */
static inline struct facts good_expedited(void)
{
    struct facts f = good();
    f.x = (struct install_rule_expedite){.listed = true,
                                         .family = "yara",
                                         .release = 2,
                                         .length = 100,
                                         .names_ring = true,
                                         .not_before = {1010},
                                         .until = {1400},
                                         .expires = {1500}};
    f.x.sha256[0] = 7;
    f.now.s = 1200;
    return f;
}

static inline enum install_rule_decision decide(const struct facts *f)
{
    return install_rule_decide(&f->p, &f->c, &f->x, &f->s, f->now).decision;
}

struct decision_case {
    const char *id;
    void (*change)(struct facts *f);
    enum install_rule_decision want;
};

#endif
