#include "server/simulate/sim_fault.h"

#include <string.h>

const struct sim_fault sim_faults[] = {
    {.name = "brick", .text = "dies on load, no beacon", .dark = 1, .base_ratio = 1},
    {.name = "crash", .text = "crashes on load, reports it", .crash = 1, .base_ratio = 1},
    {.name = "crash-30", .text = "30 % crash on load", .crash = 0.3, .base_ratio = 1},
    {.name = "crash-1", .text = "1 % crash on load", .crash = 0.01, .base_ratio = 1},
    {.name = "double", .text = "twice the usual crashes", .base_ratio = 2},
    {.name = "cohort",
     .text = "all of the smallest cohort crash",
     .crash = 1,
     .base_ratio = 1,
     .smallest_only = true},
    {.name = "delayed",
     .text = "all crash 2 h after the install",
     .delayed = 1,
     .delay_min = 120,
     .base_ratio = 1},
    {.name = "leak", .text = "0.1 % more crash each day", .leak_per_day = 0.001, .base_ratio = 1},
    {.name = "storm",
     .text = "one rule matches 30 % of what is scanned",
     .matches_clean = 0.3,
     .base_ratio = 1},
    {.name = "slow", .text = "scans take 9 times as long", .slower = 8, .base_ratio = 1},
    {.name = "mute", .text = "the sensor lives and detects nothing", .mute = 1, .base_ratio = 1},
    {.name = "net-loss", .text = "no network with the update", .cut = 1, .base_ratio = 1},
    {.name = "outage",
     .text = "nothing wrong; 20 % of all endpoints off for 1 h",
     .good = true,
     .base_ratio = 1,
     .outage = 0.2},
    {.name = "time-of-day",
     .text = "nothing wrong; base rates move by factor 3",
     .good = true,
     .base_ratio = 1,
     .time_of_day = true},
    {.name = "forged",
     .text = "nothing wrong; 0.5 % of endpoints forge failures",
     .good = true,
     .base_ratio = 1,
     .forged = 0.005},
    {.name = "good", .text = "nothing wrong", .good = true, .base_ratio = 1},
};
const size_t sim_fault_count = RW_LEN(sim_faults);

const struct sim_fault *sim_fault_find(const char *name)
{
    for (size_t i = 0; i < sim_fault_count; i++) {
        if (strcmp(sim_faults[i].name, name) == 0) { return &sim_faults[i]; }
    }
    return NULL;
}
