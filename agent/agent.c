#include "agent/agent.h"

#include "agent/agent_conf_sensor.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/net/http_share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MACHINE_ID_BYTES_MAX = 256 };

static RW_RC open_state_dir(struct agent *a, struct rw_err *err)
{
    struct stat st;
    RW_TRY(rw_dir_make(a->conf.state_dir, 0700, err));
    RW_TRY(rw_dir_open(a->conf.state_dir, &a->state_dir, err));
    if (fstat(a->state_dir, &st) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "state_dir '%s'", a->conf.state_dir);
    }
    if (st.st_uid != geteuid()) {
        return rw_fail(err, RW_E_CONFIG, "state_dir '%s' belongs to another user",
                       a->conf.state_dir);
    }
    /* Whoever could write here could have put anything in the place of proven content and of the trusted root. */
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        RW_IGNORE(rw_fail(err, RW_E_CONFIG, "state_dir '%s' can be written by others (mode %04o)",
                          a->conf.state_dir, (unsigned)st.st_mode & 07777U),
                  "hint follows");
        return rw_hint(err, "look for what does not belong there, then chmod 0700 '%s'",
                       a->conf.state_dir);
    }
    if ((st.st_mode & 077U) != 0 && fchmod(a->state_dir, 0700) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "mode of state_dir '%s'", a->conf.state_dir);
    }
    return RW_OK;
}

/* Two agents on one state would undo each other's steps. The lock goes with the process. */
static RW_RC take_lock(struct agent *a, struct rw_err *err)
{
    a->lock = openat(a->state_dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (a->lock < 0) {
        bool read_only = errno == EROFS;
        struct rw_rc rc = rw_fail_errno(
            err, RW_E_IO, errno, "state_dir '%s': its lock cannot be written", a->conf.state_dir);
        if (!read_only) { return rc; }
        /* INV-6: a start that cannot be counted loads nothing. */
        return rw_hint(err, "no sensor runs before the agent can write there: look at the "
                            "kernel's log, mount it anew, start the agent");
    }
    if (flock(a->lock, LOCK_EX | LOCK_NB) == 0) { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_BUSY, "another agent uses '%s'", a->conf.state_dir),
              "hint follows");
    return rw_hint(err, "stop it, or choose another state_dir");
}

static void fill_report(struct agent *a)
{
    a->report.spool = &a->spool;
    a->report.clock = a->clock;
    (void)snprintf(a->report.cohort.os, BEACON_COHORT_BYTES, "%s", a->conf.os);
    (void)snprintf(a->report.cohort.arch, BEACON_COHORT_BYTES, "%s", a->conf.arch);
    (void)snprintf(a->report.cohort.engine, BEACON_COHORT_BYTES, "%s", a->conf.engine);
    if (a->conf.sensor_loader[0] == '\0') {
        (void)snprintf(a->report.lacking, sizeof(a->report.lacking), "%s", POLL_NO_LOADER);
    }
}

/* INV-11: a copied disk must not speak with the voice of the machine that it was copied from. */
static RW_RC bind_identity(struct agent *a, struct rw_err *err)
{
    bool cloned = false;
    struct rw_err unused;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(MACHINE_ID_BYTES_MAX);
    char was[sizeof(a->identity.endpoint)];
    rw_copy(was, sizeof(was), a->identity.endpoint, sizeof(a->identity.endpoint));
    RW_IGNORE(rw_file_read(a->conf.machine_id_file, MACHINE_ID_BYTES_MAX, &text, &unused),
              "a host without one cannot be told from its copies: known-risks.md");
    RW_TRY(agent_identity_bind(a->state_dir, rw_buf_span(&text), &a->identity, &cloned, err));
    if (!cloned) { return RW_OK; }
    struct rw_log_line l;
    rw_log_begin(&l, RW_LOG_WARN, "identity_cloned");
    rw_log_str(&l, "copy_of", was);
    rw_log_str(&l, "endpoint", a->identity.endpoint);
    rw_log_end(&l);
    return RW_OK;
}

