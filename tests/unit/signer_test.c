/* Goal: the checking signer (INV-7). The real ringward-signer works on a real directory; from a state that it would
 * sign, every single fault must be refused with its own word, nothing may leave then, garbage may not kill it, and
 * what it signs must pass a whole agent's workflow. */
#include "common/base/proc.h"
#include "common/policy/entry_codec.h"
#include "common/tuf/tuf_make.h"
#include "common/tuf/tuf_write.h"
#include "common/wire/signer_codec.h"
#include "server/server_init.h"
#include "server/signer/signer_rule.h"
#include "tests/dev_dir.h"

#include <signal.h>
#include <sys/socket.h>

enum { HOUR_S = 3600, DAY_S = 86400, TIMEOUT_MS = 20000 };

struct rig {
    struct dev_dir d;
    struct rw_wall
        made; /* signed_at counts from here: the same entry stays the same, however slow the test */
    struct key engineers[2];
    struct ring_policy policy;
    int socket;
    struct proc child;
    struct rw_buf bytes;
    struct signer_answer answer;
};

static void rig_start(struct rig *r)
{
    struct rw_err err = {0};
    int pair[2];
    char keys[128];
    char repo[128];
    (void)snprintf(keys, sizeof(keys), "%s/signer", r->d.path);
    (void)snprintf(repo, sizeof(repo), "%s/repo", r->d.path);
    char program[] = RW_BIN_DIR "/ringward-signer";
    char o1[] = "--keys";
    char o2[] = "--repo";
    char *const argv[] = {program, o1, keys, o2, repo, NULL};
    /* A process that cannot be traced cannot be searched for leaks either. */
    char asan[] = "ASAN_OPTIONS=detect_leaks=0";
    char *const envp[] = {asan, NULL};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    const struct proc_fd fds[] = {{pair[1], 3}};
    const struct proc_spec spec = {.path = program,
                                   .argv = argv,
                                   .envp = envp,
                                   .fds = fds,
                                   .fd_count = 1,
                                   .die_with_parent = true};
    MUST(proc_start(&spec, &r->child, &err));
    (void)close(pair[1]);
    r->socket = pair[0];
}

static struct rig rig_make(int64_t age_s)
{
    struct rw_err err = {0};
    struct rig r = {
        .d = dev_dir_make(age_s), .made = dev_dir_now(), .bytes = rw_buf_make(FRAME_BYTES_MAX)};
    r.engineers[0] = dev_dir_key(&r.d, "engineers/alice.key");
    r.engineers[1] = dev_dir_key(&r.d, "engineers/bob.key");
    MUST(ring_policy_parse(rw_span_str(dev_dir_policy), &r.policy, &err));
    rig_start(&r);
    return r;
}

static void rig_drop(struct rig *r)
{
    rw_fd_drop(&r->socket);
    proc_drop(&r->child);
    key_drop(&r->engineers[0]);
    key_drop(&r->engineers[1]);
    rw_buf_drop(&r->bytes);
    dev_dir_drop(&r->d);
}

/* --- asking --- */
static void ask(struct rig *r, const struct signer_request *request)
{
    struct rw_err err = {0};
    struct frame_writer w = {.buf = rw_buf_make(1)};
    struct frame_reader frame;
    MUST(signer_request_write(request, &w, &err));
    MUST(frame_send(r->socket, &w, TIMEOUT_MS, &err));
    frame_writer_drop(&w);
    MUST(frame_recv(r->socket, &r->bytes, TIMEOUT_MS, &frame, &err));
    MUST(signer_answer_read(&frame, &r->answer, &err));
}

static void write_answer(struct rig *r)
{
    struct rw_err err = {0};
    char path[256];
    for (size_t i = 0; i < r->answer.file_count; i++) {
        (void)snprintf(path, sizeof(path), "%s/repo/metadata/%s", r->d.path,
                       r->answer.files[i].name);
        MUST(rw_file_replace(path, 0644, r->answer.files[i].bytes, &err));
    }
}

static void must_grant(struct rig *r)
{
    if (r->answer.refused) { fail_msg("refused: %s", r->answer.text); }
}

