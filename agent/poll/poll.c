#include "agent/poll/poll_state.h"

#include "agent/fetch/content_store.h"
#include "common/base/log.h"

#include <stdio.h>
#include <string.h>

enum { API_MS = 20 * 1000, CONTENT_MS = 15 * 60 * 1000, URL_PATH_BYTES = 512 };

RW_RC poll_open(const struct poll_options *o, struct poll **out, struct rw_err *err)
{
    struct poll *p = rw_mem_new(sizeof(*p));
    bool reset = false;
    if (p == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the poll"); }
    p->o = *o;
    struct http_client_options http = {
        .base_url = o->server, .ca_file = o->ca_file, .total_ms = API_MS};
    struct rw_rc rc = http_client_open(&http, &p->api, err);
    http.total_ms = CONTENT_MS;
    if (rw_is_ok(rc)) { rc = http_client_open(&http, &p->content, err); }
    if (rw_is_ok(rc)) {
        rc = trust_store_open(o->state_dir, o->root, p->api, &p->trust, &reset, err);
    }
    if (!rw_is_ok(rc)) {
        poll_drop(&p);
        return rc;
    }
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
    s->abandoned_count = in->abandoned_count;
    rw_copy(s->abandoned, sizeof(s->abandoned), in->abandoned, sizeof(in->abandoned));
}

/* Reads both entries. A pointer that is not there is an answer; any other failure is none. */
static RW_RC read_entries(struct poll *p, size_t ring, struct poll_family *f, struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    char class_name[INSTALL_NAME_BYTES] = "";
    struct tuf_target t;
    size_t class_index = 0;
    RW_TRY(entry_codec_pointer_path(f->state.ring, f->family, path, err));
    struct rw_rc rc = trust_store_find(&p->trust, path, &t, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    RW_TRY(entry_codec_read_pointer(&t, &f->pointer, err));
    f->has_pointer = true;
    RW_TRY(entry_codec_content_path(f->family, f->pointer.release, path, err));
    rc = trust_store_find(&p->trust, path, &t, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; } /* content.listed stays false: refused */
    RW_TRY(rc);
    RW_TRY(
        entry_codec_read_content(&t, f->state.ring, p->o.platform, &f->content, class_name, err));
    RW_TRY(ring_policy_find_class(&p->policy, class_name, &class_index, err));
    f->state.min_bake_s = ring_policy_min_bake_s(&p->policy, class_index, ring);
    return RW_OK;
}

static bool fetch_content(struct poll *p, struct poll_family *f)
{
    char url[URL_PATH_BYTES];
    char hex[DIGEST_HEX_BYTES];
    struct rw_err err;
    rw_hex_encode(hex, sizeof(hex), f->content.sha256, DIGEST_BYTES);
    (void)snprintf(url, sizeof(url), "/repo/targets/content/%s/%s.%lld.rwc", f->family, hex,
                   (long long)f->content.release);
    const struct content_store_want want = {
        .url_path = url, .length = f->content.length, .sha256 = f->content.sha256};
    if (rw_is_ok(content_store_fetch(p->o.store_dir, p->content, &want, &err))) { return true; }
    (void)snprintf(f->note, sizeof(f->note), "fetch: %.200s", err.text);
    struct rw_log_line l;
    rw_log_begin(&l, RW_LOG_WARN, "fetch_failed");
    rw_log_str(&l, "family", f->family);
    rw_log_err(&l, &err);
    rw_log_end(&l);
    return false;
}

static bool failed_here(const struct poll_family *f)
{
    for (size_t i = 0; i < f->state.abandoned_count; i++) {
        if (memcmp(f->state.abandoned[i], f->content.sha256, DIGEST_BYTES) == 0) { return true; }
    }
    return false;
}

/* Content of the revert must be whole and proven too; bake and permit are not asked (halting must not wait). */
static void act(struct poll *p, struct poll_memory *m, const struct poll_input *in,
                struct poll_family *f)
{
    switch (f->result.decision) {
    case INSTALL_GO:
        if (!in->may_begin || !fetch_content(p, f) || !poll_prove(p, m, in, f)) { return; }
        poll_permit(p, m, f);
        return;
    case INSTALL_REVERT:
        if (failed_here(f)) {
            (void)snprintf(f->note, sizeof(f->note), "the older release failed here: not repeated");
            return;
        }
        if (fetch_content(p, f) && poll_prove(p, m, in, f)) { f->action = POLL_REVERT; }
        return;
    case INSTALL_WAIT: /* fetched ahead: the line is quiet while the bake lasts */
        (void)fetch_content(p, f);
        return;
    case INSTALL_NOTHING:
    case INSTALL_HOLD:
    case INSTALL_REFUSE:
        return;
    }
}

static void poll_one(struct poll *p, size_t index, size_t ring, const struct poll_input *in,
                     struct poll_family *f)
{
    struct poll_memory *m = &p->memory[index];
    struct rw_err err = {.code = RW_E_NONE};
    fill_state(p, in, ring, f);
    struct rw_rc rc = read_entries(p, ring, f, &err);
    if (!rw_is_ok(rc)) {
        f->result.decision = INSTALL_REFUSE;
        (void)snprintf(f->result.reason, sizeof(f->result.reason), "%.150s", err.text);
    } else if (!f->has_pointer) {
        f->result.decision = INSTALL_NOTHING;
        (void)snprintf(f->result.reason, sizeof(f->result.reason),
                       "ring '%s' has no entry for '%s'", f->state.ring, f->family);
        f->action = f->state.installed > 0 ? POLL_REMOVE : POLL_NONE;
    } else {
        f->result =
            install_rule_decide(&f->pointer, &f->content, &f->state, rw_clock_wall(&p->o.clock));
        act(p, m, in, f);
    }
    (void)snprintf(f->grade, sizeof(f->grade), "%s", m->grade);
    (void)snprintf(f->missing, sizeof(f->missing), "%s", m->missing);
    (void)snprintf(f->verdict, sizeof(f->verdict), "%s", m->verdict);
}

static RW_RC refresh(struct poll *p, struct poll_output *out, size_t *ring_out, struct rw_err *err)
{
    bool changed = false;
    RW_TRY(trust_store_poll(&p->trust, rw_clock_wall(&p->o.clock), &changed, err));
    for (size_t i = 0; changed && i < p->o.family_count; i++) {
        p->memory[i].permit_refused = false; /* "ask again only when metadata change" */
    }
    RW_TRY(load_policy(p, err));
    RW_TRY(find_ring(p, ring_out, err));
    (void)snprintf(out->ring, sizeof(out->ring), "%s", p->policy.rings[*ring_out].name);
    return RW_OK;
}

void poll_run(struct poll *p, const struct poll_input *in, struct poll_output *out)
{
    size_t ring = 0;
    struct poll_input now = *in;
    struct rw_err enrol = {.code = RW_E_NONE};
    *out = (struct poll_output){.retry_after_s = -1, .family_count = p->o.family_count};
    out->ring_configured = p->o.ring[0] != '\0';
    for (size_t i = 0; i < out->family_count; i++) {
        (void)snprintf(out->families[i].family, INSTALL_NAME_BYTES, "%s", p->o.families[i]);
        out->families[i].retry_after_s = -1;
    }
    /* Without a token going back still works: it needs signed metadata only. */
    struct rw_rc enrolled = poll_enrol(p, &enrol);
    struct rw_rc rc = refresh(p, out, &ring, &out->err);
    out->ok = rw_is_ok(rc);
    now.may_begin = now.may_begin && rw_is_ok(enrolled);
    for (size_t i = 0; out->ok && i < out->family_count; i++) {
        poll_one(p, i, ring, &now, &out->families[i]);
        /* One change at a time: a second permit would only lie about and count as pending. */
        if (out->families[i].action != POLL_NONE) { now.may_begin = false; }
    }
    if (out->ok && !rw_is_ok(enrolled)) {
        out->ok = false;
        out->err = enrol;
    }
    out->expires = trust_store_expires(&p->trust);
    (void)snprintf(out->trust, sizeof(out->trust), "%s",
                   trust_store_name(&p->trust, rw_clock_wall(&p->o.clock)));
    (void)snprintf(out->token, sizeof(out->token), "%s", p->token);
}

RW_RC poll_recheck(const struct poll_family *f, struct rw_wall expires, struct rw_wall now,
                   struct rw_err *err)
{
    if (expires.s <= now.s) {
        return rw_fail(err, RW_E_TUF_EXPIRED, "the metadata behind %s/%lld have expired", f->family,
                       (long long)f->content.release);
    }
    if (f->action == POLL_REMOVE) { return RW_OK; }
    const struct install_rule_result r =
        install_rule_decide(&f->pointer, &f->content, &f->state, now);
    enum install_rule_decision wanted = f->action == POLL_REVERT ? INSTALL_REVERT : INSTALL_GO;
    if (f->action == POLL_NONE || r.decision != wanted) {
        return rw_fail(err, RW_E_POLICY, "%s/%lld may not begin any more: %s", f->family,
                       (long long)f->content.release, r.reason);
    }
    return RW_OK;
}
