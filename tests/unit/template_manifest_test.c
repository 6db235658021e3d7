/* Goal: what the sensor supplies is compared, not what content says of itself; a manifest that was touched is none;
 * events become exactly as many values as the sensor supplies. */
#include "common/template/template_manifest.h"
#include "tests/template_text.h"

static struct rw_err err;
static struct template_manifest read_back; /* large */

TEST(a_manifest_reads_back_as_it_was_written)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TEMPLATE_MANIFEST_BYTES_MAX);
    struct template_manifest *m = tt_manifest();
    MUST(template_manifest_write(m, &text, &err));
    MUST(template_manifest_read(rw_buf_span(&text), &read_back, &err));
    assert_string_equal(read_back.sensor, "test");
    assert_int_equal(read_back.version, 3);
    assert_int_equal(read_back.type_count, 1);
    assert_int_equal(read_back.types[0].field_count, 3);
    assert_string_equal(read_back.types[0].fields[2].name, "a");
    assert_int_equal(read_back.types[0].fields[2].type, TEMPLATE_IP);
    assert_memory_equal(read_back.operators, m->operators, sizeof(m->operators));
}

static const struct {
    const char *id;
    const char *from, *to;
    enum rw_code want;
} touched[] = {
    {"a field renamed", "{\"name\":\"n\"", "{\"name\":\"m\"", RW_E_TUF_HASH},
    {"a field of another type", "\"type\":\"int\"", "\"type\":\"ip\"", RW_E_TUF_HASH},
    {"another version", "\"version\":3", "\"version\":4", RW_E_TUF_HASH},
    {"an operator less", "\"range\"", "\"is\"", RW_E_TUF_HASH},
    {"a count that is not the list's", "\"field_count\":3", "\"field_count\":4", RW_E_SCHEMA},
    {"an operator that nobody knows", "\"range\"", "\"ranges\"", RW_E_SCHEMA},
    {"another format", "ringward-manifest-1", "ringward-manifest-2", RW_E_SCHEMA},
    {"a surplus member", "\"sensor\":", "\"x\":1,\"sensor\":", RW_E_SCHEMA},
};

TEST_EACH(a_manifest_that_was_touched_is_none, touched)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TEMPLATE_MANIFEST_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf changed = rw_buf_make(TEMPLATE_MANIFEST_BYTES_MAX);
    struct template_manifest *m = tt_manifest();
    m->operators[TEMPLATE_INT] = 1U << TEMPLATE_IS | 1U << TEMPLATE_RANGE;
    MUST(template_manifest_write(m, &text, &err));
    const char *at = strstr(rw_buf_str(&text), it->from);
    assert_non_null(at);
    size_t before = (size_t)(at - rw_buf_str(&text));
    MUST(rw_buf_append(&changed, rw_span_of(text.p, before), &err));
    MUST(rw_buf_append_str(&changed, it->to, &err));
    MUST(rw_buf_append_str(&changed, at + strlen(it->from), &err));
    MUST_FAIL(template_manifest_read(rw_buf_span(&changed), &read_back, &err), it->want);
}

#define FIELDS(list) TT_CONTENT("[{\"name\":\"t\",\"fields\":[" list "]}]", "%s")
#define S            "{\"name\":\"s\",\"type\":\"string\"}"
#define N            "{\"name\":\"n\",\"type\":\"int\"}"
#define A            "{\"name\":\"a\",\"type\":\"ip\"}"
#define X            "{\"name\":\"x\",\"type\":\"string\"}"

static const struct {
    const char *id;
    const char *text; /* with %s for the instance */
    const char *instance;
    const char *reason; /* NULL: it fits */
} schemas[] = {
    {"the same", FIELDS(S "," N "," A), TT_ONE("i", "\"*\",\"*\",\"*\""), NULL},
    {"one more, a wildcard", FIELDS(S "," N "," A "," X), TT_ONE("i", "\"*\",\"*\",\"*\",\"*\""),
     "declares 4 fields, the sensor supplies 3"},
    {"one more, a literal", FIELDS(S "," N "," A "," X),
     TT_ONE("i", "\"*\",\"*\",\"*\",{\"is\":\"y\"}"), "declares 4 fields, the sensor supplies 3"},
    {"one less", FIELDS(S "," N), TT_ONE("i", "\"*\",\"*\""),
     "declares 2 fields, the sensor supplies 3"},
    {"another name",
     FIELDS(S "," N ","
              "{\"name\":\"b\",\"type\":\"ip\"}"),
     TT_ONE("i", "\"*\",\"*\",\"*\""), "field 3"},
    {"another type",
     FIELDS(S "," N ","
              "{\"name\":\"a\",\"type\":\"string\"}"),
     TT_ONE("i", "\"*\",\"*\",\"*\""), "field 3"},
    {"another order", FIELDS(N "," S "," A), TT_ONE("i", "\"*\",\"*\",\"*\""), "field 1"},
    {"a type that the sensor has not",
     "{\"format\":\"ringward-template-1\",\"sensor_min\":1,\"types\":[{\"name\":\"u\",\"fields\":"
     "[" S "]}],\"instances\":[%s]}",
     "{\"id\":\"i\",\"type\":\"u\",\"action\":\"alert\",\"criteria\":[\"*\"]}", "no type 'u'"},
    {"an operator that the sensor has not", FIELDS(S "," N "," A),
     TT_ONE("i", "{\"contains\":\"y\"},\"*\",\"*\""), "no operator 'contains'"},
    {"a newer sensor",
     "{\"format\":\"ringward-template-1\",\"sensor_min\":4,\"types\":" TT_TYPES
     ",\"instances\":[%s]}",
     TT_ONE("i", "\"*\",\"*\",\"*\""), "sensor version 4"},
    {"just this sensor",
     "{\"format\":\"ringward-template-1\",\"sensor_min\":3,\"types\":" TT_TYPES
     ",\"instances\":[%s]}",
     TT_ONE("i", "\"*\",\"*\",\"*\""), NULL},
};

