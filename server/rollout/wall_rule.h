/* wall_rule.h: the time that a server decides by: the clock on the wall, but never faster or slower than the steady one
 * by more than a twentieth, and never back.
 *
 * Bake times, deadlines and the detector read this time. A step of the wall clock, forward or back, is therefore no
 * bake that was never waited for and no hole in what the detector sees (INV-3): it is made up for slowly while the wall
 * clock stays where it stepped to, and forgotten when it steps back.
 *
 * memory   values only
 * threads  pure
 * source   docs/health.md "Time"
 */
#ifndef RINGWARD_WALL_RULE_H
#define RINGWARD_WALL_RULE_H

#include "common/base/clock.h"

enum {
    WALL_RULE_PARTS = 20,  /* of the time passed: so much it may gain or lose */
    WALL_RULE_ALARM_S = 30 /* so far apart people are told (INV-12) */
};

struct wall_rule {
    bool begun;
    int64_t base_ms;   /* the time at `at` */
    struct rw_mono at; /* at most some seconds ago while somebody asks */
    int64_t said_ms;   /* latest answer */
    int64_t ahead_s;   /* how far the answer was ahead of the wall clock; negative: behind */
};

/* The time, when the clocks say this. The first answer is the wall's: what passed while nobody ran is believed. */
struct rw_wall wall_rule_next(struct wall_rule *w, struct rw_wall wall, struct rw_mono mono);

#endif
