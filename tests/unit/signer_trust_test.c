/* Goal: the signer takes over a ceremony's root and targets only with every threshold and exactly one version up; it
 * follows its keys; versions begin anew exactly where agents lose their memory of them. */
#include "common/crypto/key_public.h"
#include "server/cli/cmd_trust_plan.h"
#include "server/server_init.h"
#include "tests/signer_rig.h"

/* The program under test, built before this one (tests/CMakeLists.txt): RW_BIN_DIR "/ringward-signer" */

struct trust_rig {
    struct rig r;
    struct cmd_trust_plan plan; /* the published documents, ready to be changed */
    struct key root;
    struct key targets;
};

static struct tuf_doc read_doc(const struct rig *r, const char *name, const char *type)
{
    struct rw_err err = {0};
    char path[256];
    struct tuf_doc doc = {0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 20);
    (void)snprintf(path, sizeof(path), "%s/agent/%s.json", r->d.path, name);
    MUST(rw_file_read(path, 1 << 20, &text, &err));
    MUST(tuf_doc_parse(rw_buf_span(&text), type, &doc, &err));
    return doc;
}

/* What an agent of today trusts becomes the plan. */
static void take_published(struct trust_rig *t)
{
    struct rw_err err = {0};
    rw_fd state = -1;
    struct tuf_client *c = dev_dir_agent(&t->r.d, &state);
    tuf_client_drop(&c);
    rw_fd_drop(&state);
    struct tuf_doc root = read_doc(&t->r, "root", "root");
    struct tuf_doc targets = read_doc(&t->r, "targets", "targets");
    if (t->plan.delegated != NULL) { cmd_trust_plan_drop(&t->plan); }
    MUST(cmd_trust_plan_begin(&t->plan, &err));
    MUST(cmd_trust_plan_take(&t->plan, &root, &targets, &err));
}

static struct trust_rig trust_rig_make(void)
{
    struct trust_rig t = {.r = rig_make(60)};
    t.root = dev_dir_key(&t.r.d, "offline/root-1.key");
    t.targets = dev_dir_key(&t.r.d, "offline/targets-1.key");
    take_published(&t);
    return t;
}

static void trust_rig_drop(struct trust_rig *t)
{
    cmd_trust_plan_drop(&t->plan);
    key_drop(&t->root);
    key_drop(&t->targets);
    rig_drop(&t->r);
}

/* A new online key in DIR/signer/FILE, alone in its role. */
static void new_key(struct trust_rig *t, const char *role, const char *file)
{
    struct rw_err err = {0};
    char path[256];
    char public_path[256];
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(KEY_PUBLIC_BYTES_MAX);
    struct tuf_sigset_authority *a = cmd_trust_plan_find(&t->plan, role);
    MUST(key_generate(KEY_ED25519, &k, &err));
    (void)snprintf(path, sizeof(path), "%s/signer/%s", t->r.d.path, file);
    MUST(key_save_private(&k, path, NULL, &err));
    MUST(key_public_write(&k, &text, &err));
    (void)snprintf(public_path, sizeof(public_path), "%s/%s.pub", t->r.d.path, role);
    MUST(rw_file_replace(public_path, 0644, rw_buf_span(&text), &err));
    tuf_sigset_authority_drop(a);
    MUST(cmd_trust_plan_add_key(a, public_path, &err));
}

enum part { ROOT = 1, TARGETS = 2 };

static void sign(const struct rw_buf *text, const struct key *key, struct rw_buf *envelope)
{
    struct rw_err err = {0};
    MUST(tuf_write_envelope(rw_buf_span(text), key, 1, envelope, &err));
}

static void ask_by(struct trust_rig *t, int what, const struct key *root, const struct key *targets)
{
    struct rw_err err = {0};
    struct signer_request q = {.type = SIGNER_TRUST};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 20);
    RW_AUTO(rw_buf) struct rw_buf root_envelope = rw_buf_make(1 << 20);
    RW_AUTO(rw_buf) struct rw_buf targets_envelope = rw_buf_make(1 << 20);
    if ((what & ROOT) != 0) {
        MUST(cmd_trust_plan_write_root(&t->plan, &text, &err));
        sign(&text, root, &root_envelope);
        q.root = rw_buf_span(&root_envelope);
    }
    if ((what & TARGETS) != 0) {
        rw_buf_clear(&text);
        MUST(cmd_trust_plan_write_targets(&t->plan, &text, &err));
        sign(&text, targets, &targets_envelope);
        q.targets = rw_buf_span(&targets_envelope);
    }
    ask(&t->r, &q);
}

