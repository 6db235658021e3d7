/* ringward: the command line of release engineers and operators. Commands come from one table. */
#include "common/base/opt.h"
#include "common/base/version.h"
#include "server/cli/cli_verb.h"
#include "server/cli/cmd_audit.h"
#include "server/cli/cmd_control.h"
#include "server/cli/cmd_doctor.h"
#include "server/cli/cmd_drill.h"
#include "server/cli/cmd_fleet.h"
#include "server/cli/cmd_key.h"
#include "server/cli/cmd_release.h"
#include "server/cli/cmd_rings.h"
#include "server/cli/cmd_rollout.h"
#include "server/cli/cmd_second.h"
#include "server/cli/cmd_simulate.h"
#include "server/cli/cmd_status.h"
#include "server/cli/cmd_token.h"
#include "server/cli/cmd_trust.h"
#include "server/cli/cmd_webhook.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cli_verb commands[] = {
    {"release", cmd_release, "create, sign, publish, list and show content"},
    {"rollout", cmd_rollout, "start, watch, pause, resume, promote, halt, roll back"},
    {"second", cmd_second, "what waits for a second person; confirm or refuse it"},
    {"drill", cmd_drill, "rehearse halt and recovery with a harmless release"},
    {"explain", cmd_rollout_explain, "every number behind the verdict on one release"},
    {"status", cmd_status, "the server at a glance: trust, rollouts, alarms"},
    {"fleet", cmd_fleet, "endpoints: list, show, why; who is dark; cohorts"},
    {"control", cmd_control, "keep a customer's endpoints behind: delay, hold, pin, pause"},
    {"hold", cmd_control_hold, "nothing new for a customer's endpoints for so long"},
    {"pin", cmd_control_pin, "keep a customer's endpoints on an older release"},
    {"rings", cmd_rings, "check and explain the policy of rings"},
    {"simulate", cmd_simulate, "what a policy would do with a catalogue of faults"},
    {"audit", cmd_audit, "who changed what and why; verify and export the log"},
    {"webhook", cmd_webhook, "how deliveries to other systems stand; a test event"},
    {"token", cmd_token, "make, list and revoke tokens of operators and of enrolment"},
    {"key", cmd_key, "make a signing key, show its public half"},
    {"trust", cmd_trust, "the ceremony of root and targets, and the rotation of keys"},
    {"doctor", cmd_doctor, "time left on every signature that endpoints rely on"},
};

/* The table in the order in which people meet it: a heading before the command that begins its group. */
static const struct group {
    const char *first;
    const char *heading;
} groups[] = {
    {"release", "Content"},
    {"rollout", "Rollouts"},
    {"status", "Fleet and policy"},
    {"audit", "Records and trust"},
};

static void print_help(void)
{
    printf(
        "Usage: ringward COMMAND [VERB] [options]\n\n"
        "Ships detection content to endpoints ring by ring, watches it, halts what does harm.\n");
    for (size_t i = 0; i < RW_LEN(commands); i++) {
        for (size_t g = 0; g < RW_LEN(groups); g++) {
            if (strcmp(groups[g].first, commands[i].name) == 0) {
                printf("\n%s:\n", groups[g].heading);
            }
        }
        printf("  %-9s %s\n", commands[i].name, commands[i].about);
    }
    printf("\nOptions of every command:\n"
           "  --help            options and examples of a command or verb\n"
           "  --version         the version\n"
           "  --profile FILE    operator profile: server, ca_file, token_file\n"
           "  -o, --output FMT  table (default), json or ndjson\n"
           "\nExamples:\n"
           "  ringward release create --family yara --class rules --content rules.yar --notes "
           "\"why\"\n"
           "  ringward release sign --key alice.key yara/2\n"
           "  ringward release publish yara/2\n"
           "  ringward rollout start yara/2 && ringward rollout watch yara/2\n"
           "  ringward explain yara/2\n"
           "\nEnvironment: RINGWARD_PROFILE (default ~/.config/ringward/operator.conf), NO_COLOR.\n"
           "Exit status: 0 done, 1 input/output, 2 usage, 3 no answer or still running at a "
           "time-out,\n"
           "4 halted, 5 rolled back, 6 held, a second person must confirm, or something needs "
           "attention,\n"
           "7 not found, 8 stale generation, 9 refused, or it exists already. See ringward(1).\n");
}

static RW_RC dispatch(int argc, char **argv, struct rw_err *err)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help();
        return RW_OK;
    }
    if (strcmp(name, "--version") == 0) {
        printf("ringward %s\n", RW_VERSION);
        return RW_OK;
    }
    for (size_t i = 0; i < RW_LEN(commands); i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1, err);
        }
    }
    if (name[0] == '-') {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "'%.40s' stands before the command", name), "hint");
        return rw_hint(err, "options follow it: ringward status --profile FILE; ringward --help "
                            "lists the commands");
    }
    const struct cli_verb *meant = cli_verb_nearest(commands, RW_LEN(commands), name);
    RW_IGNORE(rw_fail(err, RW_E_USAGE, "there is no command '%.40s'", name), "hint");
    if (meant != NULL) { return rw_hint(err, "did you mean 'ringward %s'?", meant->name); }
    return rw_hint(err, "'ringward --help' lists the commands");
}

/* Whoever read our output has ended (head, a pager): that is no news for people. */
static bool reader_is_gone(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return ferror(stdout) != 0 && poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

int main(int argc, char **argv)
{
    struct rw_err err = {.code = RW_E_NONE};
    /* A reader that goes away (head, less) ends the output by an error from write, not by a signal. */
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    struct rw_rc rc = dispatch(argc, argv, &err);
    if (rw_is_ok(rc)) { return fflush(stdout) == 0 ? 0 : rw_code_exit_status(RW_E_IO); }
    (void)fflush(stdout); /* what was said before comes before the error */
    if (err.code == RW_E_IO && reader_is_gone()) { return rw_code_exit_status(RW_E_IO); }
    return opt_report("ringward", &err);
}
