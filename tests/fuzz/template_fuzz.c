/* Hostile template content and events: content, a NUL byte, then event lines. What reads is compared with a sensor and
 * matched in both ways; the event's values lie flush against a guard page. */
#include "agent/prove/check_guard.h"
#include "agent/sensor/sensor_supply.h"
#include "common/template/template_match.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *ctx, const struct template_instance *one)
{
    (void)one;
    ++*(size_t *)ctx;
}

static void match(const struct template_set *set, struct rw_span line, struct check_guard *g)
{
    struct rw_err err;
    size_t short_cut = 0;
    size_t forced = 0;
    RW_AUTO(template_event) struct template_event e = {.tree = NULL};
    if (!rw_is_ok(template_event_read(line, &sensor_supply, &e, &err))) { return; }
    struct template_event guarded = e;
    guarded.values = check_guard_put(g, e.values, e.type->field_count * sizeof(e.values[0]));
    struct rw_rc one = template_match(set, &guarded, count, &short_cut, &err);
    struct rw_rc two = template_match_forced(set, &guarded, count, &forced, &err);
    RW_ASSERT(two.code != RW_E_PROCESS); /* the two ways differ */
    RW_ASSERT(rw_is_ok(one) == rw_is_ok(two));
    RW_ASSERT(!rw_is_ok(one) || short_cut == forced);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_err err;
    struct rw_span line;
    RW_AUTO(template_set) struct template_set set = {.tree = NULL};
    RW_AUTO(check_guard) struct check_guard g = {.map = NULL};
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    size_t n = nul != NULL ? (size_t)(nul - data) : size;
    if (!rw_is_ok(template_set_read(rw_span_of(data, n), &set, &err))) { return 0; }
    RW_ASSERT(set.type_count > 0 && set.instance_count > 0);
    for (size_t i = 0; i < set.instance_count; i++) {
        const struct template_instance *one = &set.instances[i];
        RW_ASSERT(one->criterion_count == set.types[one->type].field_count);
    }
    /* Compared or not: content that was never compared must be a fault and not an over-read. */
    RW_IGNORE(template_manifest_check(&sensor_supply, &set, &err), "both are tried");
    RW_ASSERT(rw_is_ok(
        check_guard_open(&g, TEMPLATE_FIELDS_MAX * sizeof(struct template_rule_value), &err)));
    struct rw_span rest = nul != NULL ? rw_span_of(nul + 1, size - n - 1) : rw_span_of(NULL, 0);
    while (template_event_line(&rest, &line)) {
        match(&set, line, &g);
    }
    return 0;
}
