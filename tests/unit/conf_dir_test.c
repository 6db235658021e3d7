/* Goal: settings from several files have one order and one meaning, and files that others can write are never read. */
#include "common/base/conf_dir.h"

#include "common/base/file.h"
#include "tests/harness.h"

struct target {
    char name[32];
    int64_t wait_ms;
    bool on;
};

static const struct conf_setting settings[] = {
    {"name", CONF_STR, offsetof(struct target, name), 32, 0, 0, NULL, "a name"},
    {"wait", CONF_DURATION_MS, offsetof(struct target, wait_ms), 8, 0, 3600000, "5m", "a time"},
    {"on", CONF_BOOL, offsetof(struct target, on), 1, 0, 0, "no", "a switch"},
};
static const struct conf_table table = {settings, RW_LEN(settings)};

struct bench {
    struct harness_dir dir;
    int parts;
    char path[128];
    struct target target;
    struct conf_trace trace;
};

static void put(int dir, const char *name, const char *text, mode_t mode)
{
    struct rw_err err;
    MUST(rw_file_replace_at(dir, name, mode, rw_span_str(text), &err));
    assert_int_equal(fchmodat(dir, name, mode, 0), 0);
}

static void begin(struct bench *b)
{
    struct rw_err err;
    *b = (struct bench){.dir = harness_dir(), .parts = -1};
    MUST(rw_dir_make_at(b->dir.fd, "conf.d", 0755, &b->parts, &err));
    (void)snprintf(b->path, sizeof(b->path), "%s/a.conf", b->dir.path);
    put(b->dir.fd, "a.conf", "name = first\nwait = 1m\n", 0644);
}

static void end(struct bench *b)
{
    (void)close(b->parts);
    harness_dir_drop(&b->dir);
}

static struct rw_rc load(struct bench *b, struct rw_err *err)
{
    return conf_dir_load(&table, b->path, &b->target, &b->trace, err);
}

TEST(later_name_wins_per_key_and_places_are_told)
{
    struct bench b;
    struct rw_err err;
    begin(&b);
    put(b.parts, "20-late.conf", "\nname = late\n", 0644);
    put(b.parts, "10-early.conf", "name = early\non = yes\n", 0600);
    MUST(load(&b, &err));
    assert_string_equal(b.target.name, "late");
    assert_int_equal(b.target.wait_ms, 60000);
    assert_true(b.target.on);
    assert_non_null(strstr(b.trace.files[b.trace.places[0].file], "conf.d/20-late.conf"));
    assert_int_equal(b.trace.places[0].line, 2);
    assert_string_equal(b.trace.files[b.trace.places[1].file], b.path);
    assert_non_null(strstr(b.trace.files[b.trace.places[2].file], "conf.d/10-early.conf"));
    end(&b);
}

static const struct name_case {
    const char *id;
    const char *name;
    bool read;
} names[] = {{"plain", "10-a.conf", true},     {"dots", "99-a.b_c-D.conf", true},
             {"no number", "a.conf", false},   {"one digit", "1-a.conf", false},
             {"no tail", "10-a.conf~", false}, {"hidden", ".10-a.conf", false},
             {"no name", "10-.conf", false},   {"backup", "10-a.conf.dpkg-old", false},
             {"blank", "10-a b.conf", false}};

TEST_EACH(other_names_are_remembered_and_not_read, names)
{
    struct bench b;
    struct rw_err err;
    begin(&b);
    put(b.parts, it->name, "name = part\n", 0644);
    MUST(load(&b, &err));
    assert_string_equal(b.target.name, it->read ? "part" : "first");
    assert_int_equal(b.trace.ignored_count, it->read ? 0 : 1);
    end(&b);
}

static const struct mode_case {
    const char *id;
    mode_t file, part, folder;
    enum rw_code code;
} modes[] = {
    {"all well", 0644, 0644, 0755, RW_E_NONE},
    {"for one alone", 0600, 0400, 0700, RW_E_NONE},
    {"file by group", 0664, 0644, 0755, RW_E_CONFIG},
    {"file by all", 0646, 0644, 0755, RW_E_CONFIG},
    {"part by group", 0644, 0664, 0755, RW_E_CONFIG},
    {"part by all", 0644, 0666, 0755, RW_E_CONFIG},
    {"folder by all", 0644, 0644, 0777, RW_E_CONFIG},
    {"folder by group", 0644, 0644, 0775, RW_E_CONFIG},
    {"sticky folder", 0644, 0644, 01777, RW_E_CONFIG},
};

TEST_EACH(what_others_can_write_is_refused_with_the_cure, modes)
{
    struct bench b;
    struct rw_err err = {.code = RW_E_NONE};
    begin(&b);
    put(b.parts, "10-a.conf", "on = yes\n", it->part);
    assert_int_equal(fchmodat(b.dir.fd, "a.conf", it->file, 0), 0);
    assert_int_equal(fchmod(b.parts, it->folder), 0);
    MUST_FAIL(load(&b, &err), it->code);
    if (it->code != RW_E_NONE) { assert_non_null(strstr(err.hint, "chmod go-w")); }
    end(&b);
}

static const struct text_case {
    const char *id;
    const char *text;
    const char *says;
} texts[] = {{"unknown key", "\n\nnom = x\n", "10-a.conf:3: there is no setting 'nom'"},
             {"twice in one file", "on = yes\non = no\n", "10-a.conf:2: 'on' is set twice"},
             {"no unit", "wait = 5\n", "10-a.conf:1"},
             {"above the limit", "wait = 2h\n", "10-a.conf:1"},
             {"no setting", "on\n", "10-a.conf:1: not of the form"}};

TEST_EACH(mistakes_name_file_and_line, texts)
{
    struct bench b;
    struct rw_err err;
    begin(&b);
    put(b.parts, "10-a.conf", it->text, 0644);
    MUST_FAIL(load(&b, &err), RW_E_CONFIG);
    if (strstr(err.text, it->says) == NULL) { fail_msg("'%s' lacks '%s'", err.text, it->says); }
    end(&b);
}

TEST(links_and_pipes_are_no_settings)
{
    struct bench b;
    struct rw_err err;
    begin(&b);
    assert_int_equal(symlinkat("../a.conf", b.parts, "10-a.conf"), 0);
    MUST_FAIL(load(&b, &err), RW_E_CONFIG);
    assert_int_equal(unlinkat(b.parts, "10-a.conf", 0), 0);
    assert_int_equal(mkfifoat(b.parts, "10-a.conf", 0644), 0);
    MUST_FAIL(load(&b, &err), RW_E_CONFIG);
    end(&b);
}

TEST(required_setting_may_come_from_any_file)
{
    struct bench b;
    struct rw_err err;
    begin(&b);
    put(b.dir.fd, "a.conf", "wait = 1m\n", 0644);
    MUST_FAIL(load(&b, &err), RW_E_CONFIG);
    assert_non_null(strstr(err.text, "'name' is required"));
    put(b.parts, "10-a.conf", "name = part\n", 0644);
    MUST(load(&b, &err));
    end(&b);
}

RUN_TESTS(cmocka_unit_test(later_name_wins_per_key_and_places_are_told),
          cmocka_unit_test(other_names_are_remembered_and_not_read),
          cmocka_unit_test(what_others_can_write_is_refused_with_the_cure),
          cmocka_unit_test(mistakes_name_file_and_line),
          cmocka_unit_test(links_and_pipes_are_no_settings),
          cmocka_unit_test(required_setting_may_come_from_any_file))
