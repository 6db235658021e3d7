#include "agent/prove/box_verdict_rule.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SIGNAL_KILL = 9, SIGNAL_XCPU = 24, SIGNAL_SYS = 31, EXIT_OOM = 12, EXIT_SETUP = 125 };

__attribute__((format(printf, 3, 4))) static struct box_verdict_rule_result
verdict(enum box_verdict_rule_kind kind, bool final, const char *fmt, ...)
{
    struct box_verdict_rule_result r = {.kind = kind, .final = final};
    va_list ap;
    va_start(ap, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands one line above */
    (void)vsnprintf(r.reason, sizeof(r.reason), fmt, ap);
    va_end(ap);
    return r;
}

static struct box_verdict_rule_result by_signal(const struct box_verdict_rule_facts *f)
{
    bool cpu_used_up = f->cpu_ms >= f->cpu_limit_ms;
    if (f->signal == SIGNAL_XCPU || (f->signal == SIGNAL_KILL && cpu_used_up)) {
        return verdict(BOX_TIMED_OUT, true, "CPU time of %lld ms used up",
                       (long long)f->cpu_limit_ms);
    }
    if (f->signal == SIGNAL_KILL) {
        return verdict(BOX_OUT_OF_MEMORY, false, "killed by the host, probably out of memory");
    }
    if (f->peak_rss_kib * 10 >= f->memory_limit_kib * 9) {
        return verdict(BOX_OUT_OF_MEMORY, true, "signal %d at %lld KiB of %lld KiB (inferred)",
                       f->signal, (long long)f->peak_rss_kib, (long long)f->memory_limit_kib);
    }
    return verdict(BOX_CRASHED, true, "crashed by signal %d", f->signal);
}

/* The launcher's own judgement of what matched. */
static struct box_verdict_rule_result by_samples(const struct box_verdict_rule_facts *f)
{
    if (!f->hash_echoed) {
        return verdict(BOX_PROTOCOL_ERROR, true,
                       "the validator did not read the content that it was given");
    }
    if (f->own_files_hit > 0) { /* INV-10: content cannot saw off its own branch */
        return verdict(BOX_REFUSED, true, "matches %lld of ringward's own files: %.150s",
                       (long long)f->own_files_hit, f->own_files_example);
    }
    if (f->must_match_missed > 0) {
        return verdict(BOX_REFUSED, true, "%lld of %lld samples that must match did not",
                       (long long)f->must_match_missed, (long long)f->must_match_count);
    }
    if (f->must_not_match_hit > 0) {
        return verdict(BOX_REFUSED, true, "%lld of %lld samples that must not match did: %.150s",
                       (long long)f->must_not_match_hit, (long long)f->must_not_match_count,
                       f->must_not_match_example);
    }
    return verdict(BOX_ACCEPTED, true, "%.200s", f->said_reason);
}

static struct box_verdict_rule_result by_word(const struct box_verdict_rule_facts *f)
{
    if (f->exit_status == EXIT_OOM) {
        return verdict(BOX_OUT_OF_MEMORY, true, "the validator ran out of memory");
    }
    if (f->exit_status == EXIT_SETUP) {
        return verdict(BOX_SANDBOX_ERROR, false, "the validator could not be started");
    }
    if (!f->said_valid) {
        return verdict(BOX_PROTOCOL_ERROR, true, "no valid verdict (exit %d)", f->exit_status);
    }
    if (f->said_accepted && f->peak_rss_kib > f->memory_limit_kib) {
        return verdict(BOX_OUT_OF_MEMORY, true,
                       "peak %lld KiB over the budget of %lld KiB, though it said accepted",
                       (long long)f->peak_rss_kib, (long long)f->memory_limit_kib);
    }
    if (f->said_accepted && f->exit_status == 0) { return by_samples(f); }
    if (!f->said_accepted && f->exit_status == 1) {
        return verdict(BOX_REFUSED, true, "%.200s", f->said_reason);
    }
    return verdict(BOX_PROTOCOL_ERROR, true, "its verdict contradicts its exit status %d",
                   f->exit_status);
}

struct box_verdict_rule_result box_verdict_rule_decide(const struct box_verdict_rule_facts *f)
{
    if (f->setup_failed) { return verdict(BOX_SANDBOX_ERROR, false, "%.200s", f->setup_reason); }
    if (f->oom_kills > 0) {
        return verdict(BOX_OUT_OF_MEMORY, true, "its control group reached its limit of %lld KiB",
                       (long long)f->memory_limit_kib);
    }
    if (f->denied || f->signal == SIGNAL_SYS) {
        return verdict(BOX_POLICY_VIOLATION, true, "forbidden system call %.120s",
                       f->denied_call[0] != '\0' ? f->denied_call : "(not named)");
    }
    if (f->output_too_long) {
        return verdict(BOX_PROTOCOL_ERROR, true, "verdict or diagnostics over their limit");
    }
    if (f->deadline_passed) {
        /* With little CPU used the host was slow or the validator slept: ask once more. */
        return verdict(BOX_TIMED_OUT, f->cpu_ms * 2 >= f->cpu_limit_ms, "no verdict in time");
    }
    return f->signal != 0 ? by_signal(f) : by_word(f);
}

struct box_verdict_rule_result box_verdict_rule_second(enum box_verdict_rule_kind again, bool final,
                                                       const char *reason, bool same_hits)
{
    if (!final) { return verdict(again, false, "second run: %.200s", reason); }
    if (again != BOX_ACCEPTED) {
        return verdict(BOX_REFUSED, true, "not deterministic, second run: %.180s", reason);
    }
    if (!same_hits) {
        return verdict(BOX_REFUSED, true,
                       "not deterministic: a second run on the same samples gave other hits");
    }
    return verdict(BOX_ACCEPTED, true, "%.200s", reason);
}

const char *box_verdict_rule_grade(const struct box_verdict_rule_layers *l)
{
    bool base = l->rlimit && l->no_new_privs;
    bool files = l->empty_root || l->landlock;
    bool identity = l->own_uid || l->user_ns || l->landlock_scope;
    bool apart = l->own_uid || l->user_ns;
    /* A loader whose calls stay open must find nothing but libraries. */
    bool blind_loader = l->needs_loader && !l->seccomp_notify;
    if (!base || (l->needs_root && !l->empty_root) || (blind_loader && !files)) { return "none"; }
    bool contained = l->empty_root && l->landlock && l->pid_ns && apart && l->cgroup;
    if (l->seccomp && l->seccomp_notify && contained) { return "full"; }
    if (l->seccomp && files && identity) { return "good"; }
    /* Contained, but an attack would not be noticed; or noticed, but not contained. */
    return l->seccomp || contained ? "weak" : "none";
}
