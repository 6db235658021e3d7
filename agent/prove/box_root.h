/* box_root.h: a root directory of our own: an empty tmpfs, read-only, with what the profile needs and no more.
 *
 * memory   allocates nothing
 * threads  called in a process that has a mount name space of its own
 * source   pivot_root(2), mount_namespaces(7)
 */
#ifndef RINGWARD_BOX_ROOT_H
#define RINGWARD_BOX_ROOT_H

#include "agent/prove/box_profile.h"

#include <sys/types.h>

enum { BOX_ROOT_EXTENSION_BYTES = 17 };

struct box_root_spec {
    enum box_profile profile;
    const char *extension;
    bool samples_as_files;
    bool content_is_sets; /* folders of files (box_set.h) in place of /content.EXTENSION */
    int64_t content_bytes, samples_bytes;
    uid_t uid; /* owner of the scratch folder */
    gid_t gid;
};

/* How many bytes the root's files take, for the limits of memory. */
int64_t box_root_bytes(const struct box_root_spec *spec);
/* Content is read from descriptor 3, samples from 4, both without moving their offsets. False with errno. */
bool box_root_enter(const struct box_root_spec *spec);

#endif
