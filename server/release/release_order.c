#include "server/release/release_order.h"

#include "common/base/num.h"
#include "common/json/json_canon.h"
#include "common/tuf/tuf_write.h"
#include "server/release/approval_rule.h"
#include "server/release/release_order_tosign.h"
#include "server/release/release_record.h"
#include "server/report/audit_log.h"

#include <stdio.h>
#include <string.h>

#define CANON_BYTES_MAX ((size_t)2 * RELEASE_TOSIGN_BYTES_MAX)

/* An order, the release that it is about (number 0: none) and the repository that it must fit. */
struct session {
    struct release_domain *d;
    struct release_order o;
    struct release r;
    struct release_order_payload payload;
    struct release_repo repo;
    struct rw_wall now;
};

static void session_drop(struct session *s)
{
    release_order_drop(&s->o);
    release_drop(&s->r);
    release_repo_drop(&s->repo);
}

static struct session session_make(struct release_domain *d)
{
    return (struct session){
        .d = d, .o = release_order_make(), .r = release_make(), .now = rw_clock_wall(&d->clock)};
}

/* --- the store --- */
static RW_RC load(struct session *s, const struct release_order_id *id, struct rw_err *err)
{
    char key[RELEASE_ORDER_KEY_BYTES];
    int64_t generation = 0;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORE_DOC_BYTES_MAX);
    release_order_id_key(id, key);
    struct rw_rc rc = store_doc_get(s->d->store, "order", key, &body, &generation, err);
    if (rc.code == RW_E_NOT_FOUND) {
        return rw_fail(err, RW_E_NOT_FOUND, "there is no order to %s %s/%lld",
                       release_order_kind_name(id->kind), id->release.family,
                       (long long)id->release.number);
    }
    RW_TRY(rc);
    return release_order_read_stored(rw_buf_span(&body), generation, &s->o, err);
}

/* The order must be loaded or read. */
static RW_RC load_surroundings(struct session *s, struct rw_err *err)
{
    const struct release_id *id = &s->o.id.release;
    RW_TRY(release_repo_read(s->d->repo_dir, id->family, &s->repo, err));
    if (id->number == 0) { return RW_OK; }
    RW_TRY(release_record_load(s->d, id, &s->r, err));
    s->payload.bytes = s->r.payload.bytes;
    rw_copy(s->payload.sha256, sizeof(s->payload.sha256), s->r.payload.sha256,
            sizeof(s->r.payload.sha256));
    return RW_OK;
}

static RW_RC put_order(struct session *s, struct rw_span body, const struct release_record_act *act,
                       struct rw_err *err)
{
    char object[RELEASE_ORDER_KEY_BYTES];
    struct store_doc doc = {.generation = s->o.generation + 1, .body = body};
    release_order_told_forget(&s->d->index->orders); /* whatever becomes of it */
    release_order_id_key(&s->o.id, doc.id);
    (void)snprintf(object, sizeof(object), "%s/%s/%lld", release_order_kind_name(s->o.id.kind),
                   s->o.id.release.family, (long long)s->o.id.release.number);
    const struct audit_log_entry entry = {.actor = act->actor,
                                          .action = act->action,
                                          .object = object,
                                          .reason = act->reason,
                                          .details = act->details};
    RW_TRY(store_doc_put(s->d->store, "order", &doc, err));
    return audit_log_append(s->d->store, &entry, s->now, err);
}

/* A withdrawal that is in force changes the release, too: one transaction (INV-9). */
static RW_RC put_all(struct session *s, struct rw_span body, const struct release_record_act *act,
                     struct rw_err *err)
{
    const struct release_record_act gone = {
        .actor = act->actor, .action = "release.withdraw", .reason = s->o.reason};
    RW_TRY(put_order(s, body, act, err));
    if (s->o.id.kind != RELEASE_ORDER_WITHDRAW || s->o.state != RELEASE_ORDER_DONE) {
        return RW_OK;
    }
    if (s->r.state == RELEASE_WITHDRAWN) { return RW_OK; }
    RW_TRY(sm_move(&release_rule_states, &s->r.state, RELEASE_WITHDRAWN, err));
    return release_record_put(s->d, &s->r, &gone, err);
}

