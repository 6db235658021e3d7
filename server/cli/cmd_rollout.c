#include "server/cli/cmd_rollout.h"

#include "common/base/num.h"
#include "common/json/json_write.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_rollout_view.h"
#include "server/cli/cmd_rollout_watch.h"

#include <stdio.h>
#include <string.h>

enum { BODY_BYTES_MAX = 4096 };

typedef struct cli_api *cli_api;

static RW_RC rollout_path(const char *operand, const char *suffix, char path[static CLI_PATH_BYTES],
                          struct rw_err *err)
{
    char family[CLI_FAMILY_BYTES];
    int64_t release = 0;
    RW_TRY(cli_view_release_id(operand, family, &release, err));
    (void)snprintf(path, CLI_PATH_BYTES, "/v1/rollouts/%s/%lld%s", family, (long long)release,
                   suffix);
    return RW_OK;
}

static RW_RC show(const struct json *rollout, enum cli_format format, struct rw_err *err)
{
    size_t lines = 0;
    if (format != CLI_TABLE) { return cli_view_print_json(rollout, err); }
    return cmd_rollout_view_print(rollout, &lines, err);
}

static RW_RC run_start(int argc, char **argv, struct rw_err *err)
{
    const char *profile = NULL;
    const char *output = NULL;
    const struct opt opts[] = {CLI_OPT_PROFILE(profile), CLI_OPT_OUTPUT(output)};
    const struct opt_command command = {
        .program = "ringward rollout start",
        .usage = "FAMILY/NUMBER",
        .about = "Begins to roll a published release out, ring by ring.",
        .examples = "  ringward rollout start yara/2\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    enum opt_outcome outcome = OPT_RUN;
    enum cli_format format = CLI_TABLE;
    char **operands = NULL;
    int count = 0;
    char family[CLI_FAMILY_BYTES];
    int64_t release = 0;
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    RW_TRY(cli_view_format(output, &format, err));
    RW_TRY(cli_view_release_id(operands[0], family, &release, err));
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BODY_BYTES_MAX);
    struct json_writer w = json_begin(&body);
    json_open_object(&w, NULL);
    json_put_str(&w, "family", family);
    json_put_int(&w, "release", release);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(profile, &api, err));
    RW_TRY(cli_api_post(api, "/v1/rollouts", rw_buf_span(&body), &answer, err));
    return show(answer, format, err);
}

static RW_RC run_status(int argc, char **argv, struct rw_err *err)
{
    const char *profile = NULL;
    const char *output = NULL;
    const struct opt opts[] = {CLI_OPT_PROFILE(profile), CLI_OPT_OUTPUT(output)};
    const struct opt_command command = {
        .program = "ringward rollout status",
        .usage = "FAMILY/NUMBER",
        .about =
            "Shows one rollout. Exit status: 0 runs or complete, 4 halted, 5 rolled back, 6 held.",
        .examples = "  ringward rollout status yara/2\n  ringward rollout status -o json yara/2\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    enum opt_outcome outcome = OPT_RUN;
    enum cli_format format = CLI_TABLE;
    char **operands = NULL;
    int count = 0;
    char path[CLI_PATH_BYTES];
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    RW_TRY(cli_view_format(output, &format, err));
    RW_TRY(rollout_path(operands[0], "", path, err));
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(profile, &api, err));
    RW_TRY(cli_api_get(api, path, &answer, err));
    RW_TRY(show(answer, format, err));
    return cmd_rollout_view_outcome(answer, err);
}

static RW_RC run_watch(int argc, char **argv, struct rw_err *err)
{
    const char *profile = NULL;
    const char *output = NULL;
    const char *timeout = NULL;
    const struct opt opts[] = {
        CLI_OPT_PROFILE(profile),
        CLI_OPT_OUTPUT(output),
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
    enum opt_outcome outcome = OPT_RUN;
    struct cmd_rollout_watch_options watch = {.timeout_ms = -1};
    char **operands = NULL;
    int count = 0;
    char path[CLI_PATH_BYTES];
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    RW_TRY(cli_view_format(output, &watch.format, err));
    RW_TRY(rollout_path(operands[0], "", path, err));
    if (timeout != NULL) {
        RW_TRY(rw_parse_duration_ms(rw_span_str(timeout), INT64_C(30) * 86400 * 1000, "--timeout",
                                    &watch.timeout_ms, err));
    }
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_TRY(cli_api_open(profile, &api, err));
    return cmd_rollout_watch(api, path, &watch, err);
}

static RW_RC steer(const char *verb, const char *about, int argc, char **argv, struct rw_err *err)
{
    const char *profile = NULL;
    const char *output = NULL;
    const char *reason = NULL;
    const char *generation = NULL;
    const struct opt opts[] = {
        CLI_OPT_PROFILE(profile),
        CLI_OPT_OUTPUT(output),
        {"reason", "TEXT", "why; kept in the audit log (required)", &reason, NULL},
        {"generation", "N", "refuse if the rollout changed since generation N", &generation, NULL},
    };
    char program[64];
    char suffix[32];
    (void)snprintf(program, sizeof(program), "ringward rollout %s", verb);
    (void)snprintf(suffix, sizeof(suffix), "/%s", verb);
    const struct opt_command command = {
        .program = program,
        .usage = "FAMILY/NUMBER",
        .about = about,
        .examples = NULL,
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    enum opt_outcome outcome = OPT_RUN;
    enum cli_format format = CLI_TABLE;
    char **operands = NULL;
    int count = 0;
    char path[CLI_PATH_BYTES];
    int64_t generation_number = 0;
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    RW_TRY(cli_view_format(output, &format, err));
    RW_TRY(rollout_path(operands[0], suffix, path, err));
    if (reason == NULL) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "a reason is required"), "hint");
        return rw_hint(err, "add --reason \"...\"; it is kept in the audit log");
    }
    if (generation != NULL) {
        RW_TRY(rw_parse_i64(rw_span_str(generation), 1, RW_JSON_INT_MAX, "--generation",
                            &generation_number, err));
    }
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BODY_BYTES_MAX);
    struct json_writer w = json_begin(&body);
    json_open_object(&w, NULL);
    json_put_str(&w, "reason", reason);
    if (generation != NULL) { json_put_int(&w, "generation", generation_number); }
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(profile, &api, err));
    RW_TRY(cli_api_post(api, path, rw_buf_span(&body), &answer, err));
    return show(answer, format, err);
}

