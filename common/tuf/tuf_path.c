#include "common/tuf/tuf_path.h"

#include "common/crypto/digest.h"
#include "common/tuf/tuf_client.h"

#include <stdio.h>
#include <string.h>

/* One part against one part: the usual two-pointer match, linear memory, no recursion. */
static bool part_matches(struct rw_span pattern, struct rw_span text)
{
    size_t p = 0;
    size_t t = 0;
    size_t star = SIZE_MAX; /* position behind the last '*' seen */
    size_t mark = 0;        /* where in the text that star's match ends */
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = ++p;
            mark = t;
        } else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == text.p[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*') {
        p++;
    }
    return p == pattern.n;
}

/* Splits off the part before the next '/'; false when there was none left. */
static bool next_part(struct rw_span *rest, struct rw_span *part, bool *last)
{
    const uint8_t *slash = rest->n == 0 ? NULL : memchr(rest->p, '/', rest->n);
    size_t n = slash == NULL ? rest->n : (size_t)(slash - rest->p);
    *part = rw_span_of(rest->p, n);
    *last = slash == NULL;
    *rest = *last ? rw_span_of(rest->p + n, 0) : rw_span_of(slash + 1, rest->n - n - 1);
    return true;
}

bool tuf_path_match(struct rw_span pattern, struct rw_span path)
{
    for (;;) {
        struct rw_span a;
        struct rw_span b;
        bool last_a = false;
        bool last_b = false;
        (void)next_part(&pattern, &a, &last_a);
        (void)next_part(&path, &b, &last_b);
        if (!part_matches(a, b) || last_a != last_b) { return false; }
        if (last_a) { return true; }
    }
}

RW_RC tuf_path_covered(const struct json *delegation, const char *path, bool *covered_out,
                       struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    const struct json *list = json_find(delegation, "paths");
    bool by_hash = list == NULL;
    if (by_hash) {
        RW_TRY(json_get(delegation, "path_hash_prefixes", JSON_ARRAY, &list, err));
        RW_TRY(digest_sha256_hex(rw_span_str(path), hex, err));
    }
    *covered_out = false;
    for (const struct json *one = json_first(list); one != NULL; one = json_next(one)) {
        if (json_type(one) != JSON_STR) {
            return rw_fail(err, RW_E_SCHEMA, "line %u: a path pattern is a string", json_line(one));
        }
        struct rw_span s = json_str(one);
        bool hit = by_hash ? s.n <= strlen(hex) && rw_span_eq(s, rw_span_of(hex, s.n))
                           : tuf_path_match(s, rw_span_str(path));
        if (hit) { *covered_out = true; }
    }
    return RW_OK;
}

RW_RC tuf_path_metadata_name(const char *role, int64_t version, char *dst, size_t cap,
                             struct rw_err *err)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~";
    RW_AUTO(rw_buf) struct rw_buf name = rw_buf_make(cap);
    if (version > 0) { RW_TRY(rw_buf_appendf(&name, err, "%lld.", (long long)version)); }
    for (const char *p = role; *p != '\0'; p++) {
        if (strchr(plain, *p) != NULL) {
            RW_TRY(rw_buf_append(&name, rw_span_of(p, 1), err));
        } else {
            RW_TRY(rw_buf_appendf(&name, err, "%%%02X", (unsigned)(unsigned char)*p));
        }
    }
    RW_TRY(rw_buf_append_str(&name, ".json", err));
    return rw_span_to_str(dst, cap, rw_buf_span(&name), "metadata file name", err);
}

RW_RC tuf_target_url(const struct tuf_target *t, char *dst, size_t cap, struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    rw_hex_encode(hex, sizeof(hex), t->sha256, sizeof(t->sha256));
    const char *slash = strrchr(t->path, '/');
    size_t dir = slash == NULL ? 0 : (size_t)(slash - t->path) + 1;
    int n = snprintf(dst, cap, "%.*s%s.%s", (int)dir, t->path, hex, t->path + dir);
    if (n < 0 || (size_t)n >= cap) {
        return rw_fail(err, RW_E_TOO_BIG, "target path '%.60s' is too long", t->path);
    }
    return RW_OK;
}
