/* fleet_image.h: the whole table as bytes: the fold that the journal continues from.
 *
 * memory   appends to a buffer of the caller; loads into a table of the caller
 * threads  the core thread only
 * source   docs/architecture.md "Storage"
 */
#ifndef RINGWARD_FLEET_IMAGE_H
#define RINGWARD_FLEET_IMAGE_H

#include "server/health/fleet_table.h"

enum { FLEET_IMAGE_VERSION = 4, FLEET_IMAGE_BYTES_MAX = 900 * 1024 * 1024 };

RW_RC fleet_image_write(const struct fleet_table *t, struct rw_buf *into, struct rw_err *err);
/* Fills a table that fleet_table_make gave. Fails with RW_E_PROTOCOL when anything in it does not fit. */
RW_RC fleet_image_load(struct rw_span image, struct fleet_table *t, struct rw_err *err);

#endif
