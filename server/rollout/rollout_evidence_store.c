/* The stored form: one block of little-endian numbers. */
#include "server/health/fleet_bytes.h"
#include "server/rollout/rollout_evidence.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    FORMAT = 4, /* 1: without bases; 2: without `mute`; 3: without what is borrowed and unjudged */
    STORED_BYTES_MAX = 1024 * 1024,
};

static const char evidence_kind[] = "evidence";

static RW_RC put_mix(struct rw_buf *b, const struct late_rule_mix *m, struct rw_err *err)
{
    for (int j = 0; j < LATE_RULE_RATIOS; j++) {
        uint64_t bits = 0;
        rw_copy(&bits, sizeof(bits), &m->l[j], sizeof(m->l[j]));
        RW_TRY(fleet_bytes_put(b, bits, 8, err));
    }
    return RW_OK;
}

static RW_RC get_mix(struct fleet_cursor *c, struct late_rule_mix *m, struct rw_err *err)
{
    for (int j = 0; j < LATE_RULE_RATIOS; j++) {
        uint64_t bits = 0;
        RW_TRY(fleet_bytes_get(c, 8, &bits, err));
        rw_copy(&m->l[j], sizeof(m->l[j]), &bits, sizeof(bits));
        if (!isfinite(m->l[j])) { return rw_fail(err, RW_E_PROTOCOL, "a weight is no number"); }
    }
    return RW_OK;
}

enum { NUMBERS_1 = 10, NUMBERS_2 = 21, NUMBERS_3 = 22, NUMBERS = 26 };

/* The integers of a scope, one list for both directions. */
static void numbers_of(struct rollout_evidence_scope *s, int64_t *list[static NUMBERS])
{
    int64_t *const all[NUMBERS] = {&s->late.windows,
                                   &s->late.windows_dark,
                                   &s->late.control_windows,
                                   &s->late.control_dark,
                                   &s->late.drips,
                                   &s->late_seen,
                                   &s->control_seen,
                                   &s->at_risk,
                                   &s->control,
                                   &s->risk_s,
                                   &s->base.marked,
                                   &s->base.failed,
                                   &s->base.refused,
                                   &s->base.refused_free,
                                   &s->base.storm,
                                   &s->base.slow,
                                   &s->base.dark,
                                   &s->base.late_crash,
                                   &s->base.control_crash,
                                   &s->base.control_noise,
                                   &s->base.lost,
                                   &s->base.mute,
                                   &s->late.borrowed,
                                   &s->late.borrowed_dark,
                                   &s->late.unjudged,
                                   &s->late.unjudged_dark};
    rw_copy((void *)list, sizeof(all), (const void *)all, sizeof(all));
}

static int numbers_in(uint64_t format)
{
    static const int numbers[FORMAT] = {NUMBERS_1, NUMBERS_2, NUMBERS_3, NUMBERS};
    RW_ASSERT(format >= 1 && format <= FORMAT);
    return numbers[format - 1];
}

static RW_RC put_scope(struct rw_buf *b, uint64_t format,
                       const struct rollout_evidence_scope *scope, struct rw_err *err)
{
    struct rollout_evidence_scope s = *scope;
    int64_t *list[NUMBERS];
    numbers_of(&s, list);
    for (int i = 0; i < numbers_in(format); i++) {
        RW_TRY(fleet_bytes_put(b, (uint64_t)*list[i], 8, err));
    }
    RW_TRY(put_mix(b, &s.late.history, err));
    RW_TRY(put_mix(b, &s.late.crash, err));
    return put_mix(b, &s.late.dark, err);
}

static RW_RC get_scope(struct fleet_cursor *c, int numbers, struct rollout_evidence_scope *s,
                       struct rw_err *err)
{
    int64_t *list[NUMBERS];
    numbers_of(s, list);
    for (int i = 0; i < numbers; i++) {
        RW_TRY(fleet_bytes_get_count(c, list[i], err));
    }
    if (s->late.borrowed_dark > s->late.borrowed || s->late.unjudged_dark > s->late.unjudged) {
        return rw_fail(err, RW_E_PROTOCOL, "more windows dark than there were");
    }
    RW_TRY(get_mix(c, &s->late.history, err));
    RW_TRY(get_mix(c, &s->late.crash, err));
    return get_mix(c, &s->late.dark, err);
}

static void id_of(const struct rollout *ro, struct store_doc *doc)
{
    (void)snprintf(doc->id, sizeof(doc->id), "%s/%010lld", ro->family, (long long)ro->release);
}

