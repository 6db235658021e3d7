#include "common/box/verdict_codec.h"

#include "common/base/num.h"

#include <stddef.h>

static const char *const kind_names[] = {
    "accepted",      "refused",          "crashed",        "timed_out",
    "out_of_memory", "policy_violation", "protocol_error", "sandbox_error",
};

const char *verdict_kind_name(enum verdict_kind kind)
{
    return kind_names[kind];
}

/* Every check by its name, in the order in which they are written. */
static const struct check_name {
    const char *id;
    size_t at; /* of its struct verdict_check */
} check_names[] = {
    {"envelope", offsetof(struct verdict, envelope)},
    {"schema", offsetof(struct verdict, schema)},
    {"limits", offsetof(struct verdict, limits)},
    {"count", offsetof(struct verdict, count)},
    {"dry_run", offsetof(struct verdict, dry_run)},
    {"coverage", offsetof(struct verdict, coverage)},
    {"must_match", offsetof(struct verdict, must_match)},
    {"must_not_match", offsetof(struct verdict, must_not_match)},
    {"alert_rate", offsetof(struct verdict, alert_rate)},
    {"own_files", offsetof(struct verdict, own_files)},
    {"determinism", offsetof(struct verdict, determinism)},
    {"memory", offsetof(struct verdict, memory)},
    {"cpu", offsetof(struct verdict, cpu)},
    {"slowest", offsetof(struct verdict, slowest)},
};

static const struct verdict_check *check_at(const struct verdict *v, size_t i)
{
    return (const struct verdict_check *)(const void *)((const char *)v + check_names[i].at);
}

struct verdict_check *verdict_find_check(struct verdict *v, struct rw_span id)
{
    for (size_t i = 0; i < RW_LEN(check_names); i++) {
        if (!rw_span_is(id, check_names[i].id)) { continue; }
        return (struct verdict_check *)(void *)((char *)v + check_names[i].at);
    }
    return NULL;
}

static void write_checks(struct json_writer *w, const struct verdict *v)
{
    json_open_array(w, "checks");
    for (size_t i = 0; i < RW_LEN(check_names); i++) {
        const struct verdict_check *c = check_at(v, i);
        if (!c->run) { continue; }
        json_open_object(w, NULL);
        json_put_str(w, "id", check_names[i].id);
        json_put_bool(w, "ok", c->ok);
        json_put_int(w, "n", c->count);
        json_put_int(w, "wrong", c->wrong);
        if (c->has_before) { json_put_int(w, "before", c->before); }
        if (c->by_validator) { json_put_str(w, "by", "validator"); }
        json_close_object(w);
    }
    json_close_array(w);
}

static void write_before(struct json_writer *w, const struct verdict_before *b)
{
    if (!b->given) { return; }
    json_open_object(w, "before");
    json_put_str(w, "sha256", b->sha256);
    json_put_int(w, "bytes", b->bytes);
    json_put_str(w, "verdict", b->verdict);
    json_put_int(w, "runs", b->runs);
    json_close_object(w);
}

static void write_evidence(struct json_writer *w, const struct verdict *v)
{
    json_open_object(w, "evidence");
    json_put_int(w, "signal", v->signal);
    json_put_int(w, "exit", v->exit_status);
    json_put_str(w, "syscall", v->syscall);
    json_put_str(w, "phase", v->phase);
    json_put_int(w, "oom_kills", v->oom_kills);
    json_close_object(w);
    json_open_object(w, "usage");
    json_put_int(w, "wall_ms", v->wall_ms);
    json_put_int(w, "cpu_ms", v->cpu_ms);
    json_put_int(w, "peak_rss_kib", v->peak_rss_kib);
    json_put_int(w, "cgroup_peak_kib", v->cgroup_peak_kib);
    json_close_object(w);
    json_open_object(w, "limits");
    json_put_int(w, "wall_ms", v->limit_wall_ms);
    json_put_int(w, "cpu_ms", v->limit_cpu_ms);
    json_put_int(w, "memory_kib", v->limit_memory_kib);
    json_close_object(w);
    json_open_object(w, "clean");
    json_put_int(w, "seed", v->clean_seed);
    json_put_int(w, "files", v->clean_files);
    json_put_int(w, "bytes", v->clean_bytes);
    json_put_int(w, "left_out", v->clean_left_out);
    json_close_object(w);
}

static void write_sandbox(struct json_writer *w, const struct verdict *v)
{
    json_open_object(w, "sandbox");
    json_put_str(w, "grade", v->grade);
    json_open_array(w, "layers");
    for (size_t i = 0; i < v->layer_count; i++) {
        json_put_str(w, NULL, v->layers[i]);
    }
    json_close_array(w);
    json_open_array(w, "missing");
    for (size_t i = 0; i < v->missing_count; i++) {
        json_put_str(w, NULL, v->missing[i]);
    }
    json_close_array(w);
    json_put_str(w, "kernel", v->kernel);
    json_close_object(w);
}

