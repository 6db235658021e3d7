#include "server/api/clone_watch.h"

#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_CAP = 64 };

/* Ids are random: their first bytes are as good as a hash. */
static size_t place_of(const struct clone_watch *w, const uint8_t *id)
{
    uint64_t head = 0;
    for (size_t i = 0; i < sizeof(head); i++) {
        head = head << 8 | id[i];
    }
    return (size_t)(head & (w->cap - 1));
}

static struct clone_watch_entry *find(const struct clone_watch *w, const uint8_t *id)
{
    size_t at = place_of(w, id);
    while (w->entries[at].run != 0 && memcmp(w->entries[at].id, id, CLONE_WATCH_ID_BYTES) != 0) {
        at = (at + 1) & (w->cap - 1);
    }
    return &w->entries[at];
}

/* Half full at most. Without memory for more the endpoints that are known stay watched. */
static bool grow(struct clone_watch *w)
{
    size_t cap = w->cap == 0 ? FIRST_CAP : w->cap * 2;
    struct clone_watch next = {.cap = cap, .count = w->count, .shared = w->shared};
    next.entries = rw_mem_new_array(cap, sizeof(*next.entries));
    if (next.entries == NULL) { return false; }
    for (size_t i = 0; i < w->cap; i++) {
        if (w->entries[i].run != 0) { *find(&next, w->entries[i].id) = w->entries[i]; }
    }
    rw_mem_free(w->entries);
    *w = next;
    return true;
}

static bool begin(struct clone_watch *w, const uint8_t *id, uint64_t run)
{
    bool full = w->count >= w->cap / 2;
    if (full && (w->count >= CLONE_WATCH_MAX || !grow(w))) { return false; }
    struct clone_watch_entry *e = find(w, id);
    *e = (struct clone_watch_entry){.run = run};
    rw_copy(e->id, sizeof(e->id), id, CLONE_WATCH_ID_BYTES);
    w->count++;
    return false;
}

bool clone_watch_see(struct clone_watch *w, const uint8_t id[static CLONE_WATCH_ID_BYTES],
                     uint64_t run)
{
    if (run == 0) { return false; }
    struct clone_watch_entry *e = w->cap == 0 ? NULL : find(w, id);
    if (e == NULL || e->run == 0) { return begin(w, id, run); }
    if (e->run == run) { return false; }
    e->returns = e->before == run ? e->returns + 1 : 0;
    e->before = e->run;
    e->run = run;
    if (e->shared || e->returns < CLONE_WATCH_RETURNS) { return false; }
    e->shared = true;
    w->shared++;
    return true;
}

void clone_watch_drop(struct clone_watch *w)
{
    rw_mem_free(w->entries);
    *w = (struct clone_watch){.cap = 0};
}

void clone_watch_write_alarms(const struct clone_watch *w, bool named, struct json_writer *out)
{
    char text[200];
    char id[2 * CLONE_WATCH_ID_BYTES + 1] = "";
    if (w->shared == 0) { return; }
    for (size_t i = 0; named && i < w->cap && id[0] == '\0'; i++) {
        if (w->entries[i].shared) {
            rw_hex_encode(id, sizeof(id), w->entries[i].id, CLONE_WATCH_ID_BYTES);
        }
    }
    (void)snprintf(text, sizeof(text),
                   "%llu endpoints are shared by several machines (copied disks)%s%s: give "
                   "each its own machine id",
                   (unsigned long long)w->shared, named ? ", such as " : "", id);
    json_put_str(out, NULL, text);
}
