#include "server/cli/cmd_trust.h"

#include "server/cli/cli_verb.h"

static const struct cli_verb verbs[] = {
    {"init", cmd_trust_init, "builds the first root and targets from a reviewed text file"},
    {"show", cmd_trust_show, "shows a ceremony's documents, or those that are published"},
    {"sign", cmd_trust_sign, "signs one document, on the machine that has the key"},
    {"assemble", cmd_trust_assemble, "checks all signatures, writes what a new server needs"},
    {"publish", cmd_trust_publish, "checks all signatures, sends them to the running server"},
    {"rotate", cmd_trust_rotate, "prepares the next documents: other keys, policy or end"},
};

RW_RC cmd_trust(int argc, char **argv, struct rw_err *err)
{
    return cli_verb_run("ringward trust", verbs, sizeof(verbs) / sizeof(verbs[0]), argc, argv, err);
}
