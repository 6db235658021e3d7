/* rollout_minutes.h: time that passes over the world of rollout_world.h, minute by minute, with endpoints that fail. */
#ifndef RINGWARD_TEST_ROLLOUT_MINUTES_H
#define RINGWARD_TEST_ROLLOUT_MINUTES_H

#include "tests/unit/rollout_world.h"

/* What endpoints tell that fail. */
static enum beacon_kind failure = BEACON_FAILED;

/* Minutes in which every endpoint of canary, but those that `fails` picks, goes through; all others are heard of. */
static void minutes(struct world *w, int64_t release, int count, bool (*fails)(size_t number))
{
    for (int m = 0; m < count; m++) {
        w->now.s += 60;
        for (size_t i = 0; i < PER_RING; i++) {
            struct endpoint *e = &w->endpoints[0][i];
            bool idle = e->granted_s == 0;
            if (idle && !the(w, release)->halt.there &&
                ask(w, 0, i, release).decision == BEACON_PERMIT_GRANTED) {
                e->granted_s = w->now.s;
            } else if (idle) {
                send(w, 0, i, BEACON_ALIVE, 0);
            } else if (!e->done && fails(i)) {
                send(w, 0, i, failure, release);
                e->done = true;
            } else if (!e->done && w->now.s - e->granted_s >= 600) {
                send(w, 0, i, BEACON_HEALTHY, release);
                e->done = true;
            } else if (e->done && !fails(i)) {
                send(w, 0, i, BEACON_ALIVE, release);
            }
        }
        commit(w);
        tick(w);
    }
}

static bool nobody(size_t number)
{
    (void)number;
    return false;
}

#endif
