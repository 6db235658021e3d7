#include "server/cli/cmd_control.h"

#include "common/base/num.h"
#include "common/json/json_write.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_list.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_verb.h"
#include "server/cli/cli_view.h"

#include <stdio.h>
#include <string.h>

enum { BODY_BYTES_MAX = 2048, TEXT_BYTES = 420, SPAN_BYTES = 32, SECONDS_MAX = 90 * 86400 };

static const char none_set[] =
    "no operator has set a control; endpoints may have their own (ringward-agent status)";

static RW_RC print_list(const struct json *list, struct rw_err *err)
{
    static const char *const header[] = {"OF",   "CONTROL", "STATE", "AGE",
                                         "LEFT", "SET BY",  "REASON"};
    char text[TEXT_BYTES];
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (const struct json *c = json_first(list); c != NULL; c = json_next(c)) {
        const char *scope = json_find(c, "tenant") != NULL ? "tenant" : "endpoint";
        RW_TRY(cli_table_addf(&t, err, "%s %s", scope, cli_view_str(c, scope, text, sizeof(text))));
        RW_TRY(cli_table_add(&t, cli_view_str(c, "control", text, sizeof(text)), err));
        RW_TRY(cli_table_addf(&t, err, "%s%s", cli_view_str(c, "state", text, sizeof(text)),
                              cli_view_bool(c, "old") ? ", OLD" : ""));
        RW_TRY(cli_table_add(&t, cli_view_duration(cli_view_int(c, "age_s", 0), text, SPAN_BYTES),
                             err));
        bool ends = json_find(c, "left_s") != NULL;
        RW_TRY(cli_table_add(
            &t, ends ? cli_view_duration(cli_view_int(c, "left_s", 0), text, SPAN_BYTES) : "-",
            err));
        RW_TRY(cli_table_add(&t, cli_view_or_dash(c, "set_by", text, sizeof(text)), err));
        RW_TRY(cli_table_add(&t, cli_view_or_dash(c, "reason", text, sizeof(text)), err));
    }
    (void)cli_table_print(&t);
    return cli_view_flush(err);
}

static RW_RC print_answer(const struct json *answer, enum cli_format format, struct rw_err *err)
{
    const struct json *list = NULL;
    RW_TRY(json_get(answer, "controls", JSON_ARRAY, &list, err));
    if (format == CLI_NDJSON) { return cli_view_print_each(list, err); }
    if (format == CLI_JSON) { return cli_view_print_json(answer, err); }
    if (json_count(list) > 0) { return print_list(list, err); }
    printf("%s\n", none_set);
    return cli_view_flush(err);
}

static RW_RC run_list(int argc, char **argv, struct rw_err *err)
{
    static const struct cli_list what = {
        .program = "ringward control list",
        .about = "Lists what operators have set, with its age and what is left of it.",
        .examples = "  ringward control list\n",
        .path = "/v1/controls",
        .member = "controls",
        .empty = none_set,
        .print = print_list,
    };
    return cli_list_run(&what, argc, argv, err);
}

/* --- setting and clearing --- */

struct wanted {
    const char *tenant;
    const char *endpoint;
    const char *reason;
    const char *family;
    const char *hold;
    const char *delay;
    const char *pin;
    bool pause;
};

static RW_RC put_time(struct json_writer *w, const char *kind, const char *text, struct rw_err *err)
{
    int64_t seconds = 0;
    RW_TRY(rw_parse_duration_s(rw_span_str(text), SECONDS_MAX, kind, &seconds, err));
    json_put_str(w, "kind", kind);
    json_put_int(w, "for_s", seconds);
    return RW_OK;
}

static RW_RC put_control(struct json_writer *w, const struct wanted *x, struct rw_err *err)
{
    int kinds = (x->hold != NULL) + (x->delay != NULL) + (x->pin != NULL) + x->pause;
    if (kinds != 1) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "one of --hold, --delay, --pin and --pause is wanted"),
                  "hint follows");
        return rw_hint(err, "a hold needs its end: --hold 3d");
    }
    if (x->family != NULL) { json_put_str(w, "family", x->family); }
    if (x->hold != NULL) { return put_time(w, "hold", x->hold, err); }
    if (x->delay != NULL) { return put_time(w, "delay", x->delay, err); }
    json_put_str(w, "kind", x->pause ? "pause" : "pin");
    if (x->pin != NULL) { json_put_str(w, "pin", x->pin); }
    return RW_OK;
}

static RW_RC write_body(const struct wanted *x, bool set, struct rw_buf *body, struct rw_err *err)
{
    if ((x->tenant == NULL) == (x->endpoint == NULL)) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "either --tenant or --endpoint is wanted"), "hint");
        return rw_hint(err, "--tenant NAME for all endpoints of a tenant, --endpoint ID for one");
    }
    RW_TRY(cli_view_need_reason(x->reason, err));
    struct json_writer w = json_begin(body);
    json_open_object(&w, NULL);
    json_put_str(&w, x->tenant != NULL ? "tenant" : "endpoint",
                 x->tenant != NULL ? x->tenant : x->endpoint);
    if (set) { RW_TRY(put_control(&w, x, err)); }
    json_put_str(&w, "reason", x->reason);
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC send(const struct wanted *x, bool set, const struct cli_view_args *args,
                  struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BODY_BYTES_MAX);
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(write_body(x, set, &body, err));
    RW_TRY(cli_api_open(args->profile, &api, err));
    RW_TRY(cli_api_post(api, set ? "/v1/controls" : "/v1/controls/clear", rw_buf_span(&body),
                        &answer, err));
    return print_answer(answer, args->format, err);
}

