#include "agent/activate/boot_rule.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    UNCLEAN_FALLBACK = 2, /* one more try, then the set before */
    UNCLEAN_EMPTY = 3,
    CRASH_WINDOW_MS = 10 * 60 * 1000,
    COMMIT_WINDOW_MS = 60 * 60 * 1000,
};

__attribute__((format(printf, 4, 5))) static struct boot_rule_result
choose(const struct boot_rule_evidence *e, int64_t unclean, enum boot_rule_slot slot,
       const char *fmt, ...)
{
    struct boot_rule_result r = {.unclean = unclean, .slot = slot};
    va_list ap;
    r.set = slot == BOOT_ACTIVE ? e->active : (slot == BOOT_FALLBACK ? e->fallback : 0);
    va_start(ap, fmt);
    (void)vsnprintf(r.reason, sizeof(r.reason), fmt, ap);
    va_end(ap);
    return r;
}

/* A fallback that is the active set itself would be a third try. */
static bool has_fallback(const struct boot_rule_evidence *e)
{
    return e->fallback_valid && e->fallback != e->active;
}

/* A set on trial, or one that never saw a start last, is what changed. A set that this host has started with before is
 * not: then power cuts are the likelier cause, as with a damaged disk. It is left all the same, but may come back. */
static bool is_to_blame(const struct boot_rule_evidence *e, const struct boot_rule_result *r)
{
    if (r->slot == BOOT_ACTIVE) { return false; }
    if (e->uncounted && r->unclean < UNCLEAN_FALLBACK) { return false; } /* it had a try left */
    bool first_fall = r->slot == BOOT_FALLBACK || r->unclean < UNCLEAN_EMPTY;
    return e->trial || (first_fall && e->active_valid && !e->active_stable);
}

/* INV-3, INV-6: a count that does not reach the disk would give the set one more try for ever. After a clean end a
 * proven set is loaded all the same: a full disk alone is no reason to leave the host without its sensor. */
static bool is_untold_risk(const struct boot_rule_evidence *e, int64_t unclean)
{
    return e->uncounted && e->active != 0 && (unclean > 0 || e->trial);
}

static struct boot_rule_result choose_slot(const struct boot_rule_evidence *e)
{
    int64_t unclean = e->open ? e->unclean + 1 : 0;
    if (e->guarded) { unclean = e->unclean; }
    bool untold = is_untold_risk(e, unclean);
    /* What a guard of its own has chosen for this start is active now: going back once more would leave a good set. */
    if (e->guarded && e->active_valid && !untold) {
        return choose(e, unclean, BOOT_ACTIVE, "the guard has chosen already");
    }
    if (unclean >= UNCLEAN_EMPTY) {
        return choose(e, unclean, BOOT_EMPTY, "%lld unclean starts in a row", (long long)unclean);
    }
    bool tired = unclean >= UNCLEAN_FALLBACK;
    if (!tired && !untold && e->active_valid) {
        return choose(e, unclean, BOOT_ACTIVE, unclean == 0 ? "clean start" : "one more try");
    }
    const char *why = "the active set is damaged";
    if (untold) { why = "this start cannot be counted on the disk"; }
    if (tired) { why = "unclean starts in a row"; }
    return choose(e, unclean, has_fallback(e) ? BOOT_FALLBACK : BOOT_EMPTY, "%s", why);
}

struct boot_rule_result boot_rule_decide(const struct boot_rule_evidence *e)
{
    struct boot_rule_result r = choose_slot(e);
    r.blame = is_to_blame(e, &r);
    if (r.slot != BOOT_ACTIVE && e->active_stable && e->active_valid) {
        size_t n = strlen(r.reason);
        (void)snprintf(r.reason + n, sizeof(r.reason) - n,
                       " of a set that had started well before: not blamed");
    }
    return r;
}

bool boot_rule_crash_loop(const int64_t crash_age_ms[static BOOT_RULE_CRASHES],
                          int64_t commit_age_ms)
{
    if (commit_age_ms < 0 || commit_age_ms > COMMIT_WINDOW_MS) { return false; }
    for (int i = 0; i < BOOT_RULE_CRASHES; i++) {
        if (crash_age_ms[i] < 0 || crash_age_ms[i] > CRASH_WINDOW_MS) { return false; }
    }
    return true;
}
