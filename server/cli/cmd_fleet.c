#include "server/cli/cmd_fleet.h"

#include "common/base/num.h"
#include "server/cli/cli_verb.h"
#include "server/cli/cli_walk.h"
#include "server/cli/cmd_fleet_look.h"
#include "server/cli/cmd_fleet_view.h"

#include <stdio.h>
#include <string.h>

enum { WORD_BYTES = 160 };

/* --- list --- */

/* "yara/2" for every family, and what is being tried in its place. Release 0: nothing is loaded. */
static void content_text(const struct json *endpoint, char *dst, size_t cap)
{
    size_t used = 0;
    const struct json *list = json_find(endpoint, "content");
    (void)snprintf(dst, cap, "-");
    for (const struct json *c = list == NULL ? NULL : json_first(list); c != NULL && used < cap;
         c = json_next(c)) {
        char family[WORD_BYTES];
        char trying[48] = "";
        const struct json *permit = json_find(c, "permit");
        int64_t release = cli_view_int(c, "release", 0);
        if (permit != NULL && json_type(permit) == JSON_OBJECT) {
            (void)snprintf(trying, sizeof(trying), " (trying %lld)",
                           (long long)cli_view_int(permit, "release", 0));
        }
        if (release == 0 && trying[0] == '\0') { continue; }
        int n =
            snprintf(dst + used, cap - used, "%s%s/%lld%s", used == 0 ? "" : " ",
                     cli_view_str(c, "family", family, sizeof(family)), (long long)release, trying);
        used += n > 0 ? (size_t)n : 0;
    }
}

static RW_RC add_endpoint(struct cli_table *t, const struct json *e, struct rw_err *err)
{
    static const char *const plain[] = {"seen", "grade", "trust"};
    char word[WORD_BYTES];
    RW_TRY(cli_table_add(t, cli_view_str(e, "endpoint", word, sizeof(word)), err));
    RW_TRY(cli_table_add(t, cli_view_or_dash(e, "ring", word, sizeof(word)), err));
    content_text(e, word, sizeof(word));
    RW_TRY(cli_table_add(t, word, err));
    RW_TRY(cli_table_add(t, cli_view_cohort(json_find(e, "cohort"), word, sizeof(word)), err));
    for (size_t i = 0; i < RW_LEN(plain); i++) {
        RW_TRY(cli_table_add(t, cli_view_or_dash(e, plain[i], word, sizeof(word)), err));
    }
    return RW_OK;
}

struct wanted {
    const char *ring; /* NULL: any */
    bool no_loader;   /* only those without one */
};

static bool is_wanted(const void *ctx, const struct json *e)
{
    const struct wanted *want = ctx;
    char ring[WORD_BYTES];
    if (want->no_loader && !cli_view_bool(e, "no_loader")) { return false; }
    return want->ring == NULL ||
           strcmp(cli_view_str(e, "ring", ring, sizeof(ring)), want->ring) == 0;
}

static RW_RC list(const struct cli_view_args *args, const struct wanted *want, int64_t limit,
                  struct rw_err *err)
{
    static const char *const header[] = {"ENDPOINT",  "RING",  "CONTENT", "COHORT",
                                         "LAST SEEN", "GRADE", "TRUST"};
    const bool filtered = want->ring != NULL || want->no_loader;
    const struct cli_walk what = {.format = args->format,
                                  .path = "/v1/fleet?limit=500",
                                  .member = "endpoints",
                                  .limit = limit,
                                  .header = header,
                                  .columns = RW_LEN(header),
                                  .empty =
                                      filtered ? "no endpoint is like that" : "no endpoint yet",
                                  .what = "endpoints",
                                  .wanted = is_wanted,
                                  .add = add_endpoint,
                                  .ctx = want};
    int64_t shown = 0;
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_TRY(cli_api_open(args->profile, &api, err));
    return cli_walk_show(api, &what, &shown, err);
}

