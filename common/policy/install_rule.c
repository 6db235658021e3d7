#include "common/policy/install_rule.h"

#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

/* The caller writes the reason. */
static struct install_rule_result plain(enum install_rule_decision decision,
                                        struct rw_wall not_before)
{
    return (struct install_rule_result){.decision = decision, .not_before = not_before};
}

static struct install_rule_result say(enum install_rule_decision decision,
                                      struct rw_wall not_before, const char *text)
{
    struct install_rule_result r = plain(decision, not_before);
    (void)snprintf(r.reason, sizeof(r.reason), "%s", text);
    return r;
}

static const struct rw_wall never = {INT64_MAX};
static const char on_hold[] = "the ring is on hold";

/* A drill only ever rehearses: it begins on what is in place, and while it is fresh, so that whoever holds a ring's key
 * later has nothing to repeat; its bytes are its own, so that leaving them bars no other release. NULL: it may. */
static const char *no_drill(const struct install_rule_content *c,
                            const struct install_rule_state *s, struct rw_wall now)
{
    if (!c->drill) { return NULL; }
    if (!s->drills) { return "this endpoint takes no part in drills"; }
    if (s->installed == 0) { return "a drill needs a release to come back to"; }
    if (c->release < s->installed) { return "a drill is nothing to go back to"; }
    if (s->held) { return "the drill has the bytes of a release that ran here"; }
    if (now.s - c->signed_at.s >= INSTALL_DRILL_LIFE_S) { return "the drill is over"; }
    return NULL;
}

/* Pointer and content must say the same (AND): a thief of one key has only one of them. NULL: they agree. */
static const char *disagreement(const struct install_rule_pointer *p,
                                const struct install_rule_content *c,
                                const struct install_rule_state *s)
{
    if (strcmp(p->ring, s->ring) != 0) { return "the pointer is for another ring"; }
    if (strcmp(p->family, s->family) != 0) { return "the pointer is for another family"; }
    if (!c->listed) { return "the content role does not list the release"; }
    if (strcmp(c->family, s->family) != 0) { return "the content is of another family"; }
    if (c->release != p->release) { return "pointer and content name different releases"; }
    if (c->length != p->length) { return "pointer and content differ in length"; }
    if (memcmp(c->sha256, p->sha256, INSTALL_HASH_BYTES) != 0) {
        return "pointer and content differ in SHA-256";
    }
    return NULL;
}

static bool is_in(const uint8_t (*list)[INSTALL_HASH_BYTES], size_t count, const uint8_t *sha256)
{
    for (size_t i = 0; i < count && i < INSTALL_ABANDONED_MAX; i++) {
        if (memcmp(list[i], sha256, INSTALL_HASH_BYTES) == 0) { return true; }
    }
    return false;
}

/* --- what no time and no key that is online can cure --- */

static const char *other_platform(const struct install_rule_content *c,
                                  const struct install_rule_state *s)
{
    (void)s;
    return c->platform_fits ? NULL : "the release is not for this platform";
}

static const char *other_engine(const struct install_rule_content *c,
                                const struct install_rule_state *s)
{
    if (s->engine < c->engine_min || s->engine > c->engine_max) {
        return "the release is not for this engine version";
    }
    /* Unsigned: the range holds the engine, so it is not negative, and no difference overflows. */
    uint64_t wide = (uint64_t)c->engine_max - (uint64_t)c->engine_min;
    if (s->engine_skew_max >= 0 && wide > (uint64_t)s->engine_skew_max) {
        return "the release is for more engine versions than the policy allows";
    }
    return NULL;
}

static const char *below_floor(const struct install_rule_content *c,
                               const struct install_rule_state *s)
{
    (void)s;
    return c->release < c->floor ? "the release is below the floor of its family" : NULL;
}

static const char *is_withdrawn(const struct install_rule_content *c,
                                const struct install_rule_state *s)
{
    (void)s;
    return c->withdrawn ? "this content was withdrawn" : NULL;
}

static const char *is_abandoned(const struct install_rule_content *c,
                                const struct install_rule_state *s)
{
    if (!is_in(s->abandoned, s->abandoned_count, c->sha256)) { return NULL; }
    return "the release failed on this endpoint before";
}

static const char *was_left(const struct install_rule_content *c,
                            const struct install_rule_state *s)
{
    if (!is_in(s->left, s->left_count, c->sha256)) { return NULL; }
    return "this endpoint left the release by its ring's order, or for want of the server";
}