#define SCOPE_OPTS                                                                                 \
    {"tenant", "NAME", "all endpoints of this tenant", &x.tenant, NULL},                           \
        {"endpoint", "ID", "this endpoint", &x.endpoint, NULL},                                    \
    {                                                                                              \
        "reason", "TEXT", "why: required, kept in the audit log", &x.reason, NULL                  \
    }

static RW_RC run_set(int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    struct wanted x = {.tenant = NULL};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        SCOPE_OPTS,
        {"family", "NAME", "content of this family only", &x.family, NULL},
        {"hold", "TIME", "nothing new for so long (3d)", &x.hold, NULL},
        {"delay", "TIME", "what the ring offers, so much later (48h)", &x.delay, NULL},
        {"pin", "RELEASE", "n-1, n-2 or FAMILY/NUMBER", &x.pin, NULL},
        {"pause", NULL, "nothing new for now", NULL, &x.pause},
    };
    const struct opt_command command = {
        .program = "ringward control set",
        .usage = "",
        .about =
            "Keeps endpoints behind the release that their ring points at. It can only delay, stop "
            "or go back;\nrollbacks and the way off withdrawn content are followed all the same. "
            "The "
            "policy says how\nlong at most (ringward rings show) and which classes follow always.",
        .examples = "  ringward control set --tenant acme --hold 3d --reason \"change freeze\"\n"
                    "  ringward control set --endpoint 0123456789abcdef0123456789abcdef --pin n-1 "
                    "--reason \"ticket 4711\"\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    return args.help_shown ? RW_OK : send(&x, true, &args, err);
}

static RW_RC run_clear(int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    struct wanted x = {.tenant = NULL};
    const struct opt opts[] = {CLI_OPT_PROFILE(args.profile), CLI_OPT_OUTPUT(args.output),
                               SCOPE_OPTS};
    const struct opt_command command = {
        .program = "ringward control clear",
        .usage = "",
        .about = "Takes away all that operators have set for a tenant or an endpoint.",
        .examples = "  ringward control clear --tenant acme --reason \"freeze is over\"\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    return args.help_shown ? RW_OK : send(&x, false, &args, err);
}

/* --- "ringward hold" and "ringward pin": the two that are in a hurry --- */

/* What is theirs of the command: name, operand, what it does, an example. */
static RW_RC set_one(const struct opt_command *its, bool pin, int argc, char **argv,
                     struct rw_err *err)
{
    struct cli_view_args args = {0};
    struct wanted x = {.tenant = NULL};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        SCOPE_OPTS,
        {"family", "NAME", "content of this family only", &x.family, NULL},
    };
    struct opt_command command = *its;
    command.opts = opts;
    command.opt_count = RW_LEN(opts);
    command.operands_min = 1;
    command.operands_max = 1;
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    *(pin ? &x.pin : &x.hold) = args.operands[0];
    return send(&x, true, &args, err);
}

RW_RC cmd_control_hold(int argc, char **argv, struct rw_err *err)
{
    const struct opt_command its = {
        .program = "ringward hold",
        .usage = "TIME",
        .about = "Nothing new for a tenant's endpoints, or for one, for so long: short for "
                 "'control set --hold TIME'.\n"
                 "'ringward control list' shows what is left of it, 'control clear' ends it.",
        .examples = "  ringward hold --tenant acme --reason \"change freeze\" 3d\n",
    };
    return set_one(&its, false, argc, argv, err);
}

RW_RC cmd_control_pin(int argc, char **argv, struct rw_err *err)
{
    const struct opt_command its = {
        .program = "ringward pin",
        .usage = "RELEASE",
        .about = "Keeps a tenant's endpoints, or one, on n-1, n-2 or FAMILY/NUMBER: short for "
                 "'control set --pin RELEASE'.\n"
                 "'ringward control list' shows its age and when it lapses, 'control clear' ends "
                 "it.",
        .examples = "  ringward pin --endpoint 0123456789abcdef0123456789abcdef --reason \"ticket "
                    "4711\" n-1\n",
    };
    return set_one(&its, true, argc, argv, err);
}

static const struct cli_verb verbs[] = {
    {"set", run_set, "keeps a tenant's or an endpoint's content behind: delay, hold, pin, pause"},
    {"clear", run_clear, "takes that away again"},
    {"list", run_list, "what is set, how old it is and what is left"},
};

RW_RC cmd_control(int argc, char **argv, struct rw_err *err)
{
    return cli_verb_run("ringward control", verbs, RW_LEN(verbs), argc, argv, err);
}
