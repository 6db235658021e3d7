/* cmd_release_before.h: the present release of a family as a file, for the box to measure new content against.
 *
 * memory   owns its temporary file until cmd_release_before_drop
 * threads  one thread
 * source   docs/sandbox.md "Checks"
 */
#ifndef RINGWARD_CMD_RELEASE_BEFORE_H
#define RINGWARD_CMD_RELEASE_BEFORE_H

#include "server/cli/cli_api.h"
#include "server/cli/cli_view.h"

enum { CMD_RELEASE_PATH_BYTES = 512 };

struct cmd_release_before {
    char path[CMD_RELEASE_PATH_BYTES]; /* "": there is no release before */
    bool made;                         /* a temporary file of ours */
    int64_t steps;                     /* releases from that one to the new one */
    char class_name[CLI_FAMILY_BYTES];
};

void cmd_release_before_drop(struct cmd_release_before *b);
/* The newest published release that a box accepted and nobody halted, fetched from the server: what new content is
 * measured against. Fails as requests do. */
RW_RC cmd_release_before_fetch(struct cli_api *api, const char *family,
                               struct cmd_release_before *out, struct rw_err *err);
/* The newest one whose rollout is complete: what endpoints run. Fails with RW_E_NOT_FOUND (there is none), as requests
 * do. */
RW_RC cmd_release_before_in_place(struct cli_api *api, const char *family,
                                  struct cmd_release_before *out, struct rw_err *err);

#endif
