#include "common/policy/control_rule.h"

#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

const char *control_rule_kind_name(enum control_kind k)
{
    static const char *const names[] = {"pause", "hold", "delay", "pin", "pin"};
    return names[k];
}

const char *control_rule_life_name(enum control_life life)
{
    static const char *const names[] = {"in force", "over", "lapsed"};
    return names[life];
}

static int64_t longest_s(const struct control *c, const struct control_limits *l)
{
    switch (c->kind) {
    case CONTROL_PAUSE:
        return l->pause_longest_s;
    case CONTROL_HOLD:
        return l->hold_longest_s;
    case CONTROL_BACK:
    case CONTROL_RELEASE:
        return l->pin_longest_s;
    case CONTROL_DELAY:
        break;
    }
    return INT64_MAX;
}

enum control_life control_rule_life(const struct control *c, const struct control_limits *l,
                                    struct rw_wall passed, struct rw_wall *ends_out)
{
    int64_t lapses = 0;
    *ends_out = (struct rw_wall){0};
    if (c->kind == CONTROL_DELAY) { return CONTROL_IN_FORCE; }
    /* A time that overflows is a time that nobody meant: the control is over. */
    if (!rw_add_i64(c->since.s, longest_s(c, l), &lapses)) { return CONTROL_LAPSED; }
    bool own_end = c->kind == CONTROL_HOLD && c->until.s <= lapses;
    ends_out->s = own_end ? c->until.s : lapses;
    if (passed.s < ends_out->s) { return CONTROL_IN_FORCE; }
    return own_end ? CONTROL_OVER : CONTROL_LAPSED;
}

bool control_rule_is_old(const struct control *c, const struct control_limits *l,
                         struct rw_wall passed)
{
    struct rw_wall ends;
    if (c->kind == CONTROL_DELAY) { return false; }
    enum control_life life = control_rule_life(c, l, passed, &ends);
    if (life != CONTROL_IN_FORCE) { return life == CONTROL_LAPSED; }
    int64_t whole_s = ends.s - c->since.s;
    return passed.s >= c->since.s && ends.s - passed.s <= whole_s / 10;
}

