/* Goal: the sensor parses hostile files and is trusted no more than they are: its datagrams have one form or are
 * refused, and a proof of load is whole or none. */
#include "common/wire/sensor_codec.h"

#include "tests/harness.h"

static const struct message_row {
    const char *id;
    struct sensor_message m;
    const char *want;
} messages[] = {
    {"loaded",
     {.type = SENSOR_LOADED, .family = "yara", .release = 2, .generation = 7, .sha256 = {0xab}},
     "{\"type\":\"loaded\",\"family\":\"yara\",\"release\":2,\"sha256\":"
     "\"ab000000000000000000000000000000000000000000000000"
     "00000000000000\",\"generation\":7}"},
    {"empty_set",
     {.type = SENSOR_LOADED, .generation = 1},
     "{\"type\":\"loaded\",\"family\":\"\",\"release\":0,\"sha256\":\"\",\"generation\":1}"},
    {"alive", {.type = SENSOR_ALIVE, .generation = 3}, "{\"type\":\"alive\",\"generation\":3}"},
    {"stats",
     {.type = SENSOR_STATS, .detections = 1, .scanned = 2, .cpu_ms = 3, .rss_kib = 4},
     "{\"type\":\"stats\",\"detections\":1,\"scanned\":2,\"cpu_ms\":3,\"rss_kib\":4}"},
    {"stats_of_a_load",
     {.type = SENSOR_STATS,
      .generation = 4,
      .scan_us = 9,
      .rule = "a",
      .family = "yara",
      .rule_detections = 7,
      .observed = 2},
     "{\"type\":\"stats\",\"detections\":0,\"scanned\":0,\"cpu_ms\":0,\"rss_kib\":0,"
     "\"generation\":4,\"scan_us\":9,\"family\":\"yara\",\"rule\":\"a\","
     "\"rule_detections\":7,\"observed\":2}"},
    {"selftest", {.type = SENSOR_SELFTEST, .ok = true}, "{\"type\":\"selftest\",\"ok\":true}"},
    {"failed_selftest",
     {.type = SENSOR_SELFTEST, .ok = false},
     "{\"type\":\"selftest\",\"ok\":false}"},
    {"error",
     {.type = SENSOR_ERROR, .detail = "rule \"x\": syntax"},
     "{\"type\":\"error\",\"detail\":\"rule \\\"x\\\": syntax\"}"},
};

TEST_EACH(every_message_survives_writing_and_reading, messages)
{
    struct rw_err err = {0};
    struct sensor_message got;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SENSOR_MESSAGE_BYTES_MAX);
    MUST(sensor_write(&it->m, &text, &err));
    assert_string_equal(rw_buf_str(&text), it->want);
    MUST(sensor_read(rw_buf_span(&text), &got, &err));
    assert_int_equal(got.type, it->m.type);
    assert_int_equal(got.generation, it->m.generation);
    assert_int_equal(got.release, it->m.release);
    assert_string_equal(got.family, it->m.family);
    assert_memory_equal(got.sha256, it->m.sha256, sizeof(got.sha256));
    assert_int_equal(got.ok, it->m.ok);
    assert_int_equal(got.detections, it->m.detections);
    assert_int_equal(got.scanned, it->m.scanned);
    assert_int_equal(got.cpu_ms, it->m.cpu_ms);
    assert_int_equal(got.rss_kib, it->m.rss_kib);
    assert_int_equal(got.scan_us, it->m.scan_us);
    assert_string_equal(got.rule, it->m.rule);
    assert_int_equal(got.rule_detections, it->m.rule_detections);
    assert_int_equal(got.observed, it->m.observed);
    assert_string_equal(got.detail, it->m.detail);
}

#define HASH "ab00000000000000000000000000000000000000000000000000000000000000"

