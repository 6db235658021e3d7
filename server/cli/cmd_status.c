#include "server/cli/cmd_status.h"

#include "common/base/num.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_rollout_view.h"

#include <stdio.h>
#include <string.h>

enum { WORD_BYTES = 80, TEXT_BYTES = 600 };

static RW_RC print_rollouts(const struct json *list, struct rw_err *err)
{
    static const char *const header[] = {"ROLLOUT", "STATE", "EXPOSED", "HEALTHY",
                                         "FAILED",  "DARK",  "WHY"};
    static const char *const counts[] = {"exposed", "healthy", "failed", "dark"};
    char text[TEXT_BYTES];
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (const struct json *r = json_first(list); r != NULL; r = json_next(r)) {
        const struct json *rings = json_find(r, "rings");
        RW_TRY(cli_table_addf(&t, err, "%s/%lld%s", cli_view_str(r, "family", text, sizeof(text)),
                              (long long)cli_view_int(r, "release", 0),
                              json_find(r, "drill") != NULL ? " (drill)" : ""));
        RW_TRY(cli_table_add(&t, cli_view_str(r, "state", text, sizeof(text)), err));
        for (size_t i = 0; i < RW_LEN(counts); i++) {
            int64_t sum = 0;
            for (const struct json *g = rings == NULL ? NULL : json_first(rings); g != NULL;
                 g = json_next(g)) {
                sum += cli_view_int(g, counts[i], 0);
            }
            RW_TRY(cli_table_addf(&t, err, "%lld", (long long)sum));
        }
        cmd_rollout_view_why(r, text, sizeof(text));
        RW_TRY(cli_table_add(&t, text, err));
    }
    (void)cli_table_print(&t);
    return RW_OK;
}

static size_t print_alarms(const struct json *list)
{
    size_t n = 0;
    for (const struct json *a = list == NULL ? NULL : json_first(list); a != NULL;
         a = json_next(a)) {
        char text[TEXT_BYTES];
        if (json_type(a) != JSON_STR) { continue; }
        struct rw_span s = json_str(a);
        (void)snprintf(text, sizeof(text), "%.*s", (int)(s.n < 500 ? s.n : 500), s.p);
        cli_view_clean(text);
        printf("ALARM: %s\n", text);
        n++;
    }
    return n;
}

/* Of several nodes: which one answers, and which one is controller. */
static void print_node(const struct json *node)
{
    char name[TEXT_BYTES] = "";
    char controller[TEXT_BYTES] = "";
    if (node == NULL) { return; }
    (void)cli_view_str(node, "name", name, sizeof(name));
    (void)cli_view_str(node, "controller_name", controller, sizeof(controller));
    printf("node: %s, controller: %s, term %lld\n", name,
           controller[0] == '\0' ? "none" : controller, (long long)cli_view_int(node, "term", 0));
}

static RW_RC print_status(const struct json *status, struct rw_err *err)
{
    char version[WORD_BYTES] = "";
    char trust[WORD_BYTES] = "";
    char started[WORD_BYTES] = "";
    const struct json *server = json_find(status, "server");
    const struct json *rollouts = json_find(status, "rollouts");
    int64_t endpoints = cli_view_int(status, "endpoints", 0);
    int64_t releases = cli_view_int(status, "releases", 0);
    if (server != NULL) {
        (void)cli_view_str(server, "version", version, sizeof(version));
        (void)cli_view_str(server, "trust", trust, sizeof(trust));
        (void)cli_view_str(server, "started", started, sizeof(started));
    }
    printf("ringward-server %s, runs since %s\n", version, started);
    print_node(json_find(status, "node"));
    if (strcmp(trust, "production") != 0) {
        /* INV-12: nobody may take this for production. */
        printf("%sTRUST: %s - all keys on one machine, NOT FOR PRODUCTION%s\n",
               cli_table_colour("development"), trust, cli_table_plain());
    } else {
        printf("trust: %s\n", trust);
    }
    printf("%lld endpoint%s, %lld release%s\n", (long long)endpoints, rw_plural(endpoints),
           (long long)releases, rw_plural(releases));
    if (print_alarms(json_find(status, "alarms")) == 0) { printf("no alarms\n"); }
    if (rollouts == NULL || json_count(rollouts) == 0) {
        printf("no rollouts yet\n");
    } else {
        printf("\n");
        RW_TRY(print_rollouts(rollouts, err));
    }
    return cli_view_flush(err);
}

RW_RC cmd_status(int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    const struct opt opts[] = {CLI_OPT_PROFILE(args.profile), CLI_OPT_OUTPUT(args.output)};
    const struct opt_command command = {
        .program = "ringward status",
        .usage = "",
        .about = "The server at a glance: trust, endpoints, rollouts, alarms.",
        .examples = "  ringward status\n  ringward status -o json\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    RW_TRY(cli_api_get(api, "/v1/status", &answer, err));
    if (args.format != CLI_TABLE) { return cli_view_print_json(answer, err); }
    return print_status(answer, err);
}
