#include "agent/agent_view.h"

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

static void put_family(struct json_writer *w, const struct poll_family *f)
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
        put_family(w, &a->last.families[i]);
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

/* --- printing --- */

static const char *text_of(const struct json *o, const char *name, char dst[static 512])
{
    struct rw_err unused;
    dst[0] = '\0';
    if (o == NULL || !rw_is_ok(json_get_str(o, name, dst, 512, &unused))) { return "-"; }
    return dst[0] == '\0' ? "-" : dst;
}

static long long int_of(const struct json *o, const char *name)
{
    struct rw_err unused;
    int64_t n = 0;
    if (o == NULL ||
        !rw_is_ok(json_get_int(o, name, -RW_JSON_INT_MAX, RW_JSON_INT_MAX, &n, &unused))) {
        return 0;
    }
    return (long long)n;
}

static bool bool_of(const struct json *o, const char *name)
{
    struct rw_err unused;
    bool b = false;
    return o != NULL && rw_is_ok(json_get_bool(o, name, &b, &unused)) && b;
}

static void print_list(const struct json *tree, const char *name, const char *title)
{
    char t[512];
    const struct json *list = json_find(tree, name);
    for (const struct json *e = list == NULL ? NULL : json_first(list); e != NULL;
         e = json_next(e)) {
        if (int_of(e, "release") == 0) {
            printf("%-12s the empty set\n", title);
            continue;
        }
        printf("%-12s %s/%lld", title, text_of(e, "family", t), int_of(e, "release"));
        printf("  %.16s\n", text_of(e, "sha256", t));
    }
}

/* "45 days", "3 h": whole units are enough for an age. */
static void print_span(long long s)
{
    if (s >= 2 * DAY_S) {
        printf("%lld days", s / DAY_S);
    } else if (s >= 7200) {
        printf("%lld h", s / 3600);
    } else if (s >= 120) {
        printf("%lld min", s / 60);
    } else {
        printf("%lld s", s);
    }
}

static void print_controls(const struct json *list)
{
    char t[512];
    for (const struct json *c = list == NULL ? NULL : json_first(list); c != NULL;
         c = json_next(c)) {
        printf("%-12s %s", "control", text_of(c, "control", t));
        printf(" by the %s, set ", text_of(c, "by", t));
        print_span(int_of(c, "age_s"));
        printf(" ago, %s", text_of(c, "state", t));
        if (strcmp(t, "in force") == 0 && json_find(c, "left_s") != NULL) {
            printf(", ends in ");
            print_span(int_of(c, "left_s"));
        }
        printf("%s\n", bool_of(c, "old") ? ": OLD" : "");
    }
}

static void print_integrity(const struct json *o)
{
    char t[512];
    char u[512];
    if (o == NULL) { return; }
    printf("%-12s %s, %lld checks since the start, last at %s\n", "integrity",
           bool_of(o, "ok") ? "ok" : "DAMAGED, waits for content", int_of(o, "checks"),
           text_of(o, "checked", t));
    if (int_of(o, "damages") == 0) { return; }
    printf("%-12s %lld found, %lld repaired, last at %s", "damage", int_of(o, "damages"),
           int_of(o, "repaired"), text_of(o, "last_at", t));
    printf(": %s\n", text_of(o, "last", u));
}

static void print_roles(const struct json *list)
{
    char t[512];
    char u[512];
    for (const struct json *r = list == NULL ? NULL : json_first(list); r != NULL;
         r = json_next(r)) {
        printf("%-12s %-20s", "role", text_of(r, "role", t));
        printf(" version %-5lld %lld days left", int_of(r, "version"), int_of(r, "left_days"));
        const char *life = text_of(r, "life", u);
        printf("%s%s\n", strcmp(life, "ok") == 0 ? "" : ": ", strcmp(life, "ok") == 0 ? "" : life);
    }
}

