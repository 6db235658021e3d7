/* Goal: the launcher's own code under the sanitizers: sealing, choosing samples, a whole check in this process, the
 * reading of what a validator says. (The programs that run inside the box are built without sanitizers.) */
#include "agent/prove/box_check.h"
#include "common/base/file.h"
#include "common/box/box_run.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOSTILE RW_BIN_DIR "/../tests/ringward-validate-hostile"

static struct rw_err err;
static char folder[64];

static struct verdict check(const char *mode, size_t clean)
{
    const struct box_check_request req = {.validator = HOSTILE,
                                          .type = mode,
                                          .content = HOSTILE,
                                          .clean_files = clean,
                                          .seed = 4711,
                                          .wall_ms = 20000,
                                          .cpu_s = 1,
                                          .memory_bytes = INT64_C(512) << 20};
    struct verdict v;
    MUST(box_check_content(&req, &v, &err));
    return v;
}

static const struct {
    const char *id;
    enum verdict_kind want;
} modes[] = {
    {"good", VERDICT_ACCEPTED},           {"segv", VERDICT_CRASHED},
    {"openat", VERDICT_POLICY_VIOLATION}, {"second-object", VERDICT_PROTOCOL_ERROR},
    {"matches-all", VERDICT_REFUSED},
};

TEST_EACH(a_whole_check_in_this_process, modes)
{
    struct verdict v = check(it->id, 30);
    if (v.kind != it->want) { fail_msg("%s: %s", verdict_kind_name(v.kind), v.reason); }
    assert_true(v.clean_files > 0 && v.clean_files <= 30);
}

TEST(the_inputs_of_the_launcher_are_not_the_validators_memory)
{
    struct verdict v = check("good", 400);
    assert_int_equal(v.kind, VERDICT_ACCEPTED);
    assert_true(v.clean_bytes > 10 * 1024 * 1024);
    assert_true(v.determinism.run && v.determinism.ok);
#if !defined(__SANITIZE_ADDRESS__) /* the sanitizer's own memory would count until the exec */
    assert_true(v.peak_rss_kib * 1024 < v.clean_bytes);
#endif
}

TEST(a_sealed_file_cannot_be_changed_by_anybody)
{
    RW_AUTO(box_memory) struct box_memory m = {.fd = -1};
    RW_AUTO(rw_fd) rw_fd first = -1;
    RW_AUTO(rw_fd) rw_fd second = -1;
    char path[64];
    char byte = 0;
    MUST(box_memory_open(&m, "test", false, &err));
    MUST(box_memory_add(&m, rw_span_str("ab"), &err));
    MUST(box_memory_seal(&m, &err));
    MUST(box_memory_reopen(&m, &first, &err));
    MUST(box_memory_reopen(&m, &second, &err));
    assert_int_equal(read(first, &byte, 1), 1);
    assert_int_equal(read(second, &byte, 1), 1); /* offsets are not shared */
    assert_int_equal(byte, 'a');
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", m.fd);
    RW_AUTO(rw_fd) rw_fd writer = open(path, O_RDWR | O_CLOEXEC);
    if (writer >= 0) {
        assert_int_equal(write(writer, "x", 1), -1);
        assert_int_equal(errno, EPERM);
        assert_ptr_equal(mmap(NULL, 2, PROT_READ | PROT_WRITE, MAP_SHARED, writer, 0), MAP_FAILED);
    }
    assert_true(rw_span_is(box_memory_bytes(&m), "ab"));
}

TEST(a_file_above_its_limit_is_refused_and_never_cut)
{
    RW_AUTO(box_memory) struct box_memory m = {.fd = -1};
    MUST(box_memory_open(&m, "test", false, &err));
    MUST_FAIL(box_memory_add_file(&m, HOSTILE, 1000, &err), RW_E_TOO_BIG);
    MUST_FAIL(box_memory_add_file(&m, "/nope", 1000, &err), RW_E_NOT_FOUND);
    MUST_FAIL(box_memory_add_file(&m, "/dev/zero", 1000, &err), RW_E_IO);
}

static void make_file(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    MUST(rw_file_replace(path, 0600, rw_span_str(name), &err));
}

static void pick(struct box_pick *p, size_t want, uint64_t seed)
{
    struct box_random random = {seed};
    MUST(box_pick_below(p, folder, want, &random, &err));
}

