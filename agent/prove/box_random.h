/* box_random.h: a small seeded generator: the same seed chooses the same files and the same order again.
 *
 * memory   a plain value
 * threads  no shared state
 * source   splitmix64 (Steele, Lea, Flood 2014); not for secrets
 */
#ifndef RINGWARD_BOX_RANDOM_H
#define RINGWARD_BOX_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct box_random {
    uint64_t state;
};

/* 0..below-1; below >= 1. */
size_t box_random_below(struct box_random *r, size_t below);
/* Puts 0..n-1 into random order. */
void box_random_order(struct box_random *r, uint32_t *order, size_t n);

#endif
