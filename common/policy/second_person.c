#include "common/policy/second_person.h"

#include "common/base/num.h"

enum { WITHIN_S = 900, LONGEST_S = 86400 };

static const char *const names[SECOND_PERSON_VERBS] = {
    [SECOND_PERSON_PROMOTE] = "promote",
    [SECOND_PERSON_RESUME] = "resume",
};

const char *second_person_name(enum second_person_verb verb)
{
    RW_ASSERT(verb < SECOND_PERSON_VERBS);
    return names[verb];
}

RW_RC second_person_find(struct rw_span name, enum second_person_verb *out, struct rw_err *err)
{
    for (size_t i = 0; i < RW_LEN(names); i++) {
        if (rw_span_is(name, names[i])) {
            *out = (enum second_person_verb)i;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_NOT_FOUND,
                   "'%.*s' is no verb that a second person confirms: promote, resume",
                   (int)(name.n < 40 ? name.n : 40), (const char *)name.p);
}

static RW_RC read_verbs(const struct json *o, struct second_person *out, struct rw_err *err)
{
    const struct json *list = NULL;
    RW_TRY(json_get(o, "verbs", JSON_ARRAY, &list, err));
    for (const struct json *v = json_first(list); v != NULL; v = json_next(v)) {
        enum second_person_verb verb = SECOND_PERSON_VERBS;
        struct rw_err unknown;
        bool known =
            json_type(v) == JSON_STR && rw_is_ok(second_person_find(json_str(v), &verb, &unknown));
        if (!known) {
            RW_IGNORE(rw_fail(err, RW_E_SCHEMA,
                              "line %u: second_person.verbs: want 'promote' or 'resume'",
                              json_line(v)),
                      "hint");
            return rw_hint(
                err,
                "pause, halt and rollback stop something: they never wait for a second person");
        }
        if (out->verbs[verb]) {
            return rw_fail(err, RW_E_SCHEMA,
                           "line %u: second_person.verbs: '%s' stands there twice", json_line(v),
                           names[verb]);
        }
        out->verbs[verb] = true;
    }
    return RW_OK;
}

static RW_RC read_within(const struct json *o, struct second_person *out, struct rw_err *err)
{
    struct rw_span text;
    if (json_find(o, "within") == NULL) { return RW_OK; }
    RW_TRY(json_get_span(o, "within", &text, err));
    struct rw_rc rc =
        rw_parse_duration_s(text, LONGEST_S, "second_person.within", &out->within_s, err);
    if (!rw_is_ok(rc)) { return rw_wrap(err, "line %u", json_line(json_find(o, "within"))); }
    if (out->within_s < 1) {
        return rw_fail(err, RW_E_RANGE, "line %u: second_person.within: want at least 1s",
                       json_line(o));
    }
    return RW_OK;
}

RW_RC second_person_read(const struct json *policy, struct second_person *out, struct rw_err *err)
{
    static const char *const known[] = {"verbs", "within"};
    const struct json *o = NULL;
    *out = (struct second_person){.within_s = WITHIN_S};
    if (json_find(policy, "second_person") == NULL) { return RW_OK; }
    RW_TRY(json_get(policy, "second_person", JSON_OBJECT, &o, err));
    RW_TRY(json_only(o, known, RW_LEN(known), err));
    RW_TRY(read_verbs(o, out, err));
    return read_within(o, out, err);
}
