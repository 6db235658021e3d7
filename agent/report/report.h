/* report.h: fills in what every beacon of this endpoint carries and puts it into the spool.
 *
 * memory   borrows the spool
 * threads  one thread (the loop's)
 * source   docs/protocol.md 7; INV-12: grade and trust stand in every beacon
 */
#ifndef RINGWARD_REPORT_H
#define RINGWARD_REPORT_H

#include "agent/report/beacon_spool.h"

enum { REPORT_FAMILIES_MAX = 8 };

struct report {
    struct beacon_spool *spool; /* borrowed */
    struct rw_clock clock;
    char ring[BEACON_NAME_BYTES]; /* "": no policy seen yet */
    struct beacon_cohort cohort;
    char grade[8];  /* of the box's last verdict; "": not run yet */
    char trust[12]; /* ok, expired, development */
    char dropped[REPORT_FAMILIES_MAX]
                [BEACON_NAME_BYTES]; /* families whose active release is not listed any more */
    size_t dropped_count;
    char clock_state[8]; /* behind, ahead; "": ok */
    char lacking[96];    /* a safeguard that is not set up (INV-12); "": none */
};

/* Completes `b` (id, time, ring, cohort, grade, trust, clock; the id only when it is all zeros) and spools it. A
 * beacon that cannot be kept is logged: reporting never blocks protection. */
void report_add(const struct report *r, struct beacon *b);
bool report_is_dropped(const struct report *r, const char *family);
/* Copies foreign text into a beacon's detail: cut to fit, without control or non-ASCII bytes. */
void report_detail(struct beacon *b, const char *text);

#endif
