#include "server/rollout/rollout_doc.h"

#include "common/base/num.h"
#include "common/json/json_write.h"

#include <stdio.h>
#include <string.h>

static const char *const pointer_names[] = {"previous", "unsure", "release"};

enum rollout_rule_state rollout_doc_overall(const struct rollout *r)
{
    enum rollout_rule_state states[ROLLOUT_RINGS_MAX];
    for (size_t i = 0; i < r->ring_count; i++) {
        states[i] = (enum rollout_rule_state)r->rings[i].state;
    }
    return rollout_rule_overall(states, r->ring_count);
}

void rollout_doc_text(char *dst, size_t cap, const char *text)
{
    size_t n = strnlen(text, cap);
    if (n == cap) {
        n = cap - 1;
        while (n > 0 && ((uint8_t)text[n] & 0xc0U) == 0x80U) {
            n--;
        }
    }
    rw_copy(dst, cap, text, n);
    dst[n] = '\0';
}

/* --- writing --- */

static void put_cohort(struct json_writer *w, const char *name, const struct beacon_cohort *c)
{
    json_open_object(w, name);
    json_put_str(w, "os", c->os);
    json_put_str(w, "arch", c->arch);
    json_put_str(w, "engine", c->engine);
    json_close_object(w);
}

static void put_ring(struct json_writer *w, const struct rollout_ring *ring)
{
    json_open_object(w, NULL);
    json_put_str(w, "ring", ring->name);
    json_put_str(w, "state", sm_name(&rollout_rule_table, ring->state));
    json_put_int(w, "since", ring->since.s);
    json_put_str(w, "reason", ring->reason);
    json_put_int(w, "not_before", ring->not_before.s);
    json_put_int(w, "opened", ring->opened.s);
    json_put_str(w, "pointer", pointer_names[ring->pointer]);
    json_put_bool(w, "hold", ring->hold);
    json_close_object(w);
}

static void put_halt(struct json_writer *w, const struct rollout_halt *h)
{
    json_open_object(w, "halt");
    json_put_int(w, "at", h->at.s);
    json_put_str(w, "by", h->by);
    json_put_str(w, "reason", h->reason);
    json_put_str(w, "ring", h->ring);
    json_put_str(w, "term", h->term);
    if (h->has_cohort) { put_cohort(w, "cohort", &h->cohort); }
    json_put_int(w, "failures", h->failures);
    json_put_int(w, "exposures", h->exposures);
    json_put_str(w, "log_e", h->log_e);
    json_put_str(w, "threshold", h->threshold);
    json_close_object(w);
}

static void put_drill(struct json_writer *w, const struct rollout_drill *d)
{
    json_open_object(w, "drill");
    json_put_int(w, "max", d->max);
    json_put_int(w, "within_s", d->within_s);
    json_put_str(w, "by", d->by);
    json_put_str(w, "reason", d->reason);
    json_put_int(w, "exposed", d->exposed);
    json_put_int(w, "reported", d->reported);
    json_put_int(w, "dark", d->dark);
    json_put_int(w, "refused", d->refused);
    json_close_object(w);
}

static void put_norm(struct json_writer *w, const struct rollout_norm *n)
{
    json_open_object(w, "norm");
    json_put_int(w, "p0_crash_e9", n->p0_crash_e9);
    json_put_int(w, "p0_storm_e9", n->p0_storm_e9);
    json_put_int(w, "p0_slow_e9", n->p0_slow_e9);
    json_put_int(w, "p0_mute_e9", n->p0_mute_e9);
    json_put_int(w, "hazard_e15", n->hazard_e15);
    json_put_int(w, "releases", n->releases);
    json_close_object(w);
}

static void put_scopes(struct json_writer *w, const struct rollout *r)
{
    put_norm(w, &r->norm);
    json_open_array(w, "cohorts");
    for (size_t i = 0; i < r->cohort_count; i++) {
        json_open_object(w, NULL);
        put_cohort(w, "cohort", &r->cohorts[i].name);
        put_norm(w, &r->cohorts[i].norm);
        json_put_bool(w, "halted", r->cohorts[i].halted);
        json_close_object(w);
    }
    json_close_array(w);
    json_open_array(w, "tenants_held");
    for (size_t i = 0; i < r->tenant_count; i++) {
        json_put_str(w, NULL, r->tenants[i]);
    }
    json_close_array(w);
    json_put_int(w, "resumes", r->resumes);
    json_put_bool(w, "closed", r->closed);
}

