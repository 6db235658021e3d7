/* cmd_fleet_look.h: the verbs of "ringward fleet" that look at many endpoints at once.
 *
 * memory   nothing is kept
 * threads  one thread
 * source   docs/cli.md
 */
#ifndef RINGWARD_CMD_FLEET_LOOK_H
#define RINGWARD_CMD_FLEET_LOOK_H

#include "common/json/json_read.h"

/* "cohorts". Fails with RW_E_ATTENTION (status 6) when a release is halted in a cohort. */
RW_RC cmd_fleet_cohorts(int argc, char **argv, struct rw_err *err);
/* "dark". Fails with RW_E_ATTENTION when there are any. */
RW_RC cmd_fleet_dark(int argc, char **argv, struct rw_err *err);

enum { CMD_FLEET_BAR = 20, CMD_FLEET_BAR_BYTES = CMD_FLEET_BAR + 1 };
/* What became of a release among the endpoints of a cohort, as a picture: '#' healthy, 'x' with a mark against it,
 * '?' dark, '+' on probation, '.' without it. What is there at all has a place, failures before all. */
void cmd_fleet_cohorts_bar(const struct json *release, char dst[static CMD_FLEET_BAR_BYTES]);

#endif