static RW_RC save(struct session *s, const struct release_record_act *act, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORE_DOC_BYTES_MAX);
    RW_TRY(release_order_write_stored(&s->o, &body, err));
    RW_TRY(store_begin(s->d->store, err));
    struct rw_rc rc = put_all(s, rw_buf_span(&body), act, err);
    if (rw_is_ok(rc)) { rc = store_commit(s->d->store, err); }
    if (!rw_is_ok(rc)) {
        store_rollback(s->d->store);
        release_index_forget(s->d->index); /* nobody knows what was kept */
        return rc;
    }
    s->o.generation++;
    return RW_OK;
}

static RW_RC answer(const struct session *s, struct rw_buf *out, struct rw_err *err)
{
    struct json_writer w = json_begin(out);
    release_order_put_public(&w, NULL, &s->o);
    return json_done(&w, err);
}

/* --- asking --- */
static RW_RC may_be(const struct session *s, struct rw_err *err)
{
    if (s->o.id.release.number > 0) {
        RW_TRY(release_record_require(&s->r, s->r.state == RELEASE_PUBLISHED,
                                      "an order is about what agents may have", err));
    }
    return release_order_tosign_may(&s->repo, &s->o, &s->payload, err);
}

static bool says_the_same(const struct release_order *a, const struct release_order *b)
{
    bool same = a->state == RELEASE_ORDER_OPEN && a->floor == b->floor && a->for_s == b->for_s &&
                strcmp(a->reason, b->reason) == 0 && a->ring_count == b->ring_count;
    for (size_t i = 0; same && i < a->ring_count; i++) {
        same = strcmp(a->rings[i], b->rings[i]) == 0;
    }
    return same;
}

RW_RC release_order_ask(struct release_domain *d, const char *by, struct rw_span body,
                        struct rw_buf *out, struct rw_err *err)
{
    struct rw_err absent;
    RW_AUTO(session) struct session had = session_make(d);
    RW_AUTO(session) struct session s = session_make(d);
    RW_TRY(release_order_read_request(body, &s.o, err));
    RW_TRY(rw_span_to_str(s.o.author, sizeof(s.o.author), rw_span_str(by), "author", err));
    RW_TRY(load_surroundings(&s, err));
    struct rw_rc rc = load(&had, &s.o.id, &absent);
    if (rw_is_ok(rc) && says_the_same(&had.o, &s.o)) { return answer(&had, out, err); }
    if (!rw_is_ok(rc) && rc.code != RW_E_NOT_FOUND) {
        return rw_fail(err, rc.code, "%s", absent.text);
    }
    RW_TRY(may_be(&s, err));
    s.o.generation = had.o.generation;
    s.o.state = RELEASE_ORDER_OPEN;
    s.o.created = s.now;
    RW_TRY(release_order_tosign_write(&s.repo, &s.o, &s.payload, s.now, err));
    const struct release_record_act act = {
        .actor = by, .action = "order.ask", .reason = s.o.reason};
    RW_TRY(save(&s, &act, err));
    return answer(&s, out, err);
}

/* --- looking --- */
RW_RC release_order_show(struct release_domain *d, const struct release_order_id *id,
                         struct rw_buf *out, struct rw_err *err)
{
    RW_AUTO(session) struct session s = session_make(d);
    RW_TRY(load(&s, id, err));
    return answer(&s, out, err);
}

struct listing {
    struct json_writer *w;
    struct release_order_id last;
};

static RW_RC put_one(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    struct listing *l = arg;
    RW_AUTO(release_order) struct release_order o = release_order_make();
    RW_TRY(release_order_read_stored(doc->body, doc->generation, &o, err));
    release_order_put_public(l->w, NULL, &o);
    l->last = o.id;
    return RW_OK;
}

RW_RC release_order_list(struct release_domain *d, struct store_page *page, struct rw_buf *out,
                         struct rw_err *err)
{
    struct json_writer w = json_begin(out);
    struct listing l = {.w = &w};
    char next[RELEASE_ORDER_KEY_BYTES];
    json_open_object(&w, NULL);
    json_open_array(&w, "orders");
    RW_TRY(store_page_each(d->store, "order", page, put_one, &l, err));
    json_close_array(&w);
    (void)snprintf(next, sizeof(next), "%s/%s/%lld", release_order_kind_name(l.last.kind),
                   l.last.release.family, (long long)l.last.release.number);
    if (page->more) { json_put_str(&w, "next", next); }
    json_close_object(&w);
    return json_done(&w, err);
}

