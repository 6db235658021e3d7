/* box_run.h: runs ringward-box on one content and reads its verdict; the same at release create, on the server
 * and on the agent.
 *
 * memory   borrows the request until return
 * threads  may be called from any thread
 * source   docs/protocol.md 11; INV-3 and INV-5: whatever goes wrong here is sandbox_error, never accepted
 */
#ifndef RINGWARD_BOX_RUN_H
#define RINGWARD_BOX_RUN_H

#include "common/box/verdict_codec.h"

struct box_request {
    const char *box;       /* path of ringward-box */
    const char *validator; /* path of the validator executable */
    const char *type;      /* content type, for instance "yara" */
    const char *content;   /* path */
    const char *samples;   /* path of an RWS1 file; NULL: none */
    int64_t
        clean_files; /* files of this host that must not match; 0: none, negative: the default */
    const char *own_file; /* one more file that content must never match (INV-10), for instance
                             the agent's settings; NULL: none */
    const char
        *manifest;       /* of the installed sensor, for content that is judged by it; NULL: none */
    const char *against; /* the release before: size, rules, what it needs; NULL: none */
    int64_t against_steps; /* releases from that one to the content; 0: one */
    bool for_release;      /* a new release: every field needs a must-match sample */
    bool allow_weak;       /* a sandbox of grade weak is good enough */
    int64_t wall_ms;       /* 0: as the validator's settings ask */
};

/* The dry run of an installed sensor's loader on a whole set (docs/sandbox.md "Dry run of the sensor's loader"). */
struct box_load_run {
    const char *box;    /* path of ringward-box */
    const char *loader; /* path of the loader, or of what its settings are named after */
    const char *set;    /* folder of the set that is to become active */
    const char *before; /* folder of the active set; NULL: none */
    bool allow_weak;
};

/* The installed sensor's manifest lies under this name beside the box. */
#define BOX_MANIFEST_NAME "ringward-sensor.manifest"

/* Always gives a verdict. Fails only with RW_E_NOMEM. */
RW_RC box_check(const struct box_request *req, struct verdict *out, struct rw_err *err);
/* Same, and appends the verdict's JSON text to `text`. */
RW_RC box_check_text(const struct box_request *req, struct verdict *out, struct rw_buf *text,
                     struct rw_err *err);
/* Always gives a verdict, like box_check. */
RW_RC box_run_load(const struct box_load_run *req, struct verdict *out, struct rw_err *err);
/* "DIR/ringward-box" and "DIR/ringward-validate-TYPE" for the folder of the running executable. */
RW_RC box_beside_self(const char *name, char *dst, size_t cap, struct rw_err *err);

#endif
