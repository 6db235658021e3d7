#include "server/health/fleet_journal.h"

#include "server/health/fleet_bytes.h"

#include <string.h>

enum field {
    F_NAME = 1 << 0, /* space and name */
    F_ENDPOINT = 1 << 1,
    F_TENANT = 1 << 2,
    F_PLACE = 1 << 3, /* ring and cohort */
    F_FAMILY = 1 << 4,
    F_RELEASE = 1 << 5,
    F_SHA256 = 1 << 6,
    F_GENERATION = 1 << 7,
    F_STATE = 1 << 8, /* kind, grade, trust */
    F_NUMBER = 1 << 9,
    F_NOW = 1 << 10,
    F_DEADLINE = 1 << 11,
    F_AFTER = 1 << 12,
    F_BEFORE = 1 << 13, /* since version 3 */
    F_END = 1 << 14,
};

enum { KIND_MAX = 9, GRADE_MAX = 4, TRUST_MAX = 2 };

/* Version, type, and a name or the fields of a beacon. */
enum { RECORD_BYTES_MAX = 160 };

/* A beacon that says nothing of content, and one about the very bytes of a watched release: they are written in half
 * and two thirds of the room, and read as FLEET_BEACON. */
enum { BEACON_BARE = FLEET_REUSE + 1, BEACON_SAME, TYPE_END };

enum {
    BARE_FIELDS = F_ENDPOINT | F_TENANT | F_PLACE | F_STATE | F_NUMBER | F_NOW | F_BEFORE,
    SAME_FIELDS = BARE_FIELDS | F_FAMILY | F_RELEASE | F_GENERATION,
};

/* Fields of each type, written in the order of their bits. */
static const unsigned fields_of[TYPE_END] = {
    [FLEET_DEFINE] = F_NAME,
    [FLEET_WATCH] = F_FAMILY | F_RELEASE | F_SHA256 | F_NOW | F_DEADLINE | F_AFTER,
    [FLEET_ENROL] = F_ENDPOINT | F_TENANT | F_NOW,
    [FLEET_BEACON] = SAME_FIELDS | F_SHA256,
    [FLEET_PERMIT] =
        F_ENDPOINT | F_TENANT | F_PLACE | F_FAMILY | F_RELEASE | F_NUMBER | F_NOW | F_DEADLINE,
    [FLEET_EXPIRE] = F_ENDPOINT | F_FAMILY | F_RELEASE | F_NOW,
    [FLEET_MUTE] = F_TENANT | F_FAMILY | F_RELEASE,
    [FLEET_CLOSE] = F_FAMILY | F_RELEASE | F_NOW,
    [FLEET_REUSE] = F_NAME | F_PLACE,
    [BEACON_BARE] = BARE_FIELDS,
    [BEACON_SAME] = SAME_FIELDS,
};

/* A record while it is written. */
struct out {
    size_t n;
    uint8_t bytes[RECORD_BYTES_MAX];
};

static void put(struct out *o, uint64_t v, unsigned width)
{
    RW_ASSERT(width <= sizeof(o->bytes) - o->n);
    for (unsigned i = 0; i < width; i++) {
        o->bytes[o->n++] = (uint8_t)(v >> (8 * i));
    }
}

static void put_raw(struct out *o, const void *p, size_t n)
{
    rw_copy(&o->bytes[o->n], sizeof(o->bytes) - o->n, p, n);
    o->n += n;
}

static void put_name(struct out *o, const struct fleet_record *r)
{
    size_t n = strlen(r->name);
    put(o, r->space, 1);
    put(o, n, 1);
    put_raw(o, r->name, n);
}