static void ask_for(struct trust_rig *t, int what)
{
    ask_by(t, what, &t->root, &t->targets);
}

static void grant(struct trust_rig *t)
{
    must_grant(&t->r);
    write_answer(&t->r);
}

static int64_t version_of(struct trust_rig *t, const char *role)
{
    struct tuf_role_status roles[32];
    rw_fd state = -1;
    int64_t version = 0;
    struct tuf_client *c = dev_dir_agent(&t->r.d, &state);
    size_t n = tuf_client_status(c, roles, RW_LEN(roles));
    for (size_t i = 0; i < n; i++) {
        if (strcmp(roles[i].role, role) == 0) { version = roles[i].version; }
    }
    tuf_client_drop(&c);
    rw_fd_drop(&state);
    return version;
}

TEST(a_root_follows_exactly_one_version_up_and_by_its_threshold)
{
    struct trust_rig t = trust_rig_make();
    t.plan.root_version = 3;
    ask_for(&t, ROOT);
    must_refuse(&t.r, "version");
    t.plan.root_version = 2;
    ask_by(&t, ROOT, &t.targets, NULL);
    must_refuse(&t.r, "threshold");
    assert_int_equal(version_of(&t, "root"), 1);
    ask_for(&t, ROOT);
    grant(&t);
    assert_int_equal(version_of(&t, "root"), 2);
    assert_string_equal(t.r.answer.files[t.r.answer.file_count - 2].name, "2.root.json");
    assert_string_equal(t.r.answer.files[t.r.answer.file_count - 1].name, "timestamp.json");
    trust_rig_drop(&t);
}

TEST(a_new_root_key_needs_the_old_one_too)
{
    struct trust_rig t = trust_rig_make();
    struct rw_err err = {0};
    char path[256];
    RW_AUTO(key) struct key fresh = {.scheme = KEY_UNKNOWN};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 20);
    RW_AUTO(rw_buf) struct rw_buf envelope = rw_buf_make(1 << 20);
    t.plan.root_version = 2;
    new_key(&t, "root", "../people.key");
    (void)snprintf(path, sizeof(path), "%s/people.key", t.r.d.path);
    MUST(key_load_private(path, NULL, &fresh, &err));
    ask_by(&t, ROOT, &fresh, NULL);
    must_refuse(&t.r, "threshold");
    ask_by(&t, ROOT, &t.root, NULL);
    must_refuse(&t.r, "threshold");
    MUST(cmd_trust_plan_write_root(&t.plan, &text, &err));
    const struct key both[] = {t.root, fresh};
    MUST(tuf_write_envelope(rw_buf_span(&text), both, 2, &envelope, &err));
    const struct signer_request q = {.type = SIGNER_TRUST, .root = rw_buf_span(&envelope)};
    ask(&t.r, &q);
    grant(&t);
    assert_int_equal(version_of(&t, "root"), 2);
    trust_rig_drop(&t);
}

TEST(what_is_published_already_needs_no_new_signature)
{
    struct trust_rig t = trust_rig_make();
    t.plan.root_version = t.plan.targets_version = 2;
    ask_for(&t, ROOT | TARGETS);
    grant(&t);
    ask_for(&t, ROOT | TARGETS);
    must_grant(&t.r);
    assert_int_equal(t.r.answer.file_count, 0);
    trust_rig_drop(&t);
}

TEST(versions_begin_anew_where_agents_forget_them_and_only_there)
{
    static const struct restart {
        const char *roles[2];
        int64_t timestamp, snapshot;
    } restarts[] = {
        {{"timestamp", "snapshot"}, 1, 1},
        {{"timestamp", NULL},
         1,
         3}, /* the snapshot's version stands in snapshots that still verify */
        {{"snapshot", NULL}, 3, 3}, /* the timestamps that name it still verify */
    };
    for (size_t i = 0; i < RW_LEN(restarts); i++) {
        struct trust_rig t = trust_rig_make();
        t.plan.root_version = 2;
        ask_for(&t, ROOT); /* brings timestamp and snapshot to version 2 */
        grant(&t);
        take_published(&t);
        t.plan.root_version = 3;
        for (size_t k = 0; k < 2 && restarts[i].roles[k] != NULL; k++) {
            char file[64];
            (void)snprintf(file, sizeof(file), "%s.next.key", restarts[i].roles[k]);
            new_key(&t, restarts[i].roles[k], file);
        }
        ask_for(&t, ROOT);
        grant(&t);
        assert_int_equal(version_of(&t, "timestamp"), restarts[i].timestamp);
        assert_int_equal(version_of(&t, "snapshot"), restarts[i].snapshot);
        trust_rig_drop(&t);
    }
}