/* What one control allows at most; `wait` is set when a delay keeps the newest. */
struct ceiling {
    int64_t release;
    struct rw_wall wait;
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The newest offer that is not newer than `most` and good; 0: none. */
static int64_t newest_offer(const struct control_facts *f, int64_t most)
{
    for (size_t i = 0; i < f->offer_count; i++) {
        if (f->offers[i].release <= most && !f->offers[i].bad) { return f->offers[i].release; }
    }
    return 0;
}

/* The release `back` places behind the newest. An endpoint that has not seen so many runs the oldest it knows, and
 * nothing newer than what it has: a history that was lost must not end a pin. */
static int64_t back_from(const struct control_facts *f, int64_t back)
{
    int64_t last = f->offers[0].release;
    for (size_t i = 1; i < f->offer_count && back > 0; i++) {
        if (f->offers[i].bad) { continue; }
        last = f->offers[i].release;
        back--;
    }
    return back > 0 && f->installed > 0 ? smaller(last, f->installed) : last;
}

/* Of everything that was offered long enough ago, the newest: a delay longer than the time between releases must not
 * starve the endpoint. An endpoint without content does not wait, and a delay takes nothing away. */
static struct ceiling after_delay(const struct control_facts *f, int64_t delay_s)
{
    struct ceiling c = {.release = f->installed};
    if (f->installed == 0) { return (struct ceiling){.release = f->offers[0].release}; }
    for (size_t i = 0; i < f->offer_count; i++) {
        const struct control_offer *o = &f->offers[i];
        int64_t due = 0;
        if (o->bad || o->release <= f->installed) { continue; }
        if (!rw_add_i64(o->at.s, delay_s, &due)) { continue; }
        if (due <= f->now.s) {
            c.release = o->release;
            return c;
        }
        c.wait.s = due; /* the oldest that still waits is the next to come */
    }
    return c;
}

static struct ceiling ceiling_of(const struct control_facts *f, const struct control *c)
{
    int64_t newest = f->offers[0].release;
    int64_t stay = smaller(newest, f->installed);
    int64_t found = 0;
    switch (c->kind) {
    case CONTROL_PAUSE:
    case CONTROL_HOLD:
        return (struct ceiling){.release = stay};
    case CONTROL_DELAY:
        return after_delay(f, smaller(c->amount, f->limits.delay_longest_s));
    case CONTROL_BACK:
        return (struct ceiling){.release = back_from(f, c->amount)};
    case CONTROL_RELEASE:
        if (newest <= c->amount) { break; }
        found = newest_offer(f, c->amount);
        /* What was never offered here cannot be run: the endpoint stays at what it has. */
        return (struct ceiling){.release = found != 0 ? found : stay};
    }
    return (struct ceiling){.release = newest};
}

static bool concerns(const struct control_facts *f, const struct control *c)
{
    struct rw_wall unused;
    if (c->family[0] != '\0' && strcmp(c->family, f->family) != 0) { return false; }
    return control_rule_life(c, &f->limits, f->passed, &unused) == CONTROL_IN_FORCE;
}

static void describe(const struct control_facts *f, struct control_result *r)
{
    char text[RW_TIME_TEXT_BYTES];
    struct rw_wall ends;
    const struct control *c = &f->controls[r->by];
    const char *who = c->by_operator ? "operator" : "administrator";
    (void)control_rule_life(c, &f->limits, f->passed, &ends);
    rw_wall_format(text, c->kind == CONTROL_DELAY ? r->not_before : ends);
    switch (c->kind) {
    case CONTROL_PAUSE:
        (void)snprintf(r->reason, sizeof(r->reason), "paused by the %s, at most until %s", who,
                       text);
        break;
    case CONTROL_HOLD:
        (void)snprintf(r->reason, sizeof(r->reason), "held by the %s until %s", who, text);
        break;
    case CONTROL_DELAY:
        (void)snprintf(r->reason, sizeof(r->reason), "delayed by the %s%s%s", who,
                       r->not_before.s > 0 ? ", the next release until " : "",
                       r->not_before.s > 0 ? text : "");
        break;
    case CONTROL_BACK:
        (void)snprintf(r->reason, sizeof(r->reason), "pinned by the %s to n-%lld, lapses %s", who,
                       (long long)c->amount, text);
        break;
    case CONTROL_RELEASE:
        (void)snprintf(r->reason, sizeof(r->reason), "pinned by the %s to release %lld, lapses %s",
                       who, (long long)c->amount, text);
        break;
    }
}

/* Why nothing holds although something is set; "" when nothing is set, too. */
static bool none_holds(const struct control_facts *f, struct control_result *r)
{
    const struct control *first = NULL;
    for (size_t i = 0; i < f->count && first == NULL; i++) {
        if (concerns(f, &f->controls[i])) { first = &f->controls[i]; }
    }
    if (first == NULL) { return true; }
    if (f->offers[0].release < f->installed) {
        (void)snprintf(r->reason, sizeof(r->reason),
                       "a ring that points back is followed, whatever is set");
        return true;
    }
    if (f->installed_bad) {
        (void)snprintf(r->reason, sizeof(r->reason),
                       "the active release was withdrawn or failed: nothing holds it here");
        return true;
    }
    if (f->unpausable) {
        (void)snprintf(r->reason, sizeof(r->reason),
                       "%s is refused: class '%s' cannot be controlled (policy line %u)",
                       control_rule_kind_name(first->kind), f->class_name, f->policy_line);
        return true;
    }
    return false;
}

struct control_result control_rule_decide(const struct control_facts *f)
{
    struct control_result r = {.release = f->offers[0].release, .by = f->count};
    if (none_holds(f, &r)) { return r; }
    for (size_t i = 0; i < f->count; i++) {
        if (!concerns(f, &f->controls[i])) { continue; }
        struct ceiling c = ceiling_of(f, &f->controls[i]);
        if (c.release >= r.release) { continue; }
        r.release = c.release;
        r.not_before = c.wait;
        r.by = i;
    }
    if (r.by == f->count) { return r; }
    describe(f, &r);
    if (r.release != f->installed) {
        r.effect = CONTROL_LAG;
    } else {
        r.effect = r.not_before.s > 0 ? CONTROL_WAIT : CONTROL_STAY;
    }
    return r;
}
