/* err.h: the result type, the error object, assertions and scoped cleanup.
 *
 * memory   struct rw_err is a fixed buffer owned by the caller, so that even "out of memory" can be told
 * threads  no shared state
 * source   house rules for errors: docs/style.md
 */
#ifndef RINGWARD_ERR_H
#define RINGWARD_ERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rw_code {
    RW_E_NONE = 0,
#define RW_ERROR(name, value, retry, http, exit) RW_E_##name = (value),
#include "common/base/err.def"
#undef RW_ERROR
};

/* A one-field struct, so that a result mixes with neither bool nor int. */
struct rw_rc {
    enum rw_code code; /* RW_E_NONE: success */
};

#define RW_RC __attribute__((warn_unused_result)) struct rw_rc
#define RW_OK ((struct rw_rc){RW_E_NONE})

enum { RW_ERR_TEXT_BYTES = 480, RW_ERR_HINT_BYTES = 160 };

struct rw_err {
    enum rw_code code;            /* same as the result's code */
    char text[RW_ERR_TEXT_BYTES]; /* the fact: what, where, which limit */
    char hint[RW_ERR_HINT_BYTES]; /* what the reader may do; may be empty */
};

/* Makes a failure: the only way to create one, so code and text cannot disagree. Clears the hint.
 * `code` is not RW_E_NONE. Text that does not fit is cut; control bytes and bad UTF-8 become '?', since the text
 * ends on terminals and in JSON. Returns `code` as a result. */
__attribute__((format(printf, 3, 4))) RW_RC rw_fail(struct rw_err *err, enum rw_code code,
                                                    const char *fmt, ...);

/* As rw_fail, with ": <strerror(sys_errno)>" behind the text. ENOSPC and EDQUOT become RW_E_FULL,
 * ENOMEM becomes RW_E_NOMEM, whatever `code` says. */
__attribute__((format(printf, 4, 5))) RW_RC rw_fail_errno(struct rw_err *err, enum rw_code code,
                                                          int sys_errno, const char *fmt, ...);

/* Puts "<context>: " before the text of a failure on its way up; the code stays. Returns err->code. */
__attribute__((format(printf, 2, 3))) RW_RC rw_wrap(struct rw_err *err, const char *fmt, ...);

/* Sets the hint of a failure. Returns err->code. */
__attribute__((format(printf, 2, 3))) RW_RC rw_hint(struct rw_err *err, const char *fmt, ...);

/* Compilers and analyzers look at one file at a time: they must know that a failure is never RW_E_NONE, else they
 * see paths on which an out-parameter is used that was never written. rw_fail and rw_wrap assert it. */
__attribute__((always_inline)) static inline RW_RC rw_failed(struct rw_rc rc)
{
    if (rc.code == RW_E_NONE) { __builtin_unreachable(); }
    return rc;
}
#ifndef RW_ERR_OWN
#define rw_fail(...)       rw_failed(rw_fail(__VA_ARGS__))
#define rw_fail_errno(...) rw_failed(rw_fail_errno(__VA_ARGS__))
#define rw_wrap(...)       rw_failed(rw_wrap(__VA_ARGS__))
#define rw_hint(...)       rw_failed(rw_hint(__VA_ARGS__))
#endif

/* Facts of the table: the code's name ("TUF_HASH"), HTTP status, exit status, retry. */
const char *rw_code_name(enum rw_code code);
int rw_code_http_status(enum rw_code code);
int rw_code_exit_status(enum rw_code code);
bool rw_code_retry(enum rw_code code);

static inline bool rw_is_ok(struct rw_rc rc)
{
    return rc.code == RW_E_NONE;
}

/* Returns early with the failure of `call`. The only macro that hides control flow. */
#define RW_TRY(call)                                                                               \
    do {                                                                                           \
        struct rw_rc rw_try_rc = (call);                                                           \
        if (rw_try_rc.code != RW_E_NONE) { return rw_try_rc; }                                     \
    } while (0)

/* Drops a failure knowingly; `reason` says why that is right. */
#define RW_IGNORE(call, reason)                                                                    \
    do {                                                                                           \
        struct rw_rc rw_ignored = (call);                                                          \
        (void)rw_ignored;                                                                          \
        (void)(reason);                                                                            \
    } while (0)

/* Our own invariants only, never input. On in release builds. Prints place and condition, aborts. */
_Noreturn void rw_assert_failed(const char *file, int line, const char *cond);
#ifdef RW_CPPCHECK /* it would take the condition for one that may fail and go on */
#define RW_ASSERT(cond) ((void)sizeof(cond))
#else
#define RW_ASSERT(cond)                                                                            \
    do {                                                                                           \
        if (!(cond)) { rw_assert_failed(__FILE__, __LINE__, #cond); }                              \
    } while (0)
#endif

/* Calls `type##_drop(&var)` at the end of the scope. Drop functions accept zeroed objects. */
#define RW_AUTO(type) __attribute__((cleanup(type##_drop)))

/* Hands a pointer over: yields its value and sets the variable to NULL. */
#define RW_STEAL(ptr)                                                                              \
    __extension__({                                                                                \
        __typeof__(ptr) rw_stolen = (ptr);                                                         \
        (ptr) = NULL;                                                                              \
        rw_stolen;                                                                                 \
    })

#define RW_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
