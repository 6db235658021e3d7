#include "server/cli/cmd_rollout.h"

#include "server/cli/cli_api.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_rollout_explain_view.h"

RW_RC cmd_rollout_explain(int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    const struct opt opts[] = {CLI_OPT_PROFILE(args.profile), CLI_OPT_OUTPUT(args.output)};
    const struct opt_command command = {
        .program = "ringward explain",
        .usage = "FAMILY/NUMBER",
        .about = "Says why a rollout stands where it stands: first in a sentence, then every "
                 "number behind\n"
                 "it: counts, evidence of each term and cohort against the threshold, windows, "
                 "gates.",
        .examples = "  ringward explain yara/2\n  ringward explain -o json yara/2\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    char path[CLI_PATH_BYTES];
    char explain_path[CLI_PATH_BYTES];
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_release_path("/v1/rollouts", args.operands[0], "", path, err));
    RW_TRY(cli_view_release_path("/v1/rollouts", args.operands[0], "/explain", explain_path, err));
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree rollout = NULL;
    RW_AUTO(json_tree) json_tree explain = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    RW_TRY(cli_api_get(api, explain_path, &explain, err));
    if (args.format != CLI_TABLE) { return cli_view_print_json(explain, err); }
    RW_TRY(cli_api_get(api, path, &rollout, err));
    return cmd_rollout_explain_view(rollout, explain, err);
}
