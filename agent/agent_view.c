#include "agent/agent_view.h"

#include "agent/agent_why.h"
#include "common/base/version.h"
#include "common/policy/trust_life_rule.h"

#include <stdio.h>
#include <string.h>

enum { DAY_S = 86400 };

static void put_hash(struct json_writer *w, const uint8_t sha256[static DIGEST_BYTES])
{
    char hex[DIGEST_HEX_BYTES];
    rw_hex_encode(hex, sizeof(hex), sha256, DIGEST_BYTES);
    json_put_str(w, "sha256", hex);
}

static void put_time(struct json_writer *w, const char *name, struct rw_wall t)
{
    char text[RW_TIME_TEXT_BYTES];
    rw_wall_format(text, t);
    if (t.s > 0 && t.s < INT64_MAX) { json_put_str(w, name, text); }
}

static void put_content(struct json_writer *w, const struct agent *a)
{
    const struct activate *x = &a->activate;
    json_open_array(w, "content");
    for (size_t i = 0; i < x->active.count; i++) {
        json_open_object(w, NULL);
        json_put_str(w, "family", x->active.content[i].family);
        json_put_int(w, "release", x->active.content[i].release);
        put_hash(w, x->active.content[i].sha256);
        json_close_object(w);
    }
    json_close_array(w);
    json_open_array(w, "loaded");
    for (size_t i = 0; i < x->sensor.loaded_count; i++) {
        json_open_object(w, NULL);
        json_put_str(w, "family", x->sensor.loaded[i].family);
        json_put_int(w, "release", x->sensor.loaded[i].release);
        put_hash(w, x->sensor.loaded[i].sha256);
        json_close_object(w);
    }
    json_close_array(w);
}

static void put_sensor(struct json_writer *w, const struct agent *a)
{
    const struct sensor *s = &a->activate.sensor;
    json_open_object(w, "sensor");
    json_put_bool(w, "running", sensor_running(s));
    json_put_bool(w, "supervised", !s->observed);
    json_put_bool(w, "proven", a->activate.settled);
    json_put_int(w, "pid", s->proc.pid);
    json_put_int(w, "generation", s->generation);
    json_put_int(w, "silent_ms", rw_clock_mono(&a->clock).ms - s->last_seen.ms);
    json_put_int(w, "restarts", a->activate.restarts);
    json_put_int(w, "messages_refused", s->foreign);
    if (s->detect.generation > 0) {
        json_put_int(w, "detections", s->detect.now.detections);
        json_put_int(w, "scanned", s->detect.now.scanned);
        json_put_int(w, "cpu_ms", s->detect.now.cpu_ms);
        json_put_int(w, "scan_us", s->detect.now.scan_us);
        json_put_int(w, "rss_kib", s->detect.now.rss_kib);
        json_put_int(w, "observed", s->detect.now.observed);
    }
    json_close_object(w);
}

static void put_change(struct json_writer *w, const struct agent *a)
{
    const struct slot_trial *t = &a->activate.slots.trial;
    if (t->change == SLOT_NO_CHANGE) { return; }
    json_open_object(w, "change");
    json_put_str(w, "change", slot_change_name(t->change));
    json_put_str(w, "family", t->to.release > 0 ? t->to.family : t->left.family);
    json_put_int(w, "release", t->to.release);
    json_put_int(w, "left", t->left.release);
    json_put_int(w, "probation_s", t->probation_s);
    json_close_object(w);
}

