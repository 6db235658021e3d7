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
