/* clock.h: wall and monotonic time as two types that do not mix, behind a replaceable clock.
 *
 * memory   values only
 * threads  rw_clock_system is safe from any thread
 * source   style guide 8; RFC 3339 in the one form YYYY-MM-DDTHH:MM:SSZ (TUF-expires)
 */
#ifndef RINGWARD_CLOCK_H
#define RINGWARD_CLOCK_H

#include "common/base/buf.h"

struct rw_wall {
    int64_t s; /* seconds since 1970-01-01T00:00:00Z, without leap seconds */
};

struct rw_mono {
    int64_t
        ms; /* milliseconds since an arbitrary start; never goes back, does not survive a boot */
};

struct rw_clock {
    struct rw_wall (*wall)(void *ctx);
    struct rw_mono (*mono)(void *ctx);
    void *ctx; /* borrowed */
};

/* The machine's clocks: CLOCK_REALTIME and CLOCK_BOOTTIME. */
struct rw_clock rw_clock_system(void);

static inline struct rw_wall rw_clock_wall(const struct rw_clock *c)
{
    return c->wall(c->ctx);
}

static inline struct rw_mono rw_clock_mono(const struct rw_clock *c)
{
    return c->mono(c->ctx);
}

enum { RW_TIME_TEXT_BYTES = 21 }; /* "2026-11-22T05:34:16Z" and a NUL */

/* Writes the RFC 3339 form. Years outside 1970..9999 are clamped. */
void rw_wall_format(char dst[static RW_TIME_TEXT_BYTES], struct rw_wall t);

/* Exactly YYYY-MM-DDTHH:MM:SSZ, a real calendar date, 1970..9999, no leap second.
 * Fails with RW_E_SYNTAX. */
RW_RC rw_wall_parse(struct rw_span s, const char *what, struct rw_wall *out, struct rw_err *err);

#endif
