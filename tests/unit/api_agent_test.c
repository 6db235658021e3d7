/* Goal: endpoints are taken for whom their token says (INV-11), malformed bodies are refused by name before the core
 * sees them, and every agent route waits for the group commit (INV-2, INV-8).
 * Fleet and store are the real ones; the controller is scripted. */
#include "server/api/api_agent.h"
#include "server/api/api_core.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

#include "tests/unit/rollout_run_still.h"
#include <fcntl.h>
#include <unistd.h>

/* --- the controller, scripted --- */
static struct fleet_who permit_who;
static struct beacon_permit_request permit_request;
static struct beacon_permit_answer permit_answer;
static bool permit_full;

RW_RC rollout_run_permit(struct rollout_run *r, const struct fleet_who *who,
                         const struct beacon_permit_request *request, struct rw_wall now,
                         struct beacon_permit_answer *answer_out, struct rw_err *err)
{
    (void)r;
    (void)now;
    if (permit_full) { return rw_fail(err, RW_E_FULL, "the table of permits is full"); }
    permit_who = *who;
    permit_request = *request;
    *answer_out = permit_answer;
    return RW_OK;
}

/* The rule is tried in rollout_control_test.c. */
bool rollout_control_keeps(const struct rollout_run *r, const struct beacon_permit_request *q,
                           const struct control *controls, size_t count, struct rw_wall now,
                           struct beacon_permit_answer *out)
{
    (void)r;
    (void)q;
    (void)now;
    assert_int_equal(count, 1);
    assert_int_equal(controls[0].kind, CONTROL_HOLD);
    *out = (struct beacon_permit_answer){.decision = BEACON_PERMIT_WAIT, .retry_after_s = 60};
    return true;
}

int64_t rollout_run_poll_s(const struct rollout_run *r, const char *ring, const char *family)
{
    (void)r;
    (void)family;
    return strcmp(ring, "canary") == 0 ? 30 : strcmp(ring, "early") == 0 ? 20 : 0;
}

RW_RC rollout_run_open(struct store *store, struct fleet_state *fleet,
                       const struct ring_policy *policy, struct rollout_run_effects effects,
                       struct rollout_run **out, struct rw_err *err)
{
    (void)store;
    (void)fleet;
    (void)policy;
    (void)effects;
    (void)out;
    return rw_fail(err, RW_E_STORE, "not opened here");
}

void rollout_run_drop(struct rollout_run **r)
{
    *r = NULL;
}

RW_RC rollout_run_tick(struct rollout_run *r, struct rw_wall now, struct rw_err *err)
{
    (void)r;
    (void)now;
    return rw_fail(err, RW_E_STORE, "no turn here");
}

/* --- a core with a real fleet in a store in memory --- */
struct fixture {
    struct store store;
    struct fleet_state *fleet;
    struct http_auth *auth;
    struct api_core core;
};

static const uint8_t secret[HTTP_SECRET_BYTES] = {7};

static void fixture_open(struct fixture *f)
{
    struct rw_err err;
    *f = (struct fixture){.fleet = NULL};
    permit_full = false;
    MUST(store_sqlite_open(":memory:", &f->store, &err));
    MUST(fleet_state_open(&f->store, &f->fleet, &err));
    MUST(http_auth_new(secret, &f->auth, &err));
    f->core = (struct api_core){
        .store = &f->store, .fleet = f->fleet, .auth = f->auth, .clock = rw_clock_system()};
}

static void fixture_close(struct fixture *f)
{
    permit_memory_drop(&f->core.answers);
    fleet_state_drop(&f->fleet);
    store_close(&f->store);
    http_auth_free(f->auth);
}

static const struct api_route *route(const char *pattern)
{
    for (size_t i = 0; i < api_agent_route_count; i++) {
        if (strcmp(api_agent_routes[i].pattern, pattern) == 0) { return &api_agent_routes[i]; }
    }
    fail_msg("no route %s", pattern);
    return NULL;
}

static struct api_job job_for(const char *pattern, const char *body)
{
    struct api_job job = api_job_make();
    job.route = route(pattern);
    job.req.body = rw_span_str(body);
    (void)snprintf(job.req.who.tenant, sizeof(job.req.who.tenant), "acme");
    for (size_t i = 0; i < sizeof(job.req.who.endpoint); i++) {
        job.req.who.endpoint[i] = (uint8_t)i;
    }
    job.route->prepare(&job);
    return job;
}

