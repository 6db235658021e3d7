/* Goal: what is over for long leaves the store, each time with an audit record of the same transaction (INV-9); what is
 * in force, listed or not understood stays, and no number of a release is ever free again. */
#include "server/api/api_forget.h"
#include "server/api/api_token.h"
#include "server/release/release_codec.h"
#include "server/release/release_order_codec.h"
#include "server/report/audit_log.h"
#include "server/rollout/second.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

enum { DAY = 86400, DOC_BYTES = 64 * 1024 };

static const struct rw_wall then = {1790000000};
static const int64_t age_s = INT64_C(100) * DAY;

static bool nothing_listed(const void *ctx, const uint8_t sha256[static DIGEST_BYTES])
{
    (void)ctx;
    (void)sha256;
    return false;
}

static bool all_listed(const void *ctx, const uint8_t sha256[static DIGEST_BYTES])
{
    (void)ctx;
    (void)sha256;
    return true;
}

static struct api_forget_settings settings_of(struct store *store, int64_t days)
{
    return (struct api_forget_settings){.store = store,
                                        .limits = {.now_s = then.s + days * DAY, .age_s = age_s},
                                        .listed = nothing_listed};
}

static void open_store(struct store *store)
{
    struct rw_err err;
    MUST(store_sqlite_open(":memory:", store, &err));
}

static void close_store(struct store *store)
{
    struct rw_err err;
    int64_t records = 0;
    MUST(audit_log_verify(store, &records, &err));
    store_close(store);
}

static void put(struct store *store, const char *kind, const char *id, const struct rw_buf *body)
{
    struct rw_err err;
    struct store_doc doc = {.generation = 1, .body = rw_buf_span(body)};
    (void)snprintf(doc.id, sizeof(doc.id), "%s", id);
    MUST(store_begin(store, &err));
    MUST(store_doc_put(store, kind, &doc, &err));
    MUST(store_commit(store, &err));
}

static int64_t count(struct store *store, const char *kind)
{
    struct rw_err err;
    int64_t n = 0;
    MUST(store_doc_count(store, kind, &n, &err));
    return n;
}

static uint64_t forget(struct store *store, int64_t days, enum api_forget_kind kind)
{
    struct rw_err err;
    uint64_t done[API_FORGET_KINDS] = {0};
    const struct api_forget_settings s = settings_of(store, days);
    MUST(api_forget_run(&s, done, &err));
    return done[kind];
}

static int64_t records(struct store *store)
{
    struct rw_err err;
    struct store_audit_tip tip;
    MUST(store_audit_tip(store, &tip, &err));
    return tip.seq;
}

static void make_token(struct store *store, const char *name, bool once)
{
    struct rw_err err;
    char token[HTTP_TOKEN_BYTES];
    const struct api_token_request r = {.name = name,
                                        .tenant = "acme",
                                        .role = API_AUTH_ENROL,
                                        .by = "local uid 0",
                                        .once = once,
                                        .valid_s = DAY};
    MUST(api_token_make(store, &r, then, token, &err));
}

TEST(tokens_that_are_spent_or_revoked_go_and_others_stay)
{
    struct store store;
    struct rw_err err;
    size_t revoked = 0;
    open_store(&store);
    make_token(&store, "kept", false);
    make_token(&store, "gone", false);
    make_token(&store, "host1", true);
    MUST(api_token_revoke(&store, "gone", "ada", then, &revoked, &err));
    assert_int_equal(forget(&store, 99, API_FORGET_TOKEN), 0);
    int64_t before = records(&store);
    assert_int_equal(forget(&store, 100, API_FORGET_TOKEN), 1);
    assert_int_equal(records(&store), before + 1);
    assert_int_equal(forget(&store, 101, API_FORGET_TOKEN), 1);
    assert_int_equal(forget(&store, 5000, API_FORGET_TOKEN), 0);
    assert_int_equal(count(&store, "token"), 1);
    close_store(&store);
}

TEST(more_of_them_than_fit_into_one_pass_all_go)
{
    enum { MANY = 1300 };
    struct store store;
    open_store(&store);
    for (int i = 0; i < MANY; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "h%d", i);
        make_token(&store, name, true);
    }
    int64_t before = records(&store);
    assert_int_equal(forget(&store, 200, API_FORGET_TOKEN), MANY);
    assert_int_equal(count(&store, "token"), 0);
    assert_in_range(records(&store) - before, 5, 7); /* a record for some hundred of them */
    close_store(&store);
}

