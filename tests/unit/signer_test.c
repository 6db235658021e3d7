/* Goal: the checking signer (INV-7). The real ringward-signer works on a real directory; from a state that it would
 * sign, every single fault must be refused with its own word, and what it signs must pass a whole agent's workflow. */
#include "common/wire/signer_codec.h"
#include "server/server_init.h"
#include "tests/signer_rig.h"

/* The program under test, built before this one (tests/CMakeLists.txt): RW_BIN_DIR "/ringward-signer" */

/* --- INV-7: content --- */
static void nothing(struct rig *r, struct plan *p)
{
    (void)r;
    (void)p;
}
static void one_signer(struct rig *r, struct plan *p)
{
    (void)r;
    p->signers = 1;
}
static void stranger_signs(struct rig *r, struct plan *p)
{
    struct rw_err err = {0};
    (void)p;
    key_drop(&r->engineers[1]);
    MUST(key_generate(KEY_ECDSA_P256, &r->engineers[1], &err));
}
static void version_stays(struct rig *r, struct plan *p)
{
    (void)r;
    p->version = 1;
}
static void version_jumps(struct rig *r, struct plan *p)
{
    (void)r;
    p->version = 3;
}
static void is_expired(struct rig *r, struct plan *p)
{
    (void)r;
    p->expires_in_s = -1;
}
static void outlives_root(struct rig *r, struct plan *p)
{
    (void)r;
    p->expires_in_s = 11 * 366 * (int64_t)DAY_S;
}
static void from_the_future(struct rig *r, struct plan *p)
{
    (void)r;
    p->entries[0].signed_ago_s = -(int64_t)DAY_S - 60;
}
static void back_dated(struct rig *r, struct plan *p)
{
    (void)r;
    p->entries[0].signed_ago_s = 11 * 60;
}
static void within_the_window(struct rig *r, struct plan *p)
{
    (void)r;
    p->entries[0].signed_ago_s = 9 * 60;
}
static void dated_ahead(struct rig *r, struct plan *p)
{
    (void)r;
    p->entries[0].signed_ago_s = -8 * (int64_t)HOUR_S;
}
static void list_of_unknown_format(struct rig *r, struct plan *p)
{
    (void)r;
    p->list = "{\"format\":2}";
}
static void listed_below_its_floor(struct rig *r, struct plan *p)
{
    (void)r;
    p->list = "{\"format\":1,\"floor\":2,\"withdrawn\":[]}";
}
static void on_its_floor(struct rig *r, struct plan *p)
{
    (void)r;
    p->list = "{\"format\":1,\"floor\":1,\"withdrawn\":[]}";
}
static void unknown_class(struct rig *r, struct plan *p)
{
    (void)r;
    p->entries[0].class_name = "other";
}
static void ring_without_bake(struct rig *r, struct plan *p)
{
    (void)r;
    p->entries[0].ring_missing = true;
}
static void foreign_family(struct rig *r, struct plan *p)
{
    (void)r;
    p->entries[0].family = "ids";
}
static void family_not_delegated(struct rig *r, struct plan *p)
{
    (void)r;
    p->ask_family = "ids";
}
static void delegates_further(struct rig *r, struct plan *p)
{
    (void)r;
    p->role_body = "{\"keys\":{},\"roles\":[]}";
}

static void for_every_engine(struct rig *r, struct plan *p)
{
    (void)r;
    p->entries[0].engine_max = 1000000;
}

