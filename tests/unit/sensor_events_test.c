/* Goal: events of a file are matched line by line; noise and overlong lines silence nothing; a line waits for its end;
 * the template family is compared with what this sensor supplies before it is loaded. */
#include "agent/sensor/sensor_events.h"
#include "agent/sensor/sensor_supply.h"
#include "common/base/file.h"
#include "common/crypto/digest.h"
#include "tests/harness.h"

static struct rw_err err;

#define FIELDS                                                                                     \
    "{\"name\":\"image\",\"type\":\"string\"},{\"name\":\"pid\",\"type\":\"int\"},{\"name\":"      \
    "\"user\",\"type\":\"string\"},{\"name\":\"path\",\"type\":\"string\"},{\"name\":\"bytes\","   \
    "\"type\":\"int\"},{\"name\":\"sha256\",\"type\":\"string\"}"
#define CONTENT(fields, criteria)                                                                  \
    "{\"format\":\"ringward-template-1\",\"sensor_min\":1,\"types\":[{\"name\":\"file_write\","    \
    "\"fields\":[" fields                                                                          \
    "]}],\"instances\":[{\"id\":\"cron\",\"type\":\"file_write\",\"action\":"                      \
    "\"block\",\"criteria\":[" criteria "]}]}"
#define GOOD CONTENT(FIELDS, "\"*\",\"*\",\"*\",{\"prefix\":\"/etc/cron\"},\"*\",\"*\"")
#define HIT  "{\"type\":\"file_write\",\"path\":\"/etc/cron.d/x\"}\n"
#define MISS "{\"type\":\"file_write\",\"path\":\"/home/x\"}\n"

static struct rw_rc load(const struct harness_dir *d, const char *family, const char *content,
                         struct sensor_set *set)
{
    char hex[DIGEST_HEX_BYTES];
    char file[64];
    RW_AUTO(rw_buf) struct rw_buf manifest = rw_buf_make(1024);
    MUST(digest_sha256_hex(rw_span_str(content), hex, &err));
    (void)snprintf(file, sizeof(file), "%s.rwc", family);
    MUST(rw_file_replace_at(d->fd, file, 0600, rw_span_str(content), &err));
    MUST(rw_buf_appendf(&manifest, &err,
                        "{\"set\":1,\"content\":[{\"family\":\"%s\",\"release\":1,\"sha256\":\"%"
                        "s\",\"bytes\":%zu}]}",
                        family, hex, strlen(content)));
    MUST(rw_file_replace_at(d->fd, "manifest.json", 0600, rw_buf_span(&manifest), &err));
    return sensor_load_set(d->path, set, &err);
}

static void put(const struct harness_dir *d, const char *text, int flags)
{
    int fd = openat(d->fd, "events", O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    assert_true(fd >= 0);
    MUST(rw_fd_write_all(fd, rw_span_str(text), &err));
    (void)close(fd);
}

static struct sensor_events open_events(const struct harness_dir *d)
{
    char path[128];
    struct sensor_events e;
    (void)snprintf(path, sizeof(path), "%s/events", d->path);
    MUST(sensor_events_open(path, &e, &err));
    e.shown = "events";
    return e;
}

TEST(every_line_is_matched_and_noise_is_counted)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    RW_AUTO(sensor_set) struct sensor_set set = {.count = 0};
    RW_AUTO(rw_fd) rw_fd null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct sensor_scan scan = {.out_fd = null};
    MUST(load(&d, "template", GOOD, &set));
    put(&d, HIT "no event\n\n" MISS "{\"type\":\"nothing\"}\n" HIT HIT, O_TRUNC);
    RW_AUTO(sensor_events) struct sensor_events e = open_events(&d);
    MUST(sensor_events_pump(&e, &scan, &set, true, &err));
    assert_int_equal(scan.detections, 3);
    assert_int_equal(scan.scanned, 4);
    assert_int_equal(e.number, 7);
    assert_int_equal(e.refused, 2);
}

