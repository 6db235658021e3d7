/* ringward-fleet: any number of simulated endpoints against a real ringward-server. */
#include "tests/fleet/fleet_cmd.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    RW_RC (*run)(int argc, char **argv, struct rw_err *err);
    const char *about;
} commands[] = {
    {"run", fleet_cmd_run, "endpoints that live through rollouts, with faults by script"},
    {"load", fleet_cmd_load, "permits and beacons at fixed rates, with latencies"},
};

static void help(void)
{
    printf("Usage: ringward-fleet COMMAND [options]\n\n"
           "Simulated endpoints over real HTTP(S) against a real ringward-server, with the codecs\n"
           "and decision rules of the agent.\n\nCommands:\n");
    for (size_t i = 0; i < RW_LEN(commands); i++) {
        printf("  %-8s %s\n", commands[i].name, commands[i].about);
    }
    printf(
        "\nringward-fleet COMMAND --help shows options and examples; docs/fleet.md says what is\n"
        "simulated and what is not.\n");
}

int main(int argc, char **argv)
{
    struct rw_err err = {.code = RW_E_NONE};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        help();
        return 0;
    }
    for (size_t i = 0; argc > 1 && i < RW_LEN(commands); i++) {
        if (strcmp(argv[1], commands[i].name) != 0) { continue; }
        if (rw_is_ok(commands[i].run(argc - 1, argv + 1, &err))) { return 0; }
        return opt_report("ringward-fleet", &err);
    }
    RW_IGNORE(rw_fail(&err, RW_E_USAGE, argc > 1 ? "'%.40s' is no command" : "which command?",
                      argc > 1 ? argv[1] : ""),
              "hint follows");
    RW_IGNORE(rw_hint(&err, "try 'ringward-fleet --help'"), "it is reported");
    return opt_report("ringward-fleet", &err);
}
