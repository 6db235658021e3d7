#include "common/base/conf.h"

#include "common/base/file.h"
#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

enum { CONF_FILE_BYTES_MAX = 65536 };

static RW_RC set_bool(bool *field, struct rw_span value, const char *key, struct rw_err *err)
{
    if (rw_span_is(value, "yes")) {
        *field = true;
    } else if (rw_span_is(value, "no")) {
        *field = false;
    } else {
        return rw_fail(err, RW_E_CONFIG, "%s: want yes or no", key);
    }
    return RW_OK;
}

static RW_RC set_number(const struct conf_setting *s, struct rw_span value, int64_t *field,
                        struct rw_err *err)
{
    int64_t n = 0;
    if (s->type == CONF_INT) {
        RW_TRY(rw_parse_i64(value, s->min, s->max, s->key, &n, err));
    } else if (s->type == CONF_DURATION_MS) {
        RW_TRY(rw_parse_duration_ms(value, s->max, s->key, &n, err));
    } else {
        RW_TRY(rw_parse_bytes(value, s->max, s->key, &n, err));
    }
    if (n < s->min) {
        return rw_fail(err, RW_E_CONFIG, "%s: %lld is less than the least allowed value %lld",
                       s->key, (long long)n, (long long)s->min);
    }
    *field = n;
    return RW_OK;
}

static RW_RC set_value(const struct conf_setting *s, struct rw_span value, void *target,
                       struct rw_err *err)
{
    uint8_t *field = (uint8_t *)target + s->offset;
    switch (s->type) {
    case CONF_STR:
        return rw_span_to_str((char *)field, s->cap, value, s->key, err);
    case CONF_BOOL:
        return set_bool((bool *)(void *)field, value, s->key, err);
    case CONF_INT:
    case CONF_DURATION_MS:
    case CONF_BYTES:
        return set_number(s, value, (int64_t *)(void *)field, err);
    }
    return rw_fail(err, RW_E_CONFIG, "%s: unknown type of setting", s->key);
}

static struct rw_span trimmed(struct rw_span s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s = rw_span_of(s.p + 1, s.n - 1);
    }
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r')) {
        s.n--;
    }
    return s;
}

/* Where a line stands, and what its file has set so far. */
struct line_of {
    const struct conf_table *table;
    bool *seen;
    struct conf_trace *trace;
    struct conf_place place;
};

static RW_RC apply_line(const struct line_of *at, struct rw_span line, void *target,
                        struct rw_err *err)
{
    const struct conf_table *table = at->table;
    line = trimmed(line);
    if (line.n == 0 || line.p[0] == '#') { return RW_OK; }
    const uint8_t *equals = memchr(line.p, '=', line.n);
    if (equals == NULL) { return rw_fail(err, RW_E_CONFIG, "not of the form 'key = value'"); }
    struct rw_span key = trimmed(rw_span_of(line.p, (size_t)(equals - line.p)));
    struct rw_span value = trimmed(rw_span_of(equals + 1, line.n - (size_t)(equals - line.p) - 1));
    for (size_t i = 0; i < table->count; i++) {
        if (!rw_span_is(key, table->settings[i].key)) { continue; }
        if (at->seen[i]) {
            return rw_fail(err, RW_E_CONFIG, "'%s' is set twice", table->settings[i].key);
        }
        at->seen[i] = true;
        at->trace->places[i] = at->place;
        return set_value(&table->settings[i], value, target, err);
    }
    return rw_fail(err, RW_E_CONFIG, "there is no setting '%.*s'", (int)(key.n < 40 ? key.n : 40),
                   (const char *)key.p);
}

static RW_RC apply_defaults(const struct conf_table *table, void *target, struct rw_err *err)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_setting *s = &table->settings[i];
        if (s->fallback == NULL) { continue; }
        RW_TRY(set_value(s, rw_span_str(s->fallback), target, err));
    }
    return RW_OK;
}

RW_RC conf_begin(const struct conf_table *table, void *target, struct conf_trace *trace,
                 struct rw_err *err)
{
    RW_ASSERT(table->count <= CONF_SETTINGS_MAX);
    *trace = (struct conf_trace){.file_count = 0};
    return apply_defaults(table, target, err);
}

RW_RC conf_add(const struct conf_table *table, const char *name, struct rw_span text, void *target,
               struct conf_trace *trace, struct rw_err *err)
{
    bool seen[CONF_SETTINGS_MAX] = {false};
    if (trace->file_count == CONF_FILES_MAX) {
        return rw_fail(err, RW_E_CONFIG, "more than %d settings files", CONF_FILES_MAX);
    }
    struct conf_place place = {.file = trace->file_count++, .line = 1};
    (void)snprintf(trace->files[place.file], CONF_PATH_BYTES, "%s", name);
    for (; text.n > 0; place.line++) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end == NULL ? text.n : (size_t)(end - text.p);
        const struct line_of at = {.table = table, .seen = seen, .trace = trace, .place = place};
        struct rw_rc rc = apply_line(&at, rw_span_of(text.p, n), target, err);
        if (!rw_is_ok(rc)) {
            RW_IGNORE(rw_wrap(err, "%s:%d", name, place.line), "made a configuration error below");
            char text_kept[RW_ERR_TEXT_BYTES];
            rw_copy(text_kept, sizeof(text_kept), err->text, sizeof(err->text));
            return rw_fail(err, RW_E_CONFIG, "%s", text_kept);
        }
        size_t step = end == NULL ? n : n + 1;
        text = rw_span_of(text.p + step, text.n - step);
    }
    return RW_OK;
}

RW_RC conf_end(const struct conf_table *table, const char *name, const struct conf_trace *trace,
               struct rw_err *err)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->settings[i].fallback == NULL && trace->places[i].line == 0) {
            return rw_fail(err, RW_E_CONFIG, "%s: '%s' is required (%s)", name,
                           table->settings[i].key, table->settings[i].help);
        }
    }
    return RW_OK;
}

RW_RC conf_parse(const struct conf_table *table, const char *name, struct rw_span text,
                 void *target, struct rw_err *err)
{
    struct conf_trace trace;
    RW_TRY(conf_begin(table, target, &trace, err));
    RW_TRY(conf_add(table, name, text, target, &trace, err));
    return conf_end(table, name, &trace, err);
}

RW_RC conf_load(const struct conf_table *table, const char *path, void *target, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(CONF_FILE_BYTES_MAX);
    RW_TRY(rw_file_read(path, CONF_FILE_BYTES_MAX, &text, err));
    return conf_parse(table, path, rw_buf_span(&text), target, err);
}
