#include "agent/agent_poll.h"

#include "agent/agent_control.h"
#include "agent/agent_remote.h"
#include "agent/agent_self.h"
#include "agent/poll/poll_rule.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/net/http_share.h"
#include "common/tuf/tuf_doc.h"

#include <stdio.h>
#include <string.h>

enum {
    SEND_MS = 20 * 1000,
    SEND_BACK_OFF_BASE_MS = 1000,
    SEND_BACK_OFF_MAX_MS = 300 * 1000,
    AFTER_CHANGE_MS = 500,
    REACH_AGAIN_MS = 5 * 1000,
    KEEP_MS = 30 * 1000, /* process and connection are kept for requests that come so soon */
};

static uint32_t draw(void)
{
    uint32_t n = 0;
    struct rw_err unused;
    RW_IGNORE(digest_random((uint8_t *)&n, sizeof(n), &unused), "jitter may be missing");
    return n;
}

static struct rw_mono now_of(const struct agent *a)
{
    return rw_clock_mono(&a->clock);
}

static int64_t interval_ms(const struct agent *a)
{
    return poll_rule_interval_ms(a->conf.poll_interval_ms, a->asked_poll_s);
}

RW_RC agent_poll_open(struct agent *a, struct rw_err *err)
{
    const char *ca = a->conf.ca_file[0] != '\0' ? a->conf.ca_file : NULL;
    const char *proxy = a->conf.proxy[0] != '\0' ? a->conf.proxy : NULL;
    a->root = rw_buf_make(TUF_ROOT_BYTES_MAX + 8192);
    RW_TRY(conf_dir_read_own(a->conf.root_file, TUF_ROOT_BYTES_MAX, &a->root, err));
    RW_TRY(http_share_open(a->conf.http_program, &a->http, err));
    struct poll_options o = {
        .server = a->conf.server,
        .ca_file = ca,
        .proxy = proxy,
        .download_bytes_per_s_max = a->conf.download_bytes_per_s_max,
        .store_bytes_max = a->conf.store_bytes_max,
        .delta = a->conf.delta,
        .own_file = a->conf.path,
        .built = {RW_BUILT_S},
        .root = rw_buf_span(&a->root),
        .state_dir = a->state_dir,
        .store_dir = a->activate.sets.store,
        .store_path = a->store_path,
        .http = a->http,
        .box_dir = a->conf.box_dir,
        .loader = a->conf.sensor_loader,
        .state_path = a->conf.state_dir,
        .ring = a->conf.ring,
        .controls = a->conf.controls,
        .control_count = a->conf.control_count,
        .platform = a->conf.platform,
        .engine = a->conf.engine_version,
        .clean_files = a->conf.clean_files,
        .allow_weak = a->conf.allow_weak_sandbox,
        .drills = a->conf.drills,
        .bucket = a->identity.bucket,
        .families = (const char(*)[INSTALL_NAME_BYTES])a->conf.families,
        .family_count = a->conf.family_count,
        .cohort = a->report.cohort,
        .enrol_token_file = a->conf.enrol_token_file,
        .endpoint = a->identity.endpoint,
        .cloned_from = a->identity.cloned_from,
        .clock = a->clock,
    };
    RW_TRY(agent_identity_proof(&a->identity, o.enrol_proof, err));
    RW_TRY(poll_open(&o, &a->poll_job.poll, err));
    const struct http_client_options http = {.base_url = a->conf.server,
                                             .ca_file = ca,
                                             .proxy = proxy,
                                             .total_ms = SEND_MS,
                                             .share = a->http};
    RW_TRY(http_client_open(&http, &a->send_job.http, err));
    RW_TRY(agent_worker_start(&a->poll_worker, err));
    RW_TRY(agent_worker_start(&a->send_worker, err));
    a->poll_at.ms = now_of(a).ms + poll_rule_first_ms(a->conf.poll_interval_ms, draw());
    a->send_at = a->poll_at; /* what an earlier life left goes at the first poll's random moment */
    (void)snprintf(a->last.token, sizeof(a->last.token), "%s", poll_token(a->poll_job.poll));
    return RW_OK;
}

static void run_poll(void *ctx)
{
    struct agent_poll_job *job = ctx;
    poll_run(job->poll, &job->in, &job->out);
}

