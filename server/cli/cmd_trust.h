/* cmd_trust.h: `ringward trust`: the ceremony of root, targets and content roles, and their rotation.
 *
 * memory   nothing is kept
 * threads  one thread
 * source   docs/trust.md "Ceremony" and "Rotation"
 */
#ifndef RINGWARD_CMD_TRUST_H
#define RINGWARD_CMD_TRUST_H

#include "common/base/err.h"

/* argv[0] is the command's name, argv[1] the verb. */
RW_RC cmd_trust(int argc, char **argv, struct rw_err *err);

/* The verbs. */
RW_RC cmd_trust_init(int argc, char **argv, struct rw_err *err);
RW_RC cmd_trust_sign(int argc, char **argv, struct rw_err *err);
RW_RC cmd_trust_show(int argc, char **argv, struct rw_err *err);
RW_RC cmd_trust_assemble(int argc, char **argv, struct rw_err *err);
RW_RC cmd_trust_publish(int argc, char **argv, struct rw_err *err);
RW_RC cmd_trust_rotate(int argc, char **argv, struct rw_err *err);

#endif
