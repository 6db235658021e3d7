/* Content and events made from the input's bytes: the engine in both ways against a judge that shares no code. */
#include "agent/prove/check_guard.h"
#include "agent/sensor/sensor_supply.h"
#include "common/template/template_match.h"
#include "tests/template_gen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    bool hit[GEN_INSTANCES_MAX];
};

static void note(void *ctx, const struct template_instance *one)
{
    ((struct seen *)ctx)->hit[one->id[1] - '0'] = true; /* "i0".."i5" */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gen_model g;
    struct rw_err err;
    struct gen_bytes bytes = {.p = data, .n = size};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 18);
    RW_AUTO(template_set) struct template_set set = {.tree = NULL};
    RW_AUTO(check_guard) struct check_guard guard = {.map = NULL};
    gen_make(&bytes, &sensor_supply, &g);
    RW_ASSERT(rw_is_ok(gen_content(&g, &text, &err)));
    RW_ASSERT(rw_is_ok(template_set_read(rw_buf_span(&text), &set, &err)));
    RW_ASSERT(rw_is_ok(template_manifest_check(&sensor_supply, &set, &err)) == (g.surplus == 0));
    RW_ASSERT(rw_is_ok(
        check_guard_open(&guard, TEMPLATE_FIELDS_MAX * sizeof(struct template_rule_value), &err)));
    for (size_t e = 0; e < g.event_count; e++) {
        struct seen fast = {{false}};
        struct seen forced = {{false}};
        RW_AUTO(template_event) struct template_event event = {.tree = NULL};
        rw_buf_clear(&text);
        RW_ASSERT(rw_is_ok(gen_event(&g, e, &text, &err)));
        RW_ASSERT(rw_is_ok(template_event_read(rw_buf_span(&text), &sensor_supply, &event, &err)));
        struct template_event guarded = event;
        guarded.values = check_guard_put(&guard, event.values,
                                         event.type->field_count * sizeof(event.values[0]));
        struct rw_rc one = template_match(&set, &guarded, note, &fast, &err);
        struct rw_rc two = template_match_forced(&set, &guarded, note, &forced, &err);
        RW_ASSERT(rw_is_ok(one) == (g.surplus == 0) && rw_is_ok(two) == (g.surplus == 0));
        for (size_t i = 0; i < g.instance_count && g.surplus == 0; i++) {
            bool want = gen_matches(&g, i, e);
            RW_ASSERT(fast.hit[i] == want && forced.hit[i] == want);
        }
    }
    return 0;
}
