/* Goal: trust that nobody could keep, or that gives an online key a vote on what is installed (INV-7), is refused
 * before it is signed and again before it is published. */
#include "common/policy/trust_check.h"
#include "common/tuf/tuf_make.h"
#include "common/tuf/tuf_write.h"
#include "tests/harness.h"

enum { NOW_S = 1800000000, DAY_S = 86400, KEYS = 10 };

static const char policy_text[] =
    "{\"format\":1,\"rings\":[{\"name\":\"one\",\"share\":\"1%\"},{\"name\":\"two\",\"share\":"
    "\"rest\"}],"
    "\"classes\":{\"data\":{}},"
    "\"window\":{\"confirm\":{\"start\":16,\"deadline\":\"15m\",\"probation\":\"10m\"}}}";

/* Keys by number; a role is a list of them. */
struct role {
    const char *name;
    int64_t threshold;
    int keys[4]; /* from 1; 0: end */
    const char *path;
    bool open; /* not terminating */
};

struct plan {
    struct role top[4];
    struct role below[5];
    int64_t root_days, targets_days;
};

/* What everything else is a change of: 1 root, 2 targets, 3 snapshot, 4 timestamp, 5 to 7 engineers, 8 and 9 rings. */
static struct plan good(void)
{
    return (struct plan){
        .top = {{.name = "root", .threshold = 1, .keys = {1}},
                {.name = "targets", .threshold = 1, .keys = {2}},
                {.name = "snapshot", .threshold = 1, .keys = {3}},
                {.name = "timestamp", .threshold = 1, .keys = {4}}},
        .below =
            {{.name = "content-yara", .threshold = 2, .keys = {5, 6, 7}, .path = "content/yara/*"},
             {.name = "ring-one", .threshold = 1, .keys = {8}, .path = "rings/one/*"},
             {.name = "ring-two", .threshold = 1, .keys = {9}, .path = "rings/two/*"}},
        .root_days = 365,
        .targets_days = 180};
}

static struct key keys[KEYS + 1];
/* Key 10 once more under a second id: a member that decides nothing changes the id. */
enum { ALIAS = KEYS + 1 };
static char alias_text[1024];
static char alias_id[DIGEST_HEX_BYTES];

static void make_alias(void)
{
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(KEY_FILE_BYTES_MAX);
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(key) struct key again = {.scheme = KEY_UNKNOWN};
    RW_ASSERT(rw_is_ok(key_write_public(&keys[KEYS], &text, &err)));
    (void)snprintf(alias_text, sizeof(alias_text), "{\"note\":1,%s", rw_buf_str(&text) + 1);
    RW_ASSERT(rw_is_ok(json_parse(rw_span_str(alias_text), &json_limits_small, &tree, &err)));
    RW_ASSERT(rw_is_ok(key_read_public(tree, &again, &err)));
    (void)snprintf(alias_id, sizeof(alias_id), "%s", again.id);
}

static void put_keys(struct json_writer *w)
{
    struct rw_err err = {0};
    json_open_object(w, "keys");
    for (int i = 1; i <= KEYS; i++) {
        RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(KEY_FILE_BYTES_MAX);
        MUST(key_write_public(&keys[i], &text, &err));
        json_put_raw(w, keys[i].id, rw_buf_span(&text));
    }
    json_put_raw(w, alias_id, rw_span_str(alias_text));
    json_close_object(w);
}

static void put_role(struct json_writer *w, const struct role *r)
{
    json_open_array(w, "keyids");
    for (size_t i = 0; i < 4 && r->keys[i] > 0; i++) {
        json_put_str(w, NULL, r->keys[i] == ALIAS ? alias_id : keys[r->keys[i]].id);
    }
    json_close_array(w);
    json_put_int(w, "threshold", r->threshold);
}

static struct tuf_doc finish(struct json_writer *w, const struct rw_buf *text, const char *type)
{
    struct rw_err err = {0};
    struct tuf_doc doc = {0};
    RW_AUTO(rw_buf) struct rw_buf envelope = rw_buf_make(1 << 20);
    json_close_object(w);
    MUST(json_done(w, &err));
    MUST(tuf_write_envelope_of(rw_buf_span(text), NULL, 0, &envelope, &err));
    MUST(tuf_doc_parse(rw_buf_span(&envelope), type, &doc, &err));
    return doc;
}

static struct tuf_doc root_of(const struct plan *p)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 20);
    struct json_writer w = json_begin(&text);
    tuf_make_open(&w, "root", 1, (struct tuf_make_life){.expires = {NOW_S + p->root_days * DAY_S}});
    json_put_bool(&w, "consistent_snapshot", true);
    put_keys(&w);
    json_open_object(&w, "roles");
    for (size_t i = 0; i < 4; i++) {
        json_open_object(&w, p->top[i].name);
        put_role(&w, &p->top[i]);
        json_close_object(&w);
    }
    json_close_object(&w);
    return finish(&w, &text, "root");
}

