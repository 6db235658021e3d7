#include "common/base/num.h"
#include "server/cli/cli_walk.h"
#include "server/cli/cmd_fleet_look.h"

#include <stdio.h>
#include <string.h>

enum { WORD_BYTES = 160, OLDER_S_MAX = 3660 * 86400, QUERY_BYTES = 320 };

struct filter {
    const char *ring; /* NULL: any; so with the others */
    const char *family;
    const char *release; /* FAMILY/NUMBER */
    const char *cohort;
    const char *older;
};

static RW_RC add_dark(struct cli_table *t, const struct json *d, struct rw_err *err)
{
    char word[WORD_BYTES];
    RW_TRY(cli_table_add(t, cli_view_str(d, "endpoint", word, sizeof(word)), err));
    RW_TRY(cli_table_add(t, cli_view_or_dash(d, "ring", word, sizeof(word)), err));
    RW_TRY(cli_table_addf(t, err, "%s/%lld", cli_view_str(d, "family", word, sizeof(word)),
                          (long long)cli_view_int(d, "release", 0)));
    RW_TRY(
        cli_table_add(t, cli_view_duration(cli_view_int(d, "dark_s", 0), word, sizeof(word)), err));
    RW_TRY(cli_table_add(t, cli_view_or_dash(d, "since", word, sizeof(word)), err));
    RW_TRY(cli_table_addf(t, err, "%s%s", cli_view_or_dash(d, "seen", word, sizeof(word)),
                          cli_view_bool(d, "heard_since") ? " (talks)" : ""));
    RW_TRY(cli_table_add(t, cli_view_cohort(json_find(d, "cohort"), word, sizeof(word)), err));
    return cli_table_add(t, cli_view_or_dash(d, "tenant", word, sizeof(word)), err);
}

/* Appends "&NAME=VALUE". */
static RW_RC put(char path[static CLI_PATH_BYTES], const char *name, const char *value,
                 struct rw_err *err)
{
    char quoted[QUERY_BYTES];
    size_t n = strlen(path);
    RW_TRY(cli_walk_quote(value, quoted, sizeof(quoted), err));
    int added = snprintf(path + n, CLI_PATH_BYTES - n, "&%s=%s", name, quoted);
    if (added >= 0 && (size_t)added < CLI_PATH_BYTES - n) { return RW_OK; }
    return rw_fail(err, RW_E_RANGE, "the filters together are too long to be asked for");
}

static RW_RC put_release(char path[static CLI_PATH_BYTES], const struct filter *f,
                         struct rw_err *err)
{
    char family[CLI_FAMILY_BYTES];
    char number[24];
    int64_t release = 0;
    if (f->release == NULL) {
        if (f->family == NULL) { return RW_OK; }
        RW_TRY(cli_view_name(f->family, "family", err));
        return put(path, "family", f->family, err);
    }
    RW_TRY(cli_view_release_id(f->release, family, &release, err));
    if (f->family != NULL && strcmp(f->family, family) != 0) {
        return rw_fail(err, RW_E_USAGE, "--family %.40s and --release %.60s do not go together",
                       f->family, f->release);
    }
    (void)snprintf(number, sizeof(number), "%lld", (long long)release);
    RW_TRY(put(path, "family", family, err));
    return put(path, "release", number, err);
}

static RW_RC write_path(const struct filter *f, char path[static CLI_PATH_BYTES],
                        struct rw_err *err)
{
    char seconds[24];
    int64_t older_s = 0;
    (void)snprintf(path, CLI_PATH_BYTES, "/v1/fleet/dark?limit=500");
    if (f->ring != NULL) {
        RW_TRY(cli_view_name(f->ring, "ring", err));
        RW_TRY(put(path, "ring", f->ring, err));
    }
    RW_TRY(put_release(path, f, err));
    if (f->cohort != NULL) { RW_TRY(put(path, "cohort", f->cohort, err)); }
    if (f->older == NULL) { return RW_OK; }
    RW_TRY(rw_parse_duration_s(rw_span_str(f->older), OLDER_S_MAX, "--older", &older_s, err));
    (void)snprintf(seconds, sizeof(seconds), "%lld", (long long)older_s);
    return put(path, "older_s", seconds, err);
}

static RW_RC show(const struct cli_view_args *args, const char *path, int64_t limit, bool filtered,
                  struct rw_err *err)
{
    static const char *const header[] = {"ENDPOINT", "RING",      "RELEASE", "DARK FOR",
                                         "SINCE",    "LAST SEEN", "COHORT",  "TENANT"};
    const struct cli_walk what = {.format = args->format,
                                  .path = path,
                                  .member = "dark",
                                  .limit = limit,
                                  .header = header,
                                  .columns = RW_LEN(header),
                                  .empty = filtered ? "no endpoint like that is dark"
                                                    : "no endpoint is dark",
                                  .what = "dark endpoints",
                                  .add = add_dark};
    int64_t shown = 0;
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_TRY(cli_api_open(args->profile, &api, err));
    RW_TRY(cli_walk_show(api, &what, &shown, err));
    if (shown == 0) { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_ATTENTION, "%lld endpoint%s fell silent with a permit",
                      (long long)shown, rw_plural(shown)),
              "hint");
    return rw_hint(err, "'ringward fleet why ID' tells of one, 'ringward explain FAMILY/NUMBER' "
                        "whether that is more than among control");
}

RW_RC cmd_fleet_dark(int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    struct filter f = {.ring = NULL};
    const char *limit_text = NULL;
    int64_t limit = 0;
    char path[CLI_PATH_BYTES];
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"ring", "NAME", "only endpoints of this ring", &f.ring, NULL},
        {"family", "NAME", "only with releases of this family", &f.family, NULL},
        {"release", "FAMILY/NUMBER", "only with this release", &f.release, NULL},
        {"cohort", "OS/ARCH/ENGINE", "only endpoints of this cohort", &f.cohort, NULL},
        {"older", "TIME", "only those that are dark for so long (2h)", &f.older, NULL},
        {"limit", "N", "show at most N (default 1000)", &limit_text, NULL},
    };
    const struct opt_command command = {
        .program = "ringward fleet dark",
        .usage = "",
        .about =
            "Lists endpoints that are dark: their latest permit of a family ran out without a "
            "proof of what became\n"
            "of it. Who talks again and proves nothing is marked (talks). Status 6: there are any.",
        .examples = "  ringward fleet dark\n"
                    "  ringward fleet dark --release yara/2 --older 2h\n"
                    "  ringward fleet dark --cohort debian-12/x86_64/yara-4.2 -o ndjson --limit "
                    "100000\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(cli_walk_limit(limit_text, &limit, err));
    RW_TRY(write_path(&f, path, err));
    return show(&args, path, limit, strchr(path, '&') != NULL, err);
}
