/* Goal: slots and manifests come back as they were written, and nothing else is taken for them. */
#include "agent/activate/slot.h"

#include "tests/harness.h"

#include <sys/stat.h>

static struct slot_state full(void)
{
    struct slot_state s = {.current = 7, .previous = 6, .next = 9, .committed = {1700000000}};
    (void)snprintf(s.ring, sizeof(s.ring), "canary");
    (void)snprintf(s.seen_ring, sizeof(s.seen_ring), "broad");
    s.trial = (struct slot_trial){.change = SLOT_TRIAL,
                                  .set = 8,
                                  .probation_s = 600,
                                  .failed = true,
                                  .aborted = true,
                                  .stage = BEACON_STAGE_PROBATION,
                                  .signal = 11,
                                  .generation = 4};
    s.trial.to = (struct manifest_entry){.family = "yara", .release = 3, .bytes = 10};
    s.trial.left = (struct manifest_entry){.family = "yara", .release = 2, .bytes = 9};
    s.trial.to.sha256[0] = 1;
    s.trial.left.sha256[31] = 2;
    s.trial.beacon[5] = 9;
    (void)snprintf(s.trial.detail, sizeof(s.trial.detail), "\"quoted\" and more");
    s.boot = (struct slot_boot){.open = true, .guarded = true, .unclean = 2, .id = "one"};
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t hash[DIGEST_BYTES] = {i};
        slot_abandon(&s, hash);
        if (i > 0) { slot_leave(&s, hash); }
    }
    return s;
}

TEST(slots_survive_writing_and_reading)
{
    struct rw_err err;
    struct slot_state had = full();
    struct slot_state back;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(32768);
    RW_AUTO(rw_buf) struct rw_buf again = rw_buf_make(32768);
    MUST(slot_write(&had, &text, &err));
    MUST(slot_read(rw_buf_span(&text), &back, &err));
    MUST(slot_write(&back, &again, &err));
    assert_string_equal(rw_buf_str(&text), rw_buf_str(&again));
    assert_int_equal(back.trial.change, SLOT_TRIAL);
    assert_int_equal(back.trial.left.release, 2);
    assert_int_equal(back.trial.left.sha256[31], 2);
    assert_true(back.trial.failed && back.trial.aborted && back.boot.guarded);
    assert_int_equal(back.boot.unclean, 2);
    assert_string_equal(back.boot.id, "one");
    assert_int_equal(back.abandoned_count, 3);
    assert_int_equal(back.left_count, 2);
    assert_string_equal(back.seen_ring, "broad");
}

/* INV-3: a save must need no room on a full disk, however much there is to remember. */
TEST(copies_of_the_least_and_the_largest_state_have_one_size)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err;
    struct slot_state least = {.next = 1};
    struct slot_state most = full();
    struct slot_state back;
    struct stat st[2];
    bool fresh = true;
    for (uint8_t i = 0; i < INSTALL_ABANDONED_MAX; i++) {
        uint8_t hash[DIGEST_BYTES] = {9, i};
        slot_abandon(&most, hash);
        slot_leave(&most, hash);
    }
    most.current = most.previous = most.trial.set = RW_JSON_INT_MAX;
    memset(most.trial.detail, '"', sizeof(most.trial.detail) - 1);
    MUST(slot_save(d.fd, &least, &err));
    MUST(slot_save(d.fd, &most, &err));
    assert_int_equal(fstatat(d.fd, "slots.a", &st[0], 0), 0);
    assert_int_equal(fstatat(d.fd, "slots.b", &st[1], 0), 0);
    assert_int_equal(st[0].st_size, st[1].st_size);
    assert_true(st[0].st_blocks * 512 >= st[0].st_size); /* no hole, which would want room later */
    MUST(slot_load(d.fd, &back, &fresh, &err));
    assert_false(fresh);
    assert_int_equal(back.left_count, INSTALL_ABANDONED_MAX);
    assert_string_equal(back.trial.detail, most.trial.detail);
}