/* --- the document --- */
static RW_RC finish(struct session *s, const char *by, struct rw_err *err)
{
    RW_TRY(sm_move(&release_order_states, &s->o.state, RELEASE_ORDER_DONE, err));
    s->o.done = s->now;
    const struct release_record_act act = {
        .actor = by, .action = "order.done", .reason = s->o.reason};
    return save(s, &act, err);
}

/* A crash between the repository and the store: what is in force is only recorded. */
static RW_RC settle(struct session *s, const char *by, bool *in_force_out, struct rw_err *err)
{
    RW_TRY(release_order_tosign_in_force(&s->repo, &s->o, in_force_out, err));
    return *in_force_out ? finish(s, by, err) : RW_OK;
}

static RW_RC make_anew(struct session *s, const char *by, const char *why, struct rw_err *err)
{
    RW_TRY(may_be(s, err));
    RW_TRY(release_order_tosign_write(&s->repo, &s->o, &s->payload, s->now, err));
    const struct release_record_act act = {.actor = by, .action = "order.tosign", .reason = why};
    return save(s, &act, err);
}

static RW_RC require_open(const struct session *s, struct rw_err *err)
{
    if (s->o.state == RELEASE_ORDER_OPEN) { return RW_OK; }
    return rw_fail(err, RW_E_POLICY, "the order is in force already: nothing is to be signed");
}

RW_RC release_order_tosign(struct release_domain *d, const struct release_order_id *id,
                           struct rw_buf *out, struct rw_err *err)
{
    const char *why = NULL;
    bool in_force = false;
    RW_AUTO(session) struct session s = session_make(d);
    RW_TRY(load(&s, id, err));
    RW_TRY(require_open(&s, err));
    RW_TRY(load_surroundings(&s, err));
    RW_TRY(settle(&s, "server", &in_force, err));
    RW_TRY(require_open(&s, err));
    RW_TRY(release_order_tosign_fits(&s.repo, &s.o, s.now, &why, err));
    if (why != NULL) { RW_TRY(make_anew(&s, "server", why, err)); }
    return rw_buf_append(out, rw_buf_span(&s.o.tosign), err);
}

/* --- signatures --- */
static RW_RC require_fit(struct session *s, const char *by, struct rw_err *err)
{
    const char *why = NULL;
    RW_TRY(release_order_tosign_fits(&s->repo, &s->o, s->now, &why, err));
    if (why == NULL) { return RW_OK; }
    RW_TRY(make_anew(s, by, why, err));
    RW_IGNORE(rw_fail(err, RW_E_STALE, "%s: the document was made anew and has no signatures", why),
              "the hint follows");
    return rw_hint(err, "fetch it again (release sign does) and sign that one");
}

static RW_RC check_signature(const struct session *s, const struct release_signature *sig,
                             struct rw_err *err)
{
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(rw_buf) struct rw_buf canon = rw_buf_make(CANON_BYTES_MAX);
    RW_TRY(json_parse(rw_buf_span(&s->o.tosign), &json_limits_metadata, &tree, err));
    RW_TRY(json_canon(tree, &canon, err));
    return tuf_sigset_check_one(release_order_tosign_authority(&s->repo, &s->o),
                                rw_span_str(sig->keyid), rw_buf_span(&canon),
                                rw_span_str(sig->sig_hex), err);
}

/* Every stored signature was verified; here they become votes of distinct public keys. Who asked has a vote like the
 * others: an order brings nothing new onto an endpoint. */
static struct approval_rule_result approval(const struct session *s)
{
    struct approval_rule_signature votes[RELEASE_SIGNATURES_MAX];
    const struct tuf_sigset_authority *a = release_order_tosign_authority(&s->repo, &s->o);
    size_t n = 0;
    for (size_t i = 0; i < s->o.signature_count; i++) {
        for (size_t k = 0; k < a->count; k++) {
            if (strcmp(a->keys[k].id, s->o.signatures[i].keyid) != 0) { continue; }
            votes[n++] = (struct approval_rule_signature){.voter = a->voter[k]};
            break;
        }
    }
    return approval_rule_decide(votes, n, a->threshold);
}

