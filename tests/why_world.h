/* why_world.h: an endpoint that may install a release, as a poll left it; tests of `why` change one fact.
 *
 * memory   values only
 * threads  one thread
 */
#ifndef RINGWARD_TEST_WHY_WORLD_H
#define RINGWARD_TEST_WHY_WORLD_H

#include "agent/agent_why.h"

#include "tests/install_rule_facts.h"

#include <string.h>

struct world {
    struct facts f;
    struct poll_output poll;
    struct poll_family family;
    struct slot_trial change;
    struct why_facts why;
    struct why_list list;
};

static inline void begin(struct world *w)
{
    *w = (struct world){.f = good()};
    w->poll = (struct poll_output){.ok = true,
                                   .ring = "canary",
                                   .trust = "ok",
                                   .token = "rwe2.x",
                                   .expires = {9000},
                                   .bucket_lo = 500,
                                   .bucket_hi = 2500,
                                   .ring_spread_s = 800,
                                   .has_limits = true,
                                   .limits = {100, 100, 100, 100}};
    w->why = (struct why_facts){.poll = &w->poll,
                                .family = &w->family,
                                .change = &w->change,
                                .polled = true,
                                .idle = true,
                                .phase = "steady",
                                .grade = "full",
                                .loader = true,
                                .bucket = 1000};
}

/* As a poll leaves it. */
static inline void look(struct world *w)
{
    struct poll_family *x = &w->family;
    x->has_pointer = true;
    x->pointer = w->f.p;
    x->offered = w->f.p.release;
    x->content = w->f.c;
    x->expedite = w->f.x;
    x->state = w->f.s;
    x->result = install_rule_decide(&w->f.p, &w->f.c, &w->f.x, &w->f.s, w->f.now);
    w->why.now = w->f.now;
    agent_why_list(&w->why, &w->list);
}

static inline const struct why_line *line_of(const struct world *w, const char *rule)
{
    for (size_t i = 0; i < w->list.count; i++) {
        if (strcmp(w->list.lines[i].rule, rule) == 0) { return &w->list.lines[i]; }
    }
    fail_msg("no line of '%s'", rule);
    return NULL;
}

static inline void check_line(const struct world *w, const char *rule, enum why_state state,
                              int64_t left_s, const char *words)
{
    const struct why_line *l = line_of(w, rule);
    if (l->state != state || l->left_s != left_s || strstr(l->reason, words) == NULL) {
        fail_msg("%s: %s (%lld s): %s; wanted %s, %lld s, '%s'", rule,
                 agent_why_state_name(l->state), (long long)l->left_s, l->reason,
                 agent_why_state_name(state), (long long)left_s, words);
    }
}

static inline size_t count_of(const struct world *w, enum why_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < w->list.count; i++) {
        n += w->list.lines[i].state == state ? 1 : 0;
    }
    return n;
}

static inline void control(struct world *w, enum control_kind kind, enum control_effect effect,
                           const char *reason)
{
    w->poll.control_count = 1;
    w->poll.controls[0] = (struct control){.kind = kind, .since = {1950}, .until = {2040}};
    w->family.control.effect = effect;
    (void)snprintf(w->family.control.reason, sizeof(w->family.control.reason), "%s", reason);
}

#endif
