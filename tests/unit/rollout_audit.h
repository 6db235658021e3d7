/* rollout_audit.h: what the audit log of a rollout world says.
 *
 * memory   nothing is kept
 * threads  one
 * source   rollout_part_test.c
 */
#ifndef RINGWARD_TEST_ROLLOUT_AUDIT_H
#define RINGWARD_TEST_ROLLOUT_AUDIT_H

#include "common/base/num.h"
#include "common/json/json_read.h"
#include "server/report/audit_log.h"
#include "tests/unit/rollout_world.h"

static inline void audit_page(struct world *w, struct rw_buf *out)
{
    struct rw_err err;
    struct json_writer j = json_begin(out);
    MUST(audit_log_write_page(&w->store, 0, 1000, &j, &err));
    MUST(json_done(&j, &err));
}

static inline bool audit_says(struct world *w, const char *action)
{
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(1 << 20);
    audit_page(w, &out);
    return strstr(rw_buf_str(&out), action) != NULL;
}

/* A fraction with three places, in thousandths. */
static inline int64_t audit_thousandths(const struct json *details, const char *name)
{
    struct rw_err err;
    char text[64];
    int64_t n = 0;
    MUST(json_get_str(details, name, text, sizeof(text), &err));
    char *point = strchr(text, '.');
    assert_non_null(point);
    for (; *point != '\0'; point++) {
        point[0] = point[1];
    }
    MUST(rw_parse_i64(rw_span_str(text), 0, INT64_MAX, name, &n, &err));
    return n;
}

/* An object says what a stop rests on: scope, term, counts, log E and limit. */
static inline void expect_basis(const struct json *o, const char *scope, const char *term)
{
    struct rw_err err;
    char text[256];
    int64_t failures = 0;
    int64_t exposures = 0;
    MUST(json_get_str(o, "scope", text, sizeof(text), &err));
    assert_string_equal(text, scope);
    MUST(json_get_str(o, "term", text, sizeof(text), &err));
    assert_string_equal(text, term);
    MUST(json_get_int(o, "failures", 1, 1000, &failures, &err));
    MUST(json_get_int(o, "exposures", failures, 1000, &exposures, &err));
    int64_t limit = audit_thousandths(o, "threshold");
    assert_true(limit > 0 && audit_thousandths(o, "log_e") >= limit);
}

/* `explain` tells of one part that was stopped, and what that rested on. */
static inline void expect_stopped(struct world *w, int64_t release, const char *scope,
                                  const char *term)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(1 << 20);
    RW_AUTO(json_tree) json_tree tree = NULL;
    const struct json *stopped = NULL;
    struct json_writer writer = json_begin(&out);
    MUST(rollout_run_explain(w->run, "yara", release, &writer, &err));
    MUST(json_done(&writer, &err));
    MUST(json_parse(rw_buf_span(&out), &json_limits_small, &tree, &err));
    MUST(json_get(tree, "stopped", JSON_ARRAY, &stopped, &err));
    assert_non_null(json_first(stopped));
    assert_null(json_next(json_first(stopped)));
    expect_basis(json_first(stopped), scope, term);
}

/* Each record of that action says what it rests on. */
static inline void expect_cause(struct world *w, const char *action, const char *scope,
                                const char *term)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(1 << 20);
    RW_AUTO(json_tree) json_tree tree = NULL;
    const struct json *records = NULL;
    const struct json *details = NULL;
    char text[256];
    int found = 0;
    audit_page(w, &out);
    MUST(json_parse(rw_buf_span(&out), &json_limits_small, &tree, &err));
    MUST(json_get(tree, "records", JSON_ARRAY, &records, &err));
    for (const struct json *r = json_first(records); r != NULL; r = json_next(r)) {
        MUST(json_get_str(r, "action", text, sizeof(text), &err));
        if (strcmp(text, action) != 0) { continue; }
        found++;
        MUST(json_get(r, "details", JSON_OBJECT, &details, &err));
        expect_basis(details, scope, term);
    }
    assert_true(found > 0);
}

#endif
