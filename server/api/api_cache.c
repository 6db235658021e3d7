#include "server/api/api_cache.h"

static RW_RC remake(struct api_cache *c, const struct rw_clock *clock,
                    RW_RC (*make)(void *arg, struct rw_buf *into, struct rw_err *err), void *arg,
                    size_t bytes_max, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(bytes_max);
    struct rw_mono begun = rw_clock_mono(clock);
    c->made++; /* before: the text tells of itself */
    RW_TRY(make(arg, &text, err));
    struct rw_mono done = rw_clock_mono(clock);
    int64_t good_ms = (done.ms - begun.ms) * API_CACHE_COST_PARTS;
    c->until.ms = done.ms + (good_ms > API_CACHE_MS ? good_ms : API_CACHE_MS);
    struct rw_buf old = c->text;
    c->text = text;
    text = old;
    return RW_OK;
}

RW_RC api_cache_get(struct api_cache *c, const struct rw_clock *clock,
                    RW_RC (*make)(void *arg, struct rw_buf *into, struct rw_err *err), void *arg,
                    struct rw_buf *into, struct rw_err *err)
{
    if (c->text.n == 0 || rw_clock_mono(clock).ms >= c->until.ms) {
        RW_TRY(remake(c, clock, make, arg, into->max, err));
    }
    return rw_buf_append(into, rw_buf_span(&c->text), err);
}

void api_cache_drop(struct api_cache *c)
{
    rw_buf_drop(&c->text);
}