TEST(the_oldest_abandoned_hash_makes_room)
{
    struct slot_state s = {.next = 1};
    for (uint8_t i = 0; i < INSTALL_ABANDONED_MAX + 2; i++) {
        uint8_t hash[DIGEST_BYTES] = {i};
        slot_abandon(&s, hash);
        slot_abandon(&s, hash);
        slot_leave(&s, hash);
        slot_leave(&s, hash);
    }
    uint8_t first[DIGEST_BYTES] = {1};
    uint8_t third[DIGEST_BYTES] = {2};
    assert_int_equal(s.abandoned_count, INSTALL_ABANDONED_MAX);
    assert_false(slot_is_abandoned(&s, first));
    assert_true(slot_is_abandoned(&s, third));
    assert_int_equal(s.left_count, INSTALL_ABANDONED_MAX);
    assert_memory_equal(s.left[0], third, DIGEST_BYTES);
}

static const char good_manifest[] =
    "{\"set\":3,\"content\":[{\"family\":\"yara\",\"release\":2,\"sha256\":"
    "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\",\"bytes\":5}]}";

#define HASH          "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\""
#define ENTRY(family) "{\"family\":\"" family "\",\"release\":2,\"sha256\":" HASH ",\"bytes\":5}"

static const struct manifest_case {
    const char *id, *text;
    enum rw_code want;
} manifests[] = {
    {"as_written", good_manifest, RW_E_NONE},
    {"empty_set", "{\"set\":0,\"content\":[]}", RW_E_NONE},
    {"family_twice", "{\"set\":1,\"content\":[" ENTRY("a") "," ENTRY("a") "]}", RW_E_SCHEMA},
    {"a_name_that_climbs", "{\"set\":1,\"content\":[" ENTRY("../a") "]}", RW_E_SCHEMA},
    {"a_name_that_is_hidden", "{\"set\":1,\"content\":[" ENTRY(".a") "]}", RW_E_SCHEMA},
    {"unknown_member", "{\"set\":1,\"content\":[],\"x\":1}", RW_E_SCHEMA},
    {"no_content", "{\"set\":1}", RW_E_SCHEMA},
    {"negative_set", "{\"set\":-1,\"content\":[]}", RW_E_SCHEMA},
    {"no_json", "set 1", RW_E_SYNTAX},
    {"too_many",
     "{\"set\":1,\"content\":[" ENTRY("a") "," ENTRY("b") "," ENTRY("c") "," ENTRY("d") "," ENTRY(
         "e") "," ENTRY("f") "," ENTRY("g") "," ENTRY("h") "," ENTRY("i") "]}",
     RW_E_FULL},
};

TEST_EACH(manifests_are_read_strictly, manifests)
{
    struct rw_err err;
    struct manifest m = {.set = 99};
    struct rw_rc rc = manifest_read(rw_span_str(it->text), &m, &err);
    if (it->want == RW_E_SCHEMA && rc.code == RW_E_RANGE) { rc.code = RW_E_SCHEMA; }
    assert_int_equal(rc.code, it->want);
    if (it->want != RW_E_NONE) { assert_int_equal(m.set, 99); }
}

TEST(a_manifest_survives_writing_and_reading)
{
    struct rw_err err;
    struct manifest m;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(MANIFEST_BYTES_MAX);
    MUST(manifest_read(rw_span_str(good_manifest), &m, &err));
    MUST(manifest_write(&m, &text, &err));
    assert_string_equal(rw_buf_str(&text), good_manifest);
}

RUN_TESTS(cmocka_unit_test(slots_survive_writing_and_reading),
          cmocka_unit_test(copies_of_the_least_and_the_largest_state_have_one_size),
          cmocka_unit_test(the_oldest_abandoned_hash_makes_room),
          cmocka_unit_test(manifests_are_read_strictly),
          cmocka_unit_test(a_manifest_survives_writing_and_reading))
