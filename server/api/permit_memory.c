#include "server/api/permit_memory.h"

#include <stdio.h>
#include <string.h>

/* Ids are random; the families of one endpoint stand apart. Who chooses an id to meet somebody hides a view from people
 * and nothing else. */
static size_t place_of(const struct fleet_who *who, const char *family)
{
    uint64_t h = 0;
    for (size_t i = 0; i < sizeof(h); i++) {
        h = h << 8 | who->endpoint[i];
    }
    for (; *family != '\0'; family++) {
        h = (h ^ (uint8_t)*family) * UINT64_C(0x100000001b3);
    }
    return (size_t)((h ^ h >> 29) & (PERMIT_MEMORY_MAX - 1));
}

void permit_memory_note(struct permit_memory *m, const struct fleet_who *who,
                        const struct beacon_permit_request *request, struct rw_wall now,
                        const struct beacon_permit_answer *answer)
{
    if (m->entries == NULL) {
        m->entries = rw_mem_new_array(PERMIT_MEMORY_MAX, sizeof(*m->entries));
    }
    if (m->entries == NULL) { return; }
    struct permit_memory_entry *e = &m->entries[place_of(who, request->family)];
    rw_copy(e->endpoint, sizeof(e->endpoint), who->endpoint, sizeof(who->endpoint));
    rw_copy(e->family, sizeof(e->family), request->family, sizeof(request->family));
    e->release = request->release;
    e->at = now;
    e->answer = *answer;
}

const struct permit_memory_entry *
permit_memory_find(const struct permit_memory *m, const struct fleet_who *who, const char *family)
{
    if (m->entries == NULL) { return NULL; }
    const struct permit_memory_entry *e = &m->entries[place_of(who, family)];
    bool same = strcmp(e->family, family) == 0 &&
                memcmp(e->endpoint, who->endpoint, sizeof(e->endpoint)) == 0;
    return same ? e : NULL;
}

void permit_memory_drop(struct permit_memory *m)
{
    rw_mem_free(m->entries);
    *m = (struct permit_memory){.entries = NULL};
}
