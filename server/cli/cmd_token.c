#include "server/cli/cmd_token.h"

#include "common/base/num.h"
#include "common/json/json_write.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_verb.h"
#include "server/cli/cli_view.h"

#include <stdio.h>
#include <string.h>

enum { BODY_BYTES_MAX = 1024, TEXT_BYTES = 200, ONCE_LONGEST_S = 90 * 86400 };

#define VALID_DEFAULT "7d"

/* --- listing --- */

/* "in force", "unused, good until T", "used by ENDPOINT at T", "over since T", "revoked". */
static const char *state_of(const struct json *t, char *dst, size_t cap)
{
    char state[TEXT_BYTES];
    char until[TEXT_BYTES];
    char by[TEXT_BYTES];
    char at[TEXT_BYTES];
    (void)cli_view_str(t, "state", state, sizeof(state));
    (void)cli_view_str(t, "until", until, sizeof(until));
    (void)cli_view_str(t, "used_by", by, sizeof(by));
    (void)cli_view_str(t, "used_at", at, sizeof(at));
    if (strcmp(state, "used") == 0) {
        (void)snprintf(dst, cap, "used by %s at %s", by, at);
    } else if (strcmp(state, "unused") == 0) {
        (void)snprintf(dst, cap, "unused, good until %s", until);
    } else if (strcmp(state, "over") == 0) {
        (void)snprintf(dst, cap, "over since %s, unused", until);
    } else {
        (void)snprintf(dst, cap, "%s", state);
    }
    return dst;
}

static RW_RC print_list(const struct json *list, struct rw_err *err)
{
    static const char *const header[] = {"NAME", "ROLE", "TENANT", "STATE"};
    static const char *const texts[] = {"name", "role", "tenant"};
    char text[3 * TEXT_BYTES];
    RW_AUTO(cli_table) struct cli_table t = {0};
    if (json_count(list) == 0) {
        printf("no token of that name\n");
        return cli_view_flush(err);
    }
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (const struct json *o = json_first(list); o != NULL; o = json_next(o)) {
        for (size_t i = 0; i < RW_LEN(texts); i++) {
            RW_TRY(cli_table_add(&t, cli_view_or_dash(o, texts[i], text, sizeof(text)), err));
        }
        RW_TRY(cli_table_add(&t, state_of(o, text, sizeof(text)), err));
    }
    (void)cli_table_print(&t);
    return cli_view_flush(err);
}

static RW_RC list(const char *name, const struct cli_view_args *args, struct rw_err *err)
{
    char path[CLI_PATH_BYTES];
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    const struct json *tokens = NULL;
    (void)snprintf(path, sizeof(path), "/v1/tokens%s%s", name != NULL ? "?name=" : "",
                   name != NULL ? name : "");
    RW_TRY(cli_api_open(args->profile, &api, err));
    RW_TRY(cli_api_get(api, path, &answer, err));
    RW_TRY(json_get(answer, "tokens", JSON_ARRAY, &tokens, err));
    if (cli_view_bool(answer, "more")) {
        (void)fprintf(stderr, "ringward: there are more tokens than these %zu\n",
                      json_count(tokens));
    }
    if (args->format == CLI_NDJSON) { return cli_view_print_each(tokens, err); }
    if (args->format == CLI_JSON) { return cli_view_print_json(answer, err); }
    return print_list(tokens, err);
}

static RW_RC run_list(int argc, char **argv, struct rw_err *err)
{
    const char *name = NULL;
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"name", "NAME", "every token of this name: used, over and revoked ones as well", &name,
         NULL},
    };
    const struct opt_command command = {
        .program = "ringward token list",
        .usage = "",
        .about = "Lists the tokens that somebody could use now. Never the tokens themselves: the "
                 "server keeps\nhashes only.",
        .examples = "  ringward token list\n  ringward token list --name host17\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    if (name != NULL) { RW_TRY(cli_view_name(name, "token name", err)); }
    return list(name, &args, err);
}

/* --- making --- */

struct wanted {
    const char *name;
    const char *role;
    const char *tenant;
    const char *valid;
    bool once;
    bool replace;
};

static RW_RC check_wanted(const struct wanted *x, struct rw_err *err)
{
    RW_TRY(cli_view_need(x->name, "--name NAME", "ringward token create", err));
    RW_TRY(cli_view_need(x->role, "--role ROLE", "ringward token create", err));
    if (x->valid != NULL && !x->once) {
        return rw_fail(err, RW_E_USAGE, "--valid goes with --once");
    }
    return cli_view_name(x->name, "token name", err);
}