/* Unknown is like one and the same start: then the guard's word is believed until a run begins. */
static void read_boot_id(char out[static SLOT_BOOT_ID_BYTES])
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SLOT_BOOT_ID_BYTES);
    out[0] = '\0';
    if (!rw_is_ok(
            rw_file_read("/proc/sys/kernel/random/boot_id", SLOT_BOOT_ID_BYTES, &text, &err))) {
        rw_log(RW_LOG_WARN, "boot_id_unknown", "text", err.text);
        return;
    }
    (void)snprintf(out, SLOT_BOOT_ID_BYTES, "%s", rw_buf_str(&text));
    out[strcspn(out, "\n")] = '\0';
}

static RW_RC open_parts(struct agent *a, struct rw_err *err)
{
    char boot_id[SLOT_BOOT_ID_BYTES];
    bool fresh = false;
    uint8_t run[8];
    RW_TRY(open_state_dir(a, err));
    RW_TRY(take_lock(a, err));
    RW_TRY(agent_identity_load(a->state_dir, &a->identity, &fresh, err));
    RW_TRY(bind_identity(a, err));
    if (fresh) { rw_log(RW_LOG_INFO, "identity_drawn", "endpoint", a->identity.endpoint); }
    RW_TRY(beacon_spool_open(a->state_dir, BEACON_SPOOL_MAX, &a->spool, err));
    RW_TRY(digest_random(run, sizeof(run), err));
    rw_hex_encode(a->spool.run, sizeof(a->spool.run), run, sizeof(run));
    fill_report(a);
    read_boot_id(boot_id);
    (void)snprintf(a->store_path, sizeof(a->store_path), "%s/store", a->conf.state_dir);
    const struct activate_options o = {
        .state_dir = a->state_dir,
        .state_path = a->conf.state_dir,
        .sensor_command = a->conf.sensor_command,
        .sensor_way = agent_conf_sensor_way(&a->conf),
        .endpoint = a->identity.endpoint,
        .boot_id = boot_id,
        .load_timeout_ms = a->conf.load_timeout_ms,
        .alive_ms = a->conf.sensor_alive_ms,
        .stable_ms = a->conf.stable_after_ms,
        .reach_ms = a->conf.reach_back_ms,
        .detect = {.budget = {a->conf.trial_rule_budget, a->conf.trial_budget,
                              a->conf.storm_per_hour},
                   .slow_factor = a->conf.slow_factor},
        .report = &a->report,
        .clock = a->clock};
    return activate_open(&a->activate, &o, err);
}

RW_RC agent_open(const struct agent_conf *conf, struct agent **out, struct rw_err *err)
{
    struct agent *a = rw_mem_new(sizeof(*a));
    if (a == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the agent"); }
    a->conf = *conf;
    a->clock = rw_clock_system();
    a->state_dir = -1;
    a->lock = -1;
    a->signals = -1;
    a->control = -1;
    struct rw_rc rc = open_parts(a, err);
    if (!rw_is_ok(rc)) {
        agent_drop(&a);
        return rc;
    }
    *out = a;
    return RW_OK;
}

void agent_drop(struct agent **a)
{
    struct agent *x = *a;
    if (x == NULL) { return; }
    activate_drop(&x->activate);
    beacon_spool_drop(&x->spool);
    beacon_send_drop(&x->send_job.batch);
    poll_drop(&x->poll_job.poll);
    http_client_drop(&x->send_job.http);
    http_share_drop(&x->http);
    if (x->root.max > 0) { rw_buf_drop(&x->root); }
    rw_fd_drop(&x->signals);
    rw_fd_drop(&x->control);
    rw_fd_drop(&x->lock);
    rw_fd_drop(&x->state_dir);
    rw_mem_free(x);
    *a = NULL;
}
