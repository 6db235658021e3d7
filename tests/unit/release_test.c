/* Goal: the whole life of a release against a real directory, store and signer: nothing is signed that was not
 * checked, nothing is published that two engineers did not sign, and every step is in the audit log (INV-9). */
#include "common/box/verdict_codec.h"
#include "common/policy/entry_codec.h"
#include "common/tuf/tuf_write.h"
#include "server/release/release.h"
#include "server/release/release_signer.h"
#include "server/report/audit_log.h"
#include "server/server_init.h"
#include "server/store/store_sqlite.h"
#include "tests/dev_dir.h"

#include <signal.h>
#include <sys/wait.h>

enum { OUT_BYTES_MAX = 1 << 20 };

static const char payload[] = "rule a { strings: $s = \"x\" condition: $s }";
static const char samples[] = "RWS1\0\0\0\0";

struct rig {
    struct dev_dir d;
    struct store store;
    struct release_signer *signer;
    struct release_domain domain;
    struct rw_buf out;
    struct json *answer;
};

static void rig_start_signer(struct rig *r)
{
    struct rw_err err = {0};
    char keys[128];
    char repo[128];
    (void)snprintf(keys, sizeof(keys), "%s/signer", r->d.path);
    (void)snprintf(repo, sizeof(repo), "%s/repo", r->d.path);
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* for the child: it cannot be traced */
    const struct release_signer_settings settings = {.program = RW_BIN_DIR "/ringward-signer",
                                                     .key_dir = keys,
                                                     .repo_dir = repo,
                                                     .staging_dir = r->d.staging};
    MUST(release_signer_start(&settings, &r->signer, &err));
    r->domain.publisher = (struct release_publisher){release_signer_publish, r->signer};
}

static struct rig rig_make_aged(int64_t age_s)
{
    struct rw_err err = {0};
    char path[128];
    struct rig r = {.d = dev_dir_make(age_s), .out = rw_buf_make(OUT_BYTES_MAX)};
    (void)snprintf(path, sizeof(path), "%s/store/ringward.db", r.d.path);
    MUST(store_sqlite_open(path, &r.store, &err));
    r.domain = (struct release_domain){
        .staging_dir = r.d.staging, .repo_dir = r.d.repo, .clock = rw_clock_system()};
    rig_start_signer(&r);
    return r;
}

static struct rig rig_make(void)
{
    return rig_make_aged(0);
}

static void rig_drop(struct rig *r)
{
    release_signer_drop(&r->signer);
    store_close(&r->store);
    rw_buf_drop(&r->out);
    json_tree_drop(&r->answer);
    dev_dir_drop(&r->d);
}

static struct release_domain *domain(struct rig *r)
{
    r->domain.store = &r->store; /* the rig may have moved */
    rw_buf_clear(&r->out);
    return &r->domain;
}

static void parse_answer(struct rig *r)
{
    struct rw_err err = {0};
    json_tree_drop(&r->answer);
    r->answer = NULL;
    MUST(json_parse(rw_buf_span(&r->out), &json_limits_metadata, &r->answer, &err));
}

static const char *state_of(struct rig *r, const struct release_id *id)
{
    static char state[32];
    struct rw_err err = {0};
    MUST(release_show(domain(r), id, &r->out, &err));
    parse_answer(r);
    MUST(json_get_str(r->answer, "state", state, sizeof(state), &err));
    return state;
}

static size_t signatures_of(struct rig *r, const struct release_id *id)
{
    (void)state_of(r, id);
    return json_count(json_find(r->answer, "signatures"));
}

/* --- steps --- */
struct wish {
    const char *class_name;
    const char *text;
    bool with_samples;
    bool unchecked;
};

