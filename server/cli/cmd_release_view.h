/* cmd_release_view.h: how releases and verdicts of the box look on a terminal.
 *
 * memory   borrows the answer's tree
 * threads  one thread
 * source   docs/protocol.md 8 (release object) and 11 (verdict)
 */
#ifndef RINGWARD_CMD_RELEASE_VIEW_H
#define RINGWARD_CMD_RELEASE_VIEW_H

#include "common/json/json_read.h"

#include <stdio.h>

/* A table of releases; `list` is an array. */
RW_RC cmd_release_view_list(const struct json *list, struct rw_err *err);
/* One release: its name alone on the first line, so that scripts can read it; then facts, verdict, what to do next. */
RW_RC cmd_release_view_one(const struct json *release, struct rw_err *err);
/* The verdict of a box: each check, the grade of the sandbox, missing layers (INV-12). `where` is "this machine" or
 * "the server". Printed to `to`: stderr while standard output is for programs. */
void cmd_release_view_verdict(FILE *to, const struct json *verdict, const char *where);

#endif
