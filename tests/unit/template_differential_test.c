/* Goal: the sensor and the validator are of one mind about any content and any event, and both of the mind of a naive
 * judge that shares no code with them: else the box would prove something else than what runs. */
#include "agent/prove/check_template.h"
#include "agent/sensor/sensor_events.h"
#include "agent/sensor/sensor_supply.h"
#include "common/base/file.h"
#include "common/box/samples_codec.h"
#include "common/crypto/digest.h"
#include "tests/harness.h"
#include "tests/template_gen.h"

#include <sys/mman.h>

enum { ROUNDS = 400, STREAM_BYTES = 1500 };

static struct rw_err err;

static int memory_of(struct rw_span bytes)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    MUST(rw_fd_write_all(fd, bytes, &err));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* --- the validator, as it runs in the box --- */
static void validate(struct rw_span content, const struct rw_buf *events, size_t count,
                     struct check_said *said)
{
    RW_AUTO(check_input) struct check_input in = check_input_make(TEMPLATE_CONTENT_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf blind = rw_buf_make(1 << 20);
    RW_AUTO(rw_buf) struct rw_buf manifest = rw_buf_make(TEMPLATE_MANIFEST_BYTES_MAX);
    uint8_t head[8];
    samples_blind_head((uint32_t)count, head);
    MUST(rw_buf_append(&blind, rw_span_of(head, 8), &err));
    for (size_t i = 0; i < count; i++) {
        samples_blind_one((uint32_t)events[i].n, head);
        MUST(rw_buf_append(&blind, rw_span_of(head, 4), &err));
        MUST(rw_buf_append(&blind, rw_buf_span(&events[i]), &err));
    }
    MUST(template_manifest_write(&sensor_supply, &manifest, &err));
    samples_blind_manifest((uint32_t)manifest.n, head);
    MUST(rw_buf_append(&blind, rw_span_of(head, 8), &err));
    MUST(rw_buf_append(&blind, rw_buf_span(&manifest), &err));
    RW_AUTO(rw_fd) rw_fd content_fd = memory_of(content);
    RW_AUTO(rw_fd) rw_fd samples_fd = memory_of(rw_buf_span(&blind));
    MUST(check_input_read(&in, content_fd, samples_fd, &err));
    MUST(check_template_run(&in, said, &err));
}

/* --- the sensor, as it loads an active set --- */
static bool load(const struct harness_dir *d, struct rw_span content, struct sensor_set *set)
{
    char hex[DIGEST_HEX_BYTES];
    RW_AUTO(rw_buf) struct rw_buf manifest = rw_buf_make(1024);
    MUST(digest_sha256_hex(content, hex, &err));
    MUST(rw_file_replace_at(d->fd, "template.rwc", 0600, content, &err));
    MUST(rw_buf_appendf(&manifest, &err,
                        "{\"set\":1,\"content\":[{\"family\":\"template\",\"release\":1,\"sha256\":"
                        "\"%s\",\"bytes\":%zu}]}",
                        hex, content.n));
    MUST(rw_file_replace_at(d->fd, "manifest.json", 0600, rw_buf_span(&manifest), &err));
    return rw_is_ok(sensor_load_set(d->path, set, &err));
}

static int64_t detections_of(const struct sensor_set *set, struct rw_span line)
{
    RW_AUTO(rw_fd) rw_fd out = memory_of(rw_span_of("", 0));
    struct sensor_scan scan = {.out_fd = out};
    MUST(sensor_events_match(&scan, set, line, "test", &err));
    return scan.detections;
}

static char digit_of(const struct gen_model *g, size_t event, int64_t *hits)
{
    bool blocks = false;
    *hits = 0;
    for (size_t i = 0; i < g->instance_count; i++) {
        if (!gen_matches(g, i, event)) { continue; }
        ++*hits;
        blocks = blocks || g->actions[i] != TEMPLATE_ALERT;
    }
    return (char)(*hits == 0 ? '0' : (blocks ? '1' : '2'));
}

static void compare(const struct gen_model *g, const struct harness_dir *d, int64_t *matched)
{
    struct rw_buf events[GEN_EVENTS_MAX];
    RW_AUTO(rw_buf) struct rw_buf content = rw_buf_make(1 << 18);
    RW_AUTO(check_said) struct check_said said = check_said_make();
    RW_AUTO(sensor_set) struct sensor_set set = {.count = 0};
    MUST(gen_content(g, &content, &err));
    for (size_t e = 0; e < g->event_count; e++) {
        events[e] = rw_buf_make(1 << 16);
        MUST(gen_event(g, e, &events[e], &err));
    }
    validate(rw_buf_span(&content), events, g->event_count, &said);
    bool loads = load(d, rw_buf_span(&content), &set);
    assert_int_equal(said.accepted, loads);
    assert_int_equal(loads, g->surplus == 0);
    for (size_t e = 0; e < g->event_count; e++) {
        int64_t hits = 0;
        char digit = digit_of(g, e, &hits);
        if (loads) {
            assert_int_equal(rw_buf_str(&said.hits)[e], digit);
            assert_int_equal(detections_of(&set, rw_buf_span(&events[e])), hits);
            *matched += hits;
        }
        rw_buf_drop(&events[e]);
    }
}

TEST(sensor_and_validator_are_of_one_mind)
{
    static struct gen_model g;
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    uint32_t seed = harness_seed();
    int64_t matched = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t stream[STREAM_BYTES];
        for (size_t i = 0; i < sizeof(stream); i++) {
            stream[i] = (uint8_t)harness_random(&seed);
        }
        struct gen_bytes bytes = {.p = stream, .n = sizeof(stream)};
        gen_make(&bytes, &sensor_supply, &g);
        compare(&g, &d, &matched);
    }
    assert_true(matched > ROUNDS / 20); /* or nothing was compared */
}

RUN_TESTS(cmocka_unit_test(sensor_and_validator_are_of_one_mind))
