#include "common/base/opt.h"

#include "common/base/version.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { OPTS_MAX = 40, OPT_HELP = 1000, OPT_VERSION = 1001 };

static void print_help(const struct opt_command *command)
{
    printf("Usage: %s [options]%s%s\n\n%s\n", command->program,
           command->usage[0] != '\0' ? " " : "", command->usage, command->about);
    printf("\nOptions:\n");
    for (size_t i = 0; i < command->opt_count; i++) {
        char left[64];
        const struct opt *o = &command->opts[i];
        (void)snprintf(left, sizeof(left), "--%s%s%s", o->name, o->arg != NULL ? " " : "",
                       o->arg != NULL ? o->arg : "");
        printf("  %-28s %s\n", left, o->help);
    }
    printf("  %-28s %s\n", "--help", "show this help");
    printf("  %-28s %s\n", "--version", "show the version");
    if (command->examples != NULL) { printf("\nExamples:\n%s", command->examples); }
}

static void fill_long(const struct opt_command *command, struct option longs[static OPTS_MAX + 3])
{
    RW_ASSERT(command->opt_count <= OPTS_MAX);
    for (size_t i = 0; i < command->opt_count; i++) {
        const struct opt *o = &command->opts[i];
        longs[i] = (struct option){o->name, o->arg != NULL ? required_argument : no_argument, NULL,
                                   (int)i + 1};
    }
    longs[command->opt_count] = (struct option){"help", no_argument, NULL, OPT_HELP};
    longs[command->opt_count + 1] = (struct option){"version", no_argument, NULL, OPT_VERSION};
    longs[command->opt_count + 2] = (struct option){0};
}

/* The argument that getopt_long stumbled over; inside "-ab" optind still stands before it. */
static RW_RC refuse(const struct opt_command *command, char **argv, int code, struct rw_err *err)
{
    bool is_letter = optopt > OPTS_MAX && optopt < OPT_HELP;
    const char *what = code == ':'                ? "needs a value"
                       : optopt == 0 || is_letter ? "is not an option"
                                                  : "takes no value";
    if (is_letter) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "'-%c' %s here", optopt, what), "hint follows");
    } else {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "'%.60s' %s here", argv[optind - 1], what),
                  "hint follows");
    }
    return rw_hint(err, "try '%s --help'", command->program);
}

/* "-o FORMAT" is the short form of --output wherever a command has that option. */
static const struct opt *find_output(const struct opt_command *command)
{
    for (size_t i = 0; i < command->opt_count; i++) {
        if (strcmp(command->opts[i].name, "output") == 0) { return &command->opts[i]; }
    }
    return NULL;
}

static RW_RC check_operands(const struct opt_command *command, int argc, char **argv,
                            struct rw_err *err)
{
    int count = argc - optind;
    if (count >= command->operands_min && count <= command->operands_max) { return RW_OK; }
    if (count < command->operands_min) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "an operand is missing: %s", command->usage), "hint");
    } else {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "'%.60s' is one operand too many",
                          argv[optind + command->operands_max]),
                  "hint");
    }
    return rw_hint(err, "try '%s --help'", command->program);
}

/* NOLINTNEXTLINE(readability-function-size): argc and argv in, the operands' number and place out */
RW_RC opt_parse(const struct opt_command *command, int argc, char **argv,
                enum opt_outcome *outcome_out, char ***operands_out, int *operand_count_out,
                struct rw_err *err)
{
    struct option longs[OPTS_MAX + 3];
    fill_long(command, longs);
    optind = 0; /* glibc: start anew, subcommands parse more than once */
    opterr = 0;
    for (;;) {
        int code = getopt_long(argc, argv, ":ho:", longs, NULL);
        if (code == -1) { break; }
        if (code == 'h' || code == OPT_HELP) {
            print_help(command);
            *outcome_out = OPT_HELP_SHOWN;
            return RW_OK;
        }
        if (code == OPT_VERSION) {
            printf("%s %s\n", command->program, RW_VERSION);
            *outcome_out = OPT_HELP_SHOWN;
            return RW_OK;
        }
        if (code == '?' || code == ':') { return refuse(command, argv, code, err); }
        const struct opt *o = code == 'o' ? find_output(command) : &command->opts[code - 1];
        if (o == NULL) { return refuse(command, argv, '?', err); }
        if (o->value != NULL) { *o->value = optarg; }
        if (o->on != NULL) { *o->on = true; }
    }
    RW_TRY(check_operands(command, argc, argv, err));
    *outcome_out = OPT_RUN;
    *operands_out = argv + optind;
    *operand_count_out = argc - optind;
    return RW_OK;
}

int opt_report(const char *program, const struct rw_err *err)
{
    (void)fprintf(stderr, "%s: %s\n", program, err->text);
    if (err->hint[0] != '\0') { (void)fprintf(stderr, "%s: hint: %s\n", program, err->hint); }
    return rw_code_exit_status(err->code);
}
