/* Goal: the precedence of the verdict: what the kernel says outranks what the validator says, and nothing but a
 * complete, honest-looking acceptance accepts (INV-3, INV-5). Grades name what is missing (INV-12). */
#include "agent/prove/box_verdict_rule.h"
#include "tests/harness.h"

static struct box_verdict_rule_facts accepting(void)
{
    return (struct box_verdict_rule_facts){.setup_reason = "",
                                           .denied_call = "",
                                           .cpu_ms = 100,
                                           .cpu_limit_ms = 1000,
                                           .peak_rss_kib = 1000,
                                           .memory_limit_kib = 100000,
                                           .said_valid = true,
                                           .said_accepted = true,
                                           .said_reason = "fine",
                                           .hash_echoed = true,
                                           .own_files_example = "/usr/bin/ringward-agent",
                                           .must_match_count = 5,
                                           .must_not_match_count = 60,
                                           .must_not_match_example = "/usr/bin/ls by rule x"};
}

static enum box_verdict_rule_kind decide(const struct box_verdict_rule_facts *f)
{
    struct box_verdict_rule_result r = box_verdict_rule_decide(f);
    assert_true(r.reason[0] != '\0');
    return r.kind;
}

TEST(an_acceptance_without_any_contrary_fact_accepts)
{
    struct box_verdict_rule_facts f = accepting();
    struct box_verdict_rule_result r = box_verdict_rule_decide(&f);
    assert_int_equal(r.kind, BOX_ACCEPTED);
    assert_true(r.final);
}

enum fact {
    SETUP,
    OOM_KILL,
    DENIED,
    SIGSYS_ONLY,
    TOO_LONG,
    DEADLINE,
    XCPU,
    KILLED_BY_HOST,
    CRASH_AT_LIMIT,
    CRASH,
    EXIT_OOM,
    EXIT_SETUP,
    NO_JSON,
    OVER_BUDGET,
    OTHER_EXIT,
    WRONG_HASH,
    OWN_HIT,
    MISSED,
    CLEAN_HIT,
};

static void add_fact(struct box_verdict_rule_facts *f, enum fact fact)
{
    switch (fact) {
    case SETUP:
        f->setup_failed = true;
        f->setup_reason = "required layer missing";
        break;
    case OOM_KILL:
        f->oom_kills = 1;
        break;
    case DENIED:
        f->denied = true;
        f->denied_call = "openat(1, 2, 3)";
        break;
    case SIGSYS_ONLY:
        f->signal = 31;
        f->exit_status = -1;
        break;
    case TOO_LONG:
        f->output_too_long = true;
        break;
    case DEADLINE:
        f->deadline_passed = true;
        f->signal = 9;
        f->exit_status = -1;
        break;
    case XCPU:
        f->signal = 24;
        f->exit_status = -1;
        break;
    case KILLED_BY_HOST:
        f->signal = 9;
        f->exit_status = -1;
        break;
    case CRASH_AT_LIMIT:
        f->signal = 6;
        f->exit_status = -1;
        f->peak_rss_kib = 90000;
        break;
    case CRASH:
        f->signal = 11;
        f->exit_status = -1;
        break;
    case EXIT_OOM:
        f->exit_status = 12;
        break;
    case EXIT_SETUP:
        f->exit_status = 125;
        break;
    case NO_JSON:
        f->said_valid = false;
        break;
    case OVER_BUDGET:
        f->peak_rss_kib = 100001;
        break;
    case OTHER_EXIT:
        f->exit_status = 7;
        break;
    case WRONG_HASH:
        f->hash_echoed = false;
        break;
    case OWN_HIT:
        f->own_files_hit = 1;
        break;
    case MISSED:
        f->must_match_missed = 1;
        break;
    case CLEAN_HIT:
        f->must_not_match_hit = 1;
        break;
    }
}

