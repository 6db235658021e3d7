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

enum { CLI_PATH_BYTES = 512 };
enum cli_format { CLI_TABLE, CLI_JSON, CLI_NDJSON };

/* What every verb with a server reads from its command line. */
struct cli_view_args {
    const char *profile; /* NULL: the default one */
    const char *output;  /* as given */
    enum cli_format format;
    char **operands; /* borrowed from argv */
    int count;
    bool help_shown; /* nothing is left to do */
};

/* opt_parse, then the format. `args->output` must be what CLI_OPT_OUTPUT in the table points to.
 * Fails with RW_E_USAGE. */
RW_RC cli_view_args(const struct opt_command *command, int argc, char **argv,
                    struct cli_view_args *args, struct rw_err *err);

/* The two options that every command with a server has; put them into its table. */
#define CLI_OPT_PROFILE(variable)                                                                  \
    {                                                                                              \
        "profile", "FILE", "operator profile (default: $RINGWARD_PROFILE)", &(variable), NULL      \
    }
#define CLI_OPT_OUTPUT(variable)                                                                   \
    {                                                                                              \
        "output", "FORMAT", "table, json or ndjson (short: -o)", &(variable), NULL                 \
    }

/* What cannot be left out: `option` as in "--ring NAME", `program` as in "ringward drill start". Fails with
 * RW_E_USAGE when the value is NULL or empty; the hint names the program's help. */
RW_RC cli_view_need(const char *value, const char *option, const char *program, struct rw_err *err);
/* The same for --reason. */
RW_RC cli_view_need_reason(const char *reason, struct rw_err *err);

/* NULL means table. Fails with RW_E_USAGE. */
RW_RC cli_view_format(const char *name, enum cli_format *out, struct rw_err *err);

/* Reads "yara/2". Fails with RW_E_USAGE. */
enum { CLI_FAMILY_BYTES = 33 };
RW_RC cli_view_release_id(const char *text, char family[static CLI_FAMILY_BYTES],
                          int64_t *release_out, struct rw_err *err);

/* A family, class or ring as it was typed. Fails with RW_E_USAGE. */
RW_RC cli_view_name(const char *name, const char *what, struct rw_err *err);
/* "PREFIX/FAMILY/NUMBERSUFFIX" for an operand like "yara/2". Fails with RW_E_USAGE. */
RW_RC cli_view_release_path(const char *prefix, const char *operand, const char *suffix,
                            char path[static CLI_PATH_BYTES], struct rw_err *err);

/* Members of an answer for display: absent or of another type gives the fallback, never an error, so that
 * an older command line can show a newer server's answers. */
int64_t cli_view_int(const struct json *object, const char *name, int64_t fallback);
bool cli_view_bool(const struct json *object, const char *name);
/* Copies at most cap - 1 bytes, cleaned (below); "" when absent. Gives dst. */
const char *cli_view_str(const struct json *object, const char *name, char *dst, size_t cap);

/* The same with "-" for what is absent or empty. */
const char *cli_view_or_dash(const struct json *object, const char *name, char *dst, size_t cap);
/* "debian-12/x86_64/yara-4.2" of a cohort object; "" when NULL. */
const char *cli_view_cohort(const struct json *cohort, char *dst, size_t cap);
/* A time left for people: "45s", "59m 59s", "1h 30m", "2d 3h": two units at most. dst of 32 bytes is enough. */
const char *cli_view_duration(int64_t seconds, char *dst, size_t cap);
/* Makes foreign text harmless for a terminal, in place: control bytes, C1 controls and bytes that are no
 * UTF-8 become '?', a character cut in its middle goes. */
void cli_view_clean(char *text);
/* Characters of UTF-8 text. */
size_t cli_view_length(const char *text);
/* Why the command printed nothing: standard output is full or closed. */
RW_RC cli_view_flush(struct rw_err *err);

/* Prints an answer as one line of packed JSON. Fails with RW_E_IO, RW_E_TOO_BIG. */
RW_RC cli_view_print_json(const struct json *v, struct rw_err *err);
/* The same for each element of an array: one line per element (ndjson). */
RW_RC cli_view_print_each(const struct json *list, struct rw_err *err);

#endif
