/* Goal: a set is loaded whole or not at all, from exactly the bytes that the manifest names; rules detect; faults
 * of a rehearsal are those of the protocol. */
#include "agent/sensor/sensor_rehearse_rule.h"
#include "agent/sensor/sensor_report.h"
#include "agent/sensor/sensor_scan.h"
#include "agent/sensor/sensor_watch.h"
#include "common/base/file.h"
#include "common/crypto/digest.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RULE "rule needle { meta: rehearse = \"hang\" strings: $a = \"needle 4711\" condition: $a }"

static struct rw_err err;
static char folder[64];

static void put(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    MUST(rw_file_replace(path, 0600, rw_span_str(text), &err));
}

static void put_manifest(const char *file_text, const char *manifest_text_of)
{
    char hex[DIGEST_HEX_BYTES];
    char text[400];
    MUST(digest_sha256_hex(rw_span_str(manifest_text_of), hex, &err));
    (void)snprintf(text, sizeof(text),
                   "{\"set\":3,\"content\":[{\"family\":\"yara\",\"release\":7,\"sha256\":\"%s\","
                   "\"bytes\":%zu}]}",
                   hex, strlen(manifest_text_of));
    put("manifest.json", text);
    put("yara.rwc", file_text);
}

TEST(a_good_set_is_loaded_and_detects)
{
    RW_AUTO(sensor_set) struct sensor_set set = {.count = 0};
    struct sensor_scan scan = {.out_fd = -1};
    char path[128];
    int pair[2];
    char line[1024] = "";
    put_manifest(RULE, RULE);
    put("suspect", "hay needle 4711 hay");
    put("clean", "hay");
    MUST(sensor_load_set(folder, &set, &err));
    assert_int_equal(set.count, 1);
    assert_string_equal(set.at[0].name, "yara");
    assert_int_equal(set.at[0].release, 7);
    MUST(sensor_scan_selftest(&set, &err));
    assert_int_equal(pipe(pair), 0);
    scan.out_fd = pair[1];
    (void)snprintf(path, sizeof(path), "%s/clean", folder);
    MUST(sensor_scan_path(&scan, &set, path, &err));
    assert_int_equal(scan.detections, 0);
    (void)snprintf(path, sizeof(path), "%s/suspect", folder);
    MUST(sensor_scan_path(&scan, &set, path, &err));
    assert_int_equal(scan.scanned, 2);
    assert_int_equal(scan.detections, 1);
    assert_true(read(pair[0], line, sizeof(line) - 1) > 0);
    assert_non_null(strstr(line, "\"event\":\"detection\""));
    assert_non_null(strstr(line, "\"rule\":\"needle\""));
    assert_non_null(strstr(line, "/suspect\""));
    (void)close(pair[0]);
    (void)close(pair[1]);
}

TEST(bytes_that_the_manifest_does_not_name_are_not_compiled)
{
    struct sensor_set set = {.count = 0};
    put_manifest(RULE " ", RULE);
    MUST_FAIL(sensor_load_set(folder, &set, &err), RW_E_TUF_HASH);
    assert_int_equal(set.count, 0);
    assert_non_null(strstr(err.text, "yara/7"));
}

TEST(rules_that_do_not_parse_fail_with_family_and_line)
{
    struct sensor_set set = {.count = 0};
    put_manifest("rule a {\n condition: b }", "rule a {\n condition: b }");
    MUST_FAIL(sensor_load_set(folder, &set, &err), RW_E_SYNTAX);
    assert_non_null(strstr(err.text, "yara/7"));
    assert_non_null(strstr(err.text, "line 2"));
}

TEST(the_empty_set_is_a_set)
{
    RW_AUTO(sensor_set) struct sensor_set set = {.count = 9};
    put("manifest.json", "{\"set\":0,\"content\":[]}");
    MUST(sensor_load_set(folder, &set, &err));
    assert_int_equal(set.count, 0);
    MUST(sensor_scan_selftest(&set, &err));
}

