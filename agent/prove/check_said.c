#include "agent/prove/check_said.h"

#include "common/box/samples_codec.h"
#include "common/json/json_write.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct check_said check_said_make(void)
{
    return (struct check_said){
        .hits = rw_buf_make(SAMPLES_BLIND_COUNT_MAX),
        .named = rw_buf_make((size_t)CHECK_SAID_NAMED_MAX * CHECK_SAID_NAME_BYTES),
        .covered = rw_buf_make(CHECK_SAID_COVERED_BYTES_MAX)};
}

void check_said_drop(struct check_said *s)
{
    rw_buf_drop(&s->hits);
    rw_buf_drop(&s->named);
    rw_buf_drop(&s->covered);
}

RW_RC check_said_note(struct check_said *s, enum check_said_hit hit, const char *rule,
                      struct rw_err *err)
{
    static const char *const digits[] = {"0", "1", "2"};
    char name[CHECK_SAID_NAME_BYTES];
    RW_TRY(rw_buf_append_str(&s->hits, digits[hit], err));
    if (hit == CHECK_SAID_NOTHING || s->named_count == CHECK_SAID_NAMED_MAX) { return RW_OK; }
    s->named_count++;
    (void)snprintf(name, sizeof(name), "%s", rule);
    return rw_buf_append(&s->named, rw_span_of(name, strlen(name) + 1), err);
}

void check_said_add(struct check_said *s, const char *id, int64_t count, int64_t wrong)
{
    RW_ASSERT(s->fact_count < CHECK_SAID_FACTS_MAX);
    s->facts[s->fact_count++] =
        (struct check_said_fact){.id = id, .ok = wrong == 0, .count = count, .wrong = wrong};
}

void check_said_refuse(struct check_said *s, const char *fmt, ...)
{
    va_list ap;
    s->accepted = false;
    va_start(ap, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands one line above */
    (void)vsnprintf(s->reason, sizeof(s->reason), fmt, ap);
    va_end(ap);
}

int64_t check_said_cpu_us(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void write_list(struct json_writer *w, const char *member, const struct rw_buf *texts,
                       size_t count)
{
    const char *text = rw_buf_str(texts);
    json_open_array(w, member);
    for (size_t i = 0; i < count; i++) {
        json_put_str(w, NULL, text);
        text += strlen(text) + 1;
    }
    json_close_array(w);
}

static void write_facts(const struct check_said *s, struct json_writer *w)
{
    json_open_array(w, "checks");
    for (size_t i = 0; i < s->fact_count; i++) {
        json_open_object(w, NULL);
        json_put_str(w, "id", s->facts[i].id);
        json_put_bool(w, "ok", s->facts[i].ok);
        json_put_int(w, "n", s->facts[i].count);
        json_put_int(w, "wrong", s->facts[i].wrong);
        json_close_object(w);
    }
    json_close_array(w);
}

RW_RC check_said_write(const struct check_said *s, struct rw_buf *into, struct rw_err *err)
{
    char reason[CHECK_SAID_REASON_BYTES];
    size_t n = 0;
    /* Messages quote the content: keep what is printable. */
    for (; s->reason[n] != '\0'; n++) {
        reason[n] = (char)(s->reason[n] >= 0x20 && s->reason[n] < 0x7f ? s->reason[n] : '?');
    }
    reason[n] = '\0';
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_str(&w, "format", "rwv1");
    json_put_str(&w, "verdict", s->accepted ? "accepted" : "refused");
    json_put_str(&w, "reason", reason);
    json_put_str(&w, "content_sha256", s->sha256);
    json_put_int(&w, "rules", s->rules);
    json_put_int(&w, "slowest_us", s->slowest_us);
    json_put_span(&w, "hits", rw_buf_span(&s->hits));
    write_list(&w, "named", &s->named, s->named_count);
    if (s->fact_count > 0) { write_facts(s, &w); }
    if (s->covered_count > 0) { write_list(&w, "covered", &s->covered, s->covered_count); }
    json_close_object(&w);
    return json_done(&w, err);
}