RW_RC verdict_write(const struct verdict *v, struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_str(&w, "format", "ringward-verdict-1");
    json_put_str(&w, "verdict", kind_names[v->kind]);
    json_put_bool(&w, "final", v->final);
    json_put_str(&w, "reason", v->reason);
    json_put_str(&w, "content_sha256", v->content_sha256);
    json_put_int(&w, "content_bytes", v->content_bytes);
    json_open_object(&w, "validator");
    json_put_str(&w, "name", v->validator);
    json_put_str(&w, "sha256", v->validator_sha256);
    json_put_str(&w, "profile", v->profile);
    json_close_object(&w);
    json_put_int(&w, "rules", v->rules);
    write_evidence(&w, v);
    write_checks(&w, v);
    write_before(&w, &v->before);
    write_sandbox(&w, v);
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC read_kind(const struct json *tree, enum verdict_kind *out, struct rw_err *err)
{
    struct rw_span text;
    RW_TRY(json_get_span(tree, "verdict", &text, err));
    for (size_t i = 0; i < RW_LEN(kind_names); i++) {
        if (rw_span_is(text, kind_names[i])) {
            *out = (enum verdict_kind)i;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_SCHEMA, "unknown verdict");
}

static RW_RC read_check(const struct json *c, struct verdict_check *check, struct rw_err *err)
{
    static const char *const members[] = {"id", "ok", "n", "wrong", "before", "by"};
    RW_TRY(json_only(c, members, RW_LEN(members), err));
    check->run = true;
    check->has_before = json_find(c, "before") != NULL;
    check->by_validator = json_find(c, "by") != NULL;
    RW_TRY(json_get_bool(c, "ok", &check->ok, err));
    RW_TRY(json_get_int(c, "n", 0, RW_JSON_INT_MAX, &check->count, err));
    if (check->has_before) {
        RW_TRY(json_get_int(c, "before", 0, RW_JSON_INT_MAX, &check->before, err));
    }
    return json_get_int(c, "wrong", 0, RW_JSON_INT_MAX, &check->wrong, err);
}

static RW_RC read_before(const struct json *tree, struct verdict_before *b, struct rw_err *err)
{
    const struct json *o = NULL;
    if (json_find(tree, "before") == NULL) { return RW_OK; }
    b->given = true;
    RW_TRY(json_get(tree, "before", JSON_OBJECT, &o, err));
    RW_TRY(json_get_str(o, "sha256", b->sha256, sizeof(b->sha256), err));
    RW_TRY(json_get_int(o, "bytes", 0, RW_JSON_INT_MAX, &b->bytes, err));
    RW_TRY(json_get_str(o, "verdict", b->verdict, sizeof(b->verdict), err));
    return json_get_int(o, "runs", 0, RW_JSON_INT_MAX, &b->runs, err);
}

static RW_RC read_checks(const struct json *tree, struct verdict *v, struct rw_err *err)
{
    const struct json *list = NULL;
    RW_TRY(json_get(tree, "checks", JSON_ARRAY, &list, err));
    for (const struct json *c = json_first(list); c != NULL; c = json_next(c)) {
        struct rw_span id;
        RW_TRY(json_get_span(c, "id", &id, err));
        struct verdict_check *check = verdict_find_check(v, id);
        if (check == NULL || check->run) {
            return rw_fail(err, RW_E_SCHEMA, "a check is unknown or stands twice");
        }
        RW_TRY(read_check(c, check, err));
    }
    return RW_OK;
}

static RW_RC read_evidence(const struct json *tree, struct verdict *v, struct rw_err *err)
{
    const struct json *o = NULL;
    RW_TRY(json_get(tree, "evidence", JSON_OBJECT, &o, err));
    RW_TRY(json_get_int(o, "signal", 0, 128, &v->signal, err));
    RW_TRY(json_get_int(o, "exit", -1, 255, &v->exit_status, err));
    RW_TRY(json_get_str(o, "syscall", v->syscall, sizeof(v->syscall), err));
    RW_TRY(json_get_str(o, "phase", v->phase, sizeof(v->phase), err));
    RW_TRY(json_get_int(o, "oom_kills", 0, RW_JSON_INT_MAX, &v->oom_kills, err));
    RW_TRY(json_get(tree, "usage", JSON_OBJECT, &o, err));
    RW_TRY(json_get_int(o, "wall_ms", 0, RW_JSON_INT_MAX, &v->wall_ms, err));
    RW_TRY(json_get_int(o, "cpu_ms", 0, RW_JSON_INT_MAX, &v->cpu_ms, err));
    RW_TRY(json_get_int(o, "peak_rss_kib", 0, RW_JSON_INT_MAX, &v->peak_rss_kib, err));
    RW_TRY(json_get_int(o, "cgroup_peak_kib", 0, RW_JSON_INT_MAX, &v->cgroup_peak_kib, err));
    RW_TRY(json_get(tree, "limits", JSON_OBJECT, &o, err));
    RW_TRY(json_get_int(o, "wall_ms", 0, RW_JSON_INT_MAX, &v->limit_wall_ms, err));
    RW_TRY(json_get_int(o, "cpu_ms", 0, RW_JSON_INT_MAX, &v->limit_cpu_ms, err));
    RW_TRY(json_get_int(o, "memory_kib", 0, RW_JSON_INT_MAX, &v->limit_memory_kib, err));
    RW_TRY(json_get(tree, "clean", JSON_OBJECT, &o, err));
    RW_TRY(json_get_int(o, "seed", 0, RW_JSON_INT_MAX, &v->clean_seed, err));
    RW_TRY(json_get_int(o, "files", 0, RW_JSON_INT_MAX, &v->clean_files, err));
    RW_TRY(json_get_int(o, "left_out", 0, RW_JSON_INT_MAX, &v->clean_left_out, err));
    return json_get_int(o, "bytes", 0, RW_JSON_INT_MAX, &v->clean_bytes, err);
}

static RW_RC read_sandbox(const struct json *tree, struct verdict *v, struct rw_err *err)
{
    const struct json *o = NULL;
    const struct json *list = NULL;
    RW_TRY(json_get(tree, "sandbox", JSON_OBJECT, &o, err));
    RW_TRY(json_get_str(o, "grade", v->grade, sizeof(v->grade), err));
    RW_TRY(json_get_str(o, "kernel", v->kernel, sizeof(v->kernel), err));
    RW_TRY(json_get(o, "layers", JSON_ARRAY, &list, err));
    for (const struct json *l = json_first(list); l != NULL; l = json_next(l)) {
        if (v->layer_count == VERDICT_LAYERS_MAX || json_type(l) != JSON_STR) {
            return rw_fail(err, RW_E_SCHEMA, "odd list of sandbox layers");
        }
        RW_TRY(rw_span_to_str(v->layers[v->layer_count++], VERDICT_LAYER_BYTES, json_str(l),
                              "layer", err));
    }
    RW_TRY(json_get(o, "missing", JSON_ARRAY, &list, err));
    for (const struct json *l = json_first(list); l != NULL; l = json_next(l)) {
        if (v->missing_count == VERDICT_LAYERS_MAX || json_type(l) != JSON_STR) {
            return rw_fail(err, RW_E_SCHEMA, "odd list of missing sandbox layers");
        }
        RW_TRY(rw_span_to_str(v->missing[v->missing_count++], VERDICT_MISSING_BYTES, json_str(l),
                              "missing layer", err));
    }
    return RW_OK;
}

RW_RC verdict_read(struct rw_span text, struct verdict *out, struct rw_err *err)
{
    static const struct json_limits limits = {
        .bytes_max = VERDICT_TEXT_BYTES_MAX, .nodes_max = 400, .depth_max = 4};
    struct verdict v = {.exit_status = -1};
    struct rw_span format;
    const struct json *validator = NULL;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(text, &limits, &tree, err));
    RW_TRY(json_get_span(tree, "format", &format, err));
    if (!rw_span_is(format, "ringward-verdict-1")) {
        return rw_fail(err, RW_E_SCHEMA, "unknown format of a verdict");
    }
    RW_TRY(read_kind(tree, &v.kind, err));
    RW_TRY(json_get_bool(tree, "final", &v.final, err));
    RW_TRY(json_get_str(tree, "reason", v.reason, sizeof(v.reason), err));
    RW_TRY(json_get_str(tree, "content_sha256", v.content_sha256, sizeof(v.content_sha256), err));
    RW_TRY(json_get_int(tree, "content_bytes", 0, RW_JSON_INT_MAX, &v.content_bytes, err));
    RW_TRY(json_get(tree, "validator", JSON_OBJECT, &validator, err));
    RW_TRY(json_get_str(validator, "name", v.validator, sizeof(v.validator), err));
    RW_TRY(json_get_str(validator, "sha256", v.validator_sha256, sizeof(v.validator_sha256), err));
    RW_TRY(json_get_str(validator, "profile", v.profile, sizeof(v.profile), err));
    RW_TRY(json_get_int(tree, "rules", 0, RW_JSON_INT_MAX, &v.rules, err));
    RW_TRY(read_evidence(tree, &v, err));
    RW_TRY(read_checks(tree, &v, err));
    RW_TRY(read_before(tree, &v.before, err));
    RW_TRY(read_sandbox(tree, &v, err));
    *out = v;
    return RW_OK;
}
