/* cli_walk.h: a long list, page after page, shown as it comes: up to a limit, as a table, JSON or one line per element.
 *
 * memory   keeps a table, or the text of the JSON form, until it is printed; of ndjson one page
 * threads  one thread
 * source   docs/protocol.md 8: a page says in "next" what the following one begins behind
 */
#ifndef RINGWARD_CLI_WALK_H
#define RINGWARD_CLI_WALK_H

#include "server/cli/cli_api.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"

enum { CLI_WALK_LIMIT_DEFAULT = 1000, CLI_WALK_LIMIT_MAX = 1000000 };

struct cli_walk {
    enum cli_format format;
    const char *path;   /* with a query: "/v1/fleet?limit=500" */
    const char *member; /* of a page: the array */
    int64_t limit;      /* shown at most */
    const char *const *header;
    size_t columns;
    const char *empty; /* said in place of a table without rows */
    const char *what;  /* "endpoints": of which there are more */
    /* Whether an element is to be shown; NULL: all are. */
    bool (*wanted)(const void *ctx, const struct json *element);
    RW_RC (*add)(struct cli_table *t, const struct json *element, struct rw_err *err);
    const void *ctx;
};

/* Text of --limit; NULL: the default. Fails with RW_E_USAGE, RW_E_RANGE. */
RW_RC cli_walk_limit(const char *text, int64_t *out, struct rw_err *err);
/* Prints; when the limit cut it off, says so on standard error. Fails as cli_api_get, with RW_E_PROTOCOL (pages that do
 * not advance). */
RW_RC cli_walk_show(struct cli_api *api, const struct cli_walk *what, int64_t *shown_out,
                    struct rw_err *err);
/* Text as a value in a query: %XX where it must be. Fails with RW_E_RANGE when it does not fit. */
RW_RC cli_walk_quote(const char *text, char *dst, size_t cap, struct rw_err *err);

#endif
