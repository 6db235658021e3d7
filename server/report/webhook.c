#include "server/report/webhook.h"

#include "common/base/log.h"
#include "server/report/audit_log.h"
#include "server/report/webhook_rule.h"
#include "server/report/webhook_send.h"

#include <stdio.h>
#include <string.h>

#define KIND "webhook"

enum {
    SCAN_MAX = 256,      /* records that one turn looks at per target */
    UNWANTED_MAX = 1000, /* records that nobody wants before the cursor is stored all the same */
    STORED_BYTES_MAX = 512,
    EVENT_BYTES_MAX = 64 * 1024,
    DETAILS_BYTES_MAX = 256,
};

struct target {
    struct webhook_target conf;
    struct webhook_sender *sender;
    int64_t generation; /* of the stored cursor; 0: not stored */
    int64_t cursor;     /* stored: the last record that is done with */
    int64_t delivered;  /* stored: events, ever */
    int64_t dropped;    /* stored: records, ever */
    int64_t passed;     /* not stored yet: records up to here are not wanted, or on their way */
    int64_t sent[WEBHOOK_BATCH_MAX]; /* numbers of the events on their way */
    size_t sent_count;
    bool again;        /* the stored cursor may have moved without us */
    bool unwanted;     /* the sender's next result is from before that */
    unsigned failures; /* in a row */
    struct rw_mono retry;
    char error[RW_ERR_TEXT_BYTES];
};

struct webhook {
    struct store *store;
    size_t count;
    int64_t tip; /* newest record, as of the last turn */
    struct target targets[WEBHOOK_TARGETS_MAX];
};

/* --- the cursor --- */

static RW_RC load_cursor(struct store *store, struct target *t, int64_t tip, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORED_BYTES_MAX);
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct rw_rc rc = store_doc_get(store, KIND, t->conf.name, &body, &t->generation, err);
    t->cursor = t->passed = tip;
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    RW_TRY(json_parse(rw_buf_span(&body), &json_limits_small, &tree, err));
    RW_TRY(json_get_int(tree, "cursor", 0, RW_JSON_INT_MAX, &t->cursor, err));
    RW_TRY(json_get_int(tree, "delivered", 0, RW_JSON_INT_MAX, &t->delivered, err));
    RW_TRY(json_get_int(tree, "dropped", 0, RW_JSON_INT_MAX, &t->dropped, err));
    t->passed = t->cursor;
    return RW_OK;
}

RW_RC webhook_first_wanted(struct store *store, const struct webhook_conf *conf, int64_t *out,
                           struct rw_err *err)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < conf->count; i++) {
        struct target t = {.generation = 0};
        rw_copy(t.conf.name, sizeof(t.conf.name), conf->targets[i].name,
                sizeof(conf->targets[i].name));
        RW_TRY(load_cursor(store, &t, INT64_MAX - 1, err));
        if (t.cursor + 1 < first) { first = t.cursor + 1; }
    }
    *out = first;
    return RW_OK;
}

static RW_RC put_cursor(struct store *store, const struct target *t, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORED_BYTES_MAX);
    struct store_doc doc = {.generation = t->generation + 1};
    struct json_writer w = json_begin(&body);
    json_open_object(&w, NULL);
    json_put_int(&w, "cursor", t->cursor);
    json_put_int(&w, "delivered", t->delivered);
    json_put_int(&w, "dropped", t->dropped);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    (void)snprintf(doc.id, sizeof(doc.id), "%s", t->conf.name);
    doc.body = rw_buf_span(&body);
    return store_doc_put(store, KIND, &doc, err);
}

static RW_RC audit_drop(struct store *store, const struct target *t, int64_t count,
                        struct rw_wall now, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf details = rw_buf_make(DETAILS_BYTES_MAX);
    struct json_writer w = json_begin(&details);
    json_open_object(&w, NULL);
    json_put_int(&w, "records", count);
    json_put_int(&w, "up_to", t->cursor);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    const struct audit_log_entry entry = {.actor = "server",
                                          .action = "webhook.drop",
                                          .object = t->conf.name,
                                          .reason = "the receiver was away for too long",
                                          .details = rw_buf_span(&details)};
    return audit_log_append(store, &entry, now, err);
}

/* Stores a changed cursor and what was dropped with it, as one transaction. */
static RW_RC save(struct webhook *w, struct target *t, const struct target *next, int64_t dropped,
                  struct rw_wall now, struct rw_err *err)
{
    RW_TRY(store_begin(w->store, err));
    struct rw_rc rc = put_cursor(w->store, next, err);
    if (rw_is_ok(rc) && dropped > 0) { rc = audit_drop(w->store, next, dropped, now, err); }
    if (!rw_is_ok(rc)) {
        store_rollback(w->store);
        return rc;
    }
    RW_TRY(store_commit(w->store, err));
    *t = *next;
    t->generation++;
    return RW_OK;
}