bool rollout_evidence_is(const struct rollout *ro, const char *kind, const char *id)
{
    struct store_doc doc = {.generation = 0};
    id_of(ro, &doc);
    return strcmp(kind, evidence_kind) == 0 && strcmp(id, doc.id) == 0;
}

/* The least that says everything: while nobody resumed what fell mute, and no ring or cohort without control of its own
 * went through an incident, a program of before can go on with it, on another node or after a step back. */
static uint64_t format_for(const struct rollout_evidence *e)
{
    uint64_t format = 2;
    for (size_t i = 0; i < e->ring_count * e->scope_count; i++) {
        const struct rollout_evidence_scope *s = &e->scopes[i];
        if (s->late.borrowed > 0 || s->late.unjudged > 0) { return 4; }
        if (s->base.mute > 0) { format = 3; }
    }
    return format;
}

RW_RC rollout_evidence_write(const struct rollout_evidence *e, struct rw_buf *into,
                             struct rw_err *err)
{
    uint64_t format = format_for(e);
    RW_TRY(fleet_bytes_put(into, format, 1, err));
    RW_TRY(fleet_bytes_put(into, e->ring_count, 2, err));
    RW_TRY(fleet_bytes_put(into, e->scope_count, 2, err));
    RW_TRY(fleet_bytes_put(into, (uint64_t)e->at_s, 8, err));
    RW_TRY(fleet_bytes_put(into, (uint64_t)e->bucket, 8, err));
    RW_TRY(fleet_bytes_put(into, (uint64_t)e->resumes, 8, err));
    for (size_t i = 0; i < e->ring_count * e->scope_count; i++) {
        RW_TRY(put_scope(into, format, &e->scopes[i], err));
    }
    return RW_OK;
}

RW_RC rollout_evidence_put(struct store *store, const struct rollout *ro,
                           struct rollout_evidence *e, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORED_BYTES_MAX);
    struct store_doc doc = {.generation = e->generation + 1};
    RW_TRY(rollout_evidence_write(e, &body, err));
    id_of(ro, &doc);
    doc.body = rw_buf_span(&body);
    RW_TRY(store_doc_put(store, evidence_kind, &doc, err));
    e->generation++; /* a transaction that fails afterwards reloads everything */
    return RW_OK;
}

RW_RC rollout_evidence_remove(struct store *store, const struct rollout *ro, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORED_BYTES_MAX);
    struct store_doc doc = {.generation = 0};
    id_of(ro, &doc);
    struct rw_rc rc = store_doc_get(store, evidence_kind, doc.id, &body, &doc.generation, err);
    if (rw_is_ok(rc)) { rc = store_doc_remove(store, evidence_kind, doc.id, doc.generation, err); }
    return rc.code == RW_E_NOT_FOUND ? RW_OK : rc;
}

RW_RC rollout_evidence_read(struct rw_span body, struct rollout_evidence *e, struct rw_err *err)
{
    struct fleet_cursor c = {body};
    uint64_t format = 0;
    uint64_t rings = 0;
    uint64_t scopes = 0;
    RW_TRY(fleet_bytes_get(&c, 1, &format, err));
    RW_TRY(fleet_bytes_get(&c, 2, &rings, err));
    RW_TRY(fleet_bytes_get(&c, 2, &scopes, err));
    if (format < 1 || format > FORMAT || rings != e->ring_count || scopes != e->scope_count) {
        return rw_fail(err, RW_E_PROTOCOL, "format %llu with %llu rings of %llu scopes",
                       (unsigned long long)format, (unsigned long long)rings,
                       (unsigned long long)scopes);
    }
    RW_TRY(fleet_bytes_get_count(&c, &e->at_s, err));
    RW_TRY(fleet_bytes_get_count(&c, &e->bucket, err));
    if (format > 1) { RW_TRY(fleet_bytes_get_count(&c, &e->resumes, err)); }
    for (size_t i = 0; i < e->ring_count * e->scope_count; i++) {
        RW_TRY(get_scope(&c, numbers_in(format), &e->scopes[i], err));
    }
    return c.rest.n == 0 ? RW_OK : rw_fail(err, RW_E_PROTOCOL, "bytes behind its end");
}

RW_RC rollout_evidence_load(struct store *store, const struct rollout *ro,
                            struct rollout_evidence *e, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORED_BYTES_MAX);
    struct store_doc doc = {.generation = 0};
    id_of(ro, &doc);
    struct rw_rc rc = store_doc_get(store, evidence_kind, doc.id, &body, &e->generation, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; } /* it begins */
    RW_TRY(rc);
    rc = rollout_evidence_read(rw_buf_span(&body), e, err);
    return rw_is_ok(rc) ? rc : rw_wrap(err, "stored evidence '%s'", doc.id);
}
