/* yara_engine.h: the few calls of libyara that the validator and the reference sensor share.
 *
 * Both must compile and scan in the same way, or the box would prove something else than what runs.
 * memory   a yara_rules owns the compiled rules until yara_set_drop
 * threads  one thread; yara_begin before anything else, yara_end last
 * source   docs/protocol.md 10 and 11; includes are off, modules come from a list, libyara's own catching of
 *          SIGSEGV and SIGBUS is off, since it would hide a fault
 */
#ifndef RINGWARD_YARA_ENGINE_H
#define RINGWARD_YARA_ENGINE_H

#include "common/base/buf.h"

enum { YARA_SOURCE_BYTES_MAX = 64 * 1024 * 1024 };

struct yara_rules; /* opaque */
typedef struct yara_rules *yara_set;
void yara_set_drop(yara_set *set); /* RW_AUTO(yara_set) yara_set s = NULL; */

/* Prepares libyara without reading any configuration file. Fails with RW_E_NOMEM, RW_E_PROCESS,
 * RW_E_CRYPTO. */
RW_RC yara_begin(struct rw_err *err);
void yara_end(void);

/* Compiles one source text; borrows it. Gives the rules. Fails with RW_E_SYNTAX (first error with its line, a
 * NUL byte, no rule at all, a module that is not permitted) or RW_E_NOMEM. */
RW_RC yara_compile(const struct rw_buf *source, struct yara_rules **out, struct rw_err *err);
int64_t yara_count(const struct yara_rules *rules);

/* Calls `each` with the name of every rule; the name borrows from the rules. */
void yara_each_name(const struct yara_rules *rules, void (*each)(void *ctx, const char *name),
                    void *ctx);

/* The first string value of the meta `name` in any rule, from `*after` on (begin with 0; moves behind it).
 * False when there is none left. */
bool yara_meta(const struct yara_rules *rules, const char *name, int64_t *after, char *dst,
               size_t cap);

/* Called once per matching rule; both texts borrow. `action` is the rule's meta of that name (alert, block,
 * quarantine); NULL when it has none. */
typedef void yara_on_hit(void *ctx, const char *rule, const char *action);

/* Fails with RW_E_TIMEOUT (after timeout_s, at least 1), RW_E_NOMEM, RW_E_SYNTAX (libyara gave up; named). */
RW_RC yara_scan(struct yara_rules *rules, struct rw_span bytes, int timeout_s, yara_on_hit *hit,
                void *ctx, struct rw_err *err);

#endif
