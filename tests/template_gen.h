/* template_gen.h: template content and events made from a stream of bytes, and a naive judge of them.
 *
 * Values come from a tiny alphabet, so that matches are frequent. The judge shares no code with the engine: it looks
 * at the model, never at the JSON text.
 */
#ifndef RINGWARD_TEST_TEMPLATE_GEN_H
#define RINGWARD_TEST_TEMPLATE_GEN_H

#include "common/template/template_manifest.h"

#include <stdio.h>
#include <string.h>

enum { GEN_INSTANCES_MAX = 6, GEN_EVENTS_MAX = 6, GEN_LITERALS = 3 };

struct gen_bytes {
    const uint8_t *p;
    size_t n;
    size_t at;
};

struct gen_value {
    bool present;
    unsigned pick; /* which text, number or last byte of 10.0.0.x */
};

struct gen_criterion {
    enum template_rule_op op;
    unsigned picks[GEN_LITERALS];
    size_t count;
};

struct gen_model {
    const struct template_type *type;
    struct gen_criterion criteria[GEN_INSTANCES_MAX][TEMPLATE_FIELDS_MAX];
    enum template_action actions[GEN_INSTANCES_MAX];
    size_t instance_count;
    struct gen_value events[GEN_EVENTS_MAX][TEMPLATE_FIELDS_MAX];
    size_t event_count;
    size_t surplus; /* fields that content declares and the sensor has not */
};

static const char *const gen_texts[] = {"", "a", "b", "ab", "aba", "abab", "bab", "c"};

static inline unsigned gen_next(struct gen_bytes *b, unsigned below)
{
    unsigned byte = b->at < b->n ? b->p[b->at] : 0;
    b->at++;
    return byte % below;
}

static inline void gen_make(struct gen_bytes *b, const struct template_manifest *m,
                            struct gen_model *g)
{
    static const enum template_rule_op ops[TEMPLATE_TYPES][6] = {
        {TEMPLATE_IS, TEMPLATE_ONE_OF, TEMPLATE_PREFIX, TEMPLATE_SUFFIX, TEMPLATE_CONTAINS,
         TEMPLATE_PREFIX},
        {TEMPLATE_IS, TEMPLATE_ONE_OF, TEMPLATE_RANGE, TEMPLATE_RANGE, TEMPLATE_IS, TEMPLATE_RANGE},
        {TEMPLATE_IS, TEMPLATE_ONE_OF, TEMPLATE_NET, TEMPLATE_NET, TEMPLATE_NET, TEMPLATE_IS}};
    memset(g, 0, sizeof(*g));
    g->type = &m->types[gen_next(b, (unsigned)m->type_count)];
    g->surplus = gen_next(b, 16) == 0 ? 1 : 0;
    g->instance_count = 1 + gen_next(b, GEN_INSTANCES_MAX);
    g->event_count = 1 + gen_next(b, GEN_EVENTS_MAX);
    for (size_t i = 0; i < g->instance_count; i++) {
        g->actions[i] = (enum template_action)gen_next(b, TEMPLATE_ACTIONS);
        for (size_t f = 0; f < g->type->field_count; f++) {
            struct gen_criterion *c = &g->criteria[i][f];
            c->op =
                gen_next(b, 3) != 0 ? TEMPLATE_ANY : ops[g->type->fields[f].type][gen_next(b, 6)];
            c->count = c->op == TEMPLATE_ONE_OF ? 1 + gen_next(b, GEN_LITERALS) : 1;
            for (size_t l = 0; l < GEN_LITERALS && c->op != TEMPLATE_ANY; l++) {
                c->picks[l] = gen_next(b, 8);
            }
            bool text =
                c->op == TEMPLATE_PREFIX || c->op == TEMPLATE_SUFFIX || c->op == TEMPLATE_CONTAINS;
            if (text && c->picks[0] == 0) { c->picks[0] = 1; } /* nothing is no literal here */
            if (c->op == TEMPLATE_RANGE && c->picks[0] > c->picks[1]) {
                unsigned low = c->picks[1];
                c->picks[1] = c->picks[0];
                c->picks[0] = low;
            }
        }
    }
    for (size_t e = 0; e < g->event_count; e++) {
        for (size_t f = 0; f < g->type->field_count; f++) {
            g->events[e][f].present = gen_next(b, 5) != 0;
            g->events[e][f].pick = gen_next(b, 8);
        }
    }
}

/* --- text --- */
static inline struct rw_rc gen_literal(struct rw_buf *into, enum template_rule_type type,
                                       unsigned pick, struct rw_err *err)
{
    if (type == TEMPLATE_STRING) { return rw_buf_appendf(into, err, "\"%s\"", gen_texts[pick]); }
    if (type == TEMPLATE_INT) { return rw_buf_appendf(into, err, "%u", pick); }
    return rw_buf_appendf(into, err, "\"10.0.0.%u\"", pick);
}

