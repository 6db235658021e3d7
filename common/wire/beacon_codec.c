#include "common/wire/beacon_codec.h"

#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {"alive",    "healthy", "refused", "failed", "crash",
                                         "reverted", "storm",   "slow",    "unable", "mute"};
static const char *const stage_names[] = {"", "box", "load", "probation", "active"};
static const char *const grade_names[] = {"", "full", "good", "weak", "none"};
static const char *const trust_names[] = {"ok", "expired", "development"};
static const char *const clock_names[] = {"", "behind", "ahead"};

_Static_assert((int)BEACON_NAME_BYTES == (int)BEACON_COHORT_BYTES, "one size of label");

const char *beacon_kind_name(enum beacon_kind kind)
{
    return kind_names[kind];
}

/* Labels become keys of counts and cells of tables: printable ASCII only, on both sides. */
static bool is_label_byte(char c)
{
    return c >= ' ' && c <= '~';
}

static void write_label(struct json_writer *w, const char *name, const char *value)
{
    char label[BEACON_COHORT_BYTES];
    (void)snprintf(label, sizeof(label), "%s", value);
    for (char *p = label; *p != '\0'; p++) {
        if (!is_label_byte(*p)) { *p = '?'; }
    }
    json_put_str(w, name, label);
}

static RW_RC read_label(const struct json *object, const char *name,
                        char dst[static BEACON_COHORT_BYTES], struct rw_err *err)
{
    RW_TRY(json_get_str(object, name, dst, BEACON_COHORT_BYTES, err));
    for (const char *p = dst; *p != '\0'; p++) {
        if (!is_label_byte(*p)) {
            return rw_fail(err, RW_E_SCHEMA, "line %u: '%s' has a byte that is not printable ASCII",
                           json_line(object), name);
        }
    }
    return RW_OK;
}

static void write_cohort(struct json_writer *w, const struct beacon_cohort *c)
{
    json_open_object(w, "cohort");
    write_label(w, "os", c->os);
    write_label(w, "arch", c->arch);
    write_label(w, "engine", c->engine);
    json_close_object(w);
}

static void write_hash(struct json_writer *w, const char *name, const uint8_t hash[static 32])
{
    char hex[2 * BEACON_HASH_BYTES + 1];
    rw_hex_encode(hex, sizeof(hex), hash, BEACON_HASH_BYTES);
    json_put_str(w, name, hex);
}

void beacon_write(struct json_writer *w, const char *name, const struct beacon *b)
{
    char id[2 * BEACON_ID_BYTES + 1];
    char at[RW_TIME_TEXT_BYTES];
    rw_hex_encode(id, sizeof(id), b->id, sizeof(b->id));
    rw_wall_format(at, b->at);
    json_open_object(w, name);
    json_put_str(w, "id", id);
    json_put_str(w, "at", at);
    json_put_str(w, "kind", kind_names[b->kind]);
    json_put_str(w, "ring", b->ring);
    write_cohort(w, &b->cohort);
    if (b->release > 0) {
        json_put_str(w, "family", b->family);
        json_put_int(w, "release", b->release);
        write_hash(w, "sha256", b->sha256);
        json_put_int(w, "generation", b->generation);
    }
    if (b->stage != BEACON_STAGE_NONE) { json_put_str(w, "stage", stage_names[b->stage]); }
    if (b->signal != 0) { json_put_int(w, "signal", b->signal); }
    if (b->detail[0] != '\0') { json_put_str(w, "detail", b->detail); }
    if (b->grade[0] != '\0') { json_put_str(w, "grade", b->grade); }
    json_put_str(w, "trust", b->trust);
    if (b->clock[0] != '\0') { json_put_str(w, "clock", b->clock); }
    json_close_object(w);
}

