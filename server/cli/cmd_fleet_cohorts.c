#include "common/base/num.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_pages.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_fleet_look.h"

#include <stdio.h>
#include <string.h>

enum { WORD_BYTES = 160, PARTS = 5 };

/* What has a mark against it, in the order in which it is drawn. */
static int64_t marked(const struct json *r)
{
    static const char *const against[] = {"failed", "refused", "storm", "slow", "mute"};
    int64_t sum = 0;
    for (size_t i = 0; i < RW_LEN(against); i++) {
        sum += cli_view_int(r, against[i], 0);
    }
    return sum;
}

static size_t largest(const int64_t parts[static PARTS])
{
    size_t most = 0;
    for (size_t i = 1; i < PARTS; i++) {
        if (parts[i] > parts[most]) { most = i; }
    }
    return most;
}

/* Places of one part: at least one when it is there at all. */
static int64_t places_of(int64_t part, double total)
{
    int64_t share = (int64_t)((double)part / total * CMD_FLEET_BAR);
    return share < 1 ? 1 : share;
}

/* What rounding gave or took goes to the largest part. */
static void share_out(const int64_t parts[static PARTS], int64_t width[static PARTS])
{
    double total = 0;
    int64_t used = 0;
    for (size_t i = 0; i < PARTS; i++) {
        total += parts[i] > 0 ? (double)parts[i] : 0;
    }
    for (size_t i = 0; i < PARTS; i++) {
        width[i] = parts[i] > 0 ? places_of(parts[i], total) : 0;
        used += width[i];
    }
    if (total > 0) { width[largest(parts)] += CMD_FLEET_BAR - used; }
}

void cmd_fleet_cohorts_bar(const struct json *release, char dst[static CMD_FLEET_BAR_BYTES])
{
    static const char letters[PARTS + 1] = "x?#+.";
    int64_t width[PARTS] = {0};
    int64_t parts[PARTS] = {marked(release), cli_view_int(release, "dark", 0),
                            cli_view_int(release, "healthy", 0),
                            cli_view_int(release, "pending", 0)};
    int64_t without = cli_view_int(release, "members", 0) - cli_view_int(release, "exposed", 0);
    size_t n = 0;
    parts[PARTS - 1] = without > 0 ? without : 0;
    share_out(parts, width);
    for (size_t i = 0; i < PARTS; i++) {
        for (int64_t k = 0; k < width[i] && n < CMD_FLEET_BAR; k++) {
            dst[n++] = letters[i];
        }
    }
    dst[n] = '\0';
}

static RW_RC add_release(struct cli_table *t, const struct json *cohort, const struct json *r,
                         struct rw_err *err)
{
    char word[WORD_BYTES];
    char bar[CMD_FLEET_BAR_BYTES];
    RW_TRY(cli_table_add(t, cli_view_cohort(json_find(cohort, "cohort"), word, sizeof(word)), err));
    RW_TRY(cli_table_addf(t, err, "%lld", (long long)cli_view_int(cohort, "endpoints", 0)));
    if (r == NULL) {
        for (size_t i = 0; i < 8; i++) {
            RW_TRY(cli_table_add(t, "-", err));
        }
        return RW_OK;
    }
    cmd_fleet_cohorts_bar(r, bar);
    RW_TRY(cli_table_addf(t, err, "%s/%lld", cli_view_str(r, "family", word, sizeof(word)),
                          (long long)cli_view_int(r, "release", 0)));
    RW_TRY(cli_table_add(
        t, cli_view_bool(r, "halted") ? "halted" : cli_view_str(r, "state", word, sizeof(word)),
        err));
    RW_TRY(cli_table_add(t, bar, err));
    RW_TRY(cli_table_addf(t, err, "%lld/%lld", (long long)cli_view_int(r, "exposed", 0),
                          (long long)cli_view_int(r, "members", 0)));
    RW_TRY(cli_table_addf(t, err, "%lld", (long long)cli_view_int(r, "healthy", 0)));
    RW_TRY(cli_table_addf(t, err, "%lld", (long long)marked(r)));
    RW_TRY(cli_table_addf(t, err, "%lld", (long long)cli_view_int(r, "dark", 0)));
    return cli_table_addf(t, err, "%lld", (long long)cli_view_int(r, "control", 0));
}