static void put_order(struct store *store, enum release_order_kind kind, int64_t until_days)
{
    struct rw_err err;
    RW_AUTO(release_order) struct release_order o = release_order_make();
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(DOC_BYTES);
    char key[RELEASE_ORDER_KEY_BYTES];
    o.id.kind = kind;
    (void)snprintf(o.id.release.family, sizeof(o.id.release.family), "yara");
    o.id.release.number = kind == RELEASE_ORDER_RENEW ? 0 : 7;
    o.state = RELEASE_ORDER_DONE;
    (void)snprintf(o.author, sizeof(o.author), "ada");
    (void)snprintf(o.reason, sizeof(o.reason), "because");
    o.created = o.done = o.made = then;
    if (kind == RELEASE_ORDER_EXPEDITE) {
        o.until.s = then.s + until_days * DAY;
        o.for_s = until_days * DAY;
        o.ring_count = 1;
        (void)snprintf(o.rings[0], sizeof(o.rings[0]), "broad");
    }
    MUST(rw_buf_append_str(&o.tosign, "{\"large\":true}", &err));
    MUST(release_order_write_stored(&o, &body, &err));
    release_order_id_key(&o.id, key);
    put(store, "order", key, &body);
}

TEST(an_expedite_goes_and_of_other_orders_the_signed_document)
{
    struct store store;
    struct rw_err err;
    int64_t generation = 0;
    open_store(&store);
    put_order(&store, RELEASE_ORDER_EXPEDITE, 1);
    put_order(&store, RELEASE_ORDER_WITHDRAW, 0);
    put_order(&store, RELEASE_ORDER_RENEW, 0);
    assert_int_equal(forget(&store, 99, API_FORGET_ORDER), 0);
    assert_int_equal(forget(&store, 100, API_FORGET_ORDER), 3);
    assert_int_equal(forget(&store, 200, API_FORGET_ORDER), 0);
    assert_int_equal(count(&store, "order"), 2);
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(DOC_BYTES);
    RW_AUTO(release_order) struct release_order o = release_order_make();
    MUST(store_doc_get(&store, "order", "withdraw/yara/0000000007", &body, &generation, &err));
    MUST(release_order_read_stored(rw_buf_span(&body), generation, &o, &err));
    assert_int_equal(generation, 2);
    assert_int_equal(o.state, RELEASE_ORDER_DONE);
    assert_int_equal(o.tosign.n, 0);
    close_store(&store);
}

TEST(an_expedite_in_force_stays_whatever_its_age)
{
    struct store store;
    open_store(&store);
    put_order(&store, RELEASE_ORDER_EXPEDITE, 300);
    assert_int_equal(forget(&store, 299, API_FORGET_ORDER), 0);
    assert_int_equal(forget(&store, 300, API_FORGET_ORDER), 1);
    close_store(&store);
}

TEST(requests_that_were_decided_or_lapsed_go)
{
    struct store store;
    struct rw_err err;
    open_store(&store);
    for (int64_t release = 1; release <= 2; release++) {
        struct second s = {.verb = SECOND_PERSON_PROMOTE,
                           .family = "yara",
                           .release = release,
                           .rollout_generation = 1,
                           .reason = "because",
                           .asked_by = "ada",
                           .asked = then,
                           .until = {then.s + DAY}};
        MUST(store_begin(&store, &err));
        MUST(second_ask(&store, &s, &err));
        if (release == 2) { MUST(second_decide(&store, &s, false, "bob", "no", then, &err)); }
        MUST(store_commit(&store, &err));
    }
    assert_int_equal(forget(&store, 100, API_FORGET_REQUEST), 1);
    assert_int_equal(forget(&store, 101, API_FORGET_REQUEST), 1);
    assert_int_equal(count(&store, "second"), 0);
    close_store(&store);
}

static void put_release(struct store *store, int64_t number, enum release_state state)
{
    struct rw_err err;
    RW_AUTO(release) struct release r = release_make();
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(DOC_BYTES);
    char key[RELEASE_KEY_BYTES];
    (void)snprintf(r.id.family, sizeof(r.id.family), "yara");
    r.id.number = number;
    r.state = (int)state;
    (void)snprintf(r.class_name, sizeof(r.class_name), "rules");
    (void)snprintf(r.notes, sizeof(r.notes), "a release");
    (void)snprintf(r.author, sizeof(r.author), "ada");
    r.created = then;
    r.payload = (struct release_file){.declared = true, .here = true, .bytes = 5};
    memset(r.payload.sha256, 'a', sizeof(r.payload.sha256) - 1);
    r.engine_max = 999999;
    r.platform_count = 1;
    (void)snprintf(r.platforms[0], sizeof(r.platforms[0]), "linux-x86_64");
    MUST(rw_buf_append_str(&r.check, "{\"verdict\":\"accepted\"}", &err));
    MUST(rw_buf_append_str(&r.tosign, "{\"large\":true}", &err));
    MUST(release_write_stored(&r, &body, &err));
    release_id_key(&r.id, key);
    put(store, "release", key, &body);
}