static struct release_id create(struct rig *r, const struct wish *wish)
{
    struct rw_err err = {0};
    char body[1024];
    char extra[256] = "";
    char hex[DIGEST_HEX_BYTES];
    struct release_id id = {.family = "yara"};
    MUST(digest_sha256_hex(rw_span_of(samples, sizeof(samples) - 1), hex, &err));
    if (wish->with_samples) {
        (void)snprintf(extra, sizeof(extra), ",\"samples\":{\"sha256\":\"%s\",\"bytes\":%zu}", hex,
                       sizeof(samples) - 1);
    }
    MUST(digest_sha256_hex(rw_span_str(wish->text), hex, &err));
    (void)snprintf(body, sizeof(body),
                   "{\"family\":\"yara\",\"class\":\"%s\",\"notes\":\"a rule\","
                   "\"engine\":{\"min\":0,\"max\":999999},\"platforms\":[\"linux-x86_64\"],"
                   "\"payload\":{\"sha256\":\"%s\",\"bytes\":%zu}%s%s}",
                   wish->class_name, hex, strlen(wish->text), extra,
                   wish->unchecked ? ",\"unchecked\":true,\"reason\":\"box is down\"" : "");
    MUST(release_create(domain(r), "carol", rw_span_str(body), &r->out, &err));
    parse_answer(r);
    MUST(json_get_int(r->answer, "release", 1, RELEASE_NUMBER_MAX, &id.number, &err));
    assert_string_equal(state_of(r, &id), "draft");
    return id;
}

static bool upload(struct rig *r, const struct release_id *id, const char *text)
{
    struct rw_err err = {0};
    bool wanted = false;
    MUST(release_upload(domain(r), id, RELEASE_PAYLOAD, rw_span_str(text), &wanted, &r->out, &err));
    return wanted;
}

static struct rw_buf verdict_text(enum verdict_kind kind, bool final, const char *text)
{
    struct rw_err err = {0};
    struct rw_buf out = rw_buf_make(VERDICT_TEXT_BYTES_MAX);
    struct verdict v = {.kind = kind, .final = final, .exit_status = 0, .content_bytes = 3};
    (void)snprintf(v.grade, sizeof(v.grade), "full");
    (void)snprintf(v.validator, sizeof(v.validator), "yara");
    (void)snprintf(v.reason, sizeof(v.reason), "as it is");
    MUST(digest_sha256_hex(rw_span_str(text), v.content_sha256, &err));
    MUST(digest_sha256_hex(rw_span_str("validator"), v.validator_sha256, &err));
    MUST(verdict_write(&v, &out, &err));
    return out;
}

static struct rw_rc record(struct rig *r, const struct release_id *id, enum verdict_kind kind,
                           bool final, const char *text, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf v = verdict_text(kind, final, text);
    return release_record_check(domain(r), id, rw_buf_span(&v), &r->out, err);
}

static struct release_id checked_release(struct rig *r, const struct wish *wish)
{
    struct rw_err err = {0};
    struct release_id id = create(r, wish);
    assert_true(upload(r, &id, wish->text));
    MUST(record(r, &id, VERDICT_ACCEPTED, true, wish->text, &err));
    assert_string_equal(state_of(r, &id), "checked");
    return id;
}

/* What `ringward release sign` does on the engineer's machine. */
static struct rw_rc sign(struct rig *r, const struct release_id *id, const char *key_file,
                         const char *by, struct rw_span document, struct rw_err *outer)
{
    struct rw_err err = {0};
    char sig[2 * SIG_BYTES_MAX + 1];
    char body[4096];
    struct key k = dev_dir_key(&r->d, key_file);
    MUST(tuf_write_sign(document, &k, sig, &err));
    (void)snprintf(body, sizeof(body), "{\"keyid\":\"%s\",\"sig\":\"%s\"}", k.id, sig);
    key_drop(&k);
    return release_sign(domain(r), id, by, rw_span_str(body), &r->out, outer);
}

static struct rw_buf tosign(struct rig *r, const struct release_id *id)
{
    struct rw_err err = {0};
    struct rw_buf out = rw_buf_make(OUT_BYTES_MAX);
    MUST(release_tosign(domain(r), id, &out, &err));
    return out;
}