static const struct content_fault {
    const char *id;
    const char *reason; /* "": granted */
    void (*spoil)(struct rig *r, struct plan *p);
    const char *written; /* what lies in repo/targets; NULL: the signed bytes; "-": no file */
} content_faults[] = {
    {"a_sound_role_is_granted", "", nothing, NULL},
    {"one_signature_is_below_the_threshold", "threshold", one_signer, NULL},
    {"a_key_that_is_no_engineer's_has_no_vote", "threshold", stranger_signs, NULL},
    {"the_version_must_rise", "version", version_stays, NULL},
    {"the_version_must_not_jump", "version", version_jumps, NULL},
    {"an_expired_role_is_refused", "expired", is_expired, NULL},
    {"a_role_that_ends_after_root_is_refused", "outlives", outlives_root, NULL},
    {"a_missing_payload_is_refused", "payload", nothing, "-"},
    {"a_payload_of_other_bytes_is_refused", "payload", nothing, "rule ONE"},
    {"a_longer_payload_is_refused", "payload", nothing, "rule one and more"},
    {"a_shorter_payload_is_refused", "payload", nothing, "rule"},
    {"signed_at_more_than_a_day_ahead_is_refused", "entry", from_the_future, NULL},
    {"more_engine_versions_than_the_policy_allows_are_refused", "entry", for_every_engine, NULL},
    {"signed_at_ahead_only_delays", "", dated_ahead, NULL},
    {"signed_at_eleven_minutes_ago_is_refused", "entry", back_dated, NULL},
    {"signed_at_nine_minutes_ago_is_granted", "", within_the_window, NULL},
    {"a_list_of_unknown_format_is_refused", "entry", list_of_unknown_format, NULL},
    {"a_release_below_the_floor_cannot_be_listed", "entry", listed_below_its_floor, NULL},
    {"a_release_on_the_floor_can", "", on_its_floor, NULL},
    {"a_class_without_policy_is_refused", "entry", unknown_class, NULL},
    {"a_ring_without_bake_time_is_refused", "entry", ring_without_bake, NULL},
    {"an_entry_of_another_family_is_refused", "entry", foreign_family, NULL},
    {"a_family_that_is_not_delegated_is_refused", "unknown-family", family_not_delegated, NULL},
    {"a_content_role_may_not_delegate", "document", delegates_further, NULL},
};

TEST_EACH(content_is_signed_over_only_when_every_check_holds, content_faults)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    it->spoil(&r, &p);
    if (it->written == NULL) {
        put_payload(&r, &p.entries[0], p.entries[0].text);
    } else if (strcmp(it->written, "-") != 0) {
        put_payload(&r, &p.entries[0], it->written);
    }
    publish(&r, &p);
    if (it->reason[0] != '\0') {
        must_refuse(&r, it->reason);
        assert_int_equal(r.answer.file_count, 0);
        return;
    }
    must_grant(&r);
    assert_int_equal(r.answer.file_count, 3);
    assert_string_equal(r.answer.files[0].name, "2.content-yara.json");
    assert_string_equal(r.answer.files[1].name, "2.snapshot.json");
    assert_string_equal(r.answer.files[2].name, "timestamp.json");
    write_answer(&r);
    assert_int_equal(agent_sees(&r, "canary", NULL), 0);
}

/* One request is one slice; what comes of it says nothing about signing. */
TEST(a_payload_is_looked_at_ahead_and_signs_nothing)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct rw_err err = {0};
    struct plan p = good_plan();
    struct signer_request q = {.type = SIGNER_LOOK,
                               .family = "yara",
                               .release = 1,
                               .bytes = (int64_t)strlen(p.entries[0].text)};
    MUST(digest_sha256(rw_span_str(p.entries[0].text), q.sha256, &err));
    ask(&r, &q);
    must_refuse(&r, "payload");
    put_payload(&r, &p.entries[0], p.entries[0].text);
    ask(&r, &q);
    must_grant(&r);
    assert_false(r.answer.more);
    assert_int_equal(r.answer.file_count, 0);
    q.bytes++;
    ask(&r, &q);
    must_refuse(&r, "payload");
    publish(&r, &p);
    must_grant(&r);
    assert_int_equal(r.answer.file_count, 3);
}

TEST(publishing_the_same_role_again_needs_no_signature)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    /* ECDSA signatures differ each time: the same file must be sent, as the server does. */
    put_payload(&r, &p.entries[0], p.entries[0].text);
    publish(&r, &p);
    must_grant(&r);
    struct rw_err err = {0};
    struct rw_buf sent = rw_buf_make(1 << 20);
    MUST(rw_buf_append(&sent, r.answer.files[0].bytes, &err));
    write_answer(&r);
    const struct signer_request q = {
        .type = SIGNER_PUBLISH, .family = "yara", .envelope = rw_buf_span(&sent)};
    ask(&r, &q);
    must_grant(&r);
    assert_int_equal(r.answer.file_count, 0);
    rw_buf_drop(&sent);
}

