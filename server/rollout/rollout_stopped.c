/* One document: the elements of the array as JSON text, with commas between them. */
#include "server/rollout/rollout_stopped.h"

#include "server/store/store.h"

#include <stdio.h>

enum {
    PART_BYTES_MAX = 2048,
    STORED_BYTES_MAX = (ROLLOUT_COHORTS_MAX + ROLLOUT_TENANTS_MAX) * PART_BYTES_MAX,
};

static const char stopped_kind[] = "stopped";

/* Appends what is stored; none: generation 0. */
static RW_RC load(struct store *store, const struct rollout *ro, struct store_doc *doc,
                  struct rw_buf *body, struct rw_err *err)
{
    *doc = (struct store_doc){.generation = 0};
    (void)snprintf(doc->id, sizeof(doc->id), "%s/%010lld", ro->family, (long long)ro->release);
    struct rw_rc rc = store_doc_get(store, stopped_kind, doc->id, body, &doc->generation, err);
    return rc.code == RW_E_NOT_FOUND ? RW_OK : rc;
}

static RW_RC append_part(struct rw_wall at, const struct rollout_cause *cause, const char *reason,
                         struct rw_buf *into, struct rw_err *err)
{
    char time[RW_TIME_TEXT_BYTES];
    RW_AUTO(rw_buf) struct rw_buf part = rw_buf_make(PART_BYTES_MAX);
    struct json_writer w = json_begin(&part);
    rw_wall_format(time, at);
    json_open_object(&w, NULL);
    json_put_str(&w, "at", time);
    json_put_str(&w, "reason", reason);
    rollout_cause_put(&w, cause);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    if (into->n > 0) { RW_TRY(rw_buf_append(into, rw_span_str(","), err)); }
    return rw_buf_append(into, rw_buf_span(&part), err);
}

RW_RC rollout_stopped_add(struct store *store, const struct rollout *ro, struct rw_wall at,
                          const struct rollout_cause *cause, const char *reason, struct rw_err *err)
{
    struct store_doc doc;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORED_BYTES_MAX);
    RW_TRY(load(store, ro, &doc, &body, err));
    RW_TRY(append_part(at, cause, reason, &body, err));
    doc.generation++;
    doc.body = rw_buf_span(&body);
    return store_doc_put(store, stopped_kind, &doc, err);
}

RW_RC rollout_stopped_write(struct store *store, const struct rollout *ro, struct json_writer *w,
                            struct rw_err *err)
{
    struct store_doc doc;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORED_BYTES_MAX + 2);
    RW_TRY(rw_buf_append(&body, rw_span_str("["), err));
    RW_TRY(load(store, ro, &doc, &body, err));
    RW_TRY(rw_buf_append(&body, rw_span_str("]"), err));
    json_put_raw(w, "stopped", rw_buf_span(&body));
    return RW_OK;
}

RW_RC rollout_stopped_remove(struct store *store, const struct rollout *ro, struct rw_err *err)
{
    struct store_doc doc;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORED_BYTES_MAX);
    RW_TRY(load(store, ro, &doc, &body, err));
    if (doc.generation == 0) { return RW_OK; }
    return store_doc_remove(store, stopped_kind, doc.id, doc.generation, err);
}
