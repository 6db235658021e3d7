#include "agent/prove/box_judge.h"

#include "agent/prove/box_verdict_rule.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { EXAMPLE_BYTES = 160, SETUP_BYTES = 160 };

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
        break;
    }
    return &v->must_not_match;
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
        bool hit = complete && run->said.hits[i] == '1';
        bool wanted = sample->kind == BOX_SAMPLE_MUST;
        const char *path = sample->path != NULL ? sample->path : "a sample of the release";
        check->run = true;
        check->count++;
        check->wrong += !complete || hit != wanted ? 1 : 0;
        if (hit && !wanted) {
            give_example(&run->said, hits, path, sample->kind == BOX_SAMPLE_OWN ? own : clean);
        }
        hits += hit ? 1 : 0;
    }
    v->must_match.ok = v->must_match.wrong == 0;
    v->must_not_match.ok = v->must_not_match.wrong == 0;
    v->own_files.ok = v->own_files.wrong == 0;
}

static bool in_force(const struct box_watch *w, enum box_lockdown_layer layer)
{
    return (w->report.in_force & (UINT32_C(1) << layer)) != 0;
}

static void add_missing(struct verdict *v, const char *name, const char *why)
{
    RW_ASSERT(v->missing_count < VERDICT_LAYERS_MAX);
    (void)snprintf(v->missing[v->missing_count++], VERDICT_MISSING_BYTES, "%s: %s", name, why);
}

/* INV-12: each layer is either in force or named as missing, with the reason. */
static void list_layers(const struct box_watch *w, struct verdict *v)
{
    static const char *const not_built[] = {"pidns", "cgroup"};
    for (int i = 0; i < BOX_LAYERS; i++) {
        enum box_lockdown_layer layer = (enum box_lockdown_layer)i;
        const char *name = box_lockdown_layer_name(layer);
        if (in_force(w, layer)) {
            RW_ASSERT(v->layer_count < VERDICT_LAYERS_MAX);
            (void)snprintf(v->layers[v->layer_count++], VERDICT_LAYER_BYTES, "%s", name);
        } else {
            const char *why =
                w->report.missing[i] != 0 ? strerrordesc_np(w->report.missing[i]) : "not reached";
            add_missing(v, name, why != NULL ? why : "unknown error");
        }
    }
    for (size_t i = 0; i < RW_LEN(not_built); i++) {
        add_missing(v, not_built[i], "this version has no such layer");
    }
    const struct box_verdict_rule_layers layers = {.rlimit = in_force(w, BOX_LAYER_RLIMIT),
                                                   .no_new_privs = in_force(w, BOX_LAYER_NNP),
                                                   .seccomp = in_force(w, BOX_LAYER_SECCOMP),
                                                   .seccomp_notify = in_force(w, BOX_LAYER_NOTIFY),
                                                   .landlock = in_force(w, BOX_LAYER_LANDLOCK),
                                                   .landlock_scope = in_force(w, BOX_LAYER_SCOPE),
                                                   .empty_root = in_force(w, BOX_LAYER_MNTNS),
                                                   .own_uid = in_force(w, BOX_LAYER_UID)};
    (void)snprintf(v->grade, sizeof(v->grade), "%s", box_verdict_rule_grade(&layers));
}

static void setup_reason(const struct box_watch *w, char dst[static SETUP_BYTES])
{
    const char *why = w->report.fatal != 0 ? strerrordesc_np(w->report.fatal) : NULL;
    if (w->refused_layer[0] != '\0') {
        (void)snprintf(dst, SETUP_BYTES, "required layer missing, validator not started: %s",
                       w->refused_layer);
    } else {
        (void)snprintf(dst, SETUP_BYTES, "the box could not be set up: %s",
                       why != NULL ? why : "the child gave no report");
    }
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
    if (said->valid && said->accepted) { judge_hits(run, samples, v, own, clean); }
    list_layers(w, v);
    setup_reason(w, why);
    const struct box_verdict_rule_facts facts = {
        .setup_failed = !w->reported || w->report.fatal != 0 || w->refused_layer[0] != '\0',
        .setup_reason = why,
        .denied = w->denied,
        .denied_call = w->denied_text,
        .output_too_long = w->output_too_long,
        .deadline_passed = w->deadline_passed,
        .signal = signaled ? WTERMSIG(w->wait_status) : 0,
        .exit_status = signaled ? -1 : WEXITSTATUS(w->wait_status),
        .cpu_ms = w->cpu_ms,
        .cpu_limit_ms = v->limit_cpu_ms,
        .peak_rss_kib = w->peak_rss_kib,
        .memory_limit_kib = v->limit_memory_kib,
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
    v->exit_status = facts.exit_status;
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
