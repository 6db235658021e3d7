#include "server/cli/cli_walk.h"

#include "common/base/num.h"
#include "common/json/json_write.h"

#include <stdio.h>
#include <string.h>

enum { OUT_BYTES_MAX = 64 * 1024 * 1024, CURSOR_BYTES = 64, PAGES_MAX = 1000000 };

struct walk {
    const struct cli_walk *what;
    int64_t shown;
    bool more;            /* there are elements behind the limit */
    struct cli_table t;   /* CLI_TABLE */
    struct json_writer w; /* CLI_JSON */
};

RW_RC cli_walk_limit(const char *text, int64_t *out, struct rw_err *err)
{
    *out = CLI_WALK_LIMIT_DEFAULT;
    if (text == NULL) { return RW_OK; }
    return rw_parse_i64(rw_span_str(text), 1, CLI_WALK_LIMIT_MAX, "--limit", out, err);
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("-._~/", c) != NULL;
}

RW_RC cli_walk_quote(const char *text, char *dst, size_t cap, struct rw_err *err)
{
    size_t n = 0;
    for (const char *p = text; *p != '\0'; p++) {
        bool plain = is_plain(*p);
        if (n + (plain ? 1 : 3) >= cap) {
            return rw_fail(err, RW_E_RANGE, "'%.40s' is too long to be asked for", text);
        }
        (void)snprintf(dst + n, cap - n, plain ? "%c" : "%%%02X", (unsigned char)*p);
        n += plain ? 1 : 3;
    }
    dst[n] = '\0';
    return RW_OK;
}

static RW_RC take_element(struct walk *k, const struct json *e, struct rw_err *err)
{
    const struct cli_walk *what = k->what;
    if (what->wanted != NULL && !what->wanted(what->ctx, e)) { return RW_OK; }
    if (k->shown == what->limit) {
        k->more = true;
        return RW_OK;
    }
    k->shown++;
    if (what->format == CLI_NDJSON) { return cli_view_print_json(e, err); }
    if (what->format == CLI_TABLE) { return what->add(&k->t, e, err); }
    json_put_tree(&k->w, NULL, e);
    return RW_OK;
}

/* One page; `after` is set to where the next one begins, "" at the end. */
static RW_RC take_page(struct cli_api *api, struct walk *k, char after[static CURSOR_BYTES],
                       struct rw_err *err)
{
    char path[CLI_PATH_BYTES];
    char next[CURSOR_BYTES];
    RW_AUTO(json_tree) json_tree page = NULL;
    const struct json *list = NULL;
    int n = snprintf(path, sizeof(path), "%s%s%s", k->what->path, after[0] != '\0' ? "&after=" : "",
                     after);
    if (n < 0 || n >= (int)sizeof(path)) {
        return rw_fail(err, RW_E_RANGE, "the request is longer than %zu bytes", sizeof(path) - 1);
    }
    RW_TRY(cli_api_get(api, path, &page, err));
    RW_TRY(json_get(page, k->what->member, JSON_ARRAY, &list, err));
    for (const struct json *e = json_first(list); e != NULL; e = json_next(e)) {
        RW_TRY(take_element(k, e, err));
    }
    (void)cli_view_str(page, "next", next, sizeof(next));
    if (next[0] != '\0' && strcmp(next, after) == 0) {
        return rw_fail(err, RW_E_PROTOCOL, "the server's pages do not advance");
    }
    (void)snprintf(after, CURSOR_BYTES, "%s", next);
    return RW_OK;
}

static RW_RC take_all(struct cli_api *api, struct walk *k, struct rw_err *err)
{
    char after[CURSOR_BYTES] = "";
    int pages = 0;
    do {
        if (pages++ == PAGES_MAX) {
            return rw_fail(err, RW_E_PROTOCOL, "the server's pages do not end");
        }
        RW_TRY(take_page(api, k, after, err));
    } while (after[0] != '\0' && !k->more);
    return RW_OK;
}

static RW_RC show_json(struct cli_api *api, struct walk *k, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(OUT_BYTES_MAX);
    k->w = json_begin(&text);
    json_open_object(&k->w, NULL);
    json_open_array(&k->w, k->what->member);
    RW_TRY(take_all(api, k, err));
    json_close_array(&k->w);
    json_put_bool(&k->w, "more", k->more);
    json_close_object(&k->w);
    RW_TRY(json_done(&k->w, err));
    printf("%s\n", rw_buf_str(&text));
    return RW_OK;
}

static RW_RC show_table(struct cli_api *api, struct walk *k, struct rw_err *err)
{
    RW_TRY(cli_table_begin(&k->t, k->what->header, k->what->columns, err));
    RW_TRY(take_all(api, k, err));
    if (k->shown > 0) {
        (void)cli_table_print(&k->t);
    } else {
        printf("%s\n", k->what->empty);
    }
    return RW_OK;
}

static RW_RC show(struct cli_api *api, struct walk *k, struct rw_err *err)
{
    switch (k->what->format) {
    case CLI_NDJSON:
        return take_all(api, k, err);
    case CLI_JSON:
        return show_json(api, k, err);
    case CLI_TABLE:
        break;
    }
    return show_table(api, k, err);
}

RW_RC cli_walk_show(struct cli_api *api, const struct cli_walk *what, int64_t *shown_out,
                    struct rw_err *err)
{
    struct walk k = {.what = what};
    struct rw_rc rc = show(api, &k, err);
    cli_table_drop(&k.t);
    RW_TRY(rc);
    RW_TRY(cli_view_flush(err));
    *shown_out = k.shown;
    if (k.more) {
        (void)fprintf(stderr, "ringward: there are more %s than these %lld; use --limit\n",
                      what->what, (long long)k.shown);
    }
    return RW_OK;
}
