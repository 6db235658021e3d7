#include "server/simulate/sim_random.h"

#include <math.h>

enum { EXACT_MEAN_MAX = 16 };

static uint64_t scramble(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t next(struct sim_random *r)
{
    r->state += UINT64_C(0x9e3779b97f4a7c15);
    return scramble(r->state);
}

/* Scrambled, since the state counts up: seeds that are near would give the same numbers a few draws later. */
struct sim_random sim_random_begin(uint64_t seed)
{
    return (struct sim_random){scramble(scramble(seed + 1) ^ UINT64_C(0xd1b54a32d192ed03))};
}

double sim_random_unit(struct sim_random *r)
{
    return (double)(next(r) >> 11) * 0x1p-53;
}

int64_t sim_random_below(struct sim_random *r, int64_t n)
{
    RW_ASSERT(n >= 1);
    int64_t v = (int64_t)(sim_random_unit(r) * (double)n);
    return v < n ? v : n - 1;
}

/* Jumps from one success to the next: as many steps as there are successes. */
static int64_t by_gaps(struct sim_random *r, int64_t n, double p)
{
    double log_q = log1p(-p);
    double at = 0;
    int64_t count = -1;
    while (at <= (double)n && count < n) {
        at += floor(log1p(-sim_random_unit(r)) / log_q) + 1.0;
        count++;
    }
    return count;
}

static double normal(struct sim_random *r)
{
    double u = 1.0 - sim_random_unit(r);
    return sqrt(-2.0 * log(u)) * cos(2.0 * M_PI * sim_random_unit(r));
}

int64_t sim_random_binomial(struct sim_random *r, int64_t n, double p)
{
    if (n <= 0 || !(p > 0.0)) { return 0; }
    if (p >= 1.0) { return n; }
    if (p > 0.5) { return n - sim_random_binomial(r, n, 1.0 - p); }
    double mean = (double)n * p;
    if (mean <= EXACT_MEAN_MAX) { return by_gaps(r, n, p); }
    double v = floor(mean + sqrt(mean * (1.0 - p)) * normal(r) + 0.5);
    return v < 0.0 ? 0 : v > (double)n ? n : (int64_t)v;
}