RW_RC agent_view_print_status(struct rw_span text, struct rw_err *err)
{
    char t[512];
    char u[512];
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(text, &json_limits_small, &tree, err));
    const struct json *sensor = json_find(tree, "sensor");
    const struct json *poll = json_find(tree, "poll");
    const struct json *spool = json_find(tree, "spool");
    const struct json *change = json_find(tree, "change");
    if (sensor == NULL || poll == NULL || spool == NULL) {
        return rw_fail(err, RW_E_SCHEMA, "the agent's answer is not a status");
    }
    printf("%-12s %s\n", "endpoint", text_of(tree, "endpoint", t));
    if (strcmp(text_of(tree, "cloned_from", t), "-") != 0) {
        printf("%-12s this disk was copied from endpoint %s\n", "CLONE", t);
    }
    if (bool_of(tree, "token_refused")) {
        printf("%-12s the server does not accept it: enrolling anew needs enrol_token_file\n",
               "TOKEN");
    }
    printf("%-12s %s", "ring", text_of(tree, "ring", t));
    printf(" (by %s, bucket %lld)\n", text_of(tree, "ring_by", t), int_of(tree, "bucket"));
    printf("%-12s %s\n", "trust", text_of(tree, "trust", t));
    if (strcmp(text_of(tree, "clock", t), "ok") != 0) {
        printf("%-12s %s: expiry is judged by %s", "clock", text_of(tree, "clock", t),
               text_of(tree, "clock_floor", u));
        printf(" at the earliest\n");
    }
    print_roles(json_find(tree, "roles"));
    print_controls(json_find(tree, "controls"));
    printf("%-12s %s\n", "sandbox", text_of(tree, "grade", t));
    printf("%-12s %s, set %lld\n", "phase", text_of(tree, "phase", t), int_of(tree, "set"));
    print_list(tree, "content", "active");
    print_list(tree, "loaded", "sensor says");
    if (change != NULL) {
        printf("%-12s %s", "change", text_of(change, "change", t));
        printf(" %s/%lld\n", text_of(change, "family", t), int_of(change, "release"));
    }
    printf("%-12s %s, %s, generation %lld\n", "sensor",
           bool_of(sensor, "running") ? "running" : "down",
           bool_of(sensor, "proven") ? "load proven" : "load not proven",
           int_of(sensor, "generation"));
    printf("%-12s %s %s", "poll", text_of(poll, "at", t), bool_of(poll, "ok") ? "ok" : "failed: ");
    printf("%s, next in %lld s\n", bool_of(poll, "ok") ? "" : text_of(poll, "error", t),
           int_of(poll, "next_s"));
    print_integrity(json_find(tree, "integrity"));
    printf("%-12s %lld waiting, %lld dropped\n", "beacons", int_of(spool, "waiting"),
           int_of(spool, "dropped"));
    return RW_OK;
}

static void print_why(const struct json *f)
{
    char t[512];
    printf("%s: installed %lld", text_of(f, "family", t), int_of(f, "installed"));
    if (json_find(f, "pointer") != NULL) {
        printf(", the ring points at %lld%s", int_of(f, "pointer"),
               bool_of(f, "hold") ? " (hold)" : "");
    }
    printf("\n  %-12s %s", "decision", text_of(f, "decision", t));
    printf(": %s\n", text_of(f, "reason", t));
    printf("  %-12s %s\n", "not before", text_of(f, "not_before", t));
    printf("  %-12s bake %lld s, spread %lld s%s\n", "", int_of(f, "min_bake_s"),
           int_of(f, "spread_s"), bool_of(f, "expedited") ? ", EXPEDITED" : "");
    if (bool_of(f, "dropped")) {
        printf("  %-12s the active release %s: kept until the ring moves\n", "DROPPED",
               bool_of(f, "withdrawn") ? "was withdrawn" : "is not listed any more");
    }
    if (strcmp(text_of(f, "control", t), "-") != 0) { printf("  %-12s %s\n", "control", t); }
    printf("  %-12s %s\n", "now", text_of(f, "note", t));
    printf("  %-12s %s", "box", text_of(f, "verdict", t));
    printf(", sandbox %s\n", text_of(f, "grade", t));
    printf("  %-12s %s\n", "missing", text_of(f, "missing", t));
}

static void print_hashes(const struct json *list, const char *title)
{
    for (const struct json *h = list == NULL ? NULL : json_first(list); h != NULL;
         h = json_next(h)) {
        struct rw_span s = json_type(h) == JSON_STR ? json_str(h) : rw_span_of("", 0);
        printf("%s: %.*s\n", title, (int)s.n, (const char *)s.p);
    }
}

RW_RC agent_view_print_why(struct rw_span text, struct rw_err *err)
{
    char t[512];
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(text, &json_limits_small, &tree, err));
    const struct json *families = json_find(tree, "families");
    const struct json *abandoned = json_find(tree, "abandoned");
    const struct json *poll = json_find(tree, "poll");
    if (families == NULL || abandoned == NULL || poll == NULL) {
        return rw_fail(err, RW_E_SCHEMA, "the agent's answer is not a status");
    }
    printf("ring: %s", text_of(tree, "ring", t));
    printf(", by %s (bucket %lld)\n", text_of(tree, "ring_by", t), int_of(tree, "bucket"));
    printf("trust: %s", text_of(tree, "trust", t));
    printf(", metadata valid until %s\n", text_of(poll, "metadata_expire", t));
    print_controls(json_find(tree, "controls"));
    if (!bool_of(poll, "ok")) { printf("last poll failed: %s\n", text_of(poll, "error", t)); }
    for (const struct json *f = json_first(families); f != NULL; f = json_next(f)) {
        print_why(f);
    }
    print_hashes(abandoned, "never again here");
    print_hashes(json_find(tree, "left"), "left by the ring's order");
    return RW_OK;
}
