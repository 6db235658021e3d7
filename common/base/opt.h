/* opt.h: command-line options from a table, from which parsing, --help and errors come.
 *
 * memory   values borrow from argv
 * threads  no shared state
 * source   getopt_long does the scanning
 */
#ifndef RINGWARD_OPT_H
#define RINGWARD_OPT_H

#include "common/base/err.h"

struct opt {
    const char *name;   /* long name without "--" */
    const char *arg;    /* placeholder of its value in the help ("FILE"); NULL: a switch */
    const char *help;   /* one line */
    const char **value; /* receives the value; NULL for a switch */
    bool *on;           /* receives true for a switch */
};

struct opt_command {
    const char *program;  /* "ringward release create" */
    const char *usage;    /* what follows the options: "FAMILY/NUMBER"; "" when nothing */
    const char *about;    /* paragraph */
    const char *examples; /* lines, each begun with two blanks */
    const struct opt *opts;
    size_t opt_count;
    int operands_min;
    int operands_max;
};

enum opt_outcome { OPT_RUN, OPT_HELP_SHOWN };

/* Parses argv[1..]; gives the operands as *operands_out (borrowed) and their number. "--help" and "-h"
 * print the help on stdout; "--version" prints the version.
 * Fails with RW_E_USAGE, with a hint that names "--help". */
RW_RC opt_parse(const struct opt_command *command, int argc, char **argv,
                enum opt_outcome *outcome_out, char ***operands_out, int *operand_count_out,
                struct rw_err *err);

/* Prints "program: text" and the hint to stderr; gives the exit status of the error's code. */
int opt_report(const char *program, const struct rw_err *err);

#endif
