/* Goal: a settings file says exactly what happens; whatever is wrong is refused with file and line. */
#include "common/base/conf.h"

#include "common/base/file.h"
#include "tests/fakes/capture.h"
#include "tests/harness.h"

struct settings {
    char name[8];
    int64_t count;
    bool on;
    int64_t wait_ms;
    int64_t size_bytes;
    char path[32];
};

static const struct conf_setting rows[] = {
    {"name", CONF_STR, offsetof(struct settings, name), sizeof(((struct settings *)0)->name), 0, 0,
     NULL, "who it is"},
    {"count", CONF_INT, offsetof(struct settings, count), 0, 2, 10, "4", "how many"},
    {"on", CONF_BOOL, offsetof(struct settings, on), 0, 0, 0, "no", "whether"},
    {"wait", CONF_DURATION_MS, offsetof(struct settings, wait_ms), 0, 1000, 60000, "5s",
     "how long"},
    {"size", CONF_BYTES, offsetof(struct settings, size_bytes), 0, 1024, 1048576, "64KiB",
     "how large"},
    {"path", CONF_STR, offsetof(struct settings, path), sizeof(((struct settings *)0)->path), 0, 0,
     "", "where"},
};
static const struct conf_table table = {rows, RW_LEN(rows)};

TEST(defaults_are_taken_and_the_file_overrides_them)
{
    struct rw_err err = {0};
    struct settings s;
    memset(&s, 0x55, sizeof(s));
    MUST(conf_parse(&table, "f", rw_span_str("name = ada\n"), &s, &err));
    assert_string_equal(s.name, "ada");
    assert_int_equal(s.count, 4);
    assert_false(s.on);
    assert_int_equal(s.wait_ms, 5000);
    assert_int_equal(s.size_bytes, 65536);
    assert_string_equal(s.path, "");
    MUST(conf_parse(
        &table, "f",
        rw_span_str("# a comment\n\n  name=bob  \r\n\tcount\t=\t10\non = yes\nwait = 1m\n"
                    "size = 1MiB\npath = /a b/c=d#e"),
        &s, &err));
    assert_string_equal(s.name, "bob");
    assert_int_equal(s.count, 10);
    assert_true(s.on);
    assert_int_equal(s.wait_ms, 60000);
    assert_int_equal(s.size_bytes, 1048576);
    assert_string_equal(s.path, "/a b/c=d#e");
}

static const struct bad_row {
    const char *id;
    const char *text;
    const char *want; /* the whole error */
} bads[] = {
    {"unknown_key", "name = a\ncoutn = 5\n", "f:2: there is no setting 'coutn'"},
    {"key_of_other_case", "Name = a\n", "f:1: there is no setting 'Name'"},
    {"empty_key", "name = a\n = 5\n", "f:2: there is no setting ''"},
    {"twice", "name = a\n\nname = b\n", "f:3: 'name' is set twice"},
    {"twice_the_same", "name = a\ncount = 4\ncount = 4\n", "f:3: 'count' is set twice"},
    {"no_equals_sign", "name = a\ncount 5\n", "f:2: not of the form 'key = value'"},
    {"below_the_range", "name = a\ncount = 1\n", "f:2: count: 1 is outside 2..10"},
    {"above_the_range", "name = a\ncount = 11\n", "f:2: count: 11 is outside 2..10"},
    {"no_number", "name = a\ncount = many\n", "f:2: count: 'many' is not a whole decimal number"},
    {"no_value", "name = a\ncount =\n", "f:2: count: '' is not a whole decimal number"},
    {"neither_yes_nor_no", "name = a\non = true\n", "f:2: on: want yes or no"},
    {"too_short_a_wait", "name = a\nwait = 999ms\n",
     "f:2: wait: 999 is less than the least allowed value 1000"},
    {"too_long_a_wait", "name = a\nwait = 2m\n", "f:2: wait: 2m is more than the limit of 1m"},
    {"no_unit", "name = a\nwait = 5\n", "f:2: wait: '5' is not a number with a unit (ms ... d)"},
    {"too_large", "name = a\nsize = 2MiB\n",
     "f:2: size: 2097152 bytes is more than the limit of 1048576"},
    {"string_too_long", "name = adalovelace\n", "f:1: name has 11 bytes, at most 7 are allowed"},
    {"required_one_missing", "count = 5\n", "f: 'name' is required (who it is)"},
    {"empty_file", "", "f: 'name' is required (who it is)"},
    {"control_bytes_in_a_key", "name = a\n\x1b[2J = 5\n", "f:2: there is no setting '?[2J'"},
    {"byte_order_mark",
     "\xef\xbb\xbf"
     "name = a\n",
     "f:1: there is no setting '\xef\xbb\xbf"
     "name'"},
};

