#include "server/cli/cmd_rollout.h"

#include "common/base/num.h"
#include "common/json/json_write.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_list.h"
#include "server/cli/cli_one.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_verb.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_rollout_view.h"
#include "server/cli/cmd_rollout_watch.h"

#include <stdio.h>

enum { BODY_BYTES_MAX = 4096, LONGEST_WATCH_DAYS = 30, DAY_MS = 86400000 };

static RW_RC print(const struct json *rollout, struct rw_err *err)
{
    size_t lines = 0;
    RW_TRY(cmd_rollout_view_print(rollout, 0, &lines, err));
    cmd_rollout_view_next(rollout);
    return cli_view_flush(err);
}

static RW_RC show(const struct json *rollout, enum cli_format format, struct rw_err *err)
{
    return format == CLI_TABLE ? print(rollout, err) : cli_view_print_json(rollout, err);
}

static RW_RC run_start(int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    const struct opt opts[] = {CLI_OPT_PROFILE(args.profile), CLI_OPT_OUTPUT(args.output)};
    const struct opt_command command = {
        .program = "ringward rollout start",
        .usage = "FAMILY/NUMBER",
        .about = "Begins to roll a published release out, ring by ring. The next ring opens only "
                 "when the\n"
                 "one before has baked and its gate says PASS.",
        .examples = "  ringward rollout start yara/2\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    char family[CLI_FAMILY_BYTES];
    int64_t release = 0;
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_release_id(args.operands[0], family, &release, err));
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BODY_BYTES_MAX);
    struct json_writer w = json_begin(&body);
    json_open_object(&w, NULL);
    json_put_str(&w, "family", family);
    json_put_int(&w, "release", release);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    RW_TRY(cli_api_post(api, "/v1/rollouts", rw_buf_span(&body), &answer, err));
    return show(answer, args.format, err);
}

static RW_RC run_status(int argc, char **argv, struct rw_err *err)
{
    static const struct cli_one what = {
        .program = "ringward rollout status",
        .about =
            "Shows one rollout. Exit status: 0 runs or complete, 4 halted, 5 rolled back, 6 held.",
        .examples = "  ringward rollout status yara/2\n  ringward rollout status -o json yara/2\n",
        .path = "/v1/rollouts",
        .print = print,
        .judge = cmd_rollout_view_outcome,
    };
    return cli_one_run(&what, argc, argv, err);
}

static RW_RC run_watch(int argc, char **argv, struct rw_err *err)
{
    const char *timeout = NULL;
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"timeout", "TIME", "stop watching after this time, for instance 2h (default: never)",
         &timeout, NULL},
    };
    const struct opt_command command = {
        .program = "ringward rollout watch",
        .usage = "FAMILY/NUMBER",
        .about = "Follows a rollout until it ends: a full picture on a terminal, one line per "
                 "change on a\n"
                 "pipe, survives a restart of the server. Exit status: 0 complete, 3 still running "
                 "at the\n"
                 "time-out, 4 halted, 5 rolled back, 6 held.",
        .examples = "  ringward rollout watch yara/2\n"
                    "  ringward rollout watch --timeout 30m -o ndjson yara/2\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    struct cmd_rollout_watch_options watch = {.timeout_ms = -1};
    char path[CLI_PATH_BYTES];
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    watch.format = args.format;
    RW_TRY(cli_view_release_path("/v1/rollouts", args.operands[0], "", path, err));
    if (timeout != NULL) {
        RW_TRY(rw_parse_duration_ms(rw_span_str(timeout), (int64_t)LONGEST_WATCH_DAYS * DAY_MS,
                                    "--timeout", &watch.timeout_ms, err));
    }
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    return cmd_rollout_watch(api, path, &watch, err);
}

struct steering {
    const char *verb;
    const char *about;
    const char *examples;
};

static RW_RC write_order(const char *reason, const char *generation, struct rw_buf *body,
                         struct rw_err *err)
{
    int64_t number = 0;
    RW_TRY(cli_view_need_reason(reason, err));
    struct json_writer w = json_begin(body);
    json_open_object(&w, NULL);
    json_put_str(&w, "reason", reason);
    if (generation != NULL) {
        RW_TRY(rw_parse_i64(rw_span_str(generation), 1, RW_JSON_INT_MAX, "--generation", &number,
                            err));
        json_put_int(&w, "generation", number);
    }
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC steer(const struct steering *s, int argc, char **argv, struct rw_err *err)
{
    const char *reason = NULL;
    const char *generation = NULL;
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"reason", "TEXT", "why; kept in the audit log (required)", &reason, NULL},
        {"generation", "N", "refuse (exit 8) if the rollout changed since generation N",
         &generation, NULL},
    };
    char program[64];
    char suffix[32];
    (void)snprintf(program, sizeof(program), "ringward rollout %s", s->verb);
    (void)snprintf(suffix, sizeof(suffix), "/%s", s->verb);
    const struct opt_command command = {
        .program = program,
        .usage = "FAMILY/NUMBER",
        .about = s->about,
        .examples = s->examples,
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    char path[CLI_PATH_BYTES];
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BODY_BYTES_MAX);
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_release_path("/v1/rollouts", args.operands[0], suffix, path, err));
    RW_TRY(write_order(reason, generation, &body, err));
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    RW_TRY(cli_api_post(api, path, rw_buf_span(&body), &answer, err));
    return show(answer, args.format, err);
}