static void must_refuse(struct rig *r, const char *reason)
{
    if (!r->answer.refused) { fail_msg("granted, want a refusal for '%s'", reason); }
    if (strcmp(r->answer.reason, reason) != 0) {
        fail_msg("refused with '%s', want '%s'", r->answer.text, reason);
    }
}

static void point(struct rig *r, const char *ring, int64_t release, bool hold)
{
    struct signer_request q = {
        .type = SIGNER_POINT, .family = "yara", .release = release, .hold = hold};
    (void)snprintf(q.ring, sizeof(q.ring), "%s", ring);
    ask(r, &q);
}

static void renew(struct rig *r)
{
    const struct signer_request q = {.type = SIGNER_RENEW};
    ask(r, &q);
}

/* --- content roles --- */
struct entry {
    int64_t release;
    const char *class_name;
    const char *text; /* the payload that is signed */
    int64_t signed_ago_s;
    bool ring_missing;  /* not_before does not name the last ring */
    const char *family; /* NULL: yara */
};

struct plan {
    int64_t version;
    struct entry entries[4];
    size_t count;
    size_t signers;
    int64_t expires_in_s;
    const char *ask_family; /* NULL: yara */
    const char *role_body;  /* extra members of the document */
};

static void put_entry(struct rig *r, struct json_writer *w, const struct entry *e)
{
    struct rw_err err = {0};
    char path[TUF_PATH_BYTES];
    char hex[DIGEST_HEX_BYTES];
    struct ring_policy policy = r->policy;
    struct entry_codec_content c = {.release = e->release,
                                    .engine_max = 999999,
                                    .signed_at = {r->made.s - e->signed_ago_s},
                                    .platform_count = 1};
    (void)snprintf(c.family, sizeof(c.family), "%s", e->family == NULL ? "yara" : e->family);
    (void)snprintf(c.class_name, sizeof(c.class_name), "%s", e->class_name);
    (void)snprintf(c.platforms[0], sizeof(c.platforms[0]), "linux-x86_64");
    for (size_t i = 0; i < policy.ring_count; i++) {
        c.not_before[i] = c.signed_at;
    }
    if (e->ring_missing) { policy.ring_count--; }
    MUST(digest_sha256_hex(rw_span_str(e->text), hex, &err));
    MUST(entry_codec_content_path(c.family, e->release, path, &err));
    entry_codec_write_content(w, path, &c, &policy, (int64_t)strlen(e->text), hex);
}

static void put_payload(struct rig *r, const struct entry *e, const char *written)
{
    struct rw_err err = {0};
    char path[256];
    char hex[DIGEST_HEX_BYTES];
    MUST(digest_sha256_hex(rw_span_str(e->text), hex, &err));
    (void)snprintf(path, sizeof(path), "%s/repo/targets/content/yara/%s.%lld.rwc", r->d.path, hex,
                   (long long)e->release);
    MUST(rw_file_replace(path, 0644, rw_span_str(written), &err));
}

static void publish(struct rig *r, const struct plan *p)
{
    struct rw_err err = {0};
    struct rw_buf text = rw_buf_make(1 << 20);
    struct rw_buf envelope = rw_buf_make(1 << 20);
    struct json_writer w = json_begin(&text);
    tuf_make_open(&w, "targets", p->version, (struct rw_wall){dev_dir_now().s + p->expires_in_s});
    if (p->role_body != NULL) { json_put_raw(&w, "delegations", rw_span_str(p->role_body)); }
    json_open_object(&w, "targets");
    for (size_t i = 0; i < p->count; i++) {
        put_entry(r, &w, &p->entries[i]);
    }
    json_close_object(&w);
    json_close_object(&w);
    MUST(json_done(&w, &err));
    MUST(tuf_write_envelope(rw_buf_span(&text), r->engineers, p->signers, &envelope, &err));
    struct signer_request q = {.type = SIGNER_PUBLISH, .envelope = rw_buf_span(&envelope)};
    (void)snprintf(q.family, sizeof(q.family), "%s",
                   p->ask_family == NULL ? "yara" : p->ask_family);
    ask(r, &q);
    rw_buf_drop(&text);
    rw_buf_drop(&envelope);
}

static struct plan good_plan(void)
{
    return (struct plan){.version = 2,
                         .entries = {{.release = 1, .class_name = "data", .text = "rule one"}},
                         .count = 1,
                         .signers = 2,
                         .expires_in_s = 14 * (int64_t)DAY_S};
}