TEST(a_line_waits_for_its_end_and_a_truncated_file_begins_anew)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    RW_AUTO(sensor_set) struct sensor_set set = {.count = 0};
    RW_AUTO(rw_fd) rw_fd null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct sensor_scan scan = {.out_fd = null};
    MUST(load(&d, "template", GOOD, &set));
    put(&d, HIT "{\"type\":\"file_write\",", O_TRUNC);
    RW_AUTO(sensor_events) struct sensor_events e = open_events(&d);
    MUST(sensor_events_pump(&e, &scan, &set, false, &err));
    assert_int_equal(scan.detections, 1);
    put(&d, "\"path\":\"/etc/cron.d/y\"}\n", O_APPEND);
    MUST(sensor_events_pump(&e, &scan, &set, false, &err));
    assert_int_equal(scan.detections, 2);
    put(&d, HIT, O_TRUNC); /* shorter than before */
    MUST(sensor_events_pump(&e, &scan, &set, false, &err));
    assert_int_equal(scan.detections, 3);
    assert_int_equal(e.refused, 0);
}

TEST(an_overlong_line_is_left_out_up_to_its_end)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    RW_AUTO(sensor_set) struct sensor_set set = {.count = 0};
    RW_AUTO(rw_fd) rw_fd null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 20);
    struct sensor_scan scan = {.out_fd = null};
    MUST(load(&d, "template", GOOD, &set));
    for (int i = 0; i < TEMPLATE_EVENT_BYTES_MAX / 8 + 1; i++) {
        MUST(rw_buf_append_str(&text, "xxxxxxxx", &err));
    }
    MUST(rw_buf_append_str(&text, "\n" HIT, &err));
    put(&d, rw_buf_str(&text), O_TRUNC);
    RW_AUTO(sensor_events) struct sensor_events e = open_events(&d);
    MUST(sensor_events_pump(&e, &scan, &set, true, &err));
    assert_int_equal(scan.detections, 1);
    assert_int_equal(e.refused, 1);
    assert_non_null(strstr(e.err.text, "longer than"));
}

static const struct {
    const char *id;
    const char *family;
    const char *content;
    const char *reason; /* NULL: it loads */
} loads[] = {
    {"good", "template", GOOD, NULL},
    {"good, of a family of that kind", "template-kiosk", GOOD, NULL},
    {"one field more", "template",
     CONTENT(FIELDS ",{\"name\":\"x\",\"type\":\"int\"}",
             "\"*\",\"*\",\"*\",\"*\",\"*\",\"*\",\"*\""),
     "declares 7 fields, the sensor supplies 6"},
    {"one field less", "template", CONTENT("{\"name\":\"image\",\"type\":\"string\"}", "\"*\""),
     "declares 1 fields, the sensor supplies 6"},
    {"no templates at all", "template", "rule a { condition: true }", "JSON"},
};

TEST_EACH(a_template_family_is_compared_with_what_this_sensor_supplies, loads)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    RW_AUTO(sensor_set) struct sensor_set set = {.count = 0};
    struct rw_rc rc = load(&d, it->family, it->content, &set);
    assert_int_equal(rw_is_ok(rc), it->reason == NULL);
    assert_int_equal(set.count, it->reason == NULL ? 1 : 0);
    if (it->reason != NULL && strstr(err.text, it->reason) == NULL) { fail_msg("%s", err.text); }
}

TEST(the_self_test_detects_its_own_event)
{
    MUST(sensor_events_selftest(&err));
}

TEST(the_manifest_of_this_sensor_reads_back)
{
    static struct template_manifest again;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TEMPLATE_MANIFEST_BYTES_MAX);
    MUST(template_manifest_write(&sensor_supply, &text, &err));
    MUST(template_manifest_read(rw_buf_span(&text), &again, &err));
    assert_int_equal(again.type_count, sensor_supply.type_count);
    assert_int_equal(template_manifest_find(&again, rw_span_str("process_start"))->field_count, 20);
    for (size_t t = 0; t < again.type_count;
         t++) { /* a count that the table's list does not fill would show here */
        for (size_t f = 0; f < again.types[t].field_count; f++) {
            assert_string_equal(again.types[t].fields[f].name,
                                sensor_supply.types[t].fields[f].name);
        }
    }
}

RUN_TESTS(cmocka_unit_test(every_line_is_matched_and_noise_is_counted),
          cmocka_unit_test(a_line_waits_for_its_end_and_a_truncated_file_begins_anew),
          cmocka_unit_test(an_overlong_line_is_left_out_up_to_its_end),
          cmocka_unit_test(a_template_family_is_compared_with_what_this_sensor_supplies),
          cmocka_unit_test(the_self_test_detects_its_own_event),
          cmocka_unit_test(the_manifest_of_this_sensor_reads_back))