/* In order of precedence: each row's fact is laid over all facts of the rows behind it and must still win. */
static const struct {
    const char *id;
    enum fact fact;
    enum box_verdict_rule_kind want;
    bool final;
} precedence[] = {
    {"set-up failed", SETUP, BOX_SANDBOX_ERROR, false},
    {"killed by its control group", OOM_KILL, BOX_OUT_OF_MEMORY, true},
    {"a denied call", DENIED, BOX_POLICY_VIOLATION, true},
    {"output too long", TOO_LONG, BOX_PROTOCOL_ERROR, true},
    {"wall clock", DEADLINE, BOX_TIMED_OUT, false},
    {"exit 12", EXIT_OOM, BOX_OUT_OF_MEMORY, true},
    {"no valid object", NO_JSON, BOX_PROTOCOL_ERROR, true},
    {"over the memory budget", OVER_BUDGET, BOX_OUT_OF_MEMORY, true},
    {"another content was read", WRONG_HASH, BOX_PROTOCOL_ERROR, true},
    {"own files matched (INV-10)", OWN_HIT, BOX_REFUSED, true},
    {"a sample was missed", MISSED, BOX_REFUSED, true},
    {"a clean file matched", CLEAN_HIT, BOX_REFUSED, true},
};

TEST_EACH(each_fact_alone_denies_acceptance, precedence)
{
    struct box_verdict_rule_facts f = accepting();
    add_fact(&f, it->fact);
    struct box_verdict_rule_result r = box_verdict_rule_decide(&f);
    assert_int_equal(r.kind, it->want);
    assert_int_equal(r.final, it->final);
}

TEST_EACH(each_fact_outranks_all_that_stand_behind_it, precedence)
{
    struct box_verdict_rule_facts f = accepting();
    size_t row = (size_t)(it - precedence);
    for (size_t i = RW_LEN(precedence); i > row; i--) {
        /* Exit status and signal are one fact of wait(2): the earlier row's stands. */
        add_fact(&f, precedence[i - 1].fact);
    }
    assert_int_equal(decide(&f), it->want);
}

static const struct {
    const char *id;
    enum fact fact;
    enum box_verdict_rule_kind want;
} endings[] = {
    {"SIGSYS, not named", SIGSYS_ONLY, BOX_POLICY_VIOLATION},
    {"SIGXCPU", XCPU, BOX_TIMED_OUT},
    {"SIGKILL that is not ours", KILLED_BY_HOST, BOX_OUT_OF_MEMORY},
    {"abort at the memory limit", CRASH_AT_LIMIT, BOX_OUT_OF_MEMORY},
    {"SIGSEGV", CRASH, BOX_CRASHED},
    {"exit 125", EXIT_SETUP, BOX_SANDBOX_ERROR},
    {"accepted, but exit 7", OTHER_EXIT, BOX_PROTOCOL_ERROR},
};

TEST_EACH(how_it_ended_outranks_what_it_said, endings)
{
    struct box_verdict_rule_facts f = accepting();
    add_fact(&f, it->fact);
    assert_int_equal(decide(&f), it->want);
}

TEST(a_refusal_counts_only_with_exit_one)
{
    struct box_verdict_rule_facts f = accepting();
    f.said_accepted = false;
    assert_int_equal(decide(&f), BOX_PROTOCOL_ERROR);
    f.exit_status = 1;
    assert_int_equal(decide(&f), BOX_REFUSED);
}

TEST(a_deadline_with_much_processor_time_is_final)
{
    struct box_verdict_rule_facts f = accepting();
    add_fact(&f, DEADLINE);
    f.cpu_ms = 600;
    assert_true(box_verdict_rule_decide(&f).final);
}

TEST(a_second_run_must_give_the_same_answer)
{
    assert_int_equal(box_verdict_rule_second(BOX_ACCEPTED, true, "r", true).kind, BOX_ACCEPTED);
    assert_int_equal(box_verdict_rule_second(BOX_ACCEPTED, true, "r", false).kind, BOX_REFUSED);
    assert_int_equal(box_verdict_rule_second(BOX_CRASHED, true, "r", false).kind, BOX_REFUSED);
    struct box_verdict_rule_result slow = box_verdict_rule_second(BOX_TIMED_OUT, false, "r", true);
    assert_int_equal(slow.kind, BOX_TIMED_OUT);
    assert_false(slow.final);
}

