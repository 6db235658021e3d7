#include "agent/prove/box_judge.h"

#include "agent/prove/box_verdict_rule.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { EXAMPLE_BYTES = 160, SETUP_BYTES = BOX_GRADE_TEXT_BYTES };

/* The first sample that matched though it must not: what an author needs to find the fault. */
static void give_example(const struct box_said *said, size_t hit_index, const char *path,
                         char dst[static EXAMPLE_BYTES])
{
    char shown[EXAMPLE_BYTES / 2];
    size_t n = 0;
    if (dst[0] != '\0') { return; }
    for (; n < sizeof(shown) - 1 && path[n] != '\0'; n++) {
        shown[n] = (char)(path[n] >= 0x20 && path[n] < 0x7f ? path[n] : '?');
    }
    shown[n] = '\0';
    (void)snprintf(dst, EXAMPLE_BYTES, "%s%s%s", shown,
                   hit_index < said->named_count ? " by rule " : "",
                   hit_index < said->named_count ? said->named[hit_index] : "");
}

static struct verdict_check *check_of(struct verdict *v, enum box_sample_kind kind)
{
    switch (kind) {
    case BOX_SAMPLE_MUST:
        return &v->must_match;
    case BOX_SAMPLE_OWN:
        return &v->own_files;
    case BOX_SAMPLE_MUST_NOT:
    case BOX_SAMPLE_CLEAN:
    case BOX_SAMPLE_KNOWN:
        break;
    }
    return &v->must_not_match;
}

/* Rules that only alert may be wrong on a clean file now and then; anything else, and on anything else, never. */
static bool only_alerts(const struct box_judge_run *run, size_t i, enum box_sample_kind kind)
{
    return kind == BOX_SAMPLE_CLEAN && run->said.hits[i] == '2';
}

static void judge_alerts(const struct box_judge_run *run, size_t i, enum box_sample_kind kind,
                         struct verdict *v)
{
    if (kind != BOX_SAMPLE_CLEAN) { return; }
    v->alert_rate.run = true;
    v->alert_rate.count++;
    v->alert_rate.wrong += only_alerts(run, i, kind) ? 1 : 0;
}

/* Only an acceptance is judged: a refusal stands as it is. A list of another length is no answer at all. */
static void judge_hits(const struct box_judge_run *run, const struct box_samples *samples,
                       struct verdict *v, char own[static EXAMPLE_BYTES],
                       char clean[static EXAMPLE_BYTES])
{
    bool complete = run->said.hit_count == run->count;
    size_t hits = 0;
    for (size_t i = 0; i < run->count; i++) {
        const struct box_sample *sample = &samples->at[run->order[i]];
        struct verdict_check *check = check_of(v, sample->kind);
        bool hit = complete && run->said.hits[i] != '0';
        bool wanted = sample->kind == BOX_SAMPLE_MUST;
        bool forgiven =
            sample->kind == BOX_SAMPLE_KNOWN || (complete && only_alerts(run, i, sample->kind));
        const char *path = sample->path != NULL ? sample->path : "a sample of the release";
        if (complete) { judge_alerts(run, i, sample->kind, v); }
        check->run = true;
        check->count += sample->kind == BOX_SAMPLE_KNOWN ? 0 : 1;
        check->wrong += !complete || (hit != wanted && !forgiven) ? 1 : 0;
        if (hit && !wanted && !forgiven) {
            give_example(&run->said, hits, path, sample->kind == BOX_SAMPLE_OWN ? own : clean);
        }
        hits += hit ? 1 : 0;
    }
    v->must_match.ok = v->must_match.wrong == 0;
    v->must_not_match.ok = v->must_not_match.wrong == 0;
    v->own_files.ok = v->own_files.wrong == 0;
}

static void add_missing(struct verdict *v, const char *name, const char *why)
{
    RW_ASSERT(v->missing_count < VERDICT_LAYERS_MAX);
    (void)snprintf(v->missing[v->missing_count++], VERDICT_MISSING_BYTES, "%s: %s", name, why);
}

/* INV-12: each layer is either in force or named as missing, with the reason. */
static void list_layers(const struct box_watch *w, struct verdict *v)
{
    for (int i = 0; i < BOX_LAYERS; i++) {
        enum box_layer layer = (enum box_layer)i;
        char why[BOX_LAYER_WHY_BYTES];
        if (box_layer_in_force(&w->layers, layer)) {
            RW_ASSERT(v->layer_count < VERDICT_LAYERS_MAX);
            box_layer_title(&w->layers, layer, v->layers[v->layer_count++], VERDICT_LAYER_BYTES);
        } else if (box_grade_counts(&w->layers, layer)) {
            box_layer_why(&w->layers, layer, why, sizeof(why));
            add_missing(v, box_layer_name(layer), why);
        }
    }
#if defined(__aarch64__)
    add_missing(v, "untested", "aarch64");
#endif
    (void)snprintf(v->grade, sizeof(v->grade), "%s",
                   w->reported ? box_grade_of(&w->layers, w->phase.profile) : "none");
}

