/* Goal: each layer alone may be missing, and what then happens is what the documents say: its absence is named, the
 * grade follows, a grade of none starts nothing and weak only by setting (INV-12), and what the other layers stop they
 * still stop, by the same verdict (INV-5). */
#include "agent/prove/box_cgroup.h"
#include "agent/prove/box_grade.h"
#include "common/box/box_run.h"

#define RIG_BOX RW_BIN_DIR "/ringward-box"
#include "tests/box_rig.h"

static const struct layer_case {
    const char *id;
    const char *grade;        /* of root */
    const char *unprivileged; /* with name spaces */
    bool named;               /* denied calls still have their names */
} layers[] = {
    {"rlimit", "none", "none", false},
    {"nnp", "none", "none", false},
    {"uid", "good", "good", true},
    {"mntns", "good", "good", true},
    {"pidns", "good", "good", true},
    {"netns", "full", "good", true},
    {"ipcns", "full", "good", true},
    {"utsns", "full", "good", true},
    {"cgroup", "good", "good", true},
    {"landlock", "good", "good", true},
    {"landlock_truncate", "full", "good", true},
    {"landlock_net", "full", "good", true},
    {"landlock_scope", "full", "good", true},
    {"mdwe", "full", "good", true},
    {"seccomp_notify", "good", "good", false},
    {"seccomp", "weak", "none", false},
};

static const struct attack {
    const char *id;
    enum verdict_kind want;
    const char *syscall;
} attacks[] = {
    {"good", VERDICT_ACCEPTED, ""},
    {"segv", VERDICT_CRASHED, ""},
    {"abort", VERDICT_CRASHED, ""},
    {"alloc", VERDICT_OUT_OF_MEMORY, ""},
    {"fork", VERDICT_POLICY_VIOLATION, "clone"},
    {"thread", VERDICT_POLICY_VIOLATION, "clone"},
    {"shadow", VERDICT_POLICY_VIOLATION, "openat"},
    {"write-tmp", VERDICT_POLICY_VIOLATION, "openat"},
    {"connect", VERDICT_POLICY_VIOLATION, "socket"},
    {"kill-parent", VERDICT_POLICY_VIOLATION, "kill"},
    {"kill-all", VERDICT_POLICY_VIOLATION, "kill"},
    {"ptrace", VERDICT_POLICY_VIOLATION, "ptrace"},
    {"rwx", VERDICT_POLICY_VIOLATION, "mmap"},
    {"exec", VERDICT_POLICY_VIOLATION, "execve"},
    {"memfd", VERDICT_POLICY_VIOLATION, "memfd_create"},
    {"unshare", VERDICT_POLICY_VIOLATION, "unshare"},
    {"io-uring", VERDICT_POLICY_VIOLATION, "io_uring_setup"},
    {"write-content", VERDICT_POLICY_VIOLATION, "pwrite64"},
    {"environ", VERDICT_POLICY_VIOLATION, "openat"},
    {"abstract", VERDICT_POLICY_VIOLATION, "socket"},
    {"mprotect", VERDICT_POLICY_VIOLATION, "mprotect"},
    {"content-as-code", VERDICT_POLICY_VIOLATION, "mmap"},
    {"mount", VERDICT_POLICY_VIOLATION, "mount"},
    {"keyctl", VERDICT_POLICY_VIOLATION, "keyctl"},
#if defined(__x86_64__)
    {"int80", VERDICT_POLICY_VIOLATION, ""},
#endif
    {"fds", VERDICT_ACCEPTED, ""},
    {"silent", VERDICT_PROTOCOL_ERROR, ""},
    {"flood-verdict", VERDICT_PROTOCOL_ERROR, ""},
};

static void attack_without(const struct layer_case *layer, const struct attack *attack,
                           bool unprivileged)
{
    const struct rig_run run = {.validator = "hostile",
                                .type = attack->id,
                                .unprivileged = unprivileged,
                                .without = layer->id};
    struct verdict v = rig_check(&run);
    if (v.kind != attack->want) {
        fail_msg("without %s: %s: %s (%s)", layer->id, attack->id, verdict_kind_name(v.kind),
                 v.reason);
    }
    assert_string_equal(v.syscall, layer->named ? attack->syscall : "");
}

static void layer_alone(const struct layer_case *it, bool unprivileged)
{
    const char *grade = unprivileged ? it->unprivileged : it->grade;
    bool starts = strcmp(grade, "full") == 0 || strcmp(grade, "good") == 0;
    const struct rig_run run = {
        .validator = "hostile", .type = "good", .unprivileged = unprivileged, .without = it->id};
    struct verdict v = rig_check(&run);
    assert_string_equal(v.grade, grade);
    assert_true(rig_missing(&v, it->id)); /* INV-12 */
    assert_false(rig_in_force(&v, it->id));
    if (!starts) {
        assert_int_equal(v.kind, VERDICT_SANDBOX_ERROR);
        assert_false(v.final);
        assert_non_null(strstr(v.reason, "not started"));
        assert_non_null(strstr(v.reason, it->id));
        return;
    }
    for (size_t i = 0; i < RW_LEN(attacks); i++) {
        attack_without(it, &attacks[i], unprivileged);
    }
}

TEST_EACH(one_layer_less_for_root, layers)
{
    if (geteuid() != 0) { skip(); }
    layer_alone(it, false);
}

TEST_EACH(one_layer_less_for_an_unprivileged_user, layers)
{
    if (strcmp(it->id, "uid") == 0 || strcmp(it->id, "cgroup") == 0) { return; } /* never had */
    layer_alone(it, true);
}

