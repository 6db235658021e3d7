#include "server/cli/cmd_release.h"

#include "common/json/json_write.h"
#include "common/policy/ring_policy.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_list.h"
#include "server/cli/cli_verb.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_release_view.h"

#include <stdio.h>

enum { PAGE = 100, BODY_BYTES_MAX = 4096 };

static RW_RC run_list(int argc, char **argv, struct rw_err *err)
{
    const char *family = NULL;
    const char *state = NULL;
    char path[CLI_PATH_BYTES];
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"family", "F", "only releases of this family", &family, NULL},
        {"state", "STATE", "only draft, checking, checked, refused, approved, published, withdrawn",
         &state, NULL},
    };
    const struct opt_command command = {
        .program = "ringward release list",
        .usage = "",
        .about = "Lists releases, the oldest first. BOX says NO where every check was skipped.",
        .examples = "  ringward release list\n"
                    "  ringward release list --family yara --state published -o json\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    if (family != NULL) { RW_TRY(ring_policy_check_name(family, "--family", err)); }
    if (state != NULL) { RW_TRY(ring_policy_check_name(state, "--state", err)); }
    (void)snprintf(path, sizeof(path), "/v1/releases?limit=%d%s%s%s%s", PAGE,
                   family == NULL ? "" : "&family=", family == NULL ? "" : family,
                   state == NULL ? "" : "&state=", state == NULL ? "" : state);
    const struct cli_list what = {
        .path = path,
        .member = "releases",
        .empty = family != NULL || state != NULL
                     ? "no such releases"
                     : "no releases yet; 'ringward release create --help' tells how to make one",
        .print = cmd_release_view_list,
    };
    return cli_list_show(&what, &args, err);
}

/* One request about one release; `post` sends an empty object. */
static RW_RC run_one(const struct opt_command *base, const char *suffix, bool post, int argc,
                     char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    const struct opt opts[] = {CLI_OPT_PROFILE(args.profile), CLI_OPT_OUTPUT(args.output)};
    struct opt_command command = *base;
    char path[CLI_PATH_BYTES];
    command.usage = "FAMILY/NUMBER";
    command.opts = opts;
    command.opt_count = RW_LEN(opts);
    command.operands_min = command.operands_max = 1;
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_release_path("/v1/releases", args.operands[0], suffix, path, err));
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    if (post) {
        RW_TRY(cli_api_post(api, path, rw_span_str("{}"), &answer, err));
    } else {
        RW_TRY(cli_api_get(api, path, &answer, err));
    }
    if (args.format != CLI_TABLE) { return cli_view_print_json(answer, err); }
    return cmd_release_view_one(answer, err);
}

static RW_RC run_show(int argc, char **argv, struct rw_err *err)
{
    const struct opt_command command = {
        .program = "ringward release show",
        .about = "Shows one release: payload, signatures, the verdict of the server's box and what "
                 "to do next.",
        .examples = "  ringward release show yara/2\n  ringward release show -o json yara/2\n",
    };
    return run_one(&command, "", false, argc, argv, err);
}

static RW_RC run_publish(int argc, char **argv, struct rw_err *err)
{
    const struct opt_command command = {
        .program = "ringward release publish",
        .about =
            "Publishes an approved release: agents may see it, none installs it before a rollout.",
        .examples = "  ringward release publish yara/2\n",
    };
    return run_one(&command, "/publish", true, argc, argv, err);
}

static RW_RC write_reason(const char *reason, struct rw_buf *body, struct rw_err *err)
{
    RW_TRY(cli_view_need_reason(reason, err));
    struct json_writer w = json_begin(body);
    json_open_object(&w, NULL);
    json_put_str(&w, "reason", reason);
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC run_abandon(int argc, char **argv, struct rw_err *err)
{
    const char *reason = NULL;
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"reason", "TEXT", "why; kept in the audit log (required)", &reason, NULL},
    };
    const struct opt_command command = {
        .program = "ringward release abandon",
        .usage = "FAMILY/NUMBER",
        .about = "Gives up a release that is not published yet: from then on nobody can sign or\n"
                 "publish it, and its number is not used again. A published one is withdrawn.",
        .examples = "  ringward release abandon --reason \"wrong file\" yara/2\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    char path[CLI_PATH_BYTES];
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_release_path("/v1/releases", args.operands[0], "/abandon", path, err));
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BODY_BYTES_MAX);
    RW_TRY(write_reason(reason, &body, err));
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    RW_TRY(cli_api_post(api, path, rw_buf_span(&body), &answer, err));
    if (args.format != CLI_TABLE) { return cli_view_print_json(answer, err); }
    return cmd_release_view_one(answer, err);
}

static const struct cli_verb verbs[] = {
    {"create", cmd_release_create, "checks content in the box here and on the server, uploads it"},
    {"sign", cmd_release_sign, "signs a checked release or an order with a key that stays here"},
    {"publish", run_publish, "publishes an approved release; no endpoint installs it yet"},
    {"abandon", run_abandon, "gives up a release that is not published yet"},
    {"withdraw", cmd_release_withdraw, "asks engineers to take a release off the list, for good"},
    {"renew", cmd_release_renew, "asks engineers to sign a family's role anew"},
    {"expedite", cmd_release_expedite, "asks duty officers to shorten a release's bake"},
    {"orders", cmd_release_orders, "lists these orders and their signatures"},
    {"list", run_list, "lists all releases"},
    {"show", run_show, "shows one release with its checks and signatures"},
};

RW_RC cmd_release(int argc, char **argv, struct rw_err *err)
{
    return cli_verb_run("ringward release", verbs, RW_LEN(verbs), argc, argv, err);
}
