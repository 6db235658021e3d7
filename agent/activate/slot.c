#include "agent/activate/slot.h"

#include "common/base/alt.h"

#include <string.h>

/* SLOT_BYTES: of each copy, filled up with spaces, so that a save needs no room on a full disk (INV-6). The largest
 * state is smaller; one that were not would be saved as a new file. */
enum { SLOT_FORMAT = 1, SLOT_BYTES = 8192, SLOT_BYTES_MAX = 32768 };

static const char slot_name[] = "slots";
static const char *const change_names[] = {"none", "trial", "revert", "remove"};

const char *slot_change_name(enum slot_change c)
{
    return change_names[c];
}

static bool is_in(const uint8_t (*list)[DIGEST_BYTES], size_t count, const uint8_t *sha256)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(list[i], sha256, DIGEST_BYTES) == 0) { return true; }
    }
    return false;
}

static void remember(uint8_t (*list)[DIGEST_BYTES], size_t *count, const uint8_t *sha256)
{
    if (is_in((const uint8_t(*)[DIGEST_BYTES])list, *count, sha256)) { return; }
    if (*count == INSTALL_ABANDONED_MAX) {
        for (size_t i = 0; i + 1 < INSTALL_ABANDONED_MAX; i++) {
            rw_copy(list[i], DIGEST_BYTES, list[i + 1], DIGEST_BYTES);
        }
        (*count)--;
    }
    rw_copy(list[(*count)++], DIGEST_BYTES, sha256, DIGEST_BYTES);
}

void slot_abandon(struct slot_state *s, const uint8_t sha256[static DIGEST_BYTES])
{
    remember(s->abandoned, &s->abandoned_count, sha256);
}

bool slot_is_abandoned(const struct slot_state *s, const uint8_t sha256[static DIGEST_BYTES])
{
    return is_in((const uint8_t(*)[DIGEST_BYTES])s->abandoned, s->abandoned_count, sha256);
}

void slot_leave(struct slot_state *s, const uint8_t sha256[static DIGEST_BYTES])
{
    remember(s->left, &s->left_count, sha256);
}

static void put_hex(struct json_writer *w, const char *name, const uint8_t *bytes, size_t n)
{
    char hex[DIGEST_HEX_BYTES];
    rw_hex_encode(hex, sizeof(hex), bytes, n);
    json_put_str(w, name, hex);
}

static void put_hashes(struct json_writer *w, const char *name, const uint8_t (*list)[DIGEST_BYTES],
                       size_t count)
{
    json_open_array(w, name);
    for (size_t i = 0; i < count; i++) {
        put_hex(w, NULL, list[i], DIGEST_BYTES);
    }
    json_close_array(w);
}

static void put_entry(struct json_writer *w, const char *name, const struct manifest_entry *e)
{
    json_open_object(w, name);
    json_put_str(w, "family", e->family);
    json_put_int(w, "release", e->release);
    put_hex(w, "sha256", e->sha256, DIGEST_BYTES);
    json_put_int(w, "bytes", e->bytes);
    json_close_object(w);
}

static void put_trial(struct json_writer *w, const struct slot_trial *t)
{
    json_open_object(w, "trial");
    json_put_str(w, "change", change_names[t->change]);
    json_put_int(w, "set", t->set);
    put_entry(w, "to", &t->to);
    put_entry(w, "left", &t->left);
    json_put_int(w, "probation_s", t->probation_s);
    json_put_bool(w, "failed", t->failed);
    json_put_bool(w, "aborted", t->aborted);
    json_put_bool(w, "own", t->own);
    json_put_bool(w, "storm", t->storm);
    if (t->mute) { json_put_bool(w, "mute", true); }
    if (t->drill) { json_put_bool(w, "drill", true); }
    json_put_int(w, "stage", (int64_t)t->stage);
    json_put_int(w, "signal", t->signal);
    json_put_int(w, "generation", t->generation);
    json_put_str(w, "detail", t->detail);
    put_hex(w, "beacon", t->beacon, BEACON_ID_BYTES);
    json_close_object(w);
}