TEST_EACH(what_is_wrong_is_refused_with_file_and_line, bads)
{
    struct rw_err err = {0};
    struct settings s;
    MUST_FAIL(conf_parse(&table, "f", rw_span_str(it->text), &s, &err), RW_E_CONFIG);
    assert_string_equal(err.text, it->want);
}

TEST(a_nul_byte_in_a_value_is_refused)
{
    struct rw_err err = {0};
    struct settings s;
    MUST_FAIL(conf_parse(&table, "f", rw_span_of("name = a\0b\n", 11), &s, &err), RW_E_CONFIG);
}

TEST(a_file_is_loaded_under_its_name_and_limit)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    struct settings s;
    char path[128];
    char want[200];
    (void)snprintf(path, sizeof(path), "%s/x.conf", d.path);
    MUST_FAIL(conf_load(&table, path, &s, &err), RW_E_NOT_FOUND);
    MUST(rw_file_replace_at(d.fd, "x.conf", 0600, rw_span_str("name = ada\nbad\n"), &err));
    MUST_FAIL(conf_load(&table, path, &s, &err), RW_E_CONFIG);
    (void)snprintf(want, sizeof(want), "%s:2: not of the form 'key = value'", path);
    assert_string_equal(err.text, want);
    MUST(rw_file_replace_at(d.fd, "x.conf", 0600, rw_span_str("name = ada\n"), &err));
    MUST(conf_load(&table, path, &s, &err));
    static uint8_t big[65537];
    MUST(rw_file_replace_at(d.fd, "x.conf", 0600, rw_span_of(big, sizeof(big)), &err));
    MUST_FAIL(conf_load(&table, path, &s, &err), RW_E_TOO_BIG);
}

/* What the sample shows is what the parser takes: uncommented, it gives the defaults. */
TEST(the_sample_is_a_file_of_the_defaults)
{
    struct rw_err err = {0};
    struct settings s;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(4096);
    capture_begin(STDOUT_FILENO);
    conf_print_sample(&table);
    const char *sample = capture_end();
    assert_non_null(strstr(sample, "# who it is (required)\nname = ...\n"));
    assert_non_null(strstr(sample, "# how long\n#wait = 5s\n"));
    for (const char *p = sample; *p != '\0'; p++) {
        bool hidden = *p == '#' && p[1] != ' ';
        if (!hidden) { MUST(rw_buf_append(&text, rw_span_of(p, 1), &err)); }
    }
    MUST(conf_parse(&table, "sample", rw_buf_span(&text), &s, &err));
    assert_int_equal(s.wait_ms, 5000);
}

RUN_TESTS(cmocka_unit_test(defaults_are_taken_and_the_file_overrides_them),
          cmocka_unit_test(what_is_wrong_is_refused_with_file_and_line),
          cmocka_unit_test(a_nul_byte_in_a_value_is_refused),
          cmocka_unit_test(a_file_is_loaded_under_its_name_and_limit),
          cmocka_unit_test(the_sample_is_a_file_of_the_defaults))
