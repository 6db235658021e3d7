/* Goal: whatever a validator does, the real ringward-box names it, nothing but an honest acceptance is
 * accepted (INV-5), our own files are never a target (INV-10), every layer is accounted for (INV-12), and no
 * process is left behind. */
#include "common/base/file.h"
#include "common/base/proc.h"
#include "common/box/box_run.h"
#include "tests/harness.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOX     RW_BIN_DIR "/ringward-box"
#define HOSTILE RW_BIN_DIR "/../tests/ringward-validate-hostile"
#define YARA    RW_BIN_DIR "/ringward-validate-yara"

static struct rw_err err;
static char folder[64];

static void write_file(const char *name, const void *bytes, size_t n, char path[static 128])
{
    (void)snprintf(path, 128, "%s/%s", folder, name);
    MUST(rw_file_replace(path, 0600, rw_span_of(bytes, n), &err));
}

/* Runs the box and gives its exit status; its standard output goes into `out`. */
static int run_box(char *const argv[], struct rw_buf *out)
{
    int pair[2];
    struct proc child;
    struct proc_exit gone;
    assert_int_equal(pipe(pair), 0);
    const struct proc_fd fds[] = {{pair[1], STDOUT_FILENO}};
    const struct proc_spec spec = {.path = BOX, .argv = argv, .fds = fds, .fd_count = 1};
    MUST(proc_start(&spec, &child, &err));
    (void)close(pair[1]);
    for (ssize_t got = 1; got > 0;) {
        uint8_t *at = NULL;
        MUST(rw_buf_reserve(out, 4096, &at, &err));
        got = read(pair[0], at, 4096);
        if (got > 0) { rw_buf_commit(out, (size_t)got); }
    }
    (void)close(pair[0]);
    MUST(proc_wait(&child, 60000, &gone, &err));
    assert_false(gone.signaled);
    return gone.status;
}

/* We are the reaper of all descendants: an orphan of the box would be ours now. */
static void nobody_is_left(void)
{
    pid_t left = waitpid(-1, NULL, WNOHANG);
    assert_int_equal(left, -1);
    assert_int_equal(errno, ECHILD);
}

static struct verdict check(const char *validator, const char *type, const char *content,
                            const char *samples, int *status_out)
{
    char *const argv[] = {"ringward-box",
                          "run",
                          "--validator",
                          (char *)(uintptr_t)validator,
                          "--type",
                          (char *)(uintptr_t)type,
                          "--content",
                          (char *)(uintptr_t)content,
                          "--wall",
                          "6s",
                          "--cpu",
                          "1s",
                          "--memory",
                          "128MiB",
                          "--clean-files",
                          "20",
                          samples != NULL ? "--samples" : NULL,
                          (char *)(uintptr_t)samples,
                          NULL};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(VERDICT_TEXT_BYTES_MAX);
    struct verdict v;
    *status_out = run_box(argv, &text);
    MUST(verdict_read(rw_buf_span(&text), &v, &err));
    nobody_is_left();
    return v;
}

