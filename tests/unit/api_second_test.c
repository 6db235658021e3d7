/* Goal: what the policy marks happens by the word of two persons only, both of whom the audit log names; a request
 * that lapsed, was refused or is about an older generation moves nothing; refusals say what to do. */
#include "server/api/api_core.h"
#include "server/api/api_second.h"
#include "server/report/audit_log.h"
#include "tests/unit/api_operator_rig.h"

static struct api_job as(const char *who, const char *pattern, const char *body)
{
    struct api_job job = job_for("POST", pattern, body);
    (void)snprintf(job.req.who.name, sizeof(job.req.who.name), "%s", who);
    return job;
}

static struct api_job decide(const char *who, const char *what, const char *body)
{
    struct api_job job = as(who, what, body);
    job.req.params[0] = rw_span_str("promote");
    job.req.params[1] = rw_span_str("yara");
    job.req.params[2] = rw_span_str("2");
    return job;
}

/* Runs and drops a job; every word of the answer that must be there. */
static void answers(struct api_job job, int status, const char *const *words)
{
    assert_int_equal(run(&job), status);
    for (; *words != NULL; words++) {
        const char *text = rw_buf_str(&job.reply.body);
        if (strstr(text, *words) == NULL) { fail_msg("'%s' lacks '%s'", text, *words); }
    }
    api_job_drop(&job);
}

#define SAYS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void ask_to_promote(void)
{
    second.verbs[SECOND_PERSON_PROMOTE] = true;
    answers(as("ada", ROLLOUT "/promote", "{\"reason\":\"three hosts\"}"), 409,
            SAYS("\"SECOND\"", "second person", "ringward second confirm promote yara/2"));
    assert_int_equal(commanded, ROLLOUT_NO_COMMAND);
}

TEST(a_marked_verb_waits_for_another_person_and_happens_then)
{
    ask_to_promote();
    answers(decide("ada", SECOND "/confirm", "{}"), 409,
            SAYS("\"SECOND\"", "cannot confirm it as well", "another operator"));
    assert_int_equal(commanded, ROLLOUT_NO_COMMAND);
    answers(decide("bob", SECOND "/confirm", "{}"), 200, SAYS("held"));
    assert_int_equal(commanded, ROLLOUT_PROMOTE);
    assert_int_equal(generation_seen, 7);
    assert_string_equal(actor_seen, "ada and bob");
    assert_string_equal(reason_seen, "three hosts");
    commanded = ROLLOUT_NO_COMMAND;
    answers(decide("bob", SECOND "/confirm", "{}"), 409,
            SAYS("\"POLICY\"", "is confirmed", "ask anew"));
    assert_int_equal(commanded, ROLLOUT_NO_COMMAND);
}

static bool is_an_alarm(void)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(4096);
    struct json_writer w = json_begin(&text);
    json_open_array(&w, NULL);
    MUST(api_second_write_alarms(&core, rw_clock_wall(&core.clock), &w, &err));
    json_close_array(&w);
    MUST(json_done(&w, &err));
    return strstr(rw_buf_str(&text), "waits for a second person") != NULL;
}

TEST(a_request_is_no_alarm_any_more_when_its_rollout_was_halted)
{
    assert_false(is_an_alarm());
    ask_to_promote();
    assert_true(is_an_alarm());
    still_halted = true;
    assert_false(is_an_alarm());
    still_halted = false;
}

static RW_RC count_words(void *arg, const struct store_audit *a, struct rw_err *err)
{
    int *found = arg;
    (void)err;
    char text[600];
    (void)snprintf(text, sizeof(text), "%.*s", (int)a->record.n, (const char *)a->record.p);
    *found += strstr(text, "\"second.ask\"") != NULL && strstr(text, "\"ada\"") != NULL;
    *found += strstr(text, "\"second.confirm\"") != NULL &&
              strstr(text, "\"asked_by\":\"ada\"") != NULL &&
              strstr(text, "\"decided_by\":\"bob\"") != NULL;
    return RW_OK;
}

