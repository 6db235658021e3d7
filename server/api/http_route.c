#include "server/api/http_route.h"

#include <string.h>

/* Cuts the segment up to the next '/' off the front of *rest. */
static struct rw_span take_segment(struct rw_span *rest)
{
    size_t n = 0;
    while (n < rest->n && rest->p[n] != '/') {
        n++;
    }
    struct rw_span segment = rw_span_of(rest->p, n);
    *rest = rw_span_of(rest->p + n, rest->n - n);
    return segment;
}

static bool is_param(struct rw_span segment)
{
    return segment.n >= 2 && segment.p[0] == '{' && segment.p[segment.n - 1] == '}';
}

static bool fits(const char *pattern, struct rw_span path, struct rw_span params[API_PARAMS_MAX])
{
    struct rw_span want = rw_span_str(pattern);
    size_t n = 0;
    while (want.n > 0 && path.n > 0) {
        RW_ASSERT(want.p[0] == '/'); /* http_route_check */
        if (path.p[0] != '/') { return false; }
        want = rw_span_of(want.p + 1, want.n - 1);
        path = rw_span_of(path.p + 1, path.n - 1);
        struct rw_span w = take_segment(&want);
        struct rw_span p = take_segment(&path);
        if (!is_param(w)) {
            if (!rw_span_eq(w, p)) { return false; }
            continue;
        }
        if (p.n == 0 || n == API_PARAMS_MAX) { return false; }
        params[n++] = p;
    }
    return want.n == 0 && path.n == 0;
}

struct http_match http_route_find(const struct api_route *routes, size_t count,
                                  enum api_method method, struct rw_span path)
{
    struct http_match m = {.route = NULL};
    bool gets = false;
    bool posts = false;
    for (size_t i = 0; i < count; i++) {
        struct rw_span params[API_PARAMS_MAX] = {{0}};
        if (!fits(routes[i].pattern, path, params)) { continue; }
        bool is_post = strcmp(routes[i].method, "POST") == 0;
        if (is_post == (method == API_POST)) {
            m.route = &routes[i];
            rw_copy(m.params, sizeof(m.params), params, sizeof(params));
            return m;
        }
        gets = gets || !is_post;
        posts = posts || is_post;
    }
    if (gets) { m.allow = "GET, HEAD"; }
    if (posts) { m.allow = "POST"; }
    return m;
}

static RW_RC check_pattern(const char *pattern, struct rw_err *err)
{
    struct rw_span rest = rw_span_str(pattern);
    size_t params = 0;
    if (rest.n == 0 || rest.p[0] != '/' || rest.n >= API_TARGET_BYTES_MAX) {
        return rw_fail(err, RW_E_CONFIG, "route '%s' does not begin with '/' or is too long",
                       pattern);
    }
    while (rest.n > 0) {
        rest = rw_span_of(rest.p + 1, rest.n - 1);
        struct rw_span s = take_segment(&rest);
        bool braces = memchr(s.p, '{', s.n) != NULL || memchr(s.p, '}', s.n) != NULL;
        if (braces && !is_param(s)) {
            return rw_fail(err, RW_E_CONFIG, "route '%s': a brace is not around a whole segment",
                           pattern);
        }
        params += is_param(s);
    }
    if (params > API_PARAMS_MAX) {
        return rw_fail(err, RW_E_CONFIG, "route '%s' has %zu parameters, at most %d", pattern,
                       params, API_PARAMS_MAX);
    }
    return RW_OK;
}

RW_RC http_route_check(const struct api_route *routes, size_t count, bool have_auth,
                       struct rw_err *err)
{
    if (count > HTTP_ROUTES_MAX) {
        return rw_fail(err, RW_E_CONFIG, "%zu routes, at most %d", count, HTTP_ROUTES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const struct api_route *r = &routes[i];
        RW_TRY(check_pattern(r->pattern, err));
        bool is_post = strcmp(r->method, "POST") == 0;
        if (!is_post && strcmp(r->method, "GET") != 0) {
            return rw_fail(err, RW_E_CONFIG, "route '%s': method '%s' is not GET or POST",
                           r->pattern, r->method);
        }
        if (r->body_bytes_max > (is_post ? (size_t)HTTP_BODY_BYTES_MAX : 0)) {
            return rw_fail(err, RW_E_CONFIG, "route '%s': bodies of %zu bytes are not served",
                           r->pattern, r->body_bytes_max);
        }
        if (r->prepare == NULL && r->apply == NULL) {
            return rw_fail(err, RW_E_CONFIG, "route '%s' has no handler", r->pattern);
        }
        if (r->auth != API_AUTH_NONE && !have_auth) {
            return rw_fail(err, RW_E_CONFIG, "route '%s' asks for a token, but none can be checked",
                           r->pattern);
        }
    }
    return RW_OK;
}
