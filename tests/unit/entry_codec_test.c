/* Goal: a ring's pointer and a content entry speak for exactly one path, and what is missing or of another format
 * refuses (INV-7 fails closed). */
#include "common/policy/entry_codec.h"

#include "common/base/num.h"
#include "tests/harness.h"

/* A target whose custom member is this text. */
struct made {
    json_tree tree;
    struct tuf_target t;
};

static void made_drop(struct made *m)
{
    json_tree_drop(&m->tree);
}

static struct made make(const char *path, const char *custom)
{
    struct rw_err err = {0};
    struct made m = {.t = {.length = 1234}};
    (void)snprintf(m.t.path, sizeof(m.t.path), "%s", path);
    memset(m.t.sha256, 0xd4, sizeof(m.t.sha256));
    if (custom != NULL) {
        MUST(json_parse(rw_span_str(custom), &json_limits_small, &m.tree, &err));
        m.t.custom = m.tree;
    }
    return m;
}

#define POINTER(ring, family, content, release, state)                                             \
    "{\"ringward\":{\"format\":1,\"ring\":\"" ring "\",\"family\":\"" family                       \
    "\",\"content\":\"" content "\",\"release\":" release ",\"state\":\"" state "\"}}"

static const struct pointer_row {
    const char *id;
    const char *path, *custom;
    enum rw_code want;
} pointers[] = {
    {"go", "rings/canary/yara", POINTER("canary", "yara", "content/yara/2.rwc", "2", "go"),
     RW_E_NONE},
    {"hold", "rings/canary/yara", POINTER("canary", "yara", "content/yara/2.rwc", "2", "hold"),
     RW_E_NONE},
    {"unknown_members_do_not_matter", "rings/canary/yara",
     "{\"other\":1,\"ringward\":{\"format\":1,\"ring\":\"canary\",\"family\":\"yara\",\"content\":"
     "\"content/yara/2.rwc\","
     "\"release\":2,\"state\":\"go\",\"note\":\"x\"}}",
     RW_E_NONE},
    {"another_ring_in_it", "rings/canary/yara",
     POINTER("broad", "yara", "content/yara/2.rwc", "2", "go"), RW_E_TRUST_RULE},
    {"another_family_in_it", "rings/canary/yara",
     POINTER("canary", "av", "content/av/2.rwc", "2", "go"), RW_E_TRUST_RULE},
    {"content_of_another_family", "rings/canary/yara",
     POINTER("canary", "yara", "content/av/2.rwc", "2", "go"), RW_E_TRUST_RULE},
    {"content_of_another_release", "rings/canary/yara",
     POINTER("canary", "yara", "content/yara/3.rwc", "2", "go"), RW_E_TRUST_RULE},
    {"unknown_state", "rings/canary/yara",
     POINTER("canary", "yara", "content/yara/2.rwc", "2", "maybe"), RW_E_SCHEMA},
    {"release_0", "rings/canary/yara", POINTER("canary", "yara", "content/yara/0.rwc", "0", "go"),
     RW_E_RANGE},
    {"release_as_text", "rings/canary/yara",
     POINTER("canary", "yara", "content/yara/2.rwc", "\"2\"", "go"), RW_E_SCHEMA},
    {"a_ring_that_is_no_name", "rings/../yara",
     POINTER("..", "yara", "content/yara/2.rwc", "2", "go"), RW_E_SCHEMA},
    {"a_family_that_is_no_name", "rings/canary/a/b",
     POINTER("canary", "a/b", "content/a/b/2.rwc", "2", "go"), RW_E_SCHEMA},
    {"no_custom", "rings/canary/yara", NULL, RW_E_SCHEMA},
    {"no_member_of_ours", "rings/canary/yara", "{\"other\":{}}", RW_E_SCHEMA},
    {"no_format", "rings/canary/yara", "{\"ringward\":{\"ring\":\"canary\"}}", RW_E_SCHEMA},
    {"a_newer_format", "rings/canary/yara", "{\"ringward\":{\"format\":2,\"anything\":1}}",
     RW_E_SCHEMA},
};

