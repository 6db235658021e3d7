/* Goal: every operator route asks for the role that docs/protocol.md 8 names; steering needs a reason; a change is
 * one transaction that is kept whole or not at all; a tenant's token sees its own endpoints and steers nothing.
 * Store and fleet are the real ones; the controller is scripted. */
#include "server/api/api_core.h"
#include "server/report/audit_log.h"
#include "tests/unit/api_operator_rig.h"

static const struct role_case {
    const char *id, *method, *pattern;
    enum api_auth role;
} roles[] = {
    {"status", "GET", "/v1/status", API_AUTH_VIEWER},
    {"policy", "GET", "/v1/policy", API_AUTH_VIEWER},
    {"create", "POST", "/v1/releases", API_AUTH_PUBLISHER},
    {"payload", "POST", RELEASE "/payload", API_AUTH_PUBLISHER},
    {"samples", "POST", RELEASE "/samples", API_AUTH_PUBLISHER},
    {"releases", "GET", "/v1/releases", API_AUTH_VIEWER},
    {"release", "GET", RELEASE, API_AUTH_VIEWER},
    {"download", "GET", RELEASE "/payload", API_AUTH_VIEWER},
    {"tosign", "GET", RELEASE "/tosign", API_AUTH_PUBLISHER},
    {"sign", "POST", RELEASE "/signatures", API_AUTH_PUBLISHER},
    {"publish", "POST", RELEASE "/publish", API_AUTH_PUBLISHER},
    {"abandon", "POST", RELEASE "/abandon", API_AUTH_PUBLISHER},
    {"orders", "GET", "/v1/orders", API_AUTH_VIEWER},
    {"order", "POST", "/v1/orders", API_AUTH_PUBLISHER},
    {"one_order", "GET", ORDER, API_AUTH_VIEWER},
    {"order_tosign", "GET", ORDER "/tosign", API_AUTH_PUBLISHER},
    {"order_sign", "POST", ORDER "/signatures", API_AUTH_PUBLISHER},
    {"start", "POST", "/v1/rollouts", API_AUTH_PUBLISHER},
    {"rollouts", "GET", "/v1/rollouts", API_AUTH_VIEWER},
    {"rollout", "GET", ROLLOUT, API_AUTH_VIEWER},
    {"pause", "POST", ROLLOUT "/pause", API_AUTH_OPERATOR},
    {"resume", "POST", ROLLOUT "/resume", API_AUTH_OPERATOR},
    {"promote", "POST", ROLLOUT "/promote", API_AUTH_OPERATOR},
    {"halt", "POST", ROLLOUT "/halt", API_AUTH_OPERATOR},
    {"rollback", "POST", ROLLOUT "/rollback", API_AUTH_OPERATOR},
    {"explain", "GET", ROLLOUT "/explain", API_AUTH_VIEWER},
    {"drills", "GET", "/v1/drills", API_AUTH_VIEWER},
    {"drill", "POST", "/v1/drills", API_AUTH_PUBLISHER},
    {"second", "GET", "/v1/second", API_AUTH_VIEWER},
    {"second_confirm", "POST", SECOND "/confirm", API_AUTH_OPERATOR},
    {"second_refuse", "POST", SECOND "/refuse", API_AUTH_OPERATOR},
    {"controls", "GET", "/v1/controls", API_AUTH_VIEWER},
    {"control_set", "POST", "/v1/controls", API_AUTH_OPERATOR},
    {"control_clear", "POST", "/v1/controls/clear", API_AUTH_OPERATOR},
    {"fleet", "GET", "/v1/fleet", API_AUTH_VIEWER},
    {"dark", "GET", "/v1/fleet/dark", API_AUTH_VIEWER},
    {"cohorts", "GET", "/v1/fleet/cohorts", API_AUTH_VIEWER},
    {"endpoint", "GET", "/v1/fleet/{endpoint}", API_AUTH_VIEWER},
    {"why", "GET", "/v1/fleet/{endpoint}/why", API_AUTH_VIEWER},
    {"audit", "GET", "/v1/audit", API_AUTH_VIEWER},
    {"trust_root", "POST", "/v1/trust/root", API_AUTH_ADMIN},
    {"trust_targets", "POST", "/v1/trust/targets", API_AUTH_ADMIN},
    {"trust_content", "POST", "/v1/trust/content", API_AUTH_PUBLISHER},
    {"tokens", "GET", "/v1/tokens", API_AUTH_ADMIN},
    {"token_make", "POST", "/v1/tokens", API_AUTH_ADMIN},
    {"token_revoke", "POST", "/v1/tokens/revoke", API_AUTH_ADMIN},
    {"webhooks", "GET", "/v1/webhooks", API_AUTH_VIEWER},
    {"webhook_test", "POST", "/v1/webhooks/{name}/test", API_AUTH_OPERATOR},
    {"healthz", "GET", "/healthz", API_AUTH_NONE},
    {"readyz", "GET", "/readyz", API_AUTH_NONE},
    {"readyz_controller", "GET", "/readyz/controller", API_AUTH_NONE},
    {"metrics", "GET", "/metrics", API_AUTH_NONE},
    {"page", "GET", "/", API_AUTH_NONE},
    {"style", "GET", "/status.css", API_AUTH_NONE},
    {"script", "GET", "/status.js", API_AUTH_NONE},
};

