#include "agent/prove/box_cmd.h"
#include "agent/prove/box_load.h"
#include "common/base/opt.h"

enum { EXIT_NO_VERDICT = 1 };

struct texts {
    const char *loader, *set, *before, *wall, *cpu, *memory, *without;
    bool allow_weak, learn;
};

static RW_RC load_and_print(const struct texts *t, int *status_out, struct rw_err *err)
{
    static struct box_learn learn; /* large */
    struct verdict v = {.exit_status = -1};
    struct box_load_request req = {.set = t->set, .before = t->before};
    req.limits.validator = t->loader;
    req.limits.allow_weak = t->allow_weak;
    req.limits.learn = t->learn ? &learn : NULL;
    RW_TRY(box_cmd_read_limits(t->wall, t->cpu, t->memory, &req.limits, err));
    if (t->without != NULL) { RW_TRY(box_cmd_read_without(t->without, &req.limits.without, err)); }
    RW_TRY(box_load_check(&req, &v, err));
    if (!t->learn) { return box_cmd_print(&v, status_out, err); }
    box_learn_print(&learn);
    *status_out = EXIT_NO_VERDICT;
    return RW_OK;
}

RW_RC box_cmd_load(int argc, char **argv, int *status_out, struct rw_err *err)
{
    struct texts t = {.loader = NULL};
    const struct opt opts[] = {
        {"loader", "PATH", "loader of the installed sensor, with its settings in PATH.conf",
         &t.loader, NULL},
        {"set", "DIR", "set that is to become active: manifest.json, FAMILY.rwc", &t.set, NULL},
        {"before", "DIR",
         "set that is active, to try the way back and the loader itself (default: DIR of --set)",
         &t.before, NULL},
        {"wall", "TIME", "time for all runs together (as its settings ask: 20s)", &t.wall, NULL},
        {"cpu", "TIME", "processor time of each run (as its settings ask: 5s)", &t.cpu, NULL},
        {"memory", "SIZE", "memory of the loader (as its settings ask: 256MiB)", &t.memory, NULL},
        {"allow-weak", NULL, "run in a sandbox of grade weak as well", NULL, &t.allow_weak},
        {"learn", NULL, "print the calls that are denied; gives no verdict", NULL, &t.learn},
        {"without", "LAYERS", "take layers away (test builds only)", &t.without, NULL},
    };
    const struct opt_command command = {
        .program = "ringward-box load",
        .usage = "",
        .about = "Runs the loader of a sensor on a whole set in the sandbox and prints one verdict "
                 "object.\n"
                 "The loader sees the sets as /set and /before and says by its exit status whether "
                 "it loads them.\n"
                 "Exit status: 0 accepted, 9 any other final verdict, 1 no verdict, 2 usage.",
        .examples = "  ringward-box load --loader ringward-load-sensor --set sets/8 --before "
                    "sets/7\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    int count = 0;
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    if (t.loader == NULL || t.set == NULL) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "--loader and --set are needed"), "hint");
        return rw_hint(err, "try 'ringward-box load --help'");
    }
    return load_and_print(&t, status_out, err);
}
