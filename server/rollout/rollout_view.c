#include "server/rollout/rollout_live.h"
#include "server/rollout/rollout_run.h"

#include <math.h>
#include <stdio.h>

enum { LISTED_MAX = 100 };

static void put_time(struct json_writer *w, const char *name, struct rw_wall t)
{
    char text[RW_TIME_TEXT_BYTES];
    rw_wall_format(text, t);
    json_put_str(w, name, text);
}

static void put_number(struct json_writer *w, const char *name, double value)
{
    char text[ROLLOUT_NUMBER_BYTES];
    rollout_live_number(text, value);
    json_put_str(w, name, text);
}

/* Shares and probabilities span decades: significant digits instead of fixed places. */
static void put_share(struct json_writer *w, const char *name, double value)
{
    char text[ROLLOUT_NUMBER_BYTES];
    (void)snprintf(text, sizeof(text), "%.4g", value);
    json_put_str(w, name, text);
}

static void put_per_survivor(struct json_writer *w, const struct rollout_facts_window *window)
{
    put_number(w, "per_survivor", (double)window->law.per_survivor_m / 1000.0);
}

static void put_cohort(struct json_writer *w, const struct beacon_cohort *c)
{
    json_open_object(w, "cohort");
    json_put_str(w, "os", c->os);
    json_put_str(w, "arch", c->arch);
    json_put_str(w, "engine", c->engine);
    json_close_object(w);
}

static const char *state_name(int state)
{
    return sm_name(&rollout_rule_table, state);
}

/* --- the rollout object --- */

static void put_halt(struct json_writer *w, const struct rollout_halt *h)
{
    json_open_object(w, "halt");
    put_time(w, "at", h->at);
    json_put_str(w, "by", h->by);
    json_put_str(w, "reason", h->reason);
    if (h->ring[0] != '\0') {
        json_put_str(w, "ring", h->ring);
        json_put_str(w, "term", h->term);
        if (h->has_cohort) { put_cohort(w, &h->cohort); }
        json_put_int(w, "failures", h->failures);
        json_put_int(w, "exposures", h->exposures);
        json_put_str(w, "log_e", h->log_e);
        json_put_str(w, "threshold", h->threshold);
    }
    json_close_object(w);
}

static void put_ring(struct json_writer *w, const struct rollout_ring *ring,
                     const struct rollout_facts *f)
{
    const struct fleet_counts *c = &f->ring.counts;
    json_open_object(w, NULL);
    json_put_str(w, "ring", ring->name);
    json_put_str(w, "state", state_name(ring->state));
    put_time(w, "since", ring->since);
    put_time(w, "not_before", ring->not_before);
    json_put_str(w, "reason", ring->reason);
    json_put_int(w, "exposed", c->exposed);
    json_put_int(w, "pending", c->pending);
    json_put_int(w, "healthy", c->survived);
    json_put_int(w, "failed", c->failed);
    json_put_int(w, "dark", c->dark);
    json_put_int(w, "refused", c->refused);
    json_put_int(w, "reverted", c->reverted);
    json_put_int(w, "members", c->members);
    json_open_object(w, "window");
    json_put_int(w, "allowed", f->ring.window.allowed);
    json_put_int(w, "start", f->ring.window.law.start);
    put_per_survivor(w, &f->ring.window);
    json_close_object(w);
    json_put_int(w, "bake_left_s", f->bake_left_s);
    json_put_str(w, "gate", gate_rule_name(f->gate));
    json_put_str(w, "gate_reason", f->gate_reason);
    json_close_object(w);
}

/* Why the whole stands where it stands. */
static const char *reason_of(const struct rollout *ro, char dst[static ROLLOUT_REASON_BYTES])
{
    const struct rollout_halt *h = &ro->halt;
    if (h->there && h->ring[0] != '\0') { return h->reason; }
    if (h->there) {
        (void)snprintf(dst, ROLLOUT_REASON_BYTES, "halted by %s%s%.160s", h->by,
                       h->reason[0] == '\0' ? "" : ": ", h->reason);
        return dst;
    }
    for (size_t i = 0; i < ro->ring_count; i++) {
        if (ro->rings[i].state != ROLLOUT_PASSED && ro->rings[i].state != ROLLOUT_COMPLETE) {
            return ro->rings[i].reason;
        }
    }
    return ro->rings[ro->ring_count - 1].reason;
}

