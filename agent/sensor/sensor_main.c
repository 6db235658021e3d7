/* ringward-sensor: a small real detection engine (YARA on files, templates on events) with the sensor contract. */
#include "agent/sensor/sensor_confine.h"
#include "agent/sensor/sensor_run.h"
#include "agent/sensor/sensor_supply.h"
#include "agent/sensor/sensor_tally.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/base/opt.h"
#include "common/yara/yara_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BOX_CONTENT_FD = 3,
    ALIVE_EVERY_MS = 10000, /* the contract's limit with the agent's usual settings */
    ALIVE_EVERY_MS_MIN = 1000,
    ALIVE_EVERY_MS_MAX = 20 * 60 * 1000,
};

static RW_RC print_manifest(struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TEMPLATE_MANIFEST_BYTES_MAX);
    RW_TRY(template_manifest_write(&sensor_supply, &text, err));
    RW_TRY(rw_buf_append_str(&text, "\n", err));
    return rw_fd_write_all(STDOUT_FILENO, rw_buf_span(&text), err);
}

static RW_RC open_quarantine(const char *dir, const char *watch, struct sensor_quarantine *out,
                             struct rw_err *err)
{
    if (watch == NULL) {
        return rw_fail(err, RW_E_USAGE,
                       "--quarantine takes files of a directory: name it by --watch");
    }
    return sensor_quarantine_open(dir, watch, out, err);
}

static RW_RC undo_release(const char *which, const struct sensor_quarantine *q, struct rw_err *err)
{
    char family[SENSOR_FAMILY_BYTES];
    int64_t release = 0;
    struct sensor_quarantine_undone done = {.restored = 0};
    const char *slash = strrchr(which, '/');
    if (q == NULL || slash == NULL) {
        return rw_fail(err, RW_E_USAGE, "--undo FAMILY/RELEASE needs --quarantine and --watch");
    }
    RW_TRY(rw_span_to_str(family, sizeof(family), rw_span_of(which, (size_t)(slash - which)),
                          "family", err));
    RW_TRY(sensor_load_check_name(family, err));
    RW_TRY(rw_parse_i64(rw_span_str(slash + 1), 1, RW_JSON_INT_MAX, "release", &release, err));
    struct rw_rc rc = sensor_quarantine_undo(q, family, release, &done, err);
    if (rc.code == RW_E_NOT_FOUND) {
        return rw_fail(err, RW_E_NOT_FOUND, "%s has nothing in this quarantine", which);
    }
    RW_TRY(rc);
    printf("%lld restored, %lld not\n", (long long)done.restored, (long long)done.kept);
    if (done.kept == 0) { return RW_OK; }
    return rw_fail(err, RW_E_ATTENTION, "%lld files of %s stay in quarantine: see the log",
                   (long long)done.kept, which);
}

static RW_RC open_detections(const char *path, int *fd_out, struct rw_err *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "detections '%s'", path); }
    *fd_out = fd;
    return RW_OK;
}

struct tasks {
    const char *scan, *events, *then;
    bool dry_run;
};

/* In the box every layer is in force already, and the filter permits no more of them. The first touch of descriptor 3
 * ends the phase in which code may still be mapped (docs/sandbox.md "Profiles"). */
static bool confined_by_box(void)
{
    char byte = 0;
    const char *box = getenv("RINGWARD_VALIDATOR"); /* NOLINT(concurrency-mt-unsafe) one thread */
    if (box == NULL || strcmp(box, "1") != 0) { return false; }
    ssize_t got = read(BOX_CONTENT_FD, &byte, 1);
    return got == 1;
}

static void confine(const struct sensor_confine_keep *keep, bool dry_run)
{
    char missing[SENSOR_CONFINE_MISSING_BYTES];
    if (dry_run && confined_by_box()) { return; }
    sensor_confine(keep, missing);
    if (missing[0] != '\0') { rw_log(RW_LOG_WARN, "confinement_missing", "layers", missing); }
}

/* What is to be done with the set: a trial, one file, one file of events, or serving an agent. */
static RW_RC work(const struct sensor_run_options *options, const struct tasks *t,
                  struct rw_err *err)
{
    if (t->dry_run) { return sensor_run_dry(options, t->then, err); }
    if (t->scan != NULL) { return sensor_run_once(options, t->scan, err); }
    if (t->events != NULL) { return sensor_run_events(options, t->events, err); }
    return sensor_run(options, err);
}

/* What the command line asks for beside the options of a run; borrowed. */
struct wishes {
    const char *active;
    struct tasks tasks;
    const char *detections;
    const char *quarantine;
    const char *undo;
    const char *alive_every;
};

static RW_RC read_alive(const char *text, int64_t *out, struct rw_err *err)
{
    int64_t ms = 0;
    if (text == NULL) { return RW_OK; }
    RW_TRY(rw_parse_duration_ms(rw_span_str(text), ALIVE_EVERY_MS_MAX, "--alive-every", &ms, err));
    if (ms < ALIVE_EVERY_MS_MIN) {
        return rw_fail(err, RW_E_USAGE, "--alive-every: '%.20s' is less than 1s", text);
    }
    *out = ms;
    return RW_OK;
}

