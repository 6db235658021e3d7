#include "agent/report/report.h"

#include "common/base/log.h"
#include "common/crypto/digest.h"

#include <stdio.h>
#include <string.h>

/* Stands for the ring before any policy was seen: a beacon must name one. */
static const char ring_unknown[] = "unknown";

void report_detail(struct beacon *b, const char *text)
{
    size_t n = 0;
    for (; text[n] != '\0' && n + 1 < sizeof(b->detail); n++) {
        b->detail[n] = (char)(text[n] >= ' ' && text[n] <= '~' ? text[n] : '?');
    }
    b->detail[n] = '\0';
}

static void log_failure(const struct rw_err *err)
{
    struct rw_log_line l;
    rw_log_begin(&l, RW_LOG_ERROR, "beacon_not_spooled");
    rw_log_err(&l, err);
    rw_log_end(&l);
}

bool report_is_dropped(const struct report *r, const char *family)
{
    for (size_t i = 0; i < r->dropped_count; i++) {
        if (strcmp(r->dropped[i], family) == 0) { return true; }
    }
    return false;
}

void report_flush(struct report *r)
{
    struct rw_err err;
    size_t paid = 0;
    while (paid < r->owed_count && rw_is_ok(beacon_spool_add(r->spool, &r->owed[paid], &err))) {
        paid++;
    }
    for (size_t i = paid; i < r->owed_count; i++) {
        r->owed[i - paid] = r->owed[i];
    }
    r->owed_count -= paid;
}

static void owe(struct report *r, const struct beacon *b)
{
    if (b->kind == BEACON_ALIVE || r->owed_count == REPORT_OWED_MAX) {
        beacon_spool_count_dropped(r->spool, 1);
        return;
    }
    for (size_t i = 0; i < r->owed_count; i++) {
        if (memcmp(r->owed[i].id, b->id, sizeof(b->id)) == 0) { return; }
    }
    r->owed[r->owed_count++] = *b;
}

static void append(char *dst, size_t cap, const char *text)
{
    size_t n = strlen(dst);
    (void)snprintf(dst + n, cap - n, "%s%s", n > 0 && text[0] != '\0' ? "; " : "", text);
}

void report_note(struct report *r, const char *text)
{
    append(r->note, sizeof(r->note), text);
}

/* While the spool is nearly full nobody listens: the word would be dropped itself. */
static bool drops_to_tell(const struct beacon_spool *s)
{
    return s->dropped > s->told && s->count <= s->max / 2;
}

bool report_add_alive(struct report *r, struct beacon *b)
{
    char whole[3 * BEACON_DETAIL_BYTES] = "";
    char dropped[80] = "";
    bool drops = drops_to_tell(r->spool);
    if (drops) {
        (void)snprintf(dropped, sizeof(dropped), "%lld beacons dropped, %lld in all",
                       (long long)(r->spool->dropped - r->spool->told),
                       (long long)r->spool->dropped);
    }
    /* The note first: the server looks at how a detail begins. What is always so comes last. */
    append(whole, sizeof(whole), r->note);
    append(whole, sizeof(whole), dropped);
    append(whole, sizeof(whole), b->detail);
    report_detail(b, whole);
    if (!report_add(r, b)) { return false; }
    r->note[0] = '\0';
    if (drops) { beacon_spool_mark_told(r->spool); }
    return true;
}

bool report_add(struct report *r, struct beacon *b)
{
    static const uint8_t no_id[BEACON_ID_BYTES] = {0};
    struct rw_err err = {.code = RW_E_NONE};
    struct rw_rc rc = RW_OK;
    report_flush(r);
    if (memcmp(b->id, no_id, sizeof(no_id)) == 0) {
        rc = digest_random(b->id, sizeof(b->id), &err);
    }
    b->at = rw_clock_wall(&r->clock);
    (void)snprintf(b->ring, sizeof(b->ring), "%s", r->ring[0] != '\0' ? r->ring : ring_unknown);
    b->cohort = r->cohort;
    (void)snprintf(b->grade, sizeof(b->grade), "%s", r->grade);
    (void)snprintf(b->trust, sizeof(b->trust), "%s", r->trust[0] != '\0' ? r->trust : "ok");
    (void)snprintf(b->clock, sizeof(b->clock), "%s", r->clock_state);
    if (rw_is_ok(rc)) { rc = beacon_spool_add(r->spool, b, &err); }
    if (!rw_is_ok(rc)) {
        log_failure(&err);
        owe(r, b);
        return false;
    }
    struct rw_log_line l;
    rw_log_begin(&l, b->kind == BEACON_ALIVE ? RW_LOG_DEBUG : RW_LOG_INFO, "beacon_spooled");
    rw_log_str(&l, "kind", beacon_kind_name(b->kind));
    rw_log_str(&l, "family", b->family);
    rw_log_i64(&l, "release", b->release);
    if (b->detail[0] != '\0') { rw_log_str(&l, "detail", b->detail); }
    rw_log_end(&l);
    return true;
}