TEST(without_a_user_name_space_an_unprivileged_user_has_none_at_all)
{
    const struct rig_run run = {
        .validator = "hostile", .type = "good", .unprivileged = true, .without = "userns"};
    struct verdict v = rig_check(&run);
    assert_int_equal(v.kind, VERDICT_ACCEPTED);
    assert_string_equal(v.grade, "good");
    assert_true(rig_missing(&v, "mntns") && rig_missing(&v, "pidns") && rig_missing(&v, "netns"));
}

TEST(weak_runs_only_by_setting_and_none_never)
{
    if (geteuid() != 0) { skip(); }
    const struct rig_run weak = {
        .validator = "hostile", .type = "good", .without = "seccomp", .allow_weak = true};
    const struct rig_run none = {
        .validator = "hostile", .type = "good", .without = "seccomp,cgroup", .allow_weak = true};
    struct verdict v = rig_check(&weak);
    assert_int_equal(v.kind, VERDICT_ACCEPTED);
    assert_string_equal(v.grade, "weak");
    v = rig_check(&none);
    assert_int_equal(v.kind, VERDICT_SANDBOX_ERROR);
    assert_string_equal(v.grade, "none");
    const struct rig_run bare = {.validator = "hostile",
                                 .type = "good",
                                 .without = "seccomp,namespaces",
                                 .allow_weak = true};
    v = rig_check(&bare);
    assert_int_equal(v.kind, VERDICT_SANDBOX_ERROR);
    assert_string_equal(v.grade, "none");
}

TEST(what_is_inferred_without_a_control_group_says_so)
{
    const struct rig_run run = {.validator = "hostile", .type = "alloc", .without = "cgroup"};
    struct verdict v = rig_check(&run);
    assert_int_equal(v.kind, VERDICT_OUT_OF_MEMORY);
    assert_int_equal(v.oom_kills, 0);
    assert_int_equal(v.cgroup_peak_kib, 0);
}

static const struct {
    const char *id;
    const char *validator;
    const char *without;
    const char *grade;
} profiles[] = {
    {"dynamic without a listener", "dynamic", "seccomp_notify", "good"},
    {"dynamic without its root", "dynamic", "mntns", "good"},
    {"dynamic without Landlock", "dynamic", "landlock", "good"},
    {"dynamic without listener and root", "dynamic", "seccomp_notify,mntns", "good"},
    {"dynamic without listener, root and Landlock", "dynamic", "seccomp_notify,mntns,landlock",
     "none"},
    {"files without Landlock", "files", "landlock", "good"},
    {"files without its root", "files", "mntns", "none"},
};

TEST_EACH(profiles_with_libraries_need_more, profiles)
{
    if (geteuid() != 0) { skip(); }
    const struct rig_run run = {.validator = it->validator, .type = "good", .without = it->without};
    const struct rig_run secret = {
        .validator = it->validator, .type = "shadow", .without = it->without};
    struct verdict v = rig_check(&run);
    assert_string_equal(v.grade, it->grade);
    bool starts = strcmp(it->grade, "good") == 0;
    assert_int_equal(v.kind, starts ? VERDICT_ACCEPTED : VERDICT_SANDBOX_ERROR);
    if (!starts) { return; }
    v = rig_check(&secret); /* named, or not there, or not permitted: never read */
    assert_null(strstr(v.reason, "works"));
}

static const struct {
    const char *id;
    bool ok;
} lists[] = {
    {"pidns", true},   {"pidns,cgroup", true}, {"namespaces", true},
    {"", false},       {"pidn", false},        {"pidns,", false},
    {"pidns ", false}, {"landlock", true},     {"landlock_", false},
};

TEST_EACH(lists_of_layers_are_read_strictly, lists)
{
    struct rw_err err;
    uint32_t bits = 0;
    struct rw_rc rc = box_layer_parse(it->id, &bits, &err);
    assert_int_equal(rw_is_ok(rc), it->ok);
    if (it->ok) { assert_true(bits != 0); }
}

TEST(every_layer_is_told_in_words)
{
    struct box_layers l = {.landlock_abi = 3, .cgroup_version = 2};
    for (int i = 0; i < BOX_LAYERS; i++) {
        enum box_layer layer = (enum box_layer)i;
        char text[BOX_LAYER_WHY_BYTES] = "";
        box_layer_note(&l, layer, false, EOPNOTSUPP);
        box_layer_why(&l, layer, text, sizeof(text));
        assert_true(text[0] != '\0');
        box_layer_title(&l, layer, text, sizeof(text));
        assert_int_equal(strncmp(text, box_layer_name(layer), strlen(box_layer_name(layer))), 0);
    }
    char why[BOX_LAYER_WHY_BYTES];
    box_layer_why(&l, BOX_LAYER_SCOPE, why, sizeof(why));
    assert_string_equal(why, "Landlock ABI 3 has no such thing");
    char text[BOX_GRADE_TEXT_BYTES];
    assert_false(box_grade_permits(&l, BOX_PROFILE_STATIC, true, text));
    assert_non_null(strstr(text, "seccomp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_layer_less_for_root),
        cmocka_unit_test(one_layer_less_for_an_unprivileged_user),
        cmocka_unit_test(without_a_user_name_space_an_unprivileged_user_has_none_at_all),
        cmocka_unit_test(weak_runs_only_by_setting_and_none_never),
        cmocka_unit_test(what_is_inferred_without_a_control_group_says_so),
        cmocka_unit_test(profiles_with_libraries_need_more),
        cmocka_unit_test(lists_of_layers_are_read_strictly),
        cmocka_unit_test(every_layer_is_told_in_words),
    };
    return cmocka_run_group_tests(tests, rig_open, rig_close);
}