/* What the core does with a batch of this one job. */
static void apply(struct fixture *f, struct api_job *job)
{
    struct rw_err err;
    assert_int_equal(job->reply.status, 0);
    MUST(store_begin(&f->store, &err));
    job->route->apply(&f->core, job);
    MUST(fleet_state_flush(f->fleet, &err));
    MUST(store_commit(&f->store, &err));
}

#define ENDPOINT "00112233445566778899aabbccddeeff"
#define COHORT   "\"cohort\":{\"os\":\"debian-12\",\"arch\":\"x86_64\",\"engine\":\"yara-4.2\"}"
#define HASH     "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define PERMIT(hash)                                                                               \
    "{\"family\":\"yara\",\"release\":2,\"sha256\":\"" hash                                        \
    "\",\"ring\":\"canary\",\"from\":1," COHORT "}"
#define BEACON(id, ring)                                                                           \
    "{\"id\":\"" id "\",\"at\":\"2026-11-22T05:34:16Z\",\"kind\":\"alive\",\"ring\":\"" ring       \
    "\"," COHORT ",\"grade\":\"full\",\"trust\":\"ok\"}"

static const struct refusal_case {
    const char *id, *pattern, *body, *names;
} refusals[] = {
    {"enrol_without_body", "/v1/enrol", "", "line 1"},
    {"enrol_of_an_array", "/v1/enrol", "[]", "an array"},
    {"enrol_with_a_short_id", "/v1/enrol", "{\"endpoint\":\"0011\"}", "endpoint"},
    {"enrol_with_upper_case", "/v1/enrol", "{\"endpoint\":\"00112233445566778899AABBCCDDEEFF\"}",
     "endpoint"},
    {"enrol_with_an_unknown_member", "/v1/enrol",
     "{\"endpoint\":\"" ENDPOINT "\",\"tenant\":\"x\"}", "tenant"},
    {"permit_with_a_bad_hash", "/v1/permits", PERMIT("00"), "sha256"},
    {"permit_that_names_an_endpoint", "/v1/permits", "{\"endpoint\":\"" ENDPOINT "\"}", "endpoint"},
    {"beacons_that_are_none", "/v1/beacons", "{\"beacons\":[]}", "beacons"},
    {"beacon_with_an_unknown_member", "/v1/beacons", "{\"beacons\":[{\"hash\":1}]}", "beacons[0]"},
};

TEST_EACH(malformed_bodies_are_refused_by_name_on_the_worker, refusals)
{
    struct api_job job = job_for(it->pattern, it->body);
    assert_int_equal(job.reply.status, 400);
    if (strstr(rw_buf_str(&job.reply.body), it->names) == NULL) {
        fail_msg("%s does not name %s", rw_buf_str(&job.reply.body), it->names);
    }
    api_job_drop(&job);
}

TEST(every_agent_route_waits_for_the_group_commit)
{
    assert_int_equal(api_agent_route_count, 4);
    for (size_t i = 0; i < api_agent_route_count; i++) {
        assert_true(api_agent_routes[i].batched); /* INV-2, INV-8 */
        assert_in_range(api_agent_routes[i].body_bytes_max, 1, 64 * 1024);
    }
    assert_int_equal(route("/v1/enrol")->auth, API_AUTH_ENROL);
    assert_int_equal(route("/v1/token")->auth, API_AUTH_ENDPOINT);
    assert_int_equal(route("/v1/permits")->auth, API_AUTH_ENDPOINT);
    assert_int_equal(route("/v1/beacons")->auth, API_AUTH_ENDPOINT);
}

TEST(enrolment_gives_a_token_of_the_enrolment_tokens_tenant)
{
    struct fixture f;
    struct rw_err err;
    struct api_identity who;
    char header[HTTP_TOKEN_BYTES + 16];
    fixture_open(&f);
    struct api_job job = job_for("/v1/enrol", "{\"endpoint\":\"" ENDPOINT "\"}");
    apply(&f, &job);
    assert_int_equal(job.reply.status, 200);
    assert_int_equal(fleet_state_endpoints(f.fleet), 1);
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct rw_span token;
    MUST(json_parse(rw_buf_span(&job.reply.body), &json_limits_small, &tree, &err));
    MUST(json_get_span(tree, "token", &token, &err));
    (void)snprintf(header, sizeof(header), "Bearer %.*s", (int)token.n, (const char *)token.p);
    MUST(http_auth_check(f.auth, API_AUTH_ENDPOINT, rw_span_str(header), &who, &err));
    assert_string_equal(who.tenant, "acme");
    assert_int_equal(who.endpoint[15], 0xff); /* of the body: that is what is enrolled */
    api_job_drop(&job);
    fixture_close(&f);
}

