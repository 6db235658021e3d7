#include "common/base/buf.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rw_span rw_span_of(const void *p, size_t n)
{
    return (struct rw_span){p, n};
}

struct rw_span rw_span_str(const char *s)
{
    return (struct rw_span){(const uint8_t *)s, strlen(s)};
}

bool rw_span_eq(struct rw_span a, struct rw_span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool rw_span_is(struct rw_span a, const char *s)
{
    return rw_span_eq(a, rw_span_str(s));
}

bool rw_span_starts(struct rw_span a, const char *prefix)
{
    size_t n = strlen(prefix);
    return a.n >= n && (n == 0 || memcmp(a.p, prefix, n) == 0);
}

void *rw_mem_new(size_t n)
{
    RW_ASSERT(n >= 1);
    return calloc(1, n);
}

void *rw_mem_new_array(size_t count, size_t each)
{
    RW_ASSERT(count >= 1 && each >= 1);
    size_t bytes = 0;
    /* calloc checks the product too, but sanitizers stop the program there. */
    return __builtin_mul_overflow(count, each, &bytes) ? NULL : calloc(1, bytes);
}

void *rw_mem_grow(void *p, size_t count, size_t each)
{
    size_t bytes = 0;
    RW_ASSERT(count >= 1 && each >= 1);
    return __builtin_mul_overflow(count, each, &bytes) ? NULL : realloc(p, bytes);
}

void rw_mem_free(void *p)
{
    free(p);
}

void rw_mem_give_back(void)
{
    (void)malloc_trim(0);
}

char *rw_str_dup(const char *s)
{
    return rw_span_dup(rw_span_str(s));
}

char *rw_span_dup(struct rw_span s)
{
    if (s.n == SIZE_MAX) { return NULL; }
    char *copy = malloc(s.n + 1);
    if (copy == NULL) { return NULL; }
    if (s.n > 0) { memcpy(copy, s.p, s.n); }
    copy[s.n] = '\0';
    return copy;
}

void rw_copy(void *dst, size_t cap, const void *src, size_t n)
{
    RW_ASSERT(n <= cap);
    if (n > 0) { memcpy(dst, src, n); }
}

void rw_wipe(void *p, size_t n)
{
    if (n > 0) { explicit_bzero(p, n); }
}

RW_RC rw_span_to_str(char *dst, size_t cap, struct rw_span s, const char *what, struct rw_err *err)
{
    if (s.n >= cap) {
        return rw_fail(err, RW_E_TOO_BIG, "%s has %zu bytes, at most %zu are allowed", what, s.n,
                       cap - 1);
    }
    if (s.n > 0 && memchr(s.p, '\0', s.n) != NULL) {
        return rw_fail(err, RW_E_SYNTAX, "%s contains a NUL byte", what);
    }
    rw_copy(dst, cap, s.p, s.n);
    dst[s.n] = '\0';
    return RW_OK;
}

void rw_cstr_drop(rw_cstr *s)
{
    free(*s);
    *s = NULL;
}

struct rw_buf rw_buf_make(size_t max)
{
    RW_ASSERT(max >= 1 && max < SIZE_MAX / 2);
    return (struct rw_buf){.p = NULL, .n = 0, .cap = 0, .max = max};
}

void rw_buf_drop(struct rw_buf *b)
{
    free(b->p);
    *b = (struct rw_buf){.p = NULL, .n = 0, .cap = 0, .max = b->max};
}

void rw_buf_clear(struct rw_buf *b)
{
    b->n = 0;
    if (b->p != NULL) { b->p[0] = 0; }
}

struct rw_span rw_buf_span(const struct rw_buf *b)
{
    return (struct rw_span){b->p, b->n};
}

const char *rw_buf_str(const struct rw_buf *b)
{
    return b->p == NULL ? "" : (const char *)b->p;
}

RW_RC rw_buf_reserve(struct rw_buf *b, size_t extra, uint8_t **at_out, struct rw_err *err)
{
    RW_ASSERT(b->n <= b->max);
    if (extra > b->max - b->n) {
        return rw_fail(err, RW_E_TOO_BIG, "more than the ceiling of %zu bytes", b->max);
    }
    size_t want = b->n + extra + 1;
    if (want > b->cap) {
        size_t cap = b->cap < 64 ? 64 : b->cap * 2; /* cap <= 2 * max + 2: no overflow */
        if (cap < want) { cap = want; }
        uint8_t *p = realloc(b->p, cap);
        if (p == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu bytes", cap); }
        b->p = p;
        b->cap = cap;
        b->p[b->n] = 0; /* also when nothing will be appended */
    }
    *at_out = b->p + b->n;
    return RW_OK;
}

void rw_buf_commit(struct rw_buf *b, size_t written)
{
    RW_ASSERT(written < b->cap - b->n);
    b->n += written;
    b->p[b->n] = 0;
}

RW_RC rw_buf_append(struct rw_buf *b, struct rw_span s, struct rw_err *err)
{
    uint8_t *at = NULL;
    RW_TRY(rw_buf_reserve(b, s.n, &at, err));
    if (s.n > 0) { memcpy(at, s.p, s.n); }
    rw_buf_commit(b, s.n);
    return RW_OK;
}

RW_RC rw_buf_append_str(struct rw_buf *b, const char *s, struct rw_err *err)
{
    return rw_buf_append(b, rw_span_str(s), err);
}

RW_RC rw_buf_appendf(struct rw_buf *b, struct rw_err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    va_list again;
    va_copy(again, ap);
    int need = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    RW_ASSERT(need >= 0);
    uint8_t *at = NULL;
    struct rw_rc rc = rw_buf_reserve(b, (size_t)need, &at, err);
    if (rw_is_ok(rc)) {
        (void)vsnprintf((char *)at, (size_t)need + 1, fmt, again);
        rw_buf_commit(b, (size_t)need);
    }
    va_end(again);
    return rc;
}
