/* yara_regex.h: bounds of one regular expression: length, groups, repetition of repetition.
 *
 * memory   borrows the text
 * threads  no shared state
 * source   yara_limits.h holds the bounds
 */
#ifndef RINGWARD_YARA_REGEX_H
#define RINGWARD_YARA_REGEX_H

#include "common/yara/yara_limits.h"

/* `text` stands between the slashes. Fails with RW_E_RANGE, naming the bound. */
RW_RC yara_regex_check(struct rw_span text, struct rw_err *err);

#endif
