#include "server/health/fleet_state.h"

#include "server/health/fleet_fold.h"
#include "server/health/fleet_hot.h"

#include <stdio.h>
#include <string.h>

enum {
    BATCH_BYTES_MAX = 64 * 1024 * 1024,
    FOLD_AT_LEAST_BYTES = 4 * 1024 * 1024,
    FOLD_AT_MOST_BYTES = 1024 * 1024 * 1024, /* some seconds of a start */
    OPEN_AT_LEAST = 4096, /* open permits before a node that follows looks which are closed */
};

static const char *const grades[FLEET_GRADES] = {"", "full", "good", "weak", "none"};
static const char *const trusts[FLEET_TRUSTS] = {"ok", "expired", "development"};

static uint8_t word_number(const char *const *words, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0) { return (uint8_t)i; }
    }
    return 0;
}

const char *fleet_hot_grade(uint8_t number)
{
    return number < FLEET_GRADES ? grades[number] : "";
}

const char *fleet_hot_trust(uint8_t number)
{
    unsigned word = number & ~(unsigned)FLEET_NO_LOADER;
    return word < FLEET_TRUSTS ? trusts[word] : "";
}

/* --- loading --- */

RW_RC fleet_state_reload(struct fleet_state *f, struct rw_err *err)
{
    struct fleet_table table;
    f->lost = true;
    rw_buf_clear(&f->batch);
    RW_TRY(fleet_table_make(&table, err));
    struct fleet_loaded loaded;
    struct rw_rc rc = fleet_slices_load(&f->slices, f->store, &table, &loaded, err);
    if (!rw_is_ok(rc)) {
        fleet_table_drop(&table);
        fleet_slices_forget(&f->slices);
        return rc;
    }
    fleet_table_drop(&f->table);
    f->table = table;
    f->last_row = loaded.last_row;
    f->journal_bytes = loaded.journal_bytes;
    f->fold_covered = 0;
    f->open_kept = f->table.open_count;
    f->lost = false;
    return RW_OK;
}

/* --- following other nodes --- */

static const struct fleet_slot *open_slot(struct fleet_table *t, const struct fleet_open_permit *p)
{
    const struct fleet_slot *s = fleet_table_slot(t, &t->tracks[p->track], p->release);
    bool open = s != NULL && s->deadline_s == p->deadline_s && fleet_outcome_rule_pending(s->marks);
    return open ? s : NULL;
}

/* Deadlines are looked at by the controller: elsewhere the list of open permits would only grow. */
static void drop_closed(struct fleet_state *f)
{
    struct fleet_table *t = &f->table;
    size_t kept = 0;
    if (t->open_count < OPEN_AT_LEAST + 2 * f->open_kept) { return; }
    for (size_t i = 0; i < t->open_count; i++) {
        const struct fleet_open_permit p = t->open[i];
        if (open_slot(t, &p) != NULL) { t->open[kept++] = p; }
    }
    t->open_count = f->open_kept = kept;
}

static RW_RC follow_row(void *arg, int64_t row, struct rw_span batch, struct rw_err *err)
{
    struct fleet_state *f = arg;
    if (row != f->last_row + 1) {
        return rw_fail(err, RW_E_STORE, "journal row %lld is not there: it was folded meanwhile",
                       (long long)f->last_row + 1);
    }
    RW_TRY(fleet_fold_replay(&f->table, row, batch, err));
    f->last_row = row;
    f->journal_bytes += batch.n;
    return RW_OK;
}

RW_RC fleet_state_follow(struct fleet_state *f, struct rw_err *err)
{
    int64_t tip = f->store->now.tip;
    if (!f->lost && tip == f->last_row) { return RW_OK; }
    if (f->lost || f->batch.n > 0 || tip < f->last_row) {
        return rw_fail(err, RW_E_BUSY, "the state of the fleet is being loaded anew");
    }
    struct rw_rc rc = store_journal_each(f->store, f->last_row, follow_row, f, err);
    if (rw_is_ok(rc) && f->last_row < tip) {
        rc = rw_fail(err, RW_E_BUSY, "journal row %lld is not there yet", (long long)tip);
    }
    f->lost = !rw_is_ok(rc); /* half a row may have been applied */
    drop_closed(f);
    return rc;
}

RW_RC fleet_state_open(struct store *store, struct fleet_state **out, struct rw_err *err)
{
    const struct fleet_progress nobody = {.tell = NULL};
    return fleet_state_open_told(store, &nobody, out, err);
}

