/* http_crowd_rule.h: how many connections may be open without a first request, and when memory is given back.
 *
 * An unfinished handshake holds more than twice the memory of a kept connection (OpenSSL has its buffers of a record
 * and of a message then), and costs its client nothing. So they have a share of their own, and less patience when it
 * is nearly used up: who means it sends its request within a second.
 *
 * memory   values only
 * threads  pure
 * source   docs/server.md "HTTP", limits
 */
#ifndef RINGWARD_HTTP_CROWD_RULE_H
#define RINGWARD_HTTP_CROWD_RULE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    HTTP_CROWD_RULE_MOST = 8192, /* newcomers over all workers: 300 MB of handshakes */
    HTTP_CROWD_RULE_LEAST = 64,  /* of one worker */
};

/* Newcomers that one of `workers` >= 1 may have: a quarter of all connections, in the bounds above. */
unsigned http_crowd_rule_share(unsigned connections_max, unsigned workers);
/* Above three quarters of the share the oldest newcomers are cut, when a fifth of their time is over. */
bool http_crowd_rule_cuts(unsigned newcomers, unsigned share, int64_t head_ms, int64_t left_ms);
/* Memory goes back to the system when half of the connections of the busiest moment, and at least 512, have gone. */
bool http_crowd_rule_gives_back(unsigned most_open, unsigned open);

#endif
