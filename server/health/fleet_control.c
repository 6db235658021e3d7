#include "server/health/fleet_control.h"

enum {
    FAMILIES_MAX =
        16, /* with a control group at once: a record makes a bounded number of entries */
    LAG_ONE = FLEET_LAG & -FLEET_LAG,
    LAG_MOST = FLEET_LAG / LAG_ONE, /* the bucket is not kept any more */
};

/* Whether the endpoint was never exposed to the release. Forgotten outcomes count as exposed: nobody knows. */
static bool untouched(const struct fleet_table *t, const struct fleet_endpoint *e,
                      const struct fleet_release *r)
{
    struct fleet_track *track = fleet_table_track(t, e, r->family);
    if (track == NULL) { return true; }
    const struct fleet_slot *slot = fleet_table_slot(t, track, r->release);
    if (slot == NULL) { return r->release > track->forgotten; }
    return (slot->marks & (FLEET_EXPOSED | FLEET_SPENT)) == 0;
}

struct fleet_release *fleet_control_for(const struct fleet_table *t, const struct fleet_endpoint *e,
                                        uint16_t family)
{
    struct fleet_release *r = fleet_table_newest(t, family);
    return r != NULL && e->muted == 0 && e->ring != FLEET_NO_NAME && untouched(t, e, r) ? r : NULL;
}

struct change {
    uint32_t control;
    uint32_t seen;
    bool back; /* taken away again */
};

static void book(struct fleet_table *t, const struct fleet_endpoint *e,
                 const struct fleet_release *r, const struct change *change)
{
    const uint16_t scopes[] = {e->cohort, FLEET_WHOLE_RING};
    for (size_t i = 0; i < RW_LEN(scopes); i++) {
        struct fleet_window_entry *w =
            fleet_windows_at(&t->windows, fleet_table_key(r->serial, e->ring, scopes[i]));
        struct fleet_bucket *b =
            fleet_window_bucket(w, e->control_end_s, fleet_window_width_s(r->window_s));
        if (b == NULL) { continue; }
        if (!change->back) {
            b->control += change->control;
            b->control_seen += change->seen;
            continue;
        }
        b->control -= b->control < change->control ? b->control : change->control;
        b->control_seen -= b->control_seen < change->seen ? b->control_seen : change->seen;
    }
}

/* Books for every newest release that the endpoint is control for, and was when its window was opened. */
static void book_all(struct fleet_table *t, const struct fleet_endpoint *e, int64_t now_s,
                     const struct change *change)
{
    size_t families = 0;
    for (size_t i = t->release_count; i > 0 && families < FAMILIES_MAX; i--) {
        const struct fleet_release *r = &t->releases[i - 1];
        if (!r->newest) { continue; }
        families++;
        bool fits = r->watched_s <= e->control_end_s - r->window_s && now_s >= r->watched_s;
        if (fits && untouched(t, e, r)) { book(t, e, r, change); }
    }
}

void fleet_control_heard(struct fleet_table *t, struct fleet_endpoint *e, int64_t now_s)
{
    if (e->control_end_s - now_s > FLEET_AHEAD_S) { e->control_end_s = 0; }
    if (now_s < e->control_end_s) {
        if (e->control_seen != 0 || now_s < e->control_look_s) { return; }
        e->control_seen = 1;
        book_all(t, e, now_s, &(struct change){.seen = 1});
        return;
    }
    if (t->release_count == 0 || e->ring == FLEET_NO_NAME || e->muted != 0) { return; }
    int64_t window_s = t->releases[t->release_count - 1].window_s;
    e->control_end_s = now_s + window_s;
    e->control_look_s = now_s + window_s - window_s / 3;
    e->control_seen = 0;
    book_all(t, e, now_s, &(struct change){.control = 1});
}

void fleet_control_leave(struct fleet_table *t, struct fleet_endpoint *e, int64_t now_s)
{
    if (now_s < e->control_end_s && e->ring != FLEET_NO_NAME) {
        book_all(t, e, now_s,
                 &(struct change){.control = 1, .seen = e->control_seen, .back = true});
    }
    e->control_end_s = 0;
}

