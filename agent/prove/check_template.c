#include "agent/prove/check_template.h"

#include "agent/prove/check_guard.h"
#include "common/template/template_match.h"

#include <stdio.h>
#include <string.h>

enum { COVERED_SAMPLES_MAX = 3, LONG_TEXT_BYTES = 300, FORCED_EVENTS_MAX = 32 };

/* Which samples showed that one field of one type is judged: their numbers, at most a few. */
struct cover {
    uint32_t samples[COVERED_SAMPLES_MAX];
    size_t count;
};

struct work {
    struct template_manifest manifest;
    struct template_set set;
    struct check_guard values, texts;
    size_t forced_events;
    struct cover cover[TEMPLATE_FIELDS_TOTAL_MAX]; /* in the order of the set's types and fields */
};

static void work_drop(struct work *w)
{
    template_set_drop(&w->set);
    check_guard_drop(&w->values);
    check_guard_drop(&w->texts);
}

typedef struct work *work_box;

static void work_box_drop(work_box *w)
{
    if (*w == NULL) { return; }
    work_drop(*w);
    rw_mem_free(*w);
}

/* --- dry run --- */

/* One criterion alone on one value that ends at the guard page. */
static enum template_rule_result force_one(struct work *w, const struct template_rule_criterion *c,
                                           struct template_rule_value v)
{
    if (v.text.n > 0) {
        v.text = rw_span_of(check_guard_put(&w->texts, v.text.p, v.text.n), v.text.n);
    }
    const struct template_rule_value *at = check_guard_put(&w->values, &v, sizeof(v));
    return template_rule_force(c, 1, at, 1).result;
}

/* Values around each literal: itself, and one byte less of it. */
static bool force_literals(struct work *w, const struct template_rule_criterion *c)
{
    bool fault = false;
    for (size_t i = 0; i < c->literal_count; i++) {
        struct template_rule_value v = c->literals[i];
        fault = fault || force_one(w, c, v) == TEMPLATE_FAULT;
        if (v.text.n > 0) { v.text.n--; }
        fault = fault || force_one(w, c, v) == TEMPLATE_FAULT;
    }
    return fault;
}

static bool force_criterion(struct work *w, const struct template_rule_criterion *c)
{
    char text[LONG_TEXT_BYTES];
    struct template_rule_value absent = {.type = c->type};
    struct template_rule_value empty = {.type = c->type, .present = true};
    struct template_rule_value full = empty;
    (void)memset(text, 'a', sizeof(text));
    if (c->type == TEMPLATE_STRING) { full.text = rw_span_of(text, sizeof(text)); }
    full.number = INT64_MAX;
    (void)memset(full.ip, 0xFF, sizeof(full.ip));
    return force_one(w, c, absent) == TEMPLATE_FAULT || force_one(w, c, empty) == TEMPLATE_FAULT ||
           force_one(w, c, full) == TEMPLATE_FAULT || force_literals(w, c);
}

/* The whole instance on an event that supplies as many fields as the sensor does, and not one more. */
static bool force_instance(struct work *w, const struct template_instance *one)
{
    struct template_rule_value event[TEMPLATE_FIELDS_MAX] = {{.present = false}};
    const struct template_type *supplied =
        template_manifest_find(&w->manifest, rw_span_str(w->set.types[one->type].name));
    for (size_t i = 0; i < supplied->field_count; i++) {
        event[i].present = true;
        event[i].type = supplied->fields[i].type;
    }
    size_t bytes = supplied->field_count * sizeof(event[0]);
    const struct template_rule_value *at = check_guard_put(&w->values, event, bytes);
    struct template_rule_forced f =
        template_rule_force(one->criteria, one->criterion_count, at, supplied->field_count);
    bool fault = f.result == TEMPLATE_FAULT || f.evaluated != one->criterion_count;
    for (size_t i = 0; i < one->criterion_count && !fault; i++) {
        fault = force_criterion(w, &one->criteria[i]);
    }
    return fault;
}

static void dry_run(struct work *w, struct check_said *said)
{
    int64_t criteria = 0;
    for (size_t i = 0; i < w->set.instance_count; i++) {
        const struct template_instance *one = &w->set.instances[i];
        criteria += (int64_t)one->criterion_count;
        if (!force_instance(w, one)) { continue; }
        check_said_add(said, "dry_run", criteria, 1);
        check_said_refuse(said, "dry run: instance '%s' cannot be evaluated", one->id);
        return;
    }
    check_said_add(said, "dry_run", criteria, 0);
}

/* --- samples --- */
struct hit {
    struct work *work;
    uint32_t sample;
    enum check_said_hit kind;
    char id[TEMPLATE_ID_BYTES]; /* the first of the gravest kind */
};

static void cover_fields(struct hit *h, const struct template_instance *one)
{
    size_t base = 0;
    for (size_t t = 0; t < one->type; t++) {
        base += h->work->set.types[t].field_count;
    }
    for (size_t i = 0; i < one->criterion_count; i++) {
        struct cover *c = &h->work->cover[base + i];
        bool known = c->count > 0 && c->samples[c->count - 1] == h->sample;
        if (one->criteria[i].op == TEMPLATE_ANY || known || c->count == COVERED_SAMPLES_MAX) {
            continue;
        }
        c->samples[c->count++] = h->sample;
    }
}

