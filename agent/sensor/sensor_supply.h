/* sensor_supply.h: what this sensor really supplies to template content: types of events and their fields.
 *
 * This table is the engine. The manifest that content is compared with is printed from it (ringward-sensor
 * --manifest), events are read by it, and loading compares with it once more: no second list can disagree.
 *
 * memory   static
 * threads  read-only
 * source   docs/protocol.md 14
 */
#ifndef RINGWARD_SENSOR_SUPPLY_H
#define RINGWARD_SENSOR_SUPPLY_H

#include "common/template/template_manifest.h"

extern const struct template_manifest sensor_supply;

#endif
