/* content_type.h: which kind of content a family carries: validator, sensor engine and text rules follow from it.
 *
 * memory   borrows; static names
 * threads  no shared state
 * source   docs/protocol.md 11
 */
#ifndef RINGWARD_CONTENT_TYPE_H
#define RINGWARD_CONTENT_TYPE_H

#include "common/base/buf.h"

/* "yara" and "yara-linux" carry yara, "template" and "template-kiosk" carry template; another family's type bears
 * the family's own name, as its vendor's validator does. */
const char *content_type_of(const char *family);
/* Content of this type is text: a NUL or another control byte in it is damage or an attack. */
bool content_type_is_text(const char *type);
/* Content of this type means something only to a sensor whose manifest is known. */
bool content_type_wants_manifest(const char *type);

#endif