/* --- events --- */

struct scan {
    struct target *t;
    struct webhook_batch *batch;
    int64_t last; /* the newest record that was looked at */
};

/* {"format","type","key","record":{...,"hash"}}: the record as the audit log shows it. */
static RW_RC write_event(const struct store_audit *a, const char *type, const char *key,
                         struct rw_buf *into, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf record = rw_buf_make(EVENT_BYTES_MAX);
    RW_TRY(rw_buf_append(&record, rw_span_of(a->record.p, a->record.n - 1), err));
    RW_TRY(rw_buf_appendf(&record, err, ",\"hash\":\"%s\"}", key));
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_str(&w, "format", "ringward-event-1");
    json_put_str(&w, "type", type);
    json_put_str(&w, "key", key);
    json_put_raw(&w, "record", rw_buf_span(&record));
    json_close_object(&w);
    return json_done(&w, err);
}

static bool is_object(const struct json *record, const char *name)
{
    const struct json *object = json_find(record, "object");
    return object != NULL && json_type(object) == JSON_STR && rw_span_is(json_str(object), name);
}

static RW_RC scan_one(void *arg, const struct store_audit *a, struct rw_err *err)
{
    struct scan *s = arg;
    char type[64];
    RW_AUTO(json_tree) json_tree tree = NULL;
    if (s->batch->count == WEBHOOK_BATCH_MAX) { return RW_OK; }
    RW_TRY(json_parse(a->record, &json_limits_small, &tree, err));
    RW_TRY(json_get_str(tree, "action", type, sizeof(type), err));
    s->last = a->seq;
    bool meant = strcmp(type, "webhook.test") == 0 && is_object(tree, s->t->conf.name);
    if (!meant && !webhook_rule_wants(s->t->conf.events, type)) { return RW_OK; }
    struct webhook_event *e = &s->batch->at[s->batch->count];
    e->seq = a->seq;
    rw_hex_encode(e->key, sizeof(e->key), a->hash, sizeof(a->hash));
    RW_TRY(write_event(a, type, e->key, &e->body, err));
    s->t->sent[s->batch->count++] = a->seq;
    return RW_OK;
}

static RW_RC hand_over(struct webhook *w, struct target *t, struct rw_wall now, struct rw_err *err)
{
    struct webhook_batch batch = webhook_batch_make();
    struct scan scan = {.t = t, .batch = &batch, .last = t->passed};
    if (t->passed >= w->tip) { return RW_OK; }
    struct rw_rc rc = store_audit_each(w->store, t->passed, SCAN_MAX, scan_one, &scan, err);
    if (!rw_is_ok(rc)) {
        webhook_batch_clear(&batch);
        return rc;
    }
    t->passed = scan.last;
    t->sent_count = batch.count;
    if (batch.count > 0) {
        webhook_send_submit(t->sender, &batch);
        return RW_OK;
    }
    /* Not too rarely: a receiver that fails next would lose what nobody wants as well as what it may keep. */
    int64_t lag_max = t->conf.keep / 2 < UNWANTED_MAX ? t->conf.keep / 2 : UNWANTED_MAX;
    if (t->passed - t->cursor < lag_max) { return RW_OK; }
    struct target next = *t;
    next.cursor = t->passed;
    return save(w, t, &next, 0, now, err);
}

/* --- results --- */

static void note(const struct target *t, const char *was)
{
    struct rw_log_line l;
    if (strcmp(t->error, was) == 0) { return; }
    rw_log_begin(&l, t->error[0] == '\0' ? RW_LOG_INFO : RW_LOG_WARN, "webhook");
    rw_log_str(&l, "target", t->conf.name);
    rw_log_str(&l, "state", t->error[0] == '\0' ? "works again" : t->error);
    rw_log_end(&l);
}

