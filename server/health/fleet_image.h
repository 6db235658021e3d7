/* fleet_image.h: the fold as bytes: a head, and slices of endpoints of neighbouring numbers, each as of its own journal
 * row.
 *
 * A head says what was there when its fold began (names and watched releases, as of row `from`) and what counts and
 * windows had come to when it ended (row `mark`). A slice was written somewhere between, or earlier when nothing in it
 * had changed by `from`. Loading is: the beginning, the slices, the journal behind `from`, each endpoint from its
 * slice's row on; at `mark` counts and windows are those of the head.
 *
 * memory   appends to a buffer of the caller; loads into a table of the caller
 * threads  the core thread only
 * source   docs/architecture.md "Storage"
 */
#ifndef RINGWARD_FLEET_IMAGE_H
#define RINGWARD_FLEET_IMAGE_H

#include "server/health/fleet_endpoint_codec.h"

enum {
    FLEET_HEAD_VERSION = 6,
    FLEET_OLD_HEAD_VERSION = 5, /* without the signal `mute`; still read */
    FLEET_SLICE_VERSION = 2,
    FLEET_SLICE_OLDEST = 1,                    /* that is still read */
    FLEET_HEAD_BYTES_MAX = 512 * 1024 * 1024,  /* counts of every cohort in every release */
    FLEET_SLICE_BYTES_MAX = 128 * 1024 * 1024, /* 1,024 endpoints of 400 families each */
    FLEET_OLD_IMAGE_VERSION = 4,               /* all in one piece, as it was before slices */
    FLEET_OLD_IMAGE_BYTES_MAX = 900 * 1024 * 1024,
};

/* Appends what a head begins with, when its fold begins. */
RW_RC fleet_image_put_begin(const struct fleet_table *t, struct rw_buf *into, struct rw_err *err);

struct fleet_head_of {
    int64_t from;         /* last journal row when the fold began */
    int64_t mark;         /* last journal row now */
    size_t slices;        /* that there were when it began */
    struct rw_span begin; /* what fleet_image_put_begin gave then; borrowed */
};
RW_RC fleet_image_put_head(const struct fleet_table *t, const struct fleet_head_of *of,
                           struct rw_buf *into, struct rw_err *err);

struct fleet_head {
    int64_t from;
    int64_t mark;
    size_t slices;
    struct fleet_known known; /* as of `mark` */
    size_t release_count;     /* as of `mark` */
    uint32_t next_serial;     /* as of `mark` */
    bool old;                 /* FLEET_OLD_HEAD_VERSION */
    struct rw_span rest;      /* borrows the bytes that it was read from */
};
/* Fills a table that fleet_table_make gave with what there was at `from`. These fail with RW_E_PROTOCOL when anything
 * does not fit, RW_E_NOMEM. */
RW_RC fleet_image_get_head(struct rw_span bytes, struct fleet_table *t, struct fleet_head *out,
                           struct rw_err *err);
/* To be called when the journal was applied up to `mark`. */
RW_RC fleet_image_settle(const struct fleet_head *head, struct fleet_table *t, struct rw_err *err);

RW_RC fleet_image_put_slice(const struct fleet_table *t, size_t slice, int64_t mark,
                            struct rw_buf *into, struct rw_err *err);

struct fleet_slice_of {
    size_t slice;
    int64_t mark;
    const struct fleet_known *known; /* borrowed */
};
/* Adds its endpoints; slices come in their order. */
RW_RC fleet_image_get_slice(struct rw_span bytes, const struct fleet_slice_of *of,
                            struct fleet_table *t, struct rw_err *err);

/* Fills a table that fleet_table_make gave. */
RW_RC fleet_image_load_old(struct rw_span image, struct fleet_table *t, struct rw_err *err);

#endif