static const struct {
    const char *id; /* mode of the hostile validator */
    enum verdict_kind want;
    const char *syscall; /* "": none; NULL: not looked at */
    int64_t signal;      /* -1: not looked at */
} attacks[] = {
    {"good", VERDICT_ACCEPTED, "", 0},
    {"segv", VERDICT_CRASHED, "", 11},
    {"abort", VERDICT_CRASHED, "", 6},
    {"spin", VERDICT_TIMED_OUT, "", -1},
    {"alloc", VERDICT_OUT_OF_MEMORY, "", -1},
    {"oom-exit", VERDICT_OUT_OF_MEMORY, "", 0},
    {"fork", VERDICT_POLICY_VIOLATION, "clone", -1},
    {"thread", VERDICT_POLICY_VIOLATION, "clone", -1},
    {"openat", VERDICT_POLICY_VIOLATION, "openat", -1},
    {"write-tmp", VERDICT_POLICY_VIOLATION, "openat", -1},
    {"connect", VERDICT_POLICY_VIOLATION, "socket", -1},
    {"ptrace", VERDICT_POLICY_VIOLATION, "ptrace", -1},
    {"kill-parent", VERDICT_POLICY_VIOLATION, "kill", -1},
    {"tgkill-parent", VERDICT_POLICY_VIOLATION, "tgkill", -1},
    {"rwx", VERDICT_POLICY_VIOLATION, "mmap", -1},
    {"mprotect", VERDICT_POLICY_VIOLATION, "mprotect", -1},
    {"exec", VERDICT_POLICY_VIOLATION, "execve", -1},
    {"memfd", VERDICT_POLICY_VIOLATION, "memfd_create", -1},
    {"unshare", VERDICT_POLICY_VIOLATION, "unshare", -1},
    {"poll", VERDICT_POLICY_VIOLATION, NULL, -1},
    {"write-content", VERDICT_POLICY_VIOLATION, "pwrite64", -1},
    {"int80", VERDICT_POLICY_VIOLATION, NULL, -1},
    {"flood-verdict", VERDICT_PROTOCOL_ERROR, "", -1},
    {"flood-stderr", VERDICT_PROTOCOL_ERROR, "", -1},
    {"silent", VERDICT_PROTOCOL_ERROR, "", 0},
    {"accept-then-crash", VERDICT_CRASHED, "", 6},
    {"accept-exit7", VERDICT_PROTOCOL_ERROR, "", 0},
    {"refuse-exit0", VERDICT_PROTOCOL_ERROR, "", 0},
    {"second-object", VERDICT_PROTOCOL_ERROR, "", 0},
    {"key-twice", VERDICT_PROTOCOL_ERROR, "", 0},
    {"deep", VERDICT_PROTOCOL_ERROR, "", 0},
    {"wrong-hash", VERDICT_PROTOCOL_ERROR, "", 0},
    {"matches-all", VERDICT_REFUSED, "", 0},
};

TEST_EACH(every_attack_gets_its_verdict, attacks)
{
    char content[128];
    int status = 0;
    write_file("content", "content", 7, content);
    struct verdict v = check(HOSTILE, it->id, content, NULL, &status);
    if (v.kind != it->want) {
        fail_msg("%s: %s (%s), want %s", it->id, verdict_kind_name(v.kind), v.reason,
                 verdict_kind_name(it->want));
    }
    assert_int_equal(status, it->want == VERDICT_ACCEPTED ? 0 : 9);
    if (it->syscall != NULL) { assert_string_equal(v.syscall, it->syscall); }
    if (it->signal >= 0) { assert_int_equal(v.signal, it->signal); }
}

TEST(a_sleeper_is_stopped_by_the_wall_clock_and_may_be_asked_again)
{
    char content[128];
    int status = 0;
    write_file("content", "content", 7, content);
    struct verdict v = check(HOSTILE, "sleep", content, NULL, &status);
    assert_int_equal(v.kind, VERDICT_TIMED_OUT);
    assert_false(v.final);
    assert_int_equal(status, 1);
}

TEST(terminal_escapes_do_not_reach_the_reader)
{
    char content[128];
    int status = 0;
    write_file("content", "content", 7, content);
    struct verdict v = check(HOSTILE, "escapes", content, NULL, &status);
    assert_int_equal(v.kind, VERDICT_REFUSED);
    assert_string_equal(v.reason, "?[2J evil ?");
}

TEST(a_validator_that_matches_all_is_told_of_our_own_files)
{
    char content[128];
    int status = 0;
    write_file("content", "content", 7, content);
    struct verdict v = check(HOSTILE, "matches-all", content, NULL, &status);
    assert_true(v.own_files.run && !v.own_files.ok && v.own_files.wrong >= 2); /* INV-10 */
    assert_non_null(strstr(v.reason, "own files"));
}

TEST(a_forged_acceptance_fails_on_samples_that_it_cannot_know)
{
    static const uint8_t file[] = {'R', 'W', 'S', '1', 1,   0,   0,   0,  1,
                                   4,   0,   0,   0,   'e', 'v', 'i', 'l'};
    char content[128];
    char samples[128];
    int status = 0;
    write_file("content", "content", 7, content);
    write_file("samples", file, sizeof(file), samples);
    struct verdict v = check(HOSTILE, "good", content, samples, &status);
    assert_int_equal(v.kind, VERDICT_REFUSED);
    assert_int_equal(v.must_match.wrong, 1);
}

TEST(a_moody_validator_is_never_accepted_ten_times)
{
    char content[128];
    int accepted = 0;
    write_file("content", "content", 7, content);
    for (int i = 0; i < 10; i++) {
        int status = 0;
        struct verdict v = check(HOSTILE, "moody", content, NULL, &status);
        accepted += v.kind == VERDICT_ACCEPTED ? 1 : 0;
        if (v.kind != VERDICT_ACCEPTED) { assert_int_equal(v.kind, VERDICT_REFUSED); }
    }
    assert_true(accepted < 10); /* one in four passes both runs by luck */
}

