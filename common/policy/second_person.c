#include "common/policy/second_person.h"

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

static RW_RC read_verbs(const struct policy_at *o, struct second_person *out, struct rw_err *err)
{
    struct policy_at list;
    size_t index = 0;
    RW_TRY(policy_read_need(o, "verbs", JSON_ARRAY, &list, err));
    for (const struct json *v = json_first(list.v); v != NULL; v = json_next(v), index++) {
        const struct policy_at at = policy_read_element(&list, v, index);
        enum second_person_verb verb = SECOND_PERSON_VERBS;
        struct rw_err unknown;
        bool known =
            json_type(v) == JSON_STR && rw_is_ok(second_person_find(json_str(v), &verb, &unknown));
        if (!known) {
            RW_IGNORE(policy_read_refuse(&at, RW_E_SCHEMA, err, "want 'promote' or 'resume'"),
                      "hint");
            return rw_hint(
                err,
                "pause, halt and rollback stop something: they never wait for a second person");
        }
        if (out->verbs[verb]) {
            RW_IGNORE(
                policy_read_refuse(&at, RW_E_SCHEMA, err, "'%s' stands there twice", names[verb]),
                "hint");
            return rw_hint(err, "take one of them out");
        }
        out->verbs[verb] = true;
    }
    return RW_OK;
}

RW_RC second_person_read(const struct policy_at *policy, struct second_person *out,
                         struct rw_err *err)
{
    static const char *const known[] = {"verbs", "within"};
    struct policy_at o;
    *out = (struct second_person){.within_s = WITHIN_S};
    RW_TRY(policy_read_opt(policy, "second_person", JSON_OBJECT, &o, err));
    if (o.v == NULL) { return RW_OK; }
    RW_TRY(policy_read_only(&o, known, RW_LEN(known), err));
    RW_TRY(read_verbs(&o, out, err));
    return policy_read_duration(&o, "within", (struct policy_range){1, LONGEST_S}, &out->within_s,
                                err);
}