static RW_RC add_cohort(struct cli_table *t, const struct json *c, struct rw_err *err)
{
    const struct json *list = json_find(c, "releases");
    const struct json *r = list == NULL ? NULL : json_first(list);
    if (r == NULL) { return add_release(t, c, NULL, err); }
    for (; r != NULL; r = json_next(r)) {
        RW_TRY(add_release(t, c, r, err));
    }
    return RW_OK;
}

static RW_RC print_table(const struct json *list, struct rw_err *err)
{
    static const char *const header[] = {"COHORT",  "ENDPOINTS", "RELEASE", "STATE", "PICTURE",
                                         "EXPOSED", "HEALTHY",   "FAILED",  "DARK",  "CONTROL"};
    RW_AUTO(cli_table) struct cli_table t = {0};
    if (json_count(list) == 0) {
        printf("no endpoint told of a cohort yet\n");
        return cli_view_flush(err);
    }
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (const struct json *c = json_first(list); c != NULL; c = json_next(c)) {
        RW_TRY(add_cohort(&t, c, err));
    }
    (void)cli_table_print(&t);
    printf("picture: x failed or refused, ? dark, # healthy, + on probation, . without it; of the "
           "rings that it has reached\n");
    return cli_view_flush(err);
}

/* A release that is halted in a cohort and goes on elsewhere is easily overlooked. */
static RW_RC judge(const struct json *list, struct rw_err *err)
{
    char family[WORD_BYTES];
    char cohort[WORD_BYTES];
    for (const struct json *c = json_first(list); c != NULL; c = json_next(c)) {
        const struct json *releases = json_find(c, "releases");
        for (const struct json *r = releases == NULL ? NULL : json_first(releases); r != NULL;
             r = json_next(r)) {
            if (!cli_view_bool(r, "halted")) { continue; }
            return rw_fail(err, RW_E_ATTENTION, "%s/%lld is halted in cohort %s",
                           cli_view_str(r, "family", family, sizeof(family)),
                           (long long)cli_view_int(r, "release", 0),
                           cli_view_cohort(json_find(c, "cohort"), cohort, sizeof(cohort)));
        }
    }
    return RW_OK;
}

static RW_RC show(const struct cli_view_args *args, const char *path, struct rw_err *err)
{
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    const struct json *list = NULL;
    RW_TRY(cli_api_open(args->profile, &api, err));
    RW_TRY(cli_pages_get(api, path, "cohorts", &answer, err));
    RW_TRY(json_get(answer, "cohorts", JSON_ARRAY, &list, err));
    switch (args->format) {
    case CLI_JSON:
        RW_TRY(cli_view_print_json(answer, err));
        break;
    case CLI_NDJSON:
        RW_TRY(cli_view_print_each(list, err));
        break;
    case CLI_TABLE:
        RW_TRY(print_table(list, err));
        break;
    }
    return judge(list, err);
}

RW_RC cmd_fleet_cohorts(int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    const char *family = NULL;
    char path[CLI_PATH_BYTES] = "/v1/fleet/cohorts?limit=200";
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"family", "NAME", "only releases of this family", &family, NULL},
    };
    const struct opt_command command = {
        .program = "ringward fleet cohorts",
        .usage = "",
        .about =
            "Shows per cohort (OS, architecture, engine) how the latest release of each family "
            "does there: a\n"
            "picture of its endpoints, exposed of all in the rings that it has reached, healthy, "
            "failed, dark,\n"
            "and how many untouched endpoints (control) it is compared with. Needs a token "
            "without a tenant.\n"
            "Status 6: a release is halted in a cohort. Every number: 'ringward explain'.",
        .examples = "  ringward fleet cohorts\n  ringward fleet cohorts --family yara -o ndjson\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    if (family != NULL) {
        RW_TRY(cli_view_name(family, "family", err));
        size_t n = strlen(path);
        (void)snprintf(path + n, sizeof(path) - n, "&family=%s", family);
    }
    return show(&args, path, err);
}
