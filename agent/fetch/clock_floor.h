/* clock_floor.h: a time that has certainly passed, kept over restarts.
 *
 * The latest of: the build of this program, the wall clock at the last good refresh of the metadata, `signed_at` of
 * content that engineers signed offline.
 *
 * memory   plain values; borrows the state directory
 * threads  one thread per floor
 * source   docs/trust.md "Time"; docs/protocol.md 9 ("clock")
 */
#ifndef RINGWARD_CLOCK_FLOOR_H
#define RINGWARD_CLOCK_FLOOR_H

#include "common/base/clock.h"

struct clock_floor {
    int state_dir;
    struct rw_wall at;
    struct rw_wall saved; /* what the disk holds */
};

/* A file that is missing or damaged leaves `built`: losing it costs the floor, never the agent. */
struct clock_floor clock_floor_open(int state_dir, struct rw_wall built);
/* Moves it up, never down. Durable when it moved by minutes: each poll need not cost a write. Fails with RW_E_IO,
 * RW_E_FULL; it holds in memory then. */
RW_RC clock_floor_raise(struct clock_floor *f, struct rw_wall to, struct rw_err *err);

#endif