static RW_RC take_result(struct webhook *w, struct target *t, const struct webhook_result *r,
                         const struct rw_clock *clock, struct rw_err *err)
{
    struct target next = *t;
    uint32_t random = 0;
    RW_ASSERT(r->delivered <= t->sent_count);
    if (r->delivered > 0) { next.cursor = t->sent[r->delivered - 1]; }
    if (r->delivered == t->sent_count) { next.cursor = t->passed; }
    next.delivered += (int64_t)r->delivered;
    next.passed = next.cursor;
    next.sent_count = 0;
    next.failures = !r->failed ? 0 : r->delivered > 0 ? 1 : t->failures + 1;
    (void)snprintf(next.error, sizeof(next.error), "%s", r->failed ? r->why : "");
    if (r->failed) {
        RW_TRY(digest_random((uint8_t *)&random, sizeof(random), err));
        next.retry.ms =
            rw_clock_mono(clock).ms + webhook_rule_wait_ms(next.failures, random, r->retry_after_s);
    }
    note(&next, t->error);
    if (next.cursor != t->cursor) { return save(w, t, &next, 0, rw_clock_wall(clock), err); }
    *t = next;
    return RW_OK;
}

static RW_RC drop_old(struct webhook *w, struct target *t, struct rw_wall now, struct rw_err *err)
{
    int64_t dropped = webhook_rule_drop(t->cursor, w->tip, t->conf.keep);
    struct target next = *t;
    if (dropped == 0 || t->failures == 0) { return RW_OK; }
    next.cursor = next.passed = t->cursor + dropped;
    next.dropped += dropped;
    struct rw_log_line l;
    rw_log_begin(&l, RW_LOG_ERROR, "webhook_dropped");
    rw_log_str(&l, "target", t->conf.name);
    rw_log_i64(&l, "records", dropped);
    rw_log_end(&l);
    return save(w, t, &next, dropped, now, err);
}

/* What its sender is about to bring is about a cursor that counts no more. */
static RW_RC begin_again(struct webhook *w, struct target *t, struct rw_err *err)
{
    RW_TRY(load_cursor(w->store, t, w->tip, err));
    t->passed = t->cursor;
    t->sent_count = 0;
    t->unwanted = !webhook_send_idle(t->sender);
    t->again = false;
    return RW_OK;
}

static RW_RC turn_one(struct webhook *w, struct target *t, const struct rw_clock *clock,
                      struct rw_err *err)
{
    struct webhook_result r;
    struct rw_wall now = rw_clock_wall(clock);
    if (t->again) { RW_TRY(begin_again(w, t, err)); }
    if (t->unwanted) {
        if (!webhook_send_take(t->sender, &r)) { return RW_OK; }
        t->unwanted = false;
    } else if (webhook_send_take(t->sender, &r)) {
        struct rw_rc rc = take_result(w, t, &r, clock, err);
        if (!rw_is_ok(rc)) {
            /* Delivered, but not known to the store: sent once more, with the same keys. */
            t->passed = t->cursor;
            t->sent_count = 0;
            return rc;
        }
    }
    if (!webhook_send_idle(t->sender)) { return RW_OK; }
    RW_TRY(drop_old(w, t, now, err));
    if (t->failures > 0 && rw_clock_mono(clock).ms < t->retry.ms) { return RW_OK; }
    return hand_over(w, t, now, err);
}

void webhook_again(struct webhook *w)
{
    for (size_t i = 0; w != NULL && i < w->count; i++) {
        w->targets[i].again = true;
    }
}

RW_RC webhook_turn(struct webhook *w, const struct rw_clock *clock, struct rw_err *err)
{
    struct store_audit_tip tip;
    if (w->count == 0) { return RW_OK; }
    RW_TRY(store_audit_tip(w->store, &tip, err));
    w->tip = tip.seq;
    struct rw_rc first = RW_OK;
    for (size_t i = 0; i < w->count; i++) {
        struct rw_err own;
        struct rw_rc rc = turn_one(w, &w->targets[i], clock, &own);
        if (rw_is_ok(rc) || !rw_is_ok(first)) { continue; }
        first = rw_fail(err, rc.code, "webhook %s: %s", w->targets[i].conf.name, own.text);
    }
    return first;
}

/* --- opening --- */

static RW_RC open_targets(struct webhook *w, const struct webhook_settings *settings,
                          struct rw_err *err)
{
    for (size_t i = 0; i < settings->conf->count; i++) {
        struct target *t = &w->targets[i];
        t->conf = settings->conf->targets[i];
        RW_TRY(load_cursor(w->store, t, w->tip, err));
        RW_TRY(webhook_send_start(&t->conf, settings->wake, settings->ctx, &t->sender, err));
        w->count++;
        if (t->generation > 0) { continue; }
        struct target next = *t;
        struct rw_rc rc = save(w, t, &next, 0, (struct rw_wall){0}, err);
        if (rc.code == RW_E_EXISTS) { rc = load_cursor(w->store, t, w->tip, err); } /* a node did */
        RW_TRY(rc);
    }
    return RW_OK;
}

