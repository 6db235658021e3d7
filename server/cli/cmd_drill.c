#include "server/cli/cmd_drill.h"

#include "common/base/file.h"
#include "common/base/num.h"
#include "common/box/content_type.h"
#include "common/json/json_write.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_list.h"
#include "server/cli/cli_one.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_verb.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_release.h"
#include "server/cli/cmd_release_before.h"
#include "server/cli/cmd_rollout_view.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    BODY_BYTES_MAX = 4096,
    TEXT_BYTES = 420,
    REACH = 10,
    REACH_MAX = 100000,
    WITHIN_S = 1800,
    WITHIN_S_MAX = 12 * 3600,
    MARK_BITS = 40,
};

/* --- create --- */

/* Blanks behind the content: the same rules, other bytes. Endpoints remember what they left by its hash, so each drill
 * has bytes of its own. */
static RW_RC append_mark(const char *path, struct rw_err *err)
{
    char mark[MARK_BITS + 2];
    struct rw_clock clock = rw_clock_system();
    uint64_t now = (uint64_t)rw_clock_wall(&clock).s;
    RW_AUTO(rw_fd) rw_fd fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) { return rw_fail(err, RW_E_IO, "file '%s' cannot be opened", path); }
    mark[0] = '\n';
    for (size_t i = 0; i < MARK_BITS; i++) {
        mark[i + 1] = (now >> i & 1U) != 0 ? '\t' : ' ';
    }
    mark[MARK_BITS + 1] = '\n';
    return rw_fd_write_all(fd, rw_span_of(mark, sizeof(mark)), err);
}

struct create {
    struct cli_view_args args;
    const char *family;
    const char *content; /* NULL: the present release's */
    const char *class_name;
    const char *engine_min;
    const char *engine_max;
    const char *platforms;
};

/* Goes the way of any other release, box and all. */
static RW_RC create_release(const struct create *c, const char *class_name, const char *content,
                            struct rw_err *err)
{
    const char *given[24] = {"create", "--drill", "--notes",
                             "a drill: the content that is in place, rehearsed as a failure"};
    int n = 4;
    const struct {
        const char *option, *value;
    } rest[] = {
        {"--family", c->family},         {"--class", class_name},
        {"--content", content},          {"--profile", c->args.profile},
        {"--output", c->args.output},    {"--engine-min", c->engine_min},
        {"--engine-max", c->engine_max}, {"--platform", c->platforms},
    };
    for (size_t i = 0; i < RW_LEN(rest); i++) {
        if (rest[i].value == NULL) { continue; }
        given[n++] = rest[i].option;
        given[n++] = rest[i].value;
    }
    char *argv[24] = {NULL};
    rw_copy((void *)argv, sizeof(argv), (const void *)given, (size_t)n * sizeof(given[0]));
    return cmd_release_create(n, argv, err);
}

static RW_RC create(const struct create *c, struct rw_err *err)
{
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(cmd_release_before) struct cmd_release_before before = {.steps = 1};
    RW_TRY(cli_view_name(c->family, "family", err));
    RW_TRY(cli_api_open(c->args.profile, &api, err));
    if (c->content == NULL || c->class_name == NULL) {
        RW_TRY(cmd_release_before_in_place(api, c->family, &before, err));
    }
    const char *class_used = c->class_name == NULL ? before.class_name : c->class_name;
    if (c->content != NULL) { return create_release(c, class_used, c->content, err); }
    const char *type = content_type_of(c->family);
    if (strcmp(type, "yara") != 0 && strcmp(type, "template") != 0) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "content of type '%s' cannot be marked", type), "hint");
        return rw_hint(err, "give harmless content with bytes of its own: --content FILE");
    }
    RW_TRY(append_mark(before.path, err));
    return create_release(c, class_used, before.path, err);
}

static RW_RC run_create(int argc, char **argv, struct rw_err *err)
{
    struct create c = {.family = NULL};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(c.args.profile),
        CLI_OPT_OUTPUT(c.args.output),
        {"family", "NAME", "content family (required)", &c.family, NULL},
        {"content", "FILE",
         "harmless content of its own (default: the present release, with blanks "
         "behind it)",
         &c.content, NULL},
        {"class", "NAME", "class of the policy (default: of the present release)", &c.class_name,
         NULL},
        {"engine-min", "N", "lowest engine version that may load it (default 0)", &c.engine_min,
         NULL},
        {"engine-max", "N", "highest engine version that may load it", &c.engine_max, NULL},
        {"platform", "LIST", "platforms, comma-separated (default linux-x86_64)", &c.platforms,
         NULL},
    };
    const struct opt_command command = {
        .program = "ringward drill create",
        .usage = "",
        .about =
            "Makes the release of a drill: the content that is in place, with blanks behind it "
            "so that its\n"
            "bytes are its own, marked as a drill. It is checked by the boxes and signed like "
            "any other.",
        .examples = "  ringward drill create --family yara\n"
                    "  ringward release sign --drill --key alice.key yara/3\n"
                    "  ringward release sign --drill --key bob.key yara/3\n"
                    "  ringward release publish yara/3\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &c.args, err));
    if (c.args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_need(c.family, "--family NAME", command.program, err));
    return create(&c, err);
}

