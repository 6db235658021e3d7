#include "server/cli/cli_list.h"

#include "server/cli/cli_api.h"
#include "server/cli/cli_pages.h"
#include "server/cli/cli_view.h"

#include <stdio.h>

static RW_RC show(const struct cli_list *what, const struct json *answer, const struct json *list,
                  enum cli_format format, struct rw_err *err)
{
    if (format == CLI_NDJSON) { return cli_view_print_each(list, err); }
    if (format == CLI_JSON) { return cli_view_print_json(answer, err); }
    if (json_count(list) > 0) { return what->print(list, err); }
    printf("%s\n", what->empty);
    return cli_view_flush(err);
}

RW_RC cli_list_run(const struct cli_list *what, int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    const struct opt opts[] = {CLI_OPT_PROFILE(args.profile), CLI_OPT_OUTPUT(args.output)};
    const struct opt_command command = {
        .program = what->program,
        .usage = "",
        .about = what->about,
        .examples = what->examples,
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    return cli_list_show(what, &args, err);
}

RW_RC cli_list_show(const struct cli_list *what, const struct cli_view_args *args,
                    struct rw_err *err)
{
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    const struct json *list = NULL;
    RW_TRY(cli_api_open(args->profile, &api, err));
    RW_TRY(cli_pages_get(api, what->path, what->member, &answer, err));
    RW_TRY(json_get(answer, what->member, JSON_ARRAY, &list, err));
    RW_TRY(show(what, answer, list, args->format, err));
    return what->judge != NULL ? what->judge(list, err) : RW_OK;
}
