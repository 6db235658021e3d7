#include "agent/prove/box_random.h"

static uint64_t next(struct box_random *r)
{
    r->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = r->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

size_t box_random_below(struct box_random *r, size_t below)
{
    return (size_t)(next(r) % below); /* the bias is below 2^-40 for our counts */
}

void box_random_order(struct box_random *r, uint32_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t j = box_random_below(r, i + 1);
        order[i] = order[j];
        order[j] = (uint32_t)i;
    }
}
