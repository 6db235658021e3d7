/* api_cache.h: an answer that is dear to make and asked for by anybody: made once in a while, copied in between.
 *
 * memory   owns its text until api_cache_drop; a zeroed one is empty
 * threads  the core thread only
 * source   docs/server.md "HTTP", who asks without a token; used for /metrics
 */
#ifndef RINGWARD_API_CACHE_H
#define RINGWARD_API_CACHE_H

#include "common/base/clock.h"

enum {
    API_CACHE_MS = 1000, /* an answer is at least so long good ... */
    API_CACHE_COST_PARTS =
        20 /* ... and so many times as long as it took: a twentieth of the thread at most */
};

struct api_cache {
    struct rw_buf text;
    struct rw_mono until; /* the text is good before */
    uint64_t made;        /* times that it was made */
};

/* Appends the text, which `make` writes when there is none or the last one is too old. Fails as `make`, and with
 * RW_E_NOMEM, RW_E_TOO_BIG; a failure is not kept. */
RW_RC api_cache_get(struct api_cache *c, const struct rw_clock *clock,
                    RW_RC (*make)(void *arg, struct rw_buf *into, struct rw_err *err), void *arg,
                    struct rw_buf *into, struct rw_err *err);
void api_cache_drop(struct api_cache *c);

#endif
