/* box_self.h: does the box of this installation tell good from bad? Asked before it judges anything.
 *
 * memory   plain values
 * threads  may be called from any thread
 * source   docs/sandbox.md "Self-test"; INV-5, INV-12: a box that fails has grade none, and nothing new is activated
 */
#ifndef RINGWARD_BOX_SELF_H
#define RINGWARD_BOX_SELF_H

#include "common/base/buf.h"

enum { BOX_SELF_WHY_BYTES = 200, BOX_SELF_TEXT_BYTES_MAX = 16384 };

struct box_self {
    bool passed;
    char grade[8];                    /* "none" unless it passed */
    char missing[BOX_SELF_WHY_BYTES]; /* layers, separated by "; " */
    char why[BOX_SELF_WHY_BYTES];     /* what went wrong; "": nothing */
};

/* Runs `ringward-box self-test`; about a second of processor time. Never fails: what goes wrong is in `out`. */
void box_self_test(const char *box, bool allow_weak, struct box_self *out);
/* From what it printed and its exit status. */
void box_self_read(const char *text, int exit_status, struct box_self *out);

#endif
