#include "server/server_cmd.h"

#include "common/base/opt.h"
#include "server/api/api_token.h"
#include "server/server_conf.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct wanted {
    const char *dir;
    const char *name;
    const char *role;
    const char *tenant;
    bool replace;
    bool revoke;
};

static RW_RC check_wanted(const struct wanted *w, struct rw_err *err)
{
    const char *missing = w->dir == NULL                  ? "--dir"
                          : w->name == NULL               ? "--name"
                          : w->role == NULL && !w->revoke ? "--role"
                                                          : NULL;
    if (missing == NULL) { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_USAGE, "%s is required", missing), "hint follows");
    return rw_hint(err, "try 'ringward-server token --help'");
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
    if (w->revoke) {
        RW_TRY(api_token_revoke(store, w->name, by, rw_clock_wall(&clock), &revoked, err));
        printf("%zu token(s) of '%s' revoked; a running server takes note at SIGHUP.\n", revoked,
               w->name);
        return RW_OK;
    }
    RW_TRY(api_token_role(w->role, &request.role, err));
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
    };
    const struct opt_command command = {
        .program = "ringward-server token",
        .usage = "",
        .about =
            "Makes a token in the store of a server on this machine and prints it once; only its\n"
            "hash is kept. The server may run meanwhile.",
        .examples =
            "  ringward-server token --dir try --name alice --role publisher > alice.token\n"
            "  ringward-server token --dir try --name alice --revoke\n",
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
