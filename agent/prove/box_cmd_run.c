#include "agent/prove/box_check.h"
#include "agent/prove/box_cmd.h"
#include "agent/prove/box_limits_rule.h"
#include "common/base/opt.h"
#include "common/box/box_run.h"
#include "common/crypto/digest.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_NO_VERDICT = 1 };

struct texts {
    const char *validator, *type, *content, *samples, *own_file, *manifest, *against;
    const char *steps, *clean, *seed, *wall, *cpu, *memory, *without;
    bool for_release, allow_weak, learn;
};

static RW_RC check_type(const char *type, struct rw_err *err)
{
    if (type[0] == '\0' || strlen(type) > 32 ||
        strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(type)) {
        return rw_fail(err, RW_E_USAGE, "--type '%.40s' is not a content type (a-z, 0-9, '-')",
                       type);
    }
    return RW_OK;
}

static RW_RC choose_seed(const char *text, uint64_t *out, struct rw_err *err)
{
    int64_t given = 0;
    uint8_t raw[8];
    if (text != NULL) {
        RW_TRY(rw_parse_i64(rw_span_str(text), 0, RW_JSON_INT_MAX, "--seed", &given, err));
        *out = (uint64_t)given;
        return RW_OK;
    }
    RW_TRY(digest_random(raw, sizeof(raw), err));
    *out = 0;
    for (size_t i = 0; i < sizeof(raw); i++) {
        *out = *out << 8 | raw[i];
    }
    *out &= (uint64_t)RW_JSON_INT_MAX; /* it stands in the verdict as a JSON integer */
    return RW_OK;
}

static RW_RC read_numbers(const struct texts *t, struct box_check_request *req, struct rw_err *err)
{
    int64_t clean = 0;
    RW_TRY(rw_parse_i64(rw_span_str(t->clean), 0, BOX_PICK_MAX, "--clean-files", &clean, err));
    RW_TRY(rw_parse_i64(rw_span_str(t->steps), 1, BOX_LIMITS_STEPS_MAX, "--against-steps",
                        &req->against_steps, err));
    RW_TRY(box_cmd_read_limits(t->wall, t->cpu, t->memory, req, err));
    if (t->without != NULL) { RW_TRY(box_cmd_read_without(t->without, &req->without, err)); }
    req->clean_files = (size_t)clean;
    req->allow_weak = t->allow_weak;
    return choose_seed(t->seed, &req->seed, err);
}

/* A failure of reading the inputs is an input error of the caller; only what the box itself could not do is told
 * as a verdict, so that nobody waits for one in vain. */
/* A name that is no file here means the program beside us, as in the agent's settings. */
static RW_RC find_validator(struct texts *t, char dst[static PATH_MAX], struct rw_err *err)
{
    if (strchr(t->validator, '/') != NULL || access(t->validator, F_OK) == 0) { return RW_OK; }
    RW_TRY(box_beside_self(t->validator, dst, PATH_MAX, err));
    if (access(dst, F_OK) != 0) {
        return rw_fail(err, RW_E_NOT_FOUND,
                       "there is no validator '%.80s', here or beside ringward-box", t->validator);
    }
    t->validator = dst;
    return RW_OK;
}

static RW_RC check_and_print(const struct box_check_request *req, int *status_out,
                             struct rw_err *err)
{
    struct verdict v = {.exit_status = -1};
    RW_TRY(box_check_content(req, &v, err));
    if (req->learn != NULL) {
        box_learn_print(req->learn);
        *status_out = EXIT_NO_VERDICT;
        return RW_OK;
    }
    return box_cmd_print(&v, status_out, err);
}

RW_RC box_cmd_run(int argc, char **argv, int *status_out, struct rw_err *err)
{
    struct texts t = {.steps = "1", .clean = "500"};
    static struct box_learn learn; /* large */
    const struct opt opts[] = {
        {"validator", "PATH",
         "validator, or its name beside us; with its settings in PATH.conf if it has any",
         &t.validator, NULL},
        {"type", "TYPE", "type of the content, for instance yara", &t.type, NULL},
        {"content", "FILE", "content to check", &t.content, NULL},
        {"samples", "FILE", "samples of the release (RWS1, see pack-samples)", &t.samples, NULL},
        {"manifest", "FILE", "what the installed sensor supplies (ringward-sensor --manifest)",
         &t.manifest, NULL},
        {"against", "FILE", "release before: size, rules and what it needs are compared",
         &t.against, NULL},
        {"against-steps", "N", "releases from that one to the content (1)", &t.steps, NULL},
        {"for-release", NULL, "as for a new release: every field needs a must-match sample", NULL,
         &t.for_release},
        {"clean-files", "N", "files of this host that must not match (500)", &t.clean, NULL},
        {"own-file", "FILE", "one more file that content must never match", &t.own_file, NULL},
        {"seed", "N", "choose the clean files of an earlier verdict again", &t.seed, NULL},
        {"wall", "TIME", "time for all runs together (as its settings ask: 20s)", &t.wall, NULL},
        {"cpu", "TIME", "processor time of each run (as its settings ask: 5s)", &t.cpu, NULL},
        {"memory", "SIZE", "memory of the validator (as its settings ask: 256MiB)", &t.memory,
         NULL},
        {"allow-weak", NULL, "run in a sandbox of grade weak as well", NULL, &t.allow_weak},
        {"learn", NULL, "print the calls that are denied; gives no verdict", NULL, &t.learn},
        {"without", "LAYERS", "take layers away (test builds only)", &t.without, NULL},
    };
    const struct opt_command command = {
        .program = "ringward-box run",
        .usage = "",
        .about = "Runs a validator on content in the sandbox and prints one verdict object.\n"
                 "Exit status: 0 accepted, 9 any other final verdict, 1 no verdict, 2 usage.",
        .examples = "  ringward-box run --validator ringward-validate-yara --type yara --content "
                    "rules.yar\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    int count = 0;
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    if (t.validator == NULL || t.type == NULL || t.content == NULL) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "--validator, --type and --content are needed"), "hint");
        return rw_hint(err, "try 'ringward-box run --help'");
    }
    char beside[PATH_MAX];
    RW_TRY(find_validator(&t, beside, err));
    struct box_check_request req = {.validator = t.validator,
                                    .type = t.type,
                                    .content = t.content,
                                    .samples = t.samples,
                                    .manifest = t.manifest,
                                    .against = t.against,
                                    .for_release = t.for_release,
                                    .own_file = t.own_file,
                                    .learn = t.learn ? &learn : NULL};
    RW_TRY(check_type(t.type, err));
    RW_TRY(read_numbers(&t, &req, err));
    return check_and_print(&req, status_out, err);
}
