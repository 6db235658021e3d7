#include "agent/prove/box_release.h"

#include "agent/prove/box_limits_rule.h"
#include "common/box/content_type.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) static void refuse(struct verdict *v, const char *fmt, ...)
{
    va_list ap;
    if (v->kind != VERDICT_ACCEPTED) { return; } /* what stopped it before stands */
    v->kind = VERDICT_REFUSED;
    v->final = true;
    va_start(ap, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands one line above */
    (void)vsnprintf(v->reason, sizeof(v->reason), fmt, ap);
    va_end(ap);
}

/* Tab, line feed, vertical tab, form feed and carriage return are text; what lies above ASCII is for the parser. */
static bool find_control(struct rw_span content, size_t *at)
{
    for (size_t i = 0; i < content.n; i++) {
        uint8_t c = content.p[i];
        if ((c < 0x20 && (c < 0x09 || c > 0x0D)) || c == 0x7F) {
            *at = i;
            return true;
        }
    }
    return false;
}

void box_release_envelope(const struct box_check_request *req, struct rw_span content,
                          struct rw_span before, struct verdict *v)
{
    char why[BOX_LIMITS_REASON_BYTES] = "";
    size_t at = 0;
    const struct box_limits_rule_pair bytes = {(int64_t)content.n, (int64_t)before.n,
                                               req->against_steps};
    struct verdict_check *c = &v->envelope;
    *c = (struct verdict_check){.run = true, .count = bytes.now};
    c->has_before = before.n > 0;
    c->before = bytes.before;
    if (content_type_is_text(req->type) && find_control(content, &at)) {
        c->wrong++;
        refuse(v, "byte 0x%02x at offset %zu: this is no text", content.p[at], at);
    }
    if (c->has_before && !box_limits_rule_size(bytes, why)) {
        c->wrong++;
        refuse(v, "%s", why);
    }
    c->ok = c->wrong == 0;
}

void box_release_facts(const struct box_judge_run *run, struct verdict *v)
{
    for (size_t i = 0; run->said.valid && i < run->said.fact_count; i++) {
        const struct box_said_fact *f = &run->said.facts[i];
        struct verdict_check *c = verdict_find_check(v, rw_span_str(f->id));
        RW_ASSERT(c != NULL); /* the reader lets three names through */
        *c = (struct verdict_check){.run = true,
                                    .ok = f->ok && f->wrong == 0,
                                    .by_validator = true,
                                    .count = f->count,
                                    .wrong = f->wrong};
        if (!c->ok) {
            refuse(v, "the validator says accepted and that its check '%s' failed", f->id);
        }
    }
}

static bool is_covered(const struct box_said_covered *f, const struct box_judge_run *run,
                       const struct box_samples *samples)
{
    for (size_t i = 0; i < f->by_count; i++) {
        size_t at = (size_t)f->by[i];
        if (at >= run->count || at >= run->said.hit_count || run->said.hits[at] == '0') {
            continue;
        }
        if (samples->at[run->order[at]].kind == BOX_SAMPLE_MUST) { return true; }
    }
    return false;
}

void box_release_coverage(const struct box_check_request *req, const struct box_judge_run *run,
                          const struct box_samples *samples, struct verdict *v)
{
    const struct box_said *said = &run->said;
    const char *first = "any field";
    struct verdict_check *c = &v->coverage;
    bool due = said->covered_count > 0 || content_type_wants_manifest(req->type);
    if (!due || !said->valid || !said->accepted) { return; }
    if (!req->for_release && req->samples == NULL) { return; }
    *c = (struct verdict_check){.run = true, .count = (int64_t)said->covered_count};
    for (size_t i = 0; i < said->covered_count; i++) {
        if (is_covered(&said->covered[i], run, samples)) { continue; }
        if (c->wrong++ == 0) { first = said->covered[i].name; }
    }
    if (said->covered_count == 0) { c->wrong = 1; }
    c->ok = c->wrong == 0;
    if (!c->ok) {
        refuse(v, "%lld of %lld fields are judged by no must-match vector, first %s",
               (long long)c->wrong, (long long)c->count, first);
    }
}

void box_release_alerts(struct verdict *v)
{
    char why[BOX_LIMITS_REASON_BYTES] = "";
    struct verdict_check *c = &v->alert_rate;
    if (!c->run) { return; }
    c->ok = box_limits_rule_alerts(c->wrong, c->count, why);
    if (!c->ok) { refuse(v, "%s", why); }
}
