#include "server/api/api_second.h"

#include "common/base/log.h"
#include "server/api/api_operator.h"

#include <stdio.h>

enum { BODY_BYTES_MAX = 4096, ACTOR_BYTES = 2 * SECOND_NAME_BYTES + 8 };

/* --- bodies --- */

struct decision {
    char reason[SECOND_REASON_BYTES];
};

static RW_RC read_decision(struct rw_span body, bool reason_needed, struct decision *out,
                           struct rw_err *err)
{
    static const char *const known[] = {"reason"};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    if (reason_needed || json_find(tree, "reason") != NULL) {
        RW_TRY(json_get_str(tree, "reason", out->reason, sizeof(out->reason), err));
    }
    if (reason_needed && out->reason[0] == '\0') {
        return rw_fail(err, RW_E_SCHEMA, "'reason' is empty; it is kept in the audit log");
    }
    return RW_OK;
}

static void prepare(struct api_job *job, bool reason_needed)
{
    struct rw_err err;
    struct decision *d = api_core_prepared(job, sizeof(*d));
    if (d == NULL) { return; }
    if (!rw_is_ok(read_decision(job->req.body, reason_needed, d, &err))) {
        api_reply_error(job, &err);
    }
}

static void prepare_confirm(struct api_job *job)
{
    prepare(job, false);
}

static void prepare_refuse(struct api_job *job)
{
    prepare(job, true);
}

/* --- asking --- */

static RW_RC fill(const struct api_core *c, const struct api_job *job,
                  const struct api_second_wish *wish, struct second *s, struct rw_err *err)
{
    *s = (struct second){
        .verb = wish->verb, .release = wish->id->number, .asked = rw_clock_wall(&c->clock)};
    s->until.s = s->asked.s + rollout_run_second(c->rollouts)->within_s;
    rw_copy(s->family, sizeof(s->family), wish->id->family, sizeof(wish->id->family));
    RW_TRY(
        rw_span_to_str(s->reason, sizeof(s->reason), rw_span_str(wish->reason), "'reason'", err));
    RW_TRY(rw_span_to_str(s->asked_by, sizeof(s->asked_by), rw_span_str(job->req.who.name), "name",
                          err));
    if (s->reason[0] == '\0') {
        RW_IGNORE(rw_fail(err, RW_E_SCHEMA, "'reason' is missing"), "hint");
        return rw_hint(err, "the second person decides by it: add --reason \"...\"");
    }
    RW_TRY(rollout_run_generation(c->rollouts, s->family, s->release, &s->rollout_generation, err));
    if (wish->generation != 0 && wish->generation != s->rollout_generation) {
        RW_IGNORE(rw_fail(err, RW_E_STALE, "%s/%lld is at generation %lld, not %lld any more",
                          s->family, (long long)s->release, (long long)s->rollout_generation,
                          (long long)wish->generation),
                  "hint");
        return rw_hint(err, "look again: ringward rollout status %s/%lld", s->family,
                       (long long)s->release);
    }
    return RW_OK;
}

static void log_second(const char *event, const struct second *s, const char *by)
{
    struct rw_log_line l;
    char text[RELEASE_KEY_BYTES];
    (void)snprintf(text, sizeof(text), "%s/%lld", s->family, (long long)s->release);
    rw_log_begin(&l, RW_LOG_INFO, event);
    rw_log_str(&l, "verb", second_person_name(s->verb));
    rw_log_str(&l, "release", text);
    rw_log_str(&l, "asked_by", s->asked_by);
    rw_log_str(&l, "by", by);
    rw_log_end(&l);
}

RW_RC api_second_ask(struct api_core *c, const struct api_job *job,
                     const struct api_second_wish *wish, struct rw_err *err)
{
    struct second s;
    char until[RW_TIME_TEXT_BYTES];
    RW_TRY(fill(c, job, wish, &s, err));
    RW_TRY(store_begin(c->store, err));
    RW_TRY(api_core_finish(c, second_ask(c->store, &s, err), err));
    log_second("second_asked", &s, job->req.who.name);
    rw_wall_format(until, s.until);
    RW_IGNORE(rw_fail(err, RW_E_SECOND,
                      "nothing has changed yet: to %s %s/%lld needs a second person, until %s",
                      second_person_name(s.verb), s.family, (long long)s.release, until),
              "hint");
    return rw_hint(
        err, "the request is recorded; another operator runs: ringward second confirm %s %s/%lld",
        second_person_name(s.verb), s.family, (long long)s.release);
}

/* --- deciding --- */

static RW_RC load(const struct api_core *c, const struct api_job *job, struct second *s,
                  struct rw_err *err)
{
    enum second_person_verb verb;
    struct release_id id;
    RW_TRY(api_operator_any_tenant(job, err));
    RW_TRY(second_person_find(job->req.params[0], &verb, err));
    RW_TRY(release_id_parse(job->req.params[1], job->req.params[2], &id, err));
    return second_load(c->store, verb, id.family, id.number, s, err);
}

/* INV-9: the decision, what it lets happen and both audit records are one transaction. */
static RW_RC carry_out(struct api_core *c, struct second *s, const char *who, const char *reason,
                       struct rw_err *err)
{
    static const enum rollout_rule_command commands[SECOND_PERSON_VERBS] = {
        [SECOND_PERSON_PROMOTE] = ROLLOUT_PROMOTE,
        [SECOND_PERSON_RESUME] = ROLLOUT_RESUME,
    };
    char both[ACTOR_BYTES];
    struct rw_wall now = rw_clock_wall(&c->clock);
    const struct rollout_run_actor actor = {.name = both, .reason = s->reason};
    RW_TRY(second_decide(c->store, s, true, who, reason, now, err));
    (void)snprintf(both, sizeof(both), "%s and %s", s->asked_by, who);
    struct rw_rc rc = rollout_run_command(c->rollouts, s->family, s->release, commands[s->verb],
                                          s->rollout_generation, &actor, now, err);
    if (rc.code != RW_E_STALE) { return rc; }
    return rw_hint(err, "it moved on since %s asked: look at it, and ask anew if it still needs it",
                   s->asked_by);
}