TEST_EACH(a_pointer_speaks_for_its_own_path, pointers)
{
    struct rw_err err = {0};
    struct install_rule_pointer p = {.release = 99};
    RW_AUTO(made) struct made m = make(it->path, it->custom);
    MUST_FAIL(entry_codec_read_pointer(&m.t, &p, &err), it->want);
    if (it->want != RW_E_NONE) {
        assert_int_equal(p.release, 99);
        return;
    }
    assert_string_equal(p.ring, "canary");
    assert_string_equal(p.family, "yara");
    assert_int_equal(p.release, 2);
    assert_int_equal(p.length, 1234);
    assert_memory_equal(p.sha256, m.t.sha256, sizeof(p.sha256));
    assert_int_equal(p.hold, strcmp(it->id, "hold") == 0);
}

TEST(a_newer_format_says_that_the_agent_is_too_old)
{
    struct rw_err err = {0};
    struct install_rule_pointer p;
    RW_AUTO(made) struct made m = make("rings/canary/yara", "{\"ringward\":{\"format\":2}}");
    MUST_FAIL(entry_codec_read_pointer(&m.t, &p, &err), RW_E_SCHEMA);
    assert_string_equal(err.hint, "the agent is too old: update it");
}

#define CONTENT(family, release, not_before, engine, platforms)                                    \
    "{\"ringward\":{\"format\":1,\"family\":\"" family "\",\"release\":" release                   \
    ",\"class\":\"rules\",\"signed_at\":\"2026-11-22T05:34:16Z\",\"not_before\":" not_before       \
    ",\"engine\":" engine ",\"platforms\":" platforms "}}"
#define TIMES  "{\"canary\":\"2026-11-22T06:00:00Z\",\"broad\":\"2026-11-23T00:00:00Z\"}"
#define ENGINE "{\"min\":100,\"max\":200}"
#define LINUX  "[\"linux-x86_64\"]"

static const struct content_row {
    const char *id;
    const char *path, *custom;
    enum rw_code want;
    bool has_not_before, fits;
} contents[] = {
    {"good", "content/yara/2.rwc", CONTENT("yara", "2", TIMES, ENGINE, LINUX), RW_E_NONE, true,
     true},
    {"a_ring_that_is_not_named_has_no_time", "content/yara/2.rwc",
     CONTENT("yara", "2", "{\"broad\":\"2026-11-23T00:00:00Z\"}", ENGINE, LINUX), RW_E_NONE, false,
     true},
    {"another_platform", "content/yara/2.rwc",
     CONTENT("yara", "2", TIMES, ENGINE, "[\"windows-x86_64\"]"), RW_E_NONE, true, false},
    {"no_platform", "content/yara/2.rwc", CONTENT("yara", "2", TIMES, ENGINE, "[]"), RW_E_NONE,
     true, false},
    {"one_of_many_platforms", "content/yara/2.rwc",
     CONTENT("yara", "2", TIMES, ENGINE, "[1,\"a\",\"linux-x86_64\"]"), RW_E_NONE, true, true},
    {"another_path", "content/yara/3.rwc", CONTENT("yara", "2", TIMES, ENGINE, LINUX),
     RW_E_TRUST_RULE, false, false},
    {"another_family", "content/yara/2.rwc", CONTENT("av", "2", TIMES, ENGINE, LINUX),
     RW_E_TRUST_RULE, false, false},
    {"a_time_of_another_form", "content/yara/2.rwc",
     CONTENT("yara", "2", "{\"canary\":\"soon\"}", ENGINE, LINUX), RW_E_SYNTAX, false, false},
    {"a_time_as_a_number", "content/yara/2.rwc",
     CONTENT("yara", "2", "{\"canary\":0}", ENGINE, LINUX), RW_E_SCHEMA, false, false},
    {"times_that_are_no_object", "content/yara/2.rwc", CONTENT("yara", "2", "[]", ENGINE, LINUX),
     RW_E_SCHEMA, false, false},
    {"no_least_engine", "content/yara/2.rwc", CONTENT("yara", "2", TIMES, "{\"max\":1}", LINUX),
     RW_E_SCHEMA, false, false},
    {"negative_engine", "content/yara/2.rwc",
     CONTENT("yara", "2", TIMES, "{\"min\":-1,\"max\":1}", LINUX), RW_E_RANGE, false, false},
    {"platforms_that_are_no_list", "content/yara/2.rwc", CONTENT("yara", "2", TIMES, ENGINE, "{}"),
     RW_E_SCHEMA, false, false},
    {"a_newer_format", "content/yara/2.rwc", "{\"ringward\":{\"format\":2}}", RW_E_SCHEMA, false,
     false},
    {"no_custom", "content/yara/2.rwc", NULL, RW_E_SCHEMA, false, false},
};