TEST(a_key_that_waits_signs_once_it_is_named_and_takes_its_place)
{
    struct trust_rig t = trust_rig_make();
    char next[256];
    (void)snprintf(next, sizeof(next), "%s/signer/timestamp.next.key", t.r.d.path);
    t.plan.root_version = 2;
    new_key(&t, "timestamp", "timestamp.next.key");
    renew(&t.r); /* before the ceremony it changes nothing */
    must_grant(&t.r);
    assert_int_equal(access(next, F_OK), 0);
    ask_for(&t, ROOT);
    grant(&t);
    assert_int_equal(access(next, F_OK), 0); /* until the change is public it may be needed again */
    renew(&t.r);
    must_grant(&t.r);
    assert_int_equal(access(next, F_OK), -1);
    point(&t.r, "canary", 0, false);
    must_grant(&t.r);
    trust_rig_drop(&t);
}

TEST(a_root_that_names_a_key_which_is_not_here_is_refused)
{
    struct trust_rig t = trust_rig_make();
    t.plan.root_version = 2;
    new_key(&t, "snapshot", "elsewhere.key");
    ask_for(&t, ROOT);
    must_refuse(&t.r, "key");
    assert_int_equal(version_of(&t, "root"), 1);
    trust_rig_drop(&t);
}

TEST(targets_follow_by_their_threshold_and_keep_every_role)
{
    struct trust_rig t = trust_rig_make();
    t.plan.targets_version = 3;
    ask_for(&t, TARGETS);
    must_refuse(&t.r, "version");
    t.plan.targets_version = 2;
    ask_by(&t, TARGETS, NULL, &t.root);
    must_refuse(&t.r, "threshold");
    t.plan.targets_expires.s = t.plan.root_expires.s + 1;
    ask_for(&t, TARGETS);
    must_refuse(&t.r, "targets"); /* they would outlive root */
    t.plan.targets_expires.s = dev_dir_now().s - 1;
    ask_for(&t, TARGETS);
    must_refuse(&t.r, "expired");
    t.plan.targets_expires.s = dev_dir_now().s + DAY_S;
    struct tuf_sigset_authority *ring = cmd_trust_plan_find(&t.plan, "ring-broad");
    tuf_sigset_authority_drop(ring);
    *ring = t.plan.delegated[--t.plan.delegated_count];
    ask_for(&t, TARGETS);
    must_refuse(&t.r, "dropped");
    trust_rig_drop(&t);
}

TEST(a_new_targets_key_needs_the_targets_that_it_signs)
{
    struct trust_rig t = trust_rig_make();
    struct rw_err err = {0};
    char path[256];
    t.plan.root_version = t.plan.targets_version = 2;
    new_key(&t, "targets", "../people.key");
    (void)snprintf(path, sizeof(path), "%s/people.key", t.r.d.path);
    RW_AUTO(key) struct key people = {.scheme = KEY_UNKNOWN};
    MUST(key_load_private(path, NULL, &people, &err));
    ask_for(&t, ROOT);
    must_refuse(&t.r, "targets");
    ask_by(&t, ROOT | TARGETS, &t.root, &t.targets);
    must_refuse(&t.r, "threshold");
    ask_by(&t, ROOT | TARGETS, &t.root, &people);
    grant(&t);
    assert_int_equal(version_of(&t, "targets"), 2);
    trust_rig_drop(&t);
}

TEST(engineers_that_changed_must_sign_their_family_anew)
{
    struct trust_rig t = trust_rig_make();
    struct tuf_sigset_authority *a = cmd_trust_plan_find(&t.plan, "content-yara");
    struct rw_err err = {0};
    char path[256];
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(KEY_PUBLIC_BYTES_MAX);
    MUST(key_generate(KEY_ECDSA_P256, &k, &err));
    MUST(key_public_write(&k, &text, &err));
    (void)snprintf(path, sizeof(path), "%s/carol.pub", t.r.d.path);
    MUST(rw_file_replace(path, 0644, rw_buf_span(&text), &err));
    key_drop(&a->keys[1]);
    a->count = 1;
    MUST(cmd_trust_plan_add_key(a, path, &err));
    t.plan.targets_version = 2;
    ask_for(&t, TARGETS);
    must_refuse(&t.r, "content");
    trust_rig_drop(&t);
}

