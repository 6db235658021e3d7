/* Goal: an order comes into force by the last signature that is needed and not before, with its audit record, through
 * the real signer; what no longer fits is made anew; a crash between repository and store is only recorded. */
#include "server/release/release_order.h"
#include "server/release/release_repo.h"
#include "server/report/audit_log.h"
#include "server/server_init.h"
#include "tests/harness.h"
#include "tests/release_rig.h"

static struct release_order_id id_of(enum release_order_kind kind, int64_t number)
{
    return (struct release_order_id){.kind = kind, .release = {.family = "yara", .number = number}};
}

static struct rw_rc ask_for(struct rig *r, const char *body, struct rw_err *err)
{
    return release_order_ask(domain(r), "erin", rw_span_str(body), &r->out, err);
}

static struct rw_rc order_sign(struct rig *r, const struct release_order_id *id,
                               const char *key_file, bool *done, struct rw_err *outer)
{
    struct rw_err err = {0};
    char sig[2 * SIG_BYTES_MAX + 1];
    char body[4096];
    struct key k = dev_dir_key(&r->d, key_file);
    RW_AUTO(rw_buf) struct rw_buf doc = rw_buf_make(OUT_BYTES_MAX);
    *done = false;
    MUST(release_order_tosign(domain(r), id, &doc, &err));
    MUST(tuf_write_sign(rw_buf_span(&doc), &k, sig, &err));
    (void)snprintf(body, sizeof(body), "{\"keyid\":\"%s\",\"sig\":\"%s\"}", k.id, sig);
    key_drop(&k);
    return release_order_sign(domain(r), id, "erin", rw_span_str(body), &r->out, done, outer);
}

static void published(struct rig *r, const char *text)
{
    struct rw_err err = {0};
    const struct wish wish = {.class_name = "data", .text = text};
    struct release_id id = checked_release(r, &wish);
    approve(r, &id);
    MUST(publish(r, &id, "alice", &err));
}

static void both(struct rig *r, const struct release_order_id *id, const char *one, const char *two)
{
    struct rw_err err = {0};
    bool done = true;
    MUST(order_sign(r, id, one, &done, &err));
    assert_false(done);
    MUST(order_sign(r, id, two, &done, &err));
    assert_true(done);
}

#define WITHDRAW "{\"kind\":\"withdraw\",\"family\":\"yara\",\"release\":1,\"reason\":\"harms\"}"
#define RENEW    "{\"kind\":\"renew\",\"family\":\"yara\",\"floor\":0,\"reason\":\"\"}"
#define EXPEDITE                                                                                   \
    "{\"kind\":\"expedite\",\"family\":\"yara\",\"release\":1,\"reason\":\"urgent\","              \
    "\"rings\":[\"broad\"],\"for_s\":3600}"

static const struct request_case {
    const char *id, *body;
    enum rw_code want;
    const char *names;
} requests[] = {
    {"no kind", "{\"family\":\"yara\",\"reason\":\"x\"}", RW_E_SCHEMA, "kind"},
    {"another kind", "{\"kind\":\"x\",\"family\":\"yara\",\"reason\":\"x\"}", RW_E_SCHEMA, "kind"},
    {"withdraw without reason",
     "{\"kind\":\"withdraw\",\"family\":\"yara\",\"release\":1,\"reason\":\"\"}", RW_E_SCHEMA,
     "reason"},
    {"withdraw release 0",
     "{\"kind\":\"withdraw\",\"family\":\"yara\",\"release\":0,\"reason\":\"x\"}", RW_E_RANGE,
     "release"},
    {"withdraw with rings",
     "{\"kind\":\"withdraw\",\"family\":\"yara\",\"release\":1,\"reason\":\"x\",\"rings\":[]}",
     RW_E_SCHEMA, "rings"},
    {"withdraw what is not there",
     "{\"kind\":\"withdraw\",\"family\":\"yara\",\"release\":9,\"reason\":\"x\"}", RW_E_NOT_FOUND,
     "yara/9"},
    {"a family of no name", "{\"kind\":\"renew\",\"family\":\"../x\",\"floor\":0,\"reason\":\"\"}",
     RW_E_SCHEMA, "family"},
    {"a family that is not delegated",
     "{\"kind\":\"renew\",\"family\":\"ids\",\"floor\":0,\"reason\":\"\"}", RW_E_TUF_ROLE, "ids"},
    {"a floor without reason",
     "{\"kind\":\"renew\",\"family\":\"yara\",\"floor\":2,\"reason\":\"\"}", RW_E_SCHEMA, "reason"},
    {"renew with a release",
     "{\"kind\":\"renew\",\"family\":\"yara\",\"floor\":0,\"reason\":\"\",\"release\":1}",
     RW_E_SCHEMA, "release"},
    {"expedite no ring",
     "{\"kind\":\"expedite\",\"family\":\"yara\",\"release\":1,\"reason\":\"x\",\"rings\":[],"
     "\"for_s\":1}",
     RW_E_RANGE, "rings"},
    {"expedite an unknown ring",
     "{\"kind\":\"expedite\",\"family\":\"yara\",\"release\":1,\"reason\":\"x\",\"rings\":[\"no\"],"
     "\"for_s\":1}",
     RW_E_NOT_FOUND, "ring 'no'"},
    {"expedite for no time",
     "{\"kind\":\"expedite\",\"family\":\"yara\",\"release\":1,\"reason\":\"x\",\"rings\":"
     "[\"broad\"],\"for_s\":0}",
     RW_E_RANGE, "for_s"},
    {"expedite longer than the policy allows",
     "{\"kind\":\"expedite\",\"family\":\"yara\",\"release\":1,\"reason\":\"x\",\"rings\":"
     "[\"broad\"],\"for_s\":86401}",
     RW_E_POLICY, "1d at most"},
};

