#include "server/cli/cmd_second.h"

#include "common/json/json_write.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_list.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_verb.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_rollout_view.h"

#include <stdio.h>
#include <string.h>

enum { BODY_BYTES_MAX = 4096, TEXT_BYTES = 420 };

static RW_RC print_list(const struct json *list, struct rw_err *err)
{
    static const char *const header[] = {"VERB",   "RELEASE", "STATE",     "ASKED BY",
                                         "REASON", "UNTIL",   "DECIDED BY"};
    static const char *const members[] = {"state", "asked_by", "reason", "until", "decided_by"};
    char text[TEXT_BYTES];
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (const struct json *r = json_first(list); r != NULL; r = json_next(r)) {
        RW_TRY(cli_table_add(&t, cli_view_str(r, "verb", text, sizeof(text)), err));
        RW_TRY(cli_table_addf(&t, err, "%s/%lld", cli_view_str(r, "family", text, sizeof(text)),
                              (long long)cli_view_int(r, "release", 0)));
        for (size_t i = 0; i < RW_LEN(members); i++) {
            RW_TRY(cli_table_add(&t, cli_view_or_dash(r, members[i], text, sizeof(text)), err));
        }
    }
    (void)cli_table_print(&t);
    return cli_view_flush(err);
}

static RW_RC run_list(int argc, char **argv, struct rw_err *err)
{
    static const struct cli_list what = {
        .program = "ringward second list",
        .about = "Lists the latest request of each verb and release: state open waits for another "
                 "operator.",
        .examples = "  ringward second list\n",
        .path = "/v1/second",
        .member = "requests",
        .empty = "nobody has asked for a second person yet",
        .print = print_list,
    };
    return cli_list_run(&what, argc, argv, err);
}

/* --- deciding --- */

struct deciding {
    const char *verb;
    const char *about;
    const char *examples;
    bool reason_needed;
};

static RW_RC write_body(const struct deciding *d, const char *reason, struct rw_buf *body,
                        struct rw_err *err)
{
    if (d->reason_needed) { RW_TRY(cli_view_need_reason(reason, err)); }
    struct json_writer w = json_begin(body);
    json_open_object(&w, NULL);
    if (reason != NULL) { json_put_str(&w, "reason", reason); }
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC write_path(const struct deciding *d, char *const *operands,
                        char path[static CLI_PATH_BYTES], struct rw_err *err)
{
    char prefix[CLI_PATH_BYTES];
    char suffix[32];
    RW_TRY(cli_view_name(operands[0], "verb", err));
    (void)snprintf(prefix, sizeof(prefix), "/v1/second/%s", operands[0]);
    (void)snprintf(suffix, sizeof(suffix), "/%s", d->verb);
    return cli_view_release_path(prefix, operands[1], suffix, path, err);
}

static RW_RC show(const struct deciding *d, const struct json *answer, enum cli_format format,
                  struct rw_err *err)
{
    size_t lines = 0;
    if (format != CLI_TABLE) { return cli_view_print_json(answer, err); }
    if (d->reason_needed) {
        printf("refused: nothing has changed\n");
        return cli_view_flush(err);
    }
    RW_TRY(cmd_rollout_view_print(answer, 0, &lines, err));
    cmd_rollout_view_next(answer);
    return cli_view_flush(err);
}

static RW_RC decide(const struct deciding *d, int argc, char **argv, struct rw_err *err)
{
    const char *reason = NULL;
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"reason", "TEXT",
         d->reason_needed ? "why; kept in the audit log (required)"
                          : "kept in the audit log beside the asker's reason",
         &reason, NULL},
    };
    char program[64];
    (void)snprintf(program, sizeof(program), "ringward second %s", d->verb);
    const struct opt_command command = {
        .program = program,
        .usage = "VERB FAMILY/NUMBER",
        .about = d->about,
        .examples = d->examples,
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 2,
        .operands_max = 2,
    };
    char path[CLI_PATH_BYTES];
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BODY_BYTES_MAX);
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(write_path(d, args.operands, path, err));
    RW_TRY(write_body(d, reason, &body, err));
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    RW_TRY(cli_api_post(api, path, rw_buf_span(&body), &answer, err));
    return show(d, answer, args.format, err);
}

static RW_RC run_confirm(int argc, char **argv, struct rw_err *err)
{
    static const struct deciding d = {
        "confirm",
        "Confirms what another operator has asked for, and carries it out. Who asked is refused "
        "(status 6),\n"
        "and so is a rollout that has moved on since (status 8): it is asked for anew then.",
        "  ringward second confirm promote yara/2\n", false};
    return decide(&d, argc, argv, err);
}

static RW_RC run_refuse(int argc, char **argv, struct rw_err *err)
{
    static const struct deciding d = {
        "refuse", "Ends a request; nothing happens. Who asked may take it back this way.",
        "  ringward second refuse --reason \"wait for the night shift\" promote yara/2\n", true};
    return decide(&d, argc, argv, err);
}

static const struct cli_verb verbs[] = {
    {"list", run_list, "what waits for a second person, and what became of the last requests"},
    {"confirm", run_confirm, "confirms and carries out what another operator asked for"},
    {"refuse", run_refuse, "ends a request"},
};

RW_RC cmd_second(int argc, char **argv, struct rw_err *err)
{
    return cli_verb_run("ringward second", verbs, RW_LEN(verbs), argc, argv, err);
}
