/* agent_life.h: one life of an agent from its start to its clean end, as a function of one thread: guard, sensor, poll,
 * fetch, box, permit, switch, proof, probation, commit or the way back, report, collection.
 *
 * Everything is the agent's own code but the loop, the sensor (fake_sensor) and the box (fake_box); the server answers
 * from memory. The including test names both programs in life_sensor and life_box.
 *
 * memory   a world is shared by the processes that are forked from its maker
 * threads  the server has one of its own, in the process that starts it
 */
#ifndef RINGWARD_AGENT_LIFE_H
#define RINGWARD_AGENT_LIFE_H

#include "agent/activate/activate.h"
#include "agent/fetch/content_store.h"
#include "agent/poll/poll.h"
#include "agent/report/beacon_send.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "tests/fakes/tuf_repo.h"
#include "tests/fakes/web.h"
#include "tests/harness.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { LIFE_RELEASES = 2, LIFE_TOLD_MAX = 256, LIFE_TEXT_BYTES = 240, LIFE_WAIT_MS = 90000 };

/* What a life ends with. */
enum { LIFE_DONE = 0, LIFE_FAILED = 3, LIFE_STUCK = 4 };

/* The server's side. */
struct life_world {
    struct tuf_repo *repo;
    struct web *web; /* of this process; NULL: none */
    char content[LIFE_RELEASES + 1][64];
    char box_dir[96];
    char token_file[96];
    struct beacon told[LIFE_TOLD_MAX]; /* each id once */
    size_t told_count;
};

/* One life to live. */
struct life {
    const struct life_world *w;
    const char *url;
    const char *state; /* path of the state directory */
    bool guard_alone;  /* `ringward-agent guard` runs before */
    const char *log;   /* file that takes its log */
    char *text;        /* LIFE_TEXT_BYTES, shared with the watcher: what went wrong */
};

static const char life_policy[] =
    "{\"format\":1,\"rings\":[{\"name\":\"internal\",\"select\":\"local\",\"bake\":\"1m\"},"
    "{\"name\":\"broad\",\"share\":\"rest\"}],\"classes\":{\"rules\":{\"min_bake\":{\"broad\":"
    "\"1h\"}}},\"window\":{\"confirm\":{\"start\":4,\"per_survivor_thousandths\":1000,"
    "\"deadline\":\"15m\"},\"cohort\":{\"start\":4}},\"health\":{\"false_halts_per_year\":1,"
    "\"releases_per_year\":7300}}";
static const char life_families[1][INSTALL_NAME_BYTES] = {"yara"};

/* --- the server --- */

static inline void life_take_beacons(struct life_world *w, const struct rw_buf *body)
{
    static struct beacon batch[BEACON_BATCH_MAX];
    struct rw_err err;
    size_t n = 0;
    if (!rw_is_ok(beacon_read_batch(rw_buf_span(body), batch, &n, &err))) { return; }
    for (size_t i = 0; i < n && w->told_count < LIFE_TOLD_MAX; i++) {
        size_t k = 0;
        while (k < w->told_count && memcmp(w->told[k].id, batch[i].id, BEACON_ID_BYTES) != 0) {
            k++;
        }
        if (k == w->told_count) { w->told[w->told_count++] = batch[i]; }
    }
}

static inline void life_serve(void *ctx, const struct web_request *r, struct web_answer *out)
{
    static const char permit[] = "{\"decision\":\"granted\",\"permit\":\"77\",\"valid_s\":60,"
                                 "\"deadline_s\":900,\"probation_s\":0}";
    struct life_world *w = ctx;
    out->status = 200;
    if (strcmp(r->path, "/v1/enrol") == 0) {
        out->body = rw_span_str("{\"token\":\"rwe1.endpoint\"}");
    } else if (strcmp(r->path, "/v1/permits") == 0) {
        out->body = rw_span_str(permit);
    } else if (strcmp(r->path, "/v1/beacons") == 0) {
        life_take_beacons(w, &r->body);
        out->body = rw_span_str("{}");
    } else if (strstr(r->path, "/targets/content/") != NULL) {
        out->body = rw_span_str(w->content[strstr(r->path, ".1.rwc") != NULL ? 1 : 2]);
    } else if (strstr(r->path, "rings.json") != NULL) {
        out->body = rw_span_str(life_policy);
    } else {
        struct rw_buf *f = tuf_repo_get(w->repo, strrchr(r->path, '/') + 1);
        out->status = f == NULL ? 404 : 200;
        if (f != NULL) { out->body = rw_buf_span(f); }
    }
}

static inline void life_hex(const char *text, char hex[static DIGEST_HEX_BYTES])
{
    struct rw_err err;
    MUST(digest_sha256_hex(rw_span_str(text), hex, &err));
}

