#include "common/template/template_match.h"

#include <string.h>

/* The set's own number of the event's type; type_count when content does not speak of it. */
static size_t type_of(const struct template_set *s, const struct template_event *e)
{
    size_t i = 0;
    while (i < s->type_count && strcmp(s->types[i].name, e->type->name) != 0) {
        i++;
    }
    return i;
}

static RW_RC fault(const struct template_instance *one, const struct template_event *e,
                   struct rw_err *err)
{
    return rw_fail(err, RW_E_SCHEMA,
                   "instance '%s' does not fit events of type '%s': %zu criteria, %zu fields",
                   one->id, e->type->name, one->criterion_count, e->type->field_count);
}

RW_RC template_match(const struct template_set *s, const struct template_event *e,
                     template_on_hit *hit, void *ctx, struct rw_err *err)
{
    struct rw_rc rc = RW_OK;
    size_t type = type_of(s, e);
    for (size_t i = 0; type < s->type_count && i < s->instance_count; i++) {
        const struct template_instance *one = &s->instances[i];
        if (one->type != type) { continue; }
        enum template_rule_result r = template_rule_match(one->criteria, one->criterion_count,
                                                          e->values, e->type->field_count);
        if (r == TEMPLATE_YES) { hit(ctx, one); }
        if (r == TEMPLATE_FAULT && rw_is_ok(rc)) { rc = fault(one, e, err); }
    }
    return rc;
}

RW_RC template_match_forced(const struct template_set *s, const struct template_event *e,
                            template_on_hit *hit, void *ctx, struct rw_err *err)
{
    size_t type = type_of(s, e);
    for (size_t i = 0; type < s->type_count && i < s->instance_count; i++) {
        const struct template_instance *one = &s->instances[i];
        if (one->type != type) { continue; }
        struct template_rule_forced f = template_rule_force(one->criteria, one->criterion_count,
                                                            e->values, e->type->field_count);
        if (f.result == TEMPLATE_FAULT) { return fault(one, e, err); }
        if (f.evaluated != one->criterion_count ||
            f.result != template_rule_match(one->criteria, one->criterion_count, e->values,
                                            e->type->field_count)) {
            return rw_fail(err, RW_E_PROCESS,
                           "instance '%s' is judged in one way with a short cut and in another "
                           "without",
                           one->id);
        }
        if (f.result == TEMPLATE_YES) { hit(ctx, one); }
    }
    return RW_OK;
}
