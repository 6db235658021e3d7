/* cli_verb.h: tables of commands and verbs: looking one up, the list for --help, a hint after a slip of the hand.
 *
 * memory   borrows tables and arguments
 * threads  one thread
 * source   docs/cli.md
 */
#ifndef RINGWARD_CLI_VERB_H
#define RINGWARD_CLI_VERB_H

#include "common/base/err.h"

struct cli_verb {
    const char *name;
    RW_RC (*run)(int argc, char **argv, struct rw_err *err); /* argv[0] is the verb */
    const char *about;                                       /* one line for the list */
};

/* Runs the verb that argv[1] names; "--help", "-h" or nothing prints the list. `program` is "ringward rollout".
 * Fails with RW_E_USAGE for an unknown verb (the hint names the nearest one), and with the verb's own codes. */
RW_RC cli_verb_run(const char *program, const struct cli_verb *verbs, size_t count, int argc,
                   char **argv, struct rw_err *err);
/* The verb that is nearest to a mistyped word, NULL when none is near enough to be meant. */
const struct cli_verb *cli_verb_nearest(const struct cli_verb *verbs, size_t count,
                                        const char *word);

#endif
