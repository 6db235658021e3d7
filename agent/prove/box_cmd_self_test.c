#include "agent/prove/box_check.h"
#include "agent/prove/box_cmd.h"
#include "common/base/opt.h"
#include "common/box/box_run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SELF_TEST_WALL_MS = 8000, SELF_TEST_CPU_S = 1, EXIT_FAILED = 1, PATH_BYTES = 4096 };

/* A box that does not tell these five apart must not judge content (INV-5, INV-12). */
static const struct trial {
    const char *mode;
    enum verdict_kind want;
} trials[] = {
    {"good", VERDICT_ACCEPTED},           {"segv", VERDICT_CRASHED},
    {"openat", VERDICT_POLICY_VIOLATION}, {"spin", VERDICT_TIMED_OUT},
    {"alloc", VERDICT_OUT_OF_MEMORY},
};

static RW_RC run_trial(const struct trial *trial, const char *validator, const char *content,
                       bool *ok_out, struct rw_err *err)
{
    const struct box_check_request req = {.validator = validator,
                                          .type = trial->mode,
                                          .content = content,
                                          .wall_ms = SELF_TEST_WALL_MS,
                                          .cpu_s = SELF_TEST_CPU_S,
                                          .memory_bytes = INT64_C(64) << 20};
    struct verdict v = {.exit_status = -1};
    RW_TRY(box_check_content(&req, &v, err));
    *ok_out = v.kind == trial->want;
    printf("%-8s %-18s %s%s%s\n", trial->mode, verdict_kind_name(v.kind), *ok_out ? "ok" : "WRONG",
           *ok_out ? "" : ": ", *ok_out ? "" : v.reason);
    if (trial->want == VERDICT_ACCEPTED) {
        printf("grade    %s\n", v.grade);
        for (size_t i = 0; i < v.missing_count; i++) {
            printf("missing  %s\n", v.missing[i]);
        }
    }
    return RW_OK;
}

RW_RC box_cmd_self_test(int argc, char **argv, int *status_out, struct rw_err *err)
{
    const char *validator = NULL;
    const struct opt opts[] = {
        {"validator", "PATH",
         "the hostile validator (default: ringward-validate-hostile beside us)", &validator, NULL},
    };
    const struct opt_command command = {
        .program = "ringward-box self-test",
        .usage = "",
        .about = "Runs a validator that behaves well, crashes, opens a file, spins and allocates,\n"
                 "and checks that each gets its verdict. Prints the sandbox's grade.\n"
                 "Exit status: 0 all as expected, 1 not, 2 usage.",
        .examples = "  ringward-box self-test\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    char beside[PATH_BYTES];
    int count = 0;
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    RW_TRY(box_beside_self("ringward-validate-hostile", beside, sizeof(beside), err));
    if (validator == NULL) { validator = beside; }
    if (access(validator, R_OK) != 0) {
        return rw_fail(err, RW_E_NOT_FOUND, "there is no hostile validator '%s'", validator);
    }
    for (size_t i = 0; i < RW_LEN(trials); i++) {
        bool ok = false;
        RW_TRY(run_trial(&trials[i], validator, validator, &ok, err));
        if (!ok) { *status_out = EXIT_FAILED; }
    }
    return RW_OK;
}
