#include "agent/prove/check_guard.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

void check_guard_drop(struct check_guard *g)
{
    if (g->map != NULL) { (void)munmap(g->map, g->mapped); }
    *g = (struct check_guard){.map = NULL};
}

RW_RC check_guard_open(struct check_guard *g, size_t bytes, struct rw_err *err)
{
    long page = sysconf(_SC_PAGESIZE);
    RW_ASSERT(page > 0);
    size_t one = (size_t)page;
    size_t room = (bytes / one + 1) * one;
    void *map = mmap(NULL, room + one, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) { return rw_fail_errno(err, RW_E_NOMEM, errno, "guarded memory"); }
    *g = (struct check_guard){
        .map = map, .end = (uint8_t *)map + room, .room = room, .mapped = room + one};
    if (mprotect(g->end, one, PROT_NONE) != 0) {
        struct rw_rc rc = rw_fail_errno(err, RW_E_NOMEM, errno, "guard page");
        check_guard_drop(g);
        return rc;
    }
    return RW_OK;
}

void *check_guard_put(struct check_guard *g, const void *bytes, size_t n)
{
    RW_ASSERT(n <= g->room);
    uint8_t *at = g->end - n;
    if (n > 0) { rw_copy(at, n, bytes, n); }
    return at;
}