#define ALL_BUT                                                                                    \
    .rlimit = true, .no_new_privs = true, .seccomp = true, .seccomp_notify = true,                 \
    .landlock = true, .landlock_scope = true, .empty_root = true, .own_uid = true,                 \
    .user_ns = true, .pid_ns = true, .cgroup = true,
#define ALL                                                                                        \
    {                                                                                              \
        ALL_BUT                                                                                    \
    }

/* A later designator wins over the same one of ALL_BUT: that is how a row takes a layer away. */
#pragma GCC diagnostic ignored "-Woverride-init"
#if defined(__clang__)
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
static const struct {
    const char *id;
    struct box_verdict_rule_layers layers;
    const char *grade;
} grades[] = {
    {"everything", ALL, "full"},
    {"everything, with libraries", {ALL_BUT.needs_loader = true}, "full"},
    {"a user name space for the identity", {ALL_BUT.own_uid = false}, "full"},
    {"no cgroup", {ALL_BUT.cgroup = false}, "good"},
    {"no pid name space", {ALL_BUT.pid_ns = false}, "good"},
    {"no Landlock", {ALL_BUT.landlock = false, .landlock_scope = false}, "good"},
    {"no root of its own", {ALL_BUT.empty_root = false}, "good"},
    {"no identity but scope", {ALL_BUT.own_uid = false, .user_ns = false}, "good"},
    {"no listener", {ALL_BUT.seccomp_notify = false}, "good"},
    {"unprivileged: Landlock with scope",
     {.rlimit = true,
      .no_new_privs = true,
      .seccomp = true,
      .seccomp_notify = true,
      .landlock = true,
      .landlock_scope = true},
     "good"},
    {"no file layer", {ALL_BUT.landlock = false, .empty_root = false}, "weak"},
    {"no identity at all",
     {ALL_BUT.own_uid = false, .user_ns = false, .landlock_scope = false},
     "weak"},
    {"no filter", {ALL_BUT.seccomp = false, .seccomp_notify = false}, "weak"},
    {"no filter and no cgroup",
     {ALL_BUT.seccomp = false, .seccomp_notify = false, .cgroup = false},
     "none"},
    {"no filter and no pid name space",
     {ALL_BUT.seccomp = false, .seccomp_notify = false, .pid_ns = false},
     "none"},
    {"no limits", {ALL_BUT.rlimit = false}, "none"},
    {"new privileges", {ALL_BUT.no_new_privs = false}, "none"},
    {"libraries, no listener, no file layer",
     {ALL_BUT.needs_loader = true, .seccomp_notify = false, .landlock = false, .empty_root = false},
     "none"},
    {"libraries, no listener", {ALL_BUT.needs_loader = true, .seccomp_notify = false}, "good"},
    {"files without a root of its own", {ALL_BUT.needs_root = true, .empty_root = false}, "none"},
    {"nothing", {.rlimit = false}, "none"},
};

TEST_EACH(grade_is_what_the_layers_are_worth, grades)
{
    assert_string_equal(box_verdict_rule_grade(&it->layers), it->grade);
}

RUN_TESTS(cmocka_unit_test(an_acceptance_without_any_contrary_fact_accepts),
          cmocka_unit_test(each_fact_alone_denies_acceptance),
          cmocka_unit_test(each_fact_outranks_all_that_stand_behind_it),
          cmocka_unit_test(how_it_ended_outranks_what_it_said),
          cmocka_unit_test(a_refusal_counts_only_with_exit_one),
          cmocka_unit_test(a_deadline_with_much_processor_time_is_final),
          cmocka_unit_test(a_second_run_must_give_the_same_answer),
          cmocka_unit_test(grade_is_what_the_layers_are_worth))
