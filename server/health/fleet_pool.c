#include "server/health/fleet_pool.h"

void fleet_pool_drop(struct fleet_pool *p)
{
    rw_mem_free(p->units);
    *p = (struct fleet_pool){.unit_bytes = p->unit_bytes};
}

RW_RC fleet_pool_reserve(struct fleet_pool *p, size_t units, struct rw_err *err)
{
    if (units <= p->cap - p->used) { return RW_OK; }
    size_t cap = p->cap == 0 ? 64 : p->cap;
    while (cap - p->used < units) {
        cap *= 2;
    }
    if (cap >= UINT32_MAX) {
        return rw_fail(err, RW_E_FULL, "%zu pieces of endpoints are kept, no more fit", p->used);
    }
    uint8_t *grown = rw_mem_grow(p->units, cap, p->unit_bytes);
    if (grown == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for more of the fleet"); }
    p->units = grown;
    p->cap = cap;
    return RW_OK;
}

size_t fleet_pool_size(size_t count)
{
    size_t size = 1;
    RW_ASSERT(count <= FLEET_POOL_PIECE_MAX);
    while (size < count) {
        size *= 2;
    }
    return count == 0 ? 0 : size;
}

void *fleet_pool_at(const struct fleet_pool *p, uint32_t place)
{
    if (place == 0) { return NULL; }
    RW_ASSERT(place <= p->used);
    return p->units + (size_t)(place - 1) * p->unit_bytes;
}

static uint32_t *back_of(struct fleet_pool *p, size_t size)
{
    unsigned which = (unsigned)__builtin_ctzl(size);
    RW_ASSERT(which < FLEET_POOL_SIZES);
    return &p->back[which];
}

uint32_t fleet_pool_take(struct fleet_pool *p, size_t size)
{
    uint32_t *back = back_of(p, size);
    uint32_t place = *back;
    if (place != 0) {
        rw_copy(back, sizeof(*back), fleet_pool_at(p, place), sizeof(place));
        return place;
    }
    RW_ASSERT(size <= p->cap - p->used);
    place = (uint32_t)p->used + 1;
    p->used += size;
    return place;
}

void fleet_pool_give(struct fleet_pool *p, uint32_t place, size_t size)
{
    if (place == 0) { return; }
    uint32_t *back = back_of(p, size);
    rw_copy(fleet_pool_at(p, place), p->unit_bytes, back, sizeof(*back));
    *back = place;
}

uint32_t fleet_pool_move(struct fleet_pool *p, uint32_t place, size_t from, size_t to, size_t first,
                         size_t keep)
{
    uint32_t moved = fleet_pool_take(p, to);
    RW_ASSERT(first + keep <= from && keep <= to);
    if (keep > 0) {
        const uint8_t *source = fleet_pool_at(p, place);
        rw_copy(fleet_pool_at(p, moved), to * p->unit_bytes, source + first * p->unit_bytes,
                keep * p->unit_bytes);
    }
    fleet_pool_give(p, place, from);
    return moved;
}
