/* control_codec.h: customers' controls as people write them and as they travel and are kept.
 *
 * memory   plain values of fixed size
 * threads  no shared state
 * source   docs/controls.md; docs/protocol.md 7 and 8
 */
#ifndef RINGWARD_CONTROL_CODEC_H
#define RINGWARD_CONTROL_CODEC_H

#include "common/json/json_write.h"
#include "common/policy/control_rule.h"

enum { CONTROL_TEXT_BYTES = 96 };

/* "n-1", "n-2" or "FAMILY/NUMBER". Fails with RW_E_SYNTAX naming the forms. */
RW_RC control_codec_read_pin(struct rw_span text, struct control *out, struct rw_err *err);
/* Time at which a hold ends, as RFC 3339. A hold without an end is refused. Fails with RW_E_SYNTAX and a hint. */
RW_RC control_codec_read_hold(struct rw_span text, struct control *out, struct rw_err *err);
/* "pin n-1", "hold until 2026-12-01T00:00:00Z", "delay 2d": the same control always gives the same text. */
void control_codec_text(const struct control *c, char dst[static CONTROL_TEXT_BYTES]);

/* {"kind","family"?,"delay_s"?,"back"?,"release"?,"until"?,"since"} */
void control_codec_put(struct json_writer *w, const char *name, const struct control *c);
/* Unknown members, members of another kind and missing ones are refused: RW_E_SCHEMA, RW_E_RANGE, RW_E_SYNTAX.
 * `by_operator` of the result is false. */
RW_RC control_codec_get(const struct json *object, struct control *out, struct rw_err *err);
/* An array of at most CONTROL_MAX. */
RW_RC control_codec_get_list(const struct json *array, struct control out[static CONTROL_MAX],
                             size_t *count_out, struct rw_err *err);
/* What an operator asks for, against the policy: too long, or without an end. Fails with RW_E_POLICY, naming
 * the limit. */
RW_RC control_codec_check(const struct control *c, const struct control_limits *l,
                          struct rw_err *err);
/* For people and programs: the control, its age, when it ends, what is left. */
void control_codec_put_view(struct json_writer *w, const struct control *c,
                            const struct control_limits *l, struct rw_wall passed);

#endif
