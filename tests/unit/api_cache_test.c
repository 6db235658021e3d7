/* Goal: who asks often does not make the server work often. */
#include "server/api/api_cache.h"
#include "tests/harness.h"

static int64_t now_ms;
static int64_t cost_ms;
static int made;
static bool broken;

static struct rw_mono mono(void *ctx)
{
    (void)ctx;
    return (struct rw_mono){now_ms};
}

static RW_RC make(void *arg, struct rw_buf *into, struct rw_err *err)
{
    now_ms += cost_ms;
    made++;
    if (broken) { return rw_fail(err, RW_E_STORE, "broken"); }
    return rw_buf_appendf(into, err, "%s %d", (const char *)arg, made);
}

static void ask(struct api_cache *c, const char *want)
{
    struct rw_err err;
    char arg[] = "made";
    const struct rw_clock clock = {.mono = mono};
    RW_AUTO(rw_buf) struct rw_buf into = rw_buf_make(100);
    MUST(api_cache_get(c, &clock, make, arg, &into, &err));
    assert_string_equal(rw_buf_str(&into), want);
}

TEST(all_who_ask_within_a_second_get_one_text)
{
    struct api_cache c = {.made = 0};
    now_ms = made = 0;
    cost_ms = 1;
    for (int i = 0; i < 1000; i++) {
        ask(&c, "made 1");
    }
    now_ms += API_CACHE_MS - 1;
    ask(&c, "made 1");
    now_ms++;
    ask(&c, "made 2");
    assert_int_equal(c.made, 2);
    api_cache_drop(&c);
}

TEST(what_took_long_is_good_for_longer)
{
    struct api_cache c = {.made = 0};
    now_ms = made = 0;
    cost_ms = 300;
    ask(&c, "made 1");
    now_ms += 300 * API_CACHE_COST_PARTS - 1;
    ask(&c, "made 1");
    now_ms++;
    ask(&c, "made 2");
    api_cache_drop(&c);
}

TEST(a_failure_is_not_kept)
{
    struct rw_err err;
    char arg[] = "made";
    const struct rw_clock clock = {.mono = mono};
    struct api_cache c = {.made = 0};
    RW_AUTO(rw_buf) struct rw_buf into = rw_buf_make(100);
    now_ms = made = 0;
    broken = true;
    MUST_FAIL(api_cache_get(&c, &clock, make, arg, &into, &err), RW_E_STORE);
    broken = false;
    ask(&c, "made 2");
    api_cache_drop(&c);
}

RUN_TESTS(cmocka_unit_test(all_who_ask_within_a_second_get_one_text),
          cmocka_unit_test(what_took_long_is_good_for_longer),
          cmocka_unit_test(a_failure_is_not_kept))
