/* fleet_old_image.h: the fleet's fold as stores have it that were written by programs of before: all in one piece
 * (version 4), and slices of version 1. The program only reads them; this is their form, for tests that make such a
 * store. The image does not know the signal `mute`.
 *
 * memory   appends to a buffer of the caller
 * threads  one thread
 * source   server/health/fleet_image.h
 */
#ifndef RINGWARD_TEST_FLEET_OLD_IMAGE_H
#define RINGWARD_TEST_FLEET_OLD_IMAGE_H

#include "server/health/fleet_bytes.h"
#include "server/health/fleet_image.h"

static const struct fleet_field old_table[] = {
    FLEET_FIELD(fleet_table, next_serial),
    FLEET_FIELD(fleet_table, next_permit),
    {offsetof(struct fleet_table, beacons), (FLEET_KINDS - 1) * 8}};

static const struct fleet_field old_release[] = {
    FLEET_FIELD(fleet_release, family),      FLEET_FIELD(fleet_release, release),
    FLEET_FIELD(fleet_release, sha256),      FLEET_FIELD(fleet_release, serial),
    FLEET_FIELD(fleet_release, muted_count), FLEET_FIELD(fleet_release, muted),
    FLEET_FIELD(fleet_release, watched_s),   FLEET_FIELD(fleet_release, window_s),
    FLEET_FIELD(fleet_release, after_s)};

/* With all slots, as the image has them; or those in use behind their number. */
static RW_RC old_put_endpoint(const struct fleet_table *t, const struct fleet_endpoint *e,
                              bool all_slots, struct rw_buf *b, struct rw_err *err)
{
    uint64_t tracks = 0;
    RW_TRY(rw_buf_append(b, rw_span_of(e->id, sizeof(e->id)), err));
    const uint64_t words[] = {e->tenant, e->ring, e->cohort};
    for (size_t i = 0; i < RW_LEN(words); i++) {
        RW_TRY(fleet_bytes_put(b, words[i], 2, err));
    }
    const uint8_t bytes[] = {e->grade, e->trust, 0, e->recent_count};
    RW_TRY(rw_buf_append(b, rw_span_of(bytes, sizeof(bytes)), err));
    RW_TRY(fleet_bytes_put(b, (uint64_t)e->seen_s, 8, err));
    const uint8_t more[] = {e->strikes, e->muted, e->control_seen};
    RW_TRY(rw_buf_append(b, rw_span_of(more, sizeof(more)), err));
    RW_TRY(fleet_bytes_put(b, (uint64_t)e->control_end_s, 8, err));
    RW_TRY(fleet_bytes_put(b, (uint64_t)e->control_look_s, 8, err));
    RW_TRY(rw_buf_append(
        b, rw_span_of(fleet_table_recent(t, e), e->recent_count * sizeof(uint64_t)), err));
    for (uint32_t at = e->track; at != 0; at = t->tracks[at - 1].next) {
        tracks++;
    }
    RW_TRY(fleet_bytes_put(b, tracks, 2, err));
    for (uint32_t at = e->track; at != 0; at = t->tracks[at - 1].next) {
        const struct fleet_track *k = &t->tracks[at - 1];
        RW_TRY(fleet_bytes_put(b, k->family, 2, err));
        RW_TRY(fleet_bytes_put(b, (uint64_t)k->active, 8, err));
        RW_TRY(fleet_bytes_put(b, (uint64_t)k->generation, 8, err));
        RW_TRY(rw_buf_append(b, rw_span_of(k->sha256, sizeof(k->sha256)), err));
        RW_TRY(fleet_bytes_put(b, (uint64_t)k->forgotten, 8, err));
        size_t used = 0;
        for (size_t i = 0; i < k->slot_room; i++) {
            used += fleet_table_slots_of(t, k)[i].release != 0;
        }
        if (!all_slots) { RW_TRY(fleet_bytes_put(b, used, 1, err)); }
        for (size_t i = 0; i < (all_slots ? FLEET_SLOTS : used); i++) {
            static const struct fleet_slot none;
            const struct fleet_slot *s = i < k->slot_room ? &fleet_table_slots_of(t, k)[i] : &none;
            const uint64_t wide[] = {(uint64_t)s->release, s->permit, (uint64_t)s->granted_s,
                                     (uint64_t)s->deadline_s};
            for (size_t n = 0; n < RW_LEN(wide); n++) {
                RW_TRY(fleet_bytes_put(b, wide[n], 8, err));
            }
            RW_TRY(fleet_bytes_put(b, s->serial, 4, err));
            RW_TRY(fleet_bytes_put(b, s->ring, 2, err));
            RW_TRY(fleet_bytes_put(b, s->cohort, 2, err));
            RW_TRY(fleet_bytes_put(b, s->tenant, 2, err));
            RW_TRY(fleet_bytes_put(b, s->marks, 4, err));
        }
    }
    return RW_OK;
}

