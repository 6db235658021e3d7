#include "agent/poll/control_book.h"

#include "common/base/alt.h"
#include "common/base/log.h"
#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

enum { BOOK_BYTES_MAX = 64 * 1024 };

static const char file_name[] = "controls";

static RW_RC get_time(const struct json *o, const char *name, struct rw_wall *out,
                      struct rw_err *err)
{
    struct rw_span text;
    RW_TRY(json_get_span(o, name, &text, err));
    return rw_wall_parse(text, name, out, err);
}

static RW_RC read_offer(const struct json *o, struct control_book_offer *out, struct rw_err *err)
{
    static const char *const known[] = {"release", "length", "sha256", "at"};
    struct rw_span hex;
    RW_TRY(json_only(o, known, RW_LEN(known), err));
    RW_TRY(json_get_int(o, "release", 1, RW_JSON_INT_MAX, &out->release, err));
    RW_TRY(json_get_int(o, "length", 0, RW_JSON_INT_MAX, &out->length, err));
    RW_TRY(json_get_span(o, "sha256", &hex, err));
    RW_TRY(rw_hex_decode(out->sha256, sizeof(out->sha256), hex, "sha256", err));
    return get_time(o, "at", &out->at, err);
}

static RW_RC read_family(const struct json *o, struct control_book_family *out, struct rw_err *err)
{
    static const char *const known[] = {"family", "offers"};
    const struct json *offers = NULL;
    RW_TRY(json_only(o, known, RW_LEN(known), err));
    RW_TRY(json_get_str(o, "family", out->family, sizeof(out->family), err));
    RW_TRY(json_get(o, "offers", JSON_ARRAY, &offers, err));
    if (json_count(offers) > CONTROL_OFFERS_MAX) {
        return rw_fail(err, RW_E_RANGE, "'offers' has more than %d elements", CONTROL_OFFERS_MAX);
    }
    for (const struct json *e = json_first(offers); e != NULL; e = json_next(e)) {
        RW_TRY(read_offer(e, &out->offers[out->count], err));
        if (out->count > 0 &&
            out->offers[out->count].release >= out->offers[out->count - 1].release) {
            return rw_fail(err, RW_E_SCHEMA, "'offers' is not in order");
        }
        out->count++;
    }
    return RW_OK;
}

static RW_RC read_seen(const struct json *o, struct control_book_seen *out, struct rw_err *err)
{
    static const char *const known[] = {"control", "since"};
    RW_TRY(json_only(o, known, RW_LEN(known), err));
    RW_TRY(json_get_str(o, "control", out->text, sizeof(out->text), err));
    return get_time(o, "since", &out->since, err);
}

