#include "server/api/api_forget.h"

#include "server/api/token_doc.h"
#include "server/release/release_codec.h"
#include "server/release/release_order_codec.h"
#include "server/report/audit_log.h"
#include "server/rollout/second.h"

#include <stdio.h>
#include <string.h>

enum { PASS_MAX = 1024, TURN_MAX = 256, DETAILS_BYTES_MAX = 256 };

enum fate { FATE_KEEP, FATE_TRIM, FATE_REMOVE };

struct run;

/* How one kind of documents is judged; FATE_TRIM gives the body that takes its place. */
struct kind {
    const char *doc;    /* kind in the store */
    const char *name;   /* for metrics */
    const char *object; /* for the audit log */
    RW_RC(*judge)
    (const struct run *r, const struct store_doc *doc, struct rw_buf *body, enum fate *out,
     struct rw_err *err);
};

struct run {
    const struct api_forget_settings *set;
    const struct kind *kind;
    struct rw_buf body; /* scratch */
    size_t count;
    char ids[PASS_MAX][STORE_ID_BYTES];
};

static RW_RC judge_token(const struct run *r, const struct store_doc *doc, struct rw_buf *body,
                         enum fate *out, struct rw_err *err)
{
    struct token_doc t;
    (void)body;
    RW_TRY(token_doc_read(doc->body, &t, err));
    const struct forget_token f = {t.revoked, t.revoked_at.s, t.token.once, t.until.s};
    *out = forget_rule_token(&r->set->limits, &f) ? FATE_REMOVE : FATE_KEEP;
    return RW_OK;
}

/* A withdrawal goes on to be shown while endpoints have its release, a renewal is one document per family. */
static RW_RC judge_order(const struct run *r, const struct store_doc *doc, struct rw_buf *body,
                         enum fate *out, struct rw_err *err)
{
    RW_AUTO(release_order) struct release_order o = release_order_make();
    RW_TRY(release_order_read_stored(doc->body, doc->generation, &o, err));
    bool expedite = o.id.kind == RELEASE_ORDER_EXPEDITE;
    const struct forget_order f = {o.state == RELEASE_ORDER_DONE, o.done.s,
                                   expedite ? o.until.s : 0};
    *out = FATE_KEEP;
    if (!forget_rule_order(&r->set->limits, &f)) { return RW_OK; }
    if (expedite) {
        *out = FATE_REMOVE;
        return RW_OK;
    }
    if (o.tosign.n == 0) { return RW_OK; }
    rw_buf_clear(&o.tosign);
    *out = FATE_TRIM;
    return release_order_write_stored(&o, body, err);
}

static RW_RC judge_request(const struct run *r, const struct store_doc *doc, struct rw_buf *body,
                           enum fate *out, struct rw_err *err)
{
    struct second s;
    (void)body;
    RW_TRY(second_read(doc, &s, err));
    const struct forget_request f = {s.decided.s > 0, s.decided.s, s.until.s};
    *out = forget_rule_request(&r->set->limits, &f) ? FATE_REMOVE : FATE_KEEP;
    return RW_OK;
}

static RW_RC is_listed(const struct run *r, const struct release *rel, bool *out,
                       struct rw_err *err)
{
    uint8_t sha256[DIGEST_BYTES];
    *out = false;
    if (!rel->payload.declared) { return RW_OK; }
    RW_TRY(rw_hex_decode(sha256, sizeof(sha256), rw_span_str(rel->payload.sha256),
                         "hash of a payload", err));
    *out = r->set->listed(r->set->listed_ctx, sha256);
    return RW_OK;
}

static RW_RC judge_release(const struct run *r, const struct store_doc *doc, struct rw_buf *body,
                           enum fate *out, struct rw_err *err)
{
    RW_AUTO(release) struct release rel = release_make();
    struct forget_release f = {.over = false};
    RW_TRY(release_read_stored(doc->body, doc->generation, &rel, err));
    RW_TRY(is_listed(r, &rel, &f.listed, err));
    f.over = rel.state == RELEASE_PUBLISHED || rel.state == RELEASE_REFUSED ||
             rel.state == RELEASE_WITHDRAWN;
    f.created_s = rel.created.s;
    *out = FATE_KEEP;
    bool bulk = rel.check.n > 0 || rel.tosign.n > 0;
    if (!bulk || !forget_rule_release(&r->set->limits, &f)) { return RW_OK; }
    rw_buf_clear(&rel.check);
    rw_buf_clear(&rel.tosign);
    rel.trimmed = true;
    *out = FATE_TRIM;
    return release_write_stored(&rel, body, err);
}

