#include "server/release/release_order_told.h"

#include <stdio.h>

static void put_open(const struct release_order *o, char text[static RELEASE_ORDER_TOLD_BYTES])
{
    (void)snprintf(text, RELEASE_ORDER_TOLD_BYTES,
                   "order to %s %s/%lld waits for signatures: %zu of %lld",
                   release_order_kind_name(o->id.kind), o->id.release.family,
                   (long long)o->id.release.number, o->signature_count, (long long)o->threshold);
}

static void put_expedite(const struct release_order *o, char text[static RELEASE_ORDER_TOLD_BYTES])
{
    char until[RW_TIME_TEXT_BYTES];
    size_t n = 0;
    char rings[256] = "";
    for (size_t i = 0; i < o->ring_count && n < sizeof(rings); i++) {
        n +=
            (size_t)snprintf(rings + n, sizeof(rings) - n, "%s%s", i == 0 ? "" : ", ", o->rings[i]);
    }
    rw_wall_format(until, o->until);
    (void)snprintf(text, RELEASE_ORDER_TOLD_BYTES, "%s/%lld is EXPEDITED in %s until %s: %s",
                   o->id.release.family, (long long)o->id.release.number, rings, until, o->reason);
}

static RW_RC add(struct release_order_told *t, const struct release_order_told_one *one,
                 struct rw_err *err)
{
    if (t->count == t->room) {
        size_t room = t->room == 0 ? 16 : 2 * t->room;
        void *grown = rw_mem_grow(t->at, room, sizeof(*t->at));
        if (grown == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a list of orders"); }
        t->at = grown;
        t->room = room;
    }
    t->at[t->count++] = *one;
    return RW_OK;
}

struct loading {
    struct release_order_told *told;
    struct rw_wall now;
};

static RW_RC load_one(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    const struct loading *l = arg;
    RW_AUTO(release_order) struct release_order o = release_order_make();
    RW_TRY(release_order_read_stored(doc->body, doc->generation, &o, err));
    struct release_order_told_one one = {.release = o.id.release};
    if (o.state == RELEASE_ORDER_OPEN) {
        put_open(&o, one.text);
        return add(l->told, &one, err);
    }
    if (o.id.kind == RELEASE_ORDER_EXPEDITE && o.until.s > l->now.s) {
        one.until = o.until;
        put_expedite(&o, one.text);
        return add(l->told, &one, err);
    }
    return o.id.kind == RELEASE_ORDER_WITHDRAW ? add(l->told, &one, err) : RW_OK;
}

RW_RC release_order_told_load(struct release_order_told *t, struct store *store, struct rw_wall now,
                              struct rw_err *err)
{
    struct loading l = {.told = t, .now = now};
    if (t->loaded) { return RW_OK; }
    t->count = 0;
    RW_TRY(store_doc_each(store, "order", load_one, &l, err));
    t->loaded = true;
    return RW_OK;
}

void release_order_told_forget(struct release_order_told *t)
{
    t->loaded = false;
}

void release_order_told_drop(struct release_order_told *t)
{
    rw_mem_free(t->at);
    *t = (struct release_order_told){.at = NULL};
}