static void run_send(void *ctx)
{
    struct agent_send_job *job = ctx;
    beacon_send_post(&job->batch, job->http);
}

static void begin_poll(struct agent *a)
{
    struct rw_err unused;
    struct poll_input *in = &a->poll_job.in;
    const struct slot_state *s = &a->activate.slots;
    *in = (struct poll_input){.active = a->activate.active,
                              .may_begin = activate_idle(&a->activate),
                              .abandoned_count = s->abandoned_count};
    rw_copy(in->abandoned, sizeof(in->abandoned), s->abandoned, sizeof(s->abandoned));
    in->left_count = s->left_count;
    in->renew_token = a->renew_token;
    in->token_refused = a->token_refused;
    in->remote_count = a->remote_count;
    rw_copy(in->remote, sizeof(in->remote), a->remote, sizeof(a->remote));
    rw_copy(in->left, sizeof(in->left), s->left, sizeof(s->left));
    if (!rw_is_ok(set_store_read(&a->activate.sets, s->previous, &in->previous, &unused))) {
        in->previous = (struct manifest){.count = 0}; /* costs a second verdict, no more */
    }
    in->wanted_count = activate_wanted(&a->activate, in->wanted);
    a->polls_begun++;
    a->poll_job.begun = now_of(a);
    a->reach_at.ms = a->poll_job.begun.ms + REACH_AGAIN_MS;
    agent_worker_submit(&a->poll_worker, run_poll, &a->poll_job);
}

static void begin_send(struct agent *a)
{
    struct rw_err err;
    struct agent_send_job *job = &a->send_job;
    struct rw_rc rc = RW_OK;
    if (strcmp(job->token, a->last.token) != 0) {
        (void)snprintf(job->token, sizeof(job->token), "%s", a->last.token);
        rc = http_client_set_token(job->http, job->token, &err);
    }
    if (rw_is_ok(rc)) { rc = beacon_send_fill(&job->batch, &a->spool, &err); }
    if (!rw_is_ok(rc) || job->batch.count == 0) {
        a->send_at.ms = now_of(a).ms + SEND_BACK_OFF_BASE_MS;
        return;
    }
    job->begun = now_of(a);
    agent_worker_submit(&a->send_worker, run_send, job);
}

static bool may_send(const struct agent *a)
{
    return !a->send_worker.busy && a->spool.count > 0 && a->last.token[0] != '\0';
}

void agent_poll_send_now(struct agent *a)
{
    if (may_send(a)) { begin_send(a); }
}

/* A change on trial may need a poll before its time: content that cuts the network must not commit. */
static int64_t poll_due_ms(const struct agent *a)
{
    bool reach = activate_wants_contact(&a->activate);
    return reach && a->reach_at.ms < a->poll_at.ms ? a->reach_at.ms : a->poll_at.ms;
}

struct rw_mono agent_poll_wake(const struct agent *a)
{
    int64_t ms = INT64_MAX;
    if (!a->poll_worker.busy) {
        ms = poll_due_ms(a);
        if (agent_self_due_ms(a) < ms) { ms = agent_self_due_ms(a); }
    }
    if (may_send(a) && a->send_at.ms < ms) { ms = a->send_at.ms; }
    return (struct rw_mono){ms};
}

void agent_poll_begin(struct agent *a)
{
    int64_t now = now_of(a).ms;
    if (!a->poll_worker.busy && now >= poll_due_ms(a)) { begin_poll(a); }
    if (!a->poll_worker.busy && now >= agent_self_due_ms(a)) { agent_self_begin(a); }
    if (may_send(a) && now >= a->send_at.ms) { begin_send(a); }
    bool busy = a->poll_worker.busy || a->send_worker.busy;
    if (!busy && agent_poll_wake(a).ms > now + KEEP_MS) { http_share_rest(a->http); }
}

/* --- outcome of a poll --- */

struct recheck {
    const struct agent *a;
    const struct poll_family *f;
};

static RW_RC recheck(void *ctx, struct rw_err *err)
{
    const struct recheck *r = ctx;
    return poll_recheck(r->f, &r->a->last, rw_clock_wall(&r->a->clock), err);
}

static enum slot_change change_of(enum poll_action action)
{
    return action == POLL_ACTIVATE ? SLOT_TRIAL
                                   : (action == POLL_REVERT ? SLOT_REVERT : SLOT_REMOVE);
}

