/* sim_random.h: repeatable random numbers for simulations: the same seed gives the same run on every machine.
 *
 * memory   values only
 * threads  pure
 * source   splitmix64
 */
#ifndef RINGWARD_SIM_RANDOM_H
#define RINGWARD_SIM_RANDOM_H

#include "common/base/err.h"

struct sim_random {
    uint64_t state;
};

/* Neighbouring seeds give unrelated numbers. */
struct sim_random sim_random_begin(uint64_t seed);
/* [0, 1). */
double sim_random_unit(struct sim_random *r);
/* 0 .. n-1; n >= 1. */
int64_t sim_random_below(struct sim_random *r, int64_t n);
/* How many of n happen with probability p each. Exact where few are expected, else by the normal approximation. */
int64_t sim_random_binomial(struct sim_random *r, int64_t n, double p);

#endif
