/* ringward-box: the launcher that runs a validator in the sandbox and judges it. No network code, no keys. */
#include "agent/prove/box_cmd.h"
#include "common/base/opt.h"
#include "common/base/version.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct verb {
    const char *name;
    RW_RC (*run)(int argc, char **argv, int *status_out, struct rw_err *err);
    const char *about;
} verbs[] = {
    {"run", box_cmd_run, "Runs a validator on content, prints one verdict."},
    {"load", box_cmd_load, "Lets a sensor's loader try a whole set, prints one verdict."},
    {"pack-samples", box_cmd_pack, "Packs files that content must or must not match."},
    {"self-test", box_cmd_self_test, "Proves that the sandbox tells five behaviours apart."},
};

static void print_help(void)
{
    printf("Usage: ringward-box VERB [options]\n\n"
           "Runs validators of content in a sandbox.\n\nVerbs:\n");
    for (size_t i = 0; i < RW_LEN(verbs); i++) {
        printf("  %-14s %s\n", verbs[i].name, verbs[i].about);
    }
    printf("\n'ringward-box VERB --help' tells more.\n");
}

int main(int argc, char **argv)
{
    struct rw_err err = {.code = RW_E_NONE};
    const char *name = argc > 1 ? argv[1] : "";
    int status = 0;
    /* A reader that has gone is noticed by the failed write. */
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help();
        return 0;
    }
    if (strcmp(name, "--version") == 0) {
        printf("ringward-box %s\n", RW_VERSION);
        return 0;
    }
    for (size_t i = 0; i < RW_LEN(verbs); i++) {
        if (strcmp(verbs[i].name, name) != 0) { continue; }
        if (rw_is_ok(verbs[i].run(argc - 1, argv + 1, &status, &err))) { return status; }
        return opt_report("ringward-box", &err);
    }
    if (argc < 2) {
        RW_IGNORE(rw_fail(&err, RW_E_USAGE, "a verb is missing"), "told by opt_report");
    } else {
        RW_IGNORE(rw_fail(&err, RW_E_USAGE, "'%.40s' is not a verb", name), "told by opt_report");
    }
    RW_IGNORE(rw_hint(&err, "try 'ringward-box --help'"), "told by opt_report");
    return opt_report("ringward-box", &err);
}
