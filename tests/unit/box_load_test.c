/* Goal: the dry run of a sensor's loader: content that each validator takes alone and that does not go together is
 * refused; what is the installation's fault is never the content's; a set's files reach the box as they are. */
#include "agent/prove/box_lines.h"
#include "agent/prove/box_load.h"
#include "agent/prove/box_set.h"
#include "common/base/file.h"
#include "common/crypto/digest.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOADER  RW_BIN_DIR "/ringward-load-sensor"
#define SENSOR  RW_BIN_DIR "/ringward-sensor"
#define HOSTILE RW_BIN_DIR "/../tests/ringward-validate-hostile-dynamic"

enum { TEXT_BYTES_MAX = 8 * 1024 * 1024, MANY = 100001 };

static struct rw_err err;
static char folder[64];

static void path_of(const char *name, char dst[static 128])
{
    (void)snprintf(dst, 128, "%s/%s", folder, name);
}

static void put(const char *name, struct rw_span text)
{
    char path[128];
    path_of(name, path);
    MUST(rw_file_replace(path, 0600, text, &err));
}

/* One family of a set that is being written; `rest` is behind the first. */
static void add_family(const char *set, const char *family, struct rw_span text,
                       struct rw_buf *manifest)
{
    char name[100];
    char hex[DIGEST_HEX_BYTES];
    MUST(digest_sha256_hex(text, hex, &err));
    (void)snprintf(name, sizeof(name), "%s/%s.rwc", set, family);
    put(name, text);
    MUST(rw_buf_appendf(manifest, &err,
                        "%s{\"family\":\"%s\",\"release\":1,\"sha256\":\"%s\",\"bytes\":%zu}",
                        manifest->n > 0 ? "," : "{\"set\":1,\"content\":[", family, hex, text.n));
}

/* Writes a set of up to two families; NULL: none. */
static void make_set(const char *set, const char *yara, const char *more)
{
    char path[128];
    char name[100];
    RW_AUTO(rw_buf) struct rw_buf manifest = rw_buf_make(4096);
    path_of(set, path);
    MUST(rw_dir_make(path, 0700, &err));
    if (yara != NULL) { add_family(set, "yara", rw_span_str(yara), &manifest); }
    if (more != NULL) { add_family(set, "yara-more", rw_span_str(more), &manifest); }
    if (manifest.n == 0) { MUST(rw_buf_append_str(&manifest, "{\"set\":1,\"content\":[", &err)); }
    MUST(rw_buf_append_str(&manifest, "]}", &err));
    (void)snprintf(name, sizeof(name), "%s/manifest.json", set);
    put(name, rw_buf_span(&manifest));
}

static struct verdict load(const char *loader, const char *set, const char *before,
                           int64_t memory_bytes)
{
    char set_path[128];
    char before_path[128];
    struct verdict v;
    path_of(set, set_path);
    path_of(before != NULL ? before : "", before_path);
    const struct box_load_request req = {.limits = {.validator = loader,
                                                    .wall_ms = 120000,
                                                    .cpu_s = 60,
                                                    .memory_bytes = memory_bytes},
                                         .set = set_path,
                                         .before = before != NULL ? before_path : NULL};
    MUST(box_load_check(&req, &v, &err));
    return v;
}

static void expect(const struct verdict *v, enum verdict_kind kind, const char *reason)
{
    if (v->kind == kind && strstr(v->reason, reason) != NULL) { return; }
    fail_msg("%s: %s", verdict_kind_name(v->kind), v->reason);
}

static const char one[] = "rule one { condition: false }";
static const char two[] = "rule two { condition: false }";

TEST(a_set_that_goes_together_is_accepted_with_the_way_back)
{
    make_set("both", one, two);
    make_set("alone", one, NULL);
    make_set("none", NULL, NULL);
    struct verdict v = load(LOADER, "both", "alone", 0);
    expect(&v, VERDICT_ACCEPTED, "the whole set loads");
    assert_string_equal(v.profile, "files");
    assert_int_equal(v.limit_memory_kib, 512 * 1024);
    v = load(LOADER, "none", "both", 0);
    expect(&v, VERDICT_ACCEPTED, "");
}

TEST(one_name_in_two_families_is_refused_though_each_is_good_alone)
{
    make_set("first", one, NULL);
    make_set("second", NULL, one);
    make_set("clash", one, one);
    struct verdict v = load(LOADER, "first", NULL, 0);
    expect(&v, VERDICT_ACCEPTED, "");
    v = load(LOADER, "second", NULL, 0);
    expect(&v, VERDICT_ACCEPTED, "");
    v = load(LOADER, "clash", "first", 0);
    expect(&v, VERDICT_REFUSED, "yara and yara-more both hold a rule 'one'");
    assert_true(v.final);
}

