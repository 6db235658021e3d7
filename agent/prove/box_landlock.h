/* box_landlock.h: everything that this kernel's Landlock knows is handled; only what the profile needs is granted.
 *
 * memory   allocates nothing
 * threads  restricts the calling thread and what it starts
 * source   landlock(7), Documentation/userspace-api/landlock.rst
 */
#ifndef RINGWARD_BOX_LANDLOCK_H
#define RINGWARD_BOX_LANDLOCK_H

#include "agent/prove/box_layer.h"
#include "agent/prove/box_profile.h"

/* Needs no_new_privs. Notes four layers: Landlock itself, and what its later versions added. `extension` is that of
 * the content's file in the files profile. */
void box_landlock_restrict(struct box_layers *l, enum box_profile profile, const char *extension);

#endif
