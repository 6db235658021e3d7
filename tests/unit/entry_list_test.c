/* Goal: what a content role says of its family as a whole is read strictly, floor and withdrawals only grow, and one
 * entry that cannot be read keeps nobody from the others. */
#include "common/policy/entry_list.h"

#include "common/policy/entry_codec.h"
#include "tests/harness.h"

#define HASH(digit)                                                                                \
    digit digit digit digit digit digit digit digit digit digit digit digit digit digit digit      \
        digit digit digit digit digit digit digit digit digit digit digit digit digit digit digit  \
            digit digit
#define H1               HASH("11")
#define H2               HASH("22")
#define H3               HASH("33")
#define W(release, hash) "{\"release\":" release ",\"sha256\":\"" hash "\"}"
#define ROLE(member)     "{\"targets\":{}," member "}"

static struct rw_rc list_of(const char *text, struct entry_list *out, struct rw_err *err)
{
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(rw_span_str(text), &json_limits_metadata, &tree, err));
    return entry_list_read(tree, "yara", out, err);
}

static const struct row {
    const char *id, *text;
    enum rw_code want;
    int64_t floor;
    size_t withdrawn;
} rows[] = {
    {"no member", "{\"targets\":{}}", RW_E_NONE, 0, 0},
    {"nothing withdrawn", ROLE("\"ringward\":{\"format\":1,\"floor\":5,\"withdrawn\":[]}"),
     RW_E_NONE, 5, 0},
    {"two",
     ROLE("\"ringward\":{\"format\":1,\"floor\":0,\"withdrawn\":[" W("1", H1) "," W("3", H2) "]}"),
     RW_E_NONE, 0, 2},
    {"unknown members do not matter",
     ROLE("\"ringward\":{\"format\":1,\"floor\":1,\"withdrawn\":[],\"note\":\"x\"}"), RW_E_NONE, 1,
     0},
    {"a newer format", ROLE("\"ringward\":{\"format\":2}"), RW_E_SCHEMA, 0, 0},
    {"no object", ROLE("\"ringward\":[]"), RW_E_SCHEMA, 0, 0},
    {"no floor", ROLE("\"ringward\":{\"format\":1,\"withdrawn\":[]}"), RW_E_SCHEMA, 0, 0},
    {"a negative floor", ROLE("\"ringward\":{\"format\":1,\"floor\":-1,\"withdrawn\":[]}"),
     RW_E_RANGE, 0, 0},
    {"no list", ROLE("\"ringward\":{\"format\":1,\"floor\":1}"), RW_E_SCHEMA, 0, 0},
    {"a short hash",
     ROLE("\"ringward\":{\"format\":1,\"floor\":0,\"withdrawn\":[" W("1", "11") "]}"), RW_E_SYNTAX,
     0, 0},
    {"not in order",
     ROLE("\"ringward\":{\"format\":1,\"floor\":0,\"withdrawn\":[" W("3", H1) "," W("1", H2) "]}"),
     RW_E_RANGE, 0, 0},
    {"twice",
     ROLE("\"ringward\":{\"format\":1,\"floor\":0,\"withdrawn\":[" W("1", H1) "," W("1", H2) "]}"),
     RW_E_RANGE, 0, 0},
    {"a number in the list", ROLE("\"ringward\":{\"format\":1,\"floor\":0,\"withdrawn\":[1]}"),
     RW_E_SCHEMA, 0, 0},
    {"no targets", "{}", RW_E_SCHEMA, 0, 0},
};

TEST_EACH(the_list_is_read_strictly, rows)
{
    struct rw_err err = {0};
    struct entry_list list;
    MUST_FAIL(list_of(it->text, &list, &err), it->want);
    if (it->want != RW_E_NONE) { return; }
    assert_int_equal(list.floor, it->floor);
    assert_int_equal(list.withdrawn_count, it->withdrawn);
}

static struct rw_wall at(int64_t s)
{
    return (struct rw_wall){s};
}

static void put(struct json_writer *w, int64_t release, int64_t signed_at, const char *hash)
{
    static const struct ring_policy policy = {.rings = {{.name = "broad"}}, .ring_count = 1};
    struct rw_err err = {0};
    char path[TUF_PATH_BYTES];
    struct entry_codec_content c = {.family = "yara",
                                    .class_name = "data",
                                    .release = release,
                                    .signed_at = at(signed_at),
                                    .not_before = {at(signed_at)},
                                    .platforms = {"any"},
                                    .platform_count = 1};
    MUST(entry_codec_content_path("yara", release, path, &err));
    entry_codec_write_content(w, path, &c, &policy, 9, hash);
}

/* Releases 2, 5 and 7, the middle one withdrawn bytes under a new number, and one entry nobody can read. */
static void read_three(struct entry_list *list)
{
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(65536);
    struct json_writer w = json_begin(&text);
    struct entry_list said = {.floor = 2, .withdrawn_count = 1, .withdrawn = {{.release = 1}}};
    memset(said.withdrawn[0].sha256, 0x22, sizeof(said.withdrawn[0].sha256));
    json_open_object(&w, NULL);
    entry_list_write(&w, &said);
    json_open_object(&w, "targets");
    put(&w, 2, 1000, H1);
    put(&w, 5, 3000, H2);
    put(&w, 7, 2000, H3);
    json_open_object(&w, "content/yara/9.rwc");
    json_put_int(&w, "length", 9);
    json_close_object(&w);
    json_close_object(&w);
    json_close_object(&w);
    MUST(json_done(&w, &err));
    MUST(list_of(rw_buf_str(&text), list, &err));
}

