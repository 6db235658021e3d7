#include "agent/prove/box_against.h"

#include "agent/prove/box_limits_rule.h"

#include <stdio.h>
#include <sys/wait.h>

enum { TURNS = 3 };

/* The least of several runs: what the content needs, without what else went on. */
struct least {
    int64_t kib, ms, us;
    int64_t rules;
    int64_t runs;
};

typedef struct box_judge_run *own_run;

static void own_run_drop(own_run *r)
{
    box_try_drop_run(*r);
}

static void take(struct least *l, const struct box_judge_run *r)
{
    const struct box_watch *w = &r->watch;
    bool first = l->runs++ == 0;
    if (first || w->peak_rss_kib < l->kib) { l->kib = w->peak_rss_kib; }
    if (first || w->cpu_ms < l->ms) { l->ms = w->cpu_ms; }
    if (first || r->said.slowest_us < l->us) { l->us = r->said.slowest_us; }
    l->rules = r->said.rules;
}

/* Whatever it matched: it ran to its end and accepted the content. */
static bool ended_well(const struct box_judge_run *r)
{
    return WIFEXITED(r->watch.wait_status) && WEXITSTATUS(r->watch.wait_status) == 0 &&
           !r->watch.denied && !r->watch.output_too_long && !r->watch.deadline_passed &&
           r->said.valid && r->said.accepted && r->said.hit_count == r->count;
}

/* The host or the clock ended it: that says nothing about the content. */
static bool reached_no_end(const struct box_try *t, const struct box_judge_run *r,
                           const struct verdict *v)
{
    struct verdict scratch = *v;
    box_judge(r, t->samples, &scratch);
    return !scratch.final;
}

static RW_RC run_like(const struct box_try *t, const struct box_memory *content,
                      const struct box_judge_run *like, struct box_judge_run **out,
                      struct rw_err *err)
{
    RW_AUTO(own_run) own_run r = NULL;
    RW_TRY(box_try_new_run(&r, err));
    r->count = like->count;
    rw_copy(r->order, sizeof(r->order), like->order, like->count * sizeof(like->order[0]));
    RW_TRY(box_try_run(t, content, r, err));
    *out = RW_STEAL(r);
    return RW_OK;
}

static void note_before(const struct box_judge_run *r, struct verdict *v)
{
    v->before.runs++;
    v->wall_ms += r->watch.used_wall_ms;
    (void)snprintf(v->before.verdict, sizeof(v->before.verdict), "%s",
                   ended_well(r) ? "accepted" : "not accepted");
}

RW_RC box_against_leave_out(const struct box_try *t, const struct box_memory *before,
                            const struct box_judge_run *first, struct box_samples *samples,
                            struct verdict *v, struct rw_err *err)
{
    RW_AUTO(own_run) own_run r = NULL;
    RW_TRY(box_try_new_run(&r, err));
    for (size_t i = 0; i < first->count && first->said.hit_count == first->count; i++) {
        bool clean = samples->at[first->order[i]].kind == BOX_SAMPLE_CLEAN;
        if (clean && first->said.hits[i] != '0') { r->order[r->count++] = first->order[i]; }
    }
    if (r->count == 0) { return RW_OK; }
    RW_TRY(box_try_run(t, before, r, err));
    note_before(r, v);
    for (size_t i = 0; ended_well(r) && i < r->count; i++) {
        if (r->said.hits[i] == '0') { continue; }
        samples->at[r->order[i]].kind = BOX_SAMPLE_KNOWN;
        v->clean_left_out++;
    }
    return RW_OK;
}

static void set(struct verdict_check *c, int64_t now, int64_t before, bool ok)
{
    *c = (struct verdict_check){.run = true,
                                .ok = ok,
                                .count = now,
                                .wrong = ok ? 0 : 1,
                                .has_before = true,
                                .before = before};
}

static void judge(const struct least *now, const struct least *before, int64_t steps,
                  struct verdict *v)
{
    char why[4][BOX_LIMITS_REASON_BYTES];
    const struct box_limits_rule_pair rules = {now->rules, before->rules, steps};
    const struct box_limits_rule_pair kib = {now->kib, before->kib, steps};
    const struct box_limits_rule_pair ms = {now->ms, before->ms, steps};
    const struct box_limits_rule_pair us = {now->us, before->us, steps};
    set(&v->count, rules.now, rules.before, box_limits_rule_count(rules, why[0]));
    set(&v->memory, kib.now, kib.before, box_limits_rule_memory(kib, why[1]));
    set(&v->cpu, ms.now, ms.before, box_limits_rule_cpu(ms, why[2]));
    set(&v->slowest, us.now, us.before, box_limits_rule_slowest(us, why[3]));
    for (size_t i = 0; i < RW_LEN(why); i++) {
        if (why[i][0] == '\0') { continue; }
        v->kind = VERDICT_REFUSED;
        v->final = true;
        (void)snprintf(v->reason, sizeof(v->reason), "%.159s", why[i]);
        return;
    }
}

/* A run of the new content that ends otherwise than its earlier ones. */
static void judge_other_end(bool none, struct verdict *v)
{
    v->kind = none ? VERDICT_TIMED_OUT : VERDICT_REFUSED;
    v->final = !none;
    (void)snprintf(v->reason, sizeof(v->reason), "%s",
                   none ? "no time was left to measure against the release before"
                        : "not deterministic: a repeated run did not accept the content");
}

RW_RC box_against_measure(const struct box_try *t, const struct box_memory *now,
                          const struct box_memory *before, const struct box_judge_run *like,
                          struct verdict *v, struct rw_err *err)
{
    struct least a = {0};
    struct least b = {0};
    take(&a, like);
    for (int i = 0; i < TURNS; i++) {
        RW_AUTO(own_run) own_run second = NULL;
        RW_AUTO(own_run) own_run first = NULL;
        RW_TRY(run_like(t, before, like, &second, err));
        note_before(second, v);
        if (!ended_well(second)) {
            /* Content that was accepted once and is not any more gives no measure: what replaces it must not be
             * held up by that. A run that was cut off is another matter: nothing is decided (INV-3). */
            if (reached_no_end(t, second, v)) { judge_other_end(true, v); }
            return RW_OK;
        }
        take(&b, second);
        if (box_limits_rule_is_small(a.kib, a.ms, a.us) || i == TURNS - 1) { break; }
        RW_TRY(run_like(t, now, like, &first, err));
        v->wall_ms += first->watch.used_wall_ms;
        if (!ended_well(first)) {
            judge_other_end(reached_no_end(t, first, v), v);
            return RW_OK;
        }
        take(&a, first);
    }
    judge(&a, &b, t->req->against_steps, v);
    return RW_OK;
}