static void begin_change(struct agent *a, const struct poll_family *f)
{
    struct recheck ctx = {.a = a, .f = f};
    struct activate_plan plan = {.change = change_of(f->action),
                                 .own = f->control.effect == CONTROL_LAG,
                                 .probation_s = f->permit.probation_s,
                                 .drill = f->content.drill,
                                 .valid_until = f->permit_until,
                                 .recheck = recheck,
                                 .ctx = &ctx};
    struct rw_err err;
    struct rw_log_line l;
    (void)snprintf(plan.family, sizeof(plan.family), "%s", f->family);
    (void)snprintf(plan.to.family, sizeof(plan.to.family), "%s", f->family);
    plan.to.release = f->content.release;
    plan.to.bytes = f->content.length;
    rw_copy(plan.to.sha256, sizeof(plan.to.sha256), f->content.sha256, DIGEST_BYTES);
    struct rw_rc rc = activate_begin(&a->activate, &plan, &err);
    rw_log_begin(&l, rw_is_ok(rc) ? RW_LOG_INFO : RW_LOG_ERROR, "change_begun");
    rw_log_str(&l, "change", slot_change_name(plan.change));
    rw_log_str(&l, "family", f->family);
    rw_log_i64(&l, "release", f->content.release);
    if (!rw_is_ok(rc)) { rw_log_err(&l, &err); }
    rw_log_end(&l);
}

/* The box did not accept: reported once per content, remembered when it is final. */
static void take_refusal(struct agent *a, const struct poll_family *f)
{
    struct beacon b = {.kind = f->unable ? BEACON_UNABLE : BEACON_REFUSED,
                       .release = f->content.release,
                       .stage = BEACON_STAGE_BOX};
    struct rw_err err;
    if (f->abandon) {
        slot_abandon(&a->activate.slots, f->content.sha256);
        if (!rw_is_ok(slot_save(a->state_dir, &a->activate.slots, &err))) {
            rw_log(RW_LOG_ERROR, "slots_not_saved", "text", err.text);
        }
    }
    if (!f->refused) { return; }
    (void)snprintf(b.family, sizeof(b.family), "%s", f->family);
    rw_copy(b.sha256, sizeof(b.sha256), f->content.sha256, DIGEST_BYTES);
    report_detail(&b, f->verdict);
    (void)report_add(&a->report, &b);
}

/* The poll looked at a copy: what it found holds only while that copy is still true. */
static bool is_stale(const struct agent *a, const struct poll_family *f)
{
    const struct manifest_entry *e = activate_installed(&a->activate, f->family);
    bool given_up =
        f->action == POLL_ACTIVATE && slot_is_abandoned(&a->activate.slots, f->content.sha256);
    return given_up || (e == NULL ? 0 : e->release) != f->state.installed;
}

static bool goes_back(const struct poll_family *f)
{
    return f->action == POLL_REMOVE || f->result.decision == INSTALL_REVERT;
}

static bool put_on_bad_list(struct slot_state *s, const uint8_t sha256[static DIGEST_BYTES])
{
    if (slot_is_abandoned(s, sha256)) { return false; }
    slot_abandon(s, sha256);
    return true;
}

/* What the engineers withdrew is on the bad-list for good, also when a later role says no more about it. */
static void take_withdrawal(struct agent *a, const struct poll_family *f)
{
    const struct manifest_entry *e = activate_installed(&a->activate, f->family);
    struct slot_state *s = &a->activate.slots;
    struct rw_err err;
    bool news = false;
    if (f->withdrawn && e != NULL && e->release == f->state.installed) {
        news = put_on_bad_list(s, e->sha256);
    }
    if (f->withdrawn_before) { news = put_on_bad_list(s, f->withdrawn_before_sha256) || news; }
    if (!news) { return; }
    rw_log(RW_LOG_WARN, "content_withdrawn", "family", f->family);
    if (!rw_is_ok(slot_save(a->state_dir, s, &err))) {
        rw_log(RW_LOG_ERROR, "slots_not_saved", "text", err.text);
    }
}

static bool is_configured(const struct agent *a, const char *family)
{
    for (size_t i = 0; i < a->conf.family_count; i++) {
        if (strcmp(a->conf.families[i], family) == 0) { return true; }
    }
    return false;
}

