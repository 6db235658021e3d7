#include "server/health/fleet_table.h"

#include "common/base/num.h"
#include "common/crypto/digest.h"

#include <string.h>

/* Slots: a track may grow from none to all. Ids: one endpoint's. */
enum {
    COUNTS_PER_RECORD = 32,
    WINDOWS_PER_RECORD = 64,
    SLOTS_PER_RECORD = 2 * FLEET_SLOTS,
    IDS_PER_RECORD = FLEET_POOL_PIECE_MAX,
};

RW_RC fleet_table_make(struct fleet_table *out, struct rw_err *err)
{
    struct fleet_table t = {.next_serial = 1,
                            .next_permit = 1,
                            .earliest_s = INT64_MAX,
                            .slots = {.unit_bytes = sizeof(struct fleet_slot)},
                            .recent = {.unit_bytes = sizeof(uint64_t)}};
    RW_TRY(digest_random((uint8_t *)&t.seed, sizeof(t.seed), err));
    t.ring_seen_s = rw_mem_new_array(FLEET_NAMES_MAX, sizeof(*t.ring_seen_s));
    if (t.ring_seen_s == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the fleet"); }
    struct rw_rc rc = fleet_table_define(&t, FLEET_COHORTS, "other\x1f\x1f", err);
    if (!rw_is_ok(rc)) {
        fleet_table_drop(&t);
        return rc;
    }
    *out = t;
    return RW_OK;
}

void fleet_table_drop(struct fleet_table *t)
{
    for (size_t i = 0; i < FLEET_SPACES; i++) {
        rw_mem_free(t->names[i].text);
        rw_mem_free(t->names[i].index);
    }
    rw_mem_free(t->releases);
    rw_mem_free(t->endpoints);
    rw_mem_free(t->slices);
    rw_mem_free(t->index);
    rw_mem_free(t->tracks);
    fleet_pool_drop(&t->slots);
    fleet_pool_drop(&t->recent);
    rw_mem_free(t->counts);
    rw_mem_free(t->open);
    rw_mem_free(t->ring_seen_s);
    fleet_windows_drop(&t->windows);
    *t = (struct fleet_table){.seed = 0};
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint64_t hash_id(const struct fleet_table *t, const uint8_t id[static 16])
{
    uint64_t half[2];
    rw_copy(half, sizeof(half), id, 16);
    return mix(half[0] ^ mix(half[1] ^ t->seed));
}

/* The array itself while it has room, else one of twice the size; NULL when there is no memory. */
static void *roomy(void *array, size_t *cap, size_t used, size_t each)
{
    if (used < *cap) { return array; }
    size_t wanted = *cap == 0 ? 64 : *cap * 2;
    void *p = rw_mem_grow(array, wanted, each);
    if (p != NULL) { *cap = wanted; }
    return p;
}

static RW_RC no_memory(struct rw_err *err)
{
    return rw_fail(err, RW_E_NOMEM, "no memory for more of the fleet");
}

/* --- endpoints --- */

static void index_endpoint(struct fleet_table *t, uint32_t number)
{
    size_t mask = t->index_cap - 1;
    size_t at = hash_id(t, t->endpoints[number].id) & mask;
    while (t->index[at] != 0) {
        at = (at + 1) & mask;
    }
    t->index[at] = number + 1;
}

static RW_RC reserve_index(struct fleet_table *t, size_t endpoints, struct rw_err *err)
{
    if (endpoints * 10 <= t->index_cap * 7) { return RW_OK; }
    size_t cap = t->index_cap == 0 ? 256 : t->index_cap * 2;
    while (endpoints * 10 > cap * 7) {
        cap *= 2;
    }
    uint32_t *index = rw_mem_new_array(cap, sizeof(*index));
    if (index == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu endpoints", cap); }
    rw_mem_free(t->index);
    t->index = index;
    t->index_cap = cap;
    for (size_t i = 0; i < t->found; i++) {
        index_endpoint(t, (uint32_t)i);
    }
    return RW_OK;
}

RW_RC fleet_table_reserve(struct fleet_table *t, struct rw_err *err)
{
    if (t->endpoint_count >= FLEET_ENDPOINTS_MAX || t->track_count >= UINT32_MAX - 1) {
        return rw_fail(err, RW_E_FULL, "%zu endpoints, at most %d are kept", t->endpoint_count,
                       FLEET_ENDPOINTS_MAX);
    }
    struct fleet_endpoint *e = roomy(t->endpoints, &t->endpoint_cap, t->endpoint_count, sizeof(*e));
    if (e == NULL) { return no_memory(err); }
    t->endpoints = e;
    struct fleet_slice *slices =
        roomy(t->slices, &t->slice_cap, fleet_table_slices(t), sizeof(*slices));
    if (slices == NULL) { return no_memory(err); }
    t->slices = slices;
    struct fleet_track *track = roomy(t->tracks, &t->track_cap, t->track_count, sizeof(*track));
    if (track == NULL) { return no_memory(err); }
    t->tracks = track;
    struct fleet_open_permit *open = roomy(t->open, &t->open_cap, t->open_count, sizeof(*open));
    if (open == NULL) { return no_memory(err); }
    t->open = open;
    RW_TRY(reserve_index(t, t->endpoint_count + 1, err));
    RW_TRY(fleet_pool_reserve(&t->slots, SLOTS_PER_RECORD, err));
    RW_TRY(fleet_pool_reserve(&t->recent, IDS_PER_RECORD, err));
    RW_TRY(fleet_windows_reserve(&t->windows, WINDOWS_PER_RECORD, err));
    return fleet_table_reserve_counts(t, COUNTS_PER_RECORD, err);
}

RW_RC fleet_table_expect(struct fleet_table *t, size_t endpoints, struct rw_err *err)
{
    if (endpoints > t->endpoint_cap) {
        struct fleet_endpoint *e = rw_mem_grow(t->endpoints, endpoints, sizeof(*e));
        if (e == NULL) { return no_memory(err); }
        t->endpoints = e;
        t->endpoint_cap = endpoints;
    }
    return reserve_index(t, endpoints, err);
}

struct fleet_endpoint *fleet_table_find(const struct fleet_table *t, const uint8_t id[static 16])
{
    if (t->index_cap == 0) { return NULL; }
    size_t mask = t->index_cap - 1;
    for (size_t at = hash_id(t, id) & mask; t->index[at] != 0; at = (at + 1) & mask) {
        struct fleet_endpoint *e = &t->endpoints[t->index[at] - 1];
        if (memcmp(e->id, id, sizeof(e->id)) == 0) { return e; }
    }
    return NULL;
}

/* The first place only: nearly always it is the one. */
void fleet_table_prefetch(const struct fleet_table *t, const uint8_t id[static 16])
{
    enum { LINE_BYTES = 64 };
    if (t->index_cap == 0) { return; }
    uint32_t number = t->index[hash_id(t, id) & (t->index_cap - 1)];
    if (number == 0) { return; }
    const char *at = (const char *)&t->endpoints[number - 1];
    for (size_t i = 0; i < sizeof(struct fleet_endpoint); i += LINE_BYTES) {
        __builtin_prefetch(at + i, 1);
    }
}

static struct fleet_endpoint *append(struct fleet_table *t)
{
    RW_ASSERT(t->endpoint_count < t->endpoint_cap);
    if (t->endpoint_count % FLEET_SLICE_ENDPOINTS == 0) {
        RW_ASSERT(fleet_table_slices(t) < t->slice_cap);
        t->slices[fleet_table_slices(t)] = (struct fleet_slice){.changed_row = 0};
    }
    return &t->endpoints[t->endpoint_count++];
}

struct fleet_endpoint *fleet_table_add(struct fleet_table *t, const uint8_t id[static 16])
{
    struct fleet_endpoint *e = append(t);
    *e = (struct fleet_endpoint){.ring = FLEET_NO_NAME, .recent_rule = recent_rule_of(0)};
    rw_copy(e->id, sizeof(e->id), id, sizeof(e->id));
    index_endpoint(t, (uint32_t)t->found++);
    RW_ASSERT(t->found == t->endpoint_count);
    return e;
}

struct fleet_endpoint *fleet_table_add_unknown(struct fleet_table *t,
                                               const struct fleet_endpoint *e)
{
    struct fleet_endpoint *added = append(t);
    *added = *e;
    return added;
}

bool fleet_table_know(struct fleet_table *t)
{
    enum { AHEAD = 16 };
    for (size_t i = t->found; i < t->endpoint_count; i++) {
        if (i + AHEAD < t->endpoint_count) {
            uint64_t at = hash_id(t, t->endpoints[i + AHEAD].id) & (t->index_cap - 1);
            __builtin_prefetch(&t->index[at], 1);
        }
        if (fleet_table_find(t, t->endpoints[i].id) != NULL) { return false; }
        index_endpoint(t, (uint32_t)t->found++);
    }
    return true;
}

static struct fleet_slice *slice_of(const struct fleet_table *t, const struct fleet_endpoint *e)
{
    return &t->slices[(size_t)(e - t->endpoints) / FLEET_SLICE_ENDPOINTS];
}

void fleet_table_touch(struct fleet_table *t, const struct fleet_endpoint *e)
{
    slice_of(t, e)->changed_row = t->row;
}

bool fleet_table_settled(const struct fleet_table *t, const struct fleet_endpoint *e)
{
    return t->row <= t->settled_row && t->row <= slice_of(t, e)->settled_row;
}

size_t fleet_table_slices(const struct fleet_table *t)
{
    return (t->endpoint_count + FLEET_SLICE_ENDPOINTS - 1) / FLEET_SLICE_ENDPOINTS;
}

struct fleet_track *fleet_table_track(const struct fleet_table *t, const struct fleet_endpoint *e,
                                      uint16_t family)
{
    for (uint32_t at = e->track; at != 0; at = t->tracks[at - 1].next) {
        if (t->tracks[at - 1].family == family) { return &t->tracks[at - 1]; }
    }
    return NULL;
}

struct fleet_track *fleet_table_add_track(struct fleet_table *t, struct fleet_endpoint *e,
                                          uint16_t family)
{
    RW_ASSERT(t->track_count < t->track_cap);
    struct fleet_track *track = &t->tracks[t->track_count++];
    *track = (struct fleet_track){.next = e->track, .family = family};
    e->track = (uint32_t)t->track_count;
    return track;
}

/* --- slots and ids: in pools --- */

struct fleet_slot *fleet_table_slots_of(const struct fleet_table *t,
                                        const struct fleet_track *track)
{
    return fleet_pool_at(&t->slots, track->slots);
}

struct fleet_slot *fleet_table_slot(const struct fleet_table *t, const struct fleet_track *track,
                                    int64_t release)
{
    struct fleet_slot *slots = fleet_table_slots_of(t, track);
    for (size_t i = 0; i < track->slot_room; i++) {
        if (slots[i].release == release && release != 0) { return &slots[i]; }
    }
    return NULL;
}

struct fleet_slot *fleet_table_slot_room(struct fleet_table *t, struct fleet_track *track,
                                         size_t count)
{
    size_t room = track->slot_room;
    size_t wanted = fleet_pool_size(count);
    RW_ASSERT(count <= FLEET_SLOTS);
    if (wanted > room) {
        track->slots = fleet_pool_move(&t->slots, track->slots, room, wanted, 0, room);
        track->slot_room = (uint8_t)wanted;
    }
    struct fleet_slot *slots = fleet_table_slots_of(t, track);
    for (size_t i = room; i < wanted; i++) {
        slots[i] = (struct fleet_slot){.release = 0};
    }
    return slots;
}

struct fleet_slot *fleet_table_free_slot(struct fleet_table *t, struct fleet_track *track)
{
    struct fleet_slot *slots = fleet_table_slots_of(t, track);
    for (size_t i = 0; i < track->slot_room; i++) {
        if (slots[i].release == 0) { return &slots[i]; }
    }
    size_t room = track->slot_room;
    return room == FLEET_SLOTS ? NULL : &fleet_table_slot_room(t, track, room + 1)[room];
}

const uint64_t *fleet_table_recent(const struct fleet_table *t, const struct fleet_endpoint *e)
{
    return fleet_pool_at(&t->recent, e->recent);
}

void fleet_table_set_recent(struct fleet_table *t, struct fleet_endpoint *e, const uint64_t *ids,
                            uint8_t count)
{
    RW_ASSERT(e->recent == 0);
    e->recent_count = count;
    if (count == 0) { return; }
    size_t size = fleet_pool_size(count);
    e->recent = fleet_pool_take(&t->recent, size);
    rw_copy(fleet_pool_at(&t->recent, e->recent), size * sizeof(*ids), ids, count * sizeof(*ids));
}

void fleet_table_remember(struct fleet_table *t, struct fleet_endpoint *e, uint64_t id,
                          uint8_t before)
{
    e->recent_rule = recent_rule_next(e->recent_rule, before);
    size_t had = e->recent_count;
    size_t kept = had < e->recent_rule.keep ? had : e->recent_rule.keep - 1U;
    size_t size = fleet_pool_size(kept + 1);
    size_t gone = had - kept;
    if (size != fleet_pool_size(had)) {
        e->recent = fleet_pool_move(&t->recent, e->recent, fleet_pool_size(had), size, gone, kept);
        gone = 0;
    }
    uint64_t *ids = fleet_pool_at(&t->recent, e->recent);
    for (size_t i = 0; i < kept && gone > 0; i++) {
        ids[i] = ids[i + gone];
    }
    ids[kept] = id;
    e->recent_count = (uint8_t)(kept + 1);
}

/* --- releases and counts --- */

const struct fleet_release *fleet_table_release(const struct fleet_table *t, uint16_t family,
                                                int64_t release)
{
    for (size_t i = t->release_count; i > 0; i--) {
        const struct fleet_release *r = &t->releases[i - 1];
        if (r->family == family && r->release == release) { return r; }
    }
    return NULL;
}

struct fleet_release *fleet_table_newest(const struct fleet_table *t, uint16_t family)
{
    for (size_t i = t->release_count; i > 0; i--) {
        if (t->releases[i - 1].family == family) { return &t->releases[i - 1]; }
    }
    return NULL;
}

bool fleet_table_counted(const struct fleet_table *t, uint32_t serial)
{
    for (size_t i = t->release_count; i > 0; i--) {
        if (t->releases[i - 1].serial == serial) { return true; }
    }
    return false;
}

uint64_t fleet_table_key(uint32_t serial, uint16_t ring, uint16_t cohort)
{
    return ((uint64_t)serial << 32 | (uint64_t)ring << 16 | cohort) + 1;
}

static struct fleet_count_entry *probe(struct fleet_count_entry *entries, size_t cap, uint64_t key)
{
    size_t at = mix(key) & (cap - 1);
    while (entries[at].key != 0 && entries[at].key != key) {
        at = (at + 1) & (cap - 1);
    }
    return &entries[at];
}

/* Moves the counts into a new array of `cap`, without those of one serial (0: keep all). */
static RW_RC rehash_counts(struct fleet_table *t, size_t cap, uint32_t without, struct rw_err *err)
{
    struct fleet_count_entry *entries = rw_mem_new_array(cap, sizeof(*entries));
    if (entries == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu counts", cap); }
    size_t used = 0;
    for (size_t i = 0; i < t->count_cap; i++) {
        const struct fleet_count_entry *e = &t->counts[i];
        if (e->key == 0 || (without != 0 && (uint32_t)((e->key - 1) >> 32) == without)) {
            continue;
        }
        *probe(entries, cap, e->key) = *e;
        used++;
    }
    rw_mem_free(t->counts);
    t->counts = entries;
    t->count_cap = cap;
    t->count_used = used;
    return RW_OK;
}

RW_RC fleet_table_reserve_counts(struct fleet_table *t, size_t more, struct rw_err *err)
{
    size_t cap = t->count_cap == 0 ? 256 : t->count_cap;
    while ((t->count_used + more) * 10 > cap * 7) {
        cap *= 2;
    }
    return cap == t->count_cap ? RW_OK : rehash_counts(t, cap, 0, err);
}

const struct fleet_counts *fleet_table_counts(const struct fleet_table *t, uint32_t serial,
                                              uint16_t ring, uint16_t cohort)
{
    uint64_t key = fleet_table_key(serial, ring, cohort);
    if (t->count_cap == 0) { return NULL; }
    const struct fleet_count_entry *e = probe(t->counts, t->count_cap, key);
    return e->key == key ? &e->counts : NULL;
}

struct fleet_counts *fleet_table_count_at(struct fleet_table *t, uint32_t serial, uint16_t ring,
                                          uint16_t cohort)
{
    uint64_t key = fleet_table_key(serial, ring, cohort);
    struct fleet_count_entry *e = probe(t->counts, t->count_cap, key);
    if (e->key == 0) {
        RW_ASSERT(t->count_used + 1 < t->count_cap);
        *e = (struct fleet_count_entry){.key = key};
        t->count_used++;
    }
    return &e->counts;
}

void fleet_table_forget_counts(struct fleet_table *t)
{
    for (size_t i = 0; i < t->count_cap; i++) {
        t->counts[i].key = 0;
    }
    t->count_used = 0;
    fleet_windows_drop(&t->windows);
}

/* The oldest watched release of the family goes when there are too many. */
static RW_RC forget_oldest(struct fleet_table *t, uint16_t family, struct rw_err *err)
{
    size_t of_family = 0;
    size_t oldest = t->release_count;
    for (size_t i = t->release_count; i > 0; i--) {
        if (t->releases[i - 1].family != family) { continue; }
        of_family++;
        oldest = i - 1;
    }
    if (of_family < FLEET_WATCHED_PER_FAMILY) { return RW_OK; }
    RW_TRY(rehash_counts(t, t->count_cap, t->releases[oldest].serial, err));
    for (size_t i = oldest; i + 1 < t->release_count; i++) {
        t->releases[i] = t->releases[i + 1];
    }
    t->release_count--;
    return RW_OK;
}

RW_RC fleet_table_watch(struct fleet_table *t, const struct fleet_release *release,
                        struct rw_err *err)
{
    struct fleet_release *releases =
        roomy(t->releases, &t->release_cap, t->release_count, sizeof(*releases));
    if (releases == NULL) { return no_memory(err); }
    t->releases = releases;
    RW_TRY(fleet_table_reserve_counts(t, COUNTS_PER_RECORD, err));
    RW_TRY(forget_oldest(t, release->family, err));
    struct fleet_release *before = fleet_table_newest(t, release->family);
    if (before != NULL) {
        RW_TRY(fleet_windows_forget(&t->windows, before->serial, err));
        before->newest = false;
    }
    struct fleet_release *r = &t->releases[t->release_count++];
    *r = *release;
    r->serial = t->next_serial++;
    r->newest = true;
    return RW_OK;
}
