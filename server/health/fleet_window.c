#include "server/health/fleet_window.h"

#include "common/base/buf.h"

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    return x ^ (x >> 31);
}

static struct fleet_window_entry *probe(struct fleet_window_entry *entries, size_t cap,
                                        uint64_t key)
{
    size_t at = mix(key) & (cap - 1);
    while (entries[at].key != 0 && entries[at].key != key) {
        at = (at + 1) & (cap - 1);
    }
    return &entries[at];
}

/* Into a new array of `cap`, without those of one serial (0: all of them). */
static RW_RC rehash(struct fleet_windows *w, size_t cap, uint32_t without, struct rw_err *err)
{
    struct fleet_window_entry *entries = rw_mem_new_array(cap, sizeof(*entries));
    if (entries == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu windows", cap); }
    size_t used = 0;
    for (size_t i = 0; i < w->cap; i++) {
        const struct fleet_window_entry *e = &w->entries[i];
        if (e->key == 0 || (without != 0 && (uint32_t)((e->key - 1) >> 32) == without)) {
            continue;
        }
        *probe(entries, cap, e->key) = *e;
        used++;
    }
    rw_mem_free(w->entries);
    *w = (struct fleet_windows){.entries = entries, .used = used, .cap = cap};
    return RW_OK;
}

void fleet_windows_drop(struct fleet_windows *w)
{
    rw_mem_free(w->entries);
    *w = (struct fleet_windows){.cap = 0};
}

RW_RC fleet_windows_reserve(struct fleet_windows *w, size_t more, struct rw_err *err)
{
    size_t cap = w->cap == 0 ? 64 : w->cap;
    while ((w->used + more) * 10 > cap * 7) {
        cap *= 2;
    }
    return cap == w->cap ? RW_OK : rehash(w, cap, 0, err);
}

RW_RC fleet_windows_forget(struct fleet_windows *w, uint32_t serial, struct rw_err *err)
{
    return w->used == 0 ? RW_OK : rehash(w, w->cap, serial, err);
}

void fleet_windows_empty(struct fleet_windows *w, uint16_t cohort)
{
    for (size_t i = 0; i < w->cap; i++) {
        struct fleet_window_entry *e = &w->entries[i];
        if (e->key == 0 || (uint16_t)(e->key - 1) != cohort) { continue; }
        *e = (struct fleet_window_entry){.key = e->key};
    }
}

const struct fleet_window_entry *fleet_windows_find(const struct fleet_windows *w, uint64_t key)
{
    if (w->cap == 0) { return NULL; }
    const struct fleet_window_entry *e = probe(w->entries, w->cap, key);
    return e->key == key ? e : NULL;
}

struct fleet_window_entry *fleet_windows_at(struct fleet_windows *w, uint64_t key)
{
    RW_ASSERT(w->cap > 0);
    struct fleet_window_entry *e = probe(w->entries, w->cap, key);
    if (e->key == 0) {
        RW_ASSERT(w->used + 1 < w->cap);
        *e = (struct fleet_window_entry){.key = key};
        w->used++;
    }
    return e;
}

int64_t fleet_window_width_s(int64_t window_s)
{
    return window_s < FLEET_BUCKETS_PER_WINDOW ? 1 : window_s / FLEET_BUCKETS_PER_WINDOW;
}

struct fleet_bucket *fleet_window_bucket(struct fleet_window_entry *e, int64_t end_s,
                                         int64_t width_s)
{
    int64_t id = end_s / width_s;
    struct fleet_bucket *b = &e->buckets[(uint64_t)id % FLEET_BUCKETS];
    /* So far ahead it is of a clock that was put right since: nobody waits for it (INV-4). */
    bool impossible = b->id - id > FLEET_AHEAD_S / width_s;
    if (b->id > id && !impossible) { return NULL; }
    if (b->id != id) { *b = (struct fleet_bucket){.id = id}; }
    return b;
}

const struct fleet_bucket *fleet_window_peek(const struct fleet_window_entry *e, int64_t id)
{
    const struct fleet_bucket *b = &e->buckets[(uint64_t)id % FLEET_BUCKETS];
    return b->id == id ? b : NULL;
}

int64_t fleet_window_open_control(const struct fleet_window_entry *e, int64_t now_s,
                                  int64_t width_s)
{
    int64_t open = 0;
    for (size_t i = 0; i < FLEET_BUCKETS; i++) {
        if (e->buckets[i].id > now_s / width_s) { open += e->buckets[i].control; }
    }
    return open;
}