static inline void life_write_content_role(struct life_world *w)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(TUF_REPO_BODY_BYTES);
    MUST(rw_buf_append_str(&body, "\"targets\":{", &err));
    for (int release = 1; release <= LIFE_RELEASES; release++) {
        char hex[DIGEST_HEX_BYTES];
        life_hex(w->content[release], hex);
        MUST(rw_buf_appendf(
            &body, &err,
            "%s\"content/yara/%d.rwc\":{\"length\":%zu,\"hashes\":{\"sha256\":\"%s\"},\"custom\":{"
            "\"ringward\":{\"format\":1,\"family\":\"yara\",\"release\":%d,\"class\":\"rules\","
            "\"signed_at\":\"2026-11-22T05:34:16Z\",\"not_before\":{\"internal\":\"2026-11-22T06:"
            "00:00Z\",\"broad\":\"2026-11-22T08:00:00Z\"},\"engine\":{\"min\":0,\"max\":999999},"
            "\"platforms\":[\"linux-x86_64\"]}}}",
            release > 1 ? "," : "", release, strlen(w->content[release]), hex, release));
    }
    MUST(rw_buf_append_str(&body, "}", &err));
    (void)tuf_repo_next_role(w->repo, "content-yara", "C", rw_buf_str(&body));
}

/* The ring points at this release from now on. */
static inline void life_point(struct life_world *w, int release)
{
    char hex[DIGEST_HEX_BYTES];
    char body[TUF_REPO_BODY_BYTES];
    life_hex(w->content[release], hex);
    (void)snprintf(
        body, sizeof(body),
        "\"targets\":{\"rings/internal/yara\":{\"length\":%zu,\"hashes\":{\"sha256\":\"%s\"},"
        "\"custom\":{\"ringward\":{\"format\":1,\"ring\":\"internal\",\"family\":\"yara\","
        "\"content\":\"content/yara/%d.rwc\",\"release\":%d,\"state\":\"go\"}}}}",
        strlen(w->content[release]), hex, release, release);
    (void)tuf_repo_next_role(w->repo, "ring-internal", "I", body);
    tuf_repo_publish(w->repo);
}

/* `dir` holds what the endpoint has besides its state: box and enrolment token. */
static inline void life_world_make(struct life_world *w, const char *dir, const char *behaviour)
{
    static const struct tuf_repo_delegation edges[] = {
        {"content-yara", "C", 1, "[\"content/yara/*\"]", true},
        {"ring-internal", "I", 1, "[\"rings/internal/*\"]", true},
    };
    struct rw_err err;
    char edge_text[TUF_REPO_BODY_BYTES];
    char body[TUF_REPO_BODY_BYTES];
    char hex[DIGEST_HEX_BYTES];
    char box[128];
    *w = (struct life_world){.repo = tuf_repo_new()};
    (void)snprintf(w->content[1], sizeof(w->content[1]), "ok yara/1\n");
    (void)snprintf(w->content[2], sizeof(w->content[2]), "%s yara/2\n", behaviour);
    (void)snprintf(w->box_dir, sizeof(w->box_dir), "%s", dir);
    (void)snprintf(w->token_file, sizeof(w->token_file), "%s/enrol", dir);
    (void)snprintf(box, sizeof(box), "%s/ringward-box", dir);
    if (symlink(life_box, box) != 0) { assert_int_equal(errno, EEXIST); }
    MUST(rw_file_replace(w->token_file, 0600, rw_span_str("rwj1.enrol\n"), &err));
    life_hex(life_policy, hex);
    tuf_repo_delegate(w->repo, edges, RW_LEN(edges), edge_text);
    (void)snprintf(body, sizeof(body),
                   "\"targets\":{\"policy/rings.json\":{\"length\":%zu,\"hashes\":{\"sha256\":"
                   "\"%s\"}}},%.3000s",
                   strlen(life_policy), hex, edge_text);
    (void)tuf_repo_next_role(w->repo, "targets", "G", body);
    life_write_content_role(w);
}

/* How many different beacons of the kind about the release the server has taken. */
static inline int life_told(const struct life_world *w, enum beacon_kind kind, int64_t release)
{
    int n = 0;
    for (size_t i = 0; i < w->told_count; i++) {
        n += w->told[i].kind == kind && w->told[i].release == release ? 1 : 0;
    }
    return n;
}

/* --- the endpoint --- */

struct life_agent {
    const struct life *life;
    int dir;
    int64_t end_ms;
    struct rw_buf root;
    struct beacon_spool spool;
    struct report report;
    struct activate activate;
    struct poll *poll;
    struct http_client *http;
};

static inline struct rw_wall life_wall(void *ctx)
{
    (void)ctx;
    return TUF_REPO_NOW;
}

