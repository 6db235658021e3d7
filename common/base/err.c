#define RW_ERR_OWN
#include "common/base/err.h"

#include "common/base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct code_fact {
    const char *name;
    enum rw_code code;
    int http_status;
    int exit_status;
    bool retry;
} code_facts[] = {
#define RW_ERROR(name, value, retry, http, exit) {#name, RW_E_##name, http, exit, (retry) != 0},
#include "common/base/err.def"
#undef RW_ERROR
};

static const struct code_fact *fact_of(enum rw_code code)
{
    static const struct code_fact success = {"NONE", RW_E_NONE, 200, 0, false};
    for (size_t i = 0; i < RW_LEN(code_facts); i++) {
        if (code_facts[i].code == code) { return &code_facts[i]; }
    }
    RW_ASSERT(code == RW_E_NONE);
    return &success;
}

RW_RC rw_fail(struct rw_err *err, enum rw_code code, const char *fmt, ...)
{
    RW_ASSERT(code != RW_E_NONE);
    /* Formatted aside, so that a failure may be re-made from its own text. */
    char text[RW_ERR_TEXT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    rw_utf8_clean(text);
    (void)snprintf(err->text, sizeof(err->text), "%s", text);
    err->hint[0] = '\0';
    err->code = code;
    return (struct rw_rc){code};
}

/* Both have RW_ERR_TEXT_BYTES; what does not fit was cut where it was made. */
static void copy_text(char dst[static RW_ERR_TEXT_BYTES], const char src[static RW_ERR_TEXT_BYTES])
{
    memcpy(dst, src, RW_ERR_TEXT_BYTES);
    dst[RW_ERR_TEXT_BYTES - 1] = '\0';
}

static enum rw_code code_of_errno(enum rw_code code, int sys_errno)
{
    if (sys_errno == ENOSPC || sys_errno == EDQUOT) { return RW_E_FULL; }
    if (sys_errno == ENOMEM) { return RW_E_NOMEM; }
    return code;
}

RW_RC rw_fail_errno(struct rw_err *err, enum rw_code code, int sys_errno, const char *fmt, ...)
{
    char text[RW_ERR_TEXT_BYTES];
    char reason[96];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    /* The GNU strerror_r, thread-safe without a static buffer. */
    const char *why = strerror_r(sys_errno, reason, sizeof(reason));
    return rw_fail(err, code_of_errno(code, sys_errno), "%s: %s", text, why);
}

RW_RC rw_wrap(struct rw_err *err, const char *fmt, ...)
{
    RW_ASSERT(err->code != RW_E_NONE);
    char context[RW_ERR_TEXT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(context, sizeof(context), fmt, ap);
    va_end(ap);
    size_t n = strlen(context);
    if (n > sizeof(context) - 3) { n = sizeof(context) - 3; }
    (void)snprintf(context + n, sizeof(context) - n, ": %.*s", (int)(sizeof(context) - n),
                   err->text);
    rw_utf8_clean(context);
    copy_text(err->text, context);
    return (struct rw_rc){err->code};
}

RW_RC rw_hint(struct rw_err *err, const char *fmt, ...)
{
    RW_ASSERT(err->code != RW_E_NONE);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
    va_end(ap);
    rw_utf8_clean(err->hint);
    return (struct rw_rc){err->code};
}

const char *rw_code_name(enum rw_code code)
{
    return fact_of(code)->name;
}

int rw_code_http_status(enum rw_code code)
{
    return fact_of(code)->http_status;
}

int rw_code_exit_status(enum rw_code code)
{
    return fact_of(code)->exit_status;
}

bool rw_code_retry(enum rw_code code)
{
    return fact_of(code)->retry;
}

_Noreturn void rw_assert_failed(const char *file, int line, const char *cond)
{
    (void)fprintf(stderr, "assertion failed at %s:%d: %s\n", file, line, cond);
    abort();
}
