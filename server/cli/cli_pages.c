#include "server/cli/cli_pages.h"

#include "common/json/json_write.h"
#include "server/cli/cli_view.h"

#include <stdio.h>
#include <string.h>

enum { PAGES_MAX = 100000, ALL_BYTES_MAX = 256 * 1024 * 1024, CURSOR_BYTES = 128 };

static RW_RC put_page(const struct json *page, const char *member, struct json_writer *w,
                      struct rw_err *err)
{
    const struct json *list = NULL;
    RW_TRY(json_get(page, member, JSON_ARRAY, &list, err));
    for (const struct json *e = json_first(list); e != NULL; e = json_next(e)) {
        json_put_tree(w, NULL, e);
    }
    return RW_OK;
}

/* Where the page behind this one begins; "": this is the last. */
static void read_next(const struct json *page, char next[static CURSOR_BYTES])
{
    (void)cli_view_str(page, "next", next, CURSOR_BYTES);
}

static RW_RC follow(struct cli_api *api, const char *path, const char *member,
                    const struct json *first, struct rw_buf *text, struct rw_err *err)
{
    char next[CURSOR_BYTES];
    char url[CLI_PATH_BYTES];
    struct json_writer w = json_begin(text);
    json_open_object(&w, NULL);
    json_open_array(&w, member);
    RW_TRY(put_page(first, member, &w, err));
    read_next(first, next);
    for (int pages = 1; next[0] != '\0'; pages++) {
        RW_AUTO(json_tree) json_tree page = NULL;
        int n =
            snprintf(url, sizeof(url), "%s%cafter=%s", path, strchr(path, '?') ? '&' : '?', next);
        if (n < 0 || n >= (int)sizeof(url) || pages == PAGES_MAX) {
            return rw_fail(err, RW_E_PROTOCOL, "the server's pages do not end");
        }
        RW_TRY(cli_api_get(api, url, &page, err));
        RW_TRY(put_page(page, member, &w, err));
        char was[CURSOR_BYTES];
        rw_copy(was, sizeof(was), next, sizeof(next));
        read_next(page, next);
        if (strcmp(was, next) == 0) {
            return rw_fail(err, RW_E_PROTOCOL, "the server's pages do not advance");
        }
    }
    json_close_array(&w);
    json_close_object(&w);
    return json_done(&w, err);
}

RW_RC cli_pages_get(struct cli_api *api, const char *path, const char *member,
                    struct json **tree_out, struct rw_err *err)
{
    static const struct json_limits limits = {
        .bytes_max = ALL_BYTES_MAX, .nodes_max = 20000000, .depth_max = 16};
    char next[CURSOR_BYTES];
    RW_AUTO(json_tree) json_tree first = NULL;
    RW_TRY(cli_api_get(api, path, &first, err));
    read_next(first, next);
    if (next[0] == '\0') {
        *tree_out = RW_STEAL(first);
        return RW_OK;
    }
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(ALL_BYTES_MAX);
    RW_TRY(follow(api, path, member, first, &text, err));
    return json_parse(rw_buf_span(&text), &limits, tree_out, err);
}
