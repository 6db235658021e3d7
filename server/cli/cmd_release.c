#include "server/cli/cmd_release.h"

#include "server/cli/cli_api.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"

#include <stdio.h>
#include <string.h>

typedef struct cli_api *cli_api;

static RW_RC add_release(struct cli_table *t, const struct json *r, struct rw_err *err)
{
    char text[300];
    const struct json *payload = json_find(r, "payload");
    const struct json *signatures = json_find(r, "signatures");
    RW_TRY(cli_table_addf(t, err, "%s/%lld", cli_view_str(r, "family", text, sizeof(text)),
                          (long long)cli_view_int(r, "release", 0)));
    RW_TRY(cli_table_add(t, cli_view_str(r, "state", text, sizeof(text)), err));
    RW_TRY(cli_table_add(t, cli_view_str(r, "class", text, sizeof(text)), err));
    RW_TRY(cli_table_addf(t, err, "%lld",
                          (long long)(payload == NULL ? 0 : cli_view_int(payload, "bytes", 0))));
    RW_TRY(cli_table_addf(t, err, "%zu/%lld", signatures == NULL ? 0 : json_count(signatures),
                          (long long)cli_view_int(r, "threshold", 0)));
    RW_TRY(cli_table_add(t, cli_view_str(r, "created", text, sizeof(text)), err));
    return cli_table_add(t, cli_view_str(r, "notes", text, sizeof(text)), err);
}

static RW_RC print_releases(const struct json *list, struct rw_err *err)
{
    static const char *const header[] = {"RELEASE",    "STATE",   "CLASS", "BYTES",
                                         "SIGNATURES", "CREATED", "NOTES"};
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (const struct json *r = json_first(list); r != NULL; r = json_next(r)) {
        RW_TRY(add_release(&t, r, err));
    }
    (void)cli_table_print(&t);
    return RW_OK;
}

static RW_RC run_list(int argc, char **argv, struct rw_err *err)
{
    const char *profile = NULL;
    const char *output = NULL;
    const struct opt opts[] = {CLI_OPT_PROFILE(profile), CLI_OPT_OUTPUT(output)};
    const struct opt_command command = {
        .program = "ringward release list",
        .usage = "",
        .about = "Lists all releases, the oldest first.",
        .examples = "  ringward release list -o json\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    enum cli_format format = CLI_TABLE;
    char **operands = NULL;
    int count = 0;
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    RW_TRY(cli_view_format(output, &format, err));
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    const struct json *list = NULL;
    RW_TRY(cli_api_open(profile, &api, err));
    RW_TRY(cli_api_get(api, "/v1/releases", &answer, err));
    if (format != CLI_TABLE) { return cli_view_print_json(answer, err); }
    RW_TRY(json_get(answer, "releases", JSON_ARRAY, &list, err));
    return print_releases(list, err);
}

/* One request about one release; `post` sends an empty object. */
static RW_RC run_one(const struct opt_command *base, const char *suffix, bool post, int argc,
                     char **argv, struct rw_err *err)
{
    const char *profile = NULL;
    const char *output = NULL;
    const struct opt opts[] = {CLI_OPT_PROFILE(profile), CLI_OPT_OUTPUT(output)};
    struct opt_command command = *base;
    enum opt_outcome outcome = OPT_RUN;
    enum cli_format format = CLI_TABLE;
    char **operands = NULL;
    int count = 0;
    char family[CLI_FAMILY_BYTES];
    char path[CLI_PATH_BYTES];
    int64_t release = 0;
    command.usage = "FAMILY/NUMBER";
    command.opts = opts;
    command.opt_count = RW_LEN(opts);
    command.operands_min = command.operands_max = 1;
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    RW_TRY(cli_view_format(output, &format, err));
    RW_TRY(cli_view_release_id(operands[0], family, &release, err));
    (void)snprintf(path, sizeof(path), "/v1/releases/%s/%lld%s", family, (long long)release,
                   suffix);
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(profile, &api, err));
    if (post) {
        RW_TRY(cli_api_post(api, path, rw_span_str("{}"), &answer, err));
    } else {
        RW_TRY(cli_api_get(api, path, &answer, err));
    }
    if (format != CLI_TABLE) { return cli_view_print_json(answer, err); }
    static const char *const header[] = {"RELEASE",    "STATE",   "CLASS", "BYTES",
                                         "SIGNATURES", "CREATED", "NOTES"};
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    RW_TRY(add_release(&t, answer, err));
    (void)cli_table_print(&t);
    return RW_OK;
}

static RW_RC run_show(int argc, char **argv, struct rw_err *err)
{
    const struct opt_command command = {
        .program = "ringward release show",
        .about = "Shows one release; -o json adds the verdict of the checks and the signatures.",
        .examples = "  ringward release show -o json yara/2\n",
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

static const struct verb {
    const char *name;
    RW_RC (*run)(int argc, char **argv, struct rw_err *err);
    const char *about;
} verbs[] = {
    {"create", cmd_release_create, "Checks content in the box here and on the server, uploads it."},
    {"sign", cmd_release_sign, "Signs a checked release with a key that stays here."},
    {"publish", run_publish, "Publishes an approved release."},
    {"list", run_list, "Lists all releases."},
    {"show", run_show, "Shows one release."},
};

RW_RC cmd_release(int argc, char **argv, struct rw_err *err)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    for (size_t i = 0; i < RW_LEN(verbs); i++) {
        if (strcmp(name, verbs[i].name) == 0) { return verbs[i].run(argc - 1, argv + 1, err); }
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        printf("Usage: ringward release VERB [options]\n\nVerbs:\n");
        for (size_t i = 0; i < RW_LEN(verbs); i++) {
            printf("  %-8s %s\n", verbs[i].name, verbs[i].about);
        }
        return RW_OK;
    }
    RW_IGNORE(rw_fail(err, RW_E_USAGE, "'%.40s' is not a verb of 'ringward release'", name),
              "hint");
    return rw_hint(err, "try 'ringward release --help'");
}