TEST_EACH(every_route_asks_for_the_role_of_the_protocol, roles)
{
    const struct api_route *r = find(it->method, it->pattern);
    assert_non_null(r);
    assert_int_equal(r->auth, it->role);
    assert_false(r->batched); /* each change of an operator is a transaction of its own */
}

TEST(there_is_no_route_that_the_table_above_does_not_name)
{
    size_t count = 0;
    (void)api_routes(&count);
    assert_int_equal(count, RW_LEN(roles) + 4); /* and the four agent routes */
}

static const struct body_case {
    const char *id, *verb, *body;
    int status;
    const char *names;
} bodies[] = {
    {"halt_without_reason", "/halt", "{}", 400, "'reason' is missing\",\"hint\":\"say why"},
    {"halt_with_an_empty_reason", "/halt", "{\"reason\":\"\"}", 400, "'reason' is empty"},
    {"halt_with_a_number_as_reason", "/halt", "{\"reason\":1}", 400, "reason"},
    {"pause_without_reason", "/pause", "{}", 400, "reason"},
    {"promote_without_reason", "/promote", "{}", 400, "reason"},
    {"rollback_without_reason", "/rollback", "{}", 400, "reason"},
    {"resume_without_reason", "/resume", "{}", 400, "reason"},
    {"unknown_member", "/halt", "{\"reason\":\"x\",\"force\":true}", 400, "force"},
    {"generation_of_zero", "/halt", "{\"reason\":\"x\",\"generation\":0}", 400, "generation"},
    {"no_body", "/halt", "", 400, ""},
    {"good", "/halt", "{\"reason\":\"x\",\"generation\":7}", 200, ""},
};

TEST_EACH(steering_needs_a_reason_and_knows_its_members, bodies)
{
    char pattern[128];
    (void)tear_down(NULL);
    (void)set_up(NULL);
    (void)snprintf(pattern, sizeof(pattern), ROLLOUT "%s", it->verb);
    struct api_job job = job_for("POST", pattern, it->body);
    assert_int_equal(run(&job), it->status);
    assert_non_null(strstr(rw_buf_str(&job.reply.body), it->names));
    assert_int_equal(commanded == ROLLOUT_NO_COMMAND, it->status != 200);
    api_job_drop(&job);
}

static const struct verb_case {
    const char *id, *verb;
    enum rollout_rule_command command;
} verbs[] = {
    {"pause", "/pause", ROLLOUT_PAUSE},       {"resume", "/resume", ROLLOUT_RESUME},
    {"promote", "/promote", ROLLOUT_PROMOTE}, {"halt", "/halt", ROLLOUT_HALT},
    {"rollback", "/rollback", ROLLOUT_HALT},
};

TEST_EACH(each_verb_reaches_the_controller_with_actor_reason_and_generation, verbs)
{
    char pattern[128];
    (void)tear_down(NULL);
    (void)set_up(NULL);
    (void)snprintf(pattern, sizeof(pattern), ROLLOUT "%s", it->verb);
    struct api_job job = job_for("POST", pattern, "{\"reason\":\"odd\",\"generation\":7}");
    assert_int_equal(run(&job), 200);
    assert_int_equal(commanded, it->command);
    assert_int_equal(generation_seen, 7);
    assert_string_equal(reason_seen, "odd");
    assert_string_equal(actor_seen, "alice");
    assert_true(core.tick_wanted); /* a halt takes effect before the next wait */
    api_job_drop(&job);
}

static bool was_kept(void)
{
    struct rw_err err;
    int64_t generation = 0;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(64);
    assert_false(store.in_transaction);
    return rw_is_ok(store_doc_get(&store, "rollout", "yara/2", &body, &generation, &err));
}

static const struct change_case {
    const char *id;
    enum rw_code refusal;
    bool commit_fails;
    int status;
    bool kept;
    bool reloaded;
} changes[] = {
    {"kept", RW_E_NONE, false, 200, true, false},
    {"refused_by_policy", RW_E_POLICY, false, 409, false, false},
    {"stale_generation", RW_E_STALE, false, 409, false, false},
    {"store_failed_inside", RW_E_STORE, false, 503, false, true},
    {"commit_failed", RW_E_NONE, true, 503, false, true},
};

