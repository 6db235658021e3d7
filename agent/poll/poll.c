#include "agent/poll/poll_state.h"

#include "common/base/log.h"

#include <stdio.h>
#include <string.h>

enum { API_MS = 20 * 1000, OLDER_RETRY_S = 30 };

RW_RC poll_open(const struct poll_options *o, struct poll **out, struct rw_err *err)
{
    struct poll *p = rw_mem_new(sizeof(*p));
    bool reset = false;
    if (p == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the poll"); }
    p->o = *o;
    struct http_client_options http = {.base_url = o->server,
                                       .ca_file = o->ca_file,
                                       .proxy = o->proxy,
                                       .total_ms = API_MS,
                                       .share = o->http};
    struct rw_rc rc = http_client_open(&http, &p->api, err);
    http.receive_bytes_per_s = o->download_bytes_per_s_max;
    if (rw_is_ok(rc)) { rc = http_client_open(&http, &p->content, err); }
    if (rw_is_ok(rc)) {
        rc = trust_store_open(o->state_dir, o->root, p->api, &p->trust, &reset, err);
    }
    if (!rw_is_ok(rc)) {
        poll_drop(&p);
        return rc;
    }
    p->floor = clock_floor_open(o->state_dir, o->built);
    rc = control_book_open(o->state_dir, &p->book, err);
    if (!rw_is_ok(rc)) {
        poll_drop(&p);
        return rc;
    }
    poll_enrol_recall(p);
    if (reset) { rw_log(RW_LOG_WARN, "trust_reset", "detail", "the stored root was damaged"); }
    *out = p;
    return RW_OK;
}

void poll_drop(struct poll **p)
{
    if (*p == NULL) { return; }
    trust_store_drop(&(*p)->trust);
    http_client_drop(&(*p)->api);
    http_client_drop(&(*p)->content);
    rw_wipe((*p)->token, sizeof((*p)->token));
    rw_mem_free(*p);
    *p = NULL;
}

const char *poll_token(const struct poll *p)
{
    return p->token;
}

const char *poll_action_name(enum poll_action a)
{
    static const char *const names[] = {"none", "activate", "revert", "remove"};
    return names[a];
}

/* The policy that targets lists, fetched only when it is another one. */
static RW_RC load_policy(struct poll *p, struct rw_err *err)
{
    struct tuf_target t;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    RW_TRY(trust_store_find(&p->trust, "policy/rings.json", &t, err));
    if (p->has_policy && memcmp(p->policy_sha256, t.sha256, DIGEST_BYTES) == 0) { return RW_OK; }
    p->has_policy = false; /* without a valid policy nothing new is installed */
    RW_TRY(trust_store_read(&p->trust, &t, RING_POLICY_BYTES_MAX, &text, err));
    RW_TRY(ring_policy_parse(rw_buf_span(&text), &p->policy, err));
    rw_copy(p->policy_sha256, DIGEST_BYTES, t.sha256, DIGEST_BYTES);
    p->has_policy = true;
    return RW_OK;
}

/* INV-7: the ring comes from the local configuration or from the local random bucket, never from the server. */
static RW_RC find_ring(const struct poll *p, size_t *index_out, struct rw_err *err)
{
    if (p->o.ring[0] != '\0') { return ring_policy_find(&p->policy, p->o.ring, index_out, err); }
    *index_out = ring_policy_of_bucket(&p->policy, p->o.bucket);
    return RW_OK;
}

static void fill_state(const struct poll *p, const struct poll_input *in, size_t ring,
                       struct poll_family *f)
{
    const struct ring_policy_ring *r = &p->policy.rings[ring];
    const struct manifest_entry *active = manifest_find(&in->active, f->family);
    struct install_rule_state *s = &f->state;
    (void)snprintf(s->ring, sizeof(s->ring), "%s", r->name);
    (void)snprintf(s->family, sizeof(s->family), "%s", f->family);
    s->installed = active == NULL ? 0 : active->release;
    s->engine = p->o.engine;
    s->spread_s = install_rule_spread_s(p->o.bucket, r->bucket_lo, r->bucket_hi, r->spread_s);
    s->hard_min_s = p->policy.hard_min_s;
    s->expedite_longest_s = p->policy.expedite_longest_s;
    s->engine_skew_max = p->policy.engine_skew_max;
    s->drills = p->o.drills;
    s->abandoned_count = in->abandoned_count;
    rw_copy(s->abandoned, sizeof(s->abandoned), in->abandoned, sizeof(in->abandoned));
    s->left_count = in->left_count;
    rw_copy(s->left, sizeof(s->left), in->left, sizeof(in->left));
}

/* Content in the store, whole and proven; else the stage says what is missing. */
static bool have(struct poll *p, struct poll_memory *m, const struct poll_input *in,
                 struct poll_family *f)
{
    f->stage = POLL_STAGE_FETCH;
    if (!poll_fetch(p, m, in, f)) { return false; }
    f->stage = POLL_STAGE_PROVE;
    return poll_prove(p, m, in, f);
}

/* Content of the revert must be whole and proven too; bake and permit are not asked (halting must not wait). */
static void act(struct poll *p, struct poll_memory *m, const struct poll_input *in,
                struct poll_family *f)
{
    switch (f->result.decision) {
    case INSTALL_GO:
        f->stage = POLL_STAGE_BUSY;
        if (!in->may_begin || !have(p, m, in, f)) { return; }
        f->stage = POLL_STAGE_PERMIT;
        poll_permit(p, m, f);
        if (f->action == POLL_ACTIVATE) { f->stage = POLL_STAGE_READY; }
        return;
    case INSTALL_REVERT:
        if (!have(p, m, in, f)) { return; }
        f->stage = POLL_STAGE_READY;
        f->action = POLL_REVERT;
        return;
    case INSTALL_WAIT: /* fetched ahead: the line is quiet while the bake lasts */
        (void)poll_fetch(p, m, in, f);
        return;
    case INSTALL_NOTHING:
    case INSTALL_HOLD:
    case INSTALL_REFUSE:
        return;
    }
}

/* INV-7: an expedite is looked for only where the bake alone keeps the release. */
static void decide(struct poll *p, struct poll_family *f)
{
    struct rw_wall now = rw_clock_wall(&p->o.clock);
    f->result = install_rule_decide(&f->pointer, &f->content, &f->expedite, &f->state, now);
    if (!install_rule_wants_expedite(&f->result)) { return; }
    poll_entries_expedite(p, f);
    if (!f->expedite.listed) { return; }
    f->result = install_rule_decide(&f->pointer, &f->content, &f->expedite, &f->state, now);
}

/* The floor holds in memory when the disk does not take it. */
static void raise_floor(struct poll *p, struct rw_wall to)
{
    struct rw_err err;
    if (!rw_is_ok(clock_floor_raise(&p->floor, to, &err))) {
        rw_log(RW_LOG_WARN, "clock_floor_not_saved", "text", err.text);
    }
}

static void poll_one(struct poll *p, size_t index, size_t ring, const struct poll_input *in,
                     struct poll_family *f)
{
    struct poll_memory *m = &p->memory[index];
    struct rw_err err = {.code = RW_E_NONE};
    fill_state(p, in, ring, f);
    struct rw_rc rc = poll_entries_read(p, ring, in, f, &err);
    if (!rw_is_ok(rc)) {
        f->result.decision = INSTALL_REFUSE;
        (void)snprintf(f->result.reason, sizeof(f->result.reason), "%.150s", err.text);
    } else if (!f->has_pointer) {
        f->result.decision = INSTALL_NOTHING;
        (void)snprintf(f->result.reason, sizeof(f->result.reason),
                       "ring '%s' has no entry for '%s'", f->state.ring, f->family);
        f->action = f->state.installed > 0 ? POLL_REMOVE : POLL_NONE;
    } else {
        decide(p, f);
        poll_control_keep(f);
        act(p, m, in, f);
        /* Two engineers signed it offline: that time has passed. */
        if (f->content.listed) { raise_floor(p, f->content.signed_at); }
    }
    (void)snprintf(f->grade, sizeof(f->grade), "%s", m->grade);
    (void)snprintf(f->missing, sizeof(f->missing), "%s", m->missing);
    (void)snprintf(f->verdict, sizeof(f->verdict), "%s", m->verdict);
}

static struct rw_wall trusted_now(const struct poll *p)
{
    return clock_rule_now(rw_clock_wall(&p->o.clock), p->floor.at);
}

static RW_RC refresh(struct poll *p, struct poll_output *out, size_t *ring_out, struct rw_err *err)
{
    bool changed = false;
    RW_TRY(trust_store_poll(&p->trust, trusted_now(p), &changed, err));
    raise_floor(p, rw_clock_wall(&p->o.clock));
    for (size_t i = 0; changed && i < p->o.family_count; i++) {
        p->memory[i].permit_refused = false; /* "ask again only when metadata change" */
    }
    RW_TRY(load_policy(p, err));
    RW_TRY(find_ring(p, ring_out, err));
    const struct ring_policy_ring *r = &p->policy.rings[*ring_out];
    (void)snprintf(out->ring, sizeof(out->ring), "%s", r->name);
    out->bucket_lo = r->bucket_lo;
    out->bucket_hi = r->bucket_hi;
    out->ring_spread_s = r->spread_s;
    out->hard_min_s = p->policy.hard_min_s;
    return RW_OK;
}

static void begin_output(const struct poll *p, struct poll_output *out)
{
    *out = (struct poll_output){.retry_after_s = -1, .family_count = p->o.family_count};
    out->ring_configured = p->o.ring[0] != '\0';
    for (size_t i = 0; i < out->family_count; i++) {
        (void)snprintf(out->families[i].family, INSTALL_NAME_BYTES, "%s", p->o.families[i]);
        out->families[i].retry_after_s = -1;
    }
}

/* Every safeguard that does not hold is told (INV-12). */
static void end_output(struct poll *p, uint64_t answers_before, struct poll_output *out)
{
    const struct clock_rule_evidence clock = {.wall = rw_clock_wall(&p->o.clock),
                                              .floor = p->floor.at,
                                              .answered = p->trust.answered,
                                              .root_expires = trust_store_root_expires(&p->trust),
                                              .timestamp_expires = p->trust.served_expires};
    out->clock = clock_rule_judge(&clock);
    out->floor = p->floor.at;
    out->control_count = p->control_count;
    rw_copy(out->controls, sizeof(out->controls), p->controls, sizeof(p->controls));
    out->has_limits = p->has_policy;
    out->limits = p->policy.controls;
    out->answered = http_client_answers(p->api) + http_client_answers(p->content) != answers_before;
    out->store_full = p->store_full;
    out->retry_after_s = p->trust.retry_after_s;
    if (p->trust.older_since.s > 0) { out->retry_after_s = OLDER_RETRY_S; }
    if (p->enrol_retry_after_s > out->retry_after_s) {
        out->retry_after_s = p->enrol_retry_after_s;
    }
    out->expires = trust_store_expires(&p->trust);
    out->role_count = trust_store_roles(&p->trust, out->roles, POLL_ROLES_MAX);
    (void)snprintf(out->trust, sizeof(out->trust), "%s",
                   trust_store_name(&p->trust, trusted_now(p)));
    (void)snprintf(out->token, sizeof(out->token), "%s", p->token);
}

void poll_run(struct poll *p, const struct poll_input *in, struct poll_output *out)
{
    size_t ring = 0;
    struct poll_input now = *in;
    struct rw_err enrol = {.code = RW_E_NONE};
    uint64_t answers = http_client_answers(p->api) + http_client_answers(p->content);
    begin_output(p, out);
    p->store_full = false;
    /* Without a token going back still works: it needs signed metadata only. */
    if (in->token_refused) { poll_enrol_forget(p); }
    struct rw_rc enrolled = poll_enrol(p, &enrol);
    if (rw_is_ok(enrolled) && in->renew_token) { poll_enrol_renew(p); }
    struct rw_rc rc = refresh(p, out, &ring, &out->err);
    out->ok = rw_is_ok(rc);
    if (out->ok) { poll_control_begin(p, in); }
    now.may_begin = now.may_begin && rw_is_ok(enrolled);
    poll_fetch_wanted(p, in);
    for (size_t i = 0; out->ok && i < out->family_count; i++) {
        poll_one(p, i, ring, &now, &out->families[i]);
        /* One change at a time: a second permit would only lie about and count as pending. */
        if (out->families[i].action != POLL_NONE) { now.may_begin = false; }
    }
    if (out->ok && !rw_is_ok(enrolled)) {
        out->ok = false;
        out->err = enrol;
    }
    end_output(p, answers, out);
}

RW_RC poll_recheck(const struct poll_family *f, const struct poll_output *o, struct rw_wall now,
                   struct rw_err *err)
{
    /* Expiry by the floor when the clock is behind it; the bake by the clock alone, which can only delay. */
    if (o->expires.s <= clock_rule_now(now, o->floor).s) {
        return rw_fail(err, RW_E_TUF_EXPIRED, "the metadata behind %s/%lld have expired", f->family,
                       (long long)f->content.release);
    }
    if (f->action == POLL_REMOVE) { return RW_OK; }
    const struct install_rule_result r =
        install_rule_decide(&f->pointer, &f->content, &f->expedite, &f->state, now);
    enum install_rule_decision wanted = f->action == POLL_REVERT ? INSTALL_REVERT : INSTALL_GO;
    if (f->action == POLL_NONE || r.decision != wanted) {
        return rw_fail(err, RW_E_POLICY, "%s/%lld may not begin any more: %s", f->family,
                       (long long)f->content.release, r.reason);
    }
    return RW_OK;
}
