#include "server/rollout/rollout_control.h"

#include "common/base/num.h"
#include "server/report/audit_log.h"
#include "server/rollout/rollout_control_hot.h"

#include <stdio.h>
#include <string.h>

#define CONTROL_DOC_KIND "control"

static void id_of(const struct rollout_control_scope *s, char id[static STORE_ID_BYTES])
{
    (void)snprintf(id, STORE_ID_BYTES, "%s.%s", s->endpoint ? "endpoint" : "tenant", s->name);
}

static int compare(const struct rollout_control_scope *a, const struct rollout_control_scope *b)
{
    if (a->endpoint != b->endpoint) { return a->endpoint ? 1 : -1; }
    return strcmp(a->name, b->name);
}

/* Where the scope is, or would be. */
static size_t place_of(const struct rollout_control_set *set, const struct rollout_control_scope *s)
{
    size_t lo = 0;
    size_t hi = set->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (compare(&set->entries[mid].scope, s) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static struct rollout_control_entry *find(const struct rollout_control_set *set,
                                          const struct rollout_control_scope *s)
{
    size_t at = place_of(set, s);
    bool there = at < set->count && compare(&set->entries[at].scope, s) == 0;
    return there ? &set->entries[at] : NULL;
}

static RW_RC insert(struct rollout_control_set *set, const struct rollout_control_entry *e,
                    struct rw_err *err)
{
    if (set->count == ROLLOUT_CONTROL_SCOPES_MAX) {
        return rw_fail(err, RW_E_FULL, "controls of more than %d tenants and endpoints",
                       ROLLOUT_CONTROL_SCOPES_MAX);
    }
    if (set->count == set->cap) {
        size_t cap = set->cap == 0 ? 16 : set->cap * 2;
        struct rollout_control_entry *grown = rw_mem_grow(set->entries, cap, sizeof(*grown));
        if (grown == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for controls"); }
        set->entries = grown;
        set->cap = cap;
    }
    size_t at = place_of(set, &e->scope);
    for (size_t i = set->count; i > at; i--) {
        set->entries[i] = set->entries[i - 1];
    }
    set->entries[at] = *e;
    set->count++;
    return RW_OK;
}

/* --- documents --- */

static RW_RC write_doc(const struct rollout_control_entry *e, struct rw_buf *into,
                       struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_bool(&w, "endpoint", e->scope.endpoint);
    json_put_str(&w, "name", e->scope.name);
    json_open_array(&w, "controls");
    for (size_t i = 0; i < e->count; i++) {
        json_open_object(&w, NULL);
        control_codec_put(&w, "control", &e->set[i].control);
        json_put_str(&w, "by", e->set[i].by);
        json_put_str(&w, "reason", e->set[i].reason);
        json_close_object(&w);
    }
    json_close_array(&w);
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC read_one(const struct json *o, struct rollout_control_one *out, struct rw_err *err)
{
    static const char *const known[] = {"control", "by", "reason"};
    const struct json *control = NULL;
    RW_TRY(json_only(o, known, RW_LEN(known), err));
    RW_TRY(json_get(o, "control", JSON_OBJECT, &control, err));
    RW_TRY(control_codec_get(control, &out->control, err));
    out->control.by_operator = true;
    RW_TRY(json_get_str(o, "by", out->by, sizeof(out->by), err));
    return json_get_str(o, "reason", out->reason, sizeof(out->reason), err);
}

static RW_RC read_doc(struct rw_span body, struct rollout_control_entry *e, struct rw_err *err)
{
    static const char *const known[] = {"endpoint", "name", "controls"};
    const struct json *controls = NULL;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(json_get_bool(tree, "endpoint", &e->scope.endpoint, err));
    RW_TRY(json_get_str(tree, "name", e->scope.name, sizeof(e->scope.name), err));
    RW_TRY(json_get(tree, "controls", JSON_ARRAY, &controls, err));
    if (json_count(controls) > ROLLOUT_CONTROL_SCOPE_MAX) {
        return rw_fail(err, RW_E_RANGE, "more than %d controls", ROLLOUT_CONTROL_SCOPE_MAX);
    }
    for (const struct json *o = json_first(controls); o != NULL; o = json_next(o)) {
        RW_TRY(read_one(o, &e->set[e->count++], err));
    }
    return RW_OK;
}

static RW_RC load_one(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    struct rollout_control_entry e = {.generation = doc->generation};
    if (!rw_is_ok(read_doc(doc->body, &e, err))) {
        return rw_wrap(err, "control '%s' in the store", doc->id);
    }
    return insert(arg, &e, err);
}

RW_RC rollout_control_open(struct store *store, struct rollout_control_set **out,
                           struct rw_err *err)
{
    struct rollout_control_set *set = rw_mem_new(sizeof(*set));
    if (set == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for controls"); }
    set->store = store;
    struct rw_rc rc = store_doc_each(store, CONTROL_DOC_KIND, load_one, set, err);
    if (!rw_is_ok(rc)) { rollout_control_drop(&set); }
    *out = set;
    return rc;
}

void rollout_control_drop(struct rollout_control_set **set)
{
    if (*set == NULL) { return; }
    rw_mem_free((*set)->entries);
    rw_mem_free(*set);
    *set = NULL;
}

/* --- changes --- */

struct change {
    const struct rollout_control_entry *next;
    const char *action;
    const char *control; /* "": all of them */
    const struct rollout_run_actor *actor;
    struct rw_wall now;
};

static RW_RC store_change(struct rollout_control_set *set, const struct change *c,
                          struct rw_err *err)
{
    char object[160];
    const struct rollout_control_scope *scope = &c->next->scope;
    struct store_doc doc = {.generation = c->next->generation};
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORE_DOC_BYTES_MAX);
    id_of(scope, doc.id);
    (void)snprintf(object, sizeof(object), "%s%s%s %s", c->control,
                   c->control[0] == '\0' ? "" : " of ", scope->endpoint ? "endpoint" : "tenant",
                   scope->name);
    RW_TRY(write_doc(c->next, &body, err));
    doc.body = rw_buf_span(&body);
    RW_TRY(store_doc_put(set->store, CONTROL_DOC_KIND, &doc, err));
    const struct audit_log_entry entry = {
        .actor = c->actor->name, .action = c->action, .object = object, .reason = c->actor->reason};
    return audit_log_append(set->store, &entry, c->now, err);
}

/* State and audit record are kept or lost together (INV-9); memory follows the commit. */
static RW_RC commit_change(struct rollout_control_set *set, const struct change *c,
                           struct rw_err *err)
{
    RW_TRY(store_begin(set->store, err));
    struct rw_rc rc = store_change(set, c, err);
    if (!rw_is_ok(rc)) {
        store_rollback(set->store);
        return rc;
    }
    RW_TRY(store_commit(set->store, err));
    struct rollout_control_entry *had = find(set, &c->next->scope);
    if (had == NULL) { return insert(set, c->next, err); }
    *had = *c->next;
    return RW_OK;
}

static bool same_place(const struct control *a, const struct control *b)
{
    bool pins = a->kind >= CONTROL_BACK && b->kind >= CONTROL_BACK;
    return (a->kind == b->kind || pins) && strcmp(a->family, b->family) == 0;
}

RW_RC rollout_control_put(struct rollout_control_set *set,
                          const struct rollout_control_scope *scope, const struct control *c,
                          const struct rollout_run_actor *actor, struct rw_err *err)
{
    char text[CONTROL_TEXT_BYTES];
    const struct rollout_control_entry *had = find(set, scope);
    struct rollout_control_entry next = {.scope = *scope};
    size_t at = 0;
    if (had != NULL) { next = *had; }
    if (had == NULL && set->count == ROLLOUT_CONTROL_SCOPES_MAX) {
        return rw_fail(err, RW_E_FULL, "controls of %d tenants and endpoints are set already",
                       ROLLOUT_CONTROL_SCOPES_MAX);
    }
    next.generation++;
    while (at < next.count && !same_place(&next.set[at].control, c)) {
        at++;
    }
    if (at == ROLLOUT_CONTROL_SCOPE_MAX) {
        return rw_fail(err, RW_E_FULL, "%d controls are set there already",
                       ROLLOUT_CONTROL_SCOPE_MAX);
    }
    if (at == next.count) { next.count++; }
    next.set[at].control = *c;
    next.set[at].control.by_operator = true;
    rollout_doc_text(next.set[at].by, sizeof(next.set[at].by), actor->name);
    rollout_doc_text(next.set[at].reason, sizeof(next.set[at].reason), actor->reason);
    control_codec_text(c, text);
    const struct change change = {&next, "control.set", text, actor, c->since};
    return commit_change(set, &change, err);
}

RW_RC rollout_control_clear(struct rollout_control_set *set,
                            const struct rollout_control_scope *scope,
                            const struct rollout_run_actor *actor, struct rw_wall now,
                            struct rw_err *err)
{
    const struct rollout_control_entry *had = find(set, scope);
    if (had == NULL || had->count == 0) {
        RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "nothing is set for %s %s",
                          scope->endpoint ? "endpoint" : "tenant", scope->name),
                  "hint");
        return rw_hint(err, "'ringward control list' shows what is set");
    }
    const struct rollout_control_entry next = {.scope = *scope, .generation = had->generation + 1};
    const struct change change = {&next, "control.clear", "", actor, now};
    return commit_change(set, &change, err);
}

/* --- looking up --- */

static size_t add_of(const struct rollout_control_set *set, const struct rollout_control_scope *s,
                     struct control out[static CONTROL_MAX], size_t n)
{
    const struct rollout_control_entry *e = find(set, s);
    for (size_t i = 0; e != NULL && i < e->count && n < CONTROL_MAX; i++) {
        out[n++] = e->set[i].control;
    }
    return n;
}

size_t rollout_control_of(const struct rollout_control_set *set, const struct fleet_who *who,
                          struct control out[static CONTROL_MAX])
{
    struct rollout_control_scope tenant = {.endpoint = false};
    struct rollout_control_scope own = {.endpoint = true};
    if (set == NULL || set->count == 0) { return 0; }
    (void)snprintf(tenant.name, sizeof(tenant.name), "%s", who->tenant);
    rw_hex_encode(own.name, sizeof(own.name), who->endpoint, sizeof(who->endpoint));
    return add_of(set, &own, out, add_of(set, &tenant, out, 0));
}