static void approve(struct rig *r, const struct release_id *id)
{
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf doc = tosign(r, id);
    MUST(sign(r, id, "engineers/alice.key", "alice", rw_buf_span(&doc), &err));
    MUST(sign(r, id, "engineers/bob.key", "bob", rw_buf_span(&doc), &err));
    assert_string_equal(state_of(r, id), "approved");
}

static const struct wish plain = {.class_name = "data", .text = payload};

/* --- the life --- */
TEST(a_release_goes_from_draft_to_an_agent)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct tuf_target t;
    rw_fd state = -1;
    struct release_id id = checked_release(&r, &plain);
    assert_int_equal(id.number, 1);
    MUST_FAIL(release_publish(domain(&r), &id, "pat", &r.out, &err), RW_E_POLICY);
    approve(&r, &id);
    MUST(release_publish(domain(&r), &id, "pat", &r.out, &err));
    assert_string_equal(state_of(&r, &id), "published");
    struct tuf_client *c = dev_dir_agent(&r.d, &state);
    MUST(tuf_client_find(c, "content/yara/1.rwc", &t, &err));
    assert_int_equal(t.length, strlen(payload));
    assert_string_equal(t.role, "content-yara");
    MUST_FAIL(tuf_client_find(c, "rings/canary/yara", &t, &err), RW_E_NOT_FOUND);
    tuf_client_drop(&c);
    rw_fd_drop(&state);
    MUST(release_publish(domain(&r), &id, "pat", &r.out, &err)); /* again: nothing new */
    MUST(release_signer_point(r.signer, "canary", "yara", 1, false, &err));
    c = dev_dir_agent(&r.d, &state);
    MUST(tuf_client_find(c, "rings/canary/yara", &t, &err));
    tuf_client_drop(&c);
    rw_fd_drop(&state);
}

/* INV-9 */
TEST(every_step_is_in_the_audit_log)
{
    static const char *const steps[] = {"server.init",   "release.create", "release.payload",
                                        "release.check", "release.tosign", "release.sign",
                                        "release.sign",  "release.publish"};
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    int64_t count = 0;
    struct release_id id = checked_release(&r, &plain);
    approve(&r, &id);
    MUST(release_publish(domain(&r), &id, "pat", &r.out, &err));
    MUST(audit_log_verify(&r.store, &count, &err));
    assert_int_equal(count, RW_LEN(steps));
    rw_buf_clear(&r.out);
    struct json_writer w = json_begin(&r.out);
    MUST(audit_log_write_page(&r.store, 0, 100, &w, &err));
    MUST(json_done(&w, &err));
    parse_answer(&r);
    size_t i = 0;
    for (const struct json *rec = json_first(json_find(r.answer, "records")); rec != NULL;
         rec = json_next(rec), i++) {
        struct rw_span action;
        MUST(json_get_span(rec, "action", &action, &err));
        assert_true(rw_span_is(action, steps[i]));
    }
}

/* --- uploads --- */
static const struct bytes_case {
    const char *id;
    const char *text;
} wrong_bytes[] = {
    {"another_byte", "rule b { strings: $s = \"x\" condition: $s }"},
    {"one_byte_less", "rule a { strings: $s = \"x\" condition: $s "},
    {"nothing", ""},
};

TEST_EACH(bytes_that_were_not_declared_are_refused, wrong_bytes)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    bool wanted = true;
    int fd = -1;
    uint64_t bytes = 0;
    struct release_id id = create(&r, &plain);
    MUST_FAIL(release_upload(domain(&r), &id, RELEASE_PAYLOAD, rw_span_str(it->text), &wanted,
                             &r.out, &err),
              RW_E_TUF_HASH);
    assert_string_equal(state_of(&r, &id), "draft");
    MUST_FAIL(release_open_payload(domain(&r), &id, &fd, &bytes, &err), RW_E_NOT_FOUND);
}

