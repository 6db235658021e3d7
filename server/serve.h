/* serve.h: `ringward-server serve`: opens everything, wires it, runs until a signal, and closes in order.
 *
 * memory   all of it is freed before the return
 * threads  called once, from the main thread, which keeps the signals
 * source   docs/server.md
 */
#ifndef RINGWARD_SERVE_H
#define RINGWARD_SERVE_H

#include "common/base/err.h"

/* argv[0] is the verb. Returns after a graceful stop. Fails with whatever kept it from starting. */
RW_RC serve(int argc, char **argv, struct rw_err *err);

#endif