static RW_RC run_pause(int argc, char **argv, struct rw_err *err)
{
    static const struct steering s = {
        "pause", "Stops new permits at once, in every ring; endpoints on probation finish it.",
        "  ringward rollout pause --reason \"change freeze until Monday\" yara/2\n"};
    return steer(&s, argc, argv, err);
}

static RW_RC run_resume(int argc, char **argv, struct rw_err *err)
{
    static const struct steering s = {
        "resume", "Goes on from a pause or hold, in the ring where it stopped; never jumps ahead.",
        "  ringward rollout resume --reason \"freeze is over\" yara/2\n"};
    return steer(&s, argc, argv, err);
}

static RW_RC run_promote(int argc, char **argv, struct rw_err *err)
{
    static const struct steering s = {
        "promote",
        "Steps over one inconclusive gate (NONE), for instance of a ring too small to answer. It\n"
        "never steps over a failed one, and the window of the next ring holds as always.",
        "  ringward rollout promote --reason \"internal ring has 3 hosts, all fine\" yara/2\n"};
    return steer(&s, argc, argv, err);
}

static RW_RC run_halt(int argc, char **argv, struct rw_err *err)
{
    static const struct steering s = {
        "halt",
        "Halts the release in all rings and takes it back from every endpoint. It cannot be\n"
        "resumed: a mended release gets a new number.",
        "  ringward rollout halt --reason \"ticket 4711: false positives on build hosts\" "
        "yara/2\n"};
    return steer(&s, argc, argv, err);
}

static RW_RC run_rollback(int argc, char **argv, struct rw_err *err)
{
    static const struct steering s = {
        "rollback",
        "Points all rings back to the previous release; endpoints still have it and need no\n"
        "download. The same as halt, for a release that is complete already.",
        "  ringward rollout rollback --reason \"superseded by the vendor\" yara/2\n"};
    return steer(&s, argc, argv, err);
}

static RW_RC print_history(const struct json *list, struct rw_err *err)
{
    static const char *const header[] = {"ROLLOUT", "STATE", "PREVIOUS", "STARTED", "WHY"};
    char text[400];
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (const struct json *r = json_first(list); r != NULL; r = json_next(r)) {
        RW_TRY(cli_table_addf(&t, err, "%s/%lld%s", cli_view_str(r, "family", text, sizeof(text)),
                              (long long)cli_view_int(r, "release", 0),
                              json_find(r, "drill") != NULL ? " (drill)" : ""));
        RW_TRY(cli_table_add(&t, cli_view_str(r, "state", text, sizeof(text)), err));
        int64_t previous = cli_view_int(r, "previous", 0);
        RW_TRY(previous > 0 ? cli_table_addf(&t, err, "%lld", (long long)previous)
                            : cli_table_add(&t, "none", err));
        RW_TRY(cli_table_add(&t, cli_view_str(r, "started", text, sizeof(text)), err));
        cmd_rollout_view_why(r, text, sizeof(text));
        RW_TRY(cli_table_add(&t, text, err));
    }
    (void)cli_table_print(&t);
    return cli_view_flush(err);
}

static RW_RC run_history(int argc, char **argv, struct rw_err *err)
{
    static const struct cli_list what = {
        .program = "ringward rollout history",
        .about = "Lists the latest rollouts, the newest last.",
        .examples = "  ringward rollout history\n  ringward rollout history -o ndjson\n",
        .path = "/v1/rollouts",
        .member = "rollouts",
        .empty = "no rollouts yet; 'ringward rollout start FAMILY/NUMBER' begins one",
        .print = print_history,
    };
    return cli_list_run(&what, argc, argv, err);
}

static const struct cli_verb verbs[] = {
    {"start", run_start, "begins to roll a published release out, ring by ring"},
    {"status", run_status, "shows one rollout"},
    {"watch", run_watch, "follows one rollout until it ends"},
    {"history", run_history, "lists the latest rollouts"},
    {"pause", run_pause, "stops new permits at once"},
    {"resume", run_resume, "goes on where it stopped"},
    {"promote", run_promote, "steps over one inconclusive gate, never over a failed one"},
    {"halt", run_halt, "halts the release everywhere and takes it back"},
    {"rollback", run_rollback, "points all rings back to the previous release"},
};

RW_RC cmd_rollout(int argc, char **argv, struct rw_err *err)
{
    return cli_verb_run("ringward rollout", verbs, RW_LEN(verbs), argc, argv, err);
}
