#include "server/serve.h"

#include "common/base/cgroup_leaf.h"
#include "common/base/notify.h"
#include "common/base/num.h"
#include "common/base/opt.h"
#include "server/serve_parts.h"

#include <signal.h>
#include <time.h>

enum { READY_FD_MAX = 1023 };

/* Blocked before the first thread is made: every thread inherits it, and the main thread alone takes them. */
static sigset_t block_signals(void)
{
    sigset_t ours;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigemptyset(&ours);
    (void)sigaddset(&ours, SIGTERM);
    (void)sigaddset(&ours, SIGINT);
    (void)sigaddset(&ours, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &ours, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    return ours;
}

/* True: it is to be opened anew. */
static bool run_until_stopped(const struct serve *s, const char *dir, const sigset_t *signals)
{
    const struct timespec look = {.tv_sec = SERVER_CERTIFICATE_LOOK_MS / 1000};
    for (;;) {
        int number = sigtimedwait(signals, NULL, &look);
        if (number < 0) {
            if (serve_is_left(s, dir)) { return true; }
            server_certificate_look(s->certificate);
            continue;
        }
        if (number == SIGHUP) {
            rw_log(RW_LOG_INFO, "reload", NULL, NULL);
            server_certificate_reload(s->certificate);
            server_core_reload(s->core);
            continue;
        }
        rw_log(RW_LOG_INFO, "stopping", "signal", number == SIGTERM ? "TERM" : "INT");
        struct rw_err err;
        RW_IGNORE(notify_say("STOPPING=1", &err), "nobody waits for it");
        return false;
    }
}

/* The box makes its groups beside us. Without them its grade says so (INV-12). */
static void make_room_for_boxes(void)
{
    struct rw_err err;
    bool moved = false;
    if (!rw_is_ok(cgroup_leaf_settle(&moved, &err))) {
        rw_log(RW_LOG_WARN, "no_control_groups", "text", err.text);
    }
}

/* INV-8: whatever was answered is in the files that the path leads to now, as after a crash; what memory knows beyond
 * that was answered to nobody. The listening socket of a service manager is kept. */
static RW_RC open_again(struct serve *s, const struct serve_options *o, struct rw_err *err)
{
    struct serve_options again = *o;
    rw_log(RW_LOG_WARN, "opened_anew", "why", "the directory lies on another file system now");
    int inherited = s->inherited;
    s->inherited = -1;
    serve_drop(s);
    *s = serve_parts_none();
    s->inherited = inherited;
    again.again = true;
    RW_TRY(server_conf_load(o->dir, &s->conf, err));
    return serve_open(s, &again, err);
}

static RW_RC run(const struct serve_options *o, struct rw_err *err)
{
    RW_AUTO(serve)
    struct serve s = serve_parts_none();
    enum rw_log_level level = RW_LOG_INFO;
    if (o->dir == NULL) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "--dir is required"), "hint follows");
        return rw_hint(err, "try 'ringward-server serve --help'");
    }
    RW_TRY(server_conf_load(o->dir, &s.conf, err));
    RW_TRY(rw_log_level_parse(s.conf.log_level, &level, err));
    rw_log_setup("server", level);
    make_room_for_boxes();
    sigset_t signals = block_signals();
    RW_TRY(serve_open(&s, o, err));
    while (run_until_stopped(&s, o->dir, &signals)) {
        RW_TRY(open_again(&s, o, err));
    }
    return RW_OK;
}

RW_RC serve(int argc, char **argv, struct rw_err *err)
{
    struct serve_options o = {.ready_fd = -1};
    const char *ready_fd = NULL;
    const struct opt opts[] = {
        {"dir", "DIR", "directory of the server (required)", &o.dir, NULL},
        {"listen", "ADDRESS", "instead of the setting, for instance 127.0.0.1:0", &o.listen, NULL},
        {"node", "NAME", "instead of the setting: several nodes may share one directory", &o.node,
         NULL},
        {"store", "URL", "instead of the setting: postgresql://...", &o.store, NULL},
        {"port-file", "FILE", "write the port there once the server accepts", &o.port_file, NULL},
        {"ready-fd", "N", "write the port to this descriptor once the server accepts", &ready_fd,
         NULL},
    };
    const struct opt_command command = {
        .program = "ringward-server serve",
        .usage = "",
        .about =
            "Runs the server in the foreground until SIGTERM or SIGINT; then requests that run\n"
            "are finished and answered first. SIGHUP loads tokens, policy and certificate anew. "
            "Speaks to\n"
            "systemd by NOTIFY_SOCKET and takes a listening socket by LISTEN_FDS.",
        .examples = "  ringward-server serve --dir /var/lib/ringward\n"
                    "  ringward-server serve --dir try --listen 127.0.0.1:0 --port-file port\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    int count = 0;
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    if (ready_fd != NULL) {
        RW_TRY(
            rw_parse_i64(rw_span_str(ready_fd), 3, READY_FD_MAX, "--ready-fd", &o.ready_fd, err));
    }
    RW_TRY(run(&o, err));
    rw_log(RW_LOG_INFO, "stopped", NULL, NULL);
    return RW_OK;
}
