#include "server/server_cmd.h"

#include "common/base/num.h"
#include "common/base/opt.h"
#include "server/api/api_token.h"
#include "server/server_conf.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { STATE_BYTES = 128 };

struct wanted {
    const char *dir;
    const char *name;
    const char *role;
    const char *tenant;
    const char *valid;
    bool replace;
    bool revoke;
    bool once;
    bool list;
};

#define VALID_DEFAULT "7d"

static RW_RC check_wanted(const struct wanted *w, struct rw_err *err)
{
    const char *missing = w->dir == NULL                  ? "--dir"
                          : w->list                       ? NULL
                          : w->name == NULL               ? "--name"
                          : w->role == NULL && !w->revoke ? "--role"
                                                          : NULL;
    if (missing == NULL && (!w->valid || w->once)) { return RW_OK; }
    if (missing == NULL) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "--valid goes with --once"), "hint follows");
    } else {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "%s is required", missing), "hint follows");
    }
    return rw_hint(err, "try 'ringward-server token --help'");
}

/* "in force", "unused until T", "used by ENDPOINT at T", "over since T", "revoked". */
static void state_of(const struct token_doc *t, struct rw_wall now, char dst[static STATE_BYTES])
{
    char id[2 * API_ENDPOINT_BYTES + 1];
    char until[RW_TIME_TEXT_BYTES];
    char used[RW_TIME_TEXT_BYTES];
    rw_hex_encode(id, sizeof(id), t->used_by, sizeof(t->used_by));
    rw_wall_format(until, t->until);
    rw_wall_format(used, t->used_at);
    const char *first = t->revoked                        ? "revoked"
                        : !t->token.once                  ? "in force"
                        : now.s >= t->until.s && !t->used ? "over, unused since"
                        : now.s < t->until.s && !t->used  ? "one-time, unused, good until"
                                                          : "";
    bool timed = !t->revoked && t->token.once;
    if (timed && t->used) {
        (void)snprintf(dst, STATE_BYTES, "one-time, used by %s at %s", id, used);
    } else {
        (void)snprintf(dst, STATE_BYTES, "%s%s%s", first, timed ? " " : "", timed ? until : "");
    }
}

static RW_RC print_one(void *arg, const struct token_doc *t, struct rw_err *err)
{
    const struct rw_wall *now = arg;
    char state[STATE_BYTES];
    (void)err;
    state_of(t, *now, state);
    printf("%-24s %-10s %-16s %s\n", t->token.name[0] != '\0' ? t->token.name : "-",
           token_doc_role_name(t->token.role), t->token.tenant[0] != '\0' ? t->token.tenant : "-",
           state);
    return RW_OK;
}

static RW_RC work(const struct wanted *w, struct store *store, struct rw_err *err)
{
    char by[API_NAME_BYTES];
    char token[HTTP_TOKEN_BYTES];
    size_t revoked = 0;
    struct rw_clock clock = rw_clock_system();
    (void)snprintf(by, sizeof(by), "local uid %u", (unsigned)getuid());
    struct api_token_request request = {.name = w->name,
                                        .tenant = w->tenant == NULL ? "" : w->tenant,
                                        .role = API_AUTH_NONE,
                                        .by = by,
                                        .replace = w->replace};
    if (w->list) {
        struct rw_wall now = rw_clock_wall(&clock);
        printf("%-24s %-10s %-16s %s\n", "NAME", "ROLE", "TENANT", "STATE");
        return api_token_each(store, print_one, &now, err);
    }
    if (w->once) {
        request.once = true;
        RW_TRY(rw_parse_duration_s(rw_span_str(w->valid == NULL ? VALID_DEFAULT : w->valid),
                                   TOKEN_ONCE_LONGEST_S, "--valid", &request.valid_s, err));
    }
    if (w->revoke) {
        RW_TRY(api_token_revoke(store, w->name, by, rw_clock_wall(&clock), &revoked, err));
        printf("%zu token%s of '%s' revoked; a running server takes note at SIGHUP.\n", revoked,
               rw_plural((int64_t)revoked), w->name);
        return RW_OK;
    }
    RW_TRY(token_doc_role(w->role, &request.role, err));
    if (request.role == API_AUTH_ENROL && w->tenant == NULL) { request.tenant = "default"; }
    RW_TRY(api_token_make(store, &request, rw_clock_wall(&clock), token, err));
    printf("%s\n", token);
    rw_wipe(token, sizeof(token));
    (void)fprintf(stderr, "It is shown this once. A running server takes note at SIGHUP.\n");
    return RW_OK;
}

RW_RC server_cmd_token(int argc, char **argv, struct rw_err *err)
{
    struct wanted w = {.dir = NULL};
    const struct opt opts[] = {
        {"dir", "DIR", "directory of the server (required)", &w.dir, NULL},
        {"name", "NAME", "whose token: it stands in the audit log (required)", &w.name, NULL},
        {"role", "ROLE", "viewer, operator, publisher, admin, or enrol for agents", &w.role, NULL},
        {"tenant", "NAME", "bind the token to one tenant (enrol: default)", &w.tenant, NULL},
        {"replace", NULL, "revoke the name's older tokens in the same step", NULL, &w.replace},
        {"revoke", NULL, "only revoke the name's tokens", NULL, &w.revoke},
        {"once", NULL, "enrol: good for one endpoint only", NULL, &w.once},
        {"valid", "TIME", "of --once: how long it is good (default " VALID_DEFAULT ", at most 90d)",
         &w.valid, NULL},
        {"list", NULL, "show all tokens and their state instead", NULL, &w.list},
    };
    const struct opt_command command = {
        .program = "ringward-server token",
        .usage = "",
        .about =
            "Makes a token in the store of a server on this machine and prints it once; only its\n"
            "hash is kept. The server may run meanwhile.",
        .examples =
            "  ringward-server token --dir try --name alice --role publisher > alice.token\n"
            "  ringward-server token --dir try --name alice --revoke\n"
            "  ringward-server token --dir try --name host17 --role enrol --once --valid 1d\n"
            "  ringward-server token --dir try --list\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    int count = 0;
    struct server_conf conf;
    struct store store = {.backend = NULL};
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    RW_TRY(check_wanted(&w, err));
    RW_TRY(server_conf_load(w.dir, &conf, err));
    RW_TRY(server_conf_store(&conf, w.dir, &store, err));
    struct rw_rc rc = work(&w, &store, err);
    store_close(&store);
    return rc;
}