/* Finds a word in a table; index 0 may be the word for "absent". */
static RW_RC read_word(const struct json *object, const char *name, const char *const *words,
                       size_t word_count, size_t *index_out, struct rw_err *err)
{
    struct rw_span text;
    RW_TRY(json_get_span(object, name, &text, err));
    for (size_t i = 0; i < word_count; i++) {
        if (words[i][0] != '\0' && rw_span_is(text, words[i])) {
            *index_out = i;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_SCHEMA, "line %u: '%s' is not a known word", json_line(object), name);
}

static RW_RC read_optional_word(const struct json *object, const char *name,
                                const char *const *words, size_t word_count, size_t *index_out,
                                struct rw_err *err)
{
    *index_out = 0;
    if (json_find(object, name) == NULL) { return RW_OK; }
    return read_word(object, name, words, word_count, index_out, err);
}

static RW_RC read_hash(const struct json *object, const char *name, uint8_t hash[static 32],
                       struct rw_err *err)
{
    struct rw_span hex;
    RW_TRY(json_get_span(object, name, &hex, err));
    return rw_hex_decode(hash, BEACON_HASH_BYTES, hex, name, err);
}

static RW_RC read_cohort(const struct json *object, struct beacon_cohort *out, struct rw_err *err)
{
    static const char *const known[] = {"os", "arch", "engine"};
    const struct json *cohort = NULL;
    RW_TRY(json_get(object, "cohort", JSON_OBJECT, &cohort, err));
    RW_TRY(json_only(cohort, known, RW_LEN(known), err));
    RW_TRY(read_label(cohort, "os", out->os, err));
    RW_TRY(read_label(cohort, "arch", out->arch, err));
    return read_label(cohort, "engine", out->engine, err);
}

static RW_RC read_content(const struct json *object, struct beacon *b, struct rw_err *err)
{
    if (json_find(object, "release") == NULL) {
        if (b->kind == BEACON_ALIVE) { return RW_OK; }
        return rw_fail(err, RW_E_SCHEMA, "line %u: a '%s' beacon needs 'release'",
                       json_line(object), kind_names[b->kind]);
    }
    RW_TRY(read_label(object, "family", b->family, err));
    RW_TRY(json_get_int(object, "release", 1, RW_JSON_INT_MAX, &b->release, err));
    RW_TRY(read_hash(object, "sha256", b->sha256, err));
    return json_get_int(object, "generation", 0, RW_JSON_INT_MAX, &b->generation, err);
}

RW_RC beacon_read(const struct json *object, struct beacon *out, struct rw_err *err)
{
    static const char *const known[] = {"id",     "at",      "kind",   "ring",       "cohort",
                                        "family", "release", "sha256", "generation", "stage",
                                        "signal", "detail",  "grade",  "trust",      "clock"};
    struct beacon b = {.kind = BEACON_ALIVE};
    struct rw_span text;
    size_t index = 0;
    RW_TRY(json_only(object, known, RW_LEN(known), err));
    RW_TRY(json_get_span(object, "id", &text, err));
    RW_TRY(rw_hex_decode(b.id, sizeof(b.id), text, "id", err));
    RW_TRY(json_get_span(object, "at", &text, err));
    RW_TRY(rw_wall_parse(text, "at", &b.at, err));
    RW_TRY(read_word(object, "kind", kind_names, RW_LEN(kind_names), &index, err));
    b.kind = (enum beacon_kind)index;
    RW_TRY(read_label(object, "ring", b.ring, err));
    RW_TRY(read_cohort(object, &b.cohort, err));
    RW_TRY(read_content(object, &b, err));
    RW_TRY(read_optional_word(object, "stage", stage_names, RW_LEN(stage_names), &index, err));
    b.stage = (enum beacon_stage)index;
    if (json_find(object, "signal") != NULL) {
        RW_TRY(json_get_int(object, "signal", 0, 128, &b.signal, err));
    }
    if (json_find(object, "detail") != NULL) {
        RW_TRY(json_get_str(object, "detail", b.detail, sizeof(b.detail), err));
    }
    RW_TRY(read_optional_word(object, "grade", grade_names, RW_LEN(grade_names), &index, err));
    (void)snprintf(b.grade, sizeof(b.grade), "%s", grade_names[index]);
    RW_TRY(read_word(object, "trust", trust_names, RW_LEN(trust_names), &index, err));
    (void)snprintf(b.trust, sizeof(b.trust), "%s", trust_names[index]);
    RW_TRY(read_optional_word(object, "clock", clock_names, RW_LEN(clock_names), &index, err));
    (void)snprintf(b.clock, sizeof(b.clock), "%s", clock_names[index]);
    *out = b;
    return RW_OK;
}

static RW_RC read_run(const struct json *tree, uint64_t *run_out, struct rw_err *err)
{
    uint8_t bytes[sizeof(*run_out)];
    struct rw_span hex;
    *run_out = 0;
    if (json_find(tree, "run") == NULL) { return RW_OK; }
    RW_TRY(json_get_span(tree, "run", &hex, err));
    RW_TRY(rw_hex_decode(bytes, sizeof(bytes), hex, "run", err));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        *run_out = *run_out << 8 | bytes[i];
    }
    return RW_OK;
}

RW_RC beacon_read_batch(struct rw_span body, struct beacon out[static BEACON_BATCH_MAX],
                        size_t *count_out, struct rw_err *err)
{
    uint64_t run = 0;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    return beacon_read_batch_tree(tree, out, count_out, &run, err);
}

