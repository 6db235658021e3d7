/* cli_repo.h: the published metadata as an agent would trust them, fetched into a directory that goes away again.
 *
 * memory   owns client and directory until cli_repo_drop; borrows the connection
 * threads  one thread
 * source   docs/trust.md; the client is the agent's own (common/tuf)
 */
#ifndef RINGWARD_CLI_REPO_H
#define RINGWARD_CLI_REPO_H

#include "common/tuf/tuf_client.h"
#include "common/tuf/tuf_doc.h"
#include "server/cli/cli_api.h"

enum { CLI_REPO_PATH_BYTES = 1200 };

struct cli_repo {
    struct cli_api *api;
    struct tuf_client *client; /* NULL: not open */
    char path[CLI_REPO_PATH_BYTES];
    int dir; /* -1: not made */
};

/* Begins from a trusted root: `root_file`, NULL: root.json beside the profile. Nothing is fetched yet.
 * Fails with RW_E_NOT_FOUND (no root, with a hint), the TUF codes, RW_E_IO. */
RW_RC cli_repo_open(struct cli_api *api, const char *root_file, struct cli_repo *out,
                    struct rw_err *err);
void cli_repo_drop(struct cli_repo *r);
/* Refreshes without a look at the clock, for people who are about to replace what has expired. */
RW_RC cli_repo_refresh(struct cli_repo *r, struct rw_err *err);
/* The verified document of "root", "targets" or a delegated role, after a refresh.
 * Fails with RW_E_TUF_ROLE when nothing delegates or lists it. */
RW_RC cli_repo_doc(struct cli_repo *r, const char *role, struct tuf_doc *out, struct rw_err *err);

#endif
