#include "server/rollout/second.h"

#include "common/base/num.h"
#include "server/report/audit_log.h"

#include <stdio.h>

#define KIND SECOND_DOC_KIND

enum { STORED_BYTES_MAX = 4096, RELEASE_MAX = 999999999 };

static const char *const state_names[SECOND_STATES] = {
    [SECOND_OPEN] = "open",
    [SECOND_CONFIRMED] = "confirmed",
    [SECOND_REFUSED] = "refused",
    [SECOND_EXPIRED] = "expired",
};

/* --- the document --- */

static RW_RC write_stored(const struct second *s, struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_str(&w, "verb", second_person_name(s->verb));
    json_put_str(&w, "family", s->family);
    json_put_int(&w, "release", s->release);
    json_put_int(&w, "rollout_generation", s->rollout_generation);
    json_put_str(&w, "reason", s->reason);
    json_put_str(&w, "asked_by", s->asked_by);
    json_put_int(&w, "asked", s->asked.s);
    json_put_int(&w, "until", s->until.s);
    json_put_str(&w, "state", state_names[s->state]);
    json_put_str(&w, "decided_by", s->decided_by);
    json_put_int(&w, "decided", s->decided.s);
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC get_state(const struct json *o, enum second_rule_state *out, struct rw_err *err)
{
    struct rw_span text;
    RW_TRY(json_get_span(o, "state", &text, err));
    for (size_t i = 0; i < SECOND_EXPIRED; i++) {
        if (rw_span_is(text, state_names[i])) {
            *out = (enum second_rule_state)i;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_SCHEMA, "'state' is not a known word");
}

static RW_RC read_members(const struct json *o, struct second *s, struct rw_err *err)
{
    static const char *const known[] = {"verb",   "family",     "release", "rollout_generation",
                                        "reason", "asked_by",   "asked",   "until",
                                        "state",  "decided_by", "decided"};
    struct rw_span verb;
    RW_TRY(json_only(o, known, RW_LEN(known), err));
    RW_TRY(json_get_span(o, "verb", &verb, err));
    RW_TRY(second_person_find(verb, &s->verb, err));
    RW_TRY(json_get_str(o, "family", s->family, sizeof(s->family), err));
    RW_TRY(json_get_int(o, "release", 1, RELEASE_MAX, &s->release, err));
    RW_TRY(json_get_int(o, "rollout_generation", 1, RW_JSON_INT_MAX, &s->rollout_generation, err));
    RW_TRY(json_get_str(o, "reason", s->reason, sizeof(s->reason), err));
    RW_TRY(json_get_str(o, "asked_by", s->asked_by, sizeof(s->asked_by), err));
    RW_TRY(json_get_int(o, "asked", 0, RW_JSON_INT_MAX, &s->asked.s, err));
    RW_TRY(json_get_int(o, "until", 0, RW_JSON_INT_MAX, &s->until.s, err));
    RW_TRY(get_state(o, &s->state, err));
    RW_TRY(json_get_str(o, "decided_by", s->decided_by, sizeof(s->decided_by), err));
    return json_get_int(o, "decided", 0, RW_JSON_INT_MAX, &s->decided.s, err);
}

static RW_RC read_stored(struct rw_span body, int64_t generation, struct second *out,
                         struct rw_err *err)
{
    RW_AUTO(json_tree) json_tree tree = NULL;
    *out = (struct second){.generation = generation};
    struct rw_rc rc = json_parse(body, &json_limits_small, &tree, err);
    if (rw_is_ok(rc)) { rc = read_members(tree, out, err); }
    return rw_is_ok(rc) ? rc : rw_wrap(err, "stored request for a second person");
}

RW_RC second_read(const struct store_doc *doc, struct second *out, struct rw_err *err)
{
    return read_stored(doc->body, doc->generation, out, err);
}

static void key_of(enum second_person_verb verb, const char *family, int64_t release,
                   char dst[static STORE_ID_BYTES])
{
    (void)snprintf(dst, STORE_ID_BYTES, "%s/%s/%010lld", second_person_name(verb), family,
                   (long long)release);
}

RW_RC second_load(struct store *store, enum second_person_verb verb, const char *family,
                  int64_t release, struct second *out, struct rw_err *err)
{
    char key[STORE_ID_BYTES];
    int64_t generation = 0;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORED_BYTES_MAX);
    key_of(verb, family, release, key);
    struct rw_rc rc = store_doc_get(store, KIND, key, &body, &generation, err);
    if (rc.code == RW_E_NOT_FOUND) {
        RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "nobody has asked to %s %s/%lld",
                          second_person_name(verb), family, (long long)release),
                  "hint");
        return rw_hint(err, "'ringward second list' shows what waits for a second person");
    }
    RW_TRY(rc);
    return read_stored(rw_buf_span(&body), generation, out, err);
}

static RW_RC put(struct store *store, struct second *s, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORED_BYTES_MAX);
    struct store_doc doc = {.generation = s->generation + 1};
    RW_TRY(write_stored(s, &body, err));
    key_of(s->verb, s->family, s->release, doc.id);
    doc.body = rw_buf_span(&body);
    RW_TRY(store_doc_put(store, KIND, &doc, err));
    s->generation++;
    return RW_OK;
}