static void put_rules(struct json_writer *w, const struct agent *a, const struct poll_family *f)
{
    int64_t wait_ms = a->poll_at.ms - rw_clock_mono(&a->clock).ms;
    struct why_list list;
    const struct why_facts facts = {
        .poll = &a->last,
        .family = f,
        .change = &a->activate.slots.trial,
        .polled = a->polls_ended > 0,
        .token_refused = a->token_refused,
        .idle = activate_idle(&a->activate),
        .link_owed = a->activate.link_owed,
        .phase = activate_phase_name(a->activate.phase),
        .grade = a->report.grade,
        .allow_weak = a->conf.allow_weak_sandbox,
        .loader = a->conf.sensor_loader[0] != '\0',
        .bucket = a->identity.bucket,
        .failures = a->poll_failures,
        .next_poll_s = wait_ms > 0 ? wait_ms / 1000 : 0,
        .now = rw_clock_wall(&a->clock),
    };
    agent_why_list(&facts, &list);
    json_open_array(w, "rules");
    for (size_t i = 0; i < list.count; i++) {
        json_open_object(w, NULL);
        json_put_str(w, "rule", list.lines[i].rule);
        json_put_str(w, "state", agent_why_state_name(list.lines[i].state));
        json_put_str(w, "reason", list.lines[i].reason);
        if (list.lines[i].left_s >= 0) { json_put_int(w, "left_s", list.lines[i].left_s); }
        json_close_object(w);
    }
    json_close_array(w);
}

static void put_family(struct json_writer *w, const struct agent *a, const struct poll_family *f)
{
    json_open_object(w, NULL);
    json_put_str(w, "family", f->family);
    json_put_int(w, "installed", f->state.installed);
    if (f->has_pointer) {
        json_put_int(w, "pointer", f->offered);
        json_put_bool(w, "hold", f->pointer.hold);
    }
    json_put_str(w, "decision", install_rule_name(f->result.decision));
    json_put_str(w, "reason", f->result.reason);
    put_time(w, "not_before", f->result.not_before);
    json_put_str(w, "control", f->control.reason);
    json_put_str(w, "class", f->class_name);
    json_put_str(w, "action", poll_action_name(f->action));
    json_put_str(w, "note", f->note);
    json_put_str(w, "verdict", f->verdict);
    json_put_str(w, "grade", f->grade);
    json_put_str(w, "missing", f->missing);
    json_put_int(w, "min_bake_s", f->state.min_bake_s);
    json_put_int(w, "spread_s", f->state.spread_s);
    json_put_bool(w, "expedited", f->result.expedited);
    json_put_int(w, "floor", f->content.floor);
    json_put_bool(w, "dropped", f->dropped);
    json_put_bool(w, "withdrawn", f->withdrawn);
    put_rules(w, a, f);
    json_close_object(w);
}

/* INV-12: what comes to its end is told here as well, by whoever looks at the endpoint. */
static void put_roles(struct json_writer *w, const struct agent *a)
{
    struct rw_wall now = rw_clock_wall(&a->clock);
    json_open_array(w, "roles");
    for (size_t i = 0; i < a->last.role_count; i++) {
        const struct tuf_role_status *r = &a->last.roles[i];
        int64_t left_s = r->expires.s - now.s;
        int64_t life_s = trust_life_rule_of(r->role, r->made, r->expires, now);
        enum trust_life life =
            trust_life_rule_judge(left_s, life_s, trust_life_rule_online(r->role));
        json_open_object(w, NULL);
        json_put_str(w, "role", r->role);
        json_put_int(w, "version", r->version);
        put_time(w, "expires", r->expires);
        json_put_int(w, "left_days", left_s / DAY_S);
        json_put_str(w, "life", trust_life_rule_name(life));
        json_close_object(w);
    }
    json_close_array(w);
}

static void put_poll(struct json_writer *w, const struct agent *a)
{
    int64_t wait_ms = a->poll_at.ms - rw_clock_mono(&a->clock).ms;
    json_open_object(w, "poll");
    put_time(w, "at", a->last_at);
    json_put_bool(w, "ok", a->last.ok);
    if (!a->last.ok) {
        json_put_str(w, "error", a->last_at.s == 0 ? "none yet" : a->last.err.text);
    }
    json_put_int(w, "next_s", wait_ms > 0 ? wait_ms / 1000 : 0);
    put_time(w, "metadata_expire", a->last.expires);
    json_close_object(w);
    put_roles(w, a);
    json_open_array(w, "families");
    for (size_t i = 0; i < a->last.family_count; i++) {
        put_family(w, a, &a->last.families[i]);
    }
    json_close_array(w);
}

