/* sim_world.h: the plan that published figures are compared under: one ring, U = 50, k = 1, no gate in the way. */
#ifndef RINGWARD_TEST_SIM_WORLD_H
#define RINGWARD_TEST_SIM_WORLD_H

#include "server/simulate/sim_stat.h"
#include "tests/harness.h"

enum { SIM_WORLD_SEED = 20261126 };

static const char sim_world_text[] =
    "{\"format\":1,\"rings\":[{\"name\":\"all\",\"share\":\"rest\",\"bake\":\"24h\"}],"
    "\"classes\":{\"rules\":{}},"
    "\"window\":{\"confirm\":{\"start\":50,\"per_survivor_thousandths\":1000,\"deadline\":\"15m\","
    "\"probation\":\"10m\"},"
    "\"alive\":{\"after\":\"2h\",\"start\":1000000000,\"per_survivor_thousandths\":1000000}}}";

static inline struct sim_plan sim_world_bare(int64_t endpoints)
{
    struct rw_err err;
    struct sim_plan p = {.endpoints = endpoints,
                         .usual = {.apply = 1e-4, .hazard = 1e-6, .dark = 0.003},
                         .step_s = 60,
                         .poll_min = 5,
                         .crash_min = 4,
                         .report_min = 3,
                         .latency_min = 1,
                         .operator_min = 30,
                         .horizon_min = 500};
    MUST(ring_policy_parse(rw_span_str(sim_world_text), &p.policy, &err));
    p.norm = health_rule_cold_start();
    p.norm.p0[HEALTH_CRASH] = 0.0005; /* with history */
    p.norm.history_hazard = 1.5e-6;
    return p;
}

#endif