static void setup_reason(const struct box_watch *w, char dst[static SETUP_BYTES])
{
    const char *why = w->fatal_errno != 0 ? strerrordesc_np(w->fatal_errno) : NULL;
    if (w->refused[0] != '\0') {
        (void)snprintf(dst, SETUP_BYTES, "%s", w->refused);
    } else {
        (void)snprintf(dst, SETUP_BYTES, "the box could not be set up: %s%s%s", w->fatal_step,
                       w->fatal_step[0] != '\0' ? ": " : "",
                       why != NULL ? why : "the child gave no report");
    }
}

static int exit_of(const struct box_judge_run *run)
{
    return run->spoke_lines ? run->exit_as : WEXITSTATUS(run->watch.wait_status);
}

void box_judge(const struct box_judge_run *run, const struct box_samples *samples,
               struct verdict *v)
{
    const struct box_watch *w = &run->watch;
    const struct box_said *said = &run->said;
    char why[SETUP_BYTES] = "";
    char own[EXAMPLE_BYTES] = "";
    char clean[EXAMPLE_BYTES] = "";
    bool signaled = WIFSIGNALED(w->wait_status);
    v->must_match = v->must_not_match = v->own_files = v->alert_rate = (struct verdict_check){0};
    v->layer_count = v->missing_count = 0;
    if (said->valid && said->accepted) { judge_hits(run, samples, v, own, clean); }
    list_layers(w, v);
    setup_reason(w, why);
    const struct box_verdict_rule_facts facts = {
        .setup_failed = !w->reported || w->fatal_errno != 0 || w->refused[0] != '\0',
        .setup_reason = why,
        .denied = w->denied,
        .denied_call = w->denied_text,
        .output_too_long = w->output_too_long,
        .deadline_passed = w->deadline_passed,
        .signal = signaled ? WTERMSIG(w->wait_status) : 0,
        .exit_status = signaled ? -1 : exit_of(run),
        .cpu_ms = w->cpu_ms,
        .cpu_limit_ms = v->limit_cpu_ms,
        .peak_rss_kib = w->peak_rss_kib,
        .memory_limit_kib = v->limit_memory_kib,
        .oom_kills = w->oom_kills,
        .said_valid = said->valid,
        .said_accepted = said->accepted,
        .said_reason = said->reason,
        .hash_echoed = strcmp(said->hash, v->content_sha256) == 0,
        .own_files_hit = v->own_files.wrong,
        .own_files_example = own,
        .must_match_missed = v->must_match.wrong,
        .must_match_count = v->must_match.count,
        .must_not_match_hit = v->must_not_match.wrong,
        .must_not_match_count = v->must_not_match.count,
        .must_not_match_example = clean};
    struct box_verdict_rule_result r = box_verdict_rule_decide(&facts);
    v->kind = (enum verdict_kind)r.kind;
    v->final = r.final;
    (void)snprintf(v->reason, sizeof(v->reason), "%s", r.reason);
    (void)snprintf(v->syscall, sizeof(v->syscall), "%s", w->denied_call);
    v->signal = facts.signal;
    v->exit_status = signaled ? -1 : WEXITSTATUS(w->wait_status);
    v->oom_kills = w->oom_kills;
    v->cgroup_peak_kib = w->cgroup_peak_kib;
    /* Without a listener nobody saw the phases. */
    (void)snprintf(v->phase, sizeof(v->phase), "%s",
                   box_layer_in_force(&w->layers, BOX_LAYER_NOTIFY) ? box_phase_name(&w->phase)
                                                                    : "");
    v->rules = said->rules;
    v->wall_ms = w->used_wall_ms;
    v->cpu_ms = w->cpu_ms;
    v->peak_rss_kib = w->peak_rss_kib;
}

bool box_judge_same_hits(const struct box_judge_run *first, const struct box_judge_run *second)
{
    char of_sample[SAMPLES_BLIND_COUNT_MAX] = {0};
    if (first->said.hit_count != first->count || second->said.hit_count != second->count) {
        return false;
    }
    for (size_t i = 0; i < first->count; i++) {
        of_sample[first->order[i]] = first->said.hits[i];
    }
    for (size_t i = 0; i < second->count; i++) {
        if (of_sample[second->order[i]] != second->said.hits[i]) { return false; }
    }
    return first->said.rules == second->said.rules;
}
