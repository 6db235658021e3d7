#include "server/cli/cmd_fleet.h"

#include "common/base/num.h"
#include "common/json/json_write.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_verb.h"
#include "server/cli/cli_view.h"

#include <stdio.h>
#include <string.h>

enum { PAGE = 500, LIMIT_DEFAULT = 1000, LIMIT_MAX = 1000000, WORD_BYTES = 160, ID_BYTES = 33 };
enum { OUT_BYTES_MAX = 64 * 1024 * 1024 };

struct list_job {
    struct cli_view_args args;
    const char *ring; /* NULL: all */
    bool no_loader;   /* only those without one */
    const char *limit_text;
    int64_t limit;
    int64_t shown;
    bool more;            /* there are endpoints behind the limit */
    struct cli_table t;   /* CLI_TABLE */
    struct json_writer w; /* CLI_JSON */
};

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

static RW_RC take_endpoint(struct list_job *job, const struct json *e, struct rw_err *err)
{
    char ring[WORD_BYTES];
    if (job->ring != NULL && strcmp(cli_view_str(e, "ring", ring, sizeof(ring)), job->ring) != 0) {
        return RW_OK;
    }
    const struct json *lacks = json_find(e, "no_loader");
    if (job->no_loader && (lacks == NULL || json_type(lacks) != JSON_TRUE)) { return RW_OK; }
    if (job->shown == job->limit) {
        job->more = true;
        return RW_OK;
    }
    job->shown++;
    if (job->args.format == CLI_NDJSON) { return cli_view_print_json(e, err); }
    if (job->args.format == CLI_JSON) {
        json_put_tree(&job->w, NULL, e);
        return RW_OK;
    }
    return add_endpoint(&job->t, e, err);
}

/* One page; *after is set to the next page's start, "" at the end. */
static RW_RC take_page(struct cli_api *api, struct list_job *job, char after[static ID_BYTES],
                       struct rw_err *err)
{
    char path[CLI_PATH_BYTES];
    RW_AUTO(json_tree) json_tree page = NULL;
    const struct json *list = NULL;
    (void)snprintf(path, sizeof(path), "/v1/fleet?limit=%d%s%s", PAGE,
                   after[0] != '\0' ? "&after=" : "", after);
    RW_TRY(cli_api_get(api, path, &page, err));
    RW_TRY(json_get(page, "endpoints", JSON_ARRAY, &list, err));
    for (const struct json *e = json_first(list); e != NULL; e = json_next(e)) {
        RW_TRY(take_endpoint(job, e, err));
    }
    char next[ID_BYTES];
    (void)cli_view_str(page, "next", next, sizeof(next));
    if (next[0] != '\0' && strcmp(next, after) <= 0) {
        return rw_fail(err, RW_E_PROTOCOL, "the server's pages do not advance");
    }
    (void)snprintf(after, ID_BYTES, "%s", next);
    return RW_OK;
}

static RW_RC take_all(struct cli_api *api, struct list_job *job, struct rw_err *err)
{
    char after[ID_BYTES] = "";
    do {
        RW_TRY(take_page(api, job, after, err));
    } while (after[0] != '\0' && !job->more);
    return RW_OK;
}

static RW_RC list_as_json(struct cli_api *api, struct list_job *job, struct rw_buf *text,
                          struct rw_err *err)
{
    job->w = json_begin(text);
    json_open_object(&job->w, NULL);
    json_open_array(&job->w, "endpoints");
    RW_TRY(take_all(api, job, err));
    json_close_array(&job->w);
    json_put_bool(&job->w, "more", job->more);
    json_close_object(&job->w);
    RW_TRY(json_done(&job->w, err));
    printf("%s\n", rw_buf_str(text));
    return cli_view_flush(err);
}

static RW_RC list_as_table(struct cli_api *api, struct list_job *job, struct rw_err *err)
{
    static const char *const header[] = {"ENDPOINT",  "RING",  "CONTENT", "COHORT",
                                         "LAST SEEN", "GRADE", "TRUST"};
    RW_TRY(cli_table_begin(&job->t, header, RW_LEN(header), err));
    RW_TRY(take_all(api, job, err));
    if (job->shown > 0) {
        (void)cli_table_print(&job->t);
    } else {
        printf("no endpoint %s\n", job->ring != NULL || job->no_loader ? "is like that" : "yet");
    }
    return cli_view_flush(err);
}

static RW_RC list_endpoints(struct cli_api *api, struct list_job *job, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(OUT_BYTES_MAX);
    if (job->args.format == CLI_JSON) { return list_as_json(api, job, &text, err); }
    if (job->args.format == CLI_NDJSON) { return take_all(api, job, err); }
    struct rw_rc rc = list_as_table(api, job, err);
    cli_table_drop(&job->t);
    return rc;
}

static RW_RC run_list(int argc, char **argv, struct rw_err *err)
{
    struct list_job job = {.limit = LIMIT_DEFAULT};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(job.args.profile),
        CLI_OPT_OUTPUT(job.args.output),
        {"ring", "NAME", "only endpoints of this ring", &job.ring, NULL},
        {"no-loader", NULL, "only endpoints without a loader for dry runs of whole sets", NULL,
         &job.no_loader},
        {"limit", "N", "show at most N (default 1000)", &job.limit_text, NULL},
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
    RW_TRY(cli_view_args(&command, argc, argv, &job.args, err));
    if (job.args.help_shown) { return RW_OK; }
    if (job.ring != NULL) { RW_TRY(cli_view_name(job.ring, "ring", err)); }
    if (job.limit_text != NULL) {
        RW_TRY(rw_parse_i64(rw_span_str(job.limit_text), 1, LIMIT_MAX, "--limit", &job.limit, err));
    }
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_TRY(cli_api_open(job.args.profile, &api, err));
    RW_TRY(list_endpoints(api, &job, err));
    if (job.more) {
        (void)fprintf(stderr, "ringward: there are more endpoints than these %lld; use --limit\n",
                      (long long)job.shown);
    }
    return RW_OK;
}

