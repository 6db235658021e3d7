/* box_cmd.h: the verbs of ringward-box.
 *
 * memory   borrows argv
 * threads  one thread
 * source   docs/protocol.md 11
 */
#ifndef RINGWARD_BOX_CMD_H
#define RINGWARD_BOX_CMD_H

#include "agent/prove/box_check.h"

/* Each parses argv[1..] (argv[0] is the verb), prints its result, and gives the exit status. */
RW_RC box_cmd_run(int argc, char **argv, int *status_out, struct rw_err *err);
RW_RC box_cmd_load(int argc, char **argv, int *status_out, struct rw_err *err);
RW_RC box_cmd_self_test(int argc, char **argv, int *status_out, struct rw_err *err);
RW_RC box_cmd_pack(int argc, char **argv, int *status_out, struct rw_err *err);

/* --without: layers may be taken away where tests are built, not in what is shipped. Fails with RW_E_USAGE. */
RW_RC box_cmd_read_without(const char *text, uint32_t *bits_out, struct rw_err *err);

/* Limits as they were given; NULL: not given, 0 is filled in. Fails with RW_E_RANGE, RW_E_SYNTAX. */
RW_RC box_cmd_read_limits(const char *wall, const char *cpu, const char *memory,
                          struct box_check_request *req, struct rw_err *err);
/* Prints the verdict and gives the exit status: 0 accepted, 9 any other final verdict, 1 no verdict. */
RW_RC box_cmd_print(const struct verdict *v, int *status_out, struct rw_err *err);

#endif