/* A family that the administrator has taken out of the configuration leaves the set too. */
static void drop_unconfigured(struct agent *a)
{
    for (size_t i = 0; i < a->activate.active.count && activate_idle(&a->activate); i++) {
        struct activate_plan plan = {.change = SLOT_REMOVE};
        struct rw_err err;
        if (is_configured(a, a->activate.active.content[i].family)) { continue; }
        (void)snprintf(plan.family, sizeof(plan.family), "%s",
                       a->activate.active.content[i].family);
        if (!rw_is_ok(activate_begin(&a->activate, &plan, &err))) {
            rw_log(RW_LOG_ERROR, "family_not_removed", "text", err.text);
            return;
        }
    }
}

/* Ways back first: they end harm; at most one change begins. */
static void act_on_families(struct agent *a)
{
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < a->last.family_count; i++) {
            const struct poll_family *f = &a->last.families[i];
            bool back = goes_back(f);
            bool due = f->action != POLL_NONE && back == (round == 0);
            if (due && activate_idle(&a->activate) && !is_stale(a, f)) { begin_change(a, f); }
        }
    }
    drop_unconfigured(a);
}

static void collect(struct agent *a)
{
    uint8_t keep[POLL_FAMILIES_MAX][DIGEST_BYTES];
    size_t n = 0;
    struct rw_err err;
    /* Without pointers nothing is known of what a poll has fetched ahead. */
    if (!a->activate.collect_due || !a->last.ok) { return; }
    for (size_t i = 0; i < a->last.family_count; i++) {
        const struct poll_family *f = &a->last.families[i];
        if (f->has_pointer) { rw_copy(keep[n++], DIGEST_BYTES, f->pointer.sha256, DIGEST_BYTES); }
    }
    if (!rw_is_ok(activate_collect(&a->activate, (const uint8_t(*)[DIGEST_BYTES])keep, n, &err))) {
        rw_log(RW_LOG_WARN, "collect_failed", "text", err.text);
    }
}

static int64_t wait_after_poll_ms(const struct agent *a)
{
    int64_t interval = interval_ms(a);
    int64_t asked_ms = poll_rule_retry_after_ms(a->last.retry_after_s, draw());
    if (a->poll_failures > 0) {
        int64_t wait_ms = poll_rule_failed_ms(interval, a->poll_failures, draw());
        return wait_ms > asked_ms ? wait_ms : asked_ms;
    }
    int64_t ms = poll_rule_next_ms(interval, draw());
    if (asked_ms > 0 && asked_ms < ms) { ms = asked_ms; }
    for (size_t i = 0; i < a->last.family_count; i++) {
        int64_t asked = a->last.families[i].retry_after_s;
        if (asked >= 0 && asked * 1000 < ms) { ms = asked * 1000 + poll_rule_next_ms(200, draw()); }
    }
    return ms;
}

/* Once per change, in the log; in every beacon and in status while it lasts (INV-12). */
static void note_clock(struct agent *a)
{
    const char *now = a->last.clock == CLOCK_RULE_OK ? "" : clock_rule_name(a->last.clock);
    if (strcmp(a->report.clock_state, now) == 0) { return; }
    (void)snprintf(a->report.clock_state, sizeof(a->report.clock_state), "%s", now);
    rw_log(now[0] == '\0' ? RW_LOG_INFO : RW_LOG_WARN, "clock", "state",
           clock_rule_name(a->last.clock));
}

static void note_outcome(struct agent *a)
{
    struct poll_output *o = &a->last;
    a->last_at = rw_clock_wall(&a->clock);
    a->poll_failures = o->ok ? 0 : a->poll_failures + 1;
    if (o->answered) { activate_contact(&a->activate, a->poll_job.begun); }
    note_clock(a);
    (void)snprintf(a->report.trust, sizeof(a->report.trust), "%s", o->trust);
    if (o->ring[0] != '\0') { activate_set_ring(&a->activate, o->ring); }
    a->report.dropped_count = 0;
    for (size_t i = 0; i < o->family_count; i++) {
        if (o->families[i].dropped) {
            (void)snprintf(a->report.dropped[a->report.dropped_count++], BEACON_NAME_BYTES, "%s",
                           o->families[i].family);
        }
        if (o->families[i].grade[0] != '\0') {
            (void)snprintf(a->report.grade, sizeof(a->report.grade), "%s", o->families[i].grade);
        }
    }
    if (o->ok) { return; }
    struct rw_log_line l;
    rw_log_begin(&l, RW_LOG_WARN, "poll_failed"); /* protection goes on with what is there */
    rw_log_err(&l, &o->err);
    rw_log_end(&l);
}

