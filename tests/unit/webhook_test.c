/* Goal: an event leaves when its change was committed and not before, in order, at least once, always under the same
 * key; a commit that fails after a delivery costs a duplicate, never an event. Store, sender and HTTP are real. */
#include "server/report/webhook.h"

#include "server/report/audit_log.h"
#include "server/report/webhook_send.h"
#include "server/store/store_sqlite.h"
#include "tests/fakes/web.h"
#include "tests/harness.h"

#include <stdatomic.h>
#include <time.h>

static struct store store;
static const struct store_backend *real_backend;
static struct store_backend wrapped;
static bool commit_fails;
static bool damaged;
static struct web *web;
static struct webhook *hook;
static struct webhook_conf conf;
static struct rw_clock clock_now;
static atomic_int status;
static atomic_bool woken;

static RW_RC commit(void *ctx, struct rw_err *err)
{
    if (commit_fails) { return rw_fail(err, RW_E_FULL, "no space left"); }
    return real_backend->commit(ctx, err);
}

static RW_RC doc_get(void *ctx, const char *kind, const char *id, struct rw_buf *body,
                     int64_t *generation, struct rw_err *err)
{
    if (damaged && strcmp(id, "broken") == 0) {
        return rw_fail(err, RW_E_STORE, "this row cannot be read");
    }
    return real_backend->doc_get(ctx, kind, id, body, generation, err);
}

static void answer(void *ctx, const struct web_request *r, struct web_answer *out)
{
    (void)ctx;
    (void)r;
    out->status = atomic_load(&status);
}

static void wake(void *ctx)
{
    (void)ctx;
    atomic_store(&woken, true);
}

static void open_hook(void)
{
    struct rw_err err;
    const struct webhook_settings settings = {.store = &store, .conf = &conf, .wake = wake};
    MUST(webhook_open(&settings, &hook, &err));
}

static int set_up(void **state)
{
    struct rw_err err;
    (void)state;
    MUST(store_sqlite_open(":memory:", &store, &err));
    real_backend = store.backend;
    wrapped = *real_backend;
    wrapped.commit = commit;
    wrapped.doc_get = doc_get;
    damaged = false;
    store.backend = &wrapped;
    commit_fails = false;
    clock_now = rw_clock_system();
    atomic_store(&status, 200);
    web = web_start(answer, NULL);
    conf = (struct webhook_conf){.count = 1};
    struct webhook_target *t = &conf.targets[0];
    *t = (struct webhook_target){.name = "pager",
                                 .path = "/hook",
                                 .events = "*",
                                 .timeout_ms = 5000,
                                 .keep = 100,
                                 .secret = "0123456789abcdef",
                                 .secret_bytes = 16};
    (void)snprintf(t->base, sizeof(t->base), "%s", web_url(web));
    open_hook();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    webhook_close(&hook);
    web_stop(&web);
    store_close(&store);
    return 0;
}

static void happen(const char *action)
{
    struct rw_err err;
    const struct audit_log_entry entry = {
        .actor = "ada", .action = action, .object = "yara/2", .reason = "x"};
    MUST(store_begin(&store, &err));
    MUST(audit_log_append(&store, &entry, rw_clock_wall(&clock_now), &err));
    MUST(store_commit(&store, &err));
}

static void turn(void)
{
    struct rw_err err;
    MUST(webhook_turn(hook, &clock_now, &err));
}

/* One batch handed over and back; `take`: its result is taken, too. */
static void round_trip(bool take)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    atomic_store(&woken, false);
    turn();
    for (int i = 0; i < 30000 && !atomic_load(&woken); i++) {
        (void)nanosleep(&pause, NULL);
    }
    assert_true(atomic_load(&woken));
    if (take) { turn(); }
}

static void body_has(size_t index, const char *word)
{
    const struct web_request *r = web_seen(web, index);
    assert_non_null(r);
    char text[2048];
    (void)snprintf(text, sizeof(text), "%.*s", (int)r->body.n, (const char *)r->body.p);
    if (strstr(text, word) == NULL) { fail_msg("'%s' lacks '%s'", text, word); }
}

static void header(size_t index, const char *name, char dst[static 256])
{
    const struct web_request *r = web_seen(web, index);
    const char *at = strstr(r->head, name);
    assert_non_null(at);
    (void)snprintf(dst, 256, "%.*s", (int)strcspn(at, "\r\n"), at);
}

TEST(events_leave_in_order_signed_and_once)
{
    char signature[256];
    char want[WEBHOOK_SIGNATURE_BYTES];
    struct rw_err err;
    struct rw_wall at = {0};
    happen("rollout.start");
    happen("rollout.halt");
    round_trip(true);
    turn();
    assert_int_equal(web_count(web), 2);
    body_has(0, "\"type\":\"rollout.start\"");
    body_has(1, "\"type\":\"rollout.halt\"");
    header(1, "Ringward-Signature: ", signature);
    const char *time_text = strstr(signature, "t=") + 2;
    MUST(rw_parse_i64(rw_span_of(time_text, strcspn(time_text, ",")), 1, INT64_MAX, "t", &at.s,
                      &err));
    MUST(webhook_send_sign(&conf.targets[0], at, rw_buf_span(&web_seen(web, 1)->body), want, &err));
    assert_string_equal(signature + strlen("Ringward-Signature: "), want);
}

/* RFC 4231 gives no vector for this layout; this one was made with Python's hmac. */
TEST(the_signature_is_hmac_over_time_and_body)
{
    char got[WEBHOOK_SIGNATURE_BYTES];
    struct rw_err err;
    MUST(webhook_send_sign(&conf.targets[0], (struct rw_wall){1700000000}, rw_span_str("{}"), got,
                           &err));
    assert_string_equal(
        got, "t=1700000000,v1=e4f8e2ecae2295b2ddb2f0b5584c8275e226c0ebe9b3b819e70156bb67122e3e");
}