static void many_rules(char prefix, struct rw_buf *into)
{
    for (int i = 0; i < MANY; i++) {
        MUST(rw_buf_appendf(into, &err, "rule %c%d { condition: false }\n", prefix, i));
    }
    MUST(rw_buf_append(into, rw_span_of("", 1), &err));
}

TEST(too_many_rules_in_total_are_refused_and_memory_is_that_of_the_whole)
{
    RW_AUTO(rw_buf) struct rw_buf a = rw_buf_make(TEXT_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(TEXT_BYTES_MAX);
    many_rules('a', &a);
    many_rules('b', &b);
    make_set("half", rw_buf_str(&a), NULL);
    make_set("half2", NULL, rw_buf_str(&b));
    make_set("whole", rw_buf_str(&a), rw_buf_str(&b));
    struct verdict first = load(LOADER, "half", NULL, 0);
    expect(&first, VERDICT_ACCEPTED, "");
    struct verdict second = load(LOADER, "half2", NULL, 0);
    expect(&second, VERDICT_ACCEPTED, "");
    struct verdict v = load(LOADER, "whole", "half", 0);
    expect(&v, VERDICT_REFUSED, "the whole set holds 200002 rules, the limit is 200000");
    /* Both halves fit into three quarters of what the whole takes. */
    assert_true(v.peak_rss_kib > first.peak_rss_kib * 4 / 3);
    v = load(LOADER, "whole", "half", (first.peak_rss_kib + v.peak_rss_kib) / 2 * 1024);
    expect(&v, VERDICT_OUT_OF_MEMORY, "");
}

TEST(a_way_back_that_does_not_work_is_no_verdict_on_the_content)
{
    make_set("good", two, NULL);
    make_set("broken", one, one);
    struct verdict v = load(LOADER, "good", "broken", 0);
    expect(&v, VERDICT_SANDBOX_ERROR, "does not take the set that is active either");
    assert_false(v.final);
}

static void make_loader(const char *name, const char *program, const char *more)
{
    char file[100];
    char text[600];
    (void)snprintf(file, sizeof(file), "%s.conf", name);
    (void)snprintf(text, sizeof(text), "profile = files\nspeaks = exit\nprogram = %s\n%s", program,
                   more);
    put(file, rw_span_str(text));
}

static const struct {
    const char *id;
    const char *arguments;
    enum verdict_kind want;
} attacks[] = {
    {"crash", "validate segv", VERDICT_CRASHED},
    {"loop", "validate spin", VERDICT_TIMED_OUT},
    {"network", "validate connect", VERDICT_POLICY_VIOLATION},
    {"exec", "validate exec", VERDICT_POLICY_VIOLATION},
};

/* A loader is as little trusted as a validator: the set that it reads may have taken it over (INV-5). */
TEST_EACH(a_loader_is_confined, attacks)
{
    char loader[128];
    char more[100];
    make_set("set", one, NULL);
    path_of("hostile", loader);
    (void)snprintf(more, sizeof(more), "cpu = 1s\nwall = 20s\narguments = %s\n", it->arguments);
    make_loader("hostile", HOSTILE, more);
    char set[128];
    struct verdict v;
    path_of("set", set);
    const struct box_load_request req = {.limits = {.validator = loader}, .set = set};
    MUST(box_load_check(&req, &v, &err));
    expect(&v, it->want, "");
}

TEST(settings_that_are_wrong_are_the_installations_fault)
{
    char loader[128];
    char set[128];
    struct verdict v;
    make_set("set", one, NULL);
    path_of("set", set);
    path_of("loader", loader);
    const struct box_load_request req = {.limits = {.validator = loader}, .set = set};
    /* The option that this sensor does not know would be read as a refusal, but for the control. */
    make_loader("loader", SENSOR, "arguments = --no-such-option\n");
    v = load(loader, "set", "set", 0);
    expect(&v, VERDICT_SANDBOX_ERROR, "does not take the set that is active either");
    make_loader("loader", SENSOR,
                "arguments = --dry-run --active /set\nsha256 = "
                "0000000000000000000000000000000000000000000000000000000000000000\n");
    v = load(loader, "set", NULL, 0);
    expect(&v, VERDICT_SANDBOX_ERROR, "not the one that its settings record");
    put("loader.conf", rw_span_str("profile = files\nprogram = " SENSOR "\n"));
    MUST_FAIL(box_load_check(&req, &v, &err), RW_E_CONFIG);
    assert_non_null(strstr(err.text, "speaks = exit"));
    put("loader.conf", rw_span_str("profile = dynamic\nspeaks = exit\narguments = x\n"));
    MUST_FAIL(box_load_check(&req, &v, &err), RW_E_CONFIG);
}

TEST(a_folder_with_anything_else_than_a_sets_files_is_not_read)
{
    char path[128];
    char set[128];
    RW_AUTO(box_memory) struct box_memory m = {.fd = -1};
    MUST(box_memory_open(&m, "sets", false, &err));
    make_set("odd", one, NULL);
    path_of("odd", set);
    MUST(box_set_add(&m, set, "set", &err));
    path_of("odd/link.rwc", path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    MUST_FAIL(box_set_add(&m, set, "set", &err), RW_E_IO);
    assert_int_equal(unlink(path), 0);
    put("odd/Name.rwc", rw_span_str("x"));
    MUST_FAIL(box_set_add(&m, set, "set", &err), RW_E_SCHEMA);
    path_of("odd/Name.rwc", path);
    assert_int_equal(unlink(path), 0);
    path_of("odd/folder", path);
    assert_int_equal(mkdir(path, 0700), 0);
    MUST_FAIL(box_set_add(&m, set, "set", &err), RW_E_SCHEMA);
    MUST_FAIL(box_set_add(&m, "/no/such/set", "set", &err), RW_E_NOT_FOUND);
}

TEST(a_set_is_unpacked_as_it_was)
{
    char below[128];
    char path[160];
    char set[128];
    RW_AUTO(box_memory) struct box_memory m = {.fd = -1};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(4096);
    make_set("packed", one, two);
    path_of("packed", set);
    path_of("unpacked", below);
    MUST(rw_dir_make(below, 0700, &err));
    MUST(box_memory_open(&m, "sets", false, &err));
    MUST(box_set_add(&m, set, "set", &err));
    MUST(box_set_add(&m, set, "before", &err));
    MUST(box_memory_seal(&m, &err));
    assert_true(box_set_unpack(m.fd, (int64_t)m.n, below));
    (void)snprintf(path, sizeof(path), "%s/before/yara-more.rwc", below);
    MUST(rw_file_read(path, 4096, &text, &err));
    assert_true(rw_span_is(rw_buf_span(&text), two));
    assert_false(box_set_unpack(m.fd, (int64_t)m.n, below)); /* nothing is written over */
    assert_false(box_set_unpack(m.fd, (int64_t)m.n - 1, "/no/such/folder"));
}

static const struct {
    const char *id;
    int status, want;
    bool valid, accepted;
} statuses[] = {
    {"loads", 0, 0, true, true},         {"refused", 1, 1, true, false},
    {"usage", 2, 1, true, false},        {"any_other", 124, 1, true, false},
    {"no_memory", 12, 12, false, false}, {"set_up", 125, 125, false, false},
    {"no_exec", 127, 127, false, false}, {"signal", -1, -1, false, false},
};

TEST_EACH(an_exit_status_says_it_all, statuses)
{
    struct box_said said;
    assert_int_equal(
        box_lines_read_exit(rw_span_str("loading\nerror: bad\nbye\n"), it->status, &said),
        it->want);
    assert_int_equal(said.valid, it->valid);
    assert_int_equal(said.accepted, it->accepted);
    if (it->valid && !it->accepted) { assert_string_equal(said.reason, "error: bad"); }
}

int main(void)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    (void)snprintf(folder, sizeof(folder), "%s", d.path);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_that_goes_together_is_accepted_with_the_way_back),
        cmocka_unit_test(one_name_in_two_families_is_refused_though_each_is_good_alone),
        cmocka_unit_test(too_many_rules_in_total_are_refused_and_memory_is_that_of_the_whole),
        cmocka_unit_test(a_way_back_that_does_not_work_is_no_verdict_on_the_content),
        cmocka_unit_test(a_loader_is_confined),
        cmocka_unit_test(settings_that_are_wrong_are_the_installations_fault),
        cmocka_unit_test(a_folder_with_anything_else_than_a_sets_files_is_not_read),
        cmocka_unit_test(a_set_is_unpacked_as_it_was),
        cmocka_unit_test(an_exit_status_says_it_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