TEST(the_check_waits_for_the_samples)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    bool wanted = false;
    struct release_check_job job;
    const struct wish wish = {.class_name = "data", .text = payload, .with_samples = true};
    struct release_id id = create(&r, &wish);
    assert_false(upload(&r, &id, payload));
    assert_string_equal(state_of(&r, &id), "draft");
    MUST_FAIL(release_begin_check(domain(&r), &id, &job, &err), RW_E_POLICY);
    MUST(release_upload(domain(&r), &id, RELEASE_SAMPLES, rw_span_of(samples, sizeof(samples) - 1),
                        &wanted, &r.out, &err));
    assert_true(wanted);
    MUST(release_begin_check(domain(&r), &id, &job, &err));
    assert_string_equal(job.payload_path, "yara/1/payload");
    assert_string_equal(job.samples_path, "yara/1/samples");
    MUST_FAIL(release_upload(domain(&r), &id, RELEASE_PAYLOAD, rw_span_str(payload), &wanted,
                             &r.out, &err),
              RW_E_POLICY);
}

TEST(samples_that_were_not_declared_are_refused)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    bool wanted = false;
    struct release_id id = create(&r, &plain);
    MUST_FAIL(
        release_upload(domain(&r), &id, RELEASE_SAMPLES, rw_span_str("x"), &wanted, &r.out, &err),
        RW_E_POLICY);
}

TEST(the_payload_that_is_given_out_is_the_declared_one)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    char path[128];
    int fd = -1;
    uint64_t bytes = 0;
    struct release_id id = checked_release(&r, &plain);
    MUST(release_open_payload(domain(&r), &id, &fd, &bytes, &err));
    assert_int_equal(bytes, strlen(payload));
    rw_fd_drop(&fd);
    (void)snprintf(path, sizeof(path), "%s/staging/yara/1/payload", r.d.path);
    MUST(rw_file_replace(path, 0600, rw_span_str("rotten"), &err));
    MUST_FAIL(release_open_payload(domain(&r), &id, &fd, &bytes, &err), RW_E_TUF_HASH);
    approve(&r, &id);
    MUST_FAIL(release_publish(domain(&r), &id, "pat", &r.out, &err), RW_E_TUF_HASH);
    assert_string_equal(state_of(&r, &id), "approved");
}

/* --- the box: INV-3 --- */
static const struct check_case {
    const char *id;
    enum verdict_kind kind;
    bool final;
    const char *want;
} check_cases[] = {
    {"accepted", VERDICT_ACCEPTED, true, "checked"},
    {"accepted_but_not_final", VERDICT_ACCEPTED, false, "draft"},
    {"refused", VERDICT_REFUSED, true, "refused"},
    {"crashed", VERDICT_CRASHED, true, "refused"},
    {"no_verdict", VERDICT_SANDBOX_ERROR, false, "draft"},
};

TEST_EACH(only_a_final_accepted_verdict_opens, check_cases)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct rw_buf doc = rw_buf_make(OUT_BYTES_MAX);
    struct release_id id = create(&r, &plain);
    assert_true(upload(&r, &id, payload));
    MUST(record(&r, &id, it->kind, it->final, payload, &err));
    assert_string_equal(state_of(&r, &id), it->want);
    if (strcmp(it->want, "checked") != 0) {
        MUST_FAIL(release_tosign(domain(&r), &id, &doc, &err), RW_E_POLICY);
    }
    rw_buf_drop(&doc);
}

TEST(a_draft_is_checked_again_when_the_payload_is_sent_again)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct release_id id = create(&r, &plain);
    assert_true(upload(&r, &id, payload));
    MUST(release_record_check(domain(&r), &id, rw_span_of(NULL, 0), &r.out, &err));
    assert_string_equal(state_of(&r, &id), "draft");
    assert_true(upload(&r, &id, payload));
    MUST(record(&r, &id, VERDICT_ACCEPTED, true, payload, &err));
    assert_string_equal(state_of(&r, &id), "checked");
}

