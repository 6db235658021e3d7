/* agent_conf_sensor.h: the settings that say where the sensor comes from and how it is told to load, checked together.
 *
 * memory   borrows
 * threads  read-only
 * source   docs/sensor.md "Observed sensors"
 */
#ifndef RINGWARD_AGENT_CONF_SENSOR_H
#define RINGWARD_AGENT_CONF_SENSOR_H

#include "agent/activate/sensor.h"
#include "agent/agent_conf.h"

/* Refuses what does not go together, with the file and line of the setting that is one too many. `name`: the settings
 * file. Fails with RW_E_CONFIG. */
RW_RC agent_conf_sensor_check(const struct agent_conf *c, const char *name,
                              const struct conf_table *table, const struct conf_trace *trace,
                              struct rw_err *err);
/* Of settings that were checked; borrows their texts. */
struct sensor_way agent_conf_sensor_way(const struct agent_conf *c);

#endif