static void put_integrity(struct json_writer *w, const struct agent *a)
{
    const struct agent_integrity *g = &a->integrity;
    const struct activate_damage *d = &a->activate.damage;
    int64_t wait_ms = g->at.ms - rw_clock_mono(&a->clock).ms;
    json_open_object(w, "integrity");
    json_put_bool(w, "ok", !d->found);
    json_put_int(w, "checks", g->checks);
    put_time(w, "checked", g->last);
    if (g->interval_ms > 0) { json_put_int(w, "next_s", wait_ms > 0 ? wait_ms / 1000 : 0); }
    json_put_int(w, "damages", d->count);
    json_put_int(w, "repaired", d->repaired);
    json_put_str(w, "last", d->text);
    put_time(w, "last_at", d->at);
    json_close_object(w);
}

static void put_hashes(struct json_writer *w, const char *name, const uint8_t (*list)[DIGEST_BYTES],
                       size_t count)
{
    json_open_array(w, name);
    for (size_t i = 0; i < count; i++) {
        char hex[DIGEST_HEX_BYTES];
        rw_hex_encode(hex, sizeof(hex), list[i], DIGEST_BYTES);
        json_put_str(w, NULL, hex);
    }
    json_close_array(w);
}

/* INV-12: what keeps this endpoint behind is told with its age, in force or not. */
static void put_controls(struct json_writer *w, const struct agent *a)
{
    struct rw_wall passed = rw_clock_wall(&a->clock);
    if (a->last.floor.s > passed.s) { passed = a->last.floor; }
    json_open_array(w, "controls");
    for (size_t i = 0; i < a->last.control_count && a->last.has_limits; i++) {
        json_open_object(w, NULL);
        control_codec_put_view(w, &a->last.controls[i], &a->last.limits, passed);
        json_close_object(w);
    }
    json_close_array(w);
}

RW_RC agent_view_write(const struct agent *a, struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    const struct slot_state *s = &a->activate.slots;
    json_open_object(&w, NULL);
    json_put_str(&w, "version", RW_VERSION);
    json_put_str(&w, "endpoint", a->identity.endpoint);
    json_put_str(&w, "cloned_from", a->identity.cloned_from);
    json_put_bool(&w, "token_refused", a->token_refused);
    json_put_str(&w, "server", a->conf.server);
    json_put_bool(&w, "enrolled", a->last.token[0] != '\0');
    json_put_str(&w, "ring", a->report.ring);
    json_put_str(&w, "ring_by", a->conf.ring[0] != '\0' ? "configuration" : "bucket");
    json_put_int(&w, "bucket", a->identity.bucket);
    json_put_str(&w, "trust", a->report.trust);
    json_put_str(&w, "clock", clock_rule_name(a->last.clock));
    put_time(&w, "clock_floor", a->last.floor);
    json_put_str(&w, "grade", a->report.grade);
    json_put_str(&w, "phase", activate_phase_name(a->activate.phase));
    json_put_int(&w, "set", a->activate.active.set);
    json_put_int(&w, "previous", s->previous);
    json_put_int(&w, "unclean_starts", s->boot.unclean);
    json_put_bool(&w, "stable", a->activate.settled && s->boot.unclean == 0);
    json_put_bool(&w, "started_before", s->stable);
    json_put_bool(&w, "link_stuck", a->activate.link_owed);
    put_content(&w, a);
    put_change(&w, a);
    put_sensor(&w, a);
    put_controls(&w, a);
    put_integrity(&w, a);
    put_poll(&w, a);
    json_open_object(&w, "spool");
    json_put_int(&w, "waiting", (int64_t)a->spool.count);
    json_put_int(&w, "dropped", a->spool.dropped);
    json_put_str(&w, "note", a->send_note);
    json_close_object(&w);
    put_hashes(&w, "abandoned", (const uint8_t(*)[DIGEST_BYTES])s->abandoned, s->abandoned_count);
    put_hashes(&w, "left", (const uint8_t(*)[DIGEST_BYTES])s->left, s->left_count);
    json_close_object(&w);
    return json_done(&w, err);
}
