/* ringward-agent: fetches, proves, tries and reports detection content on one endpoint. */
#include "agent/agent.h"
#include "agent/agent_alarm.h"
#include "agent/agent_control.h"
#include "agent/agent_verify.h"
#include "agent/agent_view.h"
#include "common/base/log.h"
#include "common/base/opt.h"
#include "common/base/version.h"

#include <stdio.h>
#include <string.h>

enum { ASK_MS = 5000, CHECK_MS = 15 * 60 * 1000, VERIFY_JSON_BYTES_MAX = 128 * 1024 };

static const char default_config[] = "/etc/ringward/agent.conf";

struct common_options {
    const char *config;
    const char *output;
    const char *log;
    bool check_config;
    bool sample;
};

static RW_RC load(const struct common_options *o, struct agent_conf *conf, struct conf_trace *trace,
                  struct rw_err *err)
{
    enum rw_log_level level = RW_LOG_INFO;
    if (o->log != NULL) { RW_TRY(rw_log_level_parse(o->log, &level, err)); }
    rw_log_setup("agent", level);
    const char *path = o->config != NULL ? o->config : default_config;
    struct rw_rc rc = agent_conf_load(path, conf, trace, err);
    if (rc.code != RW_E_NOT_FOUND) { return rc; }
    RW_IGNORE(rw_wrap(err, "settings"), "hint");
    return rw_hint(err,
                   "name the file by --config FILE; 'run --sample-config' prints one to fill in");
}

static RW_RC parse(const struct opt_command *command, int argc, char **argv,
                   enum opt_outcome *outcome, struct rw_err *err)
{
    char **operands = NULL;
    int count = 0;
    return opt_parse(command, argc, argv, outcome, &operands, &count, err);
}

static RW_RC wants_json(const struct common_options *o, bool *json, struct rw_err *err)
{
    if (o->output == NULL) { return RW_OK; }
    *json = strcmp(o->output, "json") == 0;
    if (*json || strcmp(o->output, "text") == 0) { return RW_OK; }
    return rw_fail(err, RW_E_USAGE, "output '%.40s' is neither text nor json", o->output);
}

/* One life of the agent. *again: another one is to follow, with the settings now in `conf`. */
static RW_RC run_once(struct agent_conf *conf, bool *ready, bool *again, struct rw_err *err)
{
    struct agent *agent = NULL;
    *ready = *again = false;
    RW_TRY(agent_open(conf, &agent, err));
    struct rw_rc rc = agent_run(agent, err);
    *ready = agent->ready;
    *again = rw_is_ok(rc) && agent->reload;
    if (*again) { *conf = agent->next; }
    agent_drop(&agent);
    return rc;
}

/* Settings that were read while it runs are taken by beginning anew within the process, sensor included, so that each
 * counts as after a start. With settings that it cannot begin with it goes back to the ones before. */
static RW_RC run_on(struct agent_conf *conf, struct rw_err *err)
{
    static struct agent_conf before;
    bool again = true;
    bool have_before = false;
    agent_settle();
    while (again) {
        bool ready = false;
        struct agent_conf tried = *conf;
        struct rw_rc rc = run_once(conf, &ready, &again, err);
        if (!rw_is_ok(rc) && !ready && have_before) {
            struct rw_log_line l;
            rw_log_begin(&l, RW_LOG_ERROR, "settings_refused");
            rw_log_str(&l, "note", "going back to those that were read before");
            rw_log_err(&l, err);
            rw_log_end(&l);
            *conf = before;
            have_before = false;
            again = true;
            continue;
        }
        RW_TRY(rc);
        before = tried;
        have_before = true;
    }
    return RW_OK;
}

static RW_RC cmd_run(int argc, char **argv, struct rw_err *err)
{
    struct common_options o = {.config = NULL};
    struct agent_conf conf;
    struct conf_trace trace;
    enum opt_outcome outcome = OPT_RUN;
    const struct opt opts[] = {
        {"config", "FILE", "settings file (default /etc/ringward/agent.conf)", &o.config, NULL},
        {"check-config", NULL, "print the settings in force with file and line, then end", NULL,
         &o.check_config},
        {"sample-config", NULL, "print a documented settings file, then end", NULL, &o.sample},
        {"log-level", "LEVEL", "debug, info, warn or error (default info)", &o.log, NULL},
    };
    const struct opt_command command = {
        .program = "ringward-agent run",
        .usage = "",
        .about =
            "Runs the agent in the foreground until SIGTERM: starts and watches the sensor, "
            "polls the\n"
            "server, proves new content in the box, activates it on trial and reports.\n"
            "SIGHUP: read the settings again (bad ones are refused, and it goes on), then poll.\n\n"
            "Settings: the file, then conf.d/NN-NAME.conf beside it in order of name; the later "
            "one wins.",
        .examples = "  ringward-agent run --config /etc/ringward/agent.conf\n"
                    "  ringward-agent run --config ./agent.conf --check-config\n"
                    "  ringward-agent run --sample-config > agent.conf\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(parse(&command, argc, argv, &outcome, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    if (o.sample) {
        agent_conf_print_sample();
        return RW_OK;
    }
    RW_TRY(load(&o, &conf, &trace, err));
    RW_TRY(agent_conf_check_files(&conf, err));
    if (o.check_config) {
        agent_conf_print(&conf, &trace);
        printf("# the configuration is valid\n");
        return RW_OK;
    }
    for (size_t i = 0; i < trace.ignored_count; i++) {
        rw_log(RW_LOG_WARN, "settings_not_read", "name", trace.ignored[i]);
    }
    return run_on(&conf, err);
}

