/* template_match.h: one event against all instances of a set: as the sensor does it, and as the validator does it.
 *
 * memory   borrows everything
 * threads  no shared state
 * source   docs/protocol.md 14
 */
#ifndef RINGWARD_TEMPLATE_MATCH_H
#define RINGWARD_TEMPLATE_MATCH_H

#include "common/template/template_manifest.h"

/* Called once per instance that fits, in the order of the content. */
typedef void template_on_hit(void *ctx, const struct template_instance *one);

/* Fails with RW_E_SCHEMA when an instance asks for fields that the event does not have (content that was never
 * compared with the sensor): nothing is reported for that instance, and the event's other hits stand. */
RW_RC template_match(const struct template_set *s, const struct template_event *e,
                     template_on_hit *hit, void *ctx, struct rw_err *err);
/* The same hits, with every criterion forced and compared with the sensor's way. Fails also with RW_E_PROCESS
 * when the two differ: a defect of the engine. */
RW_RC template_match_forced(const struct template_set *s, const struct template_event *e,
                            template_on_hit *hit, void *ctx, struct rw_err *err);

#endif
