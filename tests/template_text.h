/* template_text.h: small template contents, events and a manifest for tests. */
#ifndef RINGWARD_TEST_TEMPLATE_TEXT_H
#define RINGWARD_TEST_TEMPLATE_TEXT_H

#include "common/template/template_manifest.h"
#include "tests/harness.h"

#define TT_TYPES                                                                                   \
    "[{\"name\":\"t\",\"fields\":[{\"name\":\"s\",\"type\":\"string\"},{\"name\":\"n\",\"type\":"  \
    "\"int\"},{\"name\":\"a\",\"type\":\"ip\"}]}]"
#define TT_CONTENT(types, instances)                                                               \
    "{\"format\":\"ringward-template-1\",\"sensor_min\":1,\"types\":" types                        \
    ",\"instances\":[" instances "]}"
#define TT_ONE(id, criteria)                                                                       \
    "{\"id\":\"" id "\",\"type\":\"t\",\"action\":\"block\",\"criteria\":[" criteria "]}"

/* The sensor that goes with TT_TYPES: one type of three fields, all operators. */
static inline struct template_manifest *tt_manifest(void)
{
    static struct template_manifest m;
    m = (struct template_manifest){
        .sensor = "test",
        .version = 3,
        .operators = {0xFF, 0xFF, 0xFF},
        .types = {{.name = "t",
                   .field_count = 3,
                   .fields = {{"s", TEMPLATE_STRING}, {"n", TEMPLATE_INT}, {"a", TEMPLATE_IP}}}},
        .type_count = 1};
    return &m;
}

/* Content that declares and judges one type of `count` string fields; the criterion of the last one is `last`. */
static inline void tt_wide(struct rw_buf *into, size_t count, const char *last)
{
    struct rw_err err = {0};
    MUST(rw_buf_append_str(
        into,
        "{\"format\":\"ringward-template-1\",\"sensor_min\":1,\"types\":[{\"name\":"
        "\"wide\",\"fields\":[",
        &err));
    for (size_t i = 0; i < count; i++) {
        MUST(rw_buf_appendf(into, &err, "%s{\"name\":\"f%zu\",\"type\":\"string\"}",
                            i > 0 ? "," : "", i + 1));
    }
    MUST(
        rw_buf_append_str(into,
                          "]}],\"instances\":[{\"id\":\"x\",\"type\":\"wide\",\"action\":\"block\","
                          "\"criteria\":[",
                          &err));
    for (size_t i = 0; i + 1 < count; i++) {
        MUST(rw_buf_append_str(into, "\"*\",", &err));
    }
    MUST(rw_buf_appendf(into, &err, "%s]}]}", last));
}

/* The sensor that supplies `count` of them. */
static inline struct template_manifest *tt_wide_manifest(size_t count)
{
    static struct template_manifest m;
    m = (struct template_manifest){
        .sensor = "test", .version = 1, .operators = {0xFF, 0xFF, 0xFF}, .type_count = 1};
    m.types[0].field_count = count;
    (void)snprintf(m.types[0].name, sizeof(m.types[0].name), "wide");
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(m.types[0].fields[i].name, TEMPLATE_NAME_BYTES, "f%zu", i + 1);
        m.types[0].fields[i].type = TEMPLATE_STRING;
    }
    return &m;
}

#endif
