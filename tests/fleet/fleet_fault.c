#include "tests/fleet/fleet_fault.h"

#include "common/base/num.h"

#include <string.h>

enum { AFTER_MS_MAX = 7 * 24 * 3600 * 1000, SHARE_ALL_BP = 10000 };

static const char *const names[FLEET_EFFECTS] = {"none",  "crash", "brick",
                                                 "storm", "slow",  "refuse"};

const char *fleet_fault_name(enum fleet_effect e)
{
    return names[e];
}

static RW_RC read_effect(struct rw_span v, struct fleet_fault *f, struct rw_err *err)
{
    for (size_t i = FLEET_EFFECT_CRASH; i < FLEET_EFFECTS; i++) {
        if (rw_span_is(v, names[i])) {
            f->effect = (enum fleet_effect)i;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_SCHEMA, "effect '%.*s' is not crash, brick, storm, slow or refuse",
                   (int)(v.n < 32 ? v.n : 32), (const char *)v.p);
}

/* One bit per name: each may stand once. */
static RW_RC read_word(struct rw_span name, struct rw_span v, struct fleet_fault *f, unsigned *seen,
                       struct rw_err *err)
{
    static const char *const known[] = {"release", "effect", "share", "after",
                                        "os",      "arch",   "engine"};
    size_t at = 0;
    while (at < RW_LEN(known) && !rw_span_is(name, known[at])) {
        at++;
    }
    if (at == RW_LEN(known) || (*seen >> at & 1U) != 0) {
        return rw_fail(err, RW_E_SCHEMA, "'%.*s' is %s", (int)(name.n < 32 ? name.n : 32),
                       (const char *)name.p, at == RW_LEN(known) ? "unknown" : "there twice");
    }
    *seen |= 1U << at;
    switch (at) {
    case 0:
        return rw_parse_i64(v, 1, RW_JSON_INT_MAX, "release", &f->release, err);
    case 1:
        return read_effect(v, f, err);
    case 2:
        return rw_parse_share_bp(v, "share", &f->share_bp, err);
    case 3:
        return rw_parse_duration_ms(v, AFTER_MS_MAX, "after", &f->after_ms, err);
    case 4:
        return rw_span_to_str(f->cohort.os, sizeof(f->cohort.os), v, "os", err);
    case 5:
        return rw_span_to_str(f->cohort.arch, sizeof(f->cohort.arch), v, "arch", err);
    default:
        return rw_span_to_str(f->cohort.engine, sizeof(f->cohort.engine), v, "engine", err);
    }
}

/* Up to the first of `ends`, which is taken off too. */
static struct rw_span take_until(struct rw_span *rest, const char *ends)
{
    size_t n = 0;
    while (n < rest->n && (rest->p[n] == '\0' || strchr(ends, rest->p[n]) == NULL)) {
        n++;
    }
    struct rw_span part = rw_span_of(rest->p, n);
    size_t skip = n < rest->n ? n + 1 : n;
    *rest = rw_span_of(rest->p + skip, rest->n - skip);
    return part;
}

static RW_RC read_line(struct rw_span line, struct fleet_faults *out, struct rw_err *err)
{
    struct fleet_fault f = {.share_bp = SHARE_ALL_BP};
    unsigned seen = 0;
    if (line.n > 0 && line.p[0] == '#') { return RW_OK; }
    while (line.n > 0) {
        struct rw_span value = take_until(&line, " ");
        if (value.n == 0) { continue; }
        struct rw_span name = take_until(&value, "=");
        if (value.n == 0) { return rw_fail(err, RW_E_SYNTAX, "want words 'name=value'"); }
        RW_TRY(read_word(name, value, &f, &seen, err));
    }
    if (seen == 0) { return RW_OK; }
    if (f.release == 0 || f.effect == FLEET_EFFECT_NONE) {
        return rw_fail(err, RW_E_SCHEMA, "a fault needs 'release' and 'effect'");
    }
    if (out->count == FLEET_FAULTS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "at most %d faults", FLEET_FAULTS_MAX);
    }
    out->at[out->count++] = f;
    return RW_OK;
}

RW_RC fleet_fault_read(struct rw_span text, struct fleet_faults *out, struct rw_err *err)
{
    struct fleet_faults all = {.count = 0};
    unsigned number = 0;
    if (text.n > FLEET_FAULT_TEXT_BYTES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "faults of more than %d bytes",
                       FLEET_FAULT_TEXT_BYTES_MAX);
    }
    while (text.n > 0) {
        number++;
        struct rw_span line = take_until(&text, "\n;");
        if (!rw_is_ok(read_line(line, &all, err))) { return rw_wrap(err, "fault %u", number); }
    }
    *out = all;
    return RW_OK;
}

static bool fits(const char *want, const char *is)
{
    return want[0] == '\0' || strcmp(want, is) == 0;
}

const struct fleet_fault *fleet_fault_of(const struct fleet_faults *f, int64_t release,
                                         const struct beacon_cohort *cohort, unsigned luck)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct fleet_fault *one = &f->at[i];
        if (one->release != release || !fits(one->cohort.os, cohort->os) ||
            !fits(one->cohort.arch, cohort->arch) || !fits(one->cohort.engine, cohort->engine)) {
            continue;
        }
        return luck < (unsigned)one->share_bp ? one : NULL;
    }
    return NULL;
}
