/* cmd_simulate_view.h: simulated rollouts as table, JSON and drawing.
 *
 * memory   borrows summaries
 * threads  one thread
 * source   docs/simulate.md
 */
#ifndef RINGWARD_CMD_SIMULATE_VIEW_H
#define RINGWARD_CMD_SIMULATE_VIEW_H

#include "server/cli/cli_view.h"
#include "server/simulate/sim_stat.h"

RW_RC cmd_simulate_view(const struct sim_plan *plan, const struct sim_summary *list, size_t count,
                        enum cli_format format, struct rw_err *err);
/* Exposed endpoints over time of one run of each fault. Appends an SVG document. */
RW_RC cmd_simulate_svg(const struct sim_plan *plan, const struct sim_summary *list, size_t count,
                       struct rw_buf *into, struct rw_err *err);

#endif
