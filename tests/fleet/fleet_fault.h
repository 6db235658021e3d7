/* fleet_fault.h: what releases do to endpoints, by a small script.
 *
 * One fault per line, or per part between semicolons: words "name=value" between blanks. Empty lines and lines that
 * begin with '#' say nothing. Everything else is refused.
 *
 *   release=2 effect=crash                     every endpoint that activates release 2 crashes
 *   release=3 effect=brick share=5% after=2s   one of twenty falls silent for good, two seconds after its load
 *   release=4 effect=crash engine=yara-4.1     one cohort only (also os=, arch=)
 *
 * memory   plain values of fixed size
 * threads  no shared state
 * source   docs/fleet.md "Faults"
 */
#ifndef RINGWARD_FLEET_FAULT_H
#define RINGWARD_FLEET_FAULT_H

#include "common/wire/beacon_codec.h"

enum { FLEET_FAULTS_MAX = 16, FLEET_FAULT_TEXT_BYTES_MAX = 16 * 1024 };

enum fleet_effect {
    FLEET_EFFECT_NONE,
    FLEET_EFFECT_CRASH,  /* the sensor dies by SIGSEGV */
    FLEET_EFFECT_BRICK,  /* the whole endpoint falls silent for good */
    FLEET_EFFECT_STORM,  /* detections beyond the budget */
    FLEET_EFFECT_SLOW,   /* scans take far longer; it goes on */
    FLEET_EFFECT_REFUSE, /* the endpoint's box does not accept the content */
    FLEET_EFFECTS,
};

struct fleet_fault {
    int64_t release;
    enum fleet_effect effect;
    int64_t share_bp;            /* of the endpoints that the cohort names; 10000: all */
    int64_t after_ms;            /* since the load */
    struct beacon_cohort cohort; /* "": any */
};

struct fleet_faults {
    struct fleet_fault at[FLEET_FAULTS_MAX];
    size_t count;
};

/* Fails with RW_E_SYNTAX, RW_E_RANGE, RW_E_SCHEMA, RW_E_TOO_BIG, naming the line. */
RW_RC fleet_fault_read(struct rw_span text, struct fleet_faults *out, struct rw_err *err);
/* What the release does to this endpoint; NULL: nothing. `luck` 0..9999 is the endpoint's own for this release. The
 * first line that fits decides. */
const struct fleet_fault *fleet_fault_of(const struct fleet_faults *f, int64_t release,
                                         const struct beacon_cohort *cohort, unsigned luck);
const char *fleet_fault_name(enum fleet_effect e);

#endif