static RW_RC begin(const struct wishes *w, const struct sensor_run_options *given,
                   struct rw_err *err)
{
    struct sensor_run_options options = *given;
    RW_AUTO(sensor_quarantine)
    struct sensor_quarantine q = {.files = -1, .manifests = -1, .watched = -1};
    if (w->quarantine != NULL) {
        RW_TRY(open_quarantine(w->quarantine, options.watch, &q, err));
        options.quarantine = &q;
    }
    if (w->undo != NULL) { return undo_release(w->undo, options.quarantine, err); }
    if (w->active == NULL || w->active[0] == '\0') {
        RW_IGNORE(rw_fail(err, RW_E_USAGE,
                          "there is no active set: neither --active nor RINGWARD_ACTIVE"),
                  "hint follows");
        return rw_hint(err, "try 'ringward-sensor --help'");
    }
    RW_TRY(read_alive(w->alive_every, &options.alive_every_ms, err));
    options.active = w->active;
    options.socket = getenv("RINGWARD_SOCKET");     /* NOLINT(concurrency-mt-unsafe) one thread */
    options.endpoint = getenv("RINGWARD_ENDPOINT"); /* NOLINT(concurrency-mt-unsafe) */
    RW_TRY(sensor_tally_budget(getenv("RINGWARD_BUDGET"), /* NOLINT(concurrency-mt-unsafe) */
                               &options.budget, err));
    /* Before the sensor gives up writing: it keeps this one file, which can only grow. */
    if (w->detections != NULL) { RW_TRY(open_detections(w->detections, &options.out_fd, err)); }
    const struct sensor_confine_keep keep = {.move = {q.watched, q.files}, .write = q.manifests};
    RW_TRY(yara_begin(err));
    confine(&keep, w->tasks.dry_run);
    struct rw_rc rc = work(&options, &w->tasks, err);
    yara_end();
    return rc;
}

static RW_RC run(int argc, char **argv, struct rw_err *err)
{
    struct wishes w = {.active = getenv("RINGWARD_ACTIVE")}; /* NOLINT(concurrency-mt-unsafe) */
    bool manifest = false;
    struct sensor_run_options options = {.out_fd = STDOUT_FILENO, .alive_every_ms = ALIVE_EVERY_MS};
    const struct opt opts[] = {
        {"active", "DIR", "active set (default: RINGWARD_ACTIVE)", &w.active, NULL},
        {"watch", "DIR", "scan new and changed files of this directory", &options.watch, NULL},
        {"scan", "FILE", "scan one file and end", &w.tasks.scan, NULL},
        {"events", "FILE", "match the events of this file (JSON lines, '-': stdin) and end",
         &w.tasks.events, NULL},
        {"follow", "FILE", "match events as they are appended to this file", &options.follow, NULL},
        {"detections", "FILE", "append detections to this file (default: standard output)",
         &w.detections, NULL},
        {"quarantine", "DIR",
         "move files of --watch there that rules with the action 'quarantine' match", &w.quarantine,
         NULL},
        {"undo", "FAMILY/RELEASE", "put back all that this release took into --quarantine, and end",
         &w.undo, NULL},
        {"dry-run", NULL, "load the set, test it, let go of it, and end; status 0: it loads", NULL,
         &w.tasks.dry_run},
        {"then", "DIR", "--dry-run: load this set afterwards, as when going back", &w.tasks.then,
         NULL},
        {"manifest", NULL, "print what this sensor supplies to templates, and end", NULL,
         &manifest},
        {"alive-every", "TIME",
         "say so often that all is well: 1s to 20m (default 10s), at most a third of the agent's "
         "sensor_alive",
         &w.alive_every, NULL},
        {"rehearse", NULL, "obey the meta 'rehearse' of rules: crash, hang or be slow on purpose",
         NULL, &options.rehearse},
    };
    const struct opt_command command = {
        .program = "ringward-sensor",
        .usage = "",
        .about = "Loads the active set, scans files, matches events, prints detections as JSON "
                 "lines on\n"
                 "stdout and reports to the agent at RINGWARD_SOCKET. SIGHUP loads the set again.",
        .examples = "  ringward-sensor --active /var/lib/ringward/current --scan suspect.bin\n"
                    "  ringward-sensor --active /var/lib/ringward/current --watch /srv/upload\n"
                    "  ringward-sensor --active /var/lib/ringward/current --events events.jsonl\n"
                    "  ringward-sensor --dry-run --active sets/8 --then sets/7\n"
                    "  ringward-sensor --watch /srv/upload --quarantine /srv/upload.quarantine "
                    "--undo yara/5\n"
                    "  ringward-sensor --manifest > ringward-sensor.manifest\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    int count = 0;
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    if (manifest) { return print_manifest(err); }
    return begin(&w, &options, err);
}

int main(int argc, char **argv)
{
    struct rw_err err = {.code = RW_E_NONE};
    sensor_run_block_signals();
    rw_log_setup("sensor", RW_LOG_INFO);
    if (rw_is_ok(run(argc, argv, &err))) { return 0; }
    return opt_report("ringward-sensor", &err);
}