TEST_EACH(a_change_is_kept_whole_or_not_at_all, changes)
{
    (void)tear_down(NULL);
    (void)set_up(NULL);
    refusal = it->refusal;
    commit_fails = it->commit_fails;
    struct api_job job = job_for("POST", ROLLOUT "/halt", "{\"reason\":\"x\"}");
    assert_int_equal(run(&job), it->status);
    assert_int_equal(was_kept(), it->kept);
    assert_int_equal(core.rollouts_stale, it->reloaded);
    api_job_drop(&job);
}

TEST(a_rollout_is_started_by_its_body)
{
    struct api_job job = job_for("POST", "/v1/rollouts", "{\"family\":\"yara\",\"release\":2}");
    assert_int_equal(run(&job), 201);
    assert_true(was_kept());
    api_job_drop(&job);
    job = job_for("POST", "/v1/rollouts", "{\"family\":\"Yara\",\"release\":2}");
    assert_int_equal(run(&job), 400);
    assert_non_null(strstr(rw_buf_str(&job.reply.body), "family"));
    api_job_drop(&job);
}

static const struct tenant_case {
    const char *id, *method, *pattern, *body;
    int status;
} tenants[] = {
    {"halt", "POST", ROLLOUT "/halt", "{\"reason\":\"x\"}", 403},
    {"start", "POST", "/v1/rollouts", "{\"family\":\"yara\",\"release\":2}", 403},
    {"create", "POST", "/v1/releases", "{}", 403},
    {"payload", "POST", RELEASE "/payload", "x", 403},
    {"publish", "POST", RELEASE "/publish", "{}", 403},
    {"abandon", "POST", RELEASE "/abandon", "{\"reason\":\"x\"}", 403},
    {"sign", "POST", RELEASE "/signatures", "{}", 403},
    {"tosign", "GET", RELEASE "/tosign", "", 403},
    {"audit", "GET", "/v1/audit", "", 403},
    {"fleet", "GET", "/v1/fleet", "", 200},
    {"dark", "GET", "/v1/fleet/dark", "", 200},
    {"cohorts", "GET", "/v1/fleet/cohorts", "", 403},
};

TEST_EACH(a_tenants_token_steers_nothing_that_concerns_the_others, tenants)
{
    struct api_job job = job_for(it->method, it->pattern, it->body);
    (void)snprintf(job.req.who.tenant, sizeof(job.req.who.tenant), "acme");
    assert_int_equal(run(&job), it->status);
    assert_int_equal(commanded, ROLLOUT_NO_COMMAND);
    api_job_drop(&job);
}

static void enrol(uint8_t id, const char *tenant)
{
    struct rw_err err;
    struct fleet_who who = {.endpoint = {id}};
    (void)snprintf(who.tenant, sizeof(who.tenant), "%s", tenant);
    MUST(fleet_state_enrol(fleet, &who, rw_clock_wall(&core.clock), &err));
}

TEST(a_tenants_token_sees_its_own_endpoints_only)
{
    enrol(1, "acme");
    enrol(2, "other");
    struct api_job job = job_for("GET", "/v1/fleet", "");
    (void)snprintf(job.req.who.tenant, sizeof(job.req.who.tenant), "acme");
    assert_int_equal(run(&job), 200);
    assert_non_null(strstr(rw_buf_str(&job.reply.body), "\"0100000000"));
    assert_null(strstr(rw_buf_str(&job.reply.body), "\"0200000000"));
    api_job_drop(&job);
    job = job_for("GET", "/v1/fleet/{endpoint}", "");
    (void)snprintf(job.req.who.tenant, sizeof(job.req.who.tenant), "acme");
    job.req.params[0] = rw_span_str("02000000000000000000000000000000");
    assert_int_equal(run(&job), 404);
    api_job_drop(&job);
    job = job_for("GET", "/v1/fleet/{endpoint}/why", "");
    (void)snprintf(job.req.who.tenant, sizeof(job.req.who.tenant), "acme");
    job.req.params[0] = rw_span_str("02000000000000000000000000000000");
    assert_int_equal(run(&job), 404);
    api_job_drop(&job);
}