TEST(a_verdict_about_other_bytes_or_without_sense_changes_nothing)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct release_id id = create(&r, &plain);
    assert_true(upload(&r, &id, payload));
    MUST_FAIL(record(&r, &id, VERDICT_ACCEPTED, true, "other", &err), RW_E_TUF_HASH);
    MUST_FAIL(release_record_check(domain(&r), &id, rw_span_str("{}"), &r.out, &err), RW_E_SCHEMA);
    assert_string_equal(state_of(&r, &id), "checking");
}

static RW_RC count_job(void *arg, const struct release_check_job *job, struct rw_err *err)
{
    (void)err;
    assert_string_equal(job->id.family, "yara");
    *(int64_t *)arg += job->id.number;
    return RW_OK;
}

TEST(checks_that_were_cut_off_are_found_after_a_start)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    int64_t sum = 0;
    (void)checked_release(&r, &plain);
    struct release_id second = create(&r, &plain);
    (void)upload(&r, &second, payload);
    (void)create(&r, &plain);
    MUST(release_each_checking(domain(&r), count_job, &sum, &err));
    assert_int_equal(sum, 2);
}

TEST(an_unchecked_release_says_why_everywhere)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    const struct wish wish = {.class_name = "data", .text = payload, .unchecked = true};
    struct release_facts facts;
    struct rw_span reason;
    struct release_id id = create(&r, &wish);
    assert_false(upload(&r, &id, payload));
    assert_string_equal(state_of(&r, &id), "checked");
    MUST(json_get_span(r.answer, "reason", &reason, &err));
    assert_true(rw_span_is(reason, "box is down"));
    MUST(release_find(domain(&r), &id, &facts, &err));
    assert_true(facts.unchecked);
}

/* --- approval --- */
TEST(two_engineers_must_sign_and_one_key_counts_once)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct release_id id = checked_release(&r, &plain);
    RW_AUTO(rw_buf) struct rw_buf doc = tosign(&r, &id);
    MUST(sign(&r, &id, "engineers/alice.key", "alice", rw_buf_span(&doc), &err));
    MUST(sign(&r, &id, "engineers/alice.key", "alice", rw_buf_span(&doc), &err));
    MUST(sign(&r, &id, "engineers/alice.key", "mallory", rw_buf_span(&doc), &err));
    assert_int_equal(signatures_of(&r, &id), 1);
    assert_string_equal(state_of(&r, &id), "checked");
    MUST_FAIL(release_publish(domain(&r), &id, "pat", &r.out, &err), RW_E_POLICY);
    MUST(sign(&r, &id, "engineers/bob.key", "bob", rw_buf_span(&doc), &err));
    assert_string_equal(state_of(&r, &id), "approved");
}

TEST(signatures_that_are_none_are_refused)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct release_id id = checked_release(&r, &plain);
    RW_AUTO(rw_buf) struct rw_buf doc = tosign(&r, &id);
    const struct rw_span other = rw_span_str("{\"_type\":\"targets\"}");
    MUST_FAIL(sign(&r, &id, "engineers/alice.key", "alice", other, &err), RW_E_TUF_THRESHOLD);
    MUST_FAIL(sign(&r, &id, "offline/targets-1.key", "alice", rw_buf_span(&doc), &err),
              RW_E_TUF_ROLE);
    MUST_FAIL(release_sign(domain(&r), &id, "alice", rw_span_str("{\"keyid\":\"a\",\"sig\":\"\"}"),
                           &r.out, &err),
              RW_E_SCHEMA);
    assert_int_equal(signatures_of(&r, &id), 0);
}