static struct tuf_doc targets_of(const struct plan *p)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 20);
    struct json_writer w = json_begin(&text);
    tuf_make_open(&w, "targets", 1,
                  (struct tuf_make_life){.expires = {NOW_S + p->targets_days * DAY_S}});
    json_open_object(&w, "delegations");
    put_keys(&w);
    json_open_array(&w, "roles");
    for (size_t i = 0; i < 5 && p->below[i].name != NULL; i++) {
        json_open_object(&w, NULL);
        put_role(&w, &p->below[i]);
        json_put_str(&w, "name", p->below[i].name);
        json_open_array(&w, "paths");
        json_put_str(&w, NULL, p->below[i].path);
        json_close_array(&w);
        json_put_bool(&w, "terminating", !p->below[i].open);
        json_close_object(&w);
    }
    json_close_array(&w);
    json_close_object(&w);
    json_open_object(&w, "targets");
    json_close_object(&w);
    return finish(&w, &text, "targets");
}

/* --- changes --- */
static void threshold_above_keys(struct plan *p)
{
    p->top[0].threshold = 2;
}
static void one_key_named_twice(struct plan *p)
{
    p->top[1] = (struct role){.name = "targets", .threshold = 2, .keys = {2, 2}};
}
static void one_key_under_two_ids(struct plan *p)
{
    p->top[1] = (struct role){.name = "targets", .threshold = 2, .keys = {KEYS, ALIAS}};
}
static void timestamp_key_is_snapshots(struct plan *p)
{
    p->top[3].keys[0] = 3;
}
static void timestamp_key_votes_in_root(struct plan *p)
{
    p->top[0].keys[1] = 4;
}
static void snapshot_key_votes_in_targets(struct plan *p)
{
    p->top[1].keys[1] = 3;
}
static void one_engineer_is_enough(struct plan *p)
{
    p->below[0].threshold = 1;
}
static void ring_key_votes_in_content(struct plan *p)
{
    p->below[0].keys[3] = 8;
}
static void timestamp_key_votes_in_content(struct plan *p)
{
    p->below[0].keys[3] = 4;
}
static void rings_share_a_key(struct plan *p)
{
    p->below[2].keys[0] = 8;
}
static void ring_key_votes_in_targets(struct plan *p)
{
    p->top[1].keys[1] = 9;
}
static void ring_key_votes_in_root(struct plan *p)
{
    p->top[0].keys[1] = 9;
}
static void ring_of_two_signatures(struct plan *p)
{
    p->below[1] =
        (struct role){.name = "ring-one", .threshold = 2, .keys = {8, 10}, .path = "rings/one/*"};
}
static void a_ring_without_a_role(struct plan *p)
{
    p->below[2].name = NULL;
}
static void a_wide_path(struct plan *p)
{
    p->below[1].path = "*";
}
static void a_path_of_another(struct plan *p)
{
    p->below[1].path = "content/yara/*";
}
static void a_role_that_goes_on(struct plan *p)
{
    p->below[0].open = true;
}
static void a_foreign_role(struct plan *p)
{
    p->below[3] =
        (struct role){.name = "mirror", .threshold = 2, .keys = {5, 6}, .path = "mirror/*"};
}
static void a_name_that_proxies_change(struct plan *p)
{
    p->below[0].name = "content-YARA";
}
static const struct role officers = {
    .name = "expedite", .threshold = 2, .keys = {1, 2}, .path = "expedite/*/*"};

static void one_officer_is_enough(struct plan *p)
{
    p->below[3] = officers;
    p->below[3].threshold = 1;
}
static void an_engineer_expedites(struct plan *p)
{
    p->below[3] = officers;
    p->below[3].keys[2] = 7;
}
static void a_ring_key_expedites(struct plan *p)
{
    p->below[3] = officers;
    p->below[3].keys[2] = 8;
}
static void snapshot_key_expedites(struct plan *p)
{
    p->below[3] = officers;
    p->below[3].keys[2] = 3;
}
static void expedite_with_a_wide_path(struct plan *p)
{
    p->below[3] = officers;
    p->below[3].path = "*/*/*";
}
static void expedite_that_goes_on(struct plan *p)
{
    p->below[3] = officers;
    p->below[3].open = true;
}
static void targets_after_root(struct plan *p)
{
    p->targets_days = p->root_days + 1;
}