static RW_RC confirm(struct api_core *c, struct api_job *job, struct rw_err *err)
{
    const struct decision *d = job->prepared;
    struct second s;
    RW_TRY(load(c, job, &s, err));
    RW_TRY(store_begin(c->store, err));
    RW_TRY(api_core_finish(c, carry_out(c, &s, job->req.who.name, d->reason, err), err));
    log_second("second_confirmed", &s, job->req.who.name);
    struct json_writer w = json_begin(&job->reply.body);
    const struct rollout_run_look look = {.now = rw_clock_wall(&c->clock), .tenant = ""};
    RW_TRY(rollout_run_write(c->rollouts, s.family, s.release, &look, &w, err));
    return json_done(&w, err);
}

static RW_RC refuse(struct api_core *c, struct api_job *job, struct rw_err *err)
{
    const struct decision *d = job->prepared;
    struct rw_wall now = rw_clock_wall(&c->clock);
    struct second s;
    RW_TRY(load(c, job, &s, err));
    RW_TRY(store_begin(c->store, err));
    struct rw_rc rc = second_decide(c->store, &s, false, job->req.who.name, d->reason, now, err);
    RW_TRY(api_core_finish(c, rc, err));
    log_second("second_refused", &s, job->req.who.name);
    struct json_writer w = json_begin(&job->reply.body);
    second_write(&s, now, &w);
    return json_done(&w, err);
}

static void apply_confirm(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = confirm(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

static void apply_refuse(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = refuse(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

/* --- views --- */

struct view {
    struct json_writer *w;
    struct rw_wall now;
    const struct rollout_run *rollouts; /* of alarms */
    char last[STORE_ID_BYTES];          /* of the list: "promote/yara/12" */
};

static RW_RC list_one(void *arg, const struct second *s, struct rw_err *err)
{
    struct view *v = arg;
    (void)err;
    second_write(s, v->now, v->w);
    (void)snprintf(v->last, sizeof(v->last), "%s/%s/%lld", second_person_name(s->verb), s->family,
                   (long long)s->release);
    return RW_OK;
}

static RW_RC read_page(const struct api_request *req, struct store_page *page, struct rw_err *err)
{
    struct rw_span part[3];
    enum second_person_verb verb;
    struct release_id id;
    bool given = false;
    RW_TRY(api_query_after(req, "VERB/FAMILY/NUMBER", part, &given, err));
    if (given) {
        RW_TRY(second_person_find(part[0], &verb, err));
        RW_TRY(release_id_parse(part[1], part[2], &id, err));
        second_page_after(verb, id.family, id.number, page);
    }
    return api_query_i64(req, "limit", 1, STORE_PAGE_MAX, &page->limit, err);
}

static RW_RC write_list(const struct api_core *c, struct api_job *job, struct rw_err *err)
{
    struct json_writer w = json_begin(&job->reply.body);
    struct view v = {.w = &w, .now = rw_clock_wall(&c->clock)};
    struct store_page page = {.limit = STORE_PAGE_DEFAULT};
    RW_TRY(read_page(&job->req, &page, err));
    json_open_object(&w, NULL);
    json_open_array(&w, "requests");
    RW_TRY(second_each(c->store, &page, list_one, &v, err));
    json_close_array(&w);
    if (page.more) { json_put_str(&w, "next", v.last); }
    json_close_object(&w);
    return json_done(&w, err);
}

static void apply_list(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = write_list(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

static RW_RC alarm_one(void *arg, const struct second *s, struct rw_err *err)
{
    const struct view *v = arg;
    char until[RW_TIME_TEXT_BYTES];
    struct rw_err text;
    (void)err;
    if (second_rule_now(s->state, s->until, v->now) != SECOND_OPEN) { return RW_OK; }
    /* A halt is for good: nobody can confirm it any more, so nobody need be called. */
    if (rollout_run_halted(v->rollouts, s->family, s->release)) { return RW_OK; }
    rw_wall_format(until, s->until);
    RW_IGNORE(rw_fail(&text, RW_E_SECOND,
                      "%s asks to %s %s/%lld: waits for a second person until %s", s->asked_by,
                      second_person_name(s->verb), s->family, (long long)s->release, until),
              "only the text is wanted");
    json_put_str(v->w, NULL, text.text);
    return RW_OK;
}

RW_RC api_second_write_alarms(const struct api_core *c, struct rw_wall now, struct json_writer *w,
                              struct rw_err *err)
{
    struct view v = {.w = w, .now = now, .rollouts = c->rollouts};
    return second_each(c->store, NULL, alarm_one, &v, err);
}

#define SECOND "/v1/second/{verb}/{family}/{number}"

const struct api_route api_second_routes[] = {
    {.method = "GET", .pattern = "/v1/second", .auth = API_AUTH_VIEWER, .apply = apply_list},
    {.method = "POST",
     .pattern = SECOND "/confirm",
     .auth = API_AUTH_OPERATOR,
     .body_bytes_max = BODY_BYTES_MAX,
     .prepare = prepare_confirm,
     .apply = apply_confirm},
    {.method = "POST",
     .pattern = SECOND "/refuse",
     .auth = API_AUTH_OPERATOR,
     .body_bytes_max = BODY_BYTES_MAX,
     .prepare = prepare_refuse,
     .apply = apply_refuse},
};
const size_t api_second_route_count = RW_LEN(api_second_routes);