static RW_RC no_reading(void *ctx, const struct store_docs *which,
                        RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err),
                        void *arg, struct rw_err *err)
{
    (void)ctx;
    (void)which;
    (void)each;
    (void)arg;
    return rw_fail(err, RW_E_IO, "read again");
}

static int64_t three(const void *ctx, const char *family, int64_t release)
{
    (void)ctx;
    return strcmp(family, "yara") == 0 && release == 1 ? 3 : 0;
}

/* Twice: the second time nobody reads the store. */
static void expect_told(struct rig *r, int64_t later_s, const char *want)
{
    struct rw_err err;
    const struct store_backend *whole = r->store.backend;
    struct store_backend blind = *whole;
    blind.doc_each = no_reading;
    for (int again = 0; again < 2; again++) {
        RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(OUT_BYTES_MAX);
        struct json_writer w = json_begin(&out);
        const struct rw_wall now = {dev_dir_now().s + later_s};
        json_open_array(&w, NULL);
        MUST(release_order_write_alarms(domain(r), now, three, NULL, &w, &err));
        json_close_array(&w);
        MUST(json_done(&w, &err));
        if (want == NULL) {
            assert_string_equal(rw_buf_str(&out), "[]");
        } else {
            assert_non_null(strstr(rw_buf_str(&out), want));
        }
        r->store.backend = &blind;
    }
    r->store.backend = whole;
}

TEST(what_cannot_be_is_refused_when_it_is_asked_for)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    published(&r, payload);
    for (size_t i = 0; i < RW_LEN(requests); i++) {
        print_message("           case %s\n", requests[i].id);
        MUST_FAIL(ask_for(&r, requests[i].body, &err), requests[i].want);
        if (strstr(err.text, requests[i].names) == NULL) {
            fail_msg("'%s' lacks '%s'", err.text, requests[i].names);
        }
    }
}

/* How many records of the audit log hold this text. */
static int in_log(struct rig *r, const char *text)
{
    struct rw_err err;
    int found = 0;
    RW_AUTO(rw_buf) struct rw_buf page = rw_buf_make(1 << 20);
    struct json_writer w = json_begin(&page);
    MUST(audit_log_write_page(&r->store, 0, 1000, &w, &err));
    MUST(json_done(&w, &err));
    for (const char *at = strstr(rw_buf_str(&page), text); at != NULL; at = strstr(at + 1, text)) {
        found++;
    }
    return found;
}

static size_t list(struct rig *r, const char *after, int64_t limit, const char *want)
{
    struct rw_err err;
    struct store_page page = {.limit = limit};
    (void)snprintf(page.after, sizeof(page.after), "%s", after);
    rw_buf_clear(&r->out);
    MUST(release_order_list(domain(r), &page, &r->out, &err));
    const char *text = rw_buf_str(&r->out);
    if (strstr(text, want) == NULL) { fail_msg("'%s' lacks '%s'", text, want); }
    assert_int_equal(strstr(text, "\"next\"") != NULL, page.more);
    return (size_t)page.shown;
}

