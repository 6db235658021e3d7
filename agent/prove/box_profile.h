/* box_profile.h: how much of a system a validator needs: nothing, its libraries, or paths as well.
 *
 * memory   values only
 * threads  no shared state
 * source   docs/sandbox.md "Profiles"
 */
#ifndef RINGWARD_BOX_PROFILE_H
#define RINGWARD_BOX_PROFILE_H

#include "common/base/err.h"

enum box_profile {
    BOX_PROFILE_STATIC,  /* one static file: the strict filter from its first instruction */
    BOX_PROFILE_DYNAMIC, /* libraries: loader calls until the first touch of content or samples */
    BOX_PROFILE_FILES,   /* libraries, content as a file, a scratch folder */
    BOX_PROFILES,
};

/* Descriptors and places that profiles agree on. */
enum { BOX_FD_CONTENT = 3, BOX_FD_SAMPLES = 4, BOX_FD_VERDICT = 5 };
enum { BOX_SCRATCH_BYTES = 64 * 1024 * 1024 };

static inline const char *box_profile_name(enum box_profile profile)
{
    static const char *const names[BOX_PROFILES] = {"static", "dynamic", "files"};
    return names[profile];
}

#endif
