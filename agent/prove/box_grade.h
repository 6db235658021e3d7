/* box_grade.h: from the layers in force to the sandbox's grade, and what may run under it.
 *
 * memory   values only
 * threads  no shared state
 * source   docs/sandbox.md "Grades"; INV-12
 */
#ifndef RINGWARD_BOX_GRADE_H
#define RINGWARD_BOX_GRADE_H

#include "agent/prove/box_layer.h"
#include "agent/prove/box_profile.h"

enum { BOX_GRADE_TEXT_BYTES = 240 };

/* "full", "good", "weak" or "none". */
const char *box_grade_of(const struct box_layers *l, enum box_profile profile);
/* Does this launcher want the layer at all? A user name space replaces an identity of one's own and is none of
 * root's. */
bool box_grade_counts(const struct box_layers *l, enum box_layer layer);
/* May a validator be started? If not, `why` says what is missing. */
bool box_grade_permits(const struct box_layers *l, enum box_profile profile, bool allow_weak,
                       char why[static BOX_GRADE_TEXT_BYTES]);

#endif