TEST(orders_are_listed_in_pages)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    char key[RELEASE_ORDER_KEY_BYTES];
    const struct release_order_id withdraw = id_of(RELEASE_ORDER_WITHDRAW, 1);
    published(&r, payload);
    MUST(ask_for(&r, WITHDRAW, &err));
    MUST(ask_for(&r, RENEW, &err));
    assert_int_equal(list(&r, "", 2, "\"withdraw\""), 2);
    assert_int_equal(list(&r, "", 1, "\"next\":\"renew/yara/0\""), 1);
    release_order_id_key(
        &(struct release_order_id){.kind = RELEASE_ORDER_RENEW, .release = {.family = "yara"}},
        key);
    assert_int_equal(list(&r, key, 1, "\"withdraw\""), 1);
    release_order_id_key(&withdraw, key);
    assert_int_equal(list(&r, key, 1, "\"orders\":[]"), 0);
}

TEST(a_withdrawal_takes_two_engineers_and_is_for_good)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    bool done = false;
    const struct release_id one = {.family = "yara", .number = 1};
    const struct release_order_id id = id_of(RELEASE_ORDER_WITHDRAW, 1);
    int64_t records = 0;
    published(&r, payload);
    MUST(release_signer_point(r.signer, "canary", "yara", 1, false, &err));
    MUST_FAIL(ask_for(&r, WITHDRAW, &err), RW_E_POLICY);
    assert_non_null(strstr(err.text, "canary"));
    MUST(release_signer_point(r.signer, "canary", "yara", 0, false, &err));
    MUST(ask_for(&r, WITHDRAW, &err));
    MUST_FAIL(order_sign(&r, &id, "officers/carol.key", &done, &err), RW_E_TUF_ROLE);
    assert_string_equal(state_of(&r, &one), "published");
    expect_told(&r, 0, "order to withdraw yara/1 waits for signatures: 0 of 2");
    both(&r, &id, "engineers/alice.key", "engineers/bob.key");
    assert_string_equal(state_of(&r, &one), "withdrawn");
    expect_told(&r, 0, "[\"3 endpoints still have yara/1, which was withdrawn\"]");
    MUST_FAIL(ask_for(&r, WITHDRAW, &err), RW_E_POLICY);
    MUST_FAIL(release_signer_point(r.signer, "canary", "yara", 1, false, &err), RW_E_TRUST_RULE);
    MUST(audit_log_verify(&r.store, &records, &err));
    /* INV-9: every step of the order, and what it did to the release. */
    assert_int_equal(in_log(&r, "\"action\":\"order.ask\""), 1);
    assert_int_equal(in_log(&r, "\"action\":\"order.sign\""), 2);
    assert_int_equal(in_log(&r, "\"object\":\"withdraw/yara/1\""), 4);
    assert_int_equal(in_log(&r, "\"action\":\"release.withdraw\""), 1);
}

TEST(a_ring_that_moves_there_meanwhile_stops_the_last_signature)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    bool done = false;
    const struct release_id one = {.family = "yara", .number = 1};
    const struct release_order_id id = id_of(RELEASE_ORDER_WITHDRAW, 1);
    published(&r, payload);
    MUST(ask_for(&r, WITHDRAW, &err));
    MUST(order_sign(&r, &id, "engineers/alice.key", &done, &err));
    MUST(release_signer_point(r.signer, "canary", "yara", 1, false, &err));
    MUST_FAIL(order_sign(&r, &id, "engineers/bob.key", &done, &err), RW_E_TRUST_RULE);
    assert_string_equal(state_of(&r, &one), "published");
    MUST(release_signer_point(r.signer, "canary", "yara", 0, false, &err));
    MUST(order_sign(&r, &id, "engineers/bob.key", &done, &err)); /* the same again */
    assert_true(done);
    assert_string_equal(state_of(&r, &one), "withdrawn");
}

static int64_t version_of(struct rig *r, bool expedite)
{
    struct rw_err err = {0};
    struct release_repo repo;
    MUST(release_repo_read(r->d.repo, "yara", &repo, &err));
    int64_t version = expedite ? repo.expedite.version : repo.content.version;
    release_repo_drop(&repo);
    return version;
}

TEST(a_renewal_may_be_asked_for_every_week)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    const struct release_order_id id = id_of(RELEASE_ORDER_RENEW, 0);
    published(&r, payload);
    for (int64_t week = 0; week < 3; week++) {
        MUST(ask_for(&r, RENEW, &err));
        both(&r, &id, "engineers/bob.key", "engineers/alice.key");
        assert_int_equal(version_of(&r, false), 3 + week);
        MUST_FAIL(release_order_tosign(domain(&r), &id, &r.out, &err), RW_E_POLICY);
    }
}