static RW_RC write_body(const struct rollout *r, struct rw_buf *into, struct rw_err *err)
{
    char hex[2 * BEACON_HASH_BYTES + 1];
    struct json_writer w = json_begin(into);
    rw_hex_encode(hex, sizeof(hex), r->sha256, sizeof(r->sha256));
    json_open_object(&w, NULL);
    json_put_str(&w, "family", r->family);
    json_put_int(&w, "release", r->release);
    json_put_str(&w, "class", r->class_name);
    json_put_str(&w, "sha256", hex);
    json_put_int(&w, "previous", r->previous);
    json_put_int(&w, "seq", r->seq);
    json_put_int(&w, "started", r->started.s);
    json_put_int(&w, "ended", r->ended.s);
    json_open_array(&w, "rings");
    for (size_t i = 0; i < r->ring_count; i++) {
        put_ring(&w, &r->rings[i]);
    }
    json_close_array(&w);
    put_scopes(&w, r);
    if (r->halt.there) { put_halt(&w, &r->halt); }
    if (r->drill.on) { put_drill(&w, &r->drill); }
    json_close_object(&w);
    return json_done(&w, err);
}

RW_RC rollout_doc_put(struct store *store, const struct rollout *r, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(ROLLOUT_STORED_BYTES_MAX);
    struct store_doc doc = {.generation = r->generation};
    RW_TRY(write_body(r, &body, err));
    (void)snprintf(doc.id, sizeof(doc.id), "%s/%010lld", r->family, (long long)r->release);
    doc.body = rw_buf_span(&body);
    return store_doc_put(store, ROLLOUT_DOC_KIND, &doc, err);
}

RW_RC rollout_doc_remove(struct store *store, const struct rollout *r, struct rw_err *err)
{
    char id[STORE_ID_BYTES];
    (void)snprintf(id, sizeof(id), "%s/%010lld", r->family, (long long)r->release);
    struct rw_rc rc = store_doc_remove(store, ROLLOUT_DOC_KIND, id, r->generation, err);
    return rc.code == RW_E_STALE ? RW_OK : rc;
}

/* --- reading --- */

static RW_RC get_time(const struct json *o, const char *name, struct rw_wall *out,
                      struct rw_err *err)
{
    return json_get_int(o, name, 0, RW_JSON_INT_MAX, &out->s, err);
}

static RW_RC get_cohort(const struct json *o, struct beacon_cohort *out, struct rw_err *err)
{
    RW_TRY(json_get_str(o, "os", out->os, sizeof(out->os), err));
    RW_TRY(json_get_str(o, "arch", out->arch, sizeof(out->arch), err));
    return json_get_str(o, "engine", out->engine, sizeof(out->engine), err);
}

