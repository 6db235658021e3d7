/* box_cmd.h: the verbs of ringward-box.
 *
 * memory   borrows argv
 * threads  one thread
 * source   docs/protocol.md 11
 */
#ifndef RINGWARD_BOX_CMD_H
#define RINGWARD_BOX_CMD_H

#include "common/base/err.h"

/* Each parses argv[1..] (argv[0] is the verb), prints its result, and gives the exit status. */
RW_RC box_cmd_run(int argc, char **argv, int *status_out, struct rw_err *err);
RW_RC box_cmd_self_test(int argc, char **argv, int *status_out, struct rw_err *err);
RW_RC box_cmd_pack(int argc, char **argv, int *status_out, struct rw_err *err);

/* --without: layers may be taken away where tests are built, not in what is shipped. Fails with RW_E_USAGE. */
RW_RC box_cmd_read_without(const char *text, uint32_t *bits_out, struct rw_err *err);

#endif