static inline struct rw_mono life_mono(void *ctx)
{
    (void)ctx;
    struct rw_clock c = rw_clock_system();
    return rw_clock_mono(&c);
}

static inline struct rw_clock life_clock(void)
{
    return (struct rw_clock){.wall = life_wall, .mono = life_mono};
}

static inline RW_RC life_open(struct life_agent *a, struct rw_err *err)
{
    const struct activate_options o = {.state_path = a->life->state,
                                       .sensor_command = life_sensor,
                                       .endpoint = "00112233445566778899aabbccddeeff",
                                       .load_timeout_ms = 15000,
                                       .alive_ms = 15000,
                                       .stable_ms = 300000,
                                       .report = &a->report,
                                       .clock = life_clock()};
    struct activate_options with_dir = o;
    RW_TRY(rw_dir_open(a->life->state, &a->dir, err));
    RW_TRY(beacon_spool_open(a->dir, BEACON_SPOOL_MAX, &a->spool, err));
    a->report = (struct report){.spool = &a->spool, .clock = life_clock()};
    (void)snprintf(a->report.cohort.os, BEACON_COHORT_BYTES, "debian-12");
    (void)snprintf(a->report.cohort.arch, BEACON_COHORT_BYTES, "x86_64");
    (void)snprintf(a->report.cohort.engine, BEACON_COHORT_BYTES, "fake");
    with_dir.state_dir = a->dir;
    return activate_open(&a->activate, &with_dir, err);
}

static inline void life_close(struct life_agent *a)
{
    poll_drop(&a->poll);
    http_client_drop(&a->http);
    activate_drop(&a->activate);
    beacon_spool_drop(&a->spool);
    if (a->dir > 0) { rw_fd_drop(&a->dir); }
}

static inline RW_RC life_open_poll(struct life_agent *a, char store_path[static 160],
                                   struct rw_err *err)
{
    const struct life_world *w = a->life->w;
    (void)snprintf(store_path, 160, "%s/store", a->life->state);
    const struct poll_options o = {.server = a->life->url,
                                   .root = rw_buf_span(tuf_repo_get(w->repo, "1.root.json")),
                                   .state_dir = a->dir,
                                   .store_dir = a->activate.sets.store,
                                   .store_path = store_path,
                                   .store_bytes_max = 1 << 24,
                                   .box_dir = w->box_dir,
                                   .ring = "internal",
                                   .platform = "linux-x86_64",
                                   .families = life_families,
                                   .family_count = 1,
                                   .cohort = a->report.cohort,
                                   .enrol_token_file = w->token_file,
                                   .endpoint = "00112233445566778899aabbccddeeff",
                                   .clock = life_clock()};
    const struct http_client_options http = {
        .base_url = a->life->url, .token = "rwe1.endpoint", .total_ms = 20000};
    RW_TRY(poll_open(&o, &a->poll, err));
    return http_client_open(&http, &a->http, err);
}

/* Runs the watch, as the loop does, until nothing is under way and the sensor has proven the set. */
static inline RW_RC life_settle(struct life_agent *a, struct rw_err *err)
{
    struct activate *x = &a->activate;
    struct rw_clock clock = rw_clock_system();
    for (;;) {
        activate_step(x);
        if (x->phase == ACTIVATE_STEADY) { return RW_OK; }
        int64_t now = rw_clock_mono(&clock).ms;
        if (now >= a->end_ms) {
            return rw_fail(err, RW_E_TIMEOUT, "stuck in phase %s", activate_phase_name(x->phase));
        }
        int64_t wait = activate_wake(x).ms - now;
        struct pollfd fds[] = {{.fd = x->sensor.socket, .events = POLLIN},
                               {.fd = x->sensor.proc.pidfd, .events = POLLIN}};
        (void)poll(fds, RW_LEN(fds), wait < 0 ? 0 : (wait > 200 ? 200 : (int)wait));
    }
}

struct life_recheck {
    const struct poll_family *f;
    const struct poll_output *o;
};

static inline RW_RC life_look_again(void *ctx, struct rw_err *err)
{
    const struct life_recheck *r = ctx;
    return poll_recheck(r->f, r->o, TUF_REPO_NOW, err);
}

