#include "server/report/audit_log.h"

enum {
    AUDIT_RECORD_BYTES_MAX = 32 * 1024,
    AUDIT_PAGE_MAX = 1000,
    ANCHOR_BYTES_MAX = 256,
};

#define ANCHOR_KIND "audit"
#define ANCHOR_ID   "anchor"

static RW_RC put_details(struct json_writer *w, struct rw_span details, struct rw_err *err)
{
    if (details.n == 0) { return RW_OK; }
    /* Parsed, so that one writer's mistake cannot make the whole log unreadable. */
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(details, &json_limits_small, &tree, err));
    if (json_type(tree) != JSON_OBJECT) {
        return rw_fail(err, RW_E_SCHEMA, "details of an audit record: an object is wanted");
    }
    json_put_tree(w, "details", tree);
    return RW_OK;
}

static RW_RC write_record(const struct audit_log_entry *entry, int64_t seq, struct rw_wall now,
                          struct rw_buf *into, struct rw_err *err)
{
    char at[RW_TIME_TEXT_BYTES];
    rw_wall_format(at, now);
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_int(&w, "seq", seq);
    json_put_str(&w, "at", at);
    json_put_str(&w, "actor", entry->actor);
    json_put_str(&w, "action", entry->action);
    json_put_str(&w, "object", entry->object);
    json_put_str(&w, "reason", entry->reason);
    RW_TRY(put_details(&w, entry->details, err));
    json_close_object(&w);
    return json_done(&w, err);
}

/* hash(n) = SHA-256(hash(n - 1) | record text). */
static RW_RC chain(const uint8_t before[static DIGEST_BYTES], struct rw_span record,
                   uint8_t out[static DIGEST_BYTES], struct rw_err *err)
{
    RW_AUTO(digest) struct digest d = {.ctx = NULL};
    RW_TRY(digest_begin(&d, err));
    RW_TRY(digest_add(&d, rw_span_of(before, DIGEST_BYTES), err));
    RW_TRY(digest_add(&d, record, err));
    return digest_end(&d, out, err);
}

static RW_RC append(struct store *store, const struct audit_log_entry *entry, struct rw_wall now,
                    struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf record = rw_buf_make(AUDIT_RECORD_BYTES_MAX);
    struct store_audit_tip tip = {.seq = 0};
    RW_TRY(store_audit_tip(store, &tip, err));
    struct store_audit a = {.seq = tip.seq + 1, .at_s = now.s};
    struct rw_rc rc = write_record(entry, a.seq, now, &record, err);
    if (!rw_is_ok(rc)) { return rw_wrap(err, "audit record of %s", entry->action); }
    a.record = rw_buf_span(&record);
    RW_TRY(chain(tip.hash, a.record, a.hash, err));
    return store_audit_append(store, &a, err);
}

RW_RC audit_log_append(struct store *store, const struct audit_log_entry *entry, struct rw_wall now,
                       struct rw_err *err)
{
    struct rw_rc rc = append(store, entry, now, err);
    if (!rw_is_ok(rc)) { store_spoil(store); } /* INV-9: what it was to record is not kept either */
    return rc;
}

struct page {
    struct json_writer *w;
    int64_t limit;
    int64_t written;
    int64_t last_seq;
    bool more; /* there is a record behind the page */
};

/* The stored text with the hash as one more, last member: a reader takes that member out again and has the
 * bytes that were hashed. */
static RW_RC put_record(struct json_writer *w, const struct store_audit *a, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(AUDIT_RECORD_BYTES_MAX + 128);
    char hex[DIGEST_HEX_BYTES];
    if (a->record.n < 2 || a->record.p[a->record.n - 1] != '}') {
        return rw_fail(err, RW_E_STORE, "audit record %lld is damaged", (long long)a->seq);
    }
    rw_hex_encode(hex, sizeof(hex), a->hash, sizeof(a->hash));
    RW_TRY(rw_buf_append(&text, rw_span_of(a->record.p, a->record.n - 1), err));
    RW_TRY(rw_buf_appendf(&text, err, ",\"hash\":\"%s\"}", hex));
    json_put_raw(w, NULL, rw_buf_span(&text));
    return RW_OK;
}

static RW_RC page_record(void *arg, const struct store_audit *a, struct rw_err *err)
{
    struct page *page = arg;
    if (page->written == page->limit) {
        page->more = true;
        return RW_OK;
    }
    page->written++;
    page->last_seq = a->seq;
    return put_record(page->w, a, err);
}

