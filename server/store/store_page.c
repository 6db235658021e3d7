#include "server/store/store_page.h"

#include <string.h>

bool store_page_takes(struct store_page *p, const char *id)
{
    RW_ASSERT(p->limit >= 1);
    if (strcmp(id, p->after) <= 0) { return false; }
    if (p->shown == p->limit) {
        p->more = true;
        return false;
    }
    p->shown++;
    return true;
}

struct walk {
    struct store_page *page;
    RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err);
    void *arg;
};

static RW_RC walk_one(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    const struct walk *w = arg;
    return store_page_takes(w->page, doc->id) ? w->each(w->arg, doc, err) : RW_OK;
}

RW_RC store_page_each(struct store *s, const char *kind, struct store_page *p,
                      RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err),
                      void *arg, struct rw_err *err)
{
    /* One more than is shown tells that there is more. */
    const struct store_docs which = {.kind = kind, .after = p->after, .limit = p->limit + 1};
    struct walk w = {.page = p, .each = each, .arg = arg};
    return store_doc_some(s, &which, walk_one, &w, err);
}