/* --- start --- */

struct start {
    struct cli_view_args args;
    const char *ring;
    const char *max;
    const char *within;
    const char *reason;
};

static RW_RC write_start(const struct start *s, struct rw_buf *body, struct rw_err *err)
{
    char family[CLI_FAMILY_BYTES];
    int64_t release = 0;
    int64_t max = REACH;
    int64_t within_s = WITHIN_S;
    RW_TRY(cli_view_release_id(s->args.operands[0], family, &release, err));
    RW_TRY(cli_view_need(s->ring, "--ring NAME", "ringward drill start", err));
    RW_TRY(cli_view_need_reason(s->reason, err));
    if (s->max != NULL) {
        RW_TRY(rw_parse_i64(rw_span_str(s->max), 1, REACH_MAX, "--max", &max, err));
    }
    if (s->within != NULL) {
        RW_TRY(
            rw_parse_duration_s(rw_span_str(s->within), WITHIN_S_MAX, "--within", &within_s, err));
    }
    struct json_writer w = json_begin(body);
    json_open_object(&w, NULL);
    json_put_str(&w, "family", family);
    json_put_int(&w, "release", release);
    json_put_str(&w, "ring", s->ring);
    json_put_int(&w, "max", max);
    json_put_int(&w, "within_s", within_s);
    json_put_str(&w, "reason", s->reason);
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC run_start(int argc, char **argv, struct rw_err *err)
{
    struct start s = {.ring = NULL};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(s.args.profile),
        CLI_OPT_OUTPUT(s.args.output),
        {"ring", "NAME", "the one ring that takes part (required)", &s.ring, NULL},
        {"max", "N", "endpoints that take part at most (default 10)", &s.max, NULL},
        {"within", "TIME", "halted by then at the latest (default 30m, at most 12h)", &s.within,
         NULL},
        {"reason", "TEXT", "why; kept in the audit log (required)", &s.reason, NULL},
    };
    const struct opt_command command = {
        .program = "ringward drill start",
        .usage = "FAMILY/NUMBER",
        .about =
            "Begins a drill: endpoints of one ring load the release, report a failure and go "
            "back,\n"
            "until the detector halts it, as it would halt a bad release. Refused while a real\n"
            "rollout of the family runs. 'ringward rollout watch' follows it, 'rollout halt' ends "
            "it.",
        .examples = "  ringward drill start --ring internal --max 4 --reason \"quarterly drill\" "
                    "yara/3\n"
                    "  ringward rollout watch yara/3\n"
                    "  ringward drill show yara/3\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    size_t lines = 0;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BODY_BYTES_MAX);
    RW_TRY(cli_view_args(&command, argc, argv, &s.args, err));
    if (s.args.help_shown) { return RW_OK; }
    RW_TRY(write_start(&s, &body, err));
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(s.args.profile, &api, err));
    RW_TRY(cli_api_post(api, "/v1/drills", rw_buf_span(&body), &answer, err));
    if (s.args.format != CLI_TABLE) { return cli_view_print_json(answer, err); }
    RW_TRY(cmd_rollout_view_print(answer, 0, &lines, err));
    cmd_rollout_view_next(answer);
    return cli_view_flush(err);
}

/* --- list, show --- */

/* "12s", "-" while it is not over. */
static const char *took(const struct json *drill, const char *name, char *dst, size_t cap)
{
    int64_t s = cli_view_int(drill, name, -1);
    if (s < 0) {
        (void)snprintf(dst, cap, "-");
        return dst;
    }
    return cli_view_duration(s, dst, cap);
}

