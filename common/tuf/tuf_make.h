/* tuf_make.h: the members that every signed part of ours begins with, and entries of "meta" and "targets".
 *
 * memory   writes into a JSON writer of the caller
 * threads  no shared state
 * source   TUF 1.0.34, 4.3 to 4.6; entries always carry length and sha256, so that every client can read them
 */
#ifndef RINGWARD_TUF_MAKE_H
#define RINGWARD_TUF_MAKE_H

#include "common/base/clock.h"
#include "common/json/json_write.h"
#include "common/tuf/tuf_doc.h"

/* From when to when a document speaks. `made` says how much of its life is left and decides nothing. */
struct tuf_make_life {
    struct rw_wall made; /* s 0: the document does not say */
    struct rw_wall expires;
};

/* Opens a signed part: {"_type","expires","spec_version","version", and TUF_MADE_MEMBER. The caller adds the rest and
 * closes it. */
void tuf_make_open(struct json_writer *w, const char *type, int64_t version,
                   struct tuf_make_life life);
/* Writes "FILE":{"hashes","length","version"} into an open "meta" object. Fails with RW_E_CRYPTO. */
RW_RC tuf_make_meta(struct json_writer *w, const char *file, int64_t version, struct rw_span bytes,
                    struct rw_err *err);
/* Writes "PATH":{"hashes","length"} into an open "targets" object. Fails with RW_E_CRYPTO. */
RW_RC tuf_make_target(struct json_writer *w, const char *path, struct rw_span bytes,
                      struct rw_err *err);

#endif
