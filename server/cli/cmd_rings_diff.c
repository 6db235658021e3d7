#include "server/cli/cmd_rings_diff.h"

#include "server/cli/cli_view.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { VALUE_BYTES = 40, WHERE_BYTES = 96 };

enum unit { UNIT_COUNT, UNIT_SECONDS, UNIT_SHARE, UNIT_THOUSANDTHS };

/* Which direction is the less careful one. */
enum looser { NEITHER, UP_IS_LOOSER, DOWN_IS_LOOSER };

static const char *value(enum unit unit, int64_t v, char dst[static VALUE_BYTES])
{
    switch (unit) {
    case UNIT_COUNT:
        (void)snprintf(dst, VALUE_BYTES, "%lld", (long long)v);
        break;
    case UNIT_SECONDS:
        (void)cli_view_duration(v, dst, VALUE_BYTES);
        break;
    case UNIT_SHARE:
        (void)snprintf(dst, VALUE_BYTES, "%lld.%02lld%%", (long long)(v / 100),
                       (long long)(v % 100));
        break;
    case UNIT_THOUSANDTHS:
        (void)snprintf(dst, VALUE_BYTES, "%lld.%03lld", (long long)(v / 1000),
                       (long long)(v % 1000));
        break;
    }
    return dst;
}

__attribute__((format(printf, 3, 4))) static void say(struct cmd_rings_diff *d, bool looser,
                                                      const char *fmt, ...)
{
    va_list ap;
    printf("%s ", looser ? "  !" : "   ");
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    va_end(ap);
    printf("%s\n", looser ? "  (less careful)" : "");
    d->changes++;
    d->looser += looser ? 1 : 0;
}

struct number {
    const char *what;
    enum unit unit;
    enum looser looser;
    int64_t had;
    int64_t next;
};

static void numbers(struct cmd_rings_diff *d, const char *where, const struct number *list,
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct number *n = &list[i];
        char from[VALUE_BYTES];
        char to[VALUE_BYTES];
        if (n->had == n->next) { continue; }
        bool looser = n->looser == (n->next > n->had ? UP_IS_LOOSER : DOWN_IS_LOOSER);
        say(d, looser, "%s%s: %s -> %s", where, n->what, value(n->unit, n->had, from),
            value(n->unit, n->next, to));
    }
}

/* --- rings --- */

static const struct ring_policy_ring *find_ring(const struct ring_policy *p, const char *name,
                                                size_t *at)
{
    for (size_t i = 0; i < p->ring_count; i++) {
        if (strcmp(p->rings[i].name, name) != 0) { continue; }
        *at = i;
        return &p->rings[i];
    }
    return NULL;
}

static const char *members(const struct ring_policy_ring *r, char dst[static VALUE_BYTES])
{
    if (r->select == RING_BY_HAND) { return "joined by hand"; }
    return value(UNIT_SHARE, r->bucket_hi - r->bucket_lo, dst);
}

static void ring_changes(struct cmd_rings_diff *d, const struct ring_policy_ring *had,
                         const struct ring_policy_ring *next, bool last)
{
    char where[WHERE_BYTES];
    char from[VALUE_BYTES];
    char to[VALUE_BYTES];
    (void)snprintf(where, sizeof(where), "ring %s: ", had->name);
    bool moved = had->bucket_lo != next->bucket_lo || had->bucket_hi != next->bucket_hi;
    if (had->select != next->select || moved) {
        int64_t before = had->bucket_hi - had->bucket_lo;
        int64_t after = next->bucket_hi - next->bucket_lo;
        say(d, !last && after > before, "%smembers: %s -> %s%s", where, members(had, from),
            members(next, to), before == after ? " (other endpoints)" : "");
    }
    const struct number list[] = {
        {"bake", UNIT_SECONDS, DOWN_IS_LOOSER, had->bake_s, next->bake_s},
        {"greatest failure share for a PASS", UNIT_SHARE, UP_IS_LOOSER, had->gate_limit_bp,
         next->gate_limit_bp},
        {"healthy endpoints for a PASS", UNIT_COUNT, DOWN_IS_LOOSER, had->gate_min_healthy,
         next->gate_min_healthy},
        {"hold-back", UNIT_SHARE, DOWN_IS_LOOSER, had->hold_back_bp, next->hold_back_bp},
        {"hold-back lasts", UNIT_SECONDS, DOWN_IS_LOOSER, had->hold_back_s, next->hold_back_s},
        {"spread", UNIT_SECONDS, DOWN_IS_LOOSER, had->spread_s, next->spread_s},
    };
    numbers(d, where, list, RW_LEN(list));
}

static void rings(struct cmd_rings_diff *d, const struct ring_policy *had,
                  const struct ring_policy *next)
{
    size_t at = 0;
    char text[VALUE_BYTES];
    for (size_t i = 0; i < had->ring_count; i++) {
        const struct ring_policy_ring *r = &had->rings[i];
        const struct ring_policy_ring *now = find_ring(next, r->name, &at);
        if (now == NULL) {
            say(d, true, "ring %s (%s) goes", r->name, members(r, text));
            continue;
        }
        if (at != i) {
            say(d, false, "ring %s is ring %zu in the order, not %zu", r->name, at + 1, i + 1);
        }
        ring_changes(d, r, now, at + 1 == next->ring_count);
    }
    for (size_t i = 0; i < next->ring_count; i++) {
        const struct ring_policy_ring *r = &next->rings[i];
        if (find_ring(had, r->name, &at) != NULL) { continue; }
        say(d, false, "ring %s is new, as ring %zu: %s", r->name, i + 1, members(r, text));
    }
}

/* --- classes --- */