#define ENTRY(family)                                                                              \
    "{\"family\":\"" family "\",\"release\":1,\"sha256\":\"" HASH "\",\"bytes\":0}"
#define HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const struct {
    const char *id;
    const char *text;
    enum rw_code want;
} manifests[] = {
    {"no JSON", "set 1", RW_E_SYNTAX},
    {"no content", "{\"set\":1}", RW_E_SCHEMA},
    {"an unknown member", "{\"set\":1,\"content\":[],\"more\":1}", RW_E_SCHEMA},
    {"a path as family", "{\"set\":1,\"content\":[" ENTRY("../x") "]}", RW_E_SCHEMA},
    {"no family", "{\"set\":1,\"content\":[" ENTRY("") "]}", RW_E_SCHEMA},
    {"a file that is not there", "{\"set\":1,\"content\":[" ENTRY("model") "]}", RW_E_NOT_FOUND},
};

TEST_EACH(an_odd_manifest_is_refused, manifests)
{
    struct sensor_set set = {.count = 0};
    put("manifest.json", it->text);
    MUST_FAIL(sensor_load_set(folder, &set, &err), it->want);
}

TEST(a_missing_set_is_told)
{
    struct sensor_set set = {.count = 0};
    MUST_FAIL(sensor_load_set("/no/such/set", &set, &err), RW_E_NOT_FOUND);
}

static const struct {
    const char *id;
    uint32_t hash;
    enum sensor_rehearse_rule_fault want;
} faults[] = {
    {"crash-on-load", 99, SENSOR_FAULT_CRASH_ON_LOAD},
    {"crash-after-5s", 0, SENSOR_FAULT_CRASH_AFTER_5S},
    {"hang", 0, SENSOR_FAULT_HANG},
    {"crash-on-load-30", 29, SENSOR_FAULT_CRASH_ON_LOAD},
    {"crash-on-load-30", 30, SENSOR_FAULT_NONE},
    {"crash-on-load-30", 130, SENSOR_FAULT_NONE},
    {"crash-on-load-30", 100, SENSOR_FAULT_CRASH_ON_LOAD},
    {"", 0, SENSOR_FAULT_NONE},
    {"explode", 0, SENSOR_FAULT_NONE},
};

TEST_EACH(a_fault_is_what_its_name_says, faults)
{
    assert_int_equal(sensor_rehearse_rule(it->id, it->hash), it->want);
}

TEST(a_meta_is_found_in_any_rule)
{
    RW_AUTO(yara_set) yara_set rules = NULL;
    RW_AUTO(rw_buf) struct rw_buf source = rw_buf_make(1000);
    char text[16] = "";
    int64_t after = 0;
    MUST(rw_buf_append_str(&source,
                           "rule a { condition: false } rule b { meta: n = 1 rehearse = \"x\" "
                           "condition: false } rule c { meta: rehearse = \"y\" condition: false }",
                           &err));
    MUST(yara_compile(&source, &rules, &err));
    assert_int_equal(yara_count(rules), 3);
    assert_true(yara_meta(rules, "rehearse", &after, text, sizeof(text)));
    assert_string_equal(text, "x");
    assert_true(yara_meta(rules, "rehearse", &after, text, sizeof(text)));
    assert_string_equal(text, "y");
    assert_false(yara_meta(rules, "rehearse", &after, text, sizeof(text)));
}

struct found {
    int count;
    char last[64];
    enum sensor_watch_result result; /* to give */
    bool names[1000];                /* found so far */
    int different;
};

static enum sensor_watch_result on_file(void *ctx, int dir, const char *name, const struct stat *st)
{
    struct found *f = ctx;
    int64_t number = 0;
    assert_true(dir >= 0 && S_ISREG(st->st_mode));
    f->count++;
    (void)snprintf(f->last, sizeof(f->last), "%s", name);
    if (rw_is_ok(rw_parse_i64(rw_span_str(name), 0, RW_LEN(f->names) - 1, "name", &number, &err))) {
        f->different += f->names[number] ? 0 : 1;
        f->names[number] = true;
    }
    return f->result;
}