TEST(the_audit_log_names_both)
{
    struct rw_err err;
    int found = 0;
    ask_to_promote();
    answers(decide("bob", SECOND "/confirm", "{}"), 200, SAYS("held"));
    MUST(store_audit_each(&store, 0, 100, count_words, &found, &err));
    assert_int_equal(found, 2);
}

TEST(a_confirmation_that_is_not_carried_out_leaves_nothing)
{
    ask_to_promote();
    refusal = RW_E_STALE;
    answers(decide("bob", SECOND "/confirm", "{}"), 409, SAYS("\"STALE\"", "ask anew"));
    refusal = RW_E_NONE;
    commit_fails = true;
    answers(decide("bob", SECOND "/confirm", "{}"), 503, SAYS("no space left"));
    commit_fails = false;
    core.fleet_stale = core.rollouts_stale = false;
    answers(decide("bob", SECOND "/confirm", "{}"), 200, SAYS("held"));
}

TEST(a_second_request_does_not_replace_one_that_waits)
{
    ask_to_promote();
    answers(as("bob", ROLLOUT "/promote", "{\"reason\":\"another\"}"), 409,
            SAYS("ada has asked already", "ringward second confirm promote yara/2"));
    answers(decide("ada", SECOND "/refuse", "{\"reason\":\"wrong ring\"}"), 200,
            SAYS("\"refused\""));
    answers(decide("bob", SECOND "/confirm", "{}"), 409, SAYS("is refused"));
    answers(as("bob", ROLLOUT "/promote", "{\"reason\":\"another\"}"), 409, SAYS("is recorded"));
    answers(decide("ada", SECOND "/confirm", "{}"), 200, SAYS("held"));
    assert_string_equal(actor_seen, "bob and ada");
}

static int64_t later_s;

static struct rw_wall later(void *ctx)
{
    (void)ctx;
    return (struct rw_wall){1800000000 + later_s};
}

TEST(a_request_lapses)
{
    later_s = 0;
    core.clock.wall = later;
    ask_to_promote();
    later_s = 899;
    answers(decide("ada", SECOND "/confirm", "{}"), 409, SAYS("cannot confirm"));
    later_s = 900;
    answers(decide("bob", SECOND "/confirm", "{}"), 409,
            SAYS("\"POLICY\"", "is expired", "ask anew"));
    answers(job_for("GET", "/v1/second", ""), 200, SAYS("\"expired\"", "\"asked_by\":\"ada\""));
    answers(as("bob", ROLLOUT "/promote", "{\"reason\":\"again\"}"), 409, SAYS("is recorded"));
}

static const struct refused_case {
    const char *id, *verb, *body;
    int64_t generation_now;
    int status;
    const char *code, *names, *hint;
} refused[] = {
    {"no_reason", "/resume", "{}", 7, 400, "\"SCHEMA\"", "'reason'", "--reason"},
    {"stale", "/promote", "{\"reason\":\"x\",\"generation\":6}", 7, 409, "\"STALE\"",
     "generation 7, not 6", "rollout status"},
    {"no_rollout", "/promote", "{\"reason\":\"x\"}", 0, 404, "\"NOT_FOUND\"", "no rollout", ""},
};

TEST_EACH(a_request_is_refused_with_code_and_hint, refused)
{
    char pattern[128];
    (void)tear_down(NULL);
    (void)set_up(NULL);
    second.verbs[SECOND_PERSON_PROMOTE] = second.verbs[SECOND_PERSON_RESUME] = true;
    generation_now = it->generation_now;
    (void)snprintf(pattern, sizeof(pattern), ROLLOUT "%s", it->verb);
    answers(as("ada", pattern, it->body), it->status, SAYS(it->code, it->names, it->hint));
    answers(job_for("GET", "/v1/second", ""), 200, SAYS("\"requests\":[]"));
}