/* The route asks the store whose the token is; which rules hold there: token_once_test.c. */
TEST(a_one_time_token_that_the_store_does_not_know_enrols_nobody)
{
    struct fixture f;
    fixture_open(&f);
    struct api_job job =
        job_for("/v1/enrol", "{\"endpoint\":\"" ENDPOINT "\",\"proof\":\"" HASH "\"}");
    job.req.who.once = true;
    apply(&f, &job);
    assert_int_equal(job.reply.status, 401);
    assert_int_equal(fleet_state_endpoints(f.fleet), 0);
    api_job_drop(&job);
    fixture_close(&f);
}

TEST(a_permit_is_asked_for_the_endpoint_of_the_token)
{
    struct fixture f;
    fixture_open(&f);
    permit_answer = (struct beacon_permit_answer){.decision = BEACON_PERMIT_GRANTED,
                                                  .permit = 77,
                                                  .valid_s = 60,
                                                  .deadline_s = 900,
                                                  .probation_s = 600};
    struct api_job job = job_for("/v1/permits", PERMIT(HASH));
    apply(&f, &job);
    assert_int_equal(job.reply.status, 200);
    assert_string_equal(rw_buf_str(&job.reply.body),
                        "{\"decision\":\"granted\",\"permit\":\"77\",\"valid_s\":60,"
                        "\"deadline_s\":900,\"probation_s\":600}");
    assert_string_equal(permit_who.tenant, "acme");
    assert_int_equal(permit_who.endpoint[15], 15);
    assert_int_equal(permit_request.release, 2);
    api_job_drop(&job);
    /* Who asks why is shown it. */
    const struct permit_memory_entry *last =
        permit_memory_find(&f.core.answers, &permit_who, permit_request.family);
    assert_non_null(last);
    assert_int_equal(last->answer.permit, 77);
    fixture_close(&f);
}

/* INV-7: an agent that does not know of operators' controls is kept all the same: no permit, and nothing recorded. */
TEST(what_an_operator_holds_gets_no_permit)
{
    static const struct rollout_control_scope acme = {.name = "acme"};
    static const struct rollout_run_actor admin = {.name = "admin", .reason = "freeze"};
    struct fixture f;
    struct rw_err err;
    fixture_open(&f);
    const struct control hold = {.kind = CONTROL_HOLD,
                                 .since = rw_clock_wall(&f.core.clock),
                                 .until = {rw_clock_wall(&f.core.clock).s + 3600}};
    MUST(rollout_control_open(&f.store, &f.core.controls, &err));
    MUST(rollout_control_put(f.core.controls, &acme, &hold, &admin, &err));
    permit_who = (struct fleet_who){.tenant = ""};
    struct api_job job = job_for("/v1/permits", PERMIT(HASH));
    apply(&f, &job);
    assert_int_equal(job.reply.status, 200);
    assert_non_null(strstr(rw_buf_str(&job.reply.body), "\"decision\":\"wait\""));
    assert_string_equal(permit_who.tenant, ""); /* the controller was not asked */
    api_job_drop(&job);
    rollout_control_drop(&f.core.controls);
    fixture_close(&f);
}

TEST(a_full_table_is_told_as_503)
{
    struct fixture f;
    fixture_open(&f);
    permit_full = true;
    struct api_job job = job_for("/v1/permits", PERMIT(HASH));
    apply(&f, &job);
    assert_int_equal(job.reply.status, 503);
    assert_true(job.reply.retry_after_s > 0);
    api_job_drop(&job);
    fixture_close(&f);
}

