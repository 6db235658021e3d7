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

/* Whether the document is to be shown, which counts it then. Called in order of id. */
bool store_page_takes(struct store_page *p, const char *id);

#endif
