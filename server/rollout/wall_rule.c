#include "server/rollout/wall_rule.h"

enum { MS = 1000, REBASE_MS = 1000 };

/* Year 9999: sums of milliseconds stay far below their limit. */
static const int64_t wall_s_max = 253402300799;

static int64_t clamped(int64_t v, int64_t least, int64_t most)
{
    return v < least ? least : v > most ? most : v;
}

static int64_t time_ms(const struct wall_rule *w, int64_t wall_ms, int64_t passed_ms)
{
    int64_t slack_ms = passed_ms / WALL_RULE_PARTS;
    int64_t steady_ms = w->base_ms + passed_ms;
    /* The wall clock counts whole seconds: within one of them there is nothing to make up for. */
    if (steady_ms >= wall_ms && steady_ms < wall_ms + MS) { return steady_ms; }
    return clamped(wall_ms, steady_ms - slack_ms, steady_ms + slack_ms);
}

struct rw_wall wall_rule_next(struct wall_rule *w, struct rw_wall wall, struct rw_mono mono)
{
    int64_t wall_ms = clamped(wall.s, 0, wall_s_max) * MS;
    if (!w->begun) {
        *w = (struct wall_rule){.begun = true, .base_ms = wall_ms, .at = mono, .said_ms = wall_ms};
    }
    int64_t passed_ms = mono.ms > w->at.ms ? mono.ms - w->at.ms : 0;
    int64_t now_ms = time_ms(w, wall_ms, passed_ms);
    if (passed_ms >= REBASE_MS) {
        w->base_ms = now_ms;
        w->at = mono;
    }
    if (now_ms > w->said_ms) { w->said_ms = now_ms; }
    w->ahead_s = w->said_ms / MS - wall_ms / MS;
    return (struct rw_wall){w->said_ms / MS};
}