static void put_field(struct out *o, enum field field, const struct fleet_record *r)
{
    switch (field) {
    case F_NAME:
        put_name(o, r);
        return;
    case F_ENDPOINT:
        put_raw(o, r->endpoint, sizeof(r->endpoint));
        return;
    case F_TENANT:
        put(o, r->tenant, 2);
        return;
    case F_PLACE:
        put(o, r->ring, 2);
        put(o, r->cohort, 2);
        return;
    case F_FAMILY:
        put(o, r->family, 2);
        return;
    case F_RELEASE:
        put(o, (uint64_t)r->release, 8);
        return;
    case F_SHA256:
        put_raw(o, r->sha256, sizeof(r->sha256));
        return;
    case F_GENERATION:
        put(o, (uint64_t)r->generation, 8);
        return;
    case F_STATE:
        put(o, r->kind, 1);
        put(o, r->grade, 1);
        put(o, r->trust, 1);
        return;
    case F_NUMBER:
        put(o, r->number, 8);
        return;
    case F_NOW:
        put(o, (uint64_t)r->now_s, 8);
        return;
    case F_DEADLINE:
        put(o, (uint64_t)r->deadline_s, 8);
        return;
    case F_AFTER:
        put(o, (uint64_t)r->after_s, 8);
        return;
    case F_BEFORE:
        put(o, r->before, 1);
        return;
    case F_END:
        return;
    }
}

static unsigned type_of(const struct fleet_record *r)
{
    static const uint8_t none[sizeof(r->sha256)] = {0};
    if (r->type != FLEET_BEACON) { return (unsigned)r->type; }
    if (r->same) { return BEACON_SAME; }
    bool bare = r->family == FLEET_NO_NAME && r->release == 0 && r->generation == 0 &&
                memcmp(r->sha256, none, sizeof(none)) == 0;
    return bare ? BEACON_BARE : FLEET_BEACON;
}

/* Appended in one piece or not at all: a cut record would spoil the whole batch. */
RW_RC fleet_journal_put(struct rw_buf *batch, const struct fleet_record *r, struct rw_err *err)
{
    struct out o;
    o.n = 0;
    if (batch->n == 0) { put(&o, FLEET_JOURNAL_VERSION, 1); }
    unsigned type = type_of(r);
    put(&o, type, 1);
    for (unsigned field = 1; field < F_END; field <<= 1) {
        if ((fields_of[type] & field) != 0) { put_field(&o, (enum field)field, r); }
    }
    struct rw_rc rc = rw_buf_append(batch, rw_span_of(o.bytes, o.n), err);
    if (rc.code == RW_E_TOO_BIG) {
        return rw_fail(err, RW_E_FULL, "%zu bytes of records wait for their commit", batch->n);
    }
    return rc;
}

static RW_RC get_small(struct fleet_cursor *c, unsigned max, const char *what, uint8_t *out,
                       struct rw_err *err)
{
    uint64_t v = 0;
    RW_TRY(fleet_bytes_get(c, 1, &v, err));
    if (v > max) {
        return rw_fail(err, RW_E_PROTOCOL, "fleet record: %s %llu, at most %u are known", what,
                       (unsigned long long)v, max);
    }
    *out = (uint8_t)v;
    return RW_OK;
}

static RW_RC get_u16(struct fleet_cursor *c, uint16_t *out, struct rw_err *err)
{
    uint64_t v = 0;
    RW_TRY(fleet_bytes_get(c, 2, &v, err));
    *out = (uint16_t)v;
    return RW_OK;
}

static RW_RC get_name(struct fleet_cursor *c, struct fleet_record *r, struct rw_err *err)
{
    uint8_t n = 0;
    RW_TRY(get_small(c, FLEET_SPACES - 1, "name space", &r->space, err));
    RW_TRY(get_small(c, FLEET_JOURNAL_NAME_BYTES - 1, "name length", &n, err));
    RW_TRY(fleet_bytes_get_raw(c, (uint8_t *)r->name, n, err));
    r->name[n] = '\0';
    if (n == 0 || strlen(r->name) != n) {
        return rw_fail(err, RW_E_PROTOCOL, "fleet record: a name that is empty or has a NUL");
    }
    return RW_OK;
}

