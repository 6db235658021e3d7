/* fleet_pool.h: pieces of 1, 2, 4 ... 32 units in one array, so that each endpoint has as much as it needs now.
 *
 * A piece is known by its place, one more than the number of its first unit (0: none), and by the size that its owner
 * remembers; a place is half as wide as a pointer. What is given back is taken first by the next piece of that size.
 *
 * memory   a pool owns its array until fleet_pool_drop; pointers into it are good until the next fleet_pool_reserve
 * threads  the core thread only
 * source   docs/server.md "The fold"; shared by the fleet_*.c files only
 */
#ifndef RINGWARD_FLEET_POOL_H
#define RINGWARD_FLEET_POOL_H

#include "common/base/buf.h"

enum { FLEET_POOL_SIZES = 6, FLEET_POOL_PIECE_MAX = 1 << (FLEET_POOL_SIZES - 1) };

struct fleet_pool {
    uint8_t *units;
    size_t unit_bytes; /* at least 4 */
    size_t used, cap;  /* units */
    uint32_t
        back[FLEET_POOL_SIZES]; /* pieces that were given back, by size; each names the next one */
};

void fleet_pool_drop(struct fleet_pool *p);
/* After RW_OK so many units can be taken, in pieces of any sizes. Fails with RW_E_NOMEM, RW_E_FULL. */
RW_RC fleet_pool_reserve(struct fleet_pool *p, size_t units, struct rw_err *err);
/* The smallest size of a piece that has `count` (0..FLEET_POOL_PIECE_MAX) units; 0 for 0. */
size_t fleet_pool_size(size_t count);
/* Pieces of `size` as fleet_pool_size gives it. Room was reserved; what a piece holds at first is not defined. */
uint32_t fleet_pool_take(struct fleet_pool *p, size_t size);
void fleet_pool_give(struct fleet_pool *p, uint32_t place, size_t size); /* accepts place 0 */
/* A piece of size `to` in place of one of size `from`; it begins with `keep` units of that one, from `first` on. */
uint32_t fleet_pool_move(struct fleet_pool *p, uint32_t place, size_t from, size_t to, size_t first,
                         size_t keep);
/* NULL for place 0. */
void *fleet_pool_at(const struct fleet_pool *p, uint32_t place);

#endif
