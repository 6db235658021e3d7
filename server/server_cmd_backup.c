#include "server/server_cmd.h"

#include "common/base/num.h"
#include "common/base/opt.h"
#include "server/server_backup.h"
#include "server/server_conf.h"
#include "server/server_restore.h"
#include "server/server_verify.h"

#include <stdio.h>

enum { LIFT_MAX = 1 << 30 };

/* The options are parsed: *run_out tells whether there is more to do. */
static RW_RC parse(const struct opt_command *command, int argc, char **argv, bool *run_out,
                   struct rw_err *err)
{
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    int count = 0;
    RW_TRY(opt_parse(command, argc, argv, &outcome, &operands, &count, err));
    *run_out = outcome == OPT_RUN;
    return RW_OK;
}

static RW_RC require(const char *value, const char *option, const char *verb, struct rw_err *err)
{
    if (value != NULL) { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_USAGE, "%s is required", option), "hint follows");
    return rw_hint(err, "try 'ringward-server %s --help'", verb);
}

static struct rw_wall wall_now(void)
{
    struct rw_clock clock = rw_clock_system();
    return rw_clock_wall(&clock);
}

/* --- backup --- */
static void tell_left_out(void *ctx, const char *path, const char *why)
{
    (void)ctx;
    printf("left out: %s (%s)\n", path, why);
}

static RW_RC refuse_postgresql(const char *dir, struct rw_err *err)
{
    struct server_conf conf;
    RW_TRY(server_conf_load(dir, &conf, err));
    if (conf.store[0] == '\0') { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_CONFIG, "%s has its store on PostgreSQL", dir), "hint follows");
    return rw_hint(err, "pg_dump saves the store; see docs/backup.md for the order");
}

