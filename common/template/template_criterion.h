/* template_criterion.h: one criterion of an instance, read from content.
 *
 * memory   literals are owned by the criterion until template_criterion_drop; their text borrows from the tree
 * threads  no shared state
 * source   docs/protocol.md 14; shared by the files of common/template only
 */
#ifndef RINGWARD_TEMPLATE_CRITERION_H
#define RINGWARD_TEMPLATE_CRITERION_H

#include "common/template/template_set.h"

/* "*" or {OPERATOR: LITERAL}. Fails with RW_E_SCHEMA (an operator that nobody knows, or that fields of this type
 * do not have), RW_E_RANGE, RW_E_TOO_BIG, RW_E_NOMEM. */
RW_RC template_criterion_read(const struct json *v, const struct template_field *field,
                              struct template_rule_criterion *out, struct rw_err *err);
void template_criterion_drop(struct template_rule_criterion *c);

#endif