/* More than are remembered of who sends one at a time: the answer to such a request may get lost, too. */
TEST(a_request_of_many_beacons_may_be_repeated_as_a_whole)
{
    enum { MANY = 32, BODY_BYTES = 32 * 512 };
    struct fixture f;
    char *body = rw_mem_new(BODY_BYTES);
    assert_non_null(body);
    fixture_open(&f);
    size_t n = (size_t)snprintf(body, BODY_BYTES, "{\"beacons\":[");
    for (int i = 0; i < MANY; i++) {
        n += (size_t)snprintf(body + n, BODY_BYTES - n,
                              "%s{\"id\":\"%08x%024x\",\"at\":\"2026-11-22T05:34:16Z\","
                              "\"kind\":\"alive\",\"ring\":\"canary\"," COHORT
                              ",\"grade\":\"full\",\"trust\":\"ok\"}",
                              i == 0 ? "" : ",", (unsigned)i + 1, 0U);
    }
    (void)snprintf(body + n, BODY_BYTES - n, "]}");
    for (int round = 0; round < 2; round++) {
        struct api_job job = job_for("/v1/beacons", body);
        apply(&f, &job);
        assert_int_equal(job.reply.status, 200);
        assert_non_null(
            strstr(rw_buf_str(&job.reply.body), round == 0 ? "\"accepted\":32,\"duplicates\":0"
                                                           : "\"accepted\":0,\"duplicates\":32"));
        api_job_drop(&job);
    }
    fixture_close(&f);
    rw_mem_free(body);
}

TEST(a_repeated_beacon_is_counted_as_duplicate_and_the_shortest_poll_is_asked_for)
{
    struct fixture f;
    fixture_open(&f);
    struct api_job job = job_for(
        "/v1/beacons",
        "{\"beacons\":[" BEACON(ENDPOINT, "canary") "," BEACON(ENDPOINT, "canary") "," BEACON(
            "ffeeddccbbaa99887766554433221100", "early") "]}");
    apply(&f, &job);
    assert_int_equal(job.reply.status, 200);
    assert_string_equal(
        rw_buf_str(&job.reply.body),
        "{\"accepted\":2,\"duplicates\":1,\"poll_s\":20,\"controls\":[],\"renew\":false}");
    assert_int_equal(fleet_state_endpoints(f.fleet), 1); /* INV-11: one token, one endpoint */
    api_job_drop(&job);
    fixture_close(&f);
}

static size_t lines_with(int fd, const char *word)
{
    char text[65536];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    size_t lines = 0;
    assert_true(n >= 0);
    text[n] = '\0';
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
        lines++;
    }
    return lines;
}

TEST(damage_that_endpoints_tell_of_is_counted_and_does_not_fill_the_log)
{
    struct fixture f;
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    int log = openat(d.fd, "log", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int kept = dup(STDERR_FILENO);
    fixture_open(&f);
    assert_true(log >= 0 && kept >= 0 && dup2(log, STDERR_FILENO) >= 0);
    for (unsigned i = 0; i < 100; i++) {
        char body[512];
        (void)snprintf(
            body, sizeof(body),
            "{\"beacons\":[{\"id\":\"%08x%024x\",\"at\":\"2026-11-22T05:34:16Z\",\"kind\":"
            "\"alive\",\"ring\":\"canary\"," COHORT
            ",\"grade\":\"full\",\"trust\":\"ok\",\"detail\":\"integrity: forged\"}]}",
            i + 1, 0U);
        struct api_job job = job_for("/v1/beacons", body);
        apply(&f, &job);
        api_job_drop(&job);
    }
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    assert_int_equal(f.core.integrity, 100);
    assert_int_equal(lines_with(log, "endpoint_integrity"), LOG_LIMIT_RULE_LINES);
    assert_int_equal(close(kept) + close(log), 0);
    fixture_close(&f);
}

RUN_TESTS(
    cmocka_unit_test(damage_that_endpoints_tell_of_is_counted_and_does_not_fill_the_log),
    cmocka_unit_test(malformed_bodies_are_refused_by_name_on_the_worker),
    cmocka_unit_test(every_agent_route_waits_for_the_group_commit),
    cmocka_unit_test(enrolment_gives_a_token_of_the_enrolment_tokens_tenant),
    cmocka_unit_test(a_one_time_token_that_the_store_does_not_know_enrols_nobody),
    cmocka_unit_test(what_an_operator_holds_gets_no_permit),
    cmocka_unit_test(a_permit_is_asked_for_the_endpoint_of_the_token),
    cmocka_unit_test(a_full_table_is_told_as_503),
    cmocka_unit_test(a_request_of_many_beacons_may_be_repeated_as_a_whole),
    cmocka_unit_test(a_repeated_beacon_is_counted_as_duplicate_and_the_shortest_poll_is_asked_for))
