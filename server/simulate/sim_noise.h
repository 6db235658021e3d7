/* sim_noise.h: how many endpoints would tell of a storm or of slowness: made-up endpoints, judged by the agent's rules.
 *
 * memory   values only
 * threads  pure
 * source   docs/simulate.md "Model"; storm_rule.h and slow_rule.h decide
 */
#ifndef RINGWARD_SIM_NOISE_H
#define RINGWARD_SIM_NOISE_H

#include "server/simulate/sim_fault.h"
#include "server/simulate/sim_random.h"

/* Shares of installs. */
struct sim_noise {
    double storm;
    double slow; /* of those without a storm: these go on */
};
/* `probation_min`: how long an endpoint scans with the release on trial. */
struct sim_noise sim_noise_of(const struct sim_fault *fault, int64_t probation_min,
                              struct sim_random *random);

#endif
