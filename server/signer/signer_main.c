/* signer_main.c: entry of ringward-signer: locks itself down, then answers requests on descriptor 3
 * or on a socket that it listens on. */
#include "common/base/log.h"
#include "common/base/opt.h"
#include "server/signer/signer_listen.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { SESSION_FD = 3 };

/* The keys lie in this process: no core file, no debugger of the same user, no new privileges. */
static RW_RC lock_down(struct rw_err *err)
{
    const struct rlimit none = {0, 0};
    (void)umask(077);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        setrlimit(RLIMIT_CORE, &none) != 0) {
        return rw_fail_errno(err, RW_E_PROCESS, errno, "lock down");
    }
    return RW_OK;
}

static RW_RC require_socket(struct rw_err *err)
{
    int type = 0;
    socklen_t n = sizeof(type);
    if (getsockopt(SESSION_FD, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM) {
        return RW_OK;
    }
    RW_IGNORE(rw_fail(err, RW_E_USAGE, "descriptor %d is no stream socket", SESSION_FD), "hint");
    return rw_hint(
        err,
        "ringward-server starts the signer by itself; for a signer of its own give --listen PATH");
}

struct options {
    const char *keys;
    const char *repo;
    const char *listen;    /* NULL: descriptor 3 */
    const char *peer_user; /* NULL: our own user and root */
};

static RW_RC serve_listening(const struct options *o, struct signer *s, struct rw_err *err)
{
    struct signer_peers peers;
    struct signer_listen *l = NULL;
    RW_TRY(signer_listen_peers(o->peer_user, &peers, err));
    RW_TRY(signer_listen_open(o->listen, &peers, &l, err));
    struct rw_rc rc = signer_listen_serve(l, s, err);
    signer_listen_drop(&l);
    return rc;
}

static RW_RC run(const struct options *o, struct rw_err *err)
{
    struct signer *s = NULL;
    const struct signer_settings settings = {
        .key_dir = o->keys, .repo_dir = o->repo, .clock = rw_clock_system()};
    RW_TRY(lock_down(err));
    if (o->listen == NULL) { RW_TRY(require_socket(err)); }
    RW_TRY(signer_open(&settings, &s, err));
    struct rw_rc rc =
        o->listen == NULL ? signer_serve(s, SESSION_FD, err) : serve_listening(o, s, err);
    signer_drop(&s);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {.keys = NULL};
    const struct opt opts[] = {
        {"keys", "DIR", "folder with ring-RING.key, snapshot.key, timestamp.key and state/",
         &o.keys, NULL},
        {"repo", "DIR", "folder with metadata/ and targets/; only read", &o.repo, NULL},
        {"listen", "PATH", "listen on a unix socket there instead of using descriptor 3", &o.listen,
         NULL},
        {"peer-user", "USER", "who alone may connect; without it: our own user and root",
         &o.peer_user, NULL},
    };
    const struct opt_command command = {
        .program = "ringward-signer",
        .usage = "",
        .about =
            "Signs ring pointers, snapshot and timestamp for ringward-server, which holds no\n"
            "key. It verifies the whole new state by the agent's own rules first and refuses\n"
            "what an agent would not take. ringward-server starts it by itself, with requests on\n"
            "descriptor 3; with --listen it runs under a user of its own and the server's\n"
            "setting signer_socket names the path.",
        .examples = "  ringward-signer --keys DIR/signer --repo DIR/repo \\\n"
                    "    --listen /run/ringward-signer/socket --peer-user ringward\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 0,
        .operands_max = 0,
    };
    struct rw_err err = {.code = RW_E_NONE};
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    int count = 0;
    rw_log_setup("signer", RW_LOG_INFO);
    struct rw_rc rc = opt_parse(&command, argc, argv, &outcome, &operands, &count, &err);
    if (rw_is_ok(rc) && outcome == OPT_HELP_SHOWN) { return 0; }
    if (rw_is_ok(rc) && (o.keys == NULL || o.repo == NULL)) {
        RW_IGNORE(rw_fail(&err, RW_E_USAGE, "--keys DIR and --repo DIR are required"), "hint");
        rc = rw_hint(&err, "try 'ringward-signer --help'; ringward-server starts one by itself");
    }
    if (rw_is_ok(rc) && o.peer_user != NULL && o.listen == NULL) {
        rc = rw_fail(&err, RW_E_USAGE, "--peer-user goes with --listen PATH");
    }
    if (rw_is_ok(rc)) { rc = run(&o, &err); }
    return rw_is_ok(rc) ? 0 : opt_report("ringward-signer", &err);
}
