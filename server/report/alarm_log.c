#include "server/report/alarm_log.h"

#include "common/json/json_write.h"
#include "server/report/audit_log.h"

#define KIND "alarms"
#define ID   "now"

enum { REASON_BYTES_MAX = 1024 };

static bool has(const struct json *list, struct rw_span text)
{
    for (const struct json *a = json_first(list); a != NULL; a = json_next(a)) {
        if (json_type(a) == JSON_STR && rw_span_eq(json_str(a), text)) { return true; }
    }
    return false;
}

static RW_RC record(struct store *store, const char *action, struct rw_span text,
                    struct rw_wall now, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf reason = rw_buf_make(REASON_BYTES_MAX);
    size_t n = text.n < REASON_BYTES_MAX - 1 ? text.n : REASON_BYTES_MAX - 1;
    RW_TRY(rw_buf_append(&reason, rw_span_of(text.p, n), err));
    const struct audit_log_entry entry = {
        .actor = "server", .action = action, .object = "server", .reason = rw_buf_str(&reason)};
    return audit_log_append(store, &entry, now, err);
}

/* Records what stands in `these` and not in `those`. */
static RW_RC record_new(struct store *store, const struct json *these, const struct json *those,
                        const char *action, struct rw_wall now, struct rw_err *err)
{
    for (const struct json *a = json_first(these); a != NULL; a = json_next(a)) {
        if (json_type(a) != JSON_STR || has(those, json_str(a))) { continue; }
        RW_TRY(record(store, action, json_str(a), now, err));
    }
    return RW_OK;
}

static RW_RC load(struct store *store, struct json **out, int64_t *generation, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(ALARM_LOG_BYTES_MAX);
    struct rw_rc rc = store_doc_get(store, KIND, ID, &body, generation, err);
    if (rc.code == RW_E_NOT_FOUND) {
        *generation = 0;
        return json_parse(rw_span_str("[]"), &json_limits_small, out, err);
    }
    RW_TRY(rc);
    return json_parse(rw_buf_span(&body), &json_limits_small, out, err);
}

static RW_RC change(struct store *store, const struct json *before, const struct json *after,
                    const struct store_doc *doc, struct rw_wall now, struct rw_err *err)
{
    RW_TRY(record_new(store, after, before, "alarm.raise", now, err));
    RW_TRY(record_new(store, before, after, "alarm.clear", now, err));
    return store_doc_put(store, KIND, doc, err);
}

static bool same(const struct json *a, const struct json *b)
{
    for (const struct json *v = json_first(a); v != NULL; v = json_next(v)) {
        if (json_type(v) != JSON_STR || !has(b, json_str(v))) { return false; }
    }
    return true;
}

RW_RC alarm_log_update(struct store *store, struct rw_span alarms, struct rw_wall now,
                       struct rw_err *err)
{
    RW_AUTO(json_tree) json_tree before = NULL;
    RW_AUTO(json_tree) json_tree after = NULL;
    struct store_doc doc = {.id = ID, .body = alarms};
    RW_TRY(json_parse(alarms, &json_limits_small, &after, err));
    RW_TRY(load(store, &before, &doc.generation, err));
    if (same(before, after) && same(after, before)) { return RW_OK; }
    doc.generation++;
    RW_TRY(store_begin(store, err));
    struct rw_rc rc = change(store, before, after, &doc, now, err);
    if (!rw_is_ok(rc)) {
        store_rollback(store);
        return rc;
    }
    return store_commit(store, err);
}
