#include "agent/prove/box_check.h"
#include "agent/prove/box_cmd.h"
#include "common/base/opt.h"
#include "common/box/box_run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    WALL_MS = 20000,
    SPIN_WALL_MS = 1000, /* whichever comes first: this, or its second of processor time */
    CPU_S = 1,
    TRIES = 2, /* a busy host may be slow once */
    EXIT_FAILED = 1,
    PATH_BYTES = 4096,
};

/* A box that does not tell these five apart must not judge content (INV-5, INV-12). */
static const struct trial {
    const char *mode;
    enum verdict_kind want;
    int64_t wall_ms;
} trials[] = {
    {"good", VERDICT_ACCEPTED, WALL_MS},           {"segv", VERDICT_CRASHED, WALL_MS},
    {"openat", VERDICT_POLICY_VIOLATION, WALL_MS}, {"spin", VERDICT_TIMED_OUT, SPIN_WALL_MS},
    {"alloc", VERDICT_OUT_OF_MEMORY, WALL_MS},
};

struct options {
    const char *validator, *without;
    bool allow_weak;
};

static void print_sandbox(const struct verdict *v)
{
    printf("grade    %s\n", v->grade);
    for (size_t i = 0; i < v->missing_count; i++) {
        printf("missing  %s\n", v->missing[i]);
    }
}

static RW_RC run_trial(const struct trial *trial, const struct options *o, const char *validator,
                       bool *ok_out, struct rw_err *err)
{
    struct box_check_request req = {.validator = validator,
                                    .type = trial->mode,
                                    .content = validator,
                                    .wall_ms = trial->wall_ms,
                                    .cpu_s = CPU_S,
                                    .memory_bytes = INT64_C(64) << 20,
                                    .allow_weak = o->allow_weak};
    struct verdict v = {.exit_status = -1};
    if (o->without != NULL) { RW_TRY(box_cmd_read_without(o->without, &req.without, err)); }
    for (int i = 0; i < TRIES && (i == 0 || v.kind != trial->want); i++) {
        RW_TRY(box_check_content(&req, &v, err));
    }
    *ok_out = v.kind == trial->want;
    printf("%-8s %-18s %s%s%s\n", trial->mode, verdict_kind_name(v.kind), *ok_out ? "ok" : "WRONG",
           *ok_out ? "" : ": ", *ok_out ? "" : v.reason);
    if (trial->want == VERDICT_ACCEPTED) { print_sandbox(&v); }
    return RW_OK;
}

static RW_RC run_all(const struct options *o, int *status_out, struct rw_err *err)
{
    char beside[PATH_BYTES];
    const char *validator = o->validator;
    RW_TRY(box_beside_self("ringward-box-selftest", beside, sizeof(beside), err));
    if (validator == NULL) { validator = beside; }
    if (access(validator, R_OK) != 0) {
        return rw_fail(err, RW_E_NOT_FOUND, "there is no validator '%s' for the self-test",
                       validator);
    }
    for (size_t i = 0; i < RW_LEN(trials); i++) {
        bool ok = false;
        RW_TRY(run_trial(&trials[i], o, validator, &ok, err));
        if (!ok) { *status_out = EXIT_FAILED; }
    }
    return RW_OK;
}

RW_RC box_cmd_self_test(int argc, char **argv, int *status_out, struct rw_err *err)
{
    struct options o = {.validator = NULL};
    const struct opt opts[] = {
        {"validator", "PATH", "what misbehaves (default: ringward-box-selftest beside us)",
         &o.validator, NULL},
        {"allow-weak", NULL, "a sandbox of grade weak is good enough", NULL, &o.allow_weak},
        {"without", "LAYERS", "take layers away (test builds only)", &o.without, NULL},
    };
    const struct opt_command command = {
        .program = "ringward-box self-test",
        .usage = "",
        .about = "Runs a validator that behaves well, crashes, opens a file, spins and allocates,\n"
                 "and checks that each gets its verdict. Prints the sandbox's grade and every "
                 "layer\nthat is missing.\n"
                 "Exit status: 0 all as expected, 1 not, 2 usage.",
        .examples = "  ringward-box self-test\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    int count = 0;
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    return outcome == OPT_HELP_SHOWN ? RW_OK : run_all(&o, status_out, err);
}