static void publish_good(struct rig *r, const struct plan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        put_payload(r, &p->entries[i], p->entries[i].text);
    }
    publish(r, p);
    must_grant(r);
    write_answer(r);
}

/* What an agent of the ring finds; 0: nothing. */
static int64_t agent_sees(struct rig *r, const char *ring, bool *hold_out)
{
    struct rw_err err = {0};
    struct tuf_target t;
    struct install_rule_pointer p = {.release = 0};
    char path[TUF_PATH_BYTES];
    rw_fd state = -1;
    struct tuf_client *c = dev_dir_agent(&r->d, &state);
    MUST(entry_codec_pointer_path(ring, "yara", path, &err));
    struct rw_rc rc = tuf_client_find(c, path, &t, &err);
    if (rw_is_ok(rc)) {
        MUST(entry_codec_read_pointer(&t, &p, &err));
    } else {
        assert_int_equal(rc.code, RW_E_NOT_FOUND);
    }
    if (hold_out != NULL) { *hold_out = p.hold; }
    tuf_client_drop(&c);
    rw_fd_drop(&state);
    return p.release;
}

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
static void from_the_future(struct rig *r, struct plan *p)
{
    (void)r;
    p->entries[0].signed_ago_s = -(int64_t)HOUR_S;
}
static void back_dated(struct rig *r, struct plan *p)
{
    (void)r;
    p->entries[0].signed_ago_s = 8 * (int64_t)DAY_S;
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
    {"a_missing_payload_is_refused", "payload", nothing, "-"},
    {"a_payload_of_other_bytes_is_refused", "payload", nothing, "rule ONE"},
    {"a_longer_payload_is_refused", "payload", nothing, "rule one and more"},
    {"a_shorter_payload_is_refused", "payload", nothing, "rule"},
    {"signed_at_in_the_future_is_refused", "entry", from_the_future, NULL},
    {"signed_at_long_ago_is_refused", "entry", back_dated, NULL},
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

TEST(a_pointer_to_a_payload_that_vanished_is_refused)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    publish_good(&r, &p);
    put_payload(&r, &p.entries[0], "rotten");
    point(&r, "canary", 1, false);
    must_refuse(&r, "payload");
}

/* --- time --- */
TEST(an_expired_timestamp_refuses_until_it_is_renewed)
{
    RW_AUTO(rig) struct rig r = rig_make(40 * (int64_t)HOUR_S);
    point(&r, "canary", 0, false);
    must_refuse(&r, "expired");
    assert_int_equal(r.answer.code, RW_E_TUF_EXPIRED);
    renew(&r);
    must_grant(&r);
    assert_int_equal(r.answer.file_count, 1); /* rings and snapshot live on */
    write_answer(&r);
    point(&r, "canary", 0, false);
    must_grant(&r);
}

TEST(renewal_after_a_long_rest_signs_every_online_role)
{
    RW_AUTO(rig) struct rig r = rig_make(10 * (int64_t)DAY_S);
    renew(&r);
    must_grant(&r);
    assert_int_equal(r.answer.file_count, 3 + 2);
    write_answer(&r);
    assert_int_equal(agent_sees(&r, "canary", NULL), 0);
    renew(&r);
    must_grant(&r);
    assert_int_equal(r.answer.file_count, 0); /* nothing is due any more */
}

TEST(offline_roles_that_expired_stop_everything)
{
    RW_AUTO(rig) struct rig r = rig_make(200 * (int64_t)DAY_S);
    renew(&r);
    must_refuse(&r, "expired");
    assert_non_null(strstr(r.answer.text, "targets"));
}

TEST(an_expired_content_role_closes_its_pointers_and_is_cured_by_a_new_one)
{
    RW_AUTO(rig) struct rig r = rig_make(15 * (int64_t)DAY_S);
    renew(&r);
    must_grant(&r);
    write_answer(&r);
    point(&r, "canary", 1, false);
    must_refuse(&r, "expired");
    struct plan p = good_plan();
    publish_good(&r, &p);
    point(&r, "canary", 1, false);
    must_grant(&r);
}