TEST(what_the_list_says_reaches_the_rule)
{
    struct entry_list list;
    struct install_rule_content c = {.release = 7};
    read_three(&list);
    assert_int_equal(list.listed_count, 3);
    memset(c.sha256, 0x33, sizeof(c.sha256));
    assert_true(entry_list_has(&list, 7, c.sha256));
    assert_false(entry_list_has(&list, 5, c.sha256));
    entry_list_apply(&list, &c);
    assert_int_equal(c.floor, 2);
    assert_false(c.withdrawn);
    assert_int_equal(c.signed_before.s, 3000); /* of 5: 7 says that it was signed earlier */
    c.release = 5;
    memset(c.sha256, 0x22, sizeof(c.sha256));
    entry_list_apply(&list, &c);
    assert_true(c.withdrawn);
    assert_int_equal(c.signed_before.s, 1000);
    c.release = 2;
    entry_list_apply(&list, &c);
    assert_int_equal(c.signed_before.s, 0);
}

TEST(a_list_with_nothing_to_say_is_not_written)
{
    struct rw_err err = {0};
    const struct entry_list list = {.floor = 0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(100);
    struct json_writer w = json_begin(&text);
    json_open_object(&w, NULL);
    entry_list_write(&w, &list);
    json_close_object(&w);
    MUST(json_done(&w, &err));
    assert_string_equal(rw_buf_str(&text), "{}");
}

TEST(withdrawals_stand_in_order_and_are_bounded)
{
    struct rw_err err = {0};
    struct entry_list list = {.floor = 0};
    uint8_t hash[INSTALL_HASH_BYTES] = {0};
    for (int64_t i = ENTRY_LIST_WITHDRAWN_MAX; i >= 1; i--) {
        hash[0] = (uint8_t)i;
        MUST(entry_list_withdraw(&list, i, hash, &err));
    }
    MUST(entry_list_withdraw(&list, 5, hash, &err)); /* there already */
    assert_int_equal(list.withdrawn_count, ENTRY_LIST_WITHDRAWN_MAX);
    for (size_t i = 0; i < list.withdrawn_count; i++) {
        assert_int_equal(list.withdrawn[i].release, i + 1);
        assert_int_equal(list.withdrawn[i].sha256[0], i + 1);
    }
    MUST_FAIL(entry_list_withdraw(&list, 100, hash, &err), RW_E_FULL);
    list.floor = 10;
    MUST(entry_list_withdraw(&list, 100, hash, &err));
    assert_int_equal(list.withdrawn_count, ENTRY_LIST_WITHDRAWN_MAX - 9 + 1);
    assert_int_equal(list.withdrawn[0].release, 10);
}

static const struct next_row {
    const char *id;
    int64_t had_floor, had_withdrawn, floor, withdrawn, listed;
    bool ok;
} nexts[] = {
    {"the same", 3, 4, 3, 4, 5, true},
    {"the floor rises", 3, 4, 4, 4, 5, true},
    {"the floor sinks", 3, 4, 2, 4, 5, false},
    {"one is withdrawn", 3, 0, 3, 4, 5, true},
    {"one is withdrawn no longer", 3, 4, 3, 0, 5, false},
    {"forgotten below the floor", 3, 4, 5, 0, 5, true},
    {"listed below the floor", 0, 0, 6, 0, 5, false},
    {"listed and withdrawn", 0, 0, 0, 5, 5, false},
};

static void fill(struct entry_list *list, int64_t floor, int64_t withdrawn, int64_t listed)
{
    *list = (struct entry_list){.floor = floor};
    if (withdrawn > 0) {
        list->withdrawn[list->withdrawn_count++] =
            (struct entry_list_withdrawn){.release = withdrawn, .sha256 = {(uint8_t)withdrawn}};
    }
    list->listed[0].release = listed;
    list->listed[0].sha256[0] = (uint8_t)listed;
    list->listed_count = 1;
}

TEST_EACH(floor_and_withdrawals_only_grow, nexts)
{
    struct rw_err err = {0};
    struct entry_list had;
    struct entry_list next;
    fill(&had, it->had_floor, it->had_withdrawn, 5);
    fill(&next, it->floor, it->withdrawn, it->listed);
    MUST_FAIL(entry_list_check_next(&had, &next, &err), it->ok ? RW_E_NONE : RW_E_TRUST_RULE);
}

RUN_TESTS(cmocka_unit_test(the_list_is_read_strictly),
          cmocka_unit_test(what_the_list_says_reaches_the_rule),
          cmocka_unit_test(a_list_with_nothing_to_say_is_not_written),
          cmocka_unit_test(withdrawals_stand_in_order_and_are_bounded),
          cmocka_unit_test(floor_and_withdrawals_only_grow))