/* Two releases were made ready at once: publishing the one makes the other's document stale. */
TEST(a_stale_document_is_made_anew_without_its_signatures)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct release_id one = checked_release(&r, &plain);
    struct release_id two = checked_release(&r, &plain);
    RW_AUTO(rw_buf) struct rw_buf old = tosign(&r, &two);
    approve(&r, &two);
    approve(&r, &one);
    MUST(release_publish(domain(&r), &one, "pat", &r.out, &err));
    MUST_FAIL(release_publish(domain(&r), &two, "pat", &r.out, &err), RW_E_STALE);
    assert_string_equal(state_of(&r, &two), "checked");
    assert_int_equal(signatures_of(&r, &two), 0);
    MUST_FAIL(sign(&r, &two, "engineers/alice.key", "alice", rw_buf_span(&old), &err),
              RW_E_TUF_THRESHOLD);
    approve(&r, &two);
    MUST(release_publish(domain(&r), &two, "pat", &r.out, &err));
    assert_string_equal(state_of(&r, &two), "published");
}

TEST(a_release_that_was_overtaken_can_no_longer_be_signed)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct rw_buf doc = rw_buf_make(OUT_BYTES_MAX);
    struct release_id one = checked_release(&r, &plain);
    struct release_id two = checked_release(&r, &plain);
    approve(&r, &two);
    MUST(release_publish(domain(&r), &two, "pat", &r.out, &err));
    MUST_FAIL(release_tosign(domain(&r), &one, &doc, &err), RW_E_POLICY);
    rw_buf_drop(&doc);
}

/* --- INV-7: what is signed carries the bake --- */
TEST(the_document_names_the_bake_of_every_ring)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    const struct wish slow = {.class_name = "slow", .text = payload};
    struct json *tree = NULL;
    struct tuf_target t;
    struct install_rule_content c;
    char class_name[INSTALL_NAME_BYTES];
    struct release_id id = checked_release(&r, &slow);
    RW_AUTO(rw_buf) struct rw_buf doc = tosign(&r, &id);
    MUST(json_parse(rw_buf_span(&doc), &json_limits_metadata, &tree, &err));
    const struct json *entry = json_find(json_find(tree, "targets"), "content/yara/1.rwc");
    assert_non_null(entry);
    MUST(tuf_target_read(entry, "content-yara", 2, &t, &err));
    MUST(entry_codec_read_content(&t, "canary", "linux-x86_64", &c, class_name, &err));
    assert_true(c.has_not_before);
    assert_int_equal(c.not_before.s - c.signed_at.s, 3600);
    MUST(entry_codec_read_content(&t, "broad", "linux-x86_64", &c, class_name, &err));
    assert_int_equal(c.not_before.s - c.signed_at.s, 6 * 3600);
    assert_string_equal(class_name, "slow");
    json_tree_drop(&tree);
    approve(&r, &id);
    MUST(release_publish(domain(&r), &id, "pat", &r.out, &err));
    MUST_FAIL(release_signer_point(r.signer, "canary", "yara", 1, false, &err), RW_E_TRUST_RULE);
    assert_non_null(strstr(err.text, "bake"));
    MUST(release_signer_point(r.signer, "internal", "yara", 1, false, &err));
}

/* --- numbers --- */
TEST(numbers_are_never_used_again)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct release_id one = create(&r, &plain);
    MUST_FAIL(release_abandon(domain(&r), &one, "carol", "", &r.out, &err), RW_E_SCHEMA);
    MUST(release_abandon(domain(&r), &one, "carol", "wrong file", &r.out, &err));
    assert_string_equal(state_of(&r, &one), "withdrawn");
    struct release_id two = create(&r, &plain);
    assert_int_equal(two.number, 2);
    MUST(release_list(domain(&r), &r.out, &err));
    parse_answer(&r);
    assert_int_equal(json_count(json_find(r.answer, "releases")), 2);
}

