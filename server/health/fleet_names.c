#include "server/health/fleet_table.h"

#include <string.h>

/* What a name is found by: all of it, or the three words of a cohort without the tenant behind them. */
static size_t key_length(const char *text)
{
    unsigned words = 1;
    size_t n = 0;
    for (; text[n] != '\0'; n++) {
        if (text[n] == '\x1f' && ++words > 3) { break; }
    }
    return n;
}

static uint64_t hash_key(const char *text, size_t length)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++) {
        h = (h ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    }
    return h ^ (h >> 29);
}

/* Where the text stands in the index, or the free place where it would. */
static size_t place_of(const struct fleet_names *n, const char *text)
{
    size_t length = key_length(text);
    size_t at = hash_key(text, length) & (n->index_cap - 1);
    for (; n->index[at] != 0; at = (at + 1) & (n->index_cap - 1)) {
        const char *there = n->text[n->index[at] - 1];
        if (key_length(there) == length && memcmp(there, text, length) == 0) { break; }
    }
    return at;
}

uint16_t fleet_table_name(const struct fleet_table *t, enum fleet_space space, const char *text)
{
    const struct fleet_names *n = &t->names[space];
    if (n->index_cap == 0) { return FLEET_NO_NAME; }
    size_t at = place_of(n, text);
    return n->index[at] == 0 ? (uint16_t)FLEET_NO_NAME : (uint16_t)(n->index[at] - 1);
}

const char *fleet_table_text(const struct fleet_table *t, enum fleet_space space, uint16_t number)
{
    return number < t->names[space].count ? t->names[space].text[number] : "";
}

static void index_all(struct fleet_names *n)
{
    for (size_t i = 0; i < n->index_cap; i++) {
        n->index[i] = 0;
    }
    for (size_t i = 0; i < n->count; i++) {
        n->index[place_of(n, n->text[i])] = (uint16_t)(i + 1);
    }
}

static RW_RC grow_names(struct fleet_names *n, struct rw_err *err)
{
    size_t cap = n->cap == 0 ? 16 : n->cap * 2;
    char(*text)[FLEET_JOURNAL_NAME_BYTES] = rw_mem_grow(n->text, cap, sizeof(*text));
    if (text == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu names", cap); }
    n->text = text;
    uint16_t *index = rw_mem_new_array(cap * 2, sizeof(*index));
    if (index == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu names", cap); }
    rw_mem_free(n->index);
    n->index = index;
    n->index_cap = cap * 2;
    n->cap = cap;
    index_all(n);
    return RW_OK;
}

static void set_text(struct fleet_names *n, size_t number, const char *text)
{
    size_t length = strlen(text);
    RW_ASSERT(length < FLEET_JOURNAL_NAME_BYTES);
    rw_copy(n->text[number], FLEET_JOURNAL_NAME_BYTES, text, length + 1);
}

void fleet_table_rename(struct fleet_table *t, enum fleet_space space, uint16_t number,
                        const char *text)
{
    struct fleet_names *n = &t->names[space];
    RW_ASSERT(number < n->count);
    set_text(n, number, text);
    index_all(n); /* a place cannot be taken out of the index alone */
}

RW_RC fleet_table_define(struct fleet_table *t, enum fleet_space space, const char *text,
                         struct rw_err *err)
{
    static const char *const what[] = {"tenants", "rings", "cohorts", "families"};
    struct fleet_names *n = &t->names[space];
    size_t max = space == FLEET_COHORTS ? FLEET_COHORTS_MAX : FLEET_NAMES_MAX;
    if (n->count >= max) {
        return rw_fail(err, RW_E_FULL, "%zu %s, at most %zu are kept", n->count, what[space], max);
    }
    if (n->count == n->cap) { RW_TRY(grow_names(n, err)); }
    set_text(n, n->count, text);
    n->index[place_of(n, text)] = (uint16_t)(n->count + 1);
    n->count++;
    return RW_OK;
}
