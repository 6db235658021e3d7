/* sim_fault.h: the catalogue: what can be wrong with a release, and what only looks so.
 *
 * memory   constants
 * threads  pure
 * source   docs/simulate.md
 */
#ifndef RINGWARD_SIM_FAULT_H
#define RINGWARD_SIM_FAULT_H

#include "common/base/err.h"

struct sim_fault {
    const char *name;
    const char *text; /* for people */
    double crash;     /* share of installs that fail visibly on load */
    double dark;      /* share that falls silent on load */
    double cut;       /* share that runs on and cannot reach the server with the release */
    double delayed;   /* share that crashes `delay_min` after the install */
    int64_t delay_min;
    double leak_per_day; /* more late crashes per endpoint and day */
    double base_ratio; /* base rates of the treated: apply failures and late crashes; 1: as ever */
    double matches_clean; /* share of what is scanned that one rule matches for nothing */
    double slower;        /* processor time per scan: so many times more than before; 0: as ever */
    double mute;          /* share of installs whose sensor loses its function */
    double forged;        /* share of endpoints, all of one tenant, that always report a failure */
    double
        outage; /* share of all endpoints, with the release or not, without network for an hour */
    bool good;  /* nothing is wrong with the release: any stop is a false one */
    bool smallest_only; /* only in the smallest cohort */
    bool time_of_day;   /* base rates move by a factor of 3 over the day */
};

extern const struct sim_fault sim_faults[];
extern const size_t sim_fault_count;

/* NULL: there is none of that name. */
const struct sim_fault *sim_fault_find(const char *name);

#endif