/* In order: the first that says something decides. */
static const struct bar {
    enum install_rule_bar name;
    const char *(*says)(const struct install_rule_content *c, const struct install_rule_state *s);
} bars[] = {
    {INSTALL_BAR_PLATFORM, other_platform}, {INSTALL_BAR_ENGINE, other_engine},
    {INSTALL_BAR_FLOOR, below_floor},       {INSTALL_BAR_WITHDRAWN, is_withdrawn},
    {INSTALL_BAR_BAD_LIST, is_abandoned},   {INSTALL_BAR_LEFT, was_left},
};

static const char *barred(const struct install_rule_content *c, const struct install_rule_state *s)
{
    for (size_t i = 0; i < RW_LEN(bars); i++) {
        const char *wrong = bars[i].says(c, s);
        if (wrong != NULL) { return wrong; }
    }
    return NULL;
}

/* A date before that of an earlier release was not the day of signing. */
static const char *predated(const struct install_rule_content *c)
{
    if (c->signed_at.s >= c->signed_before.s) { return NULL; }
    return "the release says that it was signed before an earlier one";
}

/* Earliest install by the bake alone, spread not counted: max(not_before, signed_at + min_bake). False when a time is
 * missing or overflows. */
static bool baked(const struct install_rule_content *c, const struct install_rule_state *s,
                  struct rw_wall *out)
{
    int64_t least = 0;
    if (!c->has_not_before || c->not_before.s <= 0 || c->signed_at.s <= 0 || s->min_bake_s < 0) {
        return false;
    }
    if (!rw_add_i64(c->signed_at.s, s->min_bake_s, &least)) { return false; }
    out->s = c->not_before.s > least ? c->not_before.s : least;
    return true;
}

/* The same by an expedite: max(its not_before, signed_at + hard minimum). False when there is none for exactly this
 * content in this ring, or it has no effect at this moment. */
static bool expedited(const struct install_rule_content *c, const struct install_rule_expedite *x,
                      const struct install_rule_state *s, struct rw_wall now, struct rw_wall *out)
{
    int64_t least = 0;
    int64_t longest = 0;
    bool same = x->listed && strcmp(x->family, c->family) == 0 && x->release == c->release &&
                x->length == c->length && memcmp(x->sha256, c->sha256, INSTALL_HASH_BYTES) == 0;
    if (!same || !x->names_ring || x->not_before.s <= 0) { return false; }
    if (now.s >= x->until.s || now.s >= x->expires.s) { return false; }
    if (s->hard_min_s < 0 || !rw_add_i64(c->signed_at.s, s->hard_min_s, &least) ||
        !rw_add_i64(x->not_before.s, s->expedite_longest_s, &longest) || x->until.s > longest) {
        return false;
    }
    out->s = x->not_before.s > least ? x->not_before.s : least;
    return true;
}

/* An expedite keeps an eighth of the spread: endpoints of a ring still do not come all at once. */
enum { EXPEDITE_SPREAD_DIVISOR = 8 };

/* What one decision is made of. */
struct facts {
    const struct install_rule_content *c;
    const struct install_rule_expedite *x;
    const struct install_rule_state *s;
    int64_t spread_s;
    struct rw_wall now;
};

/* Whether the time has come; says so in `r`, or refuses when a time is missing. An expedite only makes it earlier. */
static bool time_has_come(const struct facts *f, struct install_rule_result *r)
{
    char text[RW_TIME_TEXT_BYTES];
    struct rw_wall base = never;
    struct rw_wall sooner = never;
    *r = plain(INSTALL_REFUSE, never);
    (void)snprintf(r->reason, sizeof(r->reason), "the release has no valid bake time for ring '%s'",
                   f->s->ring);
    if (f->spread_s < 0 || !baked(f->c, f->s, &base) || !rw_add_i64(base.s, f->spread_s, &base.s)) {
        return false;
    }
    bool early = expedited(f->c, f->x, f->s, f->now, &sooner) &&
                 rw_add_i64(sooner.s, f->spread_s / EXPEDITE_SPREAD_DIVISOR, &sooner.s) &&
                 sooner.s < base.s;
    if (early) { base = sooner; }
    rw_wall_format(text, base);
    *r = plain(INSTALL_WAIT, base);
    r->expedited = early;
    (void)snprintf(r->reason, sizeof(r->reason), "%s until %s",
                   early ? "expedited, bakes" : "bakes", text);
    return f->now.s >= base.s;
}

/* Halting must not wait: what ran on this endpoint before comes back at once, without bake and on hold as well.
 * Other old releases are past their times as a rule; where one is not, a lower number is no way around the bake. */