TEST(every_layer_is_in_force_or_named_as_missing)
{
    static const char *const layers[] = {"rlimit", "nnp",   "uid",     "landlock",
                                         "mdwe",   "mntns", "seccomp", "seccomp_notify",
                                         "pidns",  "cgroup"};
    char content[128];
    int status = 0;
    write_file("content", "content", 7, content);
    struct verdict v = check(HOSTILE, "good", content, NULL, &status);
    assert_string_equal(v.grade, "full");
    for (size_t i = 0; i < RW_LEN(layers); i++) { /* INV-12 */
        bool told = false;
        for (size_t k = 0; k < v.layer_count; k++) {
            told = told || strncmp(v.layers[k], layers[i], strlen(layers[i])) == 0;
        }
        for (size_t k = 0; k < v.missing_count; k++) {
            told = told || strncmp(v.missing[k], layers[i], strlen(layers[i])) == 0;
        }
        if (!told) { fail_msg("layer %s is not told", layers[i]); }
    }
}

TEST(a_dynamic_program_is_no_validator)
{
    char content[128];
    int status = 0;
    write_file("content", "content", 7, content);
    struct verdict v = check("/bin/true", "good", content, NULL, &status);
    assert_int_not_equal(v.kind, VERDICT_ACCEPTED);
    assert_int_not_equal(status, 0);
}

static const struct {
    const char *id;
    const char *text;
    enum verdict_kind want;
    const char *reason; /* part of it */
} rules[] = {
    {"a plain rule", "rule a { strings: $a = \"no such text anywhere 4711\" condition: $a }",
     VERDICT_ACCEPTED, "1 rules"},
    {"a syntax error", "rule a {\n strings:\n $a = \"x\"\n condition: $b }", VERDICT_REFUSED,
     "line 4"},
    {"an include", "include \"/etc/passwd\"\nrule a { condition: false }", VERDICT_REFUSED,
     "include"},
    {"an unknown module", "import \"nothing\" rule a { condition: false }", VERDICT_REFUSED,
     "nothing"},
    {"a module that is not permitted", "import \"console\" rule a { condition: console.log(1) }",
     VERDICT_REFUSED, "console"},
    {"the clock", "import \"time\" rule a { condition: time.now() > 0 }", VERDICT_REFUSED, "time"},
    {"no rule", "/* nothing */", VERDICT_REFUSED, "no rule"},
    {"nothing at all", "", VERDICT_REFUSED, "no rule"},
    {"two rules of one name", "rule a { condition: false } rule a { condition: false }",
     VERDICT_REFUSED, "duplicate"},
    {"matches everything", "rule a { condition: true }", VERDICT_REFUSED, "own files"},
    {"matches every program", "rule elf { strings: $a = { 7F 45 4C 46 } condition: $a at 0 }",
     VERDICT_REFUSED, "by rule elf"},
    {"a loop without end",
     "rule a { condition: for all i in (0..100000000) : (for all j in (0..100000000) : (i+j >= 0)) "
     "}",
     VERDICT_REFUSED, "too long"},
    {"a module that is permitted", "import \"elf\" rule a { condition: elf.type == 77 }",
     VERDICT_ACCEPTED, "1 rules"},
};

TEST_EACH(yara_content_gets_its_verdict, rules)
{
    char content[128];
    int status = 0;
    write_file("rules.yar", it->text, strlen(it->text), content);
    struct verdict v = check(YARA, "yara", content, NULL, &status);
    if (v.kind != it->want && !(v.kind == VERDICT_TIMED_OUT && v.final)) {
        fail_msg("%s: %s (%s)", it->id, verdict_kind_name(v.kind), v.reason);
    }
    if (v.kind == it->want && strstr(v.reason, it->reason) == NULL) {
        fail_msg("%s: reason '%s'", it->id, v.reason);
    }
}

