/* limit_rule.h: may one more request pass? A token bucket, kept as one moment, and a share of a queue.
 *
 * A bucket that holds `burst` and fills at `rate` is the same as a moment up to which requests are paid for: each one
 * moves it on by 1/rate, and it may lie ahead of now by burst/rate. A moment in the past is a full bucket and says
 * nothing, so a table may forget it.
 *
 * memory   values only
 * threads  no shared state
 * source   ITU-T I.371 (generic cell rate algorithm); Choudhury and Hahne 1998, dynamic queue length thresholds
 */
#ifndef RINGWARD_LIMIT_RULE_H
#define RINGWARD_LIMIT_RULE_H

#include "common/base/buf.h"

enum {
    LIMIT_PER_S_MAX = 1000000,
    LIMIT_BURST_MS_MAX = 3600000,
    LIMIT_SHARE_MAX = 100, /* percent */
};

struct limit_rate {
    int64_t every_us; /* one request is paid for by so long; 0: no limit */
    int64_t burst_us; /* how far ahead may be paid; at least every_us */
};

struct limit_verdict {
    bool pass;
    int64_t paid_us; /* what the bucket is from now on */
    int64_t wait_ms; /* not passed: after this the next one may; 0 otherwise */
};

/* `per_s` requests a second in the long run, and what `burst_ms` of them make at once, but one at least. Values beyond
 * the limits above are cut to them; per_s <= 0: no limit. */
struct limit_rate limit_rule_rate(int64_t per_s, int64_t burst_ms);

/* Takes one request out of a bucket that is paid up to `paid_us`. `now_ms` is monotonic. Should it go back
 * nevertheless, the bucket counts as empty, not as paid for hours: nobody waits longer than for an empty one. */
struct limit_verdict limit_rule_take(const struct limit_rate *rate, int64_t paid_us,
                                     int64_t now_ms);

/* What Retry-After says for a wait: whole seconds, 1 at least, and by chance up to as much again and four more, so that
 * those who were refused together do not come back together. */
int64_t limit_rule_retry_s(int64_t wait_ms, uint32_t random);

/* May somebody with `own` of the `used` places of a queue of `capacity` take `more`? What he has then may be at most
 * share : (100 - share) of what was free before. So one alone gets `share` percent of the queue, several get about
 * equal parts, and whoever comes next always finds room. 100: no limit but the capacity. */
bool limit_rule_share(size_t capacity, size_t used, size_t own, size_t more, unsigned share);

#endif