RW_RC webhook_open(const struct webhook_settings *settings, struct webhook **out,
                   struct rw_err *err)
{
    struct store_audit_tip tip;
    struct webhook *w = rw_mem_new(sizeof(*w));
    if (w == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for webhooks"); }
    w->store = settings->store;
    struct rw_rc rc = store_audit_tip(w->store, &tip, err);
    if (rw_is_ok(rc)) {
        w->tip = tip.seq;
        rc = open_targets(w, settings, err);
    }
    if (!rw_is_ok(rc)) {
        webhook_close(&w);
        return rc;
    }
    *out = w;
    return RW_OK;
}

void webhook_close(struct webhook **w)
{
    if (*w == NULL) { return; }
    for (size_t i = 0; i < (*w)->count; i++) {
        webhook_send_stop((*w)->targets[i].sender);
    }
    rw_wipe(*w, sizeof(**w));
    rw_mem_free(*w);
    *w = NULL;
}

RW_RC webhook_test(struct webhook *w, const char *name, const char *actor, struct rw_wall now,
                   struct rw_err *err)
{
    bool known = false;
    for (size_t i = 0; w != NULL && i < w->count; i++) {
        known = known || strcmp(w->targets[i].conf.name, name) == 0;
    }
    if (!known) {
        RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "there is no webhook '%.40s'", name), "hint");
        return rw_hint(
            err, "targets are files NAME.conf in DIR/webhooks of the server, read at its start");
    }
    const struct audit_log_entry entry = {
        .actor = actor, .action = "webhook.test", .object = name, .reason = ""};
    RW_TRY(store_begin(w->store, err));
    struct rw_rc rc = audit_log_append(w->store, &entry, now, err);
    if (!rw_is_ok(rc)) {
        store_rollback(w->store);
        return rc;
    }
    return store_commit(w->store, err);
}

/* --- views --- */

static int64_t waiting(const struct webhook *w, const struct target *t)
{
    return w->tip - t->cursor;
}

void webhook_write(const struct webhook *w, struct json_writer *out)
{
    json_open_object(out, NULL);
    json_open_array(out, "webhooks");
    for (size_t i = 0; w != NULL && i < w->count; i++) {
        const struct target *t = &w->targets[i];
        json_open_object(out, NULL);
        json_put_str(out, "name", t->conf.name);
        json_put_str(out, "url", t->conf.base);
        json_put_str(out, "events", t->conf.events);
        json_put_str(out, "state", t->failures > 0 ? "failing" : "ok");
        json_put_int(out, "waiting", waiting(w, t));
        json_put_int(out, "delivered", t->delivered);
        json_put_int(out, "dropped", t->dropped);
        json_put_int(out, "failures", t->failures);
        if (t->error[0] != '\0') { json_put_str(out, "error", t->error); }
        json_close_object(out);
    }
    json_close_array(out);
    json_close_object(out);
}

void webhook_write_alarms(const struct webhook *w, struct json_writer *out)
{
    for (size_t i = 0; w != NULL && i < w->count; i++) {
        const struct target *t = &w->targets[i];
        struct rw_err text;
        if (t->failures == 0) { continue; }
        RW_IGNORE(rw_fail(&text, RW_E_NET, "webhook %s: %s", t->conf.name, t->error),
                  "only the text is wanted");
        json_put_str(out, NULL, text.text);
    }
}

RW_RC webhook_metrics(const struct webhook *w, struct rw_buf *into, struct rw_err *err)
{
    static const struct {
        const char *name, *type, *help;
    } samples[] = {
        {"ringward_webhook_waiting", "gauge", "Audit records that a target has not got yet."},
        {"ringward_webhook_delivered_total", "counter", "Events that a target has taken."},
        {"ringward_webhook_dropped_total", "counter",
         "Records given up: the target was away for too long."},
        {"ringward_webhook_failures", "gauge", "Failed deliveries in a row."},
    };
    for (size_t k = 0; w != NULL && w->count > 0 && k < RW_LEN(samples); k++) {
        RW_TRY(rw_buf_appendf(into, err, "# HELP %s %s\n# TYPE %s %s\n", samples[k].name,
                              samples[k].help, samples[k].name, samples[k].type));
        for (size_t i = 0; i < w->count; i++) {
            const struct target *t = &w->targets[i];
            const int64_t values[RW_LEN(samples)] = {waiting(w, t), t->delivered, t->dropped,
                                                     t->failures};
            RW_TRY(rw_buf_appendf(into, err, "%s{target=\"%s\"} %lld\n", samples[k].name,
                                  t->conf.name, (long long)values[k]));
        }
    }
    return RW_OK;
}
