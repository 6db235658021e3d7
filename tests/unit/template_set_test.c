/* Goal: template content is read strictly: one form, all bounds, and errors that name the place. */
#include "common/template/template_set.h"
#include "tests/template_text.h"

static struct rw_err err;

static const struct {
    const char *id;
    const char *text;
    const char *reason; /* part of it; NULL: it reads */
} contents[] = {
    {"good", TT_CONTENT(TT_TYPES, TT_ONE("a", "\"*\",{\"range\":[1,2]},{\"net\":\"10.0.0.0/8\"}")),
     NULL},
    {"every operator",
     TT_CONTENT(TT_TYPES,
                TT_ONE("a",
                       "{\"is\":\"x\"},{\"one_of\":[1,2]},{\"one_of\":[\"::1\",\"1.2.3.4\"]"
                       "}") "," TT_ONE("b",
                                       "{\"prefix\":\"x\"},{\"is\":-5},{\"net\":"
                                       "\"fe80::/10\"}") "," TT_ONE("c",
                                                                    "{\"suffix\":\"x\"},\"*\",\"*"
                                                                    "\"") "," TT_ONE("d",
                                                                                     "{\"contains\""
                                                                                     ":\"x\"}"
                                                                                     ",\"*\",\"*"
                                                                                     "\"")),
     NULL},
    {"no object", "[]", "object"},
    {"nothing", "", "JSON"},
    {"another format",
     "{\"format\":\"ringward-template-2\",\"sensor_min\":1,\"types\":[],\"instances\":[]}",
     "format"},
    {"a surplus member",
     "{\"format\":\"ringward-template-1\",\"sensor_min\":1,\"types\":[],\"instances\":[],\"x\":1}",
     "'x'"},
    {"no sensor version", "{\"format\":\"ringward-template-1\",\"types\":[],\"instances\":[]}",
     "sensor_min"},
    {"no type", TT_CONTENT("[]", TT_ONE("a", "")), "no types"},
    {"no instance", TT_CONTENT(TT_TYPES, ""), "no instances"},
    {"a type twice",
     TT_CONTENT("[{\"name\":\"t\",\"fields\":[{\"name\":\"s\",\"type\":\"int\"}]},{\"name\":\"t\","
                "\"fields\":[{\"name\":\"s\",\"type\":\"int\"}]}]",
                TT_ONE("a", "\"*\"")),
     "declared twice"},
    {"a type without fields", TT_CONTENT("[{\"name\":\"t\",\"fields\":[]}]", TT_ONE("a", "")),
     "no field"},
    {"a field twice",
     TT_CONTENT("[{\"name\":\"t\",\"fields\":[{\"name\":\"s\",\"type\":\"int\"},{\"name\":\"s\","
                "\"type\":\"int\"}]}]",
                TT_ONE("a", "\"*\",\"*\"")),
     "two fields"},
    {"a field of a type that is none",
     TT_CONTENT("[{\"name\":\"t\",\"fields\":[{\"name\":\"s\",\"type\":\"float\"}]}]",
                TT_ONE("a", "\"*\"")),
     "'float'"},
    {"a field called type",
     TT_CONTENT("[{\"name\":\"t\",\"fields\":[{\"name\":\"type\",\"type\":\"int\"}]}]",
                TT_ONE("a", "\"*\"")),
     "may be called 'type'"},
    {"an upper-case name",
     TT_CONTENT("[{\"name\":\"T\",\"fields\":[{\"name\":\"s\",\"type\":\"int\"}]}]",
                TT_ONE("a", "\"*\"")),
     "name 'T'"},
    {"an id twice",
     TT_CONTENT(TT_TYPES, TT_ONE("a", "\"*\",\"*\",\"*\"") "," TT_ONE(
                              "b", "\"*\",\"*\",\"*\"") "," TT_ONE("a", "\"*\",\"*\",\"*\"")),
     "id 'a'"},
    {"an id with a blank", TT_CONTENT(TT_TYPES, TT_ONE("a b", "\"*\",\"*\",\"*\"")), "id 'a b'"},
    {"an id that begins with a dot", TT_CONTENT(TT_TYPES, TT_ONE(".a", "\"*\",\"*\",\"*\"")),
     "id '.a'"},
    {"an undeclared type",
     TT_CONTENT("[{\"name\":\"u\",\"fields\":[{\"name\":\"s\",\"type\":\"int\"}]}]",
                TT_ONE("a", "\"*\"")),
     "'t' is not declared"},
    {"too few criteria", TT_CONTENT(TT_TYPES, TT_ONE("a", "\"*\",\"*\"")),
     "2 criteria, its type 't' declares 3"},
    {"too many criteria", TT_CONTENT(TT_TYPES, TT_ONE("a", "\"*\",\"*\",\"*\",\"*\"")),
     "4 criteria, its type 't' declares 3"},
    {"an unknown operator", TT_CONTENT(TT_TYPES, TT_ONE("a", "{\"regex\":\"x\"},\"*\",\"*\"")),
     "unknown operator 'regex'"},
    {"the wildcard as an operator", TT_CONTENT(TT_TYPES, TT_ONE("a", "{\"any\":true},\"*\",\"*\"")),
     "unknown operator 'any'"},
    {"an operator of another type",
     TT_CONTENT(TT_TYPES, TT_ONE("a", "\"*\",{\"prefix\":\"x\"},\"*\"")),
     "has no operator 'prefix'"},
    {"two operators",
     TT_CONTENT(TT_TYPES, TT_ONE("a", "{\"is\":\"x\",\"prefix\":\"y\"},\"*\",\"*\"")), "neither"},
    {"no operator", TT_CONTENT(TT_TYPES, TT_ONE("a", "{},\"*\",\"*\"")), "neither"},
    {"a number for a text", TT_CONTENT(TT_TYPES, TT_ONE("a", "{\"is\":1},\"*\",\"*\"")), "string"},
    {"a text for a number", TT_CONTENT(TT_TYPES, TT_ONE("a", "\"*\",{\"is\":\"1\"},\"*\"")), "int"},
    {"a prefix of nothing", TT_CONTENT(TT_TYPES, TT_ONE("a", "{\"prefix\":\"\"},\"*\",\"*\"")),
     "fits everything"},
    {"an empty list", TT_CONTENT(TT_TYPES, TT_ONE("a", "{\"one_of\":[]},\"*\",\"*\"")),
     "0 literals"},
    {"a list in a list", TT_CONTENT(TT_TYPES, TT_ONE("a", "{\"one_of\":[[\"x\"]]},\"*\",\"*\"")),
     "deep"},
    {"a range backwards", TT_CONTENT(TT_TYPES, TT_ONE("a", "\"*\",{\"range\":[2,1]},\"*\"")),
     "in order"},
    {"a range of one", TT_CONTENT(TT_TYPES, TT_ONE("a", "\"*\",{\"range\":[2]},\"*\"")),
     "two integers"},
    {"a range of three", TT_CONTENT(TT_TYPES, TT_ONE("a", "\"*\",{\"range\":[1,2,3]},\"*\"")),
     "two integers"},
    {"no address", TT_CONTENT(TT_TYPES, TT_ONE("a", "\"*\",\"*\",{\"is\":\"1.2.3\"}")), "address"},
    {"a net without a prefix",
     TT_CONTENT(TT_TYPES, TT_ONE("a", "\"*\",\"*\",{\"net\":\"10.0.0.0\"}")), "ADDRESS/BITS"},
    {"a net with bits behind it",
     TT_CONTENT(TT_TYPES, TT_ONE("a", "\"*\",\"*\",{\"net\":\"10.0.0.1/8\"}")),
     "behind the prefix"},
    {"a net of 33 bits", TT_CONTENT(TT_TYPES, TT_ONE("a", "\"*\",\"*\",{\"net\":\"10.0.0.0/33\"}")),
     "ADDRESS/BITS"},
    {"an unknown action",
     "{\"format\":\"ringward-template-1\",\"sensor_min\":1,\"types\":" TT_TYPES
     ",\"instances\":[{\"id\":\"a\",\"type\":\"t\",\"action\":\"explode\",\"criteria\":[\"*\",\"*"
     "\",\"*\"]}]}",
     "'explode'"},
};