static RW_RC add_drill(struct cli_table *t, const struct json *r, struct rw_err *err)
{
    static const char *const counts[] = {"exposed", "reported", "dark"};
    char text[TEXT_BYTES];
    const struct json *d = json_find(r, "drill");
    RW_TRY(cli_table_addf(t, err, "%s/%lld", cli_view_str(r, "family", text, sizeof(text)),
                          (long long)cli_view_int(r, "release", 0)));
    RW_TRY(cli_table_add(t, cli_view_str(r, "state", text, sizeof(text)), err));
    RW_TRY(cli_table_add(t, cli_view_str(d, "ring", text, sizeof(text)), err));
    for (size_t i = 0; i < RW_LEN(counts); i++) {
        RW_TRY(cli_table_addf(t, err, "%lld", (long long)cli_view_int(d, counts[i], 0)));
    }
    RW_TRY(cli_table_add(t, took(d, "to_halt_s", text, sizeof(text)), err));
    RW_TRY(cli_table_add(t, took(d, "to_back_s", text, sizeof(text)), err));
    RW_TRY(cli_table_add(t, cli_view_str(r, "started", text, sizeof(text)), err));
    RW_TRY(cli_table_add(t, cli_view_str(d, "by", text, sizeof(text)), err));
    return cli_table_add(t, cli_view_str(d, "reason", text, sizeof(text)), err);
}

static RW_RC print_list(const struct json *list, struct rw_err *err)
{
    static const char *const header[] = {"DRILL",    "STATE", "RING",    "EXPOSED",
                                         "REPORTED", "DARK",  "TO HALT", "THEN BACK",
                                         "STARTED",  "BY",    "REASON"};
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (const struct json *r = json_first(list); r != NULL; r = json_next(r)) {
        const struct json *d = json_find(r, "drill");
        if (d == NULL || json_type(d) != JSON_OBJECT) { continue; }
        RW_TRY(add_drill(&t, r, err));
    }
    (void)cli_table_print(&t);
    return cli_view_flush(err);
}

static RW_RC run_list(int argc, char **argv, struct rw_err *err)
{
    static const struct cli_list what = {
        .program = "ringward drill list",
        .about = "Lists drills, the newest first: who took part, how long until the halt, and from "
                 "there until\n"
                 "every endpoint was back.",
        .examples = "  ringward drill list\n  ringward drill list -o ndjson\n",
        .path = "/v1/drills",
        .member = "drills",
        .empty = "no drill yet; 'ringward drill create --help' tells how to begin",
        .print = print_list,
    };
    return cli_list_run(&what, argc, argv, err);
}

static RW_RC print_one(const struct json *r, struct rw_err *err)
{
    const struct json *d = json_find(r, "drill");
    static const struct {
        const char *label, *name;
    } counts[] = {{"reach", "max"},
                  {"exposed", "exposed"},
                  {"reported failure", "reported"},
                  {"dark", "dark"},
                  {"refused", "refused"}};
    char text[TEXT_BYTES];
    size_t lines = 0;
    RW_TRY(cmd_rollout_view_print(r, 0, &lines, err));
    printf("\n  %-18s %s\n", "ring", cli_view_str(d, "ring", text, sizeof(text)));
    printf("  %-18s %s\n", "started by", cli_view_str(d, "by", text, sizeof(text)));
    printf("  %-18s %s\n", "reason", cli_view_str(d, "reason", text, sizeof(text)));
    for (size_t i = 0; i < RW_LEN(counts); i++) {
        int64_t n = cli_view_int(d, counts[i].name, 0);
        printf("  %-18s %lld endpoint%s\n", counts[i].label, (long long)n, rw_plural(n));
    }
    printf("  %-18s %s\n", "time to halt", took(d, "to_halt_s", text, sizeof(text)));
    printf("  %-18s %s after it\n", "all back", took(d, "to_back_s", text, sizeof(text)));
    return cli_view_flush(err);
}

static RW_RC accept_drill(const struct json *r, const char *operand, struct rw_err *err)
{
    const struct json *d = json_find(r, "drill");
    if (d != NULL && json_type(d) == JSON_OBJECT) { return RW_OK; }
    return rw_fail(err, RW_E_NOT_FOUND, "%.60s is no drill", operand);
}

static RW_RC run_show(int argc, char **argv, struct rw_err *err)
{
    static const struct cli_one what = {
        .program = "ringward drill show",
        .about = "Shows one drill and its record.",
        .examples = "  ringward drill show yara/3\n",
        .path = "/v1/rollouts",
        .accept = accept_drill,
        .print = print_one,
    };
    return cli_one_run(&what, argc, argv, err);
}

static const struct cli_verb verbs[] = {
    {"create", run_create, "makes the harmless release of a drill"},
    {"start", run_start, "begins a drill in one ring, for so many endpoints"},
    {"list", run_list, "all drills with their times"},
    {"show", run_show, "one drill and its record"},
};

RW_RC cmd_drill(int argc, char **argv, struct rw_err *err)
{
    return cli_verb_run("ringward drill", verbs, RW_LEN(verbs), argc, argv, err);
}
