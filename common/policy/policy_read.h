/* policy_read.h: members of rings.json, read with their place: each refusal names line, path and limit.
 *
 * memory   a place borrows the tree that it points into
 * threads  no shared state
 * source   docs/policy.md "Refusals"
 */
#ifndef RINGWARD_POLICY_READ_H
#define RINGWARD_POLICY_READ_H

#include "common/json/json_read.h"

enum { POLICY_READ_PATH_BYTES = 112 };

/* One value of the file and how one gets there: "" at the top, "rings[0].gate". */
struct policy_at {
    const struct json *v; /* NULL: the member is not there */
    char path[POLICY_READ_PATH_BYTES];
};

/* What a reader allows; both ends are allowed. */
struct policy_range {
    int64_t min;
    int64_t max;
};

struct policy_at policy_read_top(const struct json *tree);
/* The element at `index` of the array `a`. */
struct policy_at policy_read_element(const struct policy_at *a, const struct json *v, size_t index);
/* The member, of whatever type; its v is NULL when it is absent, its path is right all the same. */
struct policy_at policy_read_find(const struct policy_at *o, const char *name);

/* "line 16: window.confirm.start: <fact>". Of a member that is absent it names the line of `o`. Clears the hint. */
__attribute__((format(printf, 4, 5))) RW_RC policy_read_refuse(const struct policy_at *at,
                                                               enum rw_code code,
                                                               struct rw_err *err,
                                                               const char *format, ...);

/* All fail with RW_E_SCHEMA (absent though required, another type), RW_E_RANGE (outside its limits) or RW_E_SYNTAX (no
 * duration, no share), with a hint. The optional ones leave *out as it is when the member is absent. */
RW_RC policy_read_need(const struct policy_at *o, const char *name, enum json_type type,
                       struct policy_at *out, struct rw_err *err);
/* As policy_read_need, but out->v is NULL when the member is absent. */
RW_RC policy_read_opt(const struct policy_at *o, const char *name, enum json_type type,
                      struct policy_at *out, struct rw_err *err);
/* `at` is an object and has no members but these. */
RW_RC policy_read_only(const struct policy_at *at, const char *const *names, size_t count,
                       struct rw_err *err);
RW_RC policy_read_int(const struct policy_at *o, const char *name, struct policy_range range,
                      int64_t *out, struct rw_err *err);
/* A number with up to three decimals, in thousandths; so is the range. */
RW_RC policy_read_decimal(const struct policy_at *o, const char *name, struct policy_range range,
                          int64_t *out, struct rw_err *err);
/* Seconds. */
RW_RC policy_read_duration(const struct policy_at *o, const char *name, struct policy_range range,
                           int64_t *out, struct rw_err *err);
/* Hundredths of a percent. */
RW_RC policy_read_share(const struct policy_at *o, const char *name, struct policy_range range,
                        int64_t *out, struct rw_err *err);
RW_RC policy_read_bool(const struct policy_at *o, const char *name, bool *out, struct rw_err *err);

#endif
