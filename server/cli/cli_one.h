/* cli_one.h: the verb that asks the server for one thing named FAMILY/NUMBER and shows it as a table or JSON.
 *
 * memory   nothing is kept
 * threads  one thread
 * source   docs/cli.md
 */
#ifndef RINGWARD_CLI_ONE_H
#define RINGWARD_CLI_ONE_H

#include "common/json/json_read.h"

struct cli_one {
    const char *program; /* "ringward rollout status" */
    const char *about;
    const char *examples;
    const char *path; /* "/v1/rollouts": FAMILY/NUMBER follows */
    /* Is it what the verb is about? `operand` as typed; NULL: whatever the server answers is. */
    RW_RC (*accept)(const struct json *answer, const char *operand, struct rw_err *err);
    RW_RC (*print)(const struct json *answer, struct rw_err *err);
    RW_RC (*judge)(const struct json *answer, struct rw_err *err); /* exit status; NULL: 0 */
};

/* Fails with RW_E_USAGE, with what the server answers and with what `accept`, `print` and `judge` say. */
RW_RC cli_one_run(const struct cli_one *what, int argc, char **argv, struct rw_err *err);

#endif