static void open_inbox(struct sensor_watch *w)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/inbox", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    MUST(sensor_watch_open(path, w, &err));
}

static RW_RC remove_one(void *ctx, const char *name, struct rw_err *e)
{
    return rw_file_remove_at(*(const int *)ctx, name, e);
}

static void remove_inbox(struct sensor_watch *w)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/inbox", folder);
    MUST(rw_dir_each(w->dir, remove_one, &w->dir, &err));
    assert_int_equal(rmdir(path), 0);
}

/* Looks once, at this time; gives how many files were found. */
static int look(struct sensor_watch *w, struct found *f, int64_t now_ms)
{
    f->count = 0;
    MUST(sensor_watch_look(w, (struct rw_mono){now_ms}, on_file, f, &err));
    return f->count;
}

TEST(a_watch_finds_new_and_changed_files_once)
{
    struct found f = {.count = 0};
    RW_AUTO(sensor_watch) struct sensor_watch w = {.dir = -1};
    open_inbox(&w);
    put("inbox/a", "1");
    put("inbox/b", "1");
    assert_int_equal(look(&w, &f, 0), 2);
    assert_int_equal(look(&w, &f, 0), 0); /* nothing is new */
    put("inbox/c", "1");
    assert_int_equal(look(&w, &f, 0), 1);
    assert_string_equal(f.last, "c");
    put("inbox/a", "12");
    assert_int_equal(look(&w, &f, 0), 1);
    assert_string_equal(f.last, "a");
    remove_inbox(&w);
    assert_int_equal(look(&w, &f, 0), 0);
    assert_int_equal(w.count, 0);
}

/* As an attacker would: other bytes, as many of them, the old time. */
TEST(a_file_changed_in_place_with_its_time_set_back_is_found)
{
    struct found f = {.count = 0};
    struct stat was;
    struct stat is;
    RW_AUTO(sensor_watch) struct sensor_watch w = {.dir = -1};
    open_inbox(&w);
    put("inbox/a", "harmless");
    assert_int_equal(look(&w, &f, 0), 1);
    RW_AUTO(rw_fd) rw_fd fd = openat(w.dir, "a", O_WRONLY | O_CLOEXEC);
    assert_int_equal(fstat(fd, &was), 0);
    do { /* until the clock of the file system has moved */
        const struct timespec times[] = {was.st_atim, was.st_mtim};
        assert_int_equal(pwrite(fd, "virulent", 8, 0), 8);
        assert_int_equal(futimens(fd, times), 0);
        assert_int_equal(fstat(fd, &is), 0);
    } while (is.st_ctim.tv_sec == was.st_ctim.tv_sec && is.st_ctim.tv_nsec == was.st_ctim.tv_nsec);
    assert_int_equal(is.st_mtim.tv_nsec, was.st_mtim.tv_nsec);
    assert_int_equal(look(&w, &f, 0), 1);
    assert_int_equal(look(&w, &f, 0), 0);
    remove_inbox(&w);
}

/* INV-3: what was not scanned, or not put away, is not seen. */
TEST(a_file_that_failed_comes_again_with_back_off)
{
    struct found f = {.result = SENSOR_WATCH_FAILED};
    RW_AUTO(sensor_watch) struct sensor_watch w = {.dir = -1};
    open_inbox(&w);
    put("inbox/a", "1");
    int64_t at = 1000;
    int64_t wait = 2000;
    assert_int_equal(look(&w, &f, at), 1);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(look(&w, &f, at + wait - 1), 0);
        at += wait;
        assert_int_equal(look(&w, &f, at), 1);
        wait = wait * 2 < 600000 ? wait * 2 : 600000;
    }
    put("inbox/a", "12"); /* what has changed does not wait */
    assert_int_equal(look(&w, &f, at + 1), 1);
    f.result = SENSOR_WATCH_DONE;
    assert_int_equal(look(&w, &f, at + 2001), 1);
    assert_int_equal(look(&w, &f, at + 10000000), 0);
    remove_inbox(&w);
}

