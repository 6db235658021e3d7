/* cmd_doctor.h: `ringward doctor`: time left on every signature that endpoints rely on.
 *
 * memory   everything is freed before return
 * threads  one thread
 * source   docs/trust.md
 */
#ifndef RINGWARD_CMD_DOCTOR_H
#define RINGWARD_CMD_DOCTOR_H

#include "common/base/err.h"

/* argv[0] is "doctor". Fails with RW_E_USAGE, RW_E_TUF_EXPIRED (exit 9) when something has expired or soon will. */
RW_RC cmd_doctor(int argc, char **argv, struct rw_err *err);

#endif