/* Going back needs no bake, so a new payload under a low number would go around it (INV-7). */
TEST(a_new_release_below_a_listed_one_is_refused)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    p.entries[0].release = 5;
    publish_good(&r, &p);
    p.version = 3;
    p.entries[1] = (struct entry){.release = 4, .class_name = "data", .text = "rule four"};
    p.count = 2;
    put_payload(&r, &p.entries[1], p.entries[1].text);
    publish(&r, &p);
    must_refuse(&r, "number");
}

TEST(a_listed_release_cannot_change)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    publish_good(&r, &p);
    p.version = 3;
    p.entries[0].signed_ago_s = 6 * (int64_t)HOUR_S; /* would shorten its bake */
    publish(&r, &p);
    must_refuse(&r, "entry");
    p.entries[0] = (struct entry){.release = 1, .class_name = "data", .text = "other rule"};
    put_payload(&r, &p.entries[0], p.entries[0].text);
    publish(&r, &p);
    must_refuse(&r, "entry");
}

TEST(a_release_that_a_ring_points_at_cannot_be_dropped)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    publish_good(&r, &p);
    point(&r, "broad", 1, false);
    must_grant(&r);
    write_answer(&r);
    p.version = 3;
    p.entries[0] = (struct entry){.release = 2, .class_name = "data", .text = "rule two"};
    put_payload(&r, &p.entries[0], p.entries[0].text);
    publish(&r, &p);
    must_refuse(&r, "dropped");
    point(&r, "broad", 0, false);
    must_grant(&r);
    write_answer(&r);
    publish(&r, &p);
    must_grant(&r);
}

static void hex_of(const char *text, char hex[static DIGEST_HEX_BYTES])
{
    struct rw_err err = {0};
    MUST(digest_sha256_hex(rw_span_str(text), hex, &err));
}

/* A withdrawal is for good, the floor never sinks, and the number is spent. */
TEST(what_was_withdrawn_stays_withdrawn)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    char hex[DIGEST_HEX_BYTES];
    char list[256];
    hex_of("rule one", hex);
    publish_good(&r, &p);
    (void)snprintf(list, sizeof(list),
                   "{\"format\":1,\"floor\":0,\"withdrawn\":[{\"release\":1,\"sha256\":\"%s\"}]}",
                   hex);
    p.version = 3;
    p.list = list;
    publish(&r, &p);
    must_refuse(&r, "entry"); /* listed and withdrawn */
    p.count = 0;
    publish(&r, &p);
    must_grant(&r);
    write_answer(&r);
    p.version = 4;
    p.list = NULL;
    publish(&r, &p);
    must_refuse(&r, "entry"); /* forgotten */
    p.list = list;
    p.entries[0] = (struct entry){.release = 2, .class_name = "data", .text = "rule one"};
    p.count = 1;
    put_payload(&r, &p.entries[0], "rule one");
    publish(&r, &p);
    must_refuse(&r, "entry"); /* the same bytes under another number */
    p.entries[0] = (struct entry){.release = 1, .class_name = "data", .text = "rule other"};
    put_payload(&r, &p.entries[0], "rule other");
    publish(&r, &p);
    must_refuse(&r, "number");
    p.count = 0;
    p.list = "{\"format\":1,\"floor\":2,\"withdrawn\":[]}"; /* the floor is above it */
    publish(&r, &p);
    must_grant(&r);
    write_answer(&r);
    p.version = 5;
    p.list = "{\"format\":1,\"floor\":1,\"withdrawn\":[]}";
    publish(&r, &p);
    must_refuse(&r, "entry");
}

/* Monotonic per family: an earlier date would be a bake that is over already. */
TEST(a_later_release_cannot_be_signed_before_an_earlier_one)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    publish_good(&r, &p);
    p.version = 3;
    p.entries[1] =
        (struct entry){.release = 2, .class_name = "data", .text = "rule two", .signed_ago_s = 1};
    p.count = 2;
    put_payload(&r, &p.entries[1], "rule two");
    publish(&r, &p);
    must_refuse(&r, "entry");
    p.entries[1].signed_ago_s = 0;
    publish(&r, &p);
    must_grant(&r);
}

/* A quiet family must not expire: the same entries, a later end. */
TEST(a_role_is_signed_anew_without_a_new_release)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    publish_good(&r, &p);
    p.version = 3;
    p.expires_in_s = 13 * (int64_t)DAY_S;
    publish(&r, &p);
    must_grant(&r);
}

