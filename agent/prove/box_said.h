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

enum { BOX_SAID_BYTES_MAX = 65536, BOX_SAID_NAMED_MAX = 256, BOX_SAID_NAME_BYTES = 64 };

struct box_said {
    bool valid; /* one well-formed object; all else is unset when false */
    bool accepted;
    char reason[VERDICT_REASON_BYTES];
    char hash[65];
    int64_t rules;
    char hits[SAMPLES_BLIND_COUNT_MAX + 1]; /* one '0' or '1' per sample, in the order given */
    size_t hit_count;
    char named[BOX_SAID_NAMED_MAX][BOX_SAID_NAME_BYTES]; /* rule of the first hits; may be fewer */
    size_t named_count;
};

void box_said_read(struct rw_span text, struct box_said *out);

#endif