static RW_RC write_new(const struct wanted *x, struct rw_buf *body, struct rw_err *err)
{
    int64_t valid_s = 0;
    struct json_writer w = json_begin(body);
    json_open_object(&w, NULL);
    json_put_str(&w, "name", x->name);
    json_put_str(&w, "role", x->role);
    if (x->tenant != NULL) { json_put_str(&w, "tenant", x->tenant); }
    if (x->replace) { json_put_bool(&w, "replace", true); }
    if (x->once) {
        const char *valid = x->valid == NULL ? VALID_DEFAULT : x->valid;
        RW_TRY(rw_parse_duration_s(rw_span_str(valid), ONCE_LONGEST_S, "--valid", &valid_s, err));
        json_put_bool(&w, "once", true);
        json_put_int(&w, "valid_s", valid_s);
    }
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC create(const struct wanted *x, const struct cli_view_args *args, struct rw_err *err)
{
    char token[TEXT_BYTES];
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BODY_BYTES_MAX);
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(check_wanted(x, err));
    RW_TRY(write_new(x, &body, err));
    RW_TRY(cli_api_open(args->profile, &api, err));
    RW_TRY(cli_api_post(api, "/v1/tokens", rw_buf_span(&body), &answer, err));
    if (args->format != CLI_TABLE) { return cli_view_print_json(answer, err); }
    RW_TRY(json_get_str(answer, "token", token, sizeof(token), err));
    printf("%s\n", token);
    rw_wipe(token, sizeof(token));
    RW_TRY(cli_view_flush(err));
    (void)fprintf(stderr, "It is shown this once, and good at once.\n");
    return RW_OK;
}

static RW_RC run_create(int argc, char **argv, struct rw_err *err)
{
    struct wanted x = {.name = NULL};
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"name", "NAME", "whose token: it stands in the audit log (required)", &x.name, NULL},
        {"role", "ROLE", "viewer, operator, publisher, admin, or enrol for agents (required)",
         &x.role, NULL},
        {"tenant", "NAME", "bind the token to one tenant (enrol: default)", &x.tenant, NULL},
        {"once", NULL, "enrol: good for one endpoint only", NULL, &x.once},
        {"valid", "TIME", "of --once: how long it is good (default " VALID_DEFAULT ", at most 90d)",
         &x.valid, NULL},
        {"replace", NULL, "revoke the name's older tokens in the same step", NULL, &x.replace},
    };
    const struct opt_command command = {
        .program = "ringward token create",
        .usage = "",
        .about = "Makes a token and prints it once; the server keeps its hash only. Needs the role "
                 "admin.",
        .examples = "  (umask 077; ringward token create --name alice --role publisher > "
                    "alice.token)\n"
                    "  ringward token create --name host17 --role enrol --once --valid 1d\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    return args.help_shown ? RW_OK : create(&x, &args, err);
}

/* --- revoking --- */

static RW_RC revoke(const char *name, const struct cli_view_args *args, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BODY_BYTES_MAX);
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    struct json_writer w = json_begin(&body);
    json_open_object(&w, NULL);
    json_put_str(&w, "name", name);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    RW_TRY(cli_api_open(args->profile, &api, err));
    RW_TRY(cli_api_post(api, "/v1/tokens/revoke", rw_buf_span(&body), &answer, err));
    if (args->format != CLI_TABLE) { return cli_view_print_json(answer, err); }
    int64_t count = cli_view_int(answer, "revoked", 0);
    printf("%lld token%s of '%s' revoked; nobody gets in by %s any more\n", (long long)count,
           rw_plural(count), name, count == 1 ? "it" : "them");
    return cli_view_flush(err);
}

static RW_RC run_revoke(int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    const struct opt opts[] = {CLI_OPT_PROFILE(args.profile), CLI_OPT_OUTPUT(args.output)};
    const struct opt_command command = {
        .program = "ringward token revoke",
        .usage = "NAME",
        .about = "Takes all tokens of a name out of force, at once. An endpoint that enrolled by "
                 "one keeps its own\ntoken. An admin may revoke the own name; 'ringward-server "
                 "token' is the way back then.",
        .examples = "  ringward token revoke alice\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_name(args.operands[0], "token name", err));
    return revoke(args.operands[0], &args, err);
}

static const struct cli_verb verbs[] = {
    {"create", run_create, "makes a token for an operator or for agents, prints it once"},
    {"list", run_list, "who could get in, and how long one-time tokens are good"},
    {"revoke", run_revoke, "takes all tokens of a name out of force"},
};

RW_RC cmd_token(int argc, char **argv, struct rw_err *err)
{
    return cli_verb_run("ringward token", verbs, RW_LEN(verbs), argc, argv, err);
}