static const struct kind kinds[API_FORGET_KINDS] = {
    [API_FORGET_TOKEN] = {"token", "token", "tokens", judge_token},
    [API_FORGET_ORDER] = {"order", "order", "orders", judge_order},
    [API_FORGET_REQUEST] = {SECOND_DOC_KIND, "request", "requests for a second person",
                            judge_request},
    [API_FORGET_RELEASE] = {"release", "release", "verdicts and signed documents of releases",
                            judge_release},
};

const char *api_forget_name(enum api_forget_kind kind)
{
    return kinds[kind].name;
}

/* --- finding --- */

static RW_RC find(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    struct run *r = arg;
    enum fate fate = FATE_KEEP;
    if (r->count == PASS_MAX) { return RW_OK; }
    rw_buf_clear(&r->body);
    if (!rw_is_ok(r->kind->judge(r, doc, &r->body, &fate, err))) {
        return rw_wrap(err, "%s '%s' in the store", r->kind->doc, doc->id);
    }
    if (fate == FATE_KEEP) { return RW_OK; }
    rw_copy(r->ids[r->count++], STORE_ID_BYTES, doc->id, sizeof(doc->id));
    return RW_OK;
}

/* --- changing --- */

/* Judged anew: it may have changed since it was found. */
static RW_RC apply_one(struct run *r, const char *id, uint64_t *done, struct rw_err *err)
{
    enum fate fate = FATE_KEEP;
    struct store_doc doc = {.generation = 0};
    RW_AUTO(rw_buf) struct rw_buf now = rw_buf_make(STORE_DOC_BYTES_MAX);
    rw_copy(doc.id, sizeof(doc.id), id, STORE_ID_BYTES);
    struct rw_rc rc = store_doc_get(r->set->store, r->kind->doc, id, &now, &doc.generation, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    doc.body = rw_buf_span(&now);
    rw_buf_clear(&r->body);
    RW_TRY(r->kind->judge(r, &doc, &r->body, &fate, err));
    if (fate == FATE_KEEP) { return RW_OK; }
    (*done)++;
    if (fate == FATE_REMOVE) {
        return store_doc_remove(r->set->store, r->kind->doc, id, doc.generation, err);
    }
    doc.generation++;
    doc.body = rw_buf_span(&r->body);
    return store_doc_put(r->set->store, r->kind->doc, &doc, err);
}

static RW_RC apply(struct run *r, size_t from, size_t to, uint64_t *done, struct rw_err *err)
{
    char details[DETAILS_BYTES_MAX];
    for (size_t i = from; i < to; i++) {
        RW_TRY(apply_one(r, r->ids[i], done, err));
    }
    if (*done == 0) { return RW_OK; }
    (void)snprintf(details, sizeof(details), "{\"count\":%llu}", (unsigned long long)*done);
    const struct audit_log_entry entry = {.actor = "server",
                                          .action = "server.forget",
                                          .object = r->kind->object,
                                          .reason = "over for long",
                                          .details = rw_span_str(details)};
    return audit_log_append(r->set->store, &entry, (struct rw_wall){r->set->limits.now_s}, err);
}

static RW_RC apply_found(struct run *r, uint64_t *done_out, struct rw_err *err)
{
    for (size_t from = 0; from < r->count; from += TURN_MAX) {
        size_t to = from + TURN_MAX < r->count ? from + TURN_MAX : r->count;
        uint64_t done = 0;
        if (r->set->stopping != NULL && r->set->stopping(r->set->stopping_ctx)) { return RW_OK; }
        RW_TRY(store_begin(r->set->store, err));
        struct rw_rc rc = apply(r, from, to, &done, err);
        if (!rw_is_ok(rc)) {
            store_rollback(r->set->store);
            return rc;
        }
        RW_TRY(store_commit(r->set->store, err));
        *done_out += done;
    }
    return RW_OK;
}

static RW_RC run_all(struct run *r, uint64_t done_out[static API_FORGET_KINDS], struct rw_err *err)
{
    for (size_t k = 0; k < API_FORGET_KINDS; k++) {
        r->kind = &kinds[k];
        do {
            r->count = 0;
            RW_TRY(store_doc_each(r->set->store, r->kind->doc, find, r, err));
            RW_TRY(apply_found(r, &done_out[k], err));
            if (r->set->stopping != NULL && r->set->stopping(r->set->stopping_ctx)) {
                return RW_OK;
            }
        } while (r->count == PASS_MAX);
    }
    return RW_OK;
}

RW_RC api_forget_run(const struct api_forget_settings *s,
                     uint64_t done_out[static API_FORGET_KINDS], struct rw_err *err)
{
    if (s->limits.age_s == 0) { return RW_OK; }
    struct run *r = rw_mem_new(sizeof(*r));
    if (r == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a list of records"); }
    r->set = s;
    r->body = rw_buf_make(STORE_DOC_BYTES_MAX);
    struct rw_rc rc = run_all(r, done_out, err);
    rw_buf_drop(&r->body);
    rw_mem_free(r);
    return rc;
}
