/* recent_rule.h: how many of an endpoint's latest beacon ids are remembered.
 *
 * An agent sends what waits, oldest first, at most 32 in a request, and sends it again until it is answered. So a
 * repeat is part of the latest requests, and the latest `keep` ids are enough when no request was longer. Most
 * requests of most endpoints are one beacon: they need not pay for the 32 of one that comes back after a month.
 *
 * memory   plain values
 * threads  no shared state
 * source   docs/server.md "The fold"; docs/protocol.md "7. Agent API"
 */
#ifndef RINGWARD_RECENT_RULE_H
#define RINGWARD_RECENT_RULE_H

#include "common/base/err.h"

enum { RECENT_RULE_LEAST = 8, RECENT_RULE_MOST = 32 };

struct recent_rule {
    uint8_t keep;  /* ids to remember: a power of two, RECENT_RULE_LEAST..RECENT_RULE_MOST */
    uint8_t small; /* beacons since a request had more than half of `keep` */
};

/* A beacon came that was not known, `before` (at most 31) others of the same request before it, repeats included. It
 * grows at once, so that all of the request stay known, and shrinks by half when nothing has needed more for as long as
 * it takes to forget all ids. */
struct recent_rule recent_rule_next(struct recent_rule r, uint8_t before);
/* Of an endpoint of which `count` ids (at most 32) are known and nothing else. */
struct recent_rule recent_rule_of(uint8_t count);
/* Whether stored values can be those of a rule that remembers `count` ids. */
bool recent_rule_fits(struct recent_rule r, uint8_t count);

#endif
