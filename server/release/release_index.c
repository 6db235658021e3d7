#include "server/release/release_index.h"

#include <string.h>

static int compare(const struct release_id *a, const struct release_id *b)
{
    int by_family = strcmp(a->family, b->family);
    if (by_family != 0) { return by_family; }
    return a->number == b->number ? 0 : a->number < b->number ? -1 : 1;
}

size_t release_index_seek(const struct release_index *x, const struct release_id *id)
{
    size_t low = 0;
    size_t high = x->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&x->at[middle].id, id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool make_room(struct release_index *x)
{
    if (x->count < x->room) { return true; }
    size_t room = x->room == 0 ? 64 : 2 * x->room;
    void *grown = rw_mem_grow(x->at, room, sizeof(*x->at));
    if (grown == NULL) { return false; }
    x->at = grown;
    x->room = room;
    return true;
}

static bool put(struct release_index *x, const struct release *r)
{
    struct release_index_entry e = {.id = r->id, .state = r->state};
    size_t at = release_index_seek(x, &r->id);
    e.measure = r->state == RELEASE_PUBLISHED && !r->unchecked && !r->drill;
    if (at == x->count || compare(&x->at[at].id, &r->id) != 0) {
        if (!make_room(x)) { return false; }
        /* New ones are the last of their family: few have to move. */
        for (size_t i = x->count; i > at; i--) {
            x->at[i] = x->at[i - 1];
        }
        x->count++;
    }
    x->at[at] = e;
    return true;
}

static RW_RC load_one(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    RW_AUTO(release) struct release r = release_make();
    RW_TRY(release_read_stored(doc->body, doc->generation, &r, err));
    if (put(arg, &r)) { return RW_OK; }
    return rw_fail(err, RW_E_NOMEM, "no memory for a list of releases");
}

RW_RC release_index_load(struct release_index *x, struct store *store, struct rw_err *err)
{
    if (x->loaded) { return RW_OK; }
    x->count = 0;
    RW_TRY(store_doc_each(store, "release", load_one, x, err));
    x->loaded = true;
    return RW_OK;
}

void release_index_note(struct release_index *x, const struct release *r)
{
    if (x->loaded && !put(x, r)) { release_index_forget(x); }
}

void release_index_forget(struct release_index *x)
{
    x->loaded = false;
    release_order_told_forget(&x->orders);
}

void release_index_drop(struct release_index *x)
{
    rw_mem_free(x->at);
    release_order_told_drop(&x->orders);
    *x = (struct release_index){.at = NULL};
}
