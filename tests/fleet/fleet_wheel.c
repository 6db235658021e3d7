#include "tests/fleet/fleet_wheel.h"

RW_RC fleet_wheel_open(size_t count, struct fleet_wheel *out, struct rw_err *err)
{
    struct fleet_wheel w = {.count = count};
    w.slots = rw_mem_new_array(FLEET_WHEEL_SLOTS, sizeof(*w.slots));
    w.entries = rw_mem_new_array(count, sizeof(*w.entries));
    if (w.slots == NULL || w.entries == NULL) {
        fleet_wheel_drop(&w);
        return rw_fail(err, RW_E_NOMEM, "no memory for %zu timers", count);
    }
    for (size_t i = 0; i < count; i++) {
        w.entries[i].at_ms = FLEET_WHEEL_NEVER;
    }
    *out = w;
    return RW_OK;
}

void fleet_wheel_drop(struct fleet_wheel *w)
{
    rw_mem_free(w->slots);
    rw_mem_free(w->entries);
    *w = (struct fleet_wheel){.slots = NULL};
}

static uint32_t *slot_of(const struct fleet_wheel *w, int32_t at_ms)
{
    return &w->slots[(at_ms / FLEET_WHEEL_TICK_MS) % FLEET_WHEEL_SLOTS];
}

static void unlink_entry(struct fleet_wheel *w, uint32_t entry)
{
    uint32_t next = w->entries[entry].next;
    uint32_t prev = w->entries[entry].prev;
    if (prev != 0) { w->entries[prev - 1].next = next; }
    if (prev == 0) { *slot_of(w, w->entries[entry].at_ms) = next; }
    if (next != 0) { w->entries[next - 1].prev = prev; }
    w->entries[entry].at_ms = FLEET_WHEEL_NEVER;
}

void fleet_wheel_set(struct fleet_wheel *w, uint32_t entry, int32_t at_ms)
{
    RW_ASSERT(entry < w->count);
    if (w->entries[entry].at_ms != FLEET_WHEEL_NEVER) { unlink_entry(w, entry); }
    if (at_ms == FLEET_WHEEL_NEVER) { return; }
    int64_t first_ms = w->tick * FLEET_WHEEL_TICK_MS;
    int32_t at = at_ms < first_ms ? (int32_t)first_ms : at_ms;
    uint32_t *slot = slot_of(w, at);
    w->entries[entry].at_ms = at;
    w->entries[entry].prev = 0;
    w->entries[entry].next = *slot;
    if (*slot != 0) { w->entries[*slot - 1].prev = entry + 1; }
    *slot = entry + 1;
}

/* What `due` sets goes to a later tick, and what waits for a later turn of the wheel stays. */
static void turn_one(struct fleet_wheel *w, int64_t tick, void (*due)(void *ctx, uint32_t entry),
                     void *ctx)
{
    uint32_t *slot = &w->slots[tick % FLEET_WHEEL_SLOTS];
    uint32_t ready = 0; /* taken out first: `due` may change this list */
    for (uint32_t at = *slot; at != 0;) {
        uint32_t next = w->entries[at - 1].next;
        if (w->entries[at - 1].at_ms / FLEET_WHEEL_TICK_MS <= tick) {
            unlink_entry(w, at - 1);
            w->entries[at - 1].next = ready;
            ready = at;
        }
        at = next;
    }
    while (ready != 0) {
        uint32_t entry = ready - 1;
        ready = w->entries[entry].next;
        due(ctx, entry);
    }
}

void fleet_wheel_turn(struct fleet_wheel *w, int32_t now_ms, void (*due)(void *ctx, uint32_t entry),
                      void *ctx)
{
    int64_t last = now_ms / FLEET_WHEEL_TICK_MS;
    while (w->tick < last) {
        w->tick++;
        turn_one(w, w->tick - 1, due, ctx);
    }
}
