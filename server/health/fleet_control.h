/* fleet_control.h: what is observed of endpoints that do not have a release: the control group, and windows of both.
 *
 * memory   changes a table of the caller
 * threads  the core thread only
 * source   docs/health.md "Control"; shared by the fleet_*.c files only. Part of the fold: records alone decide (INV-8)
 */
#ifndef RINGWARD_FLEET_CONTROL_H
#define RINGWARD_FLEET_CONTROL_H

#include "server/health/fleet_table.h"

/* The endpoint was heard of: opens its control window, or closes the open one as seen. Two comparisons when neither. */
void fleet_control_heard(struct fleet_table *t, struct fleet_endpoint *e, int64_t now_s);
/* Its open window is taken back everywhere: it leaves its ring or cohort. */
void fleet_control_leave(struct fleet_table *t, struct fleet_endpoint *e, int64_t now_s);
/* Its open window is taken back from the release that it is exposed to now. */
void fleet_control_expose(struct fleet_table *t, const struct fleet_endpoint *e,
                          const struct fleet_release *r, int64_t now_s);
/* An exposed endpoint gets another permit, until `deadline_s`: its window stays booked where it was opened. */
void fleet_control_again(struct fleet_slot *slot, const struct fleet_release *r,
                         int64_t deadline_s);
/* Marks of a slot change: windows of permits open and end dark. */
void fleet_control_treated(struct fleet_table *t, const struct fleet_slot *slot, unsigned before,
                           unsigned after);
/* The newest release of the family when this endpoint is control for it; NULL: it is not. */
struct fleet_release *fleet_control_for(const struct fleet_table *t, const struct fleet_endpoint *e,
                                        uint16_t family);

#endif