TEST_EACH(a_content_entry_speaks_for_its_own_path, contents)
{
    struct rw_err err = {0};
    struct install_rule_content c = {.release = 99};
    char class_name[INSTALL_NAME_BYTES];
    RW_AUTO(made) struct made m = make(it->path, it->custom);
    MUST_FAIL(entry_codec_read_content(&m.t, "canary", "linux-x86_64", &c, class_name, &err),
              it->want);
    if (it->want != RW_E_NONE) {
        assert_int_equal(c.release, 99);
        return;
    }
    assert_true(c.listed);
    assert_string_equal(class_name, "rules");
    assert_int_equal(c.release, 2);
    assert_int_equal(c.signed_at.s, 1795325656);
    assert_int_equal(c.has_not_before, it->has_not_before);
    assert_int_equal(c.not_before.s, it->has_not_before ? 1795327200 : 0);
    assert_int_equal(c.engine_min, 100);
    assert_int_equal(c.engine_max, 200);
    assert_int_equal(c.platform_fits, it->fits);
    assert_memory_equal(c.sha256, m.t.sha256, sizeof(c.sha256));
}

/* What the writers write, the readers read: both entries inside one "targets" object. */
TEST(written_entries_read_back)
{
    struct rw_err err = {0};
    char hex[DIGEST_HEX_BYTES];
    char path[TUF_PATH_BYTES];
    char pointer_path[TUF_PATH_BYTES];
    static struct ring_policy policy = {.rings = {{.name = "canary"}, {.name = "broad"}},
                                        .ring_count = 2};
    struct entry_codec_content c = {.family = "yara",
                                    .class_name = "rules",
                                    .release = 7,
                                    .signed_at = {1795325656},
                                    .not_before = {{1795327200}, {1795330000}},
                                    .engine_min = 1,
                                    .engine_max = 2,
                                    .platforms = {"linux-x86_64", "linux-aarch64"},
                                    .platform_count = 2};
    struct install_rule_pointer p = {
        .ring = "broad", .family = "yara", .release = 7, .length = 55, .hold = true};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(10000);
    RW_AUTO(json_tree) json_tree tree = NULL;
    memset(p.sha256, 0x5e, sizeof(p.sha256));
    rw_hex_encode(hex, sizeof(hex), p.sha256, sizeof(p.sha256));
    MUST(entry_codec_content_path("yara", 7, path, &err));
    assert_string_equal(path, "content/yara/7.rwc");
    MUST(entry_codec_pointer_path("broad", "yara", pointer_path, &err));
    assert_string_equal(pointer_path, "rings/broad/yara");
    struct json_writer w = json_begin(&text);
    json_open_object(&w, NULL);
    entry_codec_write_content(&w, path, &c, &policy, 55, hex);
    entry_codec_write_pointer(&w, pointer_path, &p);
    json_close_object(&w);
    MUST(json_done(&w, &err));
    MUST(json_parse(rw_buf_span(&text), &json_limits_metadata, &tree, &err));
    struct tuf_target t = {.length = 55, .custom = json_find(json_find(tree, path), "custom")};
    memcpy(t.sha256, p.sha256, sizeof(t.sha256));
    (void)snprintf(t.path, sizeof(t.path), "%s", path);
    struct install_rule_content got;
    char class_name[INSTALL_NAME_BYTES];
    MUST(entry_codec_read_content(&t, "broad", "linux-aarch64", &got, class_name, &err));
    assert_int_equal(got.not_before.s, 1795330000);
    assert_true(got.platform_fits);
    (void)snprintf(t.path, sizeof(t.path), "%s", pointer_path);
    t.custom = json_find(json_find(tree, pointer_path), "custom");
    struct install_rule_pointer back;
    MUST(entry_codec_read_pointer(&t, &back, &err));
    assert_true(back.hold);
    assert_int_equal(back.release, 7);
    int64_t length = 0;
    MUST(json_get_int(json_find(tree, path), "length", 0, 100, &length, &err));
    assert_int_equal(length, 55);
}