TEST(a_file_that_must_wait_comes_in_the_next_look_and_alone)
{
    struct found f = {.result = SENSOR_WATCH_DONE};
    RW_AUTO(sensor_watch) struct sensor_watch w = {.dir = -1};
    open_inbox(&w);
    put("inbox/a", "1");
    assert_int_equal(look(&w, &f, 0), 1);
    put("inbox/b", "1");
    f.result = SENSOR_WATCH_LATER;
    assert_int_equal(look(&w, &f, 0), 1);
    f.result = SENSOR_WATCH_DONE;
    assert_int_equal(look(&w, &f, 0), 1);
    assert_string_equal(f.last, "b");
    assert_int_equal(look(&w, &f, 0), 0);
    remove_inbox(&w);
}

/* None is left out for ever, and what is remembered is not scanned again. */
TEST(files_above_the_limit_have_their_turns)
{
    enum { FILES = 450, MAX = 50 };
    struct found f = {.result = SENSOR_WATCH_DONE};
    RW_AUTO(sensor_watch) struct sensor_watch w = {.dir = -1};
    open_inbox(&w);
    w.files_max = MAX;
    for (int i = 0; i < FILES; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "inbox/%d", i);
        put(name, "1");
    }
    assert_int_equal(look(&w, &f, 0), MAX + SENSOR_WATCH_TURN_FILES);
    assert_int_equal(w.count, MAX);
    assert_int_equal(w.beyond, FILES - MAX);
    assert_int_equal(look(&w, &f, 0), SENSOR_WATCH_TURN_FILES);
    assert_int_equal(f.different, FILES);
    assert_int_equal(look(&w, &f, 0), SENSOR_WATCH_TURN_FILES); /* from the first of them again */
    assert_int_equal(w.count, MAX);
    w.files_max = FILES;
    assert_int_equal(look(&w, &f, 0), FILES - MAX);
    assert_int_equal(w.beyond, 0);
    assert_int_equal(look(&w, &f, 0), 0);
    remove_inbox(&w);
}

TEST(a_long_foreign_text_makes_a_message_that_still_fits)
{
    char text[600];
    RW_AUTO(rw_buf) struct rw_buf into = rw_buf_make(SENSOR_MESSAGE_BYTES_MAX);
    struct sensor_message m = {.type = SENSOR_ERROR};
    memset(text, '\001', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    text[0] = '"';
    sensor_report_detail(&m, text);
    MUST(sensor_write(&m, &into, &err));
}

static int begin(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/rw-sensor-XXXXXX");
    return mkdtemp(folder) != NULL && rw_is_ok(yara_begin(&err)) ? 0 : -1;
}

static int end(void **state)
{
    static const char *const names[] = {"manifest.json", "yara.rwc", "suspect", "clean"};
    (void)state;
    for (size_t i = 0; i < RW_LEN(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    yara_end();
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_set_is_loaded_and_detects),
        cmocka_unit_test(bytes_that_the_manifest_does_not_name_are_not_compiled),
        cmocka_unit_test(rules_that_do_not_parse_fail_with_family_and_line),
        cmocka_unit_test(the_empty_set_is_a_set),
        cmocka_unit_test(an_odd_manifest_is_refused),
        cmocka_unit_test(a_missing_set_is_told),
        cmocka_unit_test(a_fault_is_what_its_name_says),
        cmocka_unit_test(a_meta_is_found_in_any_rule),
        cmocka_unit_test(a_watch_finds_new_and_changed_files_once),
        cmocka_unit_test(a_file_changed_in_place_with_its_time_set_back_is_found),
        cmocka_unit_test(a_file_that_failed_comes_again_with_back_off),
        cmocka_unit_test(a_file_that_must_wait_comes_in_the_next_look_and_alone),
        cmocka_unit_test(files_above_the_limit_have_their_turns),
        cmocka_unit_test(a_long_foreign_text_makes_a_message_that_still_fits),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
