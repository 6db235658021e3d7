/* cmd_token.h: ringward token: makes, lists and revokes tokens through the operator API.
 *
 * memory   a made token is printed once and kept nowhere
 * threads  one thread
 * source   docs/cli.md, docs/protocol.md 8
 */
#ifndef RINGWARD_CMD_TOKEN_H
#define RINGWARD_CMD_TOKEN_H

#include "common/base/err.h"

RW_RC cmd_token(int argc, char **argv, struct rw_err *err);

#endif
