#include "server/api/api_share.h"

#include "server/api/limit_key.h"
#include "server/api/limit_rule.h"

#include <string.h>

/* So many jobs that run alone fill a queue. */
enum { ALONE_MAX = 128 };

struct slot {
    uint64_t class;
    uint64_t round; /* another one than the table's: free */
    size_t places;
};

struct api_share {
    struct limit_key key;
    struct slot *slots;
    size_t mask;    /* slots - 1; a power of two, more than twice what can wait */
    uint64_t round; /* rises when the queue is emptied, which frees all slots at once */
    size_t capacity;
    unsigned percent;
};

RW_RC api_share_new(size_t capacity, unsigned percent, struct api_share **out, struct rw_err *err)
{
    size_t slots = 16;
    RW_ASSERT(capacity >= 1 && capacity <= SIZE_MAX / 8 && percent >= 1);
    while (slots <= 2 * capacity) {
        slots *= 2;
    }
    struct api_share *s = rw_mem_new(sizeof(*s));
    if (s != NULL) { s->slots = rw_mem_new_array(slots, sizeof(*s->slots)); }
    if (s == NULL || s->slots == NULL) {
        rw_mem_free(s);
        return rw_fail(err, RW_E_NOMEM, "no memory for the shares of the queue");
    }
    s->mask = slots - 1;
    s->round = 1;
    s->capacity = capacity;
    s->percent = percent;
    struct rw_rc rc = limit_key_new(&s->key, err);
    if (!rw_is_ok(rc)) {
        api_share_free(s);
        return rc;
    }
    *out = s;
    return RW_OK;
}

void api_share_free(struct api_share *s)
{
    if (s == NULL) { return; }
    rw_mem_free(s->slots);
    rw_mem_free(s);
}

uint64_t api_share_class(const struct api_share *s, const struct api_identity *who)
{
    uint8_t bytes[1 + API_TENANT_BYTES] = {0};
    size_t n = strnlen(who->tenant, sizeof(who->tenant));
    bytes[0] = who->level == API_AUTH_NONE ? 'n' : who->level >= API_AUTH_VIEWER ? 'o' : 'e';
    rw_copy(bytes + 1, sizeof(bytes) - 1, who->tenant, n);
    return limit_key_hash(&s->key, rw_span_of(bytes, 1 + n));
}

size_t api_share_places(const struct api_share *s, const struct api_route *route)
{
    size_t alone = s->capacity / ALONE_MAX;
    return route->batched || alone < 1 ? 1 : alone;
}

/* The slot of the class, or a free one: there are more slots than jobs can wait. */
static struct slot *find(struct api_share *s, uint64_t class)
{
    size_t i = (size_t) class & s->mask;
    while (s->slots[i].round == s->round && s->slots[i].class != class) {
        i = (i + 1) & s->mask;
    }
    return &s->slots[i];
}

bool api_share_enter(struct api_share *s, uint64_t class, size_t used, size_t places)
{
    struct slot *slot = find(s, class);
    size_t own = slot->round == s->round ? slot->places : 0;
    if (!limit_rule_share(s->capacity, used, own, places, s->percent)) { return false; }
    *slot = (struct slot){.class = class, .round = s->round, .places = own + places};
    return true;
}

void api_share_clear(struct api_share *s)
{
    s->round++;
}