static void print_marks(const struct json *marks)
{
    for (const struct json *m = marks == NULL ? NULL : json_first(marks); m != NULL;
         m = json_next(m)) {
        char word[WORD_BYTES];
        if (json_type(m) != JSON_STR) { continue; }
        struct rw_span s = json_str(m);
        (void)snprintf(word, sizeof(word), "%.*s", (int)(s.n < 40 ? s.n : 40), s.p);
        cli_view_clean(word);
        printf(" %s", word);
    }
    printf("\n");
}

static void print_content(const struct json *c)
{
    char word[WORD_BYTES];
    char until[WORD_BYTES];
    const struct json *permit = json_find(c, "permit");
    const struct json *outcomes = json_find(c, "outcomes");
    int64_t release = cli_view_int(c, "release", 0);
    (void)cli_view_str(c, "family", word, sizeof(word));
    if (release > 0) {
        printf("%s/%lld loaded, generation %lld, SHA-256 %s\n", word, (long long)release,
               (long long)cli_view_int(c, "generation", 0),
               cli_view_or_dash(c, "sha256", until, sizeof(until)));
    } else {
        printf("%s: nothing loaded\n", word);
    }
    if (permit != NULL && json_type(permit) == JSON_OBJECT) {
        printf("  permit for release %lld, granted %s, dark after %s\n",
               (long long)cli_view_int(permit, "release", 0),
               cli_view_str(permit, "granted", word, sizeof(word)),
               cli_view_str(permit, "deadline", until, sizeof(until)));
    }
    for (const struct json *o = outcomes == NULL ? NULL : json_first(outcomes); o != NULL;
         o = json_next(o)) {
        printf("  release %lld:", (long long)cli_view_int(o, "release", 0));
        print_marks(json_find(o, "marks"));
    }
}

/* Holds and pins that operators set for it or its tenant. */
static void print_controls(const struct json *list)
{
    for (const struct json *c = list == NULL ? NULL : json_first(list); c != NULL;
         c = json_next(c)) {
        char text[WORD_BYTES];
        char state[WORD_BYTES];
        char since[WORD_BYTES];
        char ends[WORD_BYTES];
        (void)cli_view_str(c, "state", state, sizeof(state));
        printf("  %-8s %s: %s, set %s, %s %s\n", "control",
               cli_view_str(c, "control", text, sizeof(text)), state,
               cli_view_str(c, "since", since, sizeof(since)),
               strcmp(state, "lapsed") == 0 ? "ended" : "ends",
               cli_view_or_dash(c, "ends", ends, sizeof(ends)));
    }
}

static RW_RC print_endpoint(const struct json *e, struct rw_err *err)
{
    static const char *const members[] = {"tenant", "ring", "seen", "grade", "trust"};
    char word[WORD_BYTES];
    const struct json *content = json_find(e, "content");
    printf("%s\n", cli_view_str(e, "endpoint", word, sizeof(word)));
    for (size_t i = 0; i < RW_LEN(members); i++) {
        printf("  %-8s %s\n", members[i], cli_view_or_dash(e, members[i], word, sizeof(word)));
    }
    printf("  %-8s %s\n", "cohort", cli_view_cohort(json_find(e, "cohort"), word, sizeof(word)));
    const struct json *lacks = json_find(e, "no_loader");
    if (lacks != NULL && json_type(lacks) == JSON_TRUE) {
        printf("  %-8s none: no dry run of the whole set there\n", "loader");
    }
    print_controls(json_find(e, "controls"));
    for (const struct json *c = content == NULL ? NULL : json_first(content); c != NULL;
         c = json_next(c)) {
        print_content(c);
    }
    return cli_view_flush(err);
}

static RW_RC run_show(int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    uint8_t id[16];
    char path[CLI_PATH_BYTES];
    const struct opt opts[] = {CLI_OPT_PROFILE(args.profile), CLI_OPT_OUTPUT(args.output)};
    const struct opt_command command = {
        .program = "ringward fleet show",
        .usage = "ID",
        .about = "Shows one endpoint: what is loaded, its permit, how each release went there, "
                 "what operators\n"
                 "set for it, whether its sensor has a loader for dry runs.",
        .examples = "  ringward fleet show 0123456789abcdef0123456789abcdef\n",
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
    (void)snprintf(path, sizeof(path), "/v1/fleet/%s", args.operands[0]);
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    RW_TRY(cli_api_get(api, path, &answer, err));
    if (args.format != CLI_TABLE) { return cli_view_print_json(answer, err); }
    return print_endpoint(answer, err);
}

static const struct cli_verb verbs[] = {
    {"list", run_list, "lists endpoints with ring, content and last sign of life"},
    {"show", run_show, "shows one endpoint"},
};

RW_RC cmd_fleet(int argc, char **argv, struct rw_err *err)
{
    return cli_verb_run("ringward fleet", verbs, RW_LEN(verbs), argc, argv, err);
}