void fleet_control_expose(struct fleet_table *t, const struct fleet_endpoint *e,
                          const struct fleet_release *r, int64_t now_s)
{
    bool open = now_s < e->control_end_s && r->watched_s <= e->control_end_s - r->window_s;
    if (!open || !r->newest || e->ring == FLEET_NO_NAME) { return; }
    book(t, e, r, &(struct change){.control = 1, .seen = e->control_seen, .back = true});
}

static const struct fleet_release *newest_of(const struct fleet_table *t, uint32_t serial)
{
    for (size_t i = t->release_count; i > 0; i--) {
        if (t->releases[i - 1].serial == serial) {
            return t->releases[i - 1].newest ? &t->releases[i - 1] : NULL;
        }
    }
    return NULL;
}

_Static_assert((int)LAG_MOST >= (int)FLEET_BUCKETS, "every bucket that is kept can be told");

void fleet_control_again(struct fleet_slot *slot, const struct fleet_release *r, int64_t deadline_s)
{
    int64_t width_s = fleet_window_width_s(r->window_s);
    int64_t later = deadline_s / width_s - slot->deadline_s / width_s;
    int64_t lag = (slot->marks & FLEET_LAG) / LAG_ONE;
    /* A clock that went back: nobody knows. */
    lag = later < 0 || later > LAG_MOST - lag ? LAG_MOST : lag + later;
    slot->marks = (slot->marks & ~(unsigned)FLEET_LAG) | (unsigned)lag * LAG_ONE;
}

/* Out of the buckets that are still kept: an endpoint whose votes do not count any more makes the darkness of others
 * look neither rarer (INV-4) nor more usual (INV-11). */
static void take_back(struct fleet_table *t, const struct fleet_slot *slot,
                      const struct fleet_release *r, unsigned before)
{
    const uint16_t scopes[] = {slot->cohort, FLEET_WHOLE_RING};
    int64_t width_s = fleet_window_width_s(r->window_s);
    int64_t lag = (before & FLEET_LAG) / LAG_ONE;
    int64_t booked_s = slot->deadline_s - lag * width_s;
    if (lag == LAG_MOST) { return; }
    for (size_t i = 0; i < RW_LEN(scopes); i++) {
        uint64_t key = fleet_table_key(r->serial, slot->ring, scopes[i]);
        const struct fleet_window_entry *kept = fleet_windows_find(&t->windows, key);
        if (kept == NULL || fleet_window_peek(kept, booked_s / width_s) == NULL) { continue; }
        struct fleet_bucket *b =
            fleet_window_bucket(fleet_windows_at(&t->windows, key), booked_s, width_s);
        b->treated -= b->treated > 0 && (before & FLEET_EXPOSED) != 0;
        b->treated_dark -= b->treated_dark > 0 && (before & FLEET_DARK) != 0;
    }
}

void fleet_control_treated(struct fleet_table *t, const struct fleet_slot *slot, unsigned before,
                           unsigned after)
{
    unsigned fresh = after & ~before;
    bool back = (fresh & FLEET_MUTED) != 0 && (before & FLEET_EXPOSED) != 0;
    bool counted = (after & FLEET_MUTED) == 0 && (fresh & (FLEET_EXPOSED | FLEET_DARK)) != 0;
    const struct fleet_release *r = back || counted ? newest_of(t, slot->serial) : NULL;
    if (r == NULL) { return; }
    if (back) {
        take_back(t, slot, r, before);
        return;
    }
    const uint16_t scopes[] = {slot->cohort, FLEET_WHOLE_RING};
    for (size_t i = 0; i < RW_LEN(scopes); i++) {
        struct fleet_window_entry *w =
            fleet_windows_at(&t->windows, fleet_table_key(r->serial, slot->ring, scopes[i]));
        struct fleet_bucket *b =
            fleet_window_bucket(w, slot->deadline_s, fleet_window_width_s(r->window_s));
        if (b == NULL) { continue; }
        b->treated += (fresh & FLEET_EXPOSED) != 0;
        b->treated_dark += (fresh & FLEET_DARK) != 0;
    }
}
