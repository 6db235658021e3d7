/* fleet_endpoint_codec.h: one endpoint with all it remembers, as bytes of a slice, and as it stood in images of before.
 *
 * memory   appends to a buffer of the caller; adds to a table of the caller
 * threads  the core thread only
 * source   fleet_image.h
 */
#ifndef RINGWARD_FLEET_ENDPOINT_CODEC_H
#define RINGWARD_FLEET_ENDPOINT_CODEC_H

#include "server/health/fleet_bytes.h"
#include "server/health/fleet_table.h"

/* How many names of each space there are: numbers of an endpoint lie below. */
struct fleet_known {
    size_t count[FLEET_SPACES];
};

enum fleet_endpoint_form {
    FLEET_ENDPOINT_OLD_IMAGE, /* with the free slots, too */
    FLEET_ENDPOINT_SLICE_1,   /* always up to 32 beacon ids, in a ring */
    FLEET_ENDPOINT_NOW,
};

RW_RC fleet_endpoint_put(const struct fleet_table *t, const struct fleet_endpoint *e,
                         struct rw_buf *into, struct rw_err *err);
/* Adds it to the table; fleet_table_know is to be called when more have come. Fails with RW_E_PROTOCOL: cut, impossible
 * values. */
RW_RC fleet_endpoint_get(struct fleet_cursor *c, const struct fleet_known *known,
                         enum fleet_endpoint_form form, struct fleet_table *t, struct rw_err *err);

#endif
