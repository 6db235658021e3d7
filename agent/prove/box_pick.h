/* box_pick.h: chooses clean files of this host, at random and stratified, for the must-not-match check.
 *
 * memory   a list owns its paths until box_pick_drop
 * threads  no shared state
 * source   docs/protocol.md 11; symbolic links are never followed, walks are bounded
 */
#ifndef RINGWARD_BOX_PICK_H
#define RINGWARD_BOX_PICK_H

#include "agent/prove/box_random.h"
#include "common/base/buf.h"

enum { BOX_PICK_MAX = 1900, BOX_PICK_OWN_MAX = 100 };

struct box_pick {
    char **at; /* owned */
    size_t count;
    size_t cap;
};

void box_pick_drop(struct box_pick *p);
/* Takes a copy of the path. Fails with RW_E_NOMEM, RW_E_FULL. */
RW_RC box_pick_add(struct box_pick *p, const char *path, size_t max, struct rw_err *err);
/* At most `want` regular files below `top` (reservoir sampling), in random order, appended to `p`. A missing
 * directory yields none. Fails with RW_E_NOMEM only. */
RW_RC box_pick_below(struct box_pick *p, const char *top, size_t want, struct box_random *random,
                     struct rw_err *err);
/* Ringward's own files: "ringward*" beside the running executable, everything of /etc/ringward, and the settings in its
 * conf.d and in the conf.d beside `own_file` (NULL: none), which are read as one with that file (INV-10). Appended to
 * `p`. Fails with RW_E_NOMEM, RW_E_IO, RW_E_FULL, RW_E_TOO_BIG. */
RW_RC box_pick_own(struct box_pick *p, const char *own_file, struct rw_err *err);

#endif