TEST(a_rule_aimed_at_the_agent_names_the_file)
{
    static const char text[] =
        "rule saw { strings: $a = \"started by ringward-box, as in\" condition: $a }";
    char content[128];
    int status = 0;
    write_file("rules.yar", text, sizeof(text) - 1, content);
    struct verdict v = check(YARA, "yara", content, NULL, &status);
    assert_int_equal(v.kind, VERDICT_REFUSED);               /* INV-10 */
    assert_non_null(strstr(v.reason, "ringward-validate-")); /* any of them: both say this */
    assert_non_null(strstr(v.reason, " by rule saw"));
}

TEST(a_file_with_a_nul_byte_is_no_rule_text)
{
    char content[128];
    int status = 0;
    write_file("rules.yar", "rule a\0{}", 9, content);
    struct verdict v = check(YARA, "yara", content, NULL, &status);
    assert_int_equal(v.kind, VERDICT_REFUSED);
    assert_non_null(strstr(v.reason, "offset 6"));
}

TEST(the_seed_of_a_verdict_chooses_the_same_files_again)
{
    char content[128];
    char seed[32];
    int status = 0;
    write_file("content", "content", 7, content);
    struct verdict v = check(HOSTILE, "good", content, NULL, &status);
    (void)snprintf(seed, sizeof(seed), "%lld", (long long)v.clean_seed);
    char *const argv[] = {"ringward-box",  "run",       "--validator", HOSTILE,  "--type",
                          "good",          "--content", content,       "--seed", seed,
                          "--clean-files", "20",        NULL};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(VERDICT_TEXT_BYTES_MAX);
    struct verdict again;
    assert_int_equal(run_box(argv, &text), 0);
    MUST(verdict_read(rw_buf_span(&text), &again, &err));
    assert_int_equal(again.clean_seed, v.clean_seed);
    assert_int_equal(again.clean_files, v.clean_files);
    assert_int_equal(again.clean_bytes, v.clean_bytes);
}

static const struct {
    const char *id;
    char *argv[12];
    int status;
} usages[] = {
    {"no verb", {"ringward-box", NULL}, 2},
    {"an unknown verb", {"ringward-box", "jump", NULL}, 2},
    {"help", {"ringward-box", "--help", NULL}, 0},
    {"help of run", {"ringward-box", "run", "--help", NULL}, 0},
    {"no content", {"ringward-box", "run", "--validator", HOSTILE, "--type", "good", NULL}, 2},
    {"no such content",
     {"ringward-box", "run", "--validator", HOSTILE, "--type", "good", "--content", "/nope", NULL},
     7},
    {"an odd type",
     {"ringward-box", "run", "--validator", HOSTILE, "--type", "../x", "--content", "/etc/hostname",
      NULL},
     2},
    {"an odd time",
     {"ringward-box", "run", "--validator", HOSTILE, "--type", "good", "--content", "/etc/hostname",
      "--wall", "fast", NULL},
     2},
    {"samples that are none",
     {"ringward-box", "run", "--validator", HOSTILE, "--type", "good", "--content", "/etc/hostname",
      "--samples", "/etc/hostname", NULL},
     2},
    {"pack without a target", {"ringward-box", "pack-samples", "--must", "/etc/hostname", NULL}, 2},
};

TEST_EACH(usage_errors_have_their_exit_status, usages)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(65536);
    assert_int_equal(run_box(it->argv, &text), it->status);
    if (it->status != 0) { assert_int_equal(text.n, 0); }
}

TEST(packed_samples_decide)
{
    char yes[128];
    char no[128];
    char rws[128];
    char content[128];
    int status = 0;
    static const char text[] = "rule a { strings: $a = \"needle 4711\" condition: $a at 0 }";
    write_file("yes", "needle 4711", 11, yes);
    write_file("no", "haystack", 8, no);
    write_file("rules.yar", text, sizeof(text) - 1, content);
    (void)snprintf(rws, sizeof(rws), "%s/s.rws", folder);
    char *const right[] = {
        "ringward-box", "pack-samples", "--must", yes, "--must-not", no, "--out", rws, NULL};
    char *const wrong[] = {
        "ringward-box", "pack-samples", "--must", no, "--must-not", yes, "--out", rws, NULL};
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(65536);
    assert_int_equal(run_box(right, &out), 0);
    struct verdict v = check(YARA, "yara", content, rws, &status);
    assert_int_equal(v.kind, VERDICT_ACCEPTED);
    assert_int_equal(v.must_match.count, 1);
    assert_int_equal(run_box(wrong, &out), 0);
    v = check(YARA, "yara", content, rws, &status);
    assert_int_equal(v.kind, VERDICT_REFUSED);
    assert_int_equal(v.must_match.wrong, 1);
    assert_int_equal(v.must_not_match.wrong, 1);
}