static void class_changes(struct cmd_rings_diff *d, const struct ring_policy *had, size_t c,
                          const struct ring_policy *next, size_t k)
{
    char where[WHERE_BYTES];
    const struct ring_policy_class *was = &had->classes[c];
    const struct ring_policy_class *is = &next->classes[k];
    (void)snprintf(where, sizeof(where), "class %s: ", was->name);
    for (size_t i = 0; i < had->ring_count; i++) {
        char what[WHERE_BYTES];
        size_t at = 0;
        if (find_ring(next, had->rings[i].name, &at) == NULL) { continue; }
        (void)snprintf(what, sizeof(what), "earliest install in ring %s", had->rings[i].name);
        const struct number n = {what, UNIT_SECONDS, DOWN_IS_LOOSER,
                                 ring_policy_min_bake_s(had, c, i),
                                 ring_policy_min_bake_s(next, k, at)};
        numbers(d, where, &n, 1);
    }
    if (was->unpausable == is->unpausable) { return; }
    say(d, false, "%scustomers may %s", where,
        is->unpausable ? "no longer delay, hold or pin it" : "delay, hold and pin it");
}

static void classes(struct cmd_rings_diff *d, const struct ring_policy *had,
                    const struct ring_policy *next)
{
    for (size_t c = 0; c < had->class_count; c++) {
        struct rw_err unused;
        size_t k = 0;
        if (rw_is_ok(ring_policy_find_class(next, had->classes[c].name, &k, &unused))) {
            class_changes(d, had, c, next, k);
        } else {
            say(d, false, "class %s goes: its releases can no longer be installed",
                had->classes[c].name);
        }
    }
    for (size_t k = 0; k < next->class_count; k++) {
        struct rw_err unused;
        size_t c = 0;
        if (rw_is_ok(ring_policy_find_class(had, next->classes[k].name, &c, &unused))) { continue; }
        say(d, false, "class %s is new", next->classes[k].name);
    }
}

/* --- the rest --- */

static void second_person(struct cmd_rings_diff *d, const struct second_person *had,
                          const struct second_person *next)
{
    for (int v = 0; v < SECOND_PERSON_VERBS; v++) {
        if (had->verbs[v] == next->verbs[v]) { continue; }
        say(d, had->verbs[v], "%s %s a second person",
            second_person_name((enum second_person_verb)v),
            next->verbs[v] ? "needs" : "no longer needs");
    }
    const struct number n = {"a second person confirms within", UNIT_SECONDS, UP_IS_LOOSER,
                             had->within_s, next->within_s};
    numbers(d, "", &n, 1);
}

static void controls(struct cmd_rings_diff *d, const struct ring_policy *had,
                     const struct ring_policy *next)
{
    if (memcmp(&had->controls, &next->controls, sizeof(had->controls)) == 0) { return; }
    say(d, false,
        "how long customers may delay, hold, pause and pin ('rings check' shows the new limits)");
}

struct cmd_rings_diff cmd_rings_diff(const struct ring_policy *had, const struct ring_policy *next)
{
    struct cmd_rings_diff d = {.changes = 0};
    const struct number list[] = {
        {"endpoints of a ring that may begin unproven", UNIT_COUNT, UP_IS_LOOSER,
         had->confirm_start, next->confirm_start},
        {"more of them per survivor", UNIT_THOUSANDTHS, UP_IS_LOOSER, had->confirm_per_survivor_m,
         next->confirm_per_survivor_m},
        {"an endpoint is dark after", UNIT_SECONDS, UP_IS_LOOSER, had->confirm_deadline_s,
         next->confirm_deadline_s},
        {"probation", UNIT_SECONDS, DOWN_IS_LOOSER, had->confirm_probation_s,
         next->confirm_probation_s},
        {"endpoints of a cohort that may begin unproven", UNIT_COUNT, UP_IS_LOOSER,
         had->cohort_start, next->cohort_start},
        {"of these that are for one tenant beside others", UNIT_SHARE, UP_IS_LOOSER,
         had->tenant_share_bp, next->tenant_share_bp},
        {"alive counts after", UNIT_SECONDS, DOWN_IS_LOOSER, had->alive_after_s,
         next->alive_after_s},
        {"endpoints before any is alive so long", UNIT_COUNT, UP_IS_LOOSER, had->alive_start,
         next->alive_start},
        {"more of them per one that is", UNIT_THOUSANDTHS, UP_IS_LOOSER, had->alive_per_survivor_m,
         next->alive_per_survivor_m},
        {"failures of one tenant that count for all", UNIT_COUNT, UP_IS_LOOSER, had->tenant_votes,
         next->tenant_votes},
        {"false halts in a year", UNIT_COUNT, DOWN_IS_LOOSER, had->false_halts_per_year,
         next->false_halts_per_year},
        {"releases in a year", UNIT_COUNT, UP_IS_LOOSER, had->releases_per_year,
         next->releases_per_year},
        {"endpoints poll during a rollout every", UNIT_SECONDS, UP_IS_LOOSER, had->poll_rollout_s,
         next->poll_rollout_s},
        {"least bake of an expedite", UNIT_SECONDS, DOWN_IS_LOOSER, had->hard_min_s,
         next->hard_min_s},
        {"longest expedite", UNIT_SECONDS, UP_IS_LOOSER, had->expedite_longest_s,
         next->expedite_longest_s},
    };
    rings(&d, had, next);
    classes(&d, had, next);
    numbers(&d, "", list, RW_LEN(list));
    if (had->engine_skew_max != next->engine_skew_max) {
        bool wider = next->engine_skew_max < 0 ||
                     (had->engine_skew_max >= 0 && next->engine_skew_max > had->engine_skew_max);
        say(&d, wider, "engine versions that a release may claim: a %s range",
            wider ? "wider" : "narrower");
    }
    second_person(&d, &had->second, &next->second);
    controls(&d, had, next);
    return d;
}