/* --- the anchor --- */

RW_RC audit_log_anchor(struct store *store, struct audit_log_anchor *out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(ANCHOR_BYTES_MAX);
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct audit_log_anchor a = {.seq = 0};
    struct rw_span hex;
    struct rw_rc rc = store_doc_get(store, ANCHOR_KIND, ANCHOR_ID, &body, &a.generation, err);
    if (rc.code == RW_E_NOT_FOUND) {
        *out = (struct audit_log_anchor){.seq = 0};
        return RW_OK;
    }
    RW_TRY(rc);
    RW_TRY(json_parse(rw_buf_span(&body), &json_limits_small, &tree, err));
    RW_TRY(json_get_int(tree, "seq", 1, RW_JSON_INT_MAX, &a.seq, err));
    RW_TRY(json_get_span(tree, "hash", &hex, err));
    RW_TRY(rw_hex_decode(a.hash, sizeof(a.hash), hex, "hash of the audit log's anchor", err));
    *out = a;
    return RW_OK;
}

static void put_anchor(struct json_writer *w, const char *name, const struct audit_log_anchor *a)
{
    char hex[DIGEST_HEX_BYTES];
    rw_hex_encode(hex, sizeof(hex), a->hash, sizeof(a->hash));
    json_open_object(w, name);
    json_put_int(w, "seq", a->seq);
    json_put_str(w, "hash", hex);
    json_close_object(w);
}

RW_RC audit_log_put_anchor(struct store *store, const struct audit_log_anchor *a,
                           struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(ANCHOR_BYTES_MAX);
    struct store_doc doc = {.id = ANCHOR_ID, .generation = a->generation + 1};
    struct json_writer w = json_begin(&body);
    put_anchor(&w, NULL, a);
    RW_TRY(json_done(&w, err));
    doc.body = rw_buf_span(&body);
    return store_doc_put(store, ANCHOR_KIND, &doc, err);
}

RW_RC audit_log_follows(const struct audit_log_anchor *before, const struct store_audit *a,
                        struct rw_err *err)
{
    uint8_t want[DIGEST_BYTES];
    if (a->seq != before->seq + 1) {
        return rw_fail(err, RW_E_TUF_HASH, "audit record %lld is missing",
                       (long long)before->seq + 1);
    }
    RW_TRY(chain(before->hash, a->record, want, err));
    if (digest_same(want, a->hash, sizeof(want))) { return RW_OK; }
    return rw_fail(err, RW_E_TUF_HASH, "audit record %lld does not fit its hash and predecessor",
                   (long long)a->seq);
}

/* --- reading --- */

RW_RC audit_log_write_page(struct store *store, int64_t after, int64_t limit, struct json_writer *w,
                           struct rw_err *err)
{
    if (limit < 1 || limit > AUDIT_PAGE_MAX || after < 0) {
        return rw_fail(err, RW_E_RANGE, "a page has 1..%d records behind a number of 0 or more",
                       AUDIT_PAGE_MAX);
    }
    struct page page = {.w = w, .limit = limit};
    struct audit_log_anchor anchor;
    RW_TRY(audit_log_anchor(store, &anchor, err));
    json_open_object(w, NULL);
    if (after < anchor.seq) { put_anchor(w, "anchor", &anchor); }
    json_open_array(w, "records");
    RW_TRY(store_audit_each(store, after, limit + 1, page_record, &page, err));
    json_close_array(w);
    if (page.more) { json_put_int(w, "next", page.last_seq); }
    json_close_object(w);
    return RW_OK;
}

static RW_RC verify_record(void *arg, const struct store_audit *a, struct rw_err *err)
{
    struct audit_log_anchor *last = arg;
    RW_TRY(audit_log_follows(last, a, err));
    last->seq = a->seq;
    rw_copy(last->hash, sizeof(last->hash), a->hash, sizeof(a->hash));
    return RW_OK;
}

RW_RC audit_log_verify(struct store *store, int64_t *count_out, struct rw_err *err)
{
    struct audit_log_anchor last;
    RW_TRY(audit_log_anchor(store, &last, err));
    RW_TRY(store_audit_each(store, last.seq, INT64_MAX, verify_record, &last, err));
    *count_out = last.seq;
    return RW_OK;
}
