/* Goal: nothing is published that two engineers did not sign as it is, with the bake in it (INV-7); crashes between
 * signer, repository and store heal. */
#include "common/policy/entry_codec.h"
#include "server/release/release.h"
#include "server/server_init.h"
#include "tests/release_rig.h"

#include <signal.h>
#include <sys/wait.h>

/* The program under test, built before this one (tests/CMakeLists.txt): RW_BIN_DIR "/ringward-signer" */

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
    MUST_FAIL(publish(&r, &id, "pat", &err), RW_E_POLICY);
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
    MUST(publish(&r, &one, "pat", &err));
    MUST_FAIL(publish(&r, &two, "pat", &err), RW_E_STALE);
    assert_string_equal(state_of(&r, &two), "checked");
    assert_int_equal(signatures_of(&r, &two), 0);
    MUST_FAIL(sign(&r, &two, "engineers/alice.key", "alice", rw_buf_span(&old), &err),
              RW_E_TUF_THRESHOLD);
    approve(&r, &two);
    MUST(publish(&r, &two, "pat", &err));
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
    MUST(publish(&r, &two, "pat", &err));
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
    MUST(publish(&r, &id, "pat", &err));
    MUST_FAIL(release_signer_point(r.signer, "canary", "yara", 1, false, &err), RW_E_TRUST_RULE);
    assert_non_null(strstr(err.text, "bake"));
    MUST(release_signer_point(r.signer, "internal", "yara", 1, false, &err));
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
    MUST(publish(&r, &id, "pat", &err));
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
    MUST(publish(&r, &id, "pat", &err));
    store_close(&r.store);
    MUST(rw_file_replace(from, 0600, rw_buf_span(&image), &err));
    MUST(store_sqlite_open(from, &r.store, &err));
    assert_string_equal(state_of(&r, &id), "approved");
    MUST(publish(&r, &id, "pat", &err));
    assert_string_equal(state_of(&r, &id), "published");
}

RUN_TESTS(cmocka_unit_test(two_engineers_must_sign_and_one_key_counts_once),
          cmocka_unit_test(signatures_that_are_none_are_refused),
          cmocka_unit_test(a_stale_document_is_made_anew_without_its_signatures),
          cmocka_unit_test(a_release_that_was_overtaken_can_no_longer_be_signed),
          cmocka_unit_test(the_document_names_the_bake_of_every_ring),
          cmocka_unit_test(a_signer_that_died_is_started_again),
          cmocka_unit_test(renewal_says_whether_it_signed_and_is_asked_for_once_a_minute),
          cmocka_unit_test(a_crash_after_the_repository_and_before_the_store_is_healed))
