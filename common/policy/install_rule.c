#include "common/policy/install_rule.h"

#include "common/base/num.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static struct install_rule_result
result(enum install_rule_decision decision, struct rw_wall not_before, const char *fmt, ...)
{
    struct install_rule_result r = {.decision = decision, .not_before = not_before};
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(r.reason, sizeof(r.reason), fmt, ap);
    va_end(ap);
    return r;
}

static const struct rw_wall never = {INT64_MAX};

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
    if (!c->platform_fits) { return "the release is not for this platform"; }
    if (s->engine < c->engine_min || s->engine > c->engine_max) {
        return "the release is not for this engine version";
    }
    return NULL;
}

static bool is_abandoned(const struct install_rule_content *c, const struct install_rule_state *s)
{
    for (size_t i = 0; i < s->abandoned_count && i < INSTALL_ABANDONED_MAX; i++) {
        if (memcmp(s->abandoned[i], c->sha256, INSTALL_HASH_BYTES) == 0) { return true; }
    }
    return false;
}

/* base = max(not_before, signed_at + min_bake) + spread; false when a time is missing or overflows. */
static bool earliest(const struct install_rule_content *c, const struct install_rule_state *s,
                     struct rw_wall *out)
{
    int64_t baked = 0;
    if (!c->has_not_before || c->signed_at.s <= 0 || s->min_bake_s < 0 || s->spread_s < 0) {
        return false;
    }
    if (!rw_add_i64(c->signed_at.s, s->min_bake_s, &baked)) { return false; }
    int64_t base = c->not_before.s > baked ? c->not_before.s : baked;
    return rw_add_i64(base, s->spread_s, &out->s);
}

struct install_rule_result install_rule_decide(const struct install_rule_pointer *p,
                                               const struct install_rule_content *c,
                                               const struct install_rule_state *s,
                                               struct rw_wall now)
{
    struct rw_wall base = never;
    const char *wrong = disagreement(p, c, s);
    if (wrong != NULL) { return result(INSTALL_REFUSE, never, "%s", wrong); }
    if (p->release == s->installed) {
        return result(INSTALL_NOTHING, never, "release %lld is active", (long long)s->installed);
    }
    /* Going back needs no bake and ignores hold: halting must not wait. */
    if (p->release < s->installed) {
        return result(INSTALL_REVERT, now, "the ring points back to release %lld",
                      (long long)p->release);
    }
    if (p->hold) { return result(INSTALL_HOLD, never, "the ring is on hold"); }
    if (is_abandoned(c, s)) {
        return result(INSTALL_REFUSE, never, "release %lld failed on this endpoint before",
                      (long long)p->release);
    }
    if (!earliest(c, s, &base)) {
        return result(INSTALL_REFUSE, never, "the release has no valid bake time for ring '%s'",
                      s->ring);
    }
    if (now.s < base.s) {
        char text[RW_TIME_TEXT_BYTES];
        rw_wall_format(text, base);
        return result(INSTALL_WAIT, base, "bakes until %s", text);
    }
    return result(INSTALL_GO, base, "release %lld may be installed", (long long)p->release);
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
    return (bucket - bucket_lo) * spread_s / (bucket_hi - bucket_lo);
}
