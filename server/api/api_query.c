#include "server/api/api_query.h"

#include "common/base/num.h"

#include <string.h>

/* Cuts the part up to the next '&' off the front. */
static struct rw_span take_part(struct rw_span *rest)
{
    const uint8_t *end = memchr(rest->p, '&', rest->n);
    size_t n = end == NULL ? rest->n : (size_t)(end - rest->p);
    struct rw_span part = rw_span_of(rest->p, n);
    size_t used = end == NULL ? n : n + 1;
    *rest = rw_span_of(rest->p + used, rest->n - used);
    return part;
}

/* Index of its name in the list; `count`: it has none of them, or no value. */
static size_t name_of(struct rw_span part, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(names[i]);
        if (part.n > n + 1 && part.p[n] == '=' && rw_span_starts(part, names[i])) { return i; }
    }
    return count;
}

RW_RC api_query_only(const struct api_request *req, const char *const *names, size_t count,
                     struct rw_err *err)
{
    struct rw_span rest = req->query;
    uint64_t seen = 0;
    RW_ASSERT(count <= 64);
    while (rest.n > 0) {
        struct rw_span part = take_part(&rest);
        size_t i = name_of(part, names, count);
        if (i == count) {
            RW_IGNORE(rw_fail(err, RW_E_SCHEMA, "the query has '%.*s', which is not known here",
                              (int)(part.n < 60 ? part.n : 60), (const char *)part.p),
                      "hint");
            return rw_hint(err,
                           "docs/openapi.yaml lists what may be asked: NAME=VALUE, '&' between");
        }
        if ((seen >> i & 1) != 0) {
            return rw_fail(err, RW_E_SCHEMA, "the query has '%s' twice", names[i]);
        }
        seen |= UINT64_C(1) << i;
    }
    return RW_OK;
}

static RW_RC take_byte(struct rw_span *rest, const char *name, uint8_t *out, struct rw_err *err)
{
    size_t used = 1;
    *out = rest->p[0];
    if (*out == '%') {
        if (rest->n < 3) { return rw_fail(err, RW_E_SYNTAX, "'%s' ends within a %%XX", name); }
        RW_TRY(rw_hex_decode(out, 1, rw_span_of(rest->p + 1, 2), name, err));
        used = 3;
    }
    if (*out < ' ' || *out > '~') {
        return rw_fail(err, RW_E_SYNTAX, "'%s' has a byte that is not printable ASCII", name);
    }
    *rest = rw_span_of(rest->p + used, rest->n - used);
    return RW_OK;
}

RW_RC api_query_text(const struct api_request *req, const char *name, char *dst, size_t cap,
                     struct rw_err *err)
{
    struct rw_span rest;
    size_t n = 0;
    dst[0] = '\0';
    if (!api_query_find(req, name, &rest)) { return RW_OK; }
    while (rest.n > 0) {
        uint8_t byte = 0;
        RW_TRY(take_byte(&rest, name, &byte, err));
        if (n + 1 >= cap) {
            return rw_fail(err, RW_E_RANGE, "'%s' has more than %zu bytes", name, cap - 1);
        }
        dst[n++] = (char)byte;
    }
    dst[n] = '\0';
    return RW_OK;
}
