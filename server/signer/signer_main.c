/* signer_main.c: entry of ringward-signer: locks itself down, then answers requests on descriptor 3. */
#include "common/base/log.h"
#include "common/base/opt.h"
#include "server/signer/signer.h"

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
    return rw_hint(err, "ringward-server starts the signer by itself");
}

static RW_RC run(const char *keys, const char *repo, struct rw_err *err)
{
    struct signer *s = NULL;
    const struct signer_settings settings = {
        .key_dir = keys, .repo_dir = repo, .clock = rw_clock_system()};
    RW_TRY(lock_down(err));
    RW_TRY(require_socket(err));
    RW_TRY(signer_open(&settings, &s, err));
    struct rw_rc rc = signer_serve(s, SESSION_FD, err);
    signer_drop(&s);
    return rc;
}

int main(int argc, char **argv)
{
    const char *keys = NULL;
    const char *repo = NULL;
    const struct opt opts[] = {
        {"keys", "DIR", "folder with ring-RING.key, snapshot.key, timestamp.key and state/", &keys,
         NULL},
        {"repo", "DIR", "folder with metadata/ and targets/; only read", &repo, NULL},
    };
    const struct opt_command command = {
        .program = "ringward-signer",
        .usage = "",
        .about = "Signs ring pointers, snapshot and timestamp for ringward-server, which holds no\n"
                 "key. It verifies the whole new state by the agent's own rules first and refuses\n"
                 "what an agent would not take. Requests come on descriptor 3.",
        .examples = "  ringward-signer --keys DIR/signer --repo DIR/repo\n",
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
    if (rw_is_ok(rc) && (keys == NULL || repo == NULL)) {
        rc = rw_fail(&err, RW_E_USAGE, "--keys DIR and --repo DIR are required");
    }
    if (rw_is_ok(rc)) { rc = run(keys, repo, &err); }
    return rw_is_ok(rc) ? 0 : opt_report("ringward-signer", &err);
}