RW_RC control_book_read(struct rw_span text, struct control_book *out, struct rw_err *err)
{
    static const char *const known[] = {"ring", "families", "controls"};
    struct control_book b = {.state_dir = -1};
    const struct json *families = NULL;
    const struct json *seen = NULL;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(text, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(json_get_str(tree, "ring", b.ring, sizeof(b.ring), err));
    RW_TRY(json_get(tree, "families", JSON_ARRAY, &families, err));
    RW_TRY(json_get(tree, "controls", JSON_ARRAY, &seen, err));
    if (json_count(families) > MANIFEST_FAMILIES_MAX || json_count(seen) > CONTROL_MAX) {
        return rw_fail(err, RW_E_RANGE, "more families or controls than an endpoint can have");
    }
    for (const struct json *o = json_first(families); o != NULL; o = json_next(o)) {
        RW_TRY(read_family(o, &b.families[b.family_count++], err));
    }
    for (const struct json *o = json_first(seen); o != NULL; o = json_next(o)) {
        RW_TRY(read_seen(o, &b.seen[b.seen_count++], err));
    }
    *out = b;
    return RW_OK;
}

RW_RC control_book_open(int state_dir, struct control_book *out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(BOOK_BYTES_MAX);
    uint64_t serial = 0;
    *out = (struct control_book){.state_dir = state_dir};
    struct rw_rc rc = rw_alt_load(state_dir, file_name, &text, &serial, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    if (!rw_is_ok(control_book_read(rw_buf_span(&text), out, err))) {
        rw_log(RW_LOG_WARN, "controls_forgotten", "text", err->text);
        *out = (struct control_book){.changed = true};
    }
    out->state_dir = state_dir;
    return RW_OK;
}

static void put_time(struct json_writer *w, const char *name, struct rw_wall t)
{
    char text[RW_TIME_TEXT_BYTES];
    rw_wall_format(text, t);
    json_put_str(w, name, text);
}

static void put_family(struct json_writer *w, const struct control_book_family *f)
{
    json_open_object(w, NULL);
    json_put_str(w, "family", f->family);
    json_open_array(w, "offers");
    for (size_t i = 0; i < f->count; i++) {
        char hex[2 * INSTALL_HASH_BYTES + 1];
        rw_hex_encode(hex, sizeof(hex), f->offers[i].sha256, INSTALL_HASH_BYTES);
        json_open_object(w, NULL);
        json_put_int(w, "release", f->offers[i].release);
        json_put_int(w, "length", f->offers[i].length);
        json_put_str(w, "sha256", hex);
        put_time(w, "at", f->offers[i].at);
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
}

RW_RC control_book_save(struct control_book *b, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(BOOK_BYTES_MAX);
    if (!b->changed) { return RW_OK; }
    struct json_writer w = json_begin(&text);
    json_open_object(&w, NULL);
    json_put_str(&w, "ring", b->ring);
    json_open_array(&w, "families");
    for (size_t i = 0; i < b->family_count; i++) {
        put_family(&w, &b->families[i]);
    }
    json_close_array(&w);
    json_open_array(&w, "controls");
    for (size_t i = 0; i < b->seen_count; i++) {
        json_open_object(&w, NULL);
        json_put_str(&w, "control", b->seen[i].text);
        put_time(&w, "since", b->seen[i].since);
        json_close_object(&w);
    }
    json_close_array(&w);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    RW_TRY(rw_alt_save(b->state_dir, file_name, rw_buf_span(&text), err));
    b->changed = false;
    return RW_OK;
}

static struct control_book_family *family_of(struct control_book *b, const char *family)
{
    for (size_t i = 0; i < b->family_count; i++) {
        if (strcmp(b->families[i].family, family) == 0) { return &b->families[i]; }
    }
    if (b->family_count == MANIFEST_FAMILIES_MAX) {
        b->family_count--; /* families of an earlier configuration make room */
        for (size_t i = 0; i < b->family_count; i++) {
            b->families[i] = b->families[i + 1];
        }
    }
    struct control_book_family *f = &b->families[b->family_count++];
    *f = (struct control_book_family){.count = 0};
    (void)snprintf(f->family, sizeof(f->family), "%s", family);
    return f;
}

static void remove_first(struct control_book_family *f)
{
    f->count--;
    for (size_t i = 0; i < f->count; i++) {
        f->offers[i] = f->offers[i + 1];
    }
}

static void put_first(struct control_book_family *f, const struct control_book_offer *o)
{
    if (f->count < CONTROL_OFFERS_MAX) { f->count++; }
    for (size_t i = f->count; i-- > 1;) {
        f->offers[i] = f->offers[i - 1];
    }
    f->offers[0] = *o;
}

const struct control_book_family *
control_book_offer(struct control_book *b, const struct install_rule_pointer *p, struct rw_wall now)
{
    struct control_book_offer o = {.release = p->release, .length = p->length, .at = now};
    rw_copy(o.sha256, sizeof(o.sha256), p->sha256, INSTALL_HASH_BYTES);
    if (strcmp(b->ring, p->ring) != 0) {
        b->family_count = 0;
        (void)snprintf(b->ring, sizeof(b->ring), "%s", p->ring);
        b->changed = true;
    }
    struct control_book_family *f = family_of(b, p->family);
    while (f->count > 0 && f->offers[0].release > p->release) {
        remove_first(f);
        b->changed = true;
    }
    bool same = f->count > 0 && f->offers[0].release == p->release;
    if (same && memcmp(f->offers[0].sha256, o.sha256, INSTALL_HASH_BYTES) == 0) { return f; }
    if (same) { remove_first(f); }
    put_first(f, &o);
    b->changed = true;
    return f;
}

static const struct control_book_seen *find_seen(const struct control_book *b, const char *text)
{
    for (size_t i = 0; i < b->seen_count; i++) {
        if (strcmp(b->seen[i].text, text) == 0) { return &b->seen[i]; }
    }
    return NULL;
}

void control_book_date(struct control_book *b, struct control *controls, size_t count,
                       struct rw_wall passed)
{
    struct control_book_seen next[CONTROL_MAX];
    for (size_t i = 0; i < count; i++) {
        control_codec_text(&controls[i], next[i].text);
        const struct control_book_seen *had = find_seen(b, next[i].text);
        next[i].since = had == NULL || had->since.s > passed.s ? passed : had->since;
        b->changed = b->changed || had == NULL || had->since.s != next[i].since.s;
        controls[i].since = next[i].since;
    }
    b->changed = b->changed || b->seen_count != count;
    for (size_t i = 0; i < count; i++) {
        b->seen[i] = next[i];
    }
    b->seen_count = count;
}
