/* boot_rule.h: which set may the sensor load after this start? And when does a crash loop end a set?
 *
 * memory   values only
 * threads  pure
 * source   INV-6: after unclean starts one more try at most, then the previous set, then the empty one; a start
 *          behind an unclean one that cannot be counted is not risked with the same set
 */
#ifndef RINGWARD_BOOT_RULE_H
#define RINGWARD_BOOT_RULE_H

#include "common/base/err.h"

struct boot_rule_evidence {
    bool open;       /* the last run began and has not ended cleanly */
    bool guarded;    /* this start has been counted and its set chosen, nothing was loaded since */
    int64_t unclean; /* unclean starts in a row before this one */
    int64_t active;  /* set that the link names */
    bool active_valid; /* all its bytes are what its manifest says */
    int64_t fallback;  /* set to go back to; 0: the empty one */
    bool fallback_valid;
    bool trial;         /* the active set is on trial */
    bool active_stable; /* the host has started with the active set before, and that start lasted */
    bool
        uncounted; /* that this start began cannot be written: if it kills the host, nobody will know */
};

enum boot_rule_slot { BOOT_ACTIVE, BOOT_FALLBACK, BOOT_EMPTY };

enum { BOOT_RULE_REASON_BYTES = 120, BOOT_RULE_CRASHES = 3 };

struct boot_rule_result {
    int64_t unclean; /* to be stored before anything is loaded */
    enum boot_rule_slot slot;
    int64_t set;
    bool blame; /* not BOOT_ACTIVE: what is left failed, and is not tried again here */
    char reason[BOOT_RULE_REASON_BYTES];
};

struct boot_rule_result boot_rule_decide(const struct boot_rule_evidence *e);

/* Ages in ms of the last crashes (negative: there was none) and of the set's commit: is it the set's fault?
 * Three crashes within ten minutes, within an hour after the commit. */
bool boot_rule_crash_loop(const int64_t crash_age_ms[static BOOT_RULE_CRASHES],
                          int64_t commit_age_ms);

#endif
