/* api_retention.h: what alarms and metrics say of the automatic removal of what nobody needs any more.
 *
 * memory   plain values; borrows nothing but constant names
 * threads  the core thread
 * source   docs/server.md "Removing what nobody needs"; INV-12: a removal that does not work is never silent
 */
#ifndef RINGWARD_API_RETENTION_H
#define RINGWARD_API_RETENTION_H

#include "common/base/clock.h"
#include "common/json/json_write.h"

#include <stdbool.h>

enum { API_RETENTION_KINDS_MAX = 16 };

/* What went of one kind since the start. */
struct api_retention_sum {
    const char *kind; /* constant text; NULL: the list ends here */
    uint64_t count;
    uint64_t bytes;
};

struct api_retention {
    bool on;             /* the settings want it; the rest says nothing otherwise */
    uint64_t runs;       /* that ended as they should */
    uint64_t failures;   /* that did not */
    struct rw_wall last; /* end of the last one that did; zero: none since the start */
    struct api_retention_sum sums[API_RETENTION_KINDS_MAX];
    char failure[RW_ERR_TEXT_BYTES]; /* why the last run failed; "": it did not */
};

/* Counts `count` more of `kind` (constant text, as every time). */
void api_retention_add(struct api_retention *r, const char *kind, uint64_t count, uint64_t bytes);
/* Appends Prometheus samples; none when it is off. Fails as rw_buf_appendf. */
RW_RC api_retention_metrics(const struct api_retention *r, struct rw_buf *into, struct rw_err *err);

#endif