static inline RW_RC old_slice_write(const struct fleet_table *t, size_t slice, int64_t mark,
                                    struct rw_buf *b, struct rw_err *err)
{
    size_t first = slice * FLEET_SLICE_ENDPOINTS;
    size_t left = t->endpoint_count - first;
    size_t count = left < FLEET_SLICE_ENDPOINTS ? left : FLEET_SLICE_ENDPOINTS;
    RW_TRY(fleet_bytes_put(b, FLEET_SLICE_OLDEST, 1, err));
    RW_TRY(fleet_bytes_put(b, slice, 4, err));
    RW_TRY(fleet_bytes_put(b, (uint64_t)mark, 8, err));
    RW_TRY(fleet_bytes_put(b, count, 4, err));
    for (size_t i = 0; i < count; i++) {
        RW_TRY(old_put_endpoint(t, &t->endpoints[first + i], false, b, err));
    }
    return fleet_bytes_seal(b, err);
}

static RW_RC old_put_names(const struct fleet_table *t, struct rw_buf *b, struct rw_err *err)
{
    for (size_t space = 0; space < FLEET_SPACES; space++) {
        const struct fleet_names *n = &t->names[space];
        RW_TRY(fleet_bytes_put(b, n->count, 4, err));
        for (size_t i = 0; i < n->count; i++) {
            struct rw_span text = rw_span_str(n->text[i]);
            RW_TRY(fleet_bytes_put(b, text.n, 1, err));
            RW_TRY(rw_buf_append(b, text, err));
        }
    }
    return RW_OK;
}

static RW_RC old_image_write(const struct fleet_table *t, struct rw_buf *b, struct rw_err *err)
{
    RW_TRY(fleet_bytes_put(b, FLEET_OLD_IMAGE_VERSION, 1, err));
    RW_TRY(FLEET_PUT(b, t, old_table, err));
    RW_TRY(old_put_names(t, b, err));
    for (size_t i = 0; i < t->names[FLEET_RINGS].count; i++) {
        RW_TRY(fleet_bytes_put(b, (uint64_t)t->ring_seen_s[i], 8, err));
    }
    RW_TRY(fleet_bytes_put(b, t->release_count, 4, err));
    for (size_t i = 0; i < t->release_count; i++) {
        RW_TRY(FLEET_PUT(b, &t->releases[i], old_release, err));
    }
    RW_TRY(fleet_bytes_put(b, t->endpoint_count, 8, err));
    for (size_t i = 0; i < t->endpoint_count; i++) {
        RW_TRY(old_put_endpoint(t, &t->endpoints[i], true, b, err));
    }
    RW_TRY(fleet_bytes_put(b, t->count_used, 8, err));
    for (size_t i = 0; i < t->count_cap; i++) {
        const struct fleet_count_entry *e = &t->counts[i];
        if (e->key == 0) { continue; }
        RW_TRY(rw_buf_append(b, rw_span_of(e, sizeof(*e) - 8), err));
    }
    RW_TRY(fleet_bytes_put(b, t->windows.used, 8, err));
    for (size_t i = 0; i < t->windows.cap; i++) {
        const struct fleet_window_entry *e = &t->windows.entries[i];
        if (e->key == 0) { continue; }
        RW_TRY(rw_buf_append(b, rw_span_of(e, sizeof(*e)), err));
    }
    return RW_OK;
}

#endif
