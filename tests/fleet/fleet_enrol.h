/* fleet_enrol.h: brings a whole book of endpoints to the server, as fast as it takes them.
 *
 * memory   borrows everything
 * threads  runs the loop until all are enrolled
 * source   docs/protocol.md 7
 */
#ifndef RINGWARD_FLEET_ENROL_H
#define RINGWARD_FLEET_ENROL_H

#include "tests/fleet/fleet_stat.h"
#include "tests/fleet/fleet_wire.h"

struct fleet_enrol_result {
    struct fleet_stat stat;
    double seconds;
};

/* Fails with RW_E_HTTP when the server refuses one, RW_E_TIMEOUT when it does not answer for a minute. */
RW_RC fleet_enrol_run(struct event_base *base, const struct fleet_http_options *http,
                      struct fleet_book *book, struct fleet_enrol_result *out, struct rw_err *err);

#endif
