#include "common/base/conf.h"

#include "common/base/file.h"
#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

enum { CONF_FILE_BYTES_MAX = 65536, CONF_SETTINGS_MAX = 64 };

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

static RW_RC apply_line(const struct conf_table *table, struct rw_span line,
                        bool seen[static CONF_SETTINGS_MAX], void *target, struct rw_err *err)
{
    line = trimmed(line);
    if (line.n == 0 || line.p[0] == '#') { return RW_OK; }
    const uint8_t *equals = memchr(line.p, '=', line.n);
    if (equals == NULL) { return rw_fail(err, RW_E_CONFIG, "not of the form 'key = value'"); }
    struct rw_span key = trimmed(rw_span_of(line.p, (size_t)(equals - line.p)));
    struct rw_span value = trimmed(rw_span_of(equals + 1, line.n - (size_t)(equals - line.p) - 1));
    for (size_t i = 0; i < table->count; i++) {
        if (!rw_span_is(key, table->settings[i].key)) { continue; }
        if (seen[i]) {
            return rw_fail(err, RW_E_CONFIG, "'%s' is set twice", table->settings[i].key);
        }
        seen[i] = true;
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

RW_RC conf_parse(const struct conf_table *table, const char *name, struct rw_span text,
                 void *target, struct rw_err *err)
{
    bool seen[CONF_SETTINGS_MAX] = {false};
    RW_ASSERT(table->count <= CONF_SETTINGS_MAX);
    RW_TRY(apply_defaults(table, target, err));
    for (int line_number = 1; text.n > 0; line_number++) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end == NULL ? text.n : (size_t)(end - text.p);
        struct rw_rc rc = apply_line(table, rw_span_of(text.p, n), seen, target, err);
        if (!rw_is_ok(rc)) {
            RW_IGNORE(rw_wrap(err, "%s:%d", name, line_number), "made a configuration error below");
            char text_kept[RW_ERR_TEXT_BYTES];
            rw_copy(text_kept, sizeof(text_kept), err->text, sizeof(err->text));
            return rw_fail(err, RW_E_CONFIG, "%s", text_kept);
        }
        size_t step = end == NULL ? n : n + 1;
        text = rw_span_of(text.p + step, text.n - step);
    }
    for (size_t i = 0; i < table->count; i++) {
        if (table->settings[i].fallback == NULL && !seen[i]) {
            return rw_fail(err, RW_E_CONFIG, "%s: '%s' is required (%s)", name,
                           table->settings[i].key, table->settings[i].help);
        }
    }
    return RW_OK;
}

RW_RC conf_load(const struct conf_table *table, const char *path, void *target, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(CONF_FILE_BYTES_MAX);
    RW_TRY(rw_file_read(path, CONF_FILE_BYTES_MAX, &text, err));
    return conf_parse(table, path, rw_buf_span(&text), target, err);
}

void conf_print_sample(const struct conf_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_setting *s = &table->settings[i];
        printf("# %s%s\n%s%s = %s\n\n", s->help, s->fallback == NULL ? " (required)" : "",
               s->fallback == NULL ? "" : "#", s->key, s->fallback == NULL ? "..." : s->fallback);
    }
}
