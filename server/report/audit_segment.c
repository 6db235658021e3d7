#include "server/report/audit_segment.h"

#include "common/base/file.h"
#include "common/json/json_write.h"
#include "server/report/audit_log.h"

#include <stdio.h>

enum { FILE_BYTES_MAX = 256 * 1024 * 1024, NAME_BYTES = 64, DETAILS_BYTES_MAX = 512 };

struct moving {
    const struct audit_segment_settings *set;
    struct audit_log_anchor before; /* the record that the segment follows */
    struct audit_log_anchor last;   /* the last one in it */
    int64_t tip;
    struct rw_buf text;
    bool over; /* a record that stays was met */
};

static RW_RC begin_text(struct moving *m, struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    rw_hex_encode(hex, sizeof(hex), m->before.hash, sizeof(m->before.hash));
    return rw_buf_appendf(&m->text, err,
                          "{\"format\":\"ringward-audit-1\",\"after\":%lld,\"hash\":\"%s\"}\n",
                          (long long)m->before.seq, hex);
}

static bool stays(const struct moving *m, const struct store_audit *a)
{
    const struct audit_segment_settings *s = m->set;
    bool young = a->at_s > s->now.s || s->now.s - a->at_s < s->age_s;
    return young || a->seq >= s->before || a->seq >= m->tip;
}

static RW_RC take(void *arg, const struct store_audit *a, struct rw_err *err)
{
    struct moving *m = arg;
    char hex[DIGEST_HEX_BYTES];
    m->over = m->over || stays(m, a);
    if (m->over) { return RW_OK; }
    RW_TRY(audit_log_follows(&m->last, a, err));
    m->last.seq = a->seq;
    rw_copy(m->last.hash, sizeof(m->last.hash), a->hash, sizeof(a->hash));
    rw_hex_encode(hex, sizeof(hex), a->hash, sizeof(a->hash));
    RW_TRY(rw_buf_append(&m->text, rw_span_of(a->record.p, a->record.n - 1), err));
    return rw_buf_appendf(&m->text, err, ",\"hash\":\"%s\"}\n", hex);
}

static RW_RC record(const struct moving *m, const char *name, struct rw_err *err)
{
    char details[DETAILS_BYTES_MAX];
    char last[DIGEST_HEX_BYTES];
    char file[DIGEST_HEX_BYTES];
    rw_hex_encode(last, sizeof(last), m->last.hash, sizeof(m->last.hash));
    RW_TRY(digest_sha256_hex(rw_buf_span(&m->text), file, err));
    (void)snprintf(details, sizeof(details),
                   "{\"from\":%lld,\"to\":%lld,\"hash\":\"%s\",\"sha256\":\"%s\"}",
                   (long long)m->before.seq + 1, (long long)m->last.seq, last, file);
    const struct audit_log_entry entry = {.actor = "server",
                                          .action = "audit.segment",
                                          .object = name,
                                          .reason = "old records are kept in a file",
                                          .details = rw_span_str(details)};
    return audit_log_append(m->set->store, &entry, m->set->now, err);
}

static RW_RC let_go(const struct moving *m, const char *name, struct rw_err *err)
{
    struct audit_log_anchor next = m->last;
    next.generation = m->before.generation;
    RW_TRY(audit_log_put_anchor(m->set->store, &next, err));
    RW_TRY(record(m, name, err));
    return store_audit_drop(m->set->store, m->last.seq, err);
}

static RW_RC move(struct moving *m, struct rw_err *err)
{
    char name[NAME_BYTES];
    struct store_audit_tip tip;
    struct store *store = m->set->store;
    RW_TRY(store_audit_tip(store, &tip, err));
    m->tip = tip.seq;
    RW_TRY(audit_log_anchor(store, &m->before, err));
    m->last = m->before;
    RW_TRY(begin_text(m, err));
    RW_TRY(store_audit_each(store, m->before.seq, m->set->most, take, m, err));
    if (m->last.seq == m->before.seq) { return RW_OK; }
    (void)snprintf(name, sizeof(name), "audit-%012lld-%012lld.ndjson", (long long)m->before.seq + 1,
                   (long long)m->last.seq);
    /* INV-9: the file is durable before the store lets go of what is in it. */
    RW_TRY(rw_file_replace_at(m->set->dir, name, 0640, rw_buf_span(&m->text), err));
    RW_TRY(store_begin(store, err));
    struct rw_rc rc = let_go(m, name, err);
    if (!rw_is_ok(rc)) {
        store_rollback(store);
        return rc;
    }
    return store_commit(store, err);
}

RW_RC audit_segment_move(const struct audit_segment_settings *s, int64_t *count_out,
                         struct rw_err *err)
{
    struct moving m = {.set = s, .text = rw_buf_make(FILE_BYTES_MAX)};
    RW_ASSERT(s->most >= 1 && s->most <= AUDIT_SEGMENT_RECORDS_MAX);
    struct rw_rc rc = move(&m, err);
    rw_buf_drop(&m.text);
    if (rw_is_ok(rc)) { *count_out = m.last.seq - m.before.seq; }
    return rc;
}