static RW_RC keep_signature(struct session *s, const struct release_signature *sig,
                            struct rw_err *err)
{
    struct release_order *o = &s->o;
    char reason[64];
    char details[DIGEST_HEX_BYTES + 16];
    for (size_t i = 0; i < o->signature_count; i++) {
        if (strcmp(o->signatures[i].keyid, sig->keyid) == 0) { return RW_OK; }
    }
    if (o->signature_count == RELEASE_SIGNATURES_MAX) {
        return rw_fail(err, RW_E_RANGE, "an order takes %d signatures at most",
                       RELEASE_SIGNATURES_MAX);
    }
    o->signatures[o->signature_count++] = *sig;
    const struct approval_rule_result a = approval(s);
    (void)snprintf(reason, sizeof(reason), "%lld of %lld", (long long)a.votes, (long long)a.needed);
    (void)snprintf(details, sizeof(details), "{\"keyid\":\"%s\"}", sig->keyid);
    const struct release_record_act act = {.actor = sig->by,
                                           .action = "order.sign",
                                           .reason = reason,
                                           .details = rw_span_str(details)};
    return save(s, &act, err);
}

/* --- putting into force --- */
static RW_RC hand_to_signer(const struct session *s, struct rw_err *err)
{
    struct tuf_write_sig sigs[RELEASE_SIGNATURES_MAX];
    RW_AUTO(rw_buf) struct rw_buf envelope = rw_buf_make(CANON_BYTES_MAX);
    const struct release_publisher *p = &s->d->publisher;
    for (size_t i = 0; i < s->o.signature_count; i++) {
        rw_copy(sigs[i].keyid, sizeof(sigs[i].keyid), s->o.signatures[i].keyid,
                sizeof(s->o.signatures[i].keyid));
        rw_copy(sigs[i].sig_hex, sizeof(sigs[i].sig_hex), s->o.signatures[i].sig_hex,
                sizeof(s->o.signatures[i].sig_hex));
    }
    RW_TRY(tuf_write_envelope_of(rw_buf_span(&s->o.tosign), sigs, s->o.signature_count, &envelope,
                                 err));
    if (s->o.id.kind == RELEASE_ORDER_EXPEDITE) {
        return p->publish_expedite(p->ctx, rw_buf_span(&envelope), err);
    }
    return p->publish_role(p->ctx, s->o.id.release.family, rw_buf_span(&envelope), err);
}

/* NOLINTNEXTLINE(readability-function-size): which order, whose signature, and what came of it */
RW_RC release_order_sign(struct release_domain *d, const struct release_order_id *id,
                         const char *by, struct rw_span body, struct rw_buf *out, bool *done_out,
                         struct rw_err *err)
{
    struct release_signature sig;
    bool in_force = false;
    RW_AUTO(session) struct session s = session_make(d);
    RW_TRY(release_read_signature(body, &sig, err));
    RW_TRY(rw_span_to_str(sig.by, sizeof(sig.by), rw_span_str(by), "name", err));
    RW_TRY(load(&s, id, err));
    RW_TRY(require_open(&s, err));
    RW_TRY(load_surroundings(&s, err));
    RW_TRY(settle(&s, by, &in_force, err));
    if (!in_force) {
        RW_TRY(require_fit(&s, by, err));
        RW_TRY(check_signature(&s, &sig, err));
        RW_TRY(keep_signature(&s, &sig, err));
        if (approval(&s).approved) {
            RW_TRY(hand_to_signer(&s, err));
            RW_TRY(finish(&s, by, err));
            in_force = true;
        }
    }
    *done_out = in_force;
    return answer(&s, out, err);
}

/* --- alarms --- */
static void tell_withdrawn(const struct release_id *id, int64_t on, struct json_writer *w)
{
    char text[200];
    if (on <= 0) { return; }
    (void)snprintf(text, sizeof(text), "%lld endpoint%s still %s %s/%lld, which was withdrawn",
                   (long long)on, rw_plural(on), on == 1 ? "has" : "have", id->family,
                   (long long)id->number);
    json_put_str(w, NULL, text);
}

RW_RC release_order_write_alarms(struct release_domain *d, struct rw_wall now,
                                 int64_t (*on)(const void *ctx, const char *family,
                                               int64_t release),
                                 const void *ctx, struct json_writer *w, struct rw_err *err)
{
    struct release_order_told *told = &d->index->orders;
    RW_TRY(release_order_told_load(told, d->store, now, err));
    for (size_t i = 0; i < told->count; i++) {
        const struct release_order_told_one *one = &told->at[i];
        bool over = one->until.s != 0 && one->until.s <= now.s;
        if (one->text[0] != '\0') {
            if (!over) { json_put_str(w, NULL, one->text); }
        } else if (on != NULL) {
            int64_t n = on(ctx, one->release.family, one->release.number);
            tell_withdrawn(&one->release, n, w);
        }
    }
    return RW_OK;
}