static void on_hit(void *ctx, const struct template_instance *one)
{
    struct hit *h = ctx;
    bool alerts = one->action == TEMPLATE_ALERT;
    cover_fields(h, one);
    if (h->kind == CHECK_SAID_BLOCKING || (h->kind == CHECK_SAID_ALERTING && alerts)) { return; }
    h->kind = alerts ? CHECK_SAID_ALERTING : CHECK_SAID_BLOCKING;
    (void)snprintf(h->id, sizeof(h->id), "%s", one->id);
}

/* A line that is no event matches nothing: clean files of the host are samples too. */
static RW_RC try_line(struct work *w, struct rw_span line, struct hit *h, struct rw_err *err)
{
    struct template_event e = {.tree = NULL};
    struct rw_err unused;
    if (line.p[0] != '{' || line.n > TEMPLATE_EVENT_BYTES_MAX) { return RW_OK; }
    struct rw_rc rc = template_event_read(line, &w->manifest, &e, &unused);
    if (rc.code == RW_E_NOMEM) { return rw_fail(err, RW_E_NOMEM, "no memory for an event"); }
    if (!rw_is_ok(rc)) { return RW_OK; }
    struct template_event guarded = e;
    guarded.values =
        check_guard_put(&w->values, e.values, e.type->field_count * sizeof(e.values[0]));
    /* The first ones without a short cut, and compared with the sensor's way; many more would only repeat that. */
    bool forced = w->forced_events++ < FORCED_EVENTS_MAX;
    rc = forced ? template_match_forced(&w->set, &guarded, on_hit, h, err)
                : template_match(&w->set, &guarded, on_hit, h, err);
    template_event_drop(&e);
    return rc;
}

static RW_RC try_samples(struct work *w, struct check_input *in, struct check_said *said,
                         struct rw_err *err)
{
    for (uint32_t i = 0;; i++) {
        struct rw_span sample;
        struct rw_span line;
        bool more = false;
        struct hit h = {.work = w, .sample = i};
        RW_TRY(check_input_next(in, &sample, &more, err));
        if (!more) { return RW_OK; }
        int64_t begun_us = check_said_cpu_us();
        while (template_event_line(&sample, &line)) {
            RW_TRY(try_line(w, line, &h, err));
        }
        int64_t used_us = check_said_cpu_us() - begun_us;
        if (used_us > said->slowest_us) { said->slowest_us = used_us; }
        RW_TRY(check_said_note(said, h.kind, h.id, err));
    }
}

/* "type/field:1,7": which samples matched by an instance that judges this field. The launcher knows which of them
 * are must-match vectors. */
static RW_RC say_covered(const struct work *w, struct check_said *said, struct rw_err *err)
{
    const struct cover *c = w->cover;
    for (size_t t = 0; t < w->set.type_count; t++) {
        const struct template_type *type = &w->set.types[t];
        for (size_t f = 0; f < type->field_count; f++, c++) {
            RW_TRY(rw_buf_appendf(&said->covered, err, "%s/%s:", type->name, type->fields[f].name));
            for (size_t i = 0; i < c->count; i++) {
                RW_TRY(
                    rw_buf_appendf(&said->covered, err, "%s%u", i > 0 ? "," : "", c->samples[i]));
            }
            RW_TRY(rw_buf_append(&said->covered, rw_span_of("", 1), err));
            said->covered_count++;
        }
    }
    return RW_OK;
}

/* --- all of it --- */
static bool is_refusal(struct rw_rc rc)
{
    return rc.code == RW_E_SYNTAX || rc.code == RW_E_SCHEMA || rc.code == RW_E_RANGE ||
           rc.code == RW_E_TOO_BIG || rc.code == RW_E_TUF_HASH;
}

static RW_RC prepare(struct work *w, const struct check_input *in, struct check_said *said,
                     struct rw_err *err)
{
    if (in->manifest.n == 0) {
        check_said_add(said, "schema", 0, 1);
        return rw_fail(err, RW_E_SCHEMA, "no manifest of the installed sensor was given");
    }
    struct rw_rc rc = template_manifest_read(rw_buf_span(&in->manifest), &w->manifest, err);
    if (rw_is_ok(rc)) { rc = template_set_read(rw_buf_span(&in->content), &w->set, err); }
    if (!rw_is_ok(rc)) { return rc; }
    said->rules = (int64_t)w->set.instance_count;
    rc = template_manifest_check(&w->manifest, &w->set, err);
    check_said_add(said, "schema", (int64_t)w->set.type_count, rw_is_ok(rc) ? 0 : 1);
    return rc;
}

RW_RC check_template_run(struct check_input *in, struct check_said *said, struct rw_err *err)
{
    RW_AUTO(work_box) work_box w = rw_mem_new(sizeof(*w));
    if (w == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the check"); }
    rw_copy(said->sha256, sizeof(said->sha256), in->sha256, sizeof(in->sha256));
    struct rw_rc rc = prepare(w, in, said, err);
    if (is_refusal(rc)) {
        check_said_refuse(said, "%.200s", err->text);
        return RW_OK;
    }
    RW_TRY(rc);
    RW_TRY(check_guard_open(&w->values, TEMPLATE_FIELDS_MAX * sizeof(struct template_rule_value),
                            err));
    RW_TRY(check_guard_open(&w->texts, TEMPLATE_LITERAL_BYTES_MAX, err));
    said->accepted = true;
    dry_run(w, said);
    if (!said->accepted) { return RW_OK; }
    RW_TRY(try_samples(w, in, said, err));
    RW_TRY(say_covered(w, said, err));
    (void)snprintf(said->reason, sizeof(said->reason), "%zu instances of %zu types, %zu samples",
                   w->set.instance_count, w->set.type_count, said->hits.n);
    return RW_OK;
}