static struct install_rule_result decide_back(const struct facts *f)
{
    struct install_rule_result r;
    if (!f->s->held && !time_has_come(f, &r)) { return r; }
    r = plain(INSTALL_REVERT, f->now);
    (void)snprintf(r.reason, sizeof(r.reason), "the ring points back to release %lld",
                   (long long)f->c->release);
    return r;
}

static struct install_rule_result decide_forward(const struct facts *f, bool hold)
{
    struct install_rule_result r;
    if (hold) { return say(INSTALL_HOLD, never, on_hold); }
    const char *wrong = predated(f->c);
    if (wrong != NULL) { return say(INSTALL_REFUSE, never, wrong); }
    if (!time_has_come(f, &r)) { return r; }
    r.decision = INSTALL_GO;
    (void)snprintf(r.reason, sizeof(r.reason), "release %lld may be installed%s",
                   (long long)f->c->release, r.expedited ? ", expedited" : "");
    return r;
}

struct install_rule_result install_rule_decide(const struct install_rule_pointer *p,
                                               const struct install_rule_content *c,
                                               const struct install_rule_expedite *x,
                                               const struct install_rule_state *s,
                                               struct rw_wall now)
{
    struct facts f = {.c = c, .x = x, .s = s, .spread_s = s->spread_s, .now = now};
    const char *wrong = disagreement(p, c, s);
    if (wrong != NULL) { return say(INSTALL_REFUSE, never, wrong); }
    if (p->release == s->installed) {
        struct install_rule_result r = plain(INSTALL_NOTHING, never);
        (void)snprintf(r.reason, sizeof(r.reason), "release %lld is active",
                       (long long)s->installed);
        return r;
    }
    wrong = barred(c, s);
    if (wrong == NULL) { wrong = no_drill(c, s, now); }
    if (wrong != NULL) { return say(INSTALL_REFUSE, never, wrong); }
    if (p->release < s->installed) {
        f.spread_s = 0;
        return decide_back(&f);
    }
    return decide_forward(&f, p->hold);
}

const char *install_rule_barred_by(enum install_rule_bar bar, const struct install_rule_pointer *p,
                                   const struct install_rule_content *c,
                                   const struct install_rule_state *s, struct rw_wall now)
{
    bool forward = p->release > s->installed;
    if (bar == INSTALL_BAR_AGREES) { return disagreement(p, c, s); }
    if (bar == INSTALL_BAR_DRILL) { return no_drill(c, s, now); }
    if (bar == INSTALL_BAR_HOLD) { return forward && p->hold ? on_hold : NULL; }
    if (bar == INSTALL_BAR_SIGNED) { return forward ? predated(c) : NULL; }
    for (size_t i = 0; i < RW_LEN(bars); i++) {
        if (bars[i].name == bar) { return bars[i].says(c, s); }
    }
    return NULL;
}

struct install_rule_times install_rule_times(const struct install_rule_content *c,
                                             const struct install_rule_expedite *x,
                                             const struct install_rule_state *s, struct rw_wall now)
{
    struct install_rule_times t = {.valid = false};
    t.valid =
        s->spread_s >= 0 && baked(c, s, &t.bake) && rw_add_i64(t.bake.s, s->spread_s, &t.spread.s);
    t.expedite = t.valid && expedited(c, x, s, now, &t.expedited) &&
                 rw_add_i64(t.expedited.s, s->spread_s / EXPEDITE_SPREAD_DIVISOR, &t.expedited.s);
    return t;
}

bool install_rule_wants_expedite(const struct install_rule_result *r)
{
    return r->decision == INSTALL_WAIT && !r->expedited;
}

const char *install_rule_name(enum install_rule_decision d)
{
    static const char *const names[] = {"nothing", "wait", "hold", "refuse", "install", "revert"};
    return names[d];
}

int64_t install_rule_bucket(const uint8_t salt_sha256[static INSTALL_HASH_BYTES])
{
    uint64_t head = 0;
    for (int i = 0; i < 8; i++) {
        head = head << 8 | salt_sha256[i];
    }
    return (int64_t)(head % 10000);
}

int64_t install_rule_spread_s(int64_t bucket, int64_t bucket_lo, int64_t bucket_hi,
                              int64_t spread_s)
{
    if (bucket < bucket_lo || bucket >= bucket_hi || spread_s <= 0) { return 0; }
    return (bucket - bucket_lo) * spread_s / (bucket_hi - bucket_lo); /* policy: spread <= 90 d */
}