/* Restored from a backup: signer and agents have seen later versions. Only a root that takes the power from both keys
 * behind those may be built on it. */
TEST(a_repository_that_went_back_wants_timestamp_and_snapshot_keys_new)
{
    struct trust_rig t = trust_rig_make();
    struct rw_err err = {0};
    char path[256];
    RW_AUTO(rw_buf) struct rw_buf backup = rw_buf_make(1 << 16);
    (void)snprintf(path, sizeof(path), "%s/repo/metadata/timestamp.json", t.r.d.path);
    MUST(rw_file_read(path, 1 << 16, &backup, &err));
    t.plan.root_version = 2;
    ask_for(&t, ROOT); /* brings timestamp and snapshot to version 2 */
    grant(&t);
    take_published(&t);
    renew(&t.r); /* nothing to do, but the signer has seen them now */
    must_grant(&t.r);
    MUST(rw_file_replace(path, 0644, rw_buf_span(&backup), &err));
    t.plan.root_version = 3;
    new_key(&t, "timestamp", "timestamp.next.key");
    ask_for(&t, ROOT);
    must_refuse(&t.r, "root");
    new_key(&t, "snapshot", "snapshot.next.key");
    ask_for(&t, ROOT);
    grant(&t);
    assert_int_equal(version_of(&t, "timestamp"), 1);
    assert_int_equal(version_of(&t, "snapshot"), 1);
    trust_rig_drop(&t);
}

TEST(a_ring_whose_key_changed_is_signed_anew_one_version_up)
{
    struct trust_rig t = trust_rig_make();
    t.plan.targets_version = 2;
    new_key(&t, "ring-canary", "ring-canary.next.key");
    ask_for(&t, TARGETS);
    grant(&t);
    assert_int_equal(t.r.answer.file_count, 4);
    assert_string_equal(t.r.answer.files[1].name, "2.ring-canary.json");
    (void)agent_sees(&t.r, "canary", NULL);
    trust_rig_drop(&t);
}

TEST(a_frame_with_too_much_in_it_is_no_request)
{
    struct rw_err err = {0};
    struct signer_request q = {.type = SIGNER_TRUST, .content_count = SIGNER_CONTENTS_MAX};
    struct signer_request read;
    for (size_t i = 0; i < SIGNER_CONTENTS_MAX; i++) {
        (void)snprintf(q.contents[i].family, SIGNER_NAME_BYTES, "f%zu", i);
        q.contents[i].envelope = rw_span_str("{}");
    }
    struct frame_writer w = {.buf = rw_buf_make(1)};
    MUST(signer_request_write(&q, &w, &err));
    struct frame_reader frame = {
        .type = SIGNER_TRUST,
        .rest = rw_span_of(w.buf.p + FRAME_HEADER_BYTES, w.buf.n - FRAME_HEADER_BYTES)};
    struct frame_reader again = frame;
    MUST(signer_request_read(&frame, &read, &err));
    assert_int_equal(read.content_count, SIGNER_CONTENTS_MAX);
    assert_string_equal(read.contents[7].family, "f7");
    w.buf.p[FRAME_HEADER_BYTES + 8]++; /* one content role more than there are places */
    MUST_FAIL(signer_request_read(&again, &read, &err), RW_E_PROTOCOL);
    frame_writer_drop(&w);
}

RUN_TESTS(cmocka_unit_test(a_root_follows_exactly_one_version_up_and_by_its_threshold),
          cmocka_unit_test(a_new_root_key_needs_the_old_one_too),
          cmocka_unit_test(what_is_published_already_needs_no_new_signature),
          cmocka_unit_test(versions_begin_anew_where_agents_forget_them_and_only_there),
          cmocka_unit_test(a_key_that_waits_signs_once_it_is_named_and_takes_its_place),
          cmocka_unit_test(a_root_that_names_a_key_which_is_not_here_is_refused),
          cmocka_unit_test(targets_follow_by_their_threshold_and_keep_every_role),
          cmocka_unit_test(a_new_targets_key_needs_the_targets_that_it_signs),
          cmocka_unit_test(engineers_that_changed_must_sign_their_family_anew),
          cmocka_unit_test(a_repository_that_went_back_wants_timestamp_and_snapshot_keys_new),
          cmocka_unit_test(a_ring_whose_key_changed_is_signed_anew_one_version_up),
          cmocka_unit_test(a_frame_with_too_much_in_it_is_no_request))
