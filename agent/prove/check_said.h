/* check_said.h: what a validator has to say, gathered piece by piece and written as the one object of descriptor 5.
 *
 * memory   owns its lists until check_said_drop
 * threads  one thread
 * source   docs/protocol.md 11 "A validator"
 */
#ifndef RINGWARD_CHECK_SAID_H
#define RINGWARD_CHECK_SAID_H

#include "common/base/buf.h"

enum {
    CHECK_SAID_BYTES_MAX = 65536,
    CHECK_SAID_REASON_BYTES = 220,
    CHECK_SAID_NAMED_MAX = 100,
    CHECK_SAID_NAME_BYTES = 64,
    CHECK_SAID_FACTS_MAX = 4,
    CHECK_SAID_COVERED_BYTES_MAX = 48 * 1024,
};

/* What matched a sample, the gravest first. */
enum check_said_hit {
    CHECK_SAID_NOTHING,
    CHECK_SAID_BLOCKING, /* a rule that blocks or quarantines, or does not say what it does */
    CHECK_SAID_ALERTING, /* only rules that alert */
};

/* A check that only the validator can make; the launcher takes it over as the validator's own word. */
struct check_said_fact {
    const char *id; /* schema, limits, dry_run */
    bool ok;
    int64_t count;
    int64_t wrong;
};

struct check_said {
    bool accepted;
    char reason[CHECK_SAID_REASON_BYTES];
    char sha256[65];
    int64_t rules;
    int64_t slowest_us; /* processor time of the slowest sample */
    struct rw_buf hits;
    struct rw_buf named; /* first rule of the first hits, each with its NUL */
    size_t named_count;
    struct rw_buf covered; /* "type/field:1,7", each with its NUL */
    size_t covered_count;
    struct check_said_fact facts[CHECK_SAID_FACTS_MAX];
    size_t fact_count;
};

struct check_said check_said_make(void);
void check_said_drop(struct check_said *s);
/* Notes the next sample's result; `rule` is the first that matched. */
RW_RC check_said_note(struct check_said *s, enum check_said_hit hit, const char *rule,
                      struct rw_err *err);
void check_said_add(struct check_said *s, const char *id, int64_t count, int64_t wrong);
/* Notes that nothing else is to be said. */
__attribute__((format(printf, 2, 3))) void check_said_refuse(struct check_said *s, const char *fmt,
                                                             ...);
/* Processor time of this process, for slowest_us. */
int64_t check_said_cpu_us(void);
RW_RC check_said_write(const struct check_said *s, struct rw_buf *into, struct rw_err *err);

#endif
