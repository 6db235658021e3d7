/* box_verdict_rule.h: what happened to a validator -> one verdict. What the kernel says outranks what it says.
 *
 * memory   values only
 * threads  pure
 * source   docs/sandbox.md "Verdict": precedence; everything except accepted keeps the old content active
 */
#ifndef RINGWARD_BOX_VERDICT_RULE_H
#define RINGWARD_BOX_VERDICT_RULE_H

#include "common/base/err.h"

/* Facts, as the launcher saw them. */
struct box_verdict_rule_facts {
    const char *setup_reason;           /* borrowed */
    const char *denied_call;            /* borrowed; "" when not named */
    const char *said_reason;            /* borrowed; printable ASCII */
    const char *own_files_example;      /* borrowed; which file, by what */
    const char *must_not_match_example; /* borrowed */
    int64_t cpu_ms;
    int64_t cpu_limit_ms;
    int64_t peak_rss_kib;
    int64_t memory_limit_kib;
    int64_t oom_kills;     /* by the control group's limit */
    int64_t own_files_hit; /* files of ringward itself that matched */
    int64_t must_match_missed;
    int64_t must_match_count;
    int64_t must_not_match_hit;
    int64_t must_not_match_count;
    int signal;           /* that ended it; 0: none */
    int exit_status;      /* -1: ended by a signal */
    bool setup_failed;    /* set-up, exec, or a required layer */
    bool denied;          /* a system call was denied */
    bool output_too_long; /* verdict or diagnostics over their limit */
    bool deadline_passed; /* killed by the launcher's clock */
    bool said_valid;      /* one well-formed object came */
    bool said_accepted;
    bool hash_echoed; /* it read the very bytes that it was given */
};

enum box_verdict_rule_kind {
    BOX_ACCEPTED,
    BOX_REFUSED,
    BOX_CRASHED,
    BOX_TIMED_OUT,
    BOX_OUT_OF_MEMORY,
    BOX_POLICY_VIOLATION,
    BOX_PROTOCOL_ERROR,
    BOX_SANDBOX_ERROR,
};

enum { BOX_REASON_BYTES = 240 };

struct box_verdict_rule_result {
    enum box_verdict_rule_kind kind; /* in the order of enum verdict_kind */
    bool final;
    char reason[BOX_REASON_BYTES];
};

struct box_verdict_rule_result box_verdict_rule_decide(const struct box_verdict_rule_facts *f);

/* What a second run, on the same bytes in another order, makes of an acceptance: the same answer accepts, no
 * answer is no verdict, another answer refuses. */
struct box_verdict_rule_result box_verdict_rule_second(enum box_verdict_rule_kind again, bool final,
                                                       const char *reason, bool same_hits);

/* --- grade of the sandbox from its layers --- */
struct box_verdict_rule_layers {
    bool rlimit, no_new_privs, seccomp, seccomp_notify;
    bool landlock, landlock_scope, empty_root;
    bool own_uid, user_ns, pid_ns, cgroup;
    bool
        needs_loader; /* a profile with libraries: without a listener its loader's calls stay open */
    bool needs_root;  /* a profile that has its content in the empty root */
};
/* "full", "good", "weak" or "none" (INV-12). */
const char *box_verdict_rule_grade(const struct box_verdict_rule_layers *l);

#endif