TEST_EACH(content_is_compared_with_what_the_sensor_supplies, schemas)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 16);
    RW_AUTO(template_set) struct template_set set = {.tree = NULL};
    struct template_manifest *m = tt_manifest();
    m->operators[TEMPLATE_STRING] &= ~(1U << TEMPLATE_CONTAINS);
    const char *gap = strstr(it->text, "%s");
    MUST(rw_buf_append(&text, rw_span_of(it->text, (size_t)(gap - it->text)), &err));
    MUST(rw_buf_append_str(&text, it->instance, &err));
    MUST(rw_buf_append_str(&text, gap + 2, &err));
    MUST(template_set_read(rw_buf_span(&text), &set, &err));
    struct rw_rc rc = template_manifest_check(m, &set, &err);
    if (it->reason == NULL) {
        MUST(rc);
        return;
    }
    assert_int_equal(rc.code, RW_E_SCHEMA);
    if (strstr(err.text, it->reason) == NULL) { fail_msg("reason '%s'", err.text); }
}

static const struct {
    const char *id;
    const char *line;
    enum rw_code want;
} events[] = {
    {"all fields", "{\"type\":\"t\",\"s\":\"x\",\"n\":5,\"a\":\"::1\"}", RW_E_NONE},
    {"no field", "{\"type\":\"t\"}", RW_E_NONE},
    {"the type last", "{\"n\":5,\"type\":\"t\"}", RW_E_NONE},
    {"no type", "{\"n\":5}", RW_E_SCHEMA},
    {"an unknown type", "{\"type\":\"u\"}", RW_E_SCHEMA},
    {"an unknown field", "{\"type\":\"t\",\"x\":1}", RW_E_SCHEMA},
    {"a field twice", "{\"type\":\"t\",\"n\":1,\"n\":2}", RW_E_SYNTAX},
    {"a text for a number", "{\"type\":\"t\",\"n\":\"5\"}", RW_E_SCHEMA},
    {"a number for an address", "{\"type\":\"t\",\"a\":5}", RW_E_SCHEMA},
    {"null", "{\"type\":\"t\",\"s\":null}", RW_E_SCHEMA},
    {"an array", "[\"t\"]", RW_E_SCHEMA},
    {"no JSON", "type=t", RW_E_SYNTAX},
};

TEST_EACH(an_event_has_as_many_values_as_the_sensor_supplies, events)
{
    RW_AUTO(template_event) struct template_event e = {.tree = NULL};
    struct rw_rc rc = template_event_read(rw_span_str(it->line), tt_manifest(), &e, &err);
    assert_int_equal(rc.code, it->want);
    if (it->want != RW_E_NONE) { return; }
    assert_int_equal(e.type->field_count, 3);
    assert_int_equal(e.values[1].type, TEMPLATE_INT); /* present or not */
    assert_int_equal(e.values[1].present, strstr(it->line, "\"n\"") != NULL);
}

TEST(lines_are_cut_at_line_ends_and_blank_ones_left_out)
{
    struct rw_span rest = rw_span_str("\n\r\n  {a} \r\n\t{b}\n{c}");
    struct rw_span line;
    const char *const want[] = {"{a}", "{b}", "{c}"};
    for (size_t i = 0; i < RW_LEN(want); i++) {
        assert_true(template_event_line(&rest, &line));
        assert_true(rw_span_is(line, want[i]));
    }
    assert_false(template_event_line(&rest, &line));
}

RUN_TESTS(cmocka_unit_test(a_manifest_reads_back_as_it_was_written),
          cmocka_unit_test(a_manifest_that_was_touched_is_none),
          cmocka_unit_test(content_is_compared_with_what_the_sensor_supplies),
          cmocka_unit_test(an_event_has_as_many_values_as_the_sensor_supplies),
          cmocka_unit_test(lines_are_cut_at_line_ends_and_blank_ones_left_out))
