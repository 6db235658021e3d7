/* limit_table.h: token buckets of those who asked lately, in a table of fixed size.
 *
 * A bucket that is full again says nothing and gives its slot away. When all slots of a place are in use, the one that
 * is fullest goes: it is worth least, and whoever is at his limit does not get rid of it by bringing others, unless
 * each of these is at its own.
 *
 * memory   16 bytes per slot, all of it from the start
 * threads  safe from any thread; a lock for each of 64 parts
 */
#ifndef RINGWARD_LIMIT_TABLE_H
#define RINGWARD_LIMIT_TABLE_H

#include "server/api/limit_rule.h"

struct limit_table;

/* Room for `slots` buckets or some more, 1..2^24; gives. Fails with RW_E_NOMEM. */
RW_RC limit_table_new(size_t slots, struct limit_table **out, struct rw_err *err);
void limit_table_free(struct limit_table *t); /* accepts NULL */

/* Takes one request out of the bucket `key`, a keyed hash (limit_key.h). One key always comes with one rate. */
struct limit_verdict limit_table_take(struct limit_table *t, uint64_t key,
                                      const struct limit_rate *rate, int64_t now_ms);

#endif