static RW_RC run_list(int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    struct wanted want = {0};
    const char *limit_text = NULL;
    int64_t limit = 0;
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"ring", "NAME", "only endpoints of this ring", &want.ring, NULL},
        {"no-loader", NULL, "only endpoints without a loader for dry runs of whole sets", NULL,
         &want.no_loader},
        {"limit", "N", "show at most N (default 1000)", &limit_text, NULL},
    };
    const struct opt_command command = {
        .program = "ringward fleet list",
        .usage = "",
        .about = "Lists endpoints: ring, content whose loading the sensor has proven, cohort, last "
                 "sign of life,\n"
                 "grade of the sandbox.",
        .examples = "  ringward fleet list --ring canary\n"
                    "  ringward fleet list -o ndjson --limit 100000 > fleet.ndjson\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    if (want.ring != NULL) { RW_TRY(cli_view_name(want.ring, "ring", err)); }
    RW_TRY(cli_walk_limit(limit_text, &limit, err));
    return list(&args, &want, limit, err);
}

/* --- show, why: one endpoint --- */

struct one {
    const char *program;
    const char *about;
    const char *examples;
    const char *suffix; /* of the path */
    RW_RC (*print)(const struct json *endpoint, struct rw_err *err);
    RW_RC (*judge)(const struct json *endpoint, struct rw_err *err); /* exit status; NULL: 0 */
};

static RW_RC run_one(const struct one *one, int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    uint8_t id[16];
    char path[CLI_PATH_BYTES];
    const struct opt opts[] = {CLI_OPT_PROFILE(args.profile), CLI_OPT_OUTPUT(args.output)};
    const struct opt_command command = {
        .program = one->program,
        .usage = "ID",
        .about = one->about,
        .examples = one->examples,
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    if (!rw_is_ok(rw_hex_decode(id, sizeof(id), rw_span_str(args.operands[0]), "endpoint", err))) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "'%.60s' is no endpoint id", args.operands[0]), "hint");
        return rw_hint(err, "an id has 32 hex digits; 'ringward fleet list' shows them");
    }
    (void)snprintf(path, sizeof(path), "/v1/fleet/%s%s", args.operands[0], one->suffix);
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    RW_TRY(cli_api_get(api, path, &answer, err));
    RW_TRY(args.format != CLI_TABLE ? cli_view_print_json(answer, err) : one->print(answer, err));
    return one->judge != NULL ? one->judge(answer, err) : RW_OK;
}

static RW_RC run_show(int argc, char **argv, struct rw_err *err)
{
    static const struct one show = {
        .program = "ringward fleet show",
        .about = "Shows one endpoint: what is loaded, its permit, how each release went there, "
                 "what operators\n"
                 "set for it, whether its sensor has a loader for dry runs.",
        .examples = "  ringward fleet show 0123456789abcdef0123456789abcdef\n",
        .suffix = "",
        .print = cmd_fleet_view_endpoint,
    };
    return run_one(&show, argc, argv, err);
}

static RW_RC run_why(int argc, char **argv, struct rw_err *err)
{
    static const struct one why = {
        .program = "ringward fleet why",
        .about =
            "Why an endpoint has what it has, as the server sees it: all that 'fleet show' tells, "
            "whether it\n"
            "is dark or muted, and for each release that may be asked for whether it would get a "
            "permit now,\n"
            "decided as for a request, and what it was told last. 'ringward-agent why' tells the "
            "other half.\n"
            "Status 6: it is dark or muted. 7: there is no such endpoint.",
        .examples = "  ringward fleet why 0123456789abcdef0123456789abcdef\n"
                    "  ringward fleet why -o json 0123456789abcdef0123456789abcdef\n",
        .suffix = "/why",
        .print = cmd_fleet_view_why,
        .judge = cmd_fleet_view_judge,
    };
    return run_one(&why, argc, argv, err);
}

static const struct cli_verb verbs[] = {
    {"list", run_list, "lists endpoints with ring, content and last sign of life"},
    {"show", run_show, "shows one endpoint"},
    {"why", run_why, "why one endpoint has what it has, and would it get a permit now"},
    {"cohorts", cmd_fleet_cohorts, "how releases do in each cohort, as a picture and numbers"},
    {"dark", cmd_fleet_dark, "endpoints that fell silent with a permit: since when, with what"},
};

RW_RC cmd_fleet(int argc, char **argv, struct rw_err *err)
{
    return cli_verb_run("ringward fleet", verbs, RW_LEN(verbs), argc, argv, err);
}
