/* cmd_release_check.h: the box on the engineer's own machine, before anything is sent (INV-5).
 *
 * memory   everything is freed before return
 * threads  one thread
 * source   docs/protocol.md 11, docs/sandbox.md
 */
#ifndef RINGWARD_CMD_RELEASE_CHECK_H
#define RINGWARD_CMD_RELEASE_CHECK_H

#include "common/base/err.h"

struct cmd_release_check {
    const char *family;    /* its content type names the validator */
    const char *content;   /* path */
    const char *samples;   /* path; NULL: none */
    const char *validator; /* path; NULL: ringward-validate-TYPE beside this program */
    const char *manifest;  /* path; NULL: the sensor's beside this program */
    const char *against;   /* path of the release before; NULL: there is none */
    int64_t against_steps; /* releases from that one to this */
};

/* Runs ringward-box, which lies beside this program, and prints the verdict to stderr. Anything but an accepted
 * content fails with RW_E_BOX_REFUSED: no verdict is a refusal too (INV-3). */
RW_RC cmd_release_check(const struct cmd_release_check *check, struct rw_err *err);

#endif
