#include "server/cli/cli_view.h"

#include "common/base/num.h"
#include "common/json/json_write.h"

#include <string.h>

enum { PRINT_BYTES_MAX = 32 * 1024 * 1024 };

RW_RC cli_view_format(const char *name, enum cli_format *out, struct rw_err *err)
{
    static const char *const names[] = {"table", "json", "ndjson"};
    if (name == NULL) { name = names[CLI_TABLE]; }
    for (size_t i = 0; i < RW_LEN(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum cli_format)i;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_USAGE, "output format '%.20s' is not table, json or ndjson", name);
}

RW_RC cli_view_release_id(const char *text, char family[static CLI_FAMILY_BYTES],
                          int64_t *release_out, struct rw_err *err)
{
    const char *slash = strchr(text, '/');
    if (slash == NULL || slash == text || slash - text >= CLI_FAMILY_BYTES) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "'%.60s' does not name a release", text), "hint");
        return rw_hint(err, "write it as FAMILY/NUMBER, for instance yara/2");
    }
    struct rw_span number = rw_span_str(slash + 1);
    if (!rw_is_ok(rw_parse_i64(number, 1, RW_JSON_INT_MAX, "release number", release_out, err))) {
        err->code = RW_E_USAGE;
        return rw_wrap(err, "'%.60s'", text);
    }
    return rw_span_to_str(family, CLI_FAMILY_BYTES, rw_span_of(text, (size_t)(slash - text)),
                          "family", err);
}

int64_t cli_view_int(const struct json *object, const char *name, int64_t fallback)
{
    const struct json *v = json_find(object, name);
    return v != NULL && json_type(v) == JSON_INT ? json_int(v) : fallback;
}

bool cli_view_bool(const struct json *object, const char *name)
{
    const struct json *v = json_find(object, name);
    return v != NULL && json_type(v) == JSON_TRUE;
}

const char *cli_view_str(const struct json *object, const char *name, char *dst, size_t cap)
{
    const struct json *v = json_find(object, name);
    struct rw_span s = v != NULL && json_type(v) == JSON_STR ? json_str(v) : rw_span_str("");
    size_t n = s.n < cap - 1 ? s.n : cap - 1;
    rw_copy(dst, cap, s.p, n);
    dst[n] = '\0';
    return dst;
}

RW_RC cli_view_print_json(const struct json *v, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(PRINT_BYTES_MAX);
    struct json_writer w = json_begin(&text);
    json_put_tree(&w, NULL, v);
    RW_TRY(json_done(&w, err));
    if (printf("%s\n", rw_buf_str(&text)) < 0 || fflush(stdout) != 0) {
        return rw_fail(err, RW_E_IO, "cannot write to standard output");
    }
    return RW_OK;
}