TEST(files_are_chosen_by_seed_without_links_and_each_at_most_once)
{
    char link_path[128];
    for (int i = 0; i < 20; i++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "file-%02d", i);
        make_file(name);
    }
    (void)snprintf(link_path, sizeof(link_path), "%s/link", folder);
    assert_int_equal(symlink("/etc/passwd", link_path), 0);
    RW_AUTO(box_pick) struct box_pick all = {.count = 0};
    RW_AUTO(box_pick) struct box_pick some = {.count = 0};
    RW_AUTO(box_pick) struct box_pick same = {.count = 0};
    RW_AUTO(box_pick) struct box_pick other = {.count = 0};
    pick(&all, 100, 1);
    assert_int_equal(all.count, 20); /* the link is none of them */
    pick(&some, 7, 1);
    pick(&same, 7, 1);
    pick(&other, 7, 2);
    assert_int_equal(some.count, 7);
    bool differs = false;
    for (size_t i = 0; i < some.count; i++) {
        assert_string_equal(some.at[i], same.at[i]);
        differs = differs || strcmp(some.at[i], other.at[i]) != 0;
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(some.at[i], some.at[k]);
        }
    }
    assert_true(differs);
}

TEST(a_missing_folder_yields_no_file)
{
    RW_AUTO(box_pick) struct box_pick p = {.count = 0};
    struct box_random random = {1};
    MUST(box_pick_below(&p, "/no/such/folder", 10, &random, &err));
    assert_int_equal(p.count, 0);
}

static bool was_picked(const struct box_pick *p, const char *path)
{
    size_t times = 0;
    for (size_t i = 0; i < p->count; i++) {
        times += strcmp(p->at[i], path) == 0 ? 1 : 0;
    }
    return times == 1;
}

/* In a process of its own, whose /etc is another one. 77: this host permits none. */
static int pick_from_another_etc(void)
{
    static const char *const folders[] = {"/etc/ringward", "/etc/ringward/conf.d", "/etc/else",
                                          "/etc/else/conf.d"};
    static const char *const files[] = {"/etc/ringward/agent.conf",
                                        "/etc/ringward/conf.d/10-proxy.conf",
                                        "/etc/else/conf.d/20-more.conf", "/etc/else/conf.d/notes"};
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) { return 77; }
    (void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    if (mount("tmpfs", "/etc", "tmpfs", 0, "size=64k") != 0) { return 77; }
    for (size_t i = 0; i < RW_LEN(folders); i++) {
        if (mkdir(folders[i], 0755) != 0) { return 1; }
    }
    for (size_t i = 0; i < RW_LEN(files); i++) {
        const struct rw_span text = rw_span_str("server = x\n");
        if (!rw_is_ok(rw_file_replace(files[i], 0644, text, &err))) { return 2; }
    }
    RW_AUTO(box_pick) struct box_pick none = {.count = 0};
    RW_AUTO(box_pick) struct box_pick usual = {.count = 0};
    RW_AUTO(box_pick) struct box_pick other = {.count = 0};
    if (!rw_is_ok(box_pick_own(&none, NULL, &err)) ||
        !rw_is_ok(box_pick_own(&usual, files[0], &err)) ||
        !rw_is_ok(box_pick_own(&other, "/etc/else/agent.conf", &err))) {
        return 3;
    }
    for (size_t i = 0; i < 2; i++) {
        if (!was_picked(&none, files[i]) || !was_picked(&usual, files[i])) { return 4; }
    }
    if (!was_picked(&other, files[2]) || was_picked(&other, files[3])) { return 5; }
    return was_picked(&usual, files[2]) ? 6 : 0;
}

TEST(inv_10_the_hosts_ringward_settings_are_own_files)
{
    int status = 0;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) { _exit(pick_from_another_etc()); }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("           skipped: this host permits no mount\n");
        skip();
    }
    assert_int_equal(status, 0);
}

TEST(a_named_own_file_must_be_there)
{
    RW_AUTO(box_samples) struct box_samples s = {.count = 0};
    MUST_FAIL(box_samples_gather(&s, NULL, 0, "/no/such/agent.conf", 1, &err), RW_E_NOT_FOUND);
}

static bool is_sample(const struct box_samples *s, const char *path)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->at[i].path != NULL && strcmp(s->at[i].path, path) == 0) { return true; }
    }
    return false;
}

/* Beside this program, where our own files are looked for. */
TEST(own_settings_are_samples_and_own_secrets_are_not)
{
    static const struct {
        const char *name, *text;
        bool sample;
    } files[] = {{"ringward-of-test.conf", "server = https://x", true},
                 {"ringward-of-test.token", "anything", false},
                 {"ringward-of-test-join", "rwj1.secret", false}};
    char paths[RW_LEN(files)][PATH_MAX];
    RW_AUTO(box_samples) struct box_samples s = {.count = 0};
    RW_AUTO(box_samples) struct box_samples named = {.count = 0};
    for (size_t i = 0; i < RW_LEN(files); i++) {
        MUST(box_beside_self(files[i].name, paths[i], sizeof(paths[i]), &err));
        MUST(rw_file_replace(paths[i], 0644, rw_span_str(files[i].text), &err));
    }
    MUST(box_samples_gather(&s, NULL, 0, NULL, 1, &err));
    MUST(box_samples_gather(&named, NULL, 0, paths[1], 1, &err));
    for (size_t i = 0; i < RW_LEN(files); i++) {
        assert_int_equal(unlink(paths[i]), 0);
        assert_int_equal(is_sample(&s, paths[i]), files[i].sample);
    }
    assert_true(is_sample(&named, paths[1])); /* who names it wants it */
}

