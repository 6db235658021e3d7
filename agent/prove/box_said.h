/* box_said.h: the validator's own object, read strictly: only known members, text reduced to printable ASCII.
 *
 * memory   plain values
 * threads  no shared state
 * source   docs/protocol.md 11; a taken-over validator writes what it likes, so nothing here decides alone
 */
#ifndef RINGWARD_BOX_SAID_H
#define RINGWARD_BOX_SAID_H

#include "common/box/samples_codec.h"
#include "common/box/verdict_codec.h"

enum {
    BOX_SAID_BYTES_MAX = 65536,
    BOX_SAID_NAMED_MAX = 256,
    BOX_SAID_NAME_BYTES = 64,
    BOX_SAID_FACTS_MAX = 4,
    BOX_SAID_COVERED_MAX = 512, /* fields of all types of a content */
    BOX_SAID_COVERED_BYTES = 72,
    BOX_SAID_COVERED_BY_MAX = 3,
};

/* One field of content, and samples that matched by a rule that judges it. */
struct box_said_covered {
    char name[BOX_SAID_COVERED_BYTES];   /* "type/field" */
    int64_t by[BOX_SAID_COVERED_BY_MAX]; /* numbers of samples, in the order given */
    size_t by_count;
};

/* A check that only the validator can make. */
struct box_said_fact {
    char id[16]; /* schema, limits, dry_run */
    bool ok;
    int64_t count;
    int64_t wrong;
};

struct box_said {
    bool valid; /* one well-formed object; all else is unset when false */
    bool accepted;
    char reason[VERDICT_REASON_BYTES];
    char hash[65];
    int64_t rules;
    int64_t slowest_us; /* what it says of the slowest sample; 0: nothing */
    char hits[SAMPLES_BLIND_COUNT_MAX +
              1]; /* per sample, in the order given: '0', '1', '2' (only rules that alert) */
    size_t hit_count;
    char named[BOX_SAID_NAMED_MAX][BOX_SAID_NAME_BYTES]; /* rule of the first hits; may be fewer */
    size_t named_count;
    struct box_said_fact facts[BOX_SAID_FACTS_MAX];
    size_t fact_count;
    struct box_said_covered covered[BOX_SAID_COVERED_MAX];
    size_t covered_count;
};

void box_said_read(struct rw_span text, struct box_said *out);

#endif
