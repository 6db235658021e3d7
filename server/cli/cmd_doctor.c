#include "server/cli/cmd_doctor.h"

#include "common/base/file.h"
#include "common/base/num.h"
#include "common/tuf/tuf_client.h"
#include "common/tuf/tuf_doc.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_doctor_view.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 1200 };

/* A directory for one look at the repository; goes away with everything in it. */
struct scratch {
    char path[PATH_BYTES];
    int dir; /* -1: not made */
};

static int is_entry(const struct dirent *e)
{
    return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static void scratch_drop(struct scratch *s)
{
    struct dirent **entries = NULL;
    if (s->dir < 0) { return; }
    int count = scandirat(s->dir, ".", &entries, is_entry, alphasort);
    for (int i = 0; i < count; i++) {
        (void)unlinkat(s->dir, entries[i]->d_name, 0);
        rw_mem_free(entries[i]);
    }
    rw_mem_free((void *)entries);
    (void)close(s->dir);
    (void)rmdir(s->path);
    s->dir = -1;
}

static RW_RC scratch_make(struct scratch *s, struct rw_err *err)
{
    const char *tmp = getenv("TMPDIR");
    int n = snprintf(s->path, sizeof(s->path), "%s/ringward-doctor-XXXXXX",
                     tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp);
    if (n < 0 || (size_t)n >= sizeof(s->path)) {
        return rw_fail(err, RW_E_CONFIG, "TMPDIR is too long");
    }
    if (mkdtemp(s->path) == NULL) {
        return rw_fail_errno(err, RW_E_IO, errno, "directory '%s'", s->path);
    }
    return rw_dir_open(s->path, &s->dir, err);
}

/* Metadata as agents fetch them. */
static RW_RC fetch(void *ctx, const char *path, size_t max, struct rw_buf *into, struct rw_err *err)
{
    struct cli_api *api = ctx;
    char url[CLI_PATH_BYTES];
    (void)snprintf(url, sizeof(url), "/repo/metadata/%s", path);
    return cli_api_download(api, url, max, into, err);
}

static RW_RC open_client(struct cli_api *api, const char *root_file, const struct scratch *s,
                         struct tuf_client **out, struct rw_err *err)
{
    char beside[PATH_BYTES];
    RW_AUTO(rw_buf) struct rw_buf root = rw_buf_make(TUF_ROOT_BYTES_MAX);
    RW_TRY(cli_api_beside(api, "root.json", beside, sizeof(beside), err));
    const char *path = root_file == NULL ? beside : root_file;
    struct rw_rc rc = rw_file_read(path, TUF_ROOT_BYTES_MAX, &root, err);
    if (rc.code == RW_E_NOT_FOUND) {
        return rw_hint(err, "give the trusted root that agents are installed with: --root FILE");
    }
    RW_TRY(rc);
    RW_TRY(tuf_client_init(s->dir, rw_buf_span(&root), err));
    const struct tuf_fetch over_http = {.get = fetch, .ctx = api};
    return tuf_client_open(s->dir, over_http, out, err);
}

typedef struct tuf_client *tuf_client;

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
    if (is_finding(&why)) { return cmd_doctor_view_broken(report, role, &why, err); }
    *err = why;
    return rc;
}

/* Every role that the verified targets delegate to, from the copy that the refresh has left behind. */
static RW_RC visit_delegated(const struct scratch *s, struct cmd_doctor_report *report,
                             struct tuf_client *client, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TUF_TARGETS_BYTES_MAX);
    RW_AUTO(json_tree) json_tree tree = NULL;
    const struct json *part = NULL;
    const struct json *roles = NULL;
    RW_TRY(rw_file_read_at(s->dir, "targets.json", TUF_TARGETS_BYTES_MAX, &text, err));
    RW_TRY(json_parse(rw_buf_span(&text), &json_limits_metadata, &tree, err));
    RW_TRY(json_get(tree, "signed", JSON_OBJECT, &part, err));
    RW_TRY(json_get(part, "delegations", JSON_OBJECT, &part, err));
    RW_TRY(json_get(part, "roles", JSON_ARRAY, &roles, err));
    for (const struct json *r = json_first(roles); r != NULL; r = json_next(r)) {
        char role[TUF_ROLE_NAME_BYTES];
        RW_TRY(json_get_str(r, "name", role, sizeof(role), err));
        RW_TRY(visit(report, client, role, err));
    }
    return RW_OK;
}

static RW_RC examine(struct cli_api *api, const char *root_file, struct cmd_doctor_report *report,
                     struct rw_err *err)
{
    struct rw_err why;
    RW_AUTO(scratch) struct scratch s = {.dir = -1};
    RW_AUTO(tuf_client) tuf_client client = NULL;
    RW_TRY(scratch_make(&s, err));
    RW_TRY(open_client(api, root_file, &s, &client, err));
    struct rw_rc rc = tuf_client_refresh(client, report->now, &why);
    if (rw_is_ok(rc)) {
        RW_TRY(visit_delegated(&s, report, client, err));
    } else if (is_finding(&why)) {
        RW_TRY(cmd_doctor_view_broken(report, "(refresh)", &why, err));
    } else {
        *err = why;
        return rc;
    }
    struct tuf_role_status roles[CMD_DOCTOR_ROLES_MAX];
    size_t count = tuf_client_status(client, roles, RW_LEN(roles));
    for (size_t i = 0; i < count; i++) {
        RW_TRY(cmd_doctor_view_role(report, &roles[i], err));
    }
    return RW_OK;
}

RW_RC cmd_doctor(int argc, char **argv, struct rw_err *err)
{
    const char *root_file = NULL;
    const char *warn = "7d";
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"root", "FILE", "trusted root (default: root.json beside the profile)", &root_file, NULL},
        {"warn", "TIME", "warn when an offline role has less time left (default 7d)", &warn, NULL},
    };
    const struct opt_command command = {
        .program = "ringward doctor",
        .usage = "",
        .about = "Reads the repository as an agent does, verifies it, and tells how long every "
                 "role is still\n"
                 "valid. Exit status 9: something has expired, soon will, or does not verify.",
        .examples = "  ringward doctor\n  ringward doctor --warn 30d -o json\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    struct rw_clock clock = rw_clock_system();
    RW_AUTO(cmd_doctor_report) struct cmd_doctor_report report = {.now = rw_clock_wall(&clock)};
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(rw_parse_duration_s(rw_span_str(warn), INT64_C(3650) * 86400, "--warn", &report.warn_s,
                               err));
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    RW_TRY(cmd_doctor_view_begin(&report, args.format, err));
    RW_TRY(examine(api, root_file, &report, err));
    return cmd_doctor_view_end(&report, err);
}