static void put_health(struct json_writer *w, const char *ring, const struct rollout_facts *f)
{
    json_open_object(w, "health");
    json_put_str(w, "ring", ring);
    put_number(w, "log_e", f->log_e);
    put_number(w, "threshold", f->threshold);
    json_put_str(w, "culprit", f->has_culprit ? health_rule_term_name(f->culprit_term) : "");
    json_close_object(w);
}

static void put_rollout(const struct rollout_run *r, const struct rollout *ro, struct rw_wall now,
                        struct json_writer *w)
{
    const struct rollout_facts_from from = rollout_live_from(r, ro, now);
    struct rollout_facts nearest = {.threshold = 0};
    size_t nearest_ring = 0;
    char reason[ROLLOUT_REASON_BYTES];
    json_open_object(w, NULL);
    json_put_str(w, "family", ro->family);
    json_put_int(w, "release", ro->release);
    json_put_int(w, "previous", ro->previous);
    json_put_str(w, "state", state_name((int)rollout_doc_overall(ro)));
    json_put_str(w, "reason", reason_of(ro, reason));
    json_put_int(w, "generation", ro->generation);
    put_time(w, "started", ro->started);
    if (ro->ended.s != 0) { put_time(w, "ended", ro->ended); }
    if (ro->halt.there) { put_halt(w, &ro->halt); }
    json_open_array(w, "rings");
    for (size_t i = 0; i < ro->ring_count; i++) {
        struct rollout_facts f;
        rollout_facts_ring(&from, i, &f);
        put_ring(w, &ro->rings[i], &f);
        if (i == 0 || f.log_e - f.threshold > nearest.log_e - nearest.threshold) {
            nearest = f;
            nearest_ring = i;
        }
    }
    json_close_array(w);
    put_health(w, ro->rings[nearest_ring].name, &nearest);
    json_close_object(w);
}

static RW_RC find(const struct rollout_run *r, const char *family, int64_t release,
                  const struct rollout **out, struct rw_err *err)
{
    *out = rollout_live_find(r, family, release);
    if (*out == NULL) {
        return rw_fail(err, RW_E_NOT_FOUND, "there is no rollout of %s/%lld", family,
                       (long long)release);
    }
    return RW_OK;
}

RW_RC rollout_run_write(const struct rollout_run *r, const char *family, int64_t release,
                        struct rw_wall now, struct json_writer *w, struct rw_err *err)
{
    const struct rollout *ro = NULL;
    RW_TRY(find(r, family, release, &ro, err));
    put_rollout(r, ro, now, w);
    return RW_OK;
}

void rollout_run_write_all(const struct rollout_run *r, struct rw_wall now, struct json_writer *w)
{
    size_t first = r->count > LISTED_MAX ? r->count - LISTED_MAX : 0;
    json_open_object(w, NULL);
    json_open_array(w, "rollouts");
    for (size_t i = first; i < r->count; i++) {
        put_rollout(r, r->all[i], now, w);
    }
    json_close_array(w);
    json_close_object(w);
}

/* --- the explain object --- */

static void put_counts(struct json_writer *w, const struct fleet_counts *c)
{
    json_open_object(w, "counts");
    json_put_int(w, "members", c->members);
    json_put_int(w, "exposed", c->exposed);
    json_put_int(w, "pending", c->pending);
    json_put_int(w, "survived", c->survived);
    json_put_int(w, "healthy", c->healthy);
    json_put_int(w, "failed", c->failed);
    json_put_int(w, "refused", c->refused);
    json_put_int(w, "refused_free", c->refused_free);
    json_put_int(w, "dark", c->dark);
    json_put_int(w, "late_crash", c->late_crash);
    json_put_int(w, "reverted", c->reverted);
    json_put_int(w, "still_on", c->still_on);
    json_close_object(w);
}

static void put_terms(struct json_writer *w, const struct rollout_facts_scope *s)
{
    json_open_array(w, "terms");
    for (int t = 0; t < HEALTH_RULE_TERMS; t++) {
        enum health_rule_term term = (enum health_rule_term)t;
        json_open_object(w, NULL);
        json_put_str(w, "term", health_rule_term_name(term));
        json_put_int(w, "failures", s->failures[t]);
        json_put_int(w, "exposures", s->exposures[t]);
        put_number(w, "log_e", s->result.log_term[t]);
        put_share(w, "weight", health_rule_weight(term));
        put_share(w, "p0", health_rule_p0(term));
        json_close_object(w);
    }
    json_close_array(w);
}