static void expect_release(struct store *store, int64_t number, enum release_state state,
                           bool trimmed)
{
    struct rw_err err;
    RW_AUTO(release) struct release r = release_make();
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(DOC_BYTES);
    char key[RELEASE_KEY_BYTES];
    int64_t generation = 0;
    const struct release_id id = {.family = "yara", .number = number};
    release_id_key(&id, key);
    MUST(store_doc_get(store, "release", key, &body, &generation, &err));
    MUST(release_read_stored(rw_buf_span(&body), generation, &r, &err));
    assert_int_equal(r.id.number, number);
    assert_int_equal(r.state, (int)state);
    assert_string_equal(r.notes, "a release");
    assert_int_equal(r.trimmed, trimmed);
    assert_int_equal(r.tosign.n == 0 && r.check.n == 0, trimmed);
}

TEST(of_an_old_release_the_bulk_goes_and_the_record_stays)
{
    static const enum release_state states[] = {RELEASE_PUBLISHED, RELEASE_WITHDRAWN,
                                                RELEASE_REFUSED, RELEASE_CHECKED, RELEASE_APPROVED};
    struct store store;
    open_store(&store);
    for (size_t i = 0; i < RW_LEN(states); i++) {
        put_release(&store, (int64_t)i + 1, states[i]);
    }
    assert_int_equal(forget(&store, 99, API_FORGET_RELEASE), 0);
    assert_int_equal(forget(&store, 100, API_FORGET_RELEASE), 3);
    assert_int_equal(forget(&store, 200, API_FORGET_RELEASE), 0);
    for (size_t i = 0; i < RW_LEN(states); i++) {
        expect_release(&store, (int64_t)i + 1, states[i], i < 3);
    }
    close_store(&store);
}

TEST(a_release_that_metadata_list_keeps_everything)
{
    struct store store;
    struct rw_err err;
    uint64_t done[API_FORGET_KINDS] = {0};
    open_store(&store);
    put_release(&store, 1, RELEASE_PUBLISHED);
    struct api_forget_settings s = settings_of(&store, 5000);
    s.listed = all_listed;
    MUST(api_forget_run(&s, done, &err));
    expect_release(&store, 1, RELEASE_PUBLISHED, false);
    close_store(&store);
}

TEST(what_is_not_understood_stops_its_kind)
{
    struct store store;
    struct rw_err err;
    uint64_t done[API_FORGET_KINDS] = {0};
    RW_AUTO(rw_buf) struct rw_buf odd = rw_buf_make(64);
    open_store(&store);
    put_release(&store, 1, RELEASE_WITHDRAWN);
    MUST(rw_buf_append_str(&odd, "{\"odd\":1}", &err));
    put(&store, "release", "yara/0000000002", &odd);
    const struct api_forget_settings s = settings_of(&store, 5000);
    MUST_FAIL(api_forget_run(&s, done, &err), RW_E_SCHEMA);
    assert_non_null(strstr(err.text, "yara/0000000002"));
    expect_release(&store, 1, RELEASE_WITHDRAWN, false);
    close_store(&store);
}

TEST(age_zero_keeps_everything)
{
    struct store store;
    struct rw_err err;
    uint64_t done[API_FORGET_KINDS] = {0};
    open_store(&store);
    put_release(&store, 1, RELEASE_WITHDRAWN);
    struct api_forget_settings s = settings_of(&store, 5000);
    s.limits.age_s = 0;
    MUST(api_forget_run(&s, done, &err));
    expect_release(&store, 1, RELEASE_WITHDRAWN, false);
    close_store(&store);
}

RUN_TESTS(cmocka_unit_test(tokens_that_are_spent_or_revoked_go_and_others_stay),
          cmocka_unit_test(more_of_them_than_fit_into_one_pass_all_go),
          cmocka_unit_test(an_expedite_goes_and_of_other_orders_the_signed_document),
          cmocka_unit_test(an_expedite_in_force_stays_whatever_its_age),
          cmocka_unit_test(requests_that_were_decided_or_lapsed_go),
          cmocka_unit_test(of_an_old_release_the_bulk_goes_and_the_record_stays),
          cmocka_unit_test(a_release_that_metadata_list_keeps_everything),
          cmocka_unit_test(what_is_not_understood_stops_its_kind),
          cmocka_unit_test(age_zero_keeps_everything))
