/* cli_view.h: what several commands share: common options, tolerant reading of answers, printing JSON.
 *
 * memory   getters borrow from the answer's tree
 * threads  one thread
 * source   docs/cli.md
 */
#ifndef RINGWARD_CLI_VIEW_H
#define RINGWARD_CLI_VIEW_H

#include "common/base/opt.h"
#include "common/json/json_read.h"

#include <stdio.h>

enum cli_format { CLI_TABLE, CLI_JSON, CLI_NDJSON };

/* The two options that every command with a server has; put them into its table. */
#define CLI_OPT_PROFILE(variable)                                                                  \
    {                                                                                              \
        "profile", "FILE", "operator profile (default $RINGWARD_PROFILE)", &(variable), NULL       \
    }
#define CLI_OPT_OUTPUT(variable)                                                                   \
    {                                                                                              \
        "output", "FORMAT", "table, json or ndjson (short: -o)", &(variable), NULL                 \
    }

/* NULL means table. Fails with RW_E_USAGE. */
RW_RC cli_view_format(const char *name, enum cli_format *out, struct rw_err *err);

/* Reads "yara/2". Fails with RW_E_USAGE. */
enum { CLI_FAMILY_BYTES = 33 };
RW_RC cli_view_release_id(const char *text, char family[static CLI_FAMILY_BYTES],
                          int64_t *release_out, struct rw_err *err);

/* Members of an answer for display: absent or of another type gives the fallback, never an error, so that
 * an older command line can show a newer server's answers. */
int64_t cli_view_int(const struct json *object, const char *name, int64_t fallback);
bool cli_view_bool(const struct json *object, const char *name);
/* Copies at most cap - 1 bytes; "" when absent. Gives dst. */
const char *cli_view_str(const struct json *object, const char *name, char *dst, size_t cap);

/* Prints an answer as one line of packed JSON. Fails with RW_E_IO, RW_E_TOO_BIG. */
RW_RC cli_view_print_json(const struct json *v, struct rw_err *err);

#endif