TEST_EACH(content_is_read_strictly, contents)
{
    RW_AUTO(template_set) struct template_set set = {.tree = NULL};
    struct rw_rc rc = template_set_read(rw_span_str(it->text), &set, &err);
    if (it->reason == NULL) {
        MUST(rc);
        assert_true(set.instance_count > 0);
        return;
    }
    assert_false(rw_is_ok(rc));
    if (strstr(err.text, it->reason) == NULL) { fail_msg("reason '%s'", err.text); }
    assert_null(set.tree);
}

TEST(a_type_has_at_most_so_many_fields)
{
    for (size_t count = TEMPLATE_FIELDS_MAX; count <= TEMPLATE_FIELDS_MAX + 1; count++) {
        RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 16);
        RW_AUTO(template_set) struct template_set set = {.tree = NULL};
        tt_wide(&text, count, "\"*\"");
        struct rw_rc rc = template_set_read(rw_buf_span(&text), &set, &err);
        assert_int_equal(rw_is_ok(rc), count == TEMPLATE_FIELDS_MAX);
    }
}

TEST(a_literal_has_at_most_so_many_bytes)
{
    char literal[TEMPLATE_LITERAL_BYTES_MAX + 2];
    for (size_t n = TEMPLATE_LITERAL_BYTES_MAX; n <= TEMPLATE_LITERAL_BYTES_MAX + 1; n++) {
        RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 16);
        RW_AUTO(template_set) struct template_set set = {.tree = NULL};
        memset(literal, 'x', n);
        literal[n] = '\0';
        MUST(rw_buf_appendf(&text, &err,
                            TT_CONTENT(TT_TYPES, TT_ONE("a", "{\"is\":\"%s\"},\"*\",\"*\"")),
                            literal));
        struct rw_rc rc = template_set_read(rw_buf_span(&text), &set, &err);
        assert_int_equal(rc.code, n == TEMPLATE_LITERAL_BYTES_MAX ? RW_E_NONE : RW_E_TOO_BIG);
    }
}