static const struct bad_row {
    const char *id;
    const char *text;
    enum rw_code want;
} bads[] = {
    {"nothing", "", RW_E_SYNTAX},
    {"no_json", "loaded", RW_E_SYNTAX},
    {"two_lines", "{\"type\":\"alive\",\"generation\":3}\n{}", RW_E_SYNTAX},
    {"no_object", "[]", RW_E_SCHEMA},
    {"no_type", "{\"generation\":3}", RW_E_SCHEMA},
    {"unknown_type", "{\"type\":\"fine\"}", RW_E_SCHEMA},
    {"type_twice", "{\"type\":\"error\",\"type\":\"alive\",\"generation\":3}", RW_E_SYNTAX},
    {"alive_without_generation", "{\"type\":\"alive\"}", RW_E_SCHEMA},
    {"generation_negative", "{\"type\":\"alive\",\"generation\":-1}", RW_E_RANGE},
    {"generation_as_text", "{\"type\":\"alive\",\"generation\":\"3\"}", RW_E_SCHEMA},
    {"loaded_without_hash", "{\"type\":\"loaded\",\"family\":\"y\",\"release\":2,\"generation\":1}",
     RW_E_SCHEMA},
    {"loaded_with_half_a_hash",
     "{\"type\":\"loaded\",\"family\":\"y\",\"release\":2,\"generation\":1,\"sha256\":\"ab\"}",
     RW_E_SYNTAX},
    {"loaded_generation_0",
     "{\"type\":\"loaded\",\"family\":\"y\",\"release\":2,\"generation\":0,\"sha256\":\"" HASH
     "\"}",
     RW_E_RANGE},
    {"loaded_release_negative",
     "{\"type\":\"loaded\",\"family\":\"y\",\"release\":-2,\"generation\":1,\"sha256\":\"" HASH
     "\"}",
     RW_E_RANGE},
    {"loaded_family_too_long",
     "{\"type\":\"loaded\",\"family\":\"123456789012345678901234567890123\",\"release\":2,"
     "\"generation\":1,\"sha256\":\"" HASH "\"}",
     RW_E_RANGE},
    {"stats_without_rss", "{\"type\":\"stats\",\"detections\":1,\"scanned\":2,\"cpu_ms\":3}",
     RW_E_SCHEMA},
    {"stats_negative",
     "{\"type\":\"stats\",\"detections\":-1,\"scanned\":2,\"cpu_ms\":3,\"rss_kib\":1}", RW_E_RANGE},
    {"selftest_as_a_number", "{\"type\":\"selftest\",\"ok\":1}", RW_E_SCHEMA},
    {"selftest_as_text", "{\"type\":\"selftest\",\"ok\":\"true\"}", RW_E_SCHEMA},
    {"error_without_detail", "{\"type\":\"error\"}", RW_E_SCHEMA},
    {"nested_too_deeply", "{\"type\":\"error\",\"detail\":\"x\",\"more\":[[1]]}", RW_E_SYNTAX},
};

TEST_EACH(what_has_another_form_is_refused, bads)
{
    struct rw_err err = {0};
    struct sensor_message got = {.generation = 99};
    MUST_FAIL(sensor_read(rw_span_str(it->text), &got, &err), it->want);
    assert_int_equal(got.generation, 99);
}

TEST(a_datagram_is_bounded)
{
    struct rw_err err = {0};
    struct sensor_message got;
    char text[SENSOR_MESSAGE_BYTES_MAX + 2];
    static const char good[] = "{\"type\":\"alive\",\"generation\":3}";
    memset(text, ' ', sizeof(text));
    memcpy(text, good, sizeof(good) - 1);
    MUST(sensor_read(rw_span_of(text, SENSOR_MESSAGE_BYTES_MAX), &got, &err));
    MUST_FAIL(sensor_read(rw_span_of(text, SENSOR_MESSAGE_BYTES_MAX + 1), &got, &err),
              RW_E_TOO_BIG);
    struct sensor_message m = {.type = SENSOR_ERROR};
    memset(m.detail, '\x01', sizeof(m.detail) - 1); /* six bytes each when escaped */
    RW_AUTO(rw_buf) struct rw_buf into = rw_buf_make(SENSOR_MESSAGE_BYTES_MAX);
    MUST_FAIL(sensor_write(&m, &into, &err), RW_E_TOO_BIG);
}

RUN_TESTS(cmocka_unit_test(every_message_survives_writing_and_reading),
          cmocka_unit_test(what_has_another_form_is_refused),
          cmocka_unit_test(a_datagram_is_bounded))