TEST(a_box_that_is_not_there_is_a_sandbox_error)
{
    struct verdict v;
    const struct box_request req = {.box = "/nope/ringward-box",
                                    .validator = HOSTILE,
                                    .type = "good",
                                    .content = "/etc/hostname"};
    MUST(box_check(&req, &v, &err));
    assert_int_equal(v.kind, VERDICT_SANDBOX_ERROR); /* INV-3: never accepted */
    assert_false(v.final);
}

/* Goal: whoever reads the verdict learns which program is missing, not that an empty text is no JSON. */
TEST(a_validator_that_is_not_there_is_named)
{
    char content[128];
    char conf[160];
    struct verdict v;
    char validator[128];
    write_file("content", "content", 7, content);
    (void)snprintf(validator, sizeof(validator), "%s/ringward-validate-nope", folder);
    const struct box_request req = {
        .box = BOX, .validator = validator, .type = "good", .content = content};
    MUST(box_check(&req, &v, &err));
    assert_int_equal(v.kind, VERDICT_SANDBOX_ERROR); /* INV-3: never accepted */
    assert_non_null(strstr(v.reason, "cannot run the validator"));
    assert_non_null(strstr(v.reason, validator));
    assert_non_null(strstr(v.reason, "install it"));
    /* Settings alone may name a program elsewhere; that one is missing as well, as only the box can see. */
    write_file("ringward-validate-nope.conf", "program = /nope/engine\n", 23, conf);
    MUST(box_check(&req, &v, &err));
    assert_int_equal(v.kind, VERDICT_SANDBOX_ERROR);
    assert_non_null(strstr(v.reason, "without a verdict"));
}

TEST(box_run_hands_over_what_it_is_asked)
{
    char content[128];
    struct verdict v;
    write_file("content", "content", 7, content);
    const struct box_request req = {.box = BOX,
                                    .validator = HOSTILE,
                                    .type = "good",
                                    .content = content,
                                    .own_file = content,
                                    .clean_files = 3,
                                    .wall_ms = 15000};
    MUST(box_check(&req, &v, &err));
    assert_int_equal(v.kind, VERDICT_ACCEPTED);
    assert_int_equal(v.limit_wall_ms, 15000);
    assert_true(v.clean_files <= 3);
    assert_true(v.own_files.count >= 3);
}

TEST(the_self_test_passes_here)
{
    char *const argv[] = {"ringward-box", "self-test", NULL};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(65536);
    assert_int_equal(run_box(argv, &text), 0);
    assert_non_null(strstr(rw_buf_str(&text), "grade    full"));
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/rw-box-XXXXXX");
    return mkdtemp(folder) != NULL && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {
        "content", "samples", "rules.yar", "yes", "no", "s.rws", "ringward-validate-nope.conf"};
    (void)state;
    for (size_t i = 0; i < RW_LEN(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_attack_gets_its_verdict),
        cmocka_unit_test(a_sleeper_is_stopped_by_the_wall_clock_and_may_be_asked_again),
        cmocka_unit_test(terminal_escapes_do_not_reach_the_reader),
        cmocka_unit_test(a_validator_that_matches_all_is_told_of_our_own_files),
        cmocka_unit_test(a_forged_acceptance_fails_on_samples_that_it_cannot_know),
        cmocka_unit_test(a_moody_validator_is_never_accepted_ten_times),
        cmocka_unit_test(every_layer_is_in_force_or_named_as_missing),
        cmocka_unit_test(a_dynamic_program_is_no_validator),
        cmocka_unit_test(yara_content_gets_its_verdict),
        cmocka_unit_test(a_rule_aimed_at_the_agent_names_the_file),
        cmocka_unit_test(a_file_with_a_nul_byte_is_no_rule_text),
        cmocka_unit_test(the_seed_of_a_verdict_chooses_the_same_files_again),
        cmocka_unit_test(usage_errors_have_their_exit_status),
        cmocka_unit_test(packed_samples_decide),
        cmocka_unit_test(a_box_that_is_not_there_is_a_sandbox_error),
        cmocka_unit_test(a_validator_that_is_not_there_is_named),
        cmocka_unit_test(box_run_hands_over_what_it_is_asked),
        cmocka_unit_test(the_self_test_passes_here),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
