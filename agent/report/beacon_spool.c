#include "agent/report/beacon_spool.h"

#include "common/base/alt.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/num.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEQ_DIGITS = 16,
    ID_DIGITS = 2 * BEACON_ID_BYTES,
    COUNTERS_BYTES_MAX = 256,
    LOOK_BACK = 16, /* an `alive` per family and poll, eight families at most */
};

static const char counters_name[] = "dropped";

static void name_of(const struct beacon_spool_entry *e, char dst[static BEACON_SPOOL_NAME_BYTES])
{
    char id[ID_DIGITS + 1];
    rw_hex_encode(id, sizeof(id), e->id, sizeof(e->id));
    (void)snprintf(dst, BEACON_SPOOL_NAME_BYTES, "%016llx-%c-%s.json", (unsigned long long)e->seq,
                   e->kind, id);
}

/* "0123456789abcdef-a-<32 hex>.json" */
static bool entry_of(const char *name, struct beacon_spool_entry *out)
{
    uint8_t seq[8];
    struct rw_err unused;
    size_t n = strlen(name);
    if (n != SEQ_DIGITS + 3 + ID_DIGITS + 5 || name[SEQ_DIGITS] != '-' ||
        name[SEQ_DIGITS + 2] != '-' || strcmp(name + n - 5, ".json") != 0 ||
        !rw_is_ok(rw_hex_decode(seq, sizeof(seq), rw_span_of(name, SEQ_DIGITS), "seq", &unused)) ||
        !rw_is_ok(rw_hex_decode(out->id, sizeof(out->id),
                                rw_span_of(name + SEQ_DIGITS + 3, ID_DIGITS), "id", &unused))) {
        return false;
    }
    out->kind = name[SEQ_DIGITS + 1];
    out->seq = 0;
    for (size_t i = 0; i < sizeof(seq); i++) {
        out->seq = out->seq << 8 | seq[i];
    }
    return out->seq < UINT64_MAX / 2;
}

static int by_seq(const void *a, const void *b)
{
    const struct beacon_spool_entry *x = a;
    const struct beacon_spool_entry *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* Counters that cannot be read begin anew: they must not keep the spool shut. */
static void load_counters(struct beacon_spool *s)
{
    struct rw_err err;
    uint64_t serial = 0;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(COUNTERS_BYTES_MAX);
    struct rw_rc rc = rw_alt_load(s->state_dir, counters_name, &text, &serial, &err);
    if (rc.code == RW_E_NOT_FOUND) { return; }
    if (!rw_is_ok(rc) ||
        !rw_is_ok(json_parse(rw_buf_span(&text), &json_limits_small, &tree, &err)) ||
        !rw_is_ok(json_get_int(tree, "dropped", 0, RW_JSON_INT_MAX, &s->dropped, &err)) ||
        !rw_is_ok(json_get_int(tree, "told", 0, s->dropped, &s->told, &err))) {
        s->dropped = 0;
        rw_log(RW_LOG_WARN, "drop_counters_unreadable", "text", err.text);
    }
}

/* In memory they are right at once; a disk that does not take them takes them with the next drop. */
static void save_counters(const struct beacon_spool *s)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(COUNTERS_BYTES_MAX);
    struct json_writer w = json_begin(&text);
    json_open_object(&w, NULL);
    json_put_int(&w, "dropped", s->dropped);
    json_put_int(&w, "told", s->told);
    json_close_object(&w);
    struct rw_rc rc = json_done(&w, &err);
    if (rw_is_ok(rc)) { rc = rw_alt_save(s->state_dir, counters_name, rw_buf_span(&text), &err); }
    if (!rw_is_ok(rc)) { rw_log(RW_LOG_WARN, "drop_counters_not_saved", "text", err.text); }
}

void beacon_spool_count_dropped(struct beacon_spool *s, int64_t count)
{
    s->dropped += count;
    save_counters(s);
}

void beacon_spool_mark_told(struct beacon_spool *s)
{
    s->told = s->dropped;
    save_counters(s);
}

static RW_RC take_name(void *ctx, const char *name, struct rw_err *err)
{
    struct beacon_spool *s = ctx;
    struct beacon_spool_entry e;
    bool is_beacon = entry_of(name, &e);
    if (!is_beacon || s->count == BEACON_SPOOL_MAX) {
        s->dropped += is_beacon ? 1 : 0;
        return rw_file_remove_at(s->dir, name, err);
    }
    s->entries[s->count++] = e;
    return RW_OK;
}