static const struct page_case {
    const char *id, *pattern, *query;
    int status;
} pages[] = {
    {"plain", "/v1/fleet", "", 200},
    {"limit", "/v1/fleet", "limit=1", 200},
    {"limit_of_zero", "/v1/fleet", "limit=0", 400},
    {"limit_too_high", "/v1/fleet", "limit=1001", 400},
    {"limit_in_words", "/v1/fleet", "limit=all", 400},
    {"after_that_is_no_id", "/v1/fleet", "after=01", 400},
    {"dark", "/v1/fleet/dark", "after=7&limit=1000&older_s=7200", 200},
    {"dark_limit_too_high", "/v1/fleet/dark", "limit=1001", 400},
    {"dark_after_negative", "/v1/fleet/dark", "after=-1", 400},
    {"dark_misspelt", "/v1/fleet/dark", "rings=canary", 400},
    {"dark_twice", "/v1/fleet/dark", "limit=1&limit=2", 400},
    {"dark_release_of_nothing", "/v1/fleet/dark", "release=2", 400},
    {"dark_ring_that_nobody_told", "/v1/fleet/dark", "ring=moon", 404},
    {"dark_cohort_that_nobody_told", "/v1/fleet/dark", "cohort=a%20b/c/d", 404},
    {"dark_broken_escape", "/v1/fleet/dark", "cohort=a%2", 400},
    {"cohorts", "/v1/fleet/cohorts", "family=yara&after=0&limit=200", 200},
    {"cohorts_limit_too_high", "/v1/fleet/cohorts", "limit=201", 400},
    {"cohorts_unknown", "/v1/fleet/cohorts", "ring=canary", 400},
    {"audit_after", "/v1/audit", "after=0&limit=10", 200},
    {"audit_after_negative", "/v1/audit", "after=-1", 400},
};

TEST_EACH(pages_have_limits, pages)
{
    struct api_job job = job_for("GET", it->pattern, "");
    job.req.query = rw_span_str(it->query);
    assert_int_equal(run(&job), it->status);
    api_job_drop(&job);
}

TEST(an_id_that_no_release_can_have_is_not_found)
{
    struct api_job job = job_for("GET", ROLLOUT, "");
    job.req.params[1] = rw_span_str("02");
    assert_int_equal(run(&job), 404);
    api_job_drop(&job);
}

TEST(not_ready_says_why_and_asks_to_come_back)
{
    struct api_job job = job_for("GET", "/readyz", "");
    assert_int_equal(run(&job), 503);
    assert_non_null(strstr(rw_buf_str(&job.reply.body), "has not run yet"));
    assert_true(job.reply.retry_after_s > 0);
    api_job_drop(&job);
    job = job_for("GET", "/healthz", "");
    assert_int_equal(run(&job), 200);
    api_job_drop(&job);
}

TEST(the_page_is_answered_without_the_core)
{
    static const char *const parts[] = {"/", "/status.css", "/status.js"};
    for (size_t i = 0; i < RW_LEN(parts); i++) {
        struct api_job job = job_for("GET", parts[i], "");
        assert_int_equal(job.reply.status, 200);
        assert_true(job.reply.body.n > 500);
        /* The content policy permits no inline code: the page may hold none. */
        if (i == 0) {
            assert_non_null(strstr(rw_buf_str(&job.reply.body), "default-src 'none'"));
            assert_null(strstr(rw_buf_str(&job.reply.body), "style=\""));
        }
        api_job_drop(&job);
    }
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static RW_RC refuse_trust(void *ctx, const struct release_signer_trust *change, struct rw_err *err)
{
    (void)ctx;
    assert_int_equal(change->content_count, 1);
    return rw_fail(err, RW_E_TUF_THRESHOLD, "one signature is missing");
}

/* INV-9: what was not published is no event. */
TEST(a_change_of_trust_that_the_signer_refuses_leaves_no_record)
{
    struct rw_err err;
    int64_t records = 0;
    core.outside.trust = refuse_trust;
    struct api_job job = job_for("POST", "/v1/trust/content",
                                 "{\"content\":{\"yara\":{\"signed\":{},\"signatures\":[]}}}");
    assert_int_equal(run(&job), 403);
    assert_non_null(strstr(rw_buf_str(&job.reply.body), "one signature is missing"));
    api_job_drop(&job);
    MUST(audit_log_verify(&store, &records, &err));
    assert_int_equal(records, 0);
}

RUN_TESTS(FRESH(every_route_asks_for_the_role_of_the_protocol),
          FRESH(there_is_no_route_that_the_table_above_does_not_name),
          FRESH(steering_needs_a_reason_and_knows_its_members),
          FRESH(each_verb_reaches_the_controller_with_actor_reason_and_generation),
          FRESH(a_change_is_kept_whole_or_not_at_all), FRESH(a_rollout_is_started_by_its_body),
          FRESH(a_tenants_token_steers_nothing_that_concerns_the_others),
          FRESH(a_tenants_token_sees_its_own_endpoints_only), FRESH(pages_have_limits),
          FRESH(an_id_that_no_release_can_have_is_not_found),
          FRESH(not_ready_says_why_and_asks_to_come_back),
          FRESH(the_page_is_answered_without_the_core),
          FRESH(a_change_of_trust_that_the_signer_refuses_leaves_no_record))
