/* The policy that a new server begins with: rings.json at the top of the project, byte for byte (a test compares). */
#include "server/server_init.h"

static const char policy_text[] =
    "{\n"
    "  \"format\": 1,\n"
    "  \"rings\": [\n"
    "    {\"name\": \"internal\", \"select\": \"local\", \"bake\": \"30m\", \"gate\": {\"limit\": "
    "\"25%\", \"min_healthy\": 10}},\n"
    "    {\"name\": \"canary\", \"share\": \"1%\", \"bake\": \"1h\", \"gate\": {\"limit\": \"2%\", "
    "\"min_healthy\": 150}},\n"
    "    {\"name\": \"early\", \"share\": \"10%\", \"bake\": \"2h\", \"gate\": {\"limit\": \"1%\", "
    "\"min_healthy\": 300}, \"spread\": \"10m\"},\n"
    "    {\"name\": \"broad\", \"share\": \"rest\", \"gate\": {\"limit\": \"1%\", \"min_healthy\": "
    "300}, \"spread\": \"30m\",\n"
    "     \"hold_back\": {\"share\": \"2%\", \"for\": \"24h\"}}\n"
    "  ],\n"
    "  \"classes\": {\n"
    "    \"data\": {\"min_bake\": {\"broad\": \"1h\"}, \"unpausable\": true},\n"
    "    \"rules\": {\"min_bake\": {\"broad\": \"6h\"}},\n"
    "    \"engine\": {\"min_bake\": {\"broad\": \"24h\"}}\n"
    "  },\n"
    "  \"window\": {\n"
    "    \"confirm\": {\"start\": 16, \"per_survivor_thousandths\": 1000, \"deadline\": \"15m\", "
    "\"probation\": \"10m\"},\n"
    "    \"alive\": {\"after\": \"2h\", \"start\": 10000, \"per_survivor_thousandths\": 99000},\n"
    "    \"cohort\": {\"start\": 4}\n"
    "  },\n"
    "  \"health\": {\"false_halts_per_year\": 1, \"releases_per_year\": 7300, \"tenant_votes\": "
    "8},\n"
    "  \"poll\": {\"rollout\": \"1m\"}\n"
    "}\n";

struct rw_span server_init_policy(void)
{
    return rw_span_str(policy_text);
}