static const struct body_case {
    const char *id;
    const char *body;
    enum rw_code want;
} bad_bodies[] = {
    {"no_json", "x", RW_E_SYNTAX},
    {"nothing_in_it", "{}", RW_E_SCHEMA},
    {"an_unknown_member", "{\"family\":\"yara\",\"colour\":\"red\"}", RW_E_SCHEMA},
    {"a_family_that_is_not_delegated",
     "{\"family\":\"ids\",\"class\":\"data\",\"notes\":\"n\",\"engine\":{\"min\":0,\"max\":1},"
     "\"platforms\":[\"linux-x86_64\"],\"payload\":{\"sha256\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000\",\"bytes\":1}}",
     RW_E_TUF_ROLE},
    {"a_class_without_policy",
     "{\"family\":\"yara\",\"class\":\"other\",\"notes\":\"n\",\"engine\":{\"min\":0,\"max\":1},"
     "\"platforms\":[\"linux-x86_64\"],\"payload\":{\"sha256\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000\",\"bytes\":1}}",
     RW_E_RANGE},
    {"an_engine_range_upside_down",
     "{\"family\":\"yara\",\"class\":\"data\",\"notes\":\"n\",\"engine\":{\"min\":2,\"max\":1},"
     "\"platforms\":[\"linux-x86_64\"],\"payload\":{\"sha256\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000\",\"bytes\":1}}",
     RW_E_RANGE},
    {"unchecked_without_a_reason",
     "{\"family\":\"yara\",\"class\":\"data\",\"notes\":\"n\",\"engine\":{\"min\":0,\"max\":1},"
     "\"platforms\":[\"linux-x86_64\"],\"unchecked\":true,\"payload\":{\"sha256\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000\",\"bytes\":1}}",
     RW_E_SCHEMA},
    {"notes_that_say_nothing",
     "{\"family\":\"yara\",\"class\":\"data\",\"notes\":\"\",\"engine\":{\"min\":0,\"max\":1},"
     "\"platforms\":[\"linux-x86_64\"],\"payload\":{\"sha256\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000\",\"bytes\":1}}",
     RW_E_SCHEMA},
    {"a_payload_of_no_bytes",
     "{\"family\":\"yara\",\"class\":\"data\",\"notes\":\"n\",\"engine\":{\"min\":0,\"max\":1},"
     "\"platforms\":[\"linux-x86_64\"],\"payload\":{\"sha256\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000\",\"bytes\":0}}",
     RW_E_RANGE},
    {"a_hash_in_capitals",
     "{\"family\":\"yara\",\"class\":\"data\",\"notes\":\"n\",\"engine\":{\"min\":0,\"max\":1},"
     "\"platforms\":[\"linux-x86_64\"],\"payload\":{\"sha256\":"
     "\"ABCDEF0000000000000000000000000000000000000000000000000000000000\",\"bytes\":1}}",
     RW_E_SCHEMA},
};

TEST(requests_that_are_none_are_refused_and_leave_nothing)
{
    RW_AUTO(rig) struct rig r = rig_make();
    for (size_t i = 0; i < RW_LEN(bad_bodies); i++) {
        struct rw_err err = {0};
        print_message("           case %s\n", bad_bodies[i].id);
        MUST_FAIL(
            release_create(domain(&r), "carol", rw_span_str(bad_bodies[i].body), &r.out, &err),
            bad_bodies[i].want);
    }
    struct rw_err err = {0};
    int64_t records = 0;
    MUST(audit_log_verify(&r.store, &records, &err));
    assert_int_equal(records, 1); /* that of the init */
}

/* --- the signer's client --- */
/* The one child of this process. */
static pid_t signer_pid(void)
{
    struct rw_err err = {0};
    char path[64];
    int64_t pid = 0;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(4096);
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    MUST(rw_file_read(path, 4096, &text, &err));
    struct rw_span digits = rw_buf_span(&text);
    while (digits.n > 0 && digits.p[digits.n - 1] == ' ') {
        digits.n--;
    }
    MUST(rw_parse_i64(digits, 2, INT32_MAX, "pid", &pid, &err));
    return (pid_t)pid;
}

/* Gives the pid that it had; it is dead, and not reaped yet, when this returns. */
static pid_t kill_signer(void)
{
    siginfo_t gone;
    pid_t pid = signer_pid();
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &gone, WEXITED | WNOWAIT), 0);
    return pid;
}

