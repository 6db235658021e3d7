/* cli_list.h: the verb that asks the server for one list and shows it as a table, JSON or one line per element.
 *
 * memory   nothing is kept
 * threads  one thread
 * source   docs/cli.md
 */
#ifndef RINGWARD_CLI_LIST_H
#define RINGWARD_CLI_LIST_H

#include "common/json/json_read.h"
#include "server/cli/cli_view.h"

struct cli_list {
    const char *program; /* "ringward rollout history" */
    const char *about;
    const char *examples;
    const char *path;   /* "/v1/rollouts"; may be given in pages, all of which are shown */
    const char *member; /* of the answer: the array */
    const char *empty;  /* said in place of a table without rows */
    RW_RC (*print)(const struct json *list, struct rw_err *err);
    RW_RC (*judge)(const struct json *list, struct rw_err *err); /* the exit status; NULL: 0 */
};

/* Fails with RW_E_USAGE, with what the server answers and with what `print` and `judge` say. */
RW_RC cli_list_run(const struct cli_list *what, int argc, char **argv, struct rw_err *err);
/* The same behind its command line. */
RW_RC cli_list_show(const struct cli_list *what, const struct cli_view_args *args,
                    struct rw_err *err);

#endif