TEST(a_commit_that_fails_after_a_delivery_costs_a_duplicate_with_the_same_key)
{
    char first[256];
    char second[256];
    struct rw_err err;
    happen("rollout.halt");
    round_trip(false);
    commit_fails = true;
    MUST_FAIL(webhook_turn(hook, &clock_now, &err), RW_E_FULL);
    commit_fails = false;
    round_trip(true);
    assert_int_equal(web_count(web), 2);
    header(0, "Idempotency-Key: ", first);
    header(1, "Idempotency-Key: ", second);
    assert_string_equal(first, second);
    turn();
    assert_int_equal(web_count(web), 2);
}

TEST(what_was_on_its_way_at_a_crash_is_delivered_after_the_start)
{
    happen("rollout.halt");
    round_trip(false); /* delivered, and the server dies before it notes that */
    webhook_close(&hook);
    open_hook();
    round_trip(true);
    assert_int_equal(web_count(web), 2);
    webhook_close(&hook);
    open_hook();
    turn();
    turn();
    assert_int_equal(web_count(web), 2);
}

/* Of several nodes one sends; another one that takes over goes on at what is stored, and what its own sender brings
 * from before counts no more. */
TEST(a_node_that_takes_over_goes_on_where_the_other_stopped)
{
    struct webhook *other = NULL;
    happen("rollout.halt");
    round_trip(false); /* on its way when this node is controller no more */
    struct webhook *first = hook;
    open_hook();
    other = hook;
    round_trip(true); /* the other one sends it again, and one more */
    happen("rollout.start");
    round_trip(true);
    assert_int_equal(web_count(web), 3);
    hook = first;
    webhook_again(hook);
    turn();
    turn();
    turn();
    assert_int_equal(web_count(web), 3);
    happen("rollout.pause");
    round_trip(true);
    assert_int_equal(web_count(web), 4);
    body_has(3, "\"type\":\"rollout.pause\"");
    webhook_close(&other);
}

TEST(a_new_target_does_not_get_the_past)
{
    happen("rollout.start");
    round_trip(true);
    conf.targets[0].name[0] = 'w'; /* another one */
    webhook_close(&hook);
    open_hook();
    turn();
    happen("rollout.halt");
    round_trip(true);
    assert_int_equal(web_count(web), 2);
    body_has(1, "\"type\":\"rollout.halt\"");
}

TEST(a_change_that_is_rolled_back_tells_nobody)
{
    struct rw_err err;
    const struct audit_log_entry entry = {
        .actor = "ada", .action = "rollout.halt", .object = "yara/2", .reason = "x"};
    MUST(store_begin(&store, &err));
    MUST(audit_log_append(&store, &entry, rw_clock_wall(&clock_now), &err));
    store_rollback(&store);
    turn();
    happen("rollout.pause");
    round_trip(true);
    assert_int_equal(web_count(web), 1);
    body_has(0, "\"type\":\"rollout.pause\"");
}

static struct rw_mono standing(void *ctx)
{
    (void)ctx;
    return (struct rw_mono){1000000};
}

TEST(a_failing_target_is_not_asked_again_at_once_and_is_told)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(4096);
    clock_now.mono = standing;
    atomic_store(&status, 500);
    happen("rollout.halt");
    happen("rollout.start");
    round_trip(true);
    turn();
    turn();
    assert_int_equal(web_count(web), 1); /* the second one waits behind the first */
    struct json_writer w = json_begin(&text);
    json_open_array(&w, NULL);
    webhook_write_alarms(hook, &w);
    json_close_array(&w);
    assert_non_null(strstr(rw_buf_str(&text), "webhook pager: "));
    assert_non_null(strstr(rw_buf_str(&text), "status 500"));
}

static size_t asked(const char *path)
{
    size_t n = 0;
    for (size_t i = 0; i < web_count(web); i++) {
        n += strstr(web_seen(web, i)->head, path) != NULL ? 1 : 0;
    }
    return n;
}

TEST(what_fails_for_one_target_stops_no_other)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    struct rw_err err;
    webhook_close(&hook);
    conf.targets[1] = conf.targets[0];
    (void)snprintf(conf.targets[0].name, sizeof(conf.targets[0].name), "broken");
    (void)snprintf(conf.targets[0].path, sizeof(conf.targets[0].path), "/broken");
    conf.count = 2;
    open_hook();
    webhook_again(hook); /* as a node that takes over: it reads the cursors */
    damaged = true;
    for (size_t events = 1; events <= 2; events++) {
        happen("rollout.halt");
        for (int i = 0; i < 10000 && asked("/hook") < events; i++) {
            MUST_FAIL(webhook_turn(hook, &clock_now, &err), RW_E_STORE);
            assert_string_equal(err.text, "webhook broken: this row cannot be read");
            (void)nanosleep(&pause, NULL);
        }
        assert_int_equal(asked("/hook"), events);
    }
    assert_int_equal(asked("/broken"), 0);
}

#define FRESH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

RUN_TESTS(FRESH(events_leave_in_order_signed_and_once),
          FRESH(the_signature_is_hmac_over_time_and_body),
          FRESH(a_commit_that_fails_after_a_delivery_costs_a_duplicate_with_the_same_key),
          FRESH(what_was_on_its_way_at_a_crash_is_delivered_after_the_start),
          FRESH(a_node_that_takes_over_goes_on_where_the_other_stopped),
          FRESH(a_new_target_does_not_get_the_past),
          FRESH(a_change_that_is_rolled_back_tells_nobody),
          FRESH(what_fails_for_one_target_stops_no_other),
          FRESH(a_failing_target_is_not_asked_again_at_once_and_is_told))