static const struct path_row {
    const char *id;
    const char *family;
    enum rw_code want;
} paths[] = {
    {"plain", "yara", RW_E_NONE},
    {"parent_folder", "..", RW_E_SCHEMA},
    {"slash", "a/b", RW_E_SCHEMA},
    {"digits_only", "12", RW_E_SCHEMA},
    {"empty", "", RW_E_SCHEMA},
    {"capitals", "YARA", RW_E_SCHEMA},
    {"dash_first", "-a", RW_E_SCHEMA},
    {"dot", "a.b", RW_E_SCHEMA},
    {"percent", "a%2f", RW_E_SCHEMA},
    {"too_long", "a23456789012345678901234567890123", RW_E_SCHEMA},
};

TEST_EACH(only_plain_names_become_paths, paths)
{
    struct rw_err err = {0};
    char path[TUF_PATH_BYTES];
    MUST_FAIL(entry_codec_content_path(it->family, 1, path, &err), it->want);
    MUST_FAIL(entry_codec_pointer_path(it->family, "yara", path, &err), it->want);
    MUST_FAIL(entry_codec_pointer_path("canary", it->family, path, &err), it->want);
}

#define EXPEDITE(rings, from, until, reason)                                                       \
    "{\"ringward\":{\"format\":1,\"rings\":" rings ",\"not_before\":" from ",\"until\":" until     \
    ",\"reason\":" reason "}}"
#define FROM  "\"2026-11-22T06:00:00Z\""
#define UNTIL "\"2026-11-22T08:00:00Z\""

static const struct expedite_row {
    const char *id;
    const char *path, *custom;
    enum rw_code want;
} expedites[] = {
    {"good", "expedite/yara/2", EXPEDITE("[\"canary\",\"broad\"]", FROM, UNTIL, "\"x\""),
     RW_E_NONE},
    {"no ring", "expedite/yara/2", EXPEDITE("[]", FROM, UNTIL, "\"x\""), RW_E_RANGE},
    {"a ring that is no name", "expedite/yara/2", EXPEDITE("[\"*\"]", FROM, UNTIL, "\"x\""),
     RW_E_SCHEMA},
    {"a ring that is no string", "expedite/yara/2", EXPEDITE("[1]", FROM, UNTIL, "\"x\""),
     RW_E_SCHEMA},
    {"rings that are no list", "expedite/yara/2", EXPEDITE("\"canary\"", FROM, UNTIL, "\"x\""),
     RW_E_SCHEMA},
    {"until at its beginning", "expedite/yara/2", EXPEDITE("[\"canary\"]", FROM, FROM, "\"x\""),
     RW_E_SCHEMA},
    {"until before its beginning", "expedite/yara/2",
     EXPEDITE("[\"canary\"]", UNTIL, FROM, "\"x\""), RW_E_SCHEMA},
    {"no reason", "expedite/yara/2", EXPEDITE("[\"canary\"]", FROM, UNTIL, "\"\""), RW_E_SCHEMA},
    {"a time of another form", "expedite/yara/2",
     EXPEDITE("[\"canary\"]", "\"now\"", UNTIL, "\"x\""), RW_E_SYNTAX},
    {"a time as a number", "expedite/yara/2", EXPEDITE("[\"canary\"]", "0", UNTIL, "\"x\""),
     RW_E_SCHEMA},
    {"no release", "expedite/yara", EXPEDITE("[\"canary\"]", FROM, UNTIL, "\"x\""), RW_E_SYNTAX},
    {"an empty release", "expedite/yara/", EXPEDITE("[\"canary\"]", FROM, UNTIL, "\"x\""),
     RW_E_SYNTAX},
    {"release 0", "expedite/yara/0", EXPEDITE("[\"canary\"]", FROM, UNTIL, "\"x\""), RW_E_RANGE},
    {"a leading zero", "expedite/yara/02", EXPEDITE("[\"canary\"]", FROM, UNTIL, "\"x\""),
     RW_E_SYNTAX},
    {"something behind it", "expedite/yara/2/3", EXPEDITE("[\"canary\"]", FROM, UNTIL, "\"x\""),
     RW_E_SYNTAX},
    {"another folder", "content/yara/2", EXPEDITE("[\"canary\"]", FROM, UNTIL, "\"x\""),
     RW_E_TRUST_RULE},
    {"no family", "expedite//2", EXPEDITE("[\"canary\"]", FROM, UNTIL, "\"x\""), RW_E_SCHEMA},
    {"a newer format", "expedite/yara/2", "{\"ringward\":{\"format\":2}}", RW_E_SCHEMA},
    {"no custom", "expedite/yara/2", NULL, RW_E_SCHEMA},
};