RW_RC beacon_read_batch_tree(const struct json *tree, struct beacon out[static BEACON_BATCH_MAX],
                             size_t *count_out, uint64_t *run_out, struct rw_err *err)
{
    static const char *const known[] = {"beacons", "run"};
    const struct json *list = NULL;
    size_t n = 0;
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(read_run(tree, run_out, err));
    RW_TRY(json_get(tree, "beacons", JSON_ARRAY, &list, err));
    if (json_count(list) < 1 || json_count(list) > BEACON_BATCH_MAX) {
        return rw_fail(err, RW_E_RANGE, "'beacons' has %zu elements, want 1..%d", json_count(list),
                       BEACON_BATCH_MAX);
    }
    for (const struct json *one = json_first(list); one != NULL; one = json_next(one), n++) {
        if (!rw_is_ok(beacon_read(one, &out[n], err))) { return rw_wrap(err, "beacons[%zu]", n); }
    }
    *count_out = n;
    return RW_OK;
}

RW_RC beacon_permit_write_request(const struct beacon_permit_request *r, struct rw_buf *into,
                                  struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_str(&w, "family", r->family);
    json_put_int(&w, "release", r->release);
    write_hash(&w, "sha256", r->sha256);
    json_put_str(&w, "ring", r->ring);
    json_put_int(&w, "from", r->from);
    write_cohort(&w, &r->cohort);
    json_close_object(&w);
    return json_done(&w, err);
}

RW_RC beacon_permit_read_request(struct rw_span body, struct beacon_permit_request *out,
                                 struct rw_err *err)
{
    static const char *const known[] = {"family", "release", "sha256", "ring", "from", "cohort"};
    struct beacon_permit_request r = {.from = 0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(read_label(tree, "family", r.family, err));
    RW_TRY(json_get_int(tree, "release", 1, RW_JSON_INT_MAX, &r.release, err));
    RW_TRY(read_hash(tree, "sha256", r.sha256, err));
    RW_TRY(read_label(tree, "ring", r.ring, err));
    RW_TRY(json_get_int(tree, "from", 0, RW_JSON_INT_MAX, &r.from, err));
    RW_TRY(read_cohort(tree, &r.cohort, err));
    *out = r;
    return RW_OK;
}

static const char *const decision_names[] = {"granted", "wait", "refused"};

RW_RC beacon_permit_write_answer(const struct beacon_permit_answer *a, struct rw_buf *into,
                                 struct rw_err *err)
{
    char number[24];
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_str(&w, "decision", decision_names[a->decision]);
    if (a->decision == BEACON_PERMIT_GRANTED) {
        /* A 64-bit number travels as text: JSON integers end at 2^53. */
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)a->permit);
        json_put_str(&w, "permit", number);
        json_put_int(&w, "valid_s", a->valid_s);
        json_put_int(&w, "deadline_s", a->deadline_s);
        json_put_int(&w, "probation_s", a->probation_s);
    } else {
        if (a->decision == BEACON_PERMIT_WAIT) {
            json_put_int(&w, "retry_after_s", a->retry_after_s);
        }
        json_put_str(&w, "reason", a->reason);
    }
    json_close_object(&w);
    return json_done(&w, err);
}

RW_RC beacon_permit_read_answer(struct rw_span body, struct beacon_permit_answer *out,
                                struct rw_err *err)
{
    struct beacon_permit_answer a = {.permit = 0};
    struct rw_span text;
    size_t index = 0;
    int64_t number = 0;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(read_word(tree, "decision", decision_names, RW_LEN(decision_names), &index, err));
    a.decision = (enum beacon_permit_decision)index;
    if (a.decision == BEACON_PERMIT_GRANTED) {
        RW_TRY(json_get_span(tree, "permit", &text, err));
        RW_TRY(rw_parse_i64(text, 1, INT64_MAX, "permit", &number, err));
        a.permit = (uint64_t)number;
        RW_TRY(json_get_int(tree, "valid_s", 1, 3600, &a.valid_s, err));
        RW_TRY(json_get_int(tree, "deadline_s", 1, 86400, &a.deadline_s, err));
        RW_TRY(json_get_int(tree, "probation_s", 0, 86400, &a.probation_s, err));
    } else {
        RW_TRY(json_get_str(tree, "reason", a.reason, sizeof(a.reason), err));
    }
    if (a.decision == BEACON_PERMIT_WAIT) {
        RW_TRY(json_get_int(tree, "retry_after_s", 0, 86400, &a.retry_after_s, err));
    }
    *out = a;
    return RW_OK;
}
