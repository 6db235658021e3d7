/* fleet_wheel.h: one timer for each of millions of endpoints: a hashed wheel of lists that are linked by index.
 *
 * memory   owns its slots and 8 bytes per endpoint until fleet_wheel_drop
 * threads  no shared state
 * source   Varghese and Lauck, Hashed and Hierarchical Timing Wheels (1987), scheme 6
 */
#ifndef RINGWARD_FLEET_WHEEL_H
#define RINGWARD_FLEET_WHEEL_H

#include "common/base/buf.h"

enum { FLEET_WHEEL_SLOTS = 65536, FLEET_WHEEL_TICK_MS = 10 };
#define FLEET_WHEEL_NEVER INT32_MAX

struct fleet_wheel {
    uint32_t *slots; /* first entry + 1; 0: none */
    struct {
        uint32_t next, prev; /* entry + 1; 0: none */
        int32_t at_ms;       /* FLEET_WHEEL_NEVER: in no list */
    } * entries;
    size_t count;
    int64_t tick; /* the next one to be looked at */
};

/* Fails with RW_E_NOMEM. */
RW_RC fleet_wheel_open(size_t count, struct fleet_wheel *out, struct rw_err *err);
void fleet_wheel_drop(struct fleet_wheel *w);
/* Sets the one timer of an entry anew; FLEET_WHEEL_NEVER: none. A time in the past is due at the next look. */
void fleet_wheel_set(struct fleet_wheel *w, uint32_t entry, int32_t at_ms);
/* Calls `due` for every entry whose time has come, without a timer then; it may set timers. */
void fleet_wheel_turn(struct fleet_wheel *w, int32_t now_ms, void (*due)(void *ctx, uint32_t entry),
                      void *ctx);

#endif
