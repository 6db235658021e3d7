/* report.h: fills in what every beacon of this endpoint carries and puts it into the spool.
 *
 * memory   borrows the spool
 * threads  one thread (the loop's)
 * source   docs/protocol.md 7; INV-12: grade and trust stand in every beacon
 */
#ifndef RINGWARD_REPORT_H
#define RINGWARD_REPORT_H

#include "agent/report/beacon_spool.h"

enum { REPORT_FAMILIES_MAX = 8, REPORT_OWED_MAX = 16 };

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
    char clock_state[8];                 /* behind, ahead; "": ok */
    char lacking[96];                    /* a safeguard that is not set up (INV-12); "": none */
    char note[BEACON_DETAIL_BYTES];      /* what the next `alive` shall say; "": nothing */
    struct beacon owed[REPORT_OWED_MAX]; /* the disk did not take them yet; the oldest first */
    size_t owed_count;
};

/* Completes `b` (id, time, ring, cohort, grade, trust, clock; the id only when it is all zeros) and spools it. True: it
 * is durable. What the disk does not take is logged and, but for `alive`, owed: the next call tries it again, and what
 * finds no place there counts as dropped. Reporting never blocks protection. */
bool report_add(struct report *r, struct beacon *b);
/* The same for an `alive`: before its own detail it says the note, and how many beacons were dropped that the server
 * was not told about yet. */
bool report_add_alive(struct report *r, struct beacon *b);
/* Tries what is owed again. */
void report_flush(struct report *r);
/* Adds words to the note of the next `alive`. */
void report_note(struct report *r, const char *text);
bool report_is_dropped(const struct report *r, const char *family);
/* Copies foreign text into a beacon's detail: cut to fit, without control or non-ASCII bytes. */
void report_detail(struct beacon *b, const char *text);

#endif