TEST(stopping_never_waits)
{
    second.verbs[SECOND_PERSON_PROMOTE] = second.verbs[SECOND_PERSON_RESUME] = true;
    answers(as("ada", ROLLOUT "/halt", "{\"reason\":\"x\"}"), 200, SAYS("held"));
    assert_int_equal(commanded, ROLLOUT_HALT);
}

TEST(what_was_never_asked_for_is_not_found)
{
    answers(decide("bob", SECOND "/confirm", "{}"), 404, SAYS("nobody has asked", "second list"));
    struct api_job job = decide("bob", SECOND "/confirm", "{}");
    job.req.params[0] = rw_span_str("halt");
    answers(job, 404, SAYS("'halt'", "promote, resume"));
    answers(decide("bob", SECOND "/refuse", "{}"), 400, SAYS("reason"));
}

static void list(const char *query, const char *want_first, size_t count, const char *next)
{
    struct api_job job = job_for("GET", "/v1/second", "");
    job.req.query = rw_span_str(query);
    int status = run(&job);
    const char *text = rw_buf_str(&job.reply.body);
    if (status != 200) { fail_msg("'%s' gives %d: %s", query, status, text); }
    size_t found = 0;
    for (const char *at = strstr(text, "\"verb\""); at != NULL; at = strstr(at + 1, "\"verb\"")) {
        found++;
    }
    assert_int_equal(found, count);
    if (strstr(text, want_first) == NULL) { fail_msg("'%s' lacks '%s'", text, want_first); }
    bool has_next = strstr(text, "\"next\"") != NULL;
    assert_int_equal(has_next, next != NULL);
    if (next != NULL && strstr(text, next) == NULL) { fail_msg("'%s' lacks '%s'", text, next); }
    api_job_drop(&job);
}

TEST(requests_come_in_pages_and_a_bad_cursor_is_refused)
{
    struct rw_err err;
    MUST(store_begin(&store, &err));
    for (int64_t release = 2; release <= 12; release++) {
        struct second s = {
            .release = release, .family = "yara", .rollout_generation = 1, .until = {.s = 9}};
        MUST(second_ask(&store, &s, &err));
    }
    MUST(store_commit(&store, &err));
    list("", "\"release\":2,", 11, NULL);
    list("limit=5", "\"release\":2,", 5, "\"next\":\"promote/yara/6\"");
    list("limit=5&after=promote/yara/6", "\"release\":7,", 5, "\"next\":\"promote/yara/11\"");
    list("limit=5&after=promote/yara/11", "\"release\":12,", 1, NULL);
    list("after=resume/yara/1", "\"requests\":[]", 0, NULL);
    static const char *const wrong[] = {"after=",
                                        "after=promote",
                                        "after=promote/yara",
                                        "after=halt/yara/1",
                                        "after=promote/yara/x",
                                        "limit=0",
                                        "limit=1001"};
    for (size_t i = 0; i < RW_LEN(wrong); i++) {
        struct api_job job = job_for("GET", "/v1/second", "");
        job.req.query = rw_span_str(wrong[i]);
        int status = run(&job);
        if (status != 400 && status != 404) { fail_msg("'%s' gives %d", wrong[i], status); }
        api_job_drop(&job);
    }
}

#define FRESH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

RUN_TESTS(FRESH(a_request_is_no_alarm_any_more_when_its_rollout_was_halted),
          FRESH(a_marked_verb_waits_for_another_person_and_happens_then),
          FRESH(the_audit_log_names_both),
          FRESH(a_confirmation_that_is_not_carried_out_leaves_nothing),
          FRESH(a_second_request_does_not_replace_one_that_waits), FRESH(a_request_lapses),
          FRESH(a_request_is_refused_with_code_and_hint), FRESH(stopping_never_waits),
          FRESH(what_was_never_asked_for_is_not_found),
          FRESH(requests_come_in_pages_and_a_bad_cursor_is_refused))
