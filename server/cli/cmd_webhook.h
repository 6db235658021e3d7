/* cmd_webhook.h: ringward webhook: how deliveries stand; a test event.
 *
 * memory   nothing is kept
 * threads  one thread
 * source   docs/cli.md "Webhooks"
 */
#ifndef RINGWARD_CMD_WEBHOOK_H
#define RINGWARD_CMD_WEBHOOK_H

#include "common/base/err.h"

RW_RC cmd_webhook(int argc, char **argv, struct rw_err *err);

#endif