static void put_window(struct json_writer *w, const struct rollout_facts_window *window)
{
    json_open_object(w, "window");
    json_put_int(w, "start", window->law.start);
    put_per_survivor(w, window);
    json_put_int(w, "survived", window->survived);
    json_put_int(w, "exposed", window->exposed);
    json_put_int(w, "allowed", window->allowed);
    json_put_int(w, "room", window->room);
    json_close_object(w);
}

struct cohort_writer {
    const struct rollout_facts_from *from;
    size_t index;
    struct json_writer *w;
};

static RW_RC put_cohort_scope(void *arg, const struct beacon_cohort *cohort,
                              const struct fleet_counts *counts, struct rw_err *err)
{
    const struct cohort_writer *c = arg;
    struct rollout_facts_scope s;
    (void)counts;
    (void)err;
    rollout_facts_cohort(c->from, c->index, cohort, &s);
    json_open_object(c->w, NULL);
    put_cohort(c->w, cohort);
    put_counts(c->w, &s.counts);
    put_share(c->w, "weight", s.weight);
    put_number(c->w, "log_e", s.result.log_e);
    put_terms(c->w, &s);
    put_window(c->w, &s.window);
    json_close_object(c->w);
    return RW_OK;
}

static RW_RC explain_ring(const struct rollout_run *r, const struct rollout *ro, size_t i,
                          struct json_writer *w, struct rw_err *err)
{
    const struct rollout_facts_from from = rollout_live_from(r, ro, r->now);
    struct cohort_writer cohorts = {.from = &from, .index = i, .w = w};
    struct rollout_facts f;
    char limit[ROLLOUT_NUMBER_BYTES];
    rollout_facts_ring(&from, i, &f);
    (void)snprintf(limit, sizeof(limit), "%.4g%%", f.limit * 100.0);
    json_open_object(w, NULL);
    json_put_str(w, "ring", ro->rings[i].name);
    json_put_str(w, "state", state_name(ro->rings[i].state));
    json_put_str(w, "reason", ro->rings[i].reason);
    put_time(w, "not_before", ro->rings[i].not_before);
    json_put_str(w, "gate", gate_rule_name(f.gate));
    json_put_str(w, "gate_reason", f.gate_reason);
    json_put_str(w, "limit", limit);
    json_put_int(w, "min_healthy", f.min_healthy);
    json_put_int(w, "bake_left_s", f.bake_left_s);
    put_number(w, "log_e", f.log_e);
    put_number(w, "threshold", f.threshold);
    if (f.has_culprit) {
        json_open_object(w, "culprit");
        json_put_str(w, "term", health_rule_term_name(f.culprit_term));
        if (f.culprit.is_cohort) { put_cohort(w, &f.culprit.cohort); }
        json_close_object(w);
    }
    put_counts(w, &f.ring.counts);
    put_share(w, "weight", f.ring.weight);
    put_terms(w, &f.ring);
    put_window(w, &f.ring.window);
    json_open_array(w, "cohorts");
    const struct fleet_place place = {ro->family, ro->release, ro->rings[i].name};
    RW_TRY(fleet_state_each_cohort(r->fleet, &place, put_cohort_scope, &cohorts, err));
    json_close_array(w);
    json_close_object(w);
    return RW_OK;
}

RW_RC rollout_run_explain(const struct rollout_run *r, const char *family, int64_t release,
                          struct json_writer *w, struct rw_err *err)
{
    const struct rollout *ro = NULL;
    char reason[ROLLOUT_REASON_BYTES];
    RW_TRY(find(r, family, release, &ro, err));
    json_open_object(w, NULL);
    json_put_str(w, "family", ro->family);
    json_put_int(w, "release", ro->release);
    json_put_str(w, "state", state_name((int)rollout_doc_overall(ro)));
    json_put_str(w, "reason", reason_of(ro, reason));
    json_open_array(w, "rings");
    for (size_t i = 0; i < ro->ring_count; i++) {
        RW_TRY(explain_ring(r, ro, i, w, err));
    }
    json_close_array(w);
    json_close_object(w);
    return RW_OK;
}