static const struct due_case {
    const char *id;
    int64_t left_s;
    bool due;
} due_cases[] = {
    {"a_fresh_role_is_left_alone", 100, false},
    {"half_of_the_life_is_enough", 50, false},
    {"less_than_half_is_due", 49, true},
    {"an_expired_role_is_due", -1, true},
};

TEST_EACH(renewal_is_due_below_half_of_the_life, due_cases)
{
    assert_int_equal(
        signer_rule_renew_due((struct rw_wall){1000 + it->left_s}, 100, (struct rw_wall){1000}),
        it->due);
}

/* --- versions --- */
static int64_t timestamp_version(struct rig *r)
{
    struct rw_err err = {0};
    struct json *tree = NULL;
    const struct json *signed_part = NULL;
    int64_t version = 0;
    const struct signer_file *f = &r->answer.files[r->answer.file_count - 1];
    assert_string_equal(f->name, "timestamp.json");
    MUST(json_parse(f->bytes, &json_limits_metadata, &tree, &err));
    MUST(json_get(tree, "signed", JSON_OBJECT, &signed_part, &err));
    MUST(json_get_int(signed_part, "version", 1, RW_JSON_INT_MAX, &version, &err));
    json_tree_drop(&tree);
    return version;
}

/* Two files of one version must never exist, whatever became of the first. */
TEST(a_version_that_left_is_never_given_again)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    point(&r, "canary", 0, false);
    must_grant(&r);
    assert_int_equal(timestamp_version(&r), 2);
    assert_string_equal(r.answer.files[0].name, "2.ring-canary.json");
    /* The server died before it wrote a file; then the signer dies too. */
    proc_kill(&r.child);
    rw_fd_drop(&r.socket);
    rig_start(&r);
    point(&r, "canary", 0, false);
    must_grant(&r);
    assert_int_equal(timestamp_version(&r), 3);
    assert_string_equal(r.answer.files[0].name, "3.ring-canary.json");
    write_answer(&r);
    assert_int_equal(agent_sees(&r, "canary", NULL), 0);
}

TEST(a_change_cut_off_before_the_timestamp_is_harmless)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    put_payload(&r, &p.entries[0], p.entries[0].text);
    publish(&r, &p);
    must_grant(&r);
    r.answer.file_count = 2; /* all but the timestamp reach the disk */
    write_answer(&r);
    assert_int_equal(agent_sees(&r, "canary", NULL), 0);
    publish_good(&r, &p);
    point(&r, "canary", 1, false);
    must_grant(&r);
    write_answer(&r);
    assert_int_equal(agent_sees(&r, "canary", NULL), 1);
}

TEST(versions_have_an_end_that_is_told)
{
    struct rw_err err = {0};
    int64_t next = 0;
    MUST(signer_rule_next_version(7, 3, &next, &err));
    assert_int_equal(next, 8);
    MUST(signer_rule_next_version(3, 9, &next, &err));
    assert_int_equal(next, 10);
    MUST_FAIL(signer_rule_next_version(INT32_MAX, 0, &next, &err), RW_E_RANGE);
    MUST_FAIL(signer_rule_next_version(0, INT64_MAX, &next, &err), RW_E_RANGE);
}

/* --- a repository that was tampered with --- */
TEST(a_repository_that_went_back_is_not_built_upon)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct rw_err err = {0};
    struct rw_buf old = rw_buf_make(1 << 20);
    MUST(rw_file_read_at(r.d.repo, "metadata/timestamp.json", 1 << 20, &old, &err));
    point(&r, "canary", 0, false);
    must_grant(&r);
    write_answer(&r);
    point(&r, "canary", 0, false); /* the signer has seen the new state now */
    must_grant(&r);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/repo/metadata/timestamp.json", r.d.path);
    MUST(rw_file_replace(path, 0644, rw_buf_span(&old), &err));
    point(&r, "canary", 0, false);
    assert_true(r.answer.refused);
    assert_int_equal(r.answer.code, RW_E_TUF_VERSION);
    rw_buf_drop(&old);
}

TEST(a_forged_role_is_not_built_upon)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct rw_err err = {0};
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/repo/metadata/1.targets.json", r.d.path);
    MUST(rw_file_replace(path, 0644, rw_span_str("{}"), &err));
    point(&r, "canary", 0, false);
    assert_true(r.answer.refused);
    assert_int_equal(r.answer.code, RW_E_TUF_HASH);
}