static RW_RC get_pointer(const struct json *o, enum rollout_pointer *out, struct rw_err *err)
{
    struct rw_span text;
    RW_TRY(json_get_span(o, "pointer", &text, err));
    for (size_t i = 0; i < RW_LEN(pointer_names); i++) {
        if (rw_span_is(text, pointer_names[i])) {
            *out = (enum rollout_pointer)i;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_SCHEMA, "line %u: 'pointer' is not a known word", json_line(o));
}

static RW_RC get_ring(const struct json *o, struct rollout_ring *out, struct rw_err *err)
{
    char state[32];
    RW_TRY(json_get_str(o, "ring", out->name, sizeof(out->name), err));
    RW_TRY(json_get_str(o, "state", state, sizeof(state), err));
    RW_TRY(sm_find(&rollout_rule_table, state, &out->state, err));
    RW_TRY(get_time(o, "since", &out->since, err));
    RW_TRY(json_get_str(o, "reason", out->reason, sizeof(out->reason), err));
    RW_TRY(get_time(o, "not_before", &out->not_before, err));
    RW_TRY(get_time(o, "opened", &out->opened, err));
    RW_TRY(get_pointer(o, &out->pointer, err));
    return json_get_bool(o, "hold", &out->hold, err);
}

static RW_RC get_rings(const struct json *root, struct rollout *r, struct rw_err *err)
{
    const struct json *rings = NULL;
    RW_TRY(json_get(root, "rings", JSON_ARRAY, &rings, err));
    if (json_count(rings) < 1 || json_count(rings) > ROLLOUT_RINGS_MAX) {
        return rw_fail(err, RW_E_RANGE, "a rollout with %zu rings", json_count(rings));
    }
    for (const struct json *o = json_first(rings); o != NULL; o = json_next(o)) {
        RW_TRY(get_ring(o, &r->rings[r->ring_count], err));
        r->ring_count++;
    }
    return RW_OK;
}

/* Rollouts that began under an older server know none. */
static RW_RC get_late_p0(const struct json *o, const char *name, int64_t *out, struct rw_err *err)
{
    if (json_find(o, name) == NULL) { return RW_OK; }
    return json_get_int(o, name, 0, 999999999, out, err);
}

static RW_RC get_norm(const struct json *root, struct rollout_norm *n, struct rw_err *err)
{
    const struct json *o = NULL;
    RW_TRY(json_get(root, "norm", JSON_OBJECT, &o, err));
    RW_TRY(json_get_int(o, "p0_crash_e9", 1, 999999999, &n->p0_crash_e9, err));
    RW_TRY(get_late_p0(o, "p0_storm_e9", &n->p0_storm_e9, err));
    RW_TRY(get_late_p0(o, "p0_slow_e9", &n->p0_slow_e9, err));
    RW_TRY(get_late_p0(o, "p0_mute_e9", &n->p0_mute_e9, err));
    RW_TRY(json_get_int(o, "hazard_e15", 0, RW_JSON_INT_MAX, &n->hazard_e15, err));
    return json_get_int(o, "releases", 0, RW_JSON_INT_MAX, &n->releases, err);
}

static RW_RC get_known_cohort(const struct json *o, struct rollout_cohort *out, struct rw_err *err)
{
    const struct json *name = NULL;
    RW_TRY(json_get(o, "cohort", JSON_OBJECT, &name, err));
    RW_TRY(get_cohort(name, &out->name, err));
    RW_TRY(get_norm(o, &out->norm, err));
    return json_get_bool(o, "halted", &out->halted, err);
}

static RW_RC get_tenants(const struct json *root, struct rollout *r, struct rw_err *err)
{
    const struct json *list = NULL;
    RW_TRY(json_get(root, "tenants_held", JSON_ARRAY, &list, err));
    if (json_count(list) > ROLLOUT_TENANTS_MAX) {
        return rw_fail(err, RW_E_RANGE, "a rollout with %zu tenants held", json_count(list));
    }
    for (const struct json *o = json_first(list); o != NULL; o = json_next(o)) {
        struct rw_span text;
        if (json_type(o) != JSON_STR) {
            return rw_fail(err, RW_E_SCHEMA, "line %u: a tenant is a string", json_line(o));
        }
        text = json_str(o);
        RW_TRY(
            rw_span_to_str(r->tenants[r->tenant_count], ROLLOUT_NAME_BYTES, text, "tenant", err));
        r->tenant_count++;
    }
    return RW_OK;
}

static RW_RC get_cohorts(const struct json *root, struct rollout *r, struct rw_err *err)
{
    const struct json *cohorts = NULL;
    RW_TRY(json_get(root, "cohorts", JSON_ARRAY, &cohorts, err));
    if (json_count(cohorts) > ROLLOUT_COHORTS_MAX) {
        return rw_fail(err, RW_E_RANGE, "a rollout with %zu cohorts", json_count(cohorts));
    }
    for (const struct json *o = json_first(cohorts); o != NULL; o = json_next(o)) {
        RW_TRY(get_known_cohort(o, &r->cohorts[r->cohort_count], err));
        r->cohort_count++;
    }
    return RW_OK;
}

static RW_RC get_halt(const struct json *root, struct rollout_halt *h, struct rw_err *err)
{
    const struct json *o = NULL;
    const struct json *cohort = NULL;
    if (json_find(root, "halt") == NULL) { return RW_OK; }
    RW_TRY(json_get(root, "halt", JSON_OBJECT, &o, err));
    h->there = true;
    RW_TRY(get_time(o, "at", &h->at, err));
    RW_TRY(json_get_str(o, "by", h->by, sizeof(h->by), err));
    RW_TRY(json_get_str(o, "reason", h->reason, sizeof(h->reason), err));
    RW_TRY(json_get_str(o, "ring", h->ring, sizeof(h->ring), err));
    RW_TRY(json_get_str(o, "term", h->term, sizeof(h->term), err));
    h->has_cohort = json_find(o, "cohort") != NULL;
    if (h->has_cohort) {
        RW_TRY(json_get(o, "cohort", JSON_OBJECT, &cohort, err));
        RW_TRY(get_cohort(cohort, &h->cohort, err));
    }
    RW_TRY(json_get_int(o, "failures", 0, RW_JSON_INT_MAX, &h->failures, err));
    RW_TRY(json_get_int(o, "exposures", 0, RW_JSON_INT_MAX, &h->exposures, err));
    RW_TRY(json_get_str(o, "log_e", h->log_e, sizeof(h->log_e), err));
    return json_get_str(o, "threshold", h->threshold, sizeof(h->threshold), err);
}

static RW_RC get_drill(const struct json *root, struct rollout_drill *d, struct rw_err *err)
{
    const struct json *o = NULL;
    if (json_find(root, "drill") == NULL) { return RW_OK; }
    RW_TRY(json_get(root, "drill", JSON_OBJECT, &o, err));
    d->on = true;
    RW_TRY(json_get_int(o, "max", 1, RW_JSON_INT_MAX, &d->max, err));
    RW_TRY(json_get_int(o, "within_s", 1, RW_JSON_INT_MAX, &d->within_s, err));
    RW_TRY(json_get_str(o, "by", d->by, sizeof(d->by), err));
    RW_TRY(json_get_str(o, "reason", d->reason, sizeof(d->reason), err));
    RW_TRY(json_get_int(o, "exposed", 0, RW_JSON_INT_MAX, &d->exposed, err));
    RW_TRY(json_get_int(o, "reported", 0, RW_JSON_INT_MAX, &d->reported, err));
    RW_TRY(json_get_int(o, "dark", 0, RW_JSON_INT_MAX, &d->dark, err));
    return json_get_int(o, "refused", 0, RW_JSON_INT_MAX, &d->refused, err);
}

static RW_RC read_body(const struct json *o, struct rollout *r, struct rw_err *err)
{
    static const char *const known[] = {
        "family", "release", "class", "sha256",  "previous", "seq",          "started", "ended",
        "rings",  "norm",    "halt",  "cohorts", "closed",   "tenants_held", "drill",   "resumes"};
    struct rw_span hex;
    RW_TRY(json_only(o, known, RW_LEN(known), err));
    RW_TRY(json_get_str(o, "family", r->family, sizeof(r->family), err));
    RW_TRY(json_get_int(o, "release", 1, ROLLOUT_NUMBER_MAX, &r->release, err));
    RW_TRY(json_get_str(o, "class", r->class_name, sizeof(r->class_name), err));
    RW_TRY(json_get_span(o, "sha256", &hex, err));
    RW_TRY(rw_hex_decode(r->sha256, sizeof(r->sha256), hex, "sha256", err));
    RW_TRY(json_get_int(o, "previous", 0, ROLLOUT_NUMBER_MAX, &r->previous, err));
    RW_TRY(json_get_int(o, "seq", 1, RW_JSON_INT_MAX, &r->seq, err));
    RW_TRY(get_time(o, "started", &r->started, err));
    RW_TRY(get_time(o, "ended", &r->ended, err));
    RW_TRY(get_rings(o, r, err));
    RW_TRY(get_norm(o, &r->norm, err));
    RW_TRY(get_cohorts(o, r, err));
    RW_TRY(get_tenants(o, r, err));
    RW_TRY(json_get_bool(o, "closed", &r->closed, err));
    if (json_find(o, "resumes") != NULL) { /* not in those of older servers */
        RW_TRY(json_get_int(o, "resumes", 0, RW_JSON_INT_MAX, &r->resumes, err));
    }
    RW_TRY(get_drill(o, &r->drill, err));
    return get_halt(o, &r->halt, err);
}

RW_RC rollout_doc_read(const struct store_doc *doc, struct rollout *out, struct rw_err *err)
{
    RW_AUTO(json_tree) json_tree tree = NULL;
    *out = (struct rollout){.generation = doc->generation};
    struct rw_rc rc = json_parse(doc->body, &json_limits_small, &tree, err);
    if (rw_is_ok(rc)) { rc = read_body(tree, out, err); }
    return rw_is_ok(rc) ? rc : rw_wrap(err, "stored rollout '%s'", doc->id);
}
