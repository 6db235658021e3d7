/* cli_pages.h: a list that the server gives in pages, as one answer.
 *
 * memory   gives a tree that the caller drops
 * threads  one thread
 * source   docs/protocol.md 8: a page says in "next" what the following one begins behind
 */
#ifndef RINGWARD_CLI_PAGES_H
#define RINGWARD_CLI_PAGES_H

#include "server/cli/cli_api.h"

/* Follows the pages of `path` (with or without a query) and gives {member:[...]}; what came in one page is given as it
 * came. Fails as cli_api_get, with RW_E_PROTOCOL (pages do not end), RW_E_TOO_BIG. */
RW_RC cli_pages_get(struct cli_api *api, const char *path, const char *member,
                    struct json **tree_out, struct rw_err *err);

#endif