TEST_EACH(an_expedite_is_read_strictly, expedites)
{
    struct rw_err err = {0};
    struct entry_codec_expedite x = {.release = 99};
    struct install_rule_expedite one;
    RW_AUTO(made) struct made m = make(it->path, it->custom);
    MUST_FAIL(entry_codec_read_expedite(&m.t, &x, &err), it->want);
    if (it->want != RW_E_NONE) {
        assert_int_equal(x.release, 99);
        return;
    }
    entry_codec_expedite_for_ring(&m.t, &x, "broad", &one);
    assert_true(one.listed && one.names_ring);
    assert_string_equal(one.family, "yara");
    assert_int_equal(one.release, 2);
    assert_int_equal(one.length, 1234);
    assert_memory_equal(one.sha256, m.t.sha256, sizeof(one.sha256));
    assert_int_equal(one.until.s - one.not_before.s, 7200);
    assert_int_equal(one.expires.s, 0); /* of the role: the caller's */
    entry_codec_expedite_for_ring(&m.t, &x, "early", &one);
    assert_false(one.names_ring);
}

TEST(a_written_expedite_reads_back)
{
    struct rw_err err = {0};
    struct tuf_target t;
    char hex[DIGEST_HEX_BYTES];
    struct entry_codec_expedite back;
    const struct entry_codec_expedite x = {.family = "yara",
                                           .release = 7,
                                           .rings = {"canary", "broad"},
                                           .ring_count = 2,
                                           .not_before = {1795327200},
                                           .until = {1795330000},
                                           .reason = "say \"why\""};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(65536);
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct json_writer w = json_begin(&text);
    MUST(digest_sha256_hex(rw_span_str("p"), hex, &err));
    json_open_object(&w, NULL);
    entry_codec_write_expedite(&w, "expedite/yara/7", &x, 1, hex);
    json_close_object(&w);
    MUST(json_done(&w, &err));
    MUST(json_parse(rw_buf_span(&text), &json_limits_metadata, &tree, &err));
    MUST(tuf_target_read(json_first(tree), "expedite", 1, &t, &err));
    MUST(entry_codec_read_expedite(&t, &back, &err));
    assert_int_equal(back.release, 7);
    assert_int_equal(back.ring_count, 2);
    assert_string_equal(back.rings[1], "broad");
    assert_int_equal(back.not_before.s, x.not_before.s);
    assert_int_equal(back.until.s, x.until.s);
    assert_string_equal(back.reason, x.reason);
}

RUN_TESTS(cmocka_unit_test(an_expedite_is_read_strictly),
          cmocka_unit_test(a_written_expedite_reads_back),
          cmocka_unit_test(a_pointer_speaks_for_its_own_path),
          cmocka_unit_test(a_newer_format_says_that_the_agent_is_too_old),
          cmocka_unit_test(a_content_entry_speaks_for_its_own_path),
          cmocka_unit_test(written_entries_read_back),
          cmocka_unit_test(only_plain_names_become_paths))