/* NOLINTNEXTLINE(readability-function-size): which request, what was done, by whom, why and when */
static RW_RC audit(struct store *store, const struct second *s, const char *action, const char *who,
                   const char *reason, struct rw_wall now, struct rw_err *err)
{
    char object[96];
    RW_AUTO(rw_buf) struct rw_buf details = rw_buf_make(STORED_BYTES_MAX);
    struct json_writer w = json_begin(&details);
    (void)snprintf(object, sizeof(object), "%s %s/%lld", second_person_name(s->verb), s->family,
                   (long long)s->release);
    json_open_object(&w, NULL);
    json_put_str(&w, "asked_by", s->asked_by);
    if (s->decided_by[0] != '\0') { json_put_str(&w, "decided_by", s->decided_by); }
    json_put_int(&w, "rollout_generation", s->rollout_generation);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    const struct audit_log_entry entry = {.actor = who,
                                          .action = action,
                                          .object = object,
                                          .reason = reason,
                                          .details = rw_buf_span(&details)};
    return audit_log_append(store, &entry, now, err);
}

/* --- asking and deciding --- */

RW_RC second_ask(struct store *store, struct second *s, struct rw_err *err)
{
    struct second had;
    struct rw_rc rc = second_load(store, s->verb, s->family, s->release, &had, err);
    if (rw_is_ok(rc) && second_rule_now(had.state, had.until, s->asked) == SECOND_OPEN) {
        RW_IGNORE(rw_fail(err, RW_E_SECOND, "%s has asked already to %s %s/%lld", had.asked_by,
                          second_person_name(s->verb), s->family, (long long)s->release),
                  "hint");
        return rw_hint(err, "another person confirms it: ringward second confirm %s %s/%lld",
                       second_person_name(s->verb), s->family, (long long)s->release);
    }
    if (!rw_is_ok(rc) && rc.code != RW_E_NOT_FOUND) { return rc; }
    s->generation = rw_is_ok(rc) ? had.generation : 0;
    s->state = SECOND_OPEN;
    RW_TRY(put(store, s, err));
    return audit(store, s, "second.ask", s->asked_by, s->reason, s->asked, err);
}

static RW_RC refuse_decision(const struct second *s, enum second_rule_state state,
                             enum second_rule_answer answer, struct rw_err *err)
{
    const char *verb = second_person_name(s->verb);
    if (answer == SECOND_SAME_PERSON) {
        RW_IGNORE(rw_fail(err, RW_E_SECOND,
                          "%s has asked to %s %s/%lld and cannot confirm it as well", s->asked_by,
                          verb, s->family, (long long)s->release),
                  "hint");
        return rw_hint(err, "another operator has to run: ringward second confirm %s %s/%lld", verb,
                       s->family, (long long)s->release);
    }
    RW_IGNORE(rw_fail(err, RW_E_POLICY, "the request to %s %s/%lld is %s", verb, s->family,
                      (long long)s->release, state_names[state]),
              "hint");
    return rw_hint(err, "ask anew: ringward rollout %s --reason \"...\" %s/%lld", verb, s->family,
                   (long long)s->release);
}

/* NOLINTNEXTLINE(readability-function-size): which request, which decision, whose, why and when */
RW_RC second_decide(struct store *store, struct second *s, bool confirms, const char *who,
                    const char *reason, struct rw_wall now, struct rw_err *err)
{
    enum second_rule_state state = second_rule_now(s->state, s->until, now);
    enum second_rule_answer answer = second_rule_decide(state, s->asked_by, who, confirms);
    if (answer != SECOND_MAY) { return refuse_decision(s, state, answer, err); }
    s->state = confirms ? SECOND_CONFIRMED : SECOND_REFUSED;
    s->decided = now;
    RW_TRY(rw_span_to_str(s->decided_by, sizeof(s->decided_by), rw_span_str(who), "name", err));
    RW_TRY(put(store, s, err));
    return audit(store, s, confirms ? "second.confirm" : "second.refuse", who, reason, now, err);
}

/* --- views --- */

static void put_time(struct json_writer *w, const char *name, struct rw_wall t)
{
    char text[RW_TIME_TEXT_BYTES];
    rw_wall_format(text, t);
    json_put_str(w, name, text);
}

void second_write(const struct second *s, struct rw_wall now, struct json_writer *w)
{
    json_open_object(w, NULL);
    json_put_str(w, "verb", second_person_name(s->verb));
    json_put_str(w, "family", s->family);
    json_put_int(w, "release", s->release);
    json_put_str(w, "state", state_names[second_rule_now(s->state, s->until, now)]);
    json_put_str(w, "reason", s->reason);
    json_put_str(w, "asked_by", s->asked_by);
    put_time(w, "asked", s->asked);
    put_time(w, "until", s->until);
    json_put_int(w, "rollout_generation", s->rollout_generation);
    if (s->decided.s != 0) {
        json_put_str(w, "decided_by", s->decided_by);
        put_time(w, "decided", s->decided);
    }
    json_close_object(w);
}

struct walk {
    RW_RC (*each)(void *arg, const struct second *s, struct rw_err *err);
    void *arg;
};

static RW_RC walk_one(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    const struct walk *walk = arg;
    struct second s;
    RW_TRY(read_stored(doc->body, doc->generation, &s, err));
    return walk->each(walk->arg, &s, err);
}

void second_page_after(enum second_person_verb verb, const char *family, int64_t release,
                       struct store_page *page)
{
    key_of(verb, family, release, page->after);
}

RW_RC second_each(struct store *store, struct store_page *page,
                  RW_RC (*each)(void *arg, const struct second *s, struct rw_err *err), void *arg,
                  struct rw_err *err)
{
    struct walk walk = {.each = each, .arg = arg};
    if (page == NULL) { return store_doc_each(store, KIND, walk_one, &walk, err); }
    return store_page_each(store, KIND, page, walk_one, &walk, err);
}
