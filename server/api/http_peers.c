#include "server/api/http_peers.h"

#include "common/crypto/digest.h"

#include <pthread.h>

struct slot {
    uint64_t key;
    uint32_t count; /* 0: free */
};

struct http_peers {
    pthread_mutex_t lock;
    struct slot *slots;
    size_t mask; /* slots - 1; the number of slots is a power of two */
    size_t used; /* slots that are not free */
    size_t used_max;
    unsigned per_address_max;
    uint64_t seed; /* clients must not choose where they collide */
};

RW_RC http_peers_new(size_t connections_max, unsigned per_address_max, struct http_peers **out,
                     struct rw_err *err)
{
    size_t slots = 16;
    uint8_t seed[8];
    RW_ASSERT(connections_max >= 1 && connections_max <= SIZE_MAX / 4);
    while (slots < 2 * connections_max) {
        slots *= 2;
    }
    RW_TRY(digest_random(seed, sizeof(seed), err));
    struct http_peers *p = rw_mem_new(sizeof(*p));
    if (p != NULL) { p->slots = rw_mem_new_array(slots, sizeof(struct slot)); }
    if (p == NULL || p->slots == NULL) {
        rw_mem_free(p);
        return rw_fail(err, RW_E_NOMEM, "no memory for %zu client addresses", slots);
    }
    rw_copy(&p->seed, sizeof(p->seed), seed, sizeof(seed));
    p->mask = slots - 1;
    p->used_max = slots / 2;
    p->per_address_max = per_address_max;
    (void)pthread_mutex_init(&p->lock, NULL); /* default attributes: cannot fail on Linux */
    *out = p;
    return RW_OK;
}

void http_peers_free(struct http_peers *p)
{
    if (p == NULL) { return; }
    (void)pthread_mutex_destroy(&p->lock);
    rw_mem_free(p->slots);
    rw_mem_free(p);
}

static size_t home_of(const struct http_peers *p, uint64_t key)
{
    uint64_t h = (key ^ p->seed) * UINT64_C(0x9E3779B97F4A7C15);
    h = (h ^ (h >> 32)) * UINT64_C(0xD6E8FEB86659FD93);
    return (size_t)(h >> 20) & p->mask;
}

/* The slot of the key, or the free one where it belongs. At most half is used, so there is one. */
static size_t find(const struct http_peers *p, uint64_t key)
{
    size_t i = home_of(p, key);
    while (p->slots[i].count > 0 && p->slots[i].key != key) {
        i = (i + 1) & p->mask;
    }
    return i;
}

/* Moves later ones of the run up into the gap, so that find needs no tombstones. */
static void close_gap(struct http_peers *p, size_t gap)
{
    for (size_t i = (gap + 1) & p->mask; p->slots[i].count > 0; i = (i + 1) & p->mask) {
        size_t home = home_of(p, p->slots[i].key);
        bool may_move = ((i - home) & p->mask) >= ((i - gap) & p->mask);
        if (!may_move) { continue; }
        p->slots[gap] = p->slots[i];
        p->slots[i].count = 0;
        gap = i;
    }
}

bool http_peers_enter(struct http_peers *p, uint64_t key)
{
    (void)pthread_mutex_lock(&p->lock);
    struct slot *s = &p->slots[find(p, key)];
    bool room = s->count > 0 || p->used < p->used_max;
    bool in = room && (p->per_address_max == 0 || s->count < p->per_address_max);
    if (in) {
        p->used += s->count == 0;
        s->key = key;
        s->count++;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return in;
}

void http_peers_leave(struct http_peers *p, uint64_t key)
{
    (void)pthread_mutex_lock(&p->lock);
    size_t i = find(p, key);
    RW_ASSERT(p->slots[i].count > 0);
    p->slots[i].count--;
    if (p->slots[i].count == 0) {
        p->used--;
        close_gap(p, i);
    }
    (void)pthread_mutex_unlock(&p->lock);
}