static const struct change {
    const char *id;
    void (*apply)(struct plan *p);
    const char *says;
} changes[] = {
    {"more signatures than keys", threshold_above_keys, "nobody could sign"},
    {"one key under one id twice", one_key_named_twice, "nobody could sign"},
    {"one key under two ids", one_key_under_two_ids, "nobody could sign"},
    {"timestamp and snapshot share a key", timestamp_key_is_snapshots, "share a key"},
    {"INV-7: timestamp's key votes in root", timestamp_key_votes_in_root, "share a key"},
    {"INV-7: snapshot's key votes in targets", snapshot_key_votes_in_targets, "share a key"},
    {"one engineer is enough", one_engineer_is_enough, "at least 2"},
    {"INV-7: a ring's key votes in content", ring_key_votes_in_content, "share a key"},
    {"INV-7: timestamp's key votes in content", timestamp_key_votes_in_content, "share a key"},
    {"two rings share a key", rings_share_a_key, "share a key"},
    {"INV-7: a ring's key votes in targets", ring_key_votes_in_targets, "share a key"},
    {"INV-7: a ring's key votes in root", ring_key_votes_in_root, "share a key"},
    {"a ring of two signatures", ring_of_two_signatures, "threshold 1"},
    {"a ring of the policy without a role", a_ring_without_a_role, "ring 'two'"},
    {"a path that covers everything", a_wide_path, "rings/one/*"},
    {"a path of another role", a_path_of_another, "rings/one/*"},
    {"a role that is not terminating", a_role_that_goes_on, "terminating"},
    {"a role of no kind", a_foreign_role, "'mirror'"},
    {"a name that proxies could change", a_name_that_proxies_change, "family"},
    {"one officer is enough to expedite", one_officer_is_enough, "at least 2"},
    {"an engineer who expedites", an_engineer_expedites, "does not expedite"},
    {"INV-7: a ring's key expedites", a_ring_key_expedites, "share a key"},
    {"INV-7: snapshot's key expedites", snapshot_key_expedites, "share a key"},
    {"an expedite that covers content", expedite_with_a_wide_path, "expedite/*/*"},
    {"an expedite that is not terminating", expedite_that_goes_on, "terminating"},
    {"targets that outlive root", targets_after_root, "after root"},
};

static struct rw_rc check(const struct plan *p, struct rw_err *err)
{
    struct ring_policy policy;
    RW_AUTO(tuf_doc) struct tuf_doc root = root_of(p);
    RW_AUTO(tuf_doc) struct tuf_doc targets = targets_of(p);
    RW_TRY(ring_policy_parse(rw_span_str(policy_text), &policy, err));
    RW_TRY(trust_check_root(&root, err));
    return trust_check_targets(&root, &targets, &policy, err);
}

TEST_EACH(one_fault_is_enough_to_refuse, changes)
{
    struct rw_err err = {0};
    struct plan p = good();
    MUST(check(&p, &err));
    it->apply(&p);
    struct rw_rc rc = check(&p, &err);
    assert_true(rc.code == RW_E_TRUST_RULE || rc.code == RW_E_SCHEMA);
    if (strstr(err.text, it->says) == NULL) { fail_msg("'%s' lacks '%s'", err.text, it->says); }
}

/* A root that comes alone, without targets that would be compared as well (INV-7). */
TEST(a_root_alone_with_an_online_vote_is_refused)
{
    struct rw_err err = {0};
    struct plan p = good();
    timestamp_key_votes_in_root(&p);
    RW_AUTO(tuf_doc) struct tuf_doc root = root_of(&p);
    MUST_FAIL(trust_check_root(&root, &err), RW_E_TRUST_RULE);
    assert_non_null(strstr(err.text, "share a key"));
}

TEST(duty_officers_of_their_own_are_fine)
{
    struct rw_err err = {0};
    struct plan p = good();
    p.below[3] = officers;
    MUST(check(&p, &err));
}

static struct rw_rc count(void *ctx, const char *rest, struct rw_err *err)
{
    (void)err;
    (void)rest;
    (*(int *)ctx)++;
    return RW_OK;
}

TEST(delegations_are_walked_by_the_beginning_of_their_names)
{
    struct rw_err err = {0};
    const struct plan p = good();
    RW_AUTO(tuf_doc) struct tuf_doc targets = targets_of(&p);
    int rings = 0;
    int all = 0;
    MUST(trust_check_each(&targets, "ring-", count, &rings, &err));
    MUST(trust_check_each(&targets, "", count, &all, &err));
    assert_int_equal(rings, 2);
    assert_int_equal(all, 3);
}

int main(void)
{
    struct rw_err err = {0};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_fault_is_enough_to_refuse),
        cmocka_unit_test(a_root_alone_with_an_online_vote_is_refused),
        cmocka_unit_test(duty_officers_of_their_own_are_fine),
        cmocka_unit_test(delegations_are_walked_by_the_beginning_of_their_names)};
    for (int i = 1; i <= KEYS; i++) {
        RW_ASSERT(rw_is_ok(key_generate(KEY_ED25519, &keys[i], &err)));
    }
    make_alias();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 1; i <= KEYS; i++) {
        key_drop(&keys[i]);
    }
    return failed;
}