RW_RC beacon_spool_open(int state_dir, size_t max, struct beacon_spool *out, struct rw_err *err)
{
    RW_ASSERT(max >= 1 && max <= BEACON_SPOOL_MAX);
    RW_AUTO(beacon_spool)
    struct beacon_spool s = {.dir = -1, .state_dir = state_dir, .max = max, .next_seq = 1};
    load_counters(&s);
    int64_t before = s.dropped;
    RW_TRY(rw_dir_make_at(state_dir, "spool", 0700, &s.dir, err));
    s.entries = rw_mem_new_array(BEACON_SPOOL_MAX, sizeof(s.entries[0]));
    if (s.entries == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the spool's index"); }
    RW_TRY(rw_dir_each(s.dir, take_name, &s, err));
    qsort(s.entries, s.count, sizeof(s.entries[0]), by_seq);
    if (s.count > 0) { s.next_seq = s.entries[s.count - 1].seq + 1; }
    if (s.dropped > before) { save_counters(&s); }
    *out = s;
    s = (struct beacon_spool){.dir = -1}; /* handed over */
    return RW_OK;
}

void beacon_spool_drop(struct beacon_spool *s)
{
    if (s->entries == NULL && s->dir <= 0) { return; }
    rw_fd_drop(&s->dir);
    rw_mem_free(s->entries);
    s->entries = NULL;
    s->count = 0;
}

static void forget(struct beacon_spool *s, size_t index)
{
    for (size_t i = index; i + 1 < s->count; i++) {
        s->entries[i] = s->entries[i + 1];
    }
    s->count--;
}

static RW_RC remove_index(struct beacon_spool *s, size_t index, struct rw_err *err)
{
    char name[BEACON_SPOOL_NAME_BYTES];
    name_of(&s->entries[index], name);
    RW_TRY(rw_file_remove_at(s->dir, name, err));
    forget(s, index);
    return RW_OK;
}

/* The oldest periodic beacon; count: there is none. */
static size_t oldest_alive(const struct beacon_spool *s)
{
    size_t i = 0;
    while (i < s->count && s->entries[i].kind != 'a') {
        i++;
    }
    return i;
}

/* Periodic beacons repeat themselves; the others tell something once. */
static size_t victim(const struct beacon_spool *s)
{
    size_t i = oldest_alive(s);
    return i < s->count ? i : 0;
}

static RW_RC drop_index(struct beacon_spool *s, size_t index, struct rw_err *err)
{
    RW_TRY(remove_index(s, index, err));
    beacon_spool_count_dropped(s, 1);
    return RW_OK;
}

/* Reads one file and proves that it still is a beacon: the disk is not trusted to keep it. */
static RW_RC read_one(const struct beacon_spool *s, const struct beacon_spool_entry *e,
                      struct rw_buf *into, struct beacon *out, struct rw_err *err)
{
    char name[BEACON_SPOOL_NAME_BYTES];
    RW_AUTO(json_tree) json_tree tree = NULL;
    name_of(e, name);
    rw_buf_clear(into);
    RW_TRY(rw_file_read_at(s->dir, name, BEACON_SPOOL_FILE_BYTES_MAX, into, err));
    RW_TRY(json_parse(rw_buf_span(into), &json_limits_small, &tree, err));
    return beacon_read(tree, out, err);
}

static RW_RC write_one(const struct beacon *b, struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    beacon_write(&w, NULL, b);
    return json_done(&w, err);
}

/* Everything but when it was said. */
static bool says_the_same(const struct beacon *a, const struct beacon *b)
{
    struct rw_err unused;
    struct beacon x = *a;
    RW_AUTO(rw_buf) struct rw_buf of_a = rw_buf_make(BEACON_SPOOL_FILE_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf of_b = rw_buf_make(BEACON_SPOOL_FILE_BYTES_MAX);
    rw_copy(x.id, sizeof(x.id), b->id, sizeof(b->id));
    x.at = b->at;
    return rw_is_ok(write_one(&x, &of_a, &unused)) && rw_is_ok(write_one(b, &of_b, &unused)) &&
           rw_span_eq(rw_buf_span(&of_a), rw_buf_span(&of_b));
}

/* The `alive` whose place this one takes: the last that waits about the same family, when it says the same and nothing
 * but signs of life of other families came behind it. What is between two of the same stays between them. s->count:
 * there is none. */
static size_t superseded(const struct beacon_spool *s, const struct beacon *b)
{
    RW_AUTO(rw_buf) struct rw_buf unused_text = rw_buf_make(BEACON_SPOOL_FILE_BYTES_MAX);
    for (size_t back = 1; b->kind == BEACON_ALIVE && back <= s->count && back <= LOOK_BACK;
         back++) {
        struct beacon had;
        struct rw_err unused;
        const struct beacon_spool_entry *e = &s->entries[s->count - back];
        if (e->kind != 'a' || !rw_is_ok(read_one(s, e, &unused_text, &had, &unused))) { break; }
        if (strcmp(had.family, b->family) == 0) {
            return says_the_same(&had, b) ? s->count - back : s->count;
        }
        if (had.family[0] == '\0' || b->family[0] == '\0') {
            break;
        } /* it speaks of all families */
    }
    return s->count;
}

/* The new one is on the disk before the old one goes: a kill between the two leaves both. Only where there is no room
 * for both the old one goes first. */
static RW_RC put_file(struct beacon_spool *s, const char *name, struct rw_span text, size_t *old,
                      struct rw_err *err)
{
    struct rw_rc rc = rw_file_replace_at(s->dir, name, 0600, text, err);
    if (rc.code == RW_E_FULL && *old < s->count) {
        RW_TRY(remove_index(s, *old, err));
        *old = s->count;
        rc = rw_file_replace_at(s->dir, name, 0600, text, err);
    }
    if (rc.code == RW_E_FULL && oldest_alive(s) < s->count) {
        RW_TRY(drop_index(s, oldest_alive(s), err));
        *old = s->count;
        rc = rw_file_replace_at(s->dir, name, 0600, text, err);
    }
    return rc;
}

RW_RC beacon_spool_add(struct beacon_spool *s, const struct beacon *b, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(BEACON_SPOOL_FILE_BYTES_MAX);
    char name[BEACON_SPOOL_NAME_BYTES];
    RW_TRY(write_one(b, &text, err));
    size_t old = superseded(s, b);
    if (s->count >= s->max && old < s->count) {
        RW_TRY(remove_index(s, old, err));
        old = s->count;
    }
    while (s->count >= s->max) {
        size_t out = victim(s);
        if (b->kind == BEACON_ALIVE && s->entries[out].kind != 'a') {
            return rw_fail(err, RW_E_FULL, "%zu beacons wait that tell more than a sign of life",
                           s->count);
        }
        RW_TRY(drop_index(s, out, err));
        old = s->count;
    }
    struct beacon_spool_entry e = {.seq = s->next_seq, .kind = beacon_kind_name(b->kind)[0]};
    rw_copy(e.id, sizeof(e.id), b->id, sizeof(b->id));
    name_of(&e, name);
    RW_TRY(put_file(s, name, rw_buf_span(&text), &old, err));
    if (old < s->count) { RW_IGNORE(remove_index(s, old, err), "then both are told"); }
    s->next_seq++;
    s->entries[s->count++] = e;
    return RW_OK;
}

/* NOLINTNEXTLINE(readability-function-size): where it begins, as whose, and what came of it */
static RW_RC batch_from(struct beacon_spool *s, size_t first, const char *run, struct rw_buf *body,
                        uint64_t seqs[static BEACON_BATCH_MAX], size_t *count_out,
                        struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf one = rw_buf_make(BEACON_SPOOL_FILE_BYTES_MAX);
    struct json_writer w = json_begin(body);
    struct beacon unused;
    size_t used = body->n + 48;
    size_t n = 0;
    json_open_object(&w, NULL);
    json_open_array(&w, "beacons");
    for (size_t i = first; i < s->count && n < BEACON_BATCH_MAX;) {
        struct rw_rc rc = read_one(s, &s->entries[i], &one, &unused, err);
        /* Once more: a read that failed is not a file that is damaged. */
        if (rc.code == RW_E_IO) { rc = read_one(s, &s->entries[i], &one, &unused, err); }
        if (!rw_is_ok(rc)) {
            RW_TRY(drop_index(s, i, err));
            continue;
        }
        if (used + one.n + 1 > body->max) { break; }
        used += one.n + 1;
        json_put_raw(&w, NULL, rw_buf_span(&one));
        seqs[n++] = s->entries[i++].seq;
    }
    json_close_array(&w);
    if (run[0] != '\0') { json_put_str(&w, "run", run); }
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    *count_out = n;
    return RW_OK;
}

RW_RC beacon_spool_batch(struct beacon_spool *s, struct rw_buf *body,
                         uint64_t seqs[static BEACON_BATCH_MAX], size_t *count_out,
                         struct rw_err *err)
{
    return batch_from(s, 0, s->run, body, seqs, count_out, err);
}

RW_RC beacon_spool_newest(struct beacon_spool *s, struct rw_buf *body, size_t *count_out,
                          struct rw_err *err)
{
    uint64_t seqs[BEACON_BATCH_MAX];
    size_t first = s->count > BEACON_BATCH_MAX ? s->count - BEACON_BATCH_MAX : 0;
    /* A helper sends these while the next agent has begun: they must not look like another machine's. */
    return batch_from(s, first, "", body, seqs, count_out, err);
}

RW_RC beacon_spool_remove(struct beacon_spool *s, const uint64_t *seqs, size_t count,
                          struct rw_err *err)
{
    for (size_t k = 0; k < count; k++) {
        size_t i = 0;
        while (i < s->count && s->entries[i].seq != seqs[k]) {
            i++;
        }
        if (i < s->count) { RW_TRY(remove_index(s, i, err)); }
    }
    return RW_OK;
}