static void take_poll(struct agent *a)
{
    a->polls_ended++;
    a->last = a->poll_job.out;
    a->activate.collect_due = a->activate.collect_due || a->last.store_full;
    note_outcome(a);
    agent_self_follow(a);
    for (size_t i = 0; i < a->last.family_count; i++) {
        const struct poll_family *f = &a->last.families[i];
        if (f->refused || f->abandon) { take_refusal(a, f); }
        take_withdrawal(a, f);
        if (goes_back(f)) { activate_abort(&a->activate, f->family); }
    }
    activate_step(&a->activate);
    /* Asked for content and did not get it: there is no use in waiting longer. */
    activate_mend(&a->activate, a->poll_job.in.wanted_count > 0);
    activate_report_alive(&a->activate);
    act_on_families(a);
    collect(a);
    a->poll_at.ms = now_of(a).ms + wait_after_poll_ms(a);
    agent_control_answer_waiters(a);
}

/* --- outcome of a batch --- */

static void take_send(struct agent *a)
{
    struct beacon_send *b = &a->send_job.batch;
    enum beacon_send_outcome outcome = BEACON_SEND_RETRY;
    struct rw_err err;
    struct rw_log_line l;
    a->send_note[0] = '\0';
    if (b->status != 0 && b->status != 502 && b->status != 504) {
        activate_contact(&a->activate, a->send_job.begun);
    }
    if (!rw_is_ok(beacon_send_settle(b, &a->spool, &outcome, &err))) {
        rw_log(RW_LOG_ERROR, "spool_failed", "text", err.text);
    }
    if (outcome != BEACON_SEND_RETRY) {
        a->send_failures = 0;
        a->send_at = now_of(a);
        if (outcome == BEACON_SEND_DONE) {
            agent_remote_take(a, b);
            a->asked_poll_s = b->poll_s;
            int64_t at = now_of(a).ms + poll_rule_next_ms(interval_ms(a), draw());
            if (at < a->poll_at.ms) { a->poll_at.ms = at; }
            return;
        }
        rw_log_begin(&l, RW_LOG_ERROR, "beacons_refused_by_server");
        rw_log_i64(&l, "status", b->status);
        rw_log_i64(&l, "dropped", (int64_t)b->count);
        rw_log_end(&l);
        return;
    }
    a->token_refused = b->status == 401;
    a->send_failures++;
    int64_t wait = poll_rule_retry_after_ms(b->retry_after_s, draw());
    if (b->status == 0 || wait == 0) {
        wait = poll_rule_back_off_ms(SEND_BACK_OFF_BASE_MS, SEND_BACK_OFF_MAX_MS, a->send_failures,
                                     draw());
    }
    a->send_at.ms = now_of(a).ms + wait;
    if (b->status == 0) {
        (void)snprintf(a->send_note, sizeof(a->send_note), "%.120s", b->err.text);
    } else {
        (void)snprintf(a->send_note, sizeof(a->send_note), "status %d", b->status);
    }
    rw_log(RW_LOG_WARN, "beacons_wait", "text", a->send_note);
}

void agent_poll_take(struct agent *a)
{
    bool was_idle = activate_idle(&a->activate);
    if (agent_worker_take(&a->send_worker)) { take_send(a); }
    if (agent_worker_take(&a->poll_worker)) {
        if (a->self_testing) {
            agent_self_take(a);
        } else {
            take_poll(a);
        }
    }
    if (was_idle && !activate_idle(&a->activate)) { a->change_seen = true; }
    if (a->change_seen && activate_idle(&a->activate)) {
        /* A change is over: what waited for it should not wait for the whole interval. */
        a->change_seen = false;
        int64_t soon = now_of(a).ms + poll_rule_next_ms(AFTER_CHANGE_MS, draw());
        if (soon < a->poll_at.ms) { a->poll_at.ms = soon; }
    }
}