RW_RC slot_write(const struct slot_state *s, struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_int(&w, "format", SLOT_FORMAT);
    json_put_int(&w, "current", s->current);
    json_put_int(&w, "previous", s->previous);
    json_put_int(&w, "next", s->next);
    json_put_int(&w, "committed", s->committed.s);
    json_put_str(&w, "ring", s->ring);
    json_put_str(&w, "seen_ring", s->seen_ring);
    json_put_bool(&w, "stable", s->stable);
    json_put_bool(&w, "previous_stable", s->previous_stable);
    if (s->trial.change != SLOT_NO_CHANGE) { put_trial(&w, &s->trial); }
    put_hashes(&w, "abandoned", (const uint8_t(*)[DIGEST_BYTES])s->abandoned, s->abandoned_count);
    put_hashes(&w, "left", (const uint8_t(*)[DIGEST_BYTES])s->left, s->left_count);
    json_open_object(&w, "boot");
    json_put_bool(&w, "open", s->boot.open);
    json_put_bool(&w, "guarded", s->boot.guarded);
    json_put_int(&w, "unclean", s->boot.unclean);
    json_put_str(&w, "id", s->boot.id);
    json_close_object(&w);
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC get_hex(const struct json *o, const char *name, uint8_t *dst, size_t n,
                     struct rw_err *err)
{
    struct rw_span hex;
    RW_TRY(json_get_span(o, name, &hex, err));
    return rw_hex_decode(dst, n, hex, name, err);
}

static RW_RC get_entry(const struct json *o, const char *name, struct manifest_entry *out,
                       struct rw_err *err)
{
    const struct json *e = NULL;
    RW_TRY(json_get(o, name, JSON_OBJECT, &e, err));
    RW_TRY(json_get_str(e, "family", out->family, sizeof(out->family), err));
    RW_TRY(json_get_int(e, "release", 0, RW_JSON_INT_MAX, &out->release, err));
    RW_TRY(json_get_int(e, "bytes", 0, RW_JSON_INT_MAX, &out->bytes, err));
    return get_hex(e, "sha256", out->sha256, DIGEST_BYTES, err);
}

/* Slots of older agents do not have it: false. */
static RW_RC get_flag(const struct json *o, const char *name, bool *out, struct rw_err *err)
{
    return json_find(o, name) == NULL ? RW_OK : json_get_bool(o, name, out, err);
}

static RW_RC get_trial(const struct json *o, struct slot_trial *t, struct rw_err *err)
{
    struct rw_span change;
    int64_t stage = 0;
    size_t index = 0;
    RW_TRY(json_get_span(o, "change", &change, err));
    while (index < RW_LEN(change_names) && !rw_span_is(change, change_names[index])) {
        index++;
    }
    if (index == RW_LEN(change_names)) {
        return rw_fail(err, RW_E_SCHEMA, "'change' is not a known word");
    }
    t->change = (enum slot_change)index;
    RW_TRY(json_get_int(o, "set", 1, RW_JSON_INT_MAX, &t->set, err));
    RW_TRY(get_entry(o, "to", &t->to, err));
    RW_TRY(get_entry(o, "left", &t->left, err));
    RW_TRY(json_get_int(o, "probation_s", 0, 86400, &t->probation_s, err));
    RW_TRY(json_get_bool(o, "failed", &t->failed, err));
    RW_TRY(json_get_bool(o, "aborted", &t->aborted, err));
    RW_TRY(get_flag(o, "own", &t->own, err));
    RW_TRY(get_flag(o, "storm", &t->storm, err));
    RW_TRY(get_flag(o, "mute", &t->mute, err));
    RW_TRY(get_flag(o, "drill", &t->drill, err));
    RW_TRY(json_get_int(o, "stage", 0, BEACON_STAGE_ACTIVE, &stage, err));
    t->stage = (enum beacon_stage)stage;
    RW_TRY(json_get_int(o, "signal", 0, 128, &t->signal, err));
    RW_TRY(json_get_int(o, "generation", 0, RW_JSON_INT_MAX, &t->generation, err));
    RW_TRY(json_get_str(o, "detail", t->detail, sizeof(t->detail), err));
    return get_hex(o, "beacon", t->beacon, BEACON_ID_BYTES, err);
}

static RW_RC get_hashes(const struct json *o, const char *name, uint8_t (*into)[DIGEST_BYTES],
                        size_t *count_out, struct rw_err *err)
{
    const struct json *list = NULL;
    RW_TRY(json_get(o, name, JSON_ARRAY, &list, err));
    if (json_count(list) > INSTALL_ABANDONED_MAX) {
        return rw_fail(err, RW_E_RANGE, "%s: more than %d hashes", name, INSTALL_ABANDONED_MAX);
    }
    for (const struct json *one = json_first(list); one != NULL; one = json_next(one)) {
        if (json_type(one) != JSON_STR) {
            return rw_fail(err, RW_E_SCHEMA, "%s: a hash is a string", name);
        }
        RW_TRY(rw_hex_decode(into[*count_out], DIGEST_BYTES, json_str(one), name, err));
        (*count_out)++;
    }
    return RW_OK;
}

RW_RC slot_read(struct rw_span text, struct slot_state *out, struct rw_err *err)
{
    static const char *const known[] = {
        "format", "current",   "previous", "next", "committed", "ring",           "seen_ring",
        "trial",  "abandoned", "left",     "boot", "stable",    "previous_stable"};
    struct slot_state s = {.current = 0};
    const struct json *boot = NULL;
    int64_t format = 0;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(text, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(json_get_int(tree, "format", SLOT_FORMAT, SLOT_FORMAT, &format, err));
    RW_TRY(json_get_int(tree, "current", 0, RW_JSON_INT_MAX, &s.current, err));
    RW_TRY(json_get_int(tree, "previous", 0, RW_JSON_INT_MAX, &s.previous, err));
    RW_TRY(json_get_int(tree, "next", 1, RW_JSON_INT_MAX - 1, &s.next, err));
    RW_TRY(json_get_int(tree, "committed", 0, RW_JSON_INT_MAX, &s.committed.s, err));
    RW_TRY(json_get_str(tree, "ring", s.ring, sizeof(s.ring), err));
    RW_TRY(json_get_str(tree, "seen_ring", s.seen_ring, sizeof(s.seen_ring), err));
    RW_TRY(get_flag(tree, "stable", &s.stable, err));
    RW_TRY(get_flag(tree, "previous_stable", &s.previous_stable, err));
    const struct json *trial = json_find(tree, "trial");
    if (trial != NULL) { RW_TRY(get_trial(trial, &s.trial, err)); }
    RW_TRY(get_hashes(tree, "abandoned", s.abandoned, &s.abandoned_count, err));
    if (json_find(tree, "left") != NULL) { /* files of older agents lack it */
        RW_TRY(get_hashes(tree, "left", s.left, &s.left_count, err));
    }
    RW_TRY(json_get(tree, "boot", JSON_OBJECT, &boot, err));
    RW_TRY(json_get_bool(boot, "open", &s.boot.open, err));
    RW_TRY(json_get_bool(boot, "guarded", &s.boot.guarded, err));
    RW_TRY(json_get_int(boot, "unclean", 0, RW_JSON_INT_MAX, &s.boot.unclean, err));
    if (json_find(boot, "id") != NULL) { /* files of older agents lack it */
        RW_TRY(json_get_str(boot, "id", s.boot.id, sizeof(s.boot.id), err));
    }
    *out = s;
    return RW_OK;
}

RW_RC slot_load(int state_dir, struct slot_state *out, bool *fresh_out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SLOT_BYTES_MAX);
    uint64_t serial = 0;
    struct rw_rc rc = rw_alt_load(state_dir, slot_name, &text, &serial, err);
    *fresh_out = rc.code == RW_E_NOT_FOUND;
    if (*fresh_out) {
        *out = (struct slot_state){.next = 1};
        return RW_OK;
    }
    RW_TRY(rc);
    if (!rw_is_ok(slot_read(rw_buf_span(&text), out, err))) { return rw_wrap(err, "slots"); }
    return RW_OK;
}

RW_RC slot_save(int state_dir, const struct slot_state *s, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SLOT_BYTES_MAX);
    RW_TRY(slot_write(s, &text, err));
    if (text.n < SLOT_BYTES) {
        size_t room = SLOT_BYTES - text.n;
        uint8_t *at = NULL;
        RW_TRY(rw_buf_reserve(&text, room, &at, err));
        memset(at, ' ', room);
        rw_buf_commit(&text, room);
    }
    return rw_alt_save(state_dir, slot_name, rw_buf_span(&text), err);
}