static RW_RC cmd_guard(int argc, char **argv, struct rw_err *err)
{
    struct common_options o = {.config = NULL};
    struct agent_conf conf;
    struct agent *agent = NULL;
    enum opt_outcome outcome = OPT_RUN;
    const struct opt opts[] = {
        {"config", "FILE", "settings file (default /etc/ringward/agent.conf)", &o.config, NULL},
        {"log-level", "LEVEL", "debug, info, warn or error (default info)", &o.log, NULL},
    };
    const struct opt_command command = {
        .program = "ringward-agent guard",
        .usage = "",
        .about = "Boot-loop guard: counts this start before any sensor loads content. After a "
                 "second unclean\n"
                 "start in a row it goes back to the previous content set, after a third to the "
                 "empty one,\n"
                 "and leaves a helper behind that tells the server, without waiting for it.\n"
                 "`run` does the same by itself; a guard before it is not counted twice.",
        .examples = "  ringward-agent guard --config /etc/ringward/agent.conf\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(parse(&command, argc, argv, &outcome, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    RW_TRY(load(&o, &conf, NULL, err));
    RW_TRY(agent_open(&conf, &agent, err));
    struct rw_rc rc = activate_guard(&agent->activate, err);
    struct rw_err alarm;
    if (agent->activate.fell_back && !rw_is_ok(agent_alarm_hand_over(agent, &alarm))) {
        rw_log(RW_LOG_WARN, "guard_not_reported", "text", alarm.text); /* the agent will tell */
    }
    agent_drop(&agent);
    return rc;
}

static RW_RC cmd_report(int argc, char **argv, struct rw_err *err)
{
    struct common_options o = {.config = NULL};
    struct agent_conf conf;
    enum opt_outcome outcome = OPT_RUN;
    const struct opt opts[] = {
        {"config", "FILE", "settings file (default /etc/ringward/agent.conf)", &o.config, NULL},
    };
    const struct opt_command command = {
        .program = "ringward-agent report",
        .usage = "",
        .about = "The helper of `guard`: posts the beacons on descriptor 3 to the server, once.",
        .examples = "  ringward-agent report --config ./agent.conf 3<beacons.json\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(parse(&command, argc, argv, &outcome, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    RW_TRY(load(&o, &conf, NULL, err));
    return agent_alarm_post(&conf, err);
}

/* status, why and check: one request, printed as text or as it came. */
struct ask_spec {
    const char *program;
    const char *about;
    const char *examples;
    const char *request;
    int64_t timeout_ms;
    struct rw_rc (*print)(struct rw_span text, struct rw_err *err);
};

static RW_RC run_ask(const struct ask_spec *spec, int argc, char **argv, struct rw_err *err)
{
    struct common_options o = {.config = NULL};
    struct agent_conf conf;
    enum opt_outcome outcome = OPT_RUN;
    bool json = false;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(AGENT_CONTROL_ANSWER_BYTES_MAX);
    const struct opt opts[] = {
        {"config", "FILE", "settings file (default /etc/ringward/agent.conf)", &o.config, NULL},
        {"output", "FORMAT", "text or json, also as -o (default text)", &o.output, NULL},
    };
    const struct opt_command command = {
        .program = spec->program,
        .usage = "",
        .about = spec->about,
        .examples = spec->examples,
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(parse(&command, argc, argv, &outcome, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    RW_TRY(wants_json(&o, &json, err));
    RW_TRY(load(&o, &conf, NULL, err));
    RW_TRY(agent_control_ask(conf.state_dir, spec->request, spec->timeout_ms, &text, err));
    if (!json) { return spec->print(rw_buf_span(&text), err); }
    printf("%s", rw_buf_str(&text));
    return RW_OK;
}

static RW_RC cmd_status(int argc, char **argv, struct rw_err *err)
{
    static const struct ask_spec spec = {
        .program = "ringward-agent status",
        .about = "Shows what the running agent has active and what its sensor says.",
        .examples = "  ringward-agent status\n  ringward-agent status -o json | jq .content\n",
        .request = "status",
        .timeout_ms = ASK_MS,
        .print = agent_view_print_status,
    };
    return run_ask(&spec, argc, argv, err);
}

static RW_RC cmd_why(int argc, char **argv, struct rw_err *err)
{
    static const struct ask_spec spec = {
        .program = "ringward-agent why",
        .about =
            "Shows, family by family, every rule that lets or keeps this endpoint, each as pass, "
            "KEEP\n"
            "or unknown with its reason and the time left: enrolment, metadata, clock, back-off,\n"
            "ring, pointer, controls, agreement, platform, engine, floor, withdrawal, bad-list,\n"
            "left-list, drill, ring hold, signing date, bake, expedite, spread, change, disk,\n"
            "download, sandbox, box, loader, permit. In JSON: .families[].rules[].",
        .examples = "  ringward-agent why --config ./agent.conf\n"
                    "  ringward-agent why -o json | jq '.families[].rules[] | "
                    "select(.state == \"keep\")'\n",
        .request = "status",
        .timeout_ms = ASK_MS,
        .print = agent_view_print_why,
    };
    return run_ask(&spec, argc, argv, err);
}

static RW_RC cmd_check(int argc, char **argv, struct rw_err *err)
{
    static const struct ask_spec spec = {
        .program = "ringward-agent check",
        .about =
            "Lets the running agent poll now, waits for the poll to end and shows the outcome.",
        .examples = "  ringward-agent check --config ./agent.conf\n",
        .request = "check",
        .timeout_ms = CHECK_MS,
        .print = agent_view_print_why,
    };
    return run_ask(&spec, argc, argv, err);
}

static RW_RC verify_and_show(const struct agent_conf *conf, bool json, struct rw_err *err)
{
    static struct verify_report report;
    const struct rw_clock clock = rw_clock_system();
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(VERIFY_JSON_BYTES_MAX);
    RW_TRY(agent_verify(conf, rw_clock_wall(&clock), &report, err));
    if (json) {
        RW_TRY(agent_verify_write(&report, &text, err));
        printf("%s\n", rw_buf_str(&text));
    } else {
        agent_verify_print(&report);
    }
    if (report.bad == 0) { return RW_OK; }
    return rw_fail(err, RW_E_ATTENTION, "%zu things on the disk are not as they should be",
                   report.bad);
}

static RW_RC cmd_verify(int argc, char **argv, struct rw_err *err)
{
    struct common_options o = {.config = NULL};
    struct agent_conf conf;
    enum opt_outcome outcome = OPT_RUN;
    bool json = false;
    const struct opt opts[] = {
        {"config", "FILE", "settings file (default /etc/ringward/agent.conf)", &o.config, NULL},
        {"output", "FORMAT", "text or json, also as -o (default text)", &o.output, NULL},
        {"json", NULL, "the same as -o json", NULL, &json},
    };
    const struct opt_command command = {
        .program = "ringward-agent verify",
        .usage = "",
        .about = "Checks everything the agent keeps on the disk: active, previous and minimal set, "
                 "store,\n"
                 "signatures of the stored metadata, permissions, spool, programs. Says what is "
                 "wrong and\n"
                 "what to do. Reads only, needs no running agent and no network.\n"
                 "Exit status: 0 intact, 6 something is wrong, 7 there is no state directory.",
        .examples = "  ringward-agent verify\n  ringward-agent verify --json | jq '.findings[] | "
                    "select(.level == \"bad\")'\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(parse(&command, argc, argv, &outcome, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    RW_TRY(wants_json(&o, &json, err));
    RW_TRY(load(&o, &conf, NULL, err));
    return verify_and_show(&conf, json, err);
}

static const struct {
    const char *name;
    const char *about;
    struct rw_rc (*run)(int argc, char **argv, struct rw_err *err);
} commands[] = {
    {"run", "run the agent", cmd_run},
    {"guard", "boot-loop guard: run before the sensor may load", cmd_guard},
    {"report", "helper of guard: post what it hands over", cmd_report},
    {"status", "what is active, what the sensor says", cmd_status},
    {"why", "every rule that lets or keeps this endpoint", cmd_why},
    {"check", "poll now", cmd_check},
    {"verify", "is everything on the disk as it should be", cmd_verify},
};

static void print_help(void)
{
    printf("Usage: ringward-agent COMMAND [options]\n\nCommands:\n");
    for (size_t i = 0; i < RW_LEN(commands); i++) {
        printf("  %-10s %s\n", commands[i].name, commands[i].about);
    }
    printf("\nOptions:\n  --help     show this help; COMMAND --help shows the command's\n"
           "  --version  show the version\n\nExamples:\n"
           "  ringward-agent run --config /etc/ringward/agent.conf\n"
           "  ringward-agent status -o json\n");
}

int main(int argc, char **argv)
{
    struct rw_err err = {.code = RW_E_NONE};
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help();
        return 0;
    }
    if (strcmp(name, "--version") == 0) {
        printf("ringward-agent %s\n", RW_VERSION);
        return 0;
    }
    for (size_t i = 0; i < RW_LEN(commands); i++) {
        if (strcmp(name, commands[i].name) != 0) { continue; }
        if (rw_is_ok(commands[i].run(argc - 1, argv + 1, &err))) { return 0; }
        return opt_report("ringward-agent", &err);
    }
    if (argc < 2) {
        RW_IGNORE(rw_fail(&err, RW_E_USAGE, "a command is missing"), "told below");
    } else {
        RW_IGNORE(rw_fail(&err, RW_E_USAGE, "'%.40s' is not a command", name), "told below");
    }
    RW_IGNORE(rw_hint(&err, "try 'ringward-agent --help'"), "told below");
    return opt_report("ringward-agent", &err);
}