/* --- INV-7: pointers --- */
static const struct point_fault {
    const char *id;
    const char *reason;
    const char *ring;
    int64_t release;
    bool hold;
} point_faults[] = {
    {"a_baked_release_is_granted", "", "canary", 1, false},
    {"a_hold_on_a_baked_release_is_granted", "", "canary", 1, true},
    {"a_ring_without_minimum_bake_is_open_at_once", "", "internal", 2, false},
    {"taking_away_what_is_not_there_is_granted", "", "canary", 0, false},
    {"an_unlisted_release_is_refused", "unlisted", "canary", 3, false},
    {"a_release_that_bakes_is_refused", "bake", "canary", 2, false},
    {"a_hold_does_not_bring_in_what_bakes", "bake", "canary", 2, true},
    {"an_unknown_ring_is_refused", "unknown-ring", "nobody", 1, false},
    {"a_ring_name_with_a_slash_is_refused", "unknown-ring", "../canary", 1, false},
};

TEST_EACH(a_ring_moves_only_to_what_an_endpoint_would_take_now, point_faults)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    p.entries[1] = (struct entry){.release = 2, .class_name = "slow", .text = "rule two"};
    p.count = 2;
    publish_good(&r, &p);
    point(&r, it->ring, it->release, it->hold);
    if (it->reason[0] != '\0') {
        bool unknown = strcmp(it->reason, "unknown-ring") == 0;
        must_refuse(&r, it->reason);
        assert_true(unknown || r.answer.code == RW_E_TRUST_RULE);
        return;
    }
    bool hold = false;
    must_grant(&r);
    write_answer(&r);
    assert_int_equal(agent_sees(&r, it->ring, &hold), it->release);
    assert_int_equal(hold, it->hold);
}

TEST(a_ring_goes_back_and_to_nothing_at_once)
{
    static const int64_t way[] = {1, 2, 1, 0};
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    p.entries[1] = (struct entry){.release = 2, .class_name = "data", .text = "rule two"};
    p.count = 2;
    publish_good(&r, &p);
    for (size_t i = 0; i < RW_LEN(way); i++) {
        point(&r, "canary", way[i], false);
        must_grant(&r);
        write_answer(&r);
        assert_int_equal(agent_sees(&r, "canary", NULL), way[i]);
    }
}

/* Halting must not wait for a bake: whoever never ran the older release waits for it by itself (INV-7). */
TEST(a_ring_goes_back_to_a_release_that_still_bakes)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    p.entries[0].class_name = "slow";
    p.entries[1] = (struct entry){.release = 2, .class_name = "data", .text = "rule two"};
    p.count = 2;
    publish_good(&r, &p);
    point(&r, "canary", 1, false);
    must_refuse(&r, "bake"); /* nothing there to go back from */
    point(&r, "canary", 2, false);
    must_grant(&r);
    write_answer(&r);
    point(&r, "canary", 1, false);
    must_grant(&r);
}

TEST(a_pointer_to_a_payload_that_vanished_is_refused)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    publish_good(&r, &p);
    put_payload(&r, &p.entries[0], "rotten");
    point(&r, "canary", 1, false);
    must_refuse(&r, "payload");
}

RUN_TESTS(cmocka_unit_test(content_is_signed_over_only_when_every_check_holds),
          cmocka_unit_test(a_payload_is_looked_at_ahead_and_signs_nothing),
          cmocka_unit_test(publishing_the_same_role_again_needs_no_signature),
          cmocka_unit_test(a_new_release_below_a_listed_one_is_refused),
          cmocka_unit_test(a_listed_release_cannot_change),
          cmocka_unit_test(a_release_that_a_ring_points_at_cannot_be_dropped),
          cmocka_unit_test(what_was_withdrawn_stays_withdrawn),
          cmocka_unit_test(a_later_release_cannot_be_signed_before_an_earlier_one),
          cmocka_unit_test(a_role_is_signed_anew_without_a_new_release),
          cmocka_unit_test(a_ring_moves_only_to_what_an_endpoint_would_take_now),
          cmocka_unit_test(a_ring_goes_back_and_to_nothing_at_once),
          cmocka_unit_test(a_ring_goes_back_to_a_release_that_still_bakes),
          cmocka_unit_test(a_pointer_to_a_payload_that_vanished_is_refused))
