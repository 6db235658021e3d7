/* ringward-server: signing and rollout server. The verbs are in serve.c and server_cmd_*.c. */
#include "common/base/log.h"
#include "common/base/opt.h"
#include "common/base/version.h"
#include "server/serve.h"
#include "server/server_cmd.h"

#include <stdio.h>
#include <string.h>

static const struct verb {
    const char *name;
    RW_RC (*run)(int argc, char **argv, struct rw_err *err);
    const char *about;
} verbs[] = {
    {"serve", serve, "run the server"},
    {"init", server_cmd_init, "make a server directory"},
    {"keys", server_cmd_keys, "make online keys, export their public halves"},
    {"token", server_cmd_token, "make or revoke operator and enrolment tokens"},
    {"check-config", server_cmd_check_config, "check a server directory and its settings"},
    {"backup", server_cmd_backup, "save what a running server keeps"},
    {"restore", server_cmd_restore, "make a server directory from a backup"},
    {"check", server_cmd_check, "verify what a server or a backup keeps"},
    {"prune", server_cmd_prune, "remove what nobody needs any more"},
};

static void print_help(void)
{
    printf("Usage: ringward-server VERB [options]\n\nVerbs:\n");
    for (size_t i = 0; i < RW_LEN(verbs); i++) {
        printf("  %-14s %s\n", verbs[i].name, verbs[i].about);
    }
    printf("\n'ringward-server VERB --help' tells more. Operators use the 'ringward' command.\n");
}

static RW_RC dispatch(int argc, char **argv, struct rw_err *err)
{
    if (argc < 2) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "a verb is missing"), "hint follows");
        return rw_hint(err, "try 'ringward-server --help'");
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return RW_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("ringward-server %s\n", RW_VERSION);
        return RW_OK;
    }
    for (size_t i = 0; i < RW_LEN(verbs); i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) { return verbs[i].run(argc - 1, argv + 1, err); }
    }
    RW_IGNORE(rw_fail(err, RW_E_USAGE, "'%.40s' is not a verb of ringward-server", argv[1]),
              "hint follows");
    return rw_hint(err, "try 'ringward-server --help'");
}

int main(int argc, char **argv)
{
    struct rw_err err;
    rw_log_setup("server", RW_LOG_INFO);
    if (!rw_is_ok(dispatch(argc, argv, &err))) { return opt_report("ringward-server", &err); }
    if (fflush(stdout) != 0) {
        perror("ringward-server: standard output");
        return 1;
    }
    return 0;
}