RW_RC fleet_state_open_told(struct store *store, const struct fleet_progress *progress,
                            struct fleet_state **out, struct rw_err *err)
{
    struct fleet_state *f = rw_mem_new(sizeof(*f));
    if (f == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the fleet"); }
    f->store = store;
    f->batch = rw_buf_make(BATCH_BYTES_MAX);
    f->slices = fleet_slices_none();
    f->slices.progress = *progress;
    struct rw_rc rc = fleet_state_reload(f, err);
    if (!rw_is_ok(rc)) {
        fleet_state_drop(&f);
        return rc;
    }
    *out = f;
    return RW_OK;
}

void fleet_state_drop(struct fleet_state **f)
{
    if (*f == NULL) { return; }
    fleet_table_drop(&(*f)->table);
    fleet_slices_drop(&(*f)->slices);
    rw_buf_drop(&(*f)->batch);
    rw_mem_free(*f);
    *f = NULL;
}

/* --- changes --- */

RW_RC fleet_hot_change(struct fleet_state *f, const struct fleet_record *r, struct rw_err *err)
{
    if (f->lost) { RW_TRY(fleet_state_reload(f, err)); }
    size_t before = f->batch.n;
    RW_TRY(fleet_table_reserve(&f->table, err));
    RW_TRY(fleet_journal_put(&f->batch, r, err));
    f->table.row = f->last_row + 1; /* the row that it will be part of, or a later one */
    struct rw_rc rc = fleet_fold_apply(&f->table, r, err);
    if (!rw_is_ok(rc)) { f->batch.n = before; }
    return rc;
}

static RW_RC define(struct fleet_state *f, enum fleet_space space, const char *text,
                    struct rw_err *err)
{
    struct fleet_record r = {.type = FLEET_DEFINE, .space = (uint8_t)space};
    RW_TRY(rw_span_to_str(r.name, sizeof(r.name), rw_span_str(text), "name", err));
    return fleet_hot_change(f, &r, err);
}

RW_RC fleet_hot_name(struct fleet_state *f, enum fleet_space space, const char *text,
                     uint16_t *number_out, struct rw_err *err)
{
    if (f->lost) { RW_TRY(fleet_state_reload(f, err)); }
    uint16_t number = fleet_table_name(&f->table, space, text);
    if (number == FLEET_NO_NAME) {
        RW_TRY(define(f, space, text, err));
        number = fleet_table_name(&f->table, space, text);
    }
    *number_out = number;
    return RW_OK;
}

RW_RC fleet_hot_check_owner(const struct fleet_state *f, const struct fleet_who *who,
                            const struct fleet_endpoint **e_out, struct rw_err *err)
{
    const struct fleet_endpoint *e = fleet_table_find(&f->table, who->endpoint);
    if (e != NULL &&
        strcmp(fleet_table_text(&f->table, FLEET_TENANTS, e->tenant), who->tenant) != 0) {
        return rw_fail(err, RW_E_FORBIDDEN, "the endpoint belongs to another tenant");
    }
    *e_out = e;
    return RW_OK;
}

RW_RC fleet_state_enrol(struct fleet_state *f, const struct fleet_who *who, struct rw_wall now,
                        struct rw_err *err)
{
    const struct fleet_endpoint *e = NULL;
    struct fleet_record r = {.type = FLEET_ENROL, .now_s = now.s};
    RW_TRY(fleet_hot_name(f, FLEET_TENANTS, who->tenant, &r.tenant, err));
    RW_TRY(fleet_hot_check_owner(f, who, &e, err));
    rw_copy(r.endpoint, sizeof(r.endpoint), who->endpoint, sizeof(who->endpoint));
    return fleet_hot_change(f, &r, err);
}

void fleet_state_expect(const struct fleet_state *f,
                        const uint8_t endpoint[static FLEET_ENDPOINT_BYTES])
{
    if (!f->lost) { fleet_table_prefetch(&f->table, endpoint); }
}

static bool is_repeat(const struct fleet_table *t, const struct fleet_endpoint *e, uint64_t id)
{
    const uint64_t *ids = fleet_table_recent(t, e);
    for (size_t i = 0; i < e->recent_count; i++) {
        if (ids[i] == id) { return true; }
    }
    return false;
}

static const char unreached[] = BEACON_UNREACHED;

static RW_RC record_of(struct fleet_state *f, const struct fleet_who *who, const struct beacon *b,
                       struct fleet_record *r, struct rw_err *err)
{
    const struct rw_wall now = {r->now_s};
    RW_TRY(fleet_hot_name(f, FLEET_TENANTS, who->tenant, &r->tenant, err));
    RW_TRY(fleet_hot_cohort(f, who, &b->cohort, now, &r->cohort, err));
    /* Rings and families are named by policy and releases, never by beacons: a beacon cannot fill these tables. */
    r->ring = fleet_table_name(&f->table, FLEET_RINGS, b->ring);
    r->family = fleet_table_name(&f->table, FLEET_FAMILIES, b->family);
    r->release = b->release;
    r->generation = b->generation;
    r->kind = (uint8_t)b->kind;
    r->grade = word_number(grades, RW_LEN(grades), b->grade);
    r->trust = word_number(trusts, RW_LEN(trusts), b->trust);
    if (strstr(b->detail, BEACON_NO_LOADER) != NULL) { r->trust |= FLEET_NO_LOADER; }
    if (b->kind == BEACON_FAILED && strncmp(b->detail, unreached, RW_LEN(unreached) - 1) == 0) {
        r->trust |= FLEET_UNREACHED;
    }
    rw_copy(r->endpoint, sizeof(r->endpoint), who->endpoint, sizeof(who->endpoint));
    rw_copy(r->sha256, sizeof(r->sha256), b->sha256, sizeof(b->sha256));
    const struct fleet_release *release = fleet_table_release(&f->table, r->family, r->release);
    r->same = release != NULL && memcmp(release->sha256, r->sha256, sizeof(r->sha256)) == 0;
    r->before = who->before < FLEET_BEFORE_MAX ? who->before : FLEET_BEFORE_MAX;
    return RW_OK;
}

RW_RC fleet_state_beacon(struct fleet_state *f, const struct fleet_who *who, const struct beacon *b,
                         struct rw_wall now, bool *duplicate_out, struct rw_err *err)
{
    const struct fleet_endpoint *e = NULL;
    struct fleet_record r = {.type = FLEET_BEACON, .now_s = now.s};
    if (f->lost) { RW_TRY(fleet_state_reload(f, err)); }
    RW_TRY(fleet_hot_check_owner(f, who, &e, err));
    for (size_t i = 0; i < sizeof(r.number); i++) {
        r.number |= (uint64_t)b->id[i] << (8 * i);
    }
    if (e != NULL && is_repeat(&f->table, e, r.number)) {
        *duplicate_out = true;
        return RW_OK;
    }
    RW_TRY(record_of(f, who, b, &r, err));
    RW_TRY(fleet_hot_change(f, &r, err));
    *duplicate_out = false;
    return RW_OK;
}

RW_RC fleet_state_expire(struct fleet_state *f, struct rw_wall now, size_t *expired_out,
                         struct rw_err *err)
{
    struct fleet_table *t = &f->table;
    size_t expired = 0;
    *expired_out = 0;
    if (f->lost) { RW_TRY(fleet_state_reload(f, err)); }
    if (now.s < t->earliest_s) { return RW_OK; }
    size_t kept = 0;
    int64_t earliest_s = INT64_MAX;
    struct rw_rc rc = RW_OK;
    for (size_t i = 0; i < t->open_count; i++) {
        const struct fleet_open_permit p = t->open[i];
        bool open = open_slot(t, &p) != NULL;
        if (open && rw_is_ok(rc) && now.s >= p.deadline_s) {
            struct fleet_record r = {.type = FLEET_EXPIRE,
                                     .family = t->tracks[p.track].family,
                                     .release = p.release,
                                     .now_s = now.s};
            rw_copy(r.endpoint, sizeof(r.endpoint), t->endpoints[p.endpoint].id, 16);
            rc = fleet_hot_change(f, &r, err);
            open = !rw_is_ok(rc);
            expired += !open;
        }
        if (!open) { continue; }
        if (p.deadline_s < earliest_s) { earliest_s = p.deadline_s; }
        t->open[kept++] = p;
    }
    t->open_count = kept;
    t->earliest_s = earliest_s;
    *expired_out = expired;
    return rc;
}

/* --- the journal --- */

size_t fleet_state_pending_bytes(const struct fleet_state *f)
{
    return f->batch.n;
}

RW_RC fleet_state_flush(struct fleet_state *f, struct rw_err *err)
{
    if (f->batch.n == 0) { return RW_OK; }
    int64_t row = 0;
    RW_TRY(store_journal_append(f->store, rw_buf_span(&f->batch), &row, err));
    /* INV-1: records are numbers of names and permits: they mean what they say behind this very row only. */
    if (store_is_shared(f->store) && row != f->last_row + 1) {
        return rw_fail(err, RW_E_STORE, "the journal has moved on from row %lld to %lld",
                       (long long)f->last_row, (long long)row - 1);
    }
    f->last_row = row;
    f->journal_bytes += f->batch.n;
    rw_buf_clear(&f->batch);
    return RW_OK;
}

bool fleet_state_fold_due(const struct fleet_state *f)
{
    /* Not before the journal is as long as the image: folding stays a small share of all writing. */
    size_t due = f->slices.image_bytes;
    if (due < FOLD_AT_LEAST_BYTES) { due = FOLD_AT_LEAST_BYTES; }
    if (due > FOLD_AT_MOST_BYTES) { due = FOLD_AT_MOST_BYTES; }
    return f->journal_bytes >= due;
}

RW_RC fleet_state_fold(struct fleet_state *f, bool *more_out, struct rw_err *err)
{
    RW_ASSERT(f->batch.n == 0);
    f->fold_covered = 0;
    if (f->lost) { RW_TRY(fleet_state_reload(f, err)); }
    const struct fleet_fold_now now = {f->last_row, f->journal_bytes};
    struct fleet_fold_done done;
    RW_TRY(fleet_slices_step(&f->slices, f->store, &f->table, &now, &done, err));
    f->fold_covered = done.covered;
    f->journal_bytes -= done.covered;
    *more_out = done.more;
    return RW_OK;
}

void fleet_state_fold_lost(struct fleet_state *f)
{
    fleet_slices_forget(&f->slices);
    f->journal_bytes += f->fold_covered;
    f->fold_covered = 0;
}
