/* box_load.h: the dry run of an installed sensor's loader on a whole set of content, in the box.
 *
 * Content that is good alone may still not go together: names that clash, a total that is too large, memory of the
 * whole. The sensor's own loader is asked, before anything is switched.
 * memory   borrows the request until return
 * threads  the process must have one thread
 * source   docs/sandbox.md "Dry run of the sensor's loader"; INV-3, INV-5
 */
#ifndef RINGWARD_BOX_LOAD_H
#define RINGWARD_BOX_LOAD_H

#include "agent/prove/box_try.h"

#define BOX_LOAD_TYPE "set" /* stands where a validator has the content type */

struct box_load_request {
    struct box_check_request
        limits;         /* `validator`: the loader; limits and layers; the rest unused */
    const char *set;    /* folder of the set that is to become active */
    const char *before; /* folder of the one that is active; NULL: none, `set` in its place */
};

/* The loader gets /set and /before. A refusal counts only when the same loader takes the set that is active: else the
 * installation is at fault, and there is no verdict. Fails when a folder or the loader cannot be read, with
 * RW_E_CONFIG when its settings are not those of a loader. */
RW_RC box_load_check(const struct box_load_request *req, struct verdict *out, struct rw_err *err);

#endif
