#include "server/simulate/sim_noise.h"

#include "common/policy/slow_rule.h"
#include "common/policy/storm_rule.h"

#include <math.h>

enum { DRAWN = 2000, BEFORE_MIN = 60 };

/* Files and events that endpoints scan in a minute: from idle ones to servers. */
static const double scans_least = 0.1;
static const double scans_most = 300.0;
/* What a good release detects per scan, most of it by some rule or other. */
static const double found_per_scan = 1e-4;
static const double scan_us = 2000.0;
/* Mean time per scan moves by that much between two releases for no reason. */
static const double scan_moves = 0.3;

struct load {
    int64_t scanned;
    int64_t detections;
    int64_t of_rule;
    int64_t scan_us;
};

/* What an endpoint of that pace counts; `fault` NULL: of the release before. */
static struct load load_of(struct sim_random *r, double pace, int64_t minutes,
                           const struct sim_fault *fault)
{
    struct load l = {.scanned = (int64_t)floor(pace * (double)minutes + sim_random_unit(r))};
    int64_t false_ones =
        fault == NULL ? 0 : sim_random_binomial(r, l.scanned, fault->matches_clean);
    int64_t usual = sim_random_binomial(r, l.scanned, found_per_scan);
    double factor = fault == NULL ? 1.0 : 1.0 + fault->slower;
    double moved = 1.0 + scan_moves * (2.0 * sim_random_unit(r) - 1.0);
    l.detections = usual + false_ones;
    l.of_rule = false_ones > 0 ? false_ones : (usual > 0 ? 1 : 0);
    l.scan_us = (int64_t)((double)l.scanned * scan_us * factor * moved);
    return l;
}

struct sim_noise sim_noise_of(const struct sim_fault *fault, int64_t probation_min,
                              struct sim_random *random)
{
    int64_t storms = 0;
    int64_t slow = 0;
    for (int i = 0; i < DRAWN; i++) {
        double pace = scans_least * pow(scans_most / scans_least, sim_random_unit(random));
        struct load before = load_of(random, pace, BEFORE_MIN, NULL);
        struct load trial = load_of(random, pace, probation_min, fault);
        const struct storm_rule_evidence e = {.budget = storm_rule_defaults(),
                                              .of_rule = trial.of_rule,
                                              .trial = {trial.detections, trial.scanned},
                                              .before = {before.detections, before.scanned}};
        const struct slow_rule_counts was = {.scanned = before.scanned, .scan_us = before.scan_us};
        const struct slow_rule_counts is = {.scanned = trial.scanned, .scan_us = trial.scan_us};
        bool storm = storm_rule_trial(&e);
        storms += storm;
        slow += !storm && slow_rule_decide(SLOW_RULE_FACTOR, &was, &is) != SLOW_NO;
    }
    int64_t rest = DRAWN - storms;
    return (struct sim_noise){.storm = (double)storms / DRAWN,
                              .slow = rest > 0 ? (double)slow / (double)rest : 0.0};
}
