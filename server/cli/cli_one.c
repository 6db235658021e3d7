#include "server/cli/cli_one.h"

#include "server/cli/cli_api.h"
#include "server/cli/cli_view.h"

RW_RC cli_one_run(const struct cli_one *what, int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    const struct opt opts[] = {CLI_OPT_PROFILE(args.profile), CLI_OPT_OUTPUT(args.output)};
    const struct opt_command command = {
        .program = what->program,
        .usage = "FAMILY/NUMBER",
        .about = what->about,
        .examples = what->examples,
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    char path[CLI_PATH_BYTES];
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_release_path(what->path, args.operands[0], "", path, err));
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    RW_TRY(cli_api_get(api, path, &answer, err));
    if (what->accept != NULL) { RW_TRY(what->accept(answer, args.operands[0], err)); }
    RW_TRY(args.format == CLI_TABLE ? what->print(answer, err) : cli_view_print_json(answer, err));
    return what->judge != NULL ? what->judge(answer, err) : RW_OK;
}