TEST(an_order_is_a_permutation)
{
    struct box_random random = {99};
    uint32_t order[200];
    bool seen[200] = {false};
    bool moved = false;
    box_random_order(&random, order, RW_LEN(order));
    for (size_t i = 0; i < RW_LEN(order); i++) {
        assert_true(order[i] < RW_LEN(order) && !seen[order[i]]);
        seen[order[i]] = true;
        moved = moved || order[i] != i;
    }
    assert_true(moved);
}

#define HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SAID(verdict, rest)                                                                        \
    "{\"format\":\"rwv1\",\"verdict\":\"" verdict "\",\"reason\":\"r\",\"content_sha256\":\"" HASH \
    "\",\"rules\":2" rest "}"

#define FACT(id) "{\"id\":\"" id "\",\"ok\":true,\"n\":1,\"wrong\":0}"

static const struct {
    const char *id;
    const char *text;
    bool valid;
} said[] = {
    {"accepted", SAID("accepted", ",\"hits\":\"01\""), true},
    {"refused", SAID("refused", ",\"hits\":\"\""), true},
    {"with names", SAID("accepted", ",\"hits\":\"1\",\"named\":[\"rule\"]"), true},
    {"no hits", SAID("accepted", ""), false},
    {"hits of rules that alert", SAID("accepted", ",\"hits\":\"012\""), true},
    {"hits of another kind", SAID("accepted", ",\"hits\":\"013\""), false},
    {"checks of its own", SAID("refused", ",\"hits\":\"\",\"checks\":[" FACT("schema") "]"), true},
    {"a check that is not its to make",
     SAID("refused", ",\"hits\":\"\",\"checks\":[" FACT("own_files") "]"), false},
    {"a check twice",
     SAID("refused", ",\"hits\":\"\",\"checks\":[" FACT("schema") "," FACT("schema") "]"), false},
    {"fields that are covered",
     SAID("accepted", ",\"hits\":\"1\",\"covered\":[\"t/a:0\",\"t/b:\"]"), true},
    {"a field covered by nonsense", SAID("accepted", ",\"hits\":\"1\",\"covered\":[\"t/a:x\"]"),
     false},
    {"a field without a list", SAID("accepted", ",\"hits\":\"1\",\"covered\":[\"t/a\"]"), false},
    {"too many samples of one field",
     SAID("accepted", ",\"hits\":\"1\",\"covered\":[\"t/a:1,2,3,4\"]"), false},
    {"a slowest sample", SAID("accepted", ",\"hits\":\"\",\"slowest_us\":12"), true},
    {"a slowest sample that is no number", SAID("accepted", ",\"hits\":\"\",\"slowest_us\":\"1\""),
     false},
    {"an unknown member", SAID("accepted", ",\"hits\":\"\",\"final\":true"), false},
    {"an unknown verdict", SAID("trusted", ",\"hits\":\"\""), false},
    {"names that are numbers", SAID("accepted", ",\"hits\":\"1\",\"named\":[1]"), false},
    {"names nested", SAID("accepted", ",\"hits\":\"1\",\"named\":[[\"x\"]]"), false},
    {"something behind it", SAID("accepted", ",\"hits\":\"\"") " ", true},
    {"an object behind it", SAID("accepted", ",\"hits\":\"\"") "{}", false},
    {"nothing", "", false},
    {"an array", "[]", false},
};

TEST_EACH(what_a_validator_says_is_read_strictly, said)
{
    static struct box_said s;
    box_said_read(rw_span_str(it->text), &s);
    assert_int_equal(s.valid, it->valid);
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/rw-check-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    char path[128];
    (void)state;
    for (int i = 0; i < 20; i++) {
        (void)snprintf(path, sizeof(path), "%s/file-%02d", folder, i);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof(path), "%s/link", folder);
    (void)unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_check_in_this_process),
        cmocka_unit_test(the_inputs_of_the_launcher_are_not_the_validators_memory),
        cmocka_unit_test(a_sealed_file_cannot_be_changed_by_anybody),
        cmocka_unit_test(a_file_above_its_limit_is_refused_and_never_cut),
        cmocka_unit_test(files_are_chosen_by_seed_without_links_and_each_at_most_once),
        cmocka_unit_test(a_missing_folder_yields_no_file),
        cmocka_unit_test(inv_10_the_hosts_ringward_settings_are_own_files),
        cmocka_unit_test(a_named_own_file_must_be_there),
        cmocka_unit_test(own_settings_are_samples_and_own_secrets_are_not),
        cmocka_unit_test(an_order_is_a_permutation),
        cmocka_unit_test(what_a_validator_says_is_read_strictly),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