static inline struct rw_rc gen_criterion_text(struct rw_buf *into, enum template_rule_type type,
                                              const struct gen_criterion *c, struct rw_err *err)
{
    if (c->op == TEMPLATE_ANY) { return rw_buf_append_str(into, "\"*\"", err); }
    RW_TRY(rw_buf_appendf(into, err, "{\"%s\":", template_op_name(c->op)));
    if (c->op == TEMPLATE_RANGE) {
        return rw_buf_appendf(into, err, "[%u,%u]}", c->picks[0], c->picks[1]);
    }
    if (c->op == TEMPLATE_NET) {
        return rw_buf_appendf(into, err, "\"10.0.0.%u/%u\"}", c->picks[0] & 6U, 31U);
    }
    if (c->op == TEMPLATE_ONE_OF) { RW_TRY(rw_buf_append_str(into, "[", err)); }
    for (size_t l = 0; l < c->count; l++) {
        if (l > 0) { RW_TRY(rw_buf_append_str(into, ",", err)); }
        RW_TRY(gen_literal(into, type, c->picks[l], err));
    }
    return rw_buf_append_str(into, c->op == TEMPLATE_ONE_OF ? "]}" : "}", err);
}

static inline struct rw_rc gen_content(const struct gen_model *g, struct rw_buf *into,
                                       struct rw_err *err)
{
    const struct template_type *t = g->type;
    RW_TRY(rw_buf_appendf(into, err,
                          "{\"format\":\"ringward-template-1\",\"sensor_min\":1,\"types\":[{"
                          "\"name\":\"%s\",\"fields\":[",
                          t->name));
    for (size_t f = 0; f < t->field_count; f++) {
        RW_TRY(rw_buf_appendf(into, err, "%s{\"name\":\"%s\",\"type\":\"%s\"}", f > 0 ? "," : "",
                              t->fields[f].name, template_type_name(t->fields[f].type)));
    }
    if (g->surplus > 0) {
        RW_TRY(rw_buf_append_str(into, ",{\"name\":\"surplus\",\"type\":\"string\"}", err));
    }
    RW_TRY(rw_buf_append_str(into, "]}],\"instances\":[", err));
    for (size_t i = 0; i < g->instance_count; i++) {
        RW_TRY(rw_buf_appendf(into, err,
                              "%s{\"id\":\"i%zu\",\"type\":\"%s\",\"action\":\"%s\",\"criteria\":[",
                              i > 0 ? "," : "", i, t->name, template_action_name(g->actions[i])));
        for (size_t f = 0; f < t->field_count; f++) {
            if (f > 0) { RW_TRY(rw_buf_append_str(into, ",", err)); }
            RW_TRY(gen_criterion_text(into, t->fields[f].type, &g->criteria[i][f], err));
        }
        if (g->surplus > 0) { RW_TRY(rw_buf_append_str(into, ",\"*\"", err)); }
        RW_TRY(rw_buf_append_str(into, "]}", err));
    }
    return rw_buf_append_str(into, "]}", err);
}

static inline struct rw_rc gen_event(const struct gen_model *g, size_t event, struct rw_buf *into,
                                     struct rw_err *err)
{
    RW_TRY(rw_buf_appendf(into, err, "{\"type\":\"%s\"", g->type->name));
    for (size_t f = 0; f < g->type->field_count; f++) {
        const struct gen_value *v = &g->events[event][f];
        if (!v->present) { continue; }
        RW_TRY(rw_buf_appendf(into, err, ",\"%s\":", g->type->fields[f].name));
        RW_TRY(gen_literal(into, g->type->fields[f].type, v->pick, err));
    }
    return rw_buf_append_str(into, "}", err);
}

/* --- the naive judge --- */
static inline bool gen_ends_with(const char *text, const char *end)
{
    return strlen(end) <= strlen(text) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static inline bool gen_fits(enum template_rule_type type, const struct gen_criterion *c,
                            const struct gen_value *v)
{
    if (c->op == TEMPLATE_ANY) { return true; }
    if (!v->present) { return false; }
    const char *text = type == TEMPLATE_STRING ? gen_texts[v->pick] : "";
    const char *first = type == TEMPLATE_STRING ? gen_texts[c->picks[0]] : "";
    switch (c->op) {
    case TEMPLATE_PREFIX:
        return strncmp(text, first, strlen(first)) == 0;
    case TEMPLATE_SUFFIX:
        return gen_ends_with(text, first);
    case TEMPLATE_CONTAINS:
        return strstr(text, first) != NULL;
    case TEMPLATE_RANGE:
        return v->pick >= c->picks[0] && v->pick <= c->picks[1];
    case TEMPLATE_NET:
        return v->pick / 2 == c->picks[0] / 2;
    case TEMPLATE_ANY:
    case TEMPLATE_IS:
    case TEMPLATE_ONE_OF:
    case TEMPLATE_OPS:
        break;
    }
    for (size_t l = 0; l < c->count; l++) {
        if (v->pick == c->picks[l]) { return true; }
    }
    return false;
}

static inline bool gen_matches(const struct gen_model *g, size_t instance, size_t event)
{
    for (size_t f = 0; f < g->type->field_count; f++) {
        if (!gen_fits(g->type->fields[f].type, &g->criteria[instance][f], &g->events[event][f])) {
            return false;
        }
    }
    return true;
}

#endif