TEST(a_signer_that_died_is_started_again)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct release_id id = checked_release(&r, &plain);
    approve(&r, &id);
    pid_t before = kill_signer();
    MUST(release_publish(domain(&r), &id, "pat", &r.out, &err));
    assert_int_not_equal(signer_pid(), before);
}

TEST(renewal_says_whether_it_signed_and_is_asked_for_once_a_minute)
{
    RW_AUTO(rig) struct rig r = rig_make_aged(20 * 3600); /* of the timestamp's 36 hours */
    struct rw_err err = {0};
    struct rw_wall now = dev_dir_now();
    bool renewed = false;
    MUST(release_signer_renew(r.signer, now, &renewed, &err));
    assert_true(renewed);
    pid_t signer = kill_signer();
    now.s += 59;
    MUST(release_signer_renew(r.signer, now, &renewed, &err));
    assert_false(renewed);
    assert_int_equal(signer_pid(), signer); /* not even asked, so not started again */
    now.s += 1;
    MUST(release_signer_renew(r.signer, now, &renewed, &err));
    assert_false(renewed); /* everything is fresh */
    assert_int_not_equal(signer_pid(), signer);
}

TEST(a_crash_after_the_repository_and_before_the_store_is_healed)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    struct release_id id = checked_release(&r, &plain);
    approve(&r, &id);
    /* The store is put back to what it was before publishing, as a crash would leave it. */
    char from[128];
    (void)snprintf(from, sizeof(from), "%s/store/ringward.db", r.d.path);
    store_close(&r.store); /* the last connection folds the log into the file */
    RW_AUTO(rw_buf) struct rw_buf image = rw_buf_make(16 << 20);
    MUST(rw_file_read(from, 16 << 20, &image, &err));
    MUST(store_sqlite_open(from, &r.store, &err));
    MUST(release_publish(domain(&r), &id, "pat", &r.out, &err));
    store_close(&r.store);
    MUST(rw_file_replace(from, 0600, rw_buf_span(&image), &err));
    MUST(store_sqlite_open(from, &r.store, &err));
    assert_string_equal(state_of(&r, &id), "approved");
    MUST(release_publish(domain(&r), &id, "pat", &r.out, &err));
    assert_string_equal(state_of(&r, &id), "published");
}

RUN_TESTS(cmocka_unit_test(a_release_goes_from_draft_to_an_agent),
          cmocka_unit_test(every_step_is_in_the_audit_log),
          cmocka_unit_test(bytes_that_were_not_declared_are_refused),
          cmocka_unit_test(the_check_waits_for_the_samples),
          cmocka_unit_test(samples_that_were_not_declared_are_refused),
          cmocka_unit_test(the_payload_that_is_given_out_is_the_declared_one),
          cmocka_unit_test(only_a_final_accepted_verdict_opens),
          cmocka_unit_test(a_draft_is_checked_again_when_the_payload_is_sent_again),
          cmocka_unit_test(a_verdict_about_other_bytes_or_without_sense_changes_nothing),
          cmocka_unit_test(checks_that_were_cut_off_are_found_after_a_start),
          cmocka_unit_test(an_unchecked_release_says_why_everywhere),
          cmocka_unit_test(two_engineers_must_sign_and_one_key_counts_once),
          cmocka_unit_test(signatures_that_are_none_are_refused),
          cmocka_unit_test(a_stale_document_is_made_anew_without_its_signatures),
          cmocka_unit_test(a_release_that_was_overtaken_can_no_longer_be_signed),
          cmocka_unit_test(the_document_names_the_bake_of_every_ring),
          cmocka_unit_test(numbers_are_never_used_again),
          cmocka_unit_test(requests_that_are_none_are_refused_and_leave_nothing),
          cmocka_unit_test(a_signer_that_died_is_started_again),
          cmocka_unit_test(renewal_says_whether_it_signed_and_is_asked_for_once_a_minute),
          cmocka_unit_test(a_crash_after_the_repository_and_before_the_store_is_healed))