TEST(asking_the_same_again_keeps_the_signatures_and_asking_something_else_does_not)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    bool done = false;
    const struct release_order_id id = id_of(RELEASE_ORDER_EXPEDITE, 1);
    published(&r, payload);
    MUST(ask_for(&r, EXPEDITE, &err));
    MUST(order_sign(&r, &id, "officers/carol.key", &done, &err));
    MUST(ask_for(&r, EXPEDITE, &err));
    parse_answer(&r);
    assert_int_equal(json_count(json_find(r.answer, "signatures")), 1);
    MUST(ask_for(&r,
                 "{\"kind\":\"expedite\",\"family\":\"yara\",\"release\":1,\"reason\":\"urgent\","
                 "\"rings\":[\"broad\",\"canary\"],\"for_s\":3600}",
                 &err));
    parse_answer(&r);
    assert_int_equal(json_count(json_find(r.answer, "signatures")), 0);
}

TEST(an_expedite_takes_two_officers)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    bool done = false;
    const struct release_order_id id = id_of(RELEASE_ORDER_EXPEDITE, 1);
    published(&r, payload);
    expect_told(&r, 0, NULL);
    MUST(ask_for(&r, EXPEDITE, &err));
    expect_told(&r, 0, "order to expedite yara/1 waits for signatures: 0 of 2");
    MUST_FAIL(order_sign(&r, &id, "engineers/alice.key", &done, &err), RW_E_TUF_ROLE);
    assert_int_equal(version_of(&r, true), 0);
    both(&r, &id, "officers/carol.key", "officers/dave.key");
    assert_int_equal(version_of(&r, true), 1);
    expect_told(&r, 0, "yara/1 is EXPEDITED in broad");
    expect_told(&r, 0, "urgent");
    expect_told(&r, 365 * 86400, NULL);
}

/* The new role is published, the store does not know: what is in force is only recorded, whatever is sent. */
TEST(a_crash_before_the_record_is_made_good)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct rw_err err = {0};
    bool done = false;
    const struct release_order_id id = id_of(RELEASE_ORDER_EXPEDITE, 1);
    char path[512];
    published(&r, payload);
    MUST(ask_for(&r, EXPEDITE, &err));
    MUST(order_sign(&r, &id, "officers/carol.key", &done, &err));
    (void)snprintf(path, sizeof(path), "%s/store/ringward.db", r.d.path);
    store_close(&r.store);
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make((size_t)16 << 20);
    MUST(rw_file_read(path, (size_t)16 << 20, &bytes, &err));
    MUST(store_sqlite_open(path, &r.store, &err));
    MUST(order_sign(&r, &id, "officers/dave.key", &done, &err));
    assert_true(done);
    store_close(&r.store);
    MUST(rw_file_replace(path, 0600, rw_buf_span(&bytes), &err)); /* as if power had failed */
    MUST(store_sqlite_open(path, &r.store, &err));
    /* The document at hand is the one that is in force: it is not made anew, whoever asks next. */
    MUST_FAIL(release_order_tosign(domain(&r), &id, &r.out, &err), RW_E_POLICY);
    assert_non_null(strstr(err.text, "in force"));
    MUST(release_order_show(domain(&r), &id, &r.out, &err));
    assert_non_null(strstr(rw_buf_str(&r.out), "\"state\":\"done\""));
    assert_int_equal(version_of(&r, true), 1);
}

static const struct path_case {
    const char *id, *kind, *family, *number;
    bool ok;
} paths[] = {
    {"a withdrawal", "withdraw", "yara", "1", true},
    {"a renewal", "renew", "yara", "0", true},
    {"a renewal of a number", "renew", "yara", "1", false},
    {"a withdrawal of nothing", "withdraw", "yara", "0", false},
    {"another kind", "drop", "yara", "1", false},
    {"a family of no name", "expedite", "..", "1", false},
    {"no number", "expedite", "yara", "one", false},
};

TEST_EACH(an_order_has_one_name, paths)
{
    struct rw_err err = {0};
    struct release_order_id id;
    MUST_FAIL(release_order_id_parse(rw_span_str(it->kind), rw_span_str(it->family),
                                     rw_span_str(it->number), &id, &err),
              it->ok ? RW_E_NONE : RW_E_NOT_FOUND);
}

RUN_TESTS(
    cmocka_unit_test(what_cannot_be_is_refused_when_it_is_asked_for),
    cmocka_unit_test(orders_are_listed_in_pages),
    cmocka_unit_test(a_withdrawal_takes_two_engineers_and_is_for_good),
    cmocka_unit_test(a_ring_that_moves_there_meanwhile_stops_the_last_signature),
    cmocka_unit_test(a_renewal_may_be_asked_for_every_week),
    cmocka_unit_test(asking_the_same_again_keeps_the_signatures_and_asking_something_else_does_not),
    cmocka_unit_test(an_expedite_takes_two_officers),
    cmocka_unit_test(a_crash_before_the_record_is_made_good),
    cmocka_unit_test(an_order_has_one_name))
