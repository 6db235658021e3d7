#include "server/cli/cmd_doctor.h"

#include "server/cli/cli_repo.h"
#include "server/cli/cmd_doctor_view.h"

#include <string.h>

static const char expedite_role[] = "expedite";

static RW_RC ignore_target(void *ctx, const struct tuf_target *t, struct rw_err *err)
{
    (void)ctx;
    (void)t;
    (void)err;
    return RW_OK;
}

/* What the repository says of itself is a finding; that it cannot be asked is a failure of the command. */
static bool is_finding(const struct rw_err *why)
{
    return why->code != RW_E_NET && why->code != RW_E_TIMEOUT && why->code != RW_E_HTTP &&
           why->code != RW_E_BUSY && why->code != RW_E_IO && why->code != RW_E_NOMEM;
}

/* Loads one delegated role, so that it stands in the client's status. What cannot be loaded is a finding. */
static RW_RC visit(struct cmd_doctor_report *report, struct tuf_client *client, const char *role,
                   struct rw_err *err)
{
    struct rw_err why;
    struct rw_rc rc = tuf_client_each(client, role, ignore_target, NULL, &why);
    if (rw_is_ok(rc)) { return RW_OK; }
    /* Between one expedite and the next it lies expired, and before the first there is none. */
    bool rests = why.code == RW_E_TUF_EXPIRED || why.code == RW_E_TUF_ROLE;
    if (rests && strcmp(role, expedite_role) == 0) { return RW_OK; }
    if (is_finding(&why)) { return cmd_doctor_view_broken(report, role, &why, err); }
    *err = why;
    return rc;
}

/* Every role that the verified targets delegate to. */
static RW_RC visit_delegated(struct cli_repo *repo, struct cmd_doctor_report *report,
                             struct rw_err *err)
{
    RW_AUTO(tuf_doc) struct tuf_doc targets = {0};
    const struct json *part = NULL;
    const struct json *roles = NULL;
    RW_TRY(cli_repo_doc(repo, "targets", &targets, err));
    RW_TRY(json_get(targets.signed_part, "delegations", JSON_OBJECT, &part, err));
    RW_TRY(json_get(part, "roles", JSON_ARRAY, &roles, err));
    for (const struct json *r = json_first(roles); r != NULL; r = json_next(r)) {
        char role[TUF_ROLE_NAME_BYTES];
        RW_TRY(json_get_str(r, "name", role, sizeof(role), err));
        RW_TRY(visit(report, repo->client, role, err));
    }
    return RW_OK;
}

static RW_RC examine_cert(const struct cli_api *api, struct cmd_doctor_report *report,
                          struct rw_err *err)
{
    struct rw_wall from;
    struct rw_wall until;
    struct rw_rc rc = cli_api_cert(api, &from, &until, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; } /* TLS ends at somebody else */
    RW_TRY(rc);
    return cmd_doctor_view_cert(report, from, until, err);
}

/* Files that wait beside the certificate in use; who may not ask for the status is not told of them. */
static RW_RC examine_refused(struct cli_api *api, struct cmd_doctor_report *report,
                             struct rw_err *err)
{
    RW_AUTO(json_tree) json_tree status = NULL;
    struct rw_rc rc = cli_api_get(api, "/v1/status", &status, err);
    if (rc.code == RW_E_AUTH || rc.code == RW_E_FORBIDDEN) { return RW_OK; }
    RW_TRY(rc);
    const struct json *cert = json_find(status, "certificate");
    struct rw_err why = {.code = RW_E_CONFIG};
    if (cert == NULL || json_find(cert, "refused") == NULL) { return RW_OK; }
    (void)cli_view_str(cert, "refused", why.text, sizeof(why.text));
    return cmd_doctor_view_broken(report, "tls-certificate (new)", &why, err);
}

static RW_RC examine(struct cli_api *api, const char *root_file, struct cmd_doctor_report *report,
                     struct rw_err *err)
{
    struct rw_err why;
    RW_AUTO(cli_repo) struct cli_repo repo = {.dir = -1};
    RW_TRY(cli_repo_open(api, root_file, &repo, err));
    struct rw_rc rc = tuf_client_refresh(repo.client, report->now, &why);
    if (rw_is_ok(rc)) {
        RW_TRY(visit_delegated(&repo, report, err));
    } else if (is_finding(&why)) {
        RW_TRY(cmd_doctor_view_broken(report, "(refresh)", &why, err));
    } else {
        *err = why;
        return rc;
    }
    RW_TRY(examine_cert(api, report, err));
    RW_TRY(examine_refused(api, report, err));
    struct tuf_role_status roles[CMD_DOCTOR_ROLES_MAX];
    size_t count = tuf_client_status(repo.client, roles, RW_LEN(roles));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(roles[i].role, expedite_role) == 0) { continue; }
        RW_TRY(cmd_doctor_view_role(report, &roles[i], err));
    }
    return RW_OK;
}

RW_RC cmd_doctor(int argc, char **argv, struct rw_err *err)
{
    const char *root_file = NULL;
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"root", "FILE", "trusted root (default: root.json beside the profile)", &root_file, NULL},
    };
    const struct opt_command command = {
        .program = "ringward doctor",
        .usage = "",
        .about =
            "Reads the repository as an agent does, verifies it, and tells how long every\n"
            "role and the server's TLS certificate are still valid. It warns when half, a\n"
            "quarter and a tenth of a life are left. Exit status 6: something needs attention.",
        .examples = "  ringward doctor\n  ringward doctor -o json\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    struct rw_clock clock = rw_clock_system();
    RW_AUTO(cmd_doctor_report) struct cmd_doctor_report report = {.now = rw_clock_wall(&clock)};
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    RW_TRY(cmd_doctor_view_begin(&report, args.format, err));
    RW_TRY(examine(api, root_file, &report, err));
    return cmd_doctor_view_end(&report, err);
}
