/* store_page.h: which documents of a list that is read in order of id belong to one page of it.
 *
 * memory   values only
 * threads  no shared state
 * source   docs/protocol.md 8: a page says in "next" what the following one begins behind
 */
#ifndef RINGWARD_STORE_PAGE_H
#define RINGWARD_STORE_PAGE_H

#include "server/store/store.h"

enum { STORE_PAGE_DEFAULT = 200, STORE_PAGE_MAX = 1000 };

struct store_page {
    char after[STORE_ID_BYTES]; /* shown are ids behind this one; "": from the first on */
    int64_t limit;              /* 1..STORE_PAGE_MAX */
    int64_t shown;              /* so far */
    bool more;                  /* at least one did not fit */
};

/* Calls `each` for the documents of one page, and reads no others. Fails as store_doc_some. */
RW_RC store_page_each(struct store *s, const char *kind, struct store_page *p,
                      RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err),
                      void *arg, struct rw_err *err);
/* Whether the document is to be shown, which counts it then. Called in order of id. */
bool store_page_takes(struct store_page *p, const char *id);

#endif