static RW_RC run_list(int argc, char **argv, struct rw_err *err)
{
    static const char *const header[] = {"ROLLOUT", "STATE", "PREVIOUS", "STARTED", "WHY"};
    const char *profile = NULL;
    const char *output = NULL;
    const struct opt opts[] = {CLI_OPT_PROFILE(profile), CLI_OPT_OUTPUT(output)};
    const struct opt_command command = {
        .program = "ringward rollout history",
        .usage = "",
        .about = "Lists all rollouts, the newest last.",
        .examples = "  ringward rollout history\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    enum cli_format format = CLI_TABLE;
    char **operands = NULL;
    int count = 0;
    char text[400];
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    RW_TRY(cli_view_format(output, &format, err));
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(profile, &api, err));
    RW_TRY(cli_api_get(api, "/v1/rollouts", &answer, err));
    if (format != CLI_TABLE) { return cli_view_print_json(answer, err); }
    const struct json *list = NULL;
    RW_TRY(json_get(answer, "rollouts", JSON_ARRAY, &list, err));
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (const struct json *r = json_first(list); r != NULL; r = json_next(r)) {
        RW_TRY(cli_table_addf(&t, err, "%s/%lld", cli_view_str(r, "family", text, sizeof(text)),
                              (long long)cli_view_int(r, "release", 0)));
        RW_TRY(cli_table_add(&t, cli_view_str(r, "state", text, sizeof(text)), err));
        RW_TRY(cli_table_addf(&t, err, "%lld", (long long)cli_view_int(r, "previous", 0)));
        RW_TRY(cli_table_add(&t, cli_view_str(r, "started", text, sizeof(text)), err));
        RW_TRY(cli_table_add(&t, cli_view_str(r, "reason", text, sizeof(text)), err));
    }
    (void)cli_table_print(&t);
    return RW_OK;
}

static const struct steering {
    const char *verb;
    const char *about;
} steerings[] = {
    {"pause", "Stops new permits at once; endpoints on probation finish it."},
    {"resume", "Goes on from a pause or hold, in the ring where it stopped; never jumps ahead."},
    {"promote", "Steps over one inconclusive gate (never over a failed one)."},
    {"halt", "Halts the release in all rings and takes it back from every endpoint."},
    {"rollback", "Points all rings back to the previous release."},
};

RW_RC cmd_rollout(int argc, char **argv, struct rw_err *err)
{
    const char *verb = argc > 1 ? argv[1] : "--help";
    if (strcmp(verb, "start") == 0) { return run_start(argc - 1, argv + 1, err); }
    if (strcmp(verb, "status") == 0) { return run_status(argc - 1, argv + 1, err); }
    if (strcmp(verb, "watch") == 0) { return run_watch(argc - 1, argv + 1, err); }
    if (strcmp(verb, "history") == 0) { return run_list(argc - 1, argv + 1, err); }
    for (size_t i = 0; i < RW_LEN(steerings); i++) {
        if (strcmp(verb, steerings[i].verb) != 0) { continue; }
        return steer(steerings[i].verb, steerings[i].about, argc - 1, argv + 1, err);
    }
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
        printf("Usage: ringward rollout VERB [options] FAMILY/NUMBER\n\nVerbs:\n");
        printf("  start      Begins to roll a published release out.\n"
               "  status     Shows one rollout.\n"
               "  watch      Follows one rollout until it ends.\n"
               "  history    Lists all rollouts.\n");
        for (size_t i = 0; i < RW_LEN(steerings); i++) {
            printf("  %-10s %s\n", steerings[i].verb, steerings[i].about);
        }
        return RW_OK;
    }
    RW_IGNORE(rw_fail(err, RW_E_USAGE, "'%.40s' is not a verb of 'ringward rollout'", verb),
              "hint");
    return rw_hint(err, "try 'ringward rollout --help'");
}