static RW_RC get_state(struct fleet_cursor *c, struct fleet_record *r, struct rw_err *err)
{
    RW_TRY(get_small(c, KIND_MAX, "beacon kind", &r->kind, err));
    RW_TRY(get_small(c, GRADE_MAX, "grade", &r->grade, err));
    RW_TRY(get_small(c, TRUST_MAX | FLEET_TRUST_FLAGS, "trust", &r->trust, err));
    if ((r->trust & ~(unsigned)FLEET_TRUST_FLAGS) > TRUST_MAX) {
        return rw_fail(err, RW_E_PROTOCOL, "fleet record: trust is %u", r->trust);
    }
    return RW_OK;
}

static RW_RC get_field(struct fleet_cursor *c, enum field field, struct fleet_record *r,
                       struct rw_err *err)
{
    switch (field) {
    case F_NAME:
        return get_name(c, r, err);
    case F_ENDPOINT:
        return fleet_bytes_get_raw(c, r->endpoint, sizeof(r->endpoint), err);
    case F_TENANT:
        return get_u16(c, &r->tenant, err);
    case F_PLACE:
        RW_TRY(get_u16(c, &r->ring, err));
        return get_u16(c, &r->cohort, err);
    case F_FAMILY:
        return get_u16(c, &r->family, err);
    case F_RELEASE:
        return fleet_bytes_get_count(c, &r->release, err);
    case F_SHA256:
        return fleet_bytes_get_raw(c, r->sha256, sizeof(r->sha256), err);
    case F_GENERATION:
        return fleet_bytes_get_count(c, &r->generation, err);
    case F_STATE:
        return get_state(c, r, err);
    case F_NUMBER:
        return fleet_bytes_get(c, 8, &r->number, err);
    case F_NOW:
        return fleet_bytes_get_count(c, &r->now_s, err);
    case F_DEADLINE:
        return fleet_bytes_get_count(c, &r->deadline_s, err);
    case F_AFTER:
        return fleet_bytes_get_count(c, &r->after_s, err);
    case F_BEFORE:
        return get_small(c, FLEET_BEFORE_MAX, "place in a request", &r->before, err);
    case F_END:
        break;
    }
    return RW_OK;
}

RW_RC fleet_journal_open(struct rw_span batch, struct fleet_journal_reader *out, struct rw_err *err)
{
    struct fleet_cursor c = {batch};
    uint64_t version = 0;
    RW_TRY(fleet_bytes_get(&c, 1, &version, err));
    if (version < FLEET_JOURNAL_OLDEST || version > FLEET_JOURNAL_VERSION) {
        return rw_fail(err, RW_E_PROTOCOL,
                       "journal batch of version %llu, this program knows %d to %d",
                       (unsigned long long)version, FLEET_JOURNAL_OLDEST, FLEET_JOURNAL_VERSION);
    }
    *out = (struct fleet_journal_reader){.rest = c.rest, .old = version < FLEET_JOURNAL_VERSION};
    return RW_OK;
}

RW_RC fleet_journal_next(struct fleet_journal_reader *r, struct fleet_record *out, bool *end_out,
                         struct rw_err *err)
{
    *end_out = r->rest.n == 0;
    if (*end_out) { return RW_OK; }
    struct fleet_cursor c = {r->rest};
    struct fleet_record record = {.type = FLEET_DEFINE};
    uint64_t type = 0;
    RW_TRY(fleet_bytes_get(&c, 1, &type, err));
    if (type < FLEET_DEFINE || type >= TYPE_END || (r->old && type > FLEET_REUSE)) {
        return rw_fail(err, RW_E_PROTOCOL, "journal record of type %llu is not known",
                       (unsigned long long)type);
    }
    unsigned fields = fields_of[type] & ~(r->old ? (unsigned)F_BEFORE : 0U);
    record.type = type > FLEET_REUSE ? FLEET_BEACON : (enum fleet_record_type)type;
    record.same = type == BEACON_SAME;
    record.before =
        FLEET_BEFORE_MAX; /* of an old record: a whole request may have been before it */
    if (type == BEACON_BARE) { record.family = FLEET_NO_NAME; }
    for (unsigned field = 1; field < F_END; field <<= 1) {
        if ((fields & field) != 0) { RW_TRY(get_field(&c, (enum field)field, &record, err)); }
    }
    r->rest = c.rest;
    *out = record;
    return RW_OK;
}