/* --- the peer is not trusted either --- */
static void send_frame(struct rig *r, uint16_t type, struct rw_span body)
{
    struct rw_err err = {0};
    struct frame_writer w = frame_begin(type);
    MUST(rw_buf_append(&w.buf, body, &err));
    MUST(frame_send(r->socket, &w, TIMEOUT_MS, &err));
    frame_writer_drop(&w);
}

TEST(frames_that_are_no_requests_are_refused_and_the_session_goes_on)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct rw_err err = {0};
    uint32_t seed = 12345;
    print_message("           seed %u\n", seed);
    for (int round = 0; round < 300; round++) {
        uint8_t body[64];
        struct frame_reader frame;
        for (size_t i = 0; i < sizeof(body); i++) {
            seed = seed * 1664525U + 1013904223U;
            body[i] = (uint8_t)(seed >> 24);
        }
        /* Types 1 and 2 with random fields, a renewal with a tail, and unknown types. */
        uint16_t type = (uint16_t)(round % 7 + 1);
        send_frame(&r, type, rw_span_of(body, 1 + (size_t)(round % 63)));
        MUST(frame_recv(r.socket, &r.bytes, TIMEOUT_MS, &frame, &err));
        MUST(signer_answer_read(&frame, &r.answer, &err));
        assert_true(r.answer.refused);
        assert_int_equal(r.answer.code, RW_E_PROTOCOL);
    }
    point(&r, "canary", 0, false);
    must_grant(&r);
}

TEST(broken_framing_ends_the_session_without_a_crash)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct rw_err err = {0};
    struct proc_exit gone;
    const uint8_t huge[6] = {0xff, 0xff, 0xff, 0xff, 1, 0};
    assert_int_equal(send(r.socket, huge, sizeof(huge), MSG_NOSIGNAL), sizeof(huge));
    MUST(proc_wait(&r.child, TIMEOUT_MS, &gone, &err));
    assert_false(gone.signaled);
    assert_int_equal(gone.status, 1);
}

TEST(a_peer_that_goes_away_ends_the_signer)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct rw_err err = {0};
    struct proc_exit gone;
    renew(&r);
    must_grant(&r);
    rw_fd_drop(&r.socket);
    MUST(proc_wait(&r.child, TIMEOUT_MS, &gone, &err));
    assert_false(gone.signaled);
    assert_int_equal(gone.status, 0);
}

RUN_TESTS(cmocka_unit_test(content_is_signed_over_only_when_every_check_holds),
          cmocka_unit_test(publishing_the_same_role_again_needs_no_signature),
          cmocka_unit_test(a_new_release_below_a_listed_one_is_refused),
          cmocka_unit_test(a_listed_release_cannot_change),
          cmocka_unit_test(a_release_that_a_ring_points_at_cannot_be_dropped),
          cmocka_unit_test(a_ring_moves_only_to_what_an_endpoint_would_take_now),
          cmocka_unit_test(a_ring_goes_back_and_to_nothing_at_once),
          cmocka_unit_test(a_pointer_to_a_payload_that_vanished_is_refused),
          cmocka_unit_test(an_expired_timestamp_refuses_until_it_is_renewed),
          cmocka_unit_test(renewal_after_a_long_rest_signs_every_online_role),
          cmocka_unit_test(offline_roles_that_expired_stop_everything),
          cmocka_unit_test(an_expired_content_role_closes_its_pointers_and_is_cured_by_a_new_one),
          cmocka_unit_test(renewal_is_due_below_half_of_the_life),
          cmocka_unit_test(a_version_that_left_is_never_given_again),
          cmocka_unit_test(a_change_cut_off_before_the_timestamp_is_harmless),
          cmocka_unit_test(versions_have_an_end_that_is_told),
          cmocka_unit_test(a_repository_that_went_back_is_not_built_upon),
          cmocka_unit_test(a_forged_role_is_not_built_upon),
          cmocka_unit_test(frames_that_are_no_requests_are_refused_and_the_session_goes_on),
          cmocka_unit_test(broken_framing_ends_the_session_without_a_crash),
          cmocka_unit_test(a_peer_that_goes_away_ends_the_signer))
