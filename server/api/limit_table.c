#include "server/api/limit_table.h"

#include <pthread.h>

enum { WAYS = 8, PARTS = 64, SLOTS_MAX = 1 << 24 };

struct slot {
    uint64_t key;
    int64_t paid_us; /* limit_rule.h; not ahead of now: as good as free */
};

struct place {
    struct slot ways[WAYS];
};

struct limit_table {
    pthread_mutex_t locks[PARTS]; /* each guards the places with its number modulo PARTS */
    struct place *places;
    size_t mask; /* places - 1; their number is a power of two, PARTS at least */
};

RW_RC limit_table_new(size_t slots, struct limit_table **out, struct rw_err *err)
{
    size_t places = PARTS;
    RW_ASSERT(slots >= 1 && slots <= SLOTS_MAX);
    while (places * WAYS < slots) {
        places *= 2;
    }
    struct limit_table *t = rw_mem_new(sizeof(*t));
    if (t != NULL) { t->places = rw_mem_new_array(places, sizeof(*t->places)); }
    if (t == NULL || t->places == NULL) {
        rw_mem_free(t);
        return rw_fail(err, RW_E_NOMEM, "no memory for the limits of %zu clients", places * WAYS);
    }
    for (size_t i = 0; i < PARTS; i++) {
        (void)pthread_mutex_init(&t->locks[i], NULL); /* cannot fail on Linux */
    }
    t->mask = places - 1;
    *out = t;
    return RW_OK;
}

void limit_table_free(struct limit_table *t)
{
    if (t == NULL) { return; }
    for (size_t i = 0; i < PARTS; i++) {
        (void)pthread_mutex_destroy(&t->locks[i]);
    }
    rw_mem_free(t->places);
    rw_mem_free(t);
}

/* The slot of the key, or the one that is worth least: free, or fullest. */
static struct slot *find(struct place *p, uint64_t key)
{
    struct slot *least = &p->ways[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (p->ways[i].key == key) { return &p->ways[i]; }
        if (p->ways[i].paid_us < least->paid_us) { least = &p->ways[i]; }
    }
    return least;
}

struct limit_verdict limit_table_take(struct limit_table *t, uint64_t key,
                                      const struct limit_rate *rate, int64_t now_ms)
{
    size_t at = (size_t)key & t->mask;
    pthread_mutex_t *lock = &t->locks[at % PARTS];
    (void)pthread_mutex_lock(lock);
    struct slot *slot = find(&t->places[at], key);
    int64_t paid_us = slot->key == key ? slot->paid_us : 0;
    struct limit_verdict v = limit_rule_take(rate, paid_us, now_ms);
    *slot = (struct slot){.key = key, .paid_us = v.paid_us};
    (void)pthread_mutex_unlock(lock);
    return v;
}