RW_RC server_cmd_backup(int argc, char **argv, struct rw_err *err)
{
    struct server_backup_settings s = {.left_out = tell_left_out};
    struct server_backup_about about;
    const struct opt opts[] = {
        {"dir", "DIR", "directory of the server (required)", &s.dir, NULL},
        {"to", "DIR", "where the backup goes: new or empty (required)", &s.to, NULL},
        {"with-signer-keys", NULL, "copy the private keys of DIR/signer too", NULL, &s.signer_keys},
    };
    const struct opt_command command = {
        .program = "ringward-server backup",
        .usage = "",
        .about =
            "Copies store, repository, trust state and settings while the server runs: every "
            "permit\n"
            "and beacon that was answered before the call is in it. Private keys and operators'\n"
            "tokens are not; what is left out is listed. It holds DIR/secret, by which endpoints'\n"
            "tokens are made: keep it as safe as the server.",
        .examples = "  ringward-server backup --dir /var/lib/ringward --to /backup/2026-01-31\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    bool run = false;
    RW_TRY(parse(&command, argc, argv, &run, err));
    if (!run) { return RW_OK; }
    RW_TRY(require(s.dir, "--dir", "backup", err));
    RW_TRY(require(s.to, "--to", "backup", err));
    RW_TRY(refuse_postgresql(s.dir, err));
    s.now = wall_now();
    RW_TRY(server_backup_make(&s, &about, err));
    printf("backed up %zu file%s to %s\n", about.files, rw_plural((int64_t)about.files), s.to);
    if (s.signer_keys) {
        (void)fprintf(
            stderr,
            "warning: %s holds the private keys of the signer. Who reads it can sign ring "
            "pointers,\nsnapshots and timestamps: keep it offline and encrypted\n",
            s.to);
    }
    return RW_OK;
}

/* --- restore --- */
static void tell_next(const char *dir, const struct server_restore_result *r)
{
    printf("restored %zu file%s to %s\n", r->backup.files, rw_plural((int64_t)r->backup.files),
           dir);
    printf("held: %zu rollout%s; resume each when its endpoints have reported again\n", r->held,
           rw_plural((int64_t)r->held));
    printf("versions: the signer steps over %lld at its first signature\n", (long long)r->lift);
    printf("put back by hand: tls/key.pem, webhook secrets%s; revoke what was revoked since\n",
           r->backup.signer_keys ? "" : ", the keys of signer/");
}

RW_RC server_cmd_restore(int argc, char **argv, struct rw_err *err)
{
    const char *from = NULL;
    const char *dir = NULL;
    const char *lift_text = NULL;
    int64_t lift = 0;
    struct server_restore_result result;
    const struct opt opts[] = {
        {"from", "DIR", "the backup (required)", &from, NULL},
        {"dir", "DIR", "directory to make: new or empty (required)", &dir, NULL},
        {"lift", "N", "versions that the signer steps over; default: by the backup's age",
         &lift_text, NULL},
    };
    const struct opt_command command = {
        .program = "ringward-server restore",
        .usage = "",
        .about =
            "Verifies a backup and makes a server's directory from it. Rollouts that were under "
            "way\n"
            "are held, since permits granted after the backup are not known; the signer goes on\n"
            "above every version that agents can have seen.",
        .examples = "  ringward-server restore --from /backup/2026-01-31 --dir /var/lib/ringward\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    bool run = false;
    RW_TRY(parse(&command, argc, argv, &run, err));
    if (!run) { return RW_OK; }
    RW_TRY(require(from, "--from", "restore", err));
    RW_TRY(require(dir, "--dir", "restore", err));
    if (lift_text != NULL) {
        RW_TRY(rw_parse_i64(rw_span_str(lift_text), 1, LIFT_MAX, "--lift", &lift, err));
    }
    RW_TRY(server_restore(from, dir, lift, wall_now(), &result, err));
    tell_next(dir, &result);
    return RW_OK;
}

/* --- check --- */
static void tell_check(void *ctx, const char *what, const char *found, const struct rw_err *bad)
{
    (void)ctx;
    if (bad == NULL) {
        printf("ok    %-12s %s\n", what, found);
        return;
    }
    printf("BAD   %-12s %s\n", what, bad->text);
    if (bad->hint[0] != '\0') { printf("      %-12s hint: %s\n", "", bad->hint); }
}

static RW_RC check_server(const char *dir, struct rw_err *err)
{
    struct server_conf conf;
    const struct server_verify_tell tell = {.tell = tell_check};
    size_t bad = 0;
    RW_TRY(server_conf_load(dir, &conf, err));
    if (conf.store[0] != '\0') { printf("note  store is on PostgreSQL: not looked at\n"); }
    RW_TRY(server_verify(dir, conf.store[0] == '\0', wall_now(), &tell, &bad, err));
    if (bad == 0) { return RW_OK; }
    return rw_fail(err, RW_E_ATTENTION, "%zu check%s of %s failed", bad, rw_plural((int64_t)bad),
                   dir);
}

/* The repository is judged as of the backup's time: what has expired since is renewed after a restore. */
static RW_RC check_backup(const char *from, struct rw_err *err)
{
    char data[BACKUP_FILE_PATH_BYTES];
    char at[RW_TIME_TEXT_BYTES];
    const struct server_verify_tell tell = {.tell = tell_check};
    struct server_backup_about about;
    size_t bad = 0;
    RW_AUTO(rw_buf) struct rw_buf list = rw_buf_make(BACKUP_FILE_LIST_BYTES_MAX);
    RW_TRY(server_backup_verify(from, &about, &list, err));
    rw_wall_format(at, about.at);
    printf("ok    %-12s %zu file%s of %s, every hash fits\n", "backup", about.files,
           rw_plural((int64_t)about.files), at);
    RW_TRY(backup_file_join(from, "data", data, err));
    RW_TRY(server_verify(data, true, about.at, &tell, &bad, err));
    if (bad == 0) { return RW_OK; }
    return rw_fail(err, RW_E_ATTENTION, "%zu check%s of %s failed", bad, rw_plural((int64_t)bad),
                   from);
}

RW_RC server_cmd_check(int argc, char **argv, struct rw_err *err)
{
    const char *dir = NULL;
    const char *backup = NULL;
    const struct opt opts[] = {
        {"dir", "DIR", "directory of a server, which may be running", &dir, NULL},
        {"backup", "DIR", "a backup instead", &backup, NULL},
    };
    const struct opt_command command = {
        .program = "ringward-server check",
        .usage = "",
        .about =
            "Looks whether what a server keeps is whole: the store's pages, journal and fold, the\n"
            "audit chain, the repository as an agent would take it, permissions. Works on a copy "
            "of\n"
            "the store below TMPDIR and changes nothing. Exit status 6 when a check failed.",
        .examples = "  ringward-server check --dir /var/lib/ringward\n"
                    "  ringward-server check --backup /backup/2026-01-31\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    bool run = false;
    RW_TRY(parse(&command, argc, argv, &run, err));
    if (!run) { return RW_OK; }
    if ((dir == NULL) == (backup == NULL)) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "give one of --dir and --backup"), "hint follows");
        return rw_hint(err, "try 'ringward-server check --help'");
    }
    return dir != NULL ? check_server(dir, err) : check_backup(backup, err);
}
