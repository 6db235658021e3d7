#include "server/release/release_order_codec.h"

#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

static const struct sm_state states[] = {
    [RELEASE_ORDER_OPEN] = {"open", SM_TO(RELEASE_ORDER_DONE), SM_INITIAL},
    [RELEASE_ORDER_DONE] = {"done", SM_TO(RELEASE_ORDER_OPEN), 0},
};
const struct sm_table release_order_states = {"order", states, RELEASE_ORDER_DONE + 1};

static const char *const kind_names[RELEASE_ORDER_KINDS] = {"withdraw", "renew", "expedite"};

struct release_order release_order_make(void)
{
    return (struct release_order){.generation = 0, .tosign = rw_buf_make(RELEASE_TOSIGN_BYTES_MAX)};
}

void release_order_drop(struct release_order *o)
{
    if (o->tosign.max > 0) { rw_buf_drop(&o->tosign); }
}

const char *release_order_kind_name(enum release_order_kind kind)
{
    return kind_names[kind];
}

/* --- identity --- */
static RW_RC find_kind(struct rw_span name, enum release_order_kind *out, struct rw_err *err)
{
    for (size_t i = 0; i < RELEASE_ORDER_KINDS; i++) {
        if (rw_span_is(name, kind_names[i])) {
            *out = (enum release_order_kind)i;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_SCHEMA, "kind is neither withdraw, renew nor expedite");
}

RW_RC release_order_id_parse(struct rw_span kind, struct rw_span family, struct rw_span number,
                             struct release_order_id *out, struct rw_err *err)
{
    struct release_order_id id = {.release = {.number = 0}};
    struct rw_err why;
    if (!rw_is_ok(find_kind(kind, &id.kind, &why))) {
        return rw_fail(err, RW_E_NOT_FOUND, "there is no such order: %s", why.text);
    }
    if (id.kind != RELEASE_ORDER_RENEW) {
        RW_TRY(release_id_parse(family, number, &id.release, err));
    } else if (!rw_span_is(number, "0") ||
               !rw_is_ok(rw_span_to_str(id.release.family, sizeof(id.release.family), family,
                                        "family", &why)) ||
               !rw_is_ok(ring_policy_check_name(id.release.family, "family", &why))) {
        return rw_fail(err, RW_E_NOT_FOUND, "there is no such order: a renewal is renew/FAMILY/0");
    }
    *out = id;
    return RW_OK;
}

void release_order_id_key(const struct release_order_id *id,
                          char dst[static RELEASE_ORDER_KEY_BYTES])
{
    (void)snprintf(dst, RELEASE_ORDER_KEY_BYTES, "%s/%s/%010lld", kind_names[id->kind],
                   id->release.family, (long long)id->release.number);
}

/* --- what is asked for: the same members in request and store --- */
static RW_RC read_rings(const struct json *tree, struct release_order *o, struct rw_err *err)
{
    const struct json *list = NULL;
    RW_TRY(json_get(tree, "rings", JSON_ARRAY, &list, err));
    if (json_count(list) < 1 || json_count(list) > RING_POLICY_RINGS_MAX) {
        return rw_fail(err, RW_E_RANGE, "%zu rings, want 1..%d", json_count(list),
                       RING_POLICY_RINGS_MAX);
    }
    for (const struct json *r = json_first(list); r != NULL; r = json_next(r)) {
        if (json_type(r) != JSON_STR) { return rw_fail(err, RW_E_SCHEMA, "rings are strings"); }
        char *dst = o->rings[o->ring_count++];
        RW_TRY(rw_span_to_str(dst, RELEASE_NAME_BYTES, json_str(r), "ring", err));
        RW_TRY(ring_policy_check_name(dst, "ring", err));
    }
    return RW_OK;
}

static RW_RC read_asked(const struct json *tree, struct release_order *o, struct rw_err *err)
{
    struct rw_span kind;
    RW_TRY(json_get_span(tree, "kind", &kind, err));
    RW_TRY(find_kind(kind, &o->id.kind, err));
    RW_TRY(json_get_str(tree, "family", o->id.release.family, sizeof(o->id.release.family), err));
    RW_TRY(ring_policy_check_name(o->id.release.family, "family", err));
    RW_TRY(json_get_str(tree, "reason", o->reason, sizeof(o->reason), err));
    if (o->id.kind == RELEASE_ORDER_RENEW) {
        return json_get_int(tree, "floor", 0, RELEASE_NUMBER_MAX, &o->floor, err);
    }
    RW_TRY(json_get_int(tree, "release", 1, RELEASE_NUMBER_MAX, &o->id.release.number, err));
    if (o->id.kind == RELEASE_ORDER_WITHDRAW) { return RW_OK; }
    RW_TRY(json_get_int(tree, "for_s", 1, RW_JSON_INT_MAX, &o->for_s, err));
    return read_rings(tree, o, err);
}

RW_RC release_order_read_request(struct rw_span body, struct release_order *out, struct rw_err *err)
{
    static const char *const known[RELEASE_ORDER_KINDS][6] = {
        {"kind", "family", "reason", "release", "release", "release"},
        {"kind", "family", "reason", "floor", "floor", "floor"},
        {"kind", "family", "reason", "release", "for_s", "rings"}};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(read_asked(tree, out, err));
    RW_TRY(json_only(tree, known[out->id.kind], RW_LEN(known[0]), err));
    if (out->reason[0] == '\0' && (out->id.kind != RELEASE_ORDER_RENEW || out->floor > 0)) {
        return rw_fail(err, RW_E_SCHEMA, "reason: say why");
    }
    return RW_OK;
}

static void put_time(struct json_writer *w, const char *name, struct rw_wall t)
{
    char text[RW_TIME_TEXT_BYTES];
    if (t.s == 0) { return; }
    rw_wall_format(text, t);
    json_put_str(w, name, text);
}

static void put_asked(struct json_writer *w, const struct release_order *o)
{
    json_put_str(w, "kind", kind_names[o->id.kind]);
    json_put_str(w, "family", o->id.release.family);
    json_put_str(w, "reason", o->reason);
    if (o->id.kind == RELEASE_ORDER_RENEW) {
        json_put_int(w, "floor", o->floor);
    } else {
        json_put_int(w, "release", o->id.release.number);
    }
    if (o->id.kind == RELEASE_ORDER_EXPEDITE) {
        json_put_int(w, "for_s", o->for_s);
        json_open_array(w, "rings");
        for (size_t i = 0; i < o->ring_count; i++) {
            json_put_str(w, NULL, o->rings[i]);
        }
        json_close_array(w);
    }
    json_put_str(w, "state", sm_name(&release_order_states, o->state));
    json_put_str(w, "author", o->author);
    put_time(w, "created", o->created);
    put_time(w, "done", o->done);
    put_time(w, "until", o->until);
    json_put_int(w, "threshold", o->threshold);
}

/* --- stored form --- */
static RW_RC opt_time(const struct json *tree, const char *name, struct rw_wall *out,
                      struct rw_err *err)
{
    struct rw_span text;
    if (json_find(tree, name) == NULL) { return RW_OK; }
    RW_TRY(json_get_span(tree, name, &text, err));
    return rw_wall_parse(text, name, out, err);
}

static RW_RC read_stored(const struct json *tree, struct release_order *o, struct rw_err *err)
{
    char state[32];
    const struct json *doc = json_find(tree, "tosign");
    RW_TRY(read_asked(tree, o, err));
    RW_TRY(json_get_str(tree, "state", state, sizeof(state), err));
    RW_TRY(sm_find(&release_order_states, state, &o->state, err));
    RW_TRY(json_get_str(tree, "author", o->author, sizeof(o->author), err));
    RW_TRY(opt_time(tree, "created", &o->created, err));
    RW_TRY(opt_time(tree, "done", &o->done, err));
    RW_TRY(opt_time(tree, "made", &o->made, err));
    RW_TRY(opt_time(tree, "until", &o->until, err));
    RW_TRY(json_get_int(tree, "base_version", 0, RW_JSON_INT_MAX, &o->base_version, err));
    RW_TRY(json_get_int(tree, "threshold", 0, RW_JSON_INT_MAX, &o->threshold, err));
    RW_TRY(json_get_str(tree, "policy_sha256", o->policy_sha256, sizeof(o->policy_sha256), err));
    if (doc != NULL) {
        struct json_writer w = json_begin(&o->tosign);
        json_put_tree(&w, NULL, doc);
        RW_TRY(json_done(&w, err));
    }
    return release_read_signatures(tree, o->signatures, &o->signature_count, err);
}

RW_RC release_order_read_stored(struct rw_span body, int64_t generation, struct release_order *out,
                                struct rw_err *err)
{
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_metadata, &tree, err));
    if (!rw_is_ok(read_stored(tree, out, err))) { return rw_wrap(err, "stored order"); }
    out->generation = generation;
    return RW_OK;
}

RW_RC release_order_write_stored(const struct release_order *o, struct rw_buf *into,
                                 struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    put_asked(&w, o);
    put_time(&w, "made", o->made);
    json_put_int(&w, "base_version", o->base_version);
    json_put_str(&w, "policy_sha256", o->policy_sha256);
    if (o->tosign.n > 0) { json_put_raw(&w, "tosign", rw_buf_span(&o->tosign)); }
    release_put_signatures(&w, o->signatures, o->signature_count);
    json_close_object(&w);
    return json_done(&w, err);
}

void release_order_put_public(struct json_writer *w, const char *name,
                              const struct release_order *o)
{
    json_open_object(w, name);
    put_asked(w, o);
    release_put_signers(w, o->signatures, o->signature_count);
    json_put_int(w, "generation", o->generation);
    json_close_object(w);
}