TEST(content_has_at_most_so_many_instances)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TEMPLATE_CONTENT_BYTES_MAX);
    RW_AUTO(template_set) struct template_set set = {.tree = NULL};
    MUST(
        rw_buf_append_str(&text,
                          "{\"format\":\"ringward-template-1\",\"sensor_min\":1,\"types\":" TT_TYPES
                          ",\"instances\":[",
                          &err));
    for (int i = 0; i <= TEMPLATE_INSTANCES_MAX; i++) {
        MUST(rw_buf_appendf(&text, &err, "%s" TT_ONE("i%d", "\"*\",\"*\",\"*\""), i > 0 ? "," : "",
                            i));
    }
    MUST(rw_buf_append_str(&text, "]}", &err));
    MUST_FAIL(template_set_read(rw_buf_span(&text), &set, &err), RW_E_TOO_BIG);
}

TEST(every_truncation_is_refused)
{
    const char *text = contents[1].text;
    for (size_t n = 0; n < strlen(text); n++) {
        RW_AUTO(template_set) struct template_set set = {.tree = NULL};
        struct rw_rc rc = template_set_read(rw_span_of(text, n), &set, &err);
        assert_false(rw_is_ok(rc));
    }
}

RUN_TESTS(cmocka_unit_test(content_is_read_strictly),
          cmocka_unit_test(a_type_has_at_most_so_many_fields),
          cmocka_unit_test(a_literal_has_at_most_so_many_bytes),
          cmocka_unit_test(content_has_at_most_so_many_instances),
          cmocka_unit_test(every_truncation_is_refused))