/* What agent_poll.c does with the outcome for one family. */
static inline RW_RC life_act(struct life_agent *a, const struct poll_output *o, struct rw_err *err)
{
    const struct poll_family *f = &o->families[0];
    struct life_recheck ctx = {.f = f, .o = o};
    struct activate_plan plan = {.change = f->action == POLL_ACTIVATE ? SLOT_TRIAL : SLOT_REVERT,
                                 .probation_s = f->permit.probation_s,
                                 .valid_until = f->permit_until,
                                 .recheck = life_look_again,
                                 .ctx = &ctx};
    if (f->abandon) {
        slot_abandon(&a->activate.slots, f->content.sha256);
        RW_TRY(slot_save(a->dir, &a->activate.slots, err));
    }
    if (f->action == POLL_NONE) { return RW_OK; }
    (void)snprintf(plan.family, sizeof(plan.family), "%s", f->family);
    (void)snprintf(plan.to.family, sizeof(plan.to.family), "%s", f->family);
    plan.to.release = f->content.release;
    plan.to.bytes = f->content.length;
    rw_copy(plan.to.sha256, sizeof(plan.to.sha256), f->content.sha256, DIGEST_BYTES);
    RW_TRY(activate_begin(&a->activate, &plan, err));
    return life_settle(a, err);
}

/* Polls until nothing is left to do for the family. */
static inline RW_RC life_poll(struct life_agent *a, struct rw_err *err)
{
    static struct poll_output o;
    struct rw_err unused;
    for (int round = 0; round < 6; round++) {
        const struct slot_state *s = &a->activate.slots;
        struct poll_input in = {.active = a->activate.active,
                                .may_begin = activate_idle(&a->activate),
                                .abandoned_count = s->abandoned_count,
                                .left_count = s->left_count};
        rw_copy(in.abandoned, sizeof(in.abandoned), s->abandoned, sizeof(s->abandoned));
        rw_copy(in.left, sizeof(in.left), s->left, sizeof(s->left));
        if (!rw_is_ok(set_store_read(&a->activate.sets, s->previous, &in.previous, &unused))) {
            in.previous = (struct manifest){.count = 0};
        }
        poll_run(a->poll, &in, &o);
        if (!o.ok) { return rw_fail(err, o.err.code, "poll: %.200s", o.err.text); }
        activate_set_ring(&a->activate, o.ring);
        activate_report_alive(&a->activate);
        RW_TRY(life_act(a, &o, err));
        enum install_rule_decision d = o.families[0].result.decision;
        if (d == INSTALL_NOTHING || d == INSTALL_REFUSE) { return RW_OK; }
    }
    return rw_fail(err, RW_E_TIMEOUT, "no end of polls: %.150s", o.families[0].note);
}

static inline RW_RC life_send(struct life_agent *a, struct rw_err *err)
{
    struct beacon_send batch = {.count = 0};
    for (int i = 0; i < 20; i++) {
        enum beacon_send_outcome outcome = BEACON_SEND_RETRY;
        RW_TRY(beacon_send_fill(&batch, &a->spool, err));
        if (batch.count == 0) { break; }
        beacon_send_post(&batch, a->http);
        struct rw_rc rc = beacon_send_settle(&batch, &a->spool, &outcome, err);
        if (rw_is_ok(rc) && outcome == BEACON_SEND_RETRY) {
            rc = rw_fail(err, RW_E_HTTP, "beacons were not taken: %.150s", batch.err.text);
        }
        if (!rw_is_ok(rc)) {
            beacon_send_drop(&batch);
            return rc;
        }
    }
    beacon_send_drop(&batch);
    return RW_OK;
}

static inline RW_RC life_steps(struct life_agent *a, struct rw_err *err)
{
    char store_path[160];
    if (a->life->guard_alone) {
        RW_TRY(life_open(a, err));
        RW_TRY(activate_guard(&a->activate, err));
        life_close(a);
    }
    RW_TRY(life_open(a, err));
    RW_TRY(activate_guard(&a->activate, err));
    RW_TRY(life_open_poll(a, store_path, err));
    activate_start(&a->activate);
    RW_TRY(life_settle(a, err));
    RW_TRY(life_poll(a, err));
    RW_TRY(life_send(a, err));
    RW_TRY(activate_collect(&a->activate, NULL, 0, err));
    return activate_stop(&a->activate, err);
}

/* Lives; to be run in a child of its own. */
static inline int life_live(void *ctx)
{
    const struct life *l = ctx;
    struct rw_clock clock = rw_clock_system();
    struct life_agent a = {.life = l, .dir = -1, .end_ms = rw_clock_mono(&clock).ms + LIFE_WAIT_MS};
    struct rw_err err = {.code = RW_E_NONE};
    if (freopen(l->log, "a", stderr) == NULL) { return LIFE_FAILED; }
    rw_log_setup("life", RW_LOG_DEBUG);
    struct rw_rc rc = life_steps(&a, &err);
    life_close(&a);
    if (rw_is_ok(rc)) { return LIFE_DONE; }
    (void)snprintf(l->text, LIFE_TEXT_BYTES, "%.230s", err.text);
    return rc.code == RW_E_TIMEOUT ? LIFE_STUCK : LIFE_FAILED;
}

#endif
