/* Goal: what operators set is kept with its audit record, keeps endpoints from permits without a trace in any count,
 * and never from the way off a bad release; who lags behind may take what went through, and only that. */
#include "server/rollout/rollout_control.h"

#include "tests/unit/rollout_world.h"

static const struct rollout_control_scope acme = {.name = "acme"};

static struct control hold(const struct world *w)
{
    return (struct control){
        .kind = CONTROL_HOLD, .since = w->now, .until = {w->now.s + 3600}, .by_operator = true};
}

static size_t of(const struct rollout_control_set *set, size_t ring, size_t number)
{
    struct control out[CONTROL_MAX];
    struct fleet_who me = who(ring, number);
    return rollout_control_of(set, &me, out);
}

TEST(what_is_set_survives_a_restart_and_is_on_record)
{
    struct world w;
    struct rw_err err;
    struct rollout_control_set *set = NULL;
    struct rollout_control_scope one = {.endpoint = true};
    begin(&w);
    struct control c = hold(&w);
    struct fleet_who me = who(0, 3);
    rw_hex_encode(one.name, sizeof(one.name), me.endpoint, sizeof(me.endpoint));
    MUST(rollout_control_open(&w.store, &set, &err));
    assert_int_equal(of(set, 0, 1), 0);
    MUST(rollout_control_put(set, &acme, &c, &ada, &err));
    c.until.s += 60; /* another hold takes its place */
    MUST(rollout_control_put(set, &acme, &c, &ada, &err));
    c = (struct control){.kind = CONTROL_BACK, .amount = 1, .since = w.now};
    MUST(rollout_control_put(set, &one, &c, &ada, &err));
    c = (struct control){.kind = CONTROL_RELEASE, .amount = 7, .family = "yara", .since = w.now};
    MUST(rollout_control_put(set, &one, &c, &ada, &err));
    assert_int_equal(of(set, 0, 1), 1);
    assert_int_equal(of(set, 0, 3), 3);
    rollout_control_drop(&set);
    MUST(rollout_control_open(&w.store, &set, &err));
    assert_int_equal(of(set, 0, 1), 1);
    assert_int_equal(of(set, 0, 3), 3);
    MUST(rollout_control_clear(set, &acme, &ada, w.now, &err));
    assert_int_equal(of(set, 0, 1), 0);
    MUST_FAIL(rollout_control_clear(set, &acme, &ada, w.now, &err), RW_E_NOT_FOUND);
    rollout_control_drop(&set);
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(65536);
    struct json_writer out = json_begin(&text);
    MUST(audit_log_write_page(&w.store, 0, 100, &out, &err));
    assert_non_null(strstr(rw_buf_str(&text), "control.set"));
    assert_non_null(strstr(rw_buf_str(&text), "pin yara/7 of endpoint"));
    assert_non_null(strstr(rw_buf_str(&text), "control.clear"));
    end(&w); /* verifies the chain */
}

/* INV-12: what is old is told; INV-11: to the tenant that it is set for, and to who sees all. */
TEST(inv_11_old_controls_are_told_to_their_tenant_alone)
{
    static const struct {
        const char *reader;
        bool told_acme, told_endpoint;
    } cases[] = {{"", true, true}, {"acme", true, false}, {"initech", false, false}};
    struct world w;
    struct rw_err err;
    struct rollout_control_set *set = NULL;
    struct rollout_control_scope one = {.endpoint = true,
                                        .name = "0123456789abcdef0123456789abcdef"};
    begin(&w);
    const struct control c = {.kind = CONTROL_BACK, .amount = 1, .since = w.now};
    MUST(rollout_control_open(&w.store, &set, &err));
    MUST(rollout_control_put(set, &acme, &c, &ada, &err));
    MUST(rollout_control_put(set, &one, &c, &ada, &err));
    for (size_t i = 0; i < RW_LEN(cases); i++) {
        RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(65536);
        struct json_writer out = json_begin(&text);
        json_open_array(&out, NULL);
        rollout_control_write_alarms(set, cases[i].reader, &w.policy.controls,
                                     (struct rw_wall){w.now.s + 365 * 86400}, &out);
        json_close_array(&out);
        MUST(json_done(&out, &err));
        assert_int_equal(strstr(rw_buf_str(&text), "tenant acme") != NULL, cases[i].told_acme);
        assert_int_equal(strstr(rw_buf_str(&text), one.name) != NULL, cases[i].told_endpoint);
    }
    rollout_control_drop(&set);
    end(&w);
}

static RW_RC no_record(void *ctx, const struct store_audit *a, struct rw_err *err)
{
    (void)ctx;
    (void)a;
    return rw_fail(err, RW_E_FULL, "the disk is full");
}

TEST(inv_9_what_cannot_be_recorded_is_set_neither_in_store_nor_memory)
{
    struct world w;
    struct rw_err err;
    struct rollout_control_set *set = NULL;
    begin(&w);
    const struct control c = {.kind = CONTROL_PAUSE, .since = w.now};
    MUST(rollout_control_open(&w.store, &set, &err));
    const struct store_backend *whole = w.store.backend;
    struct store_backend broken = *whole;
    broken.audit_append = no_record;
    w.store.backend = &broken;
    MUST_FAIL(rollout_control_put(set, &acme, &c, &ada, &err), RW_E_FULL);
    w.store.backend = whole;
    MUST_FAIL(rollout_control_clear(set, &acme, &ada, w.now, &err), RW_E_NOT_FOUND);
    rollout_control_drop(&set);
    MUST(rollout_control_open(&w.store, &set, &err));
    MUST_FAIL(rollout_control_clear(set, &acme, &ada, w.now, &err), RW_E_NOT_FOUND);
    rollout_control_drop(&set);
    end(&w);
}

static bool keeps(const struct world *w, const struct control *c, size_t ring, int64_t release,
                  int64_t from, struct beacon_permit_answer *a)
{
    struct beacon_permit_request q = {.family = "yara", .release = release, .from = from};
    (void)snprintf(q.ring, sizeof(q.ring), "%s", ring_names[ring]);
    return rollout_control_keeps(w->run, &q, c, 1, w->now, a);
}

TEST(kept_endpoint_waits_and_counts_nowhere)
{
    struct world w;
    struct beacon_permit_answer a;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    struct control c = hold(&w);
    struct fleet_counts before = fleet_state_counts(w.fleet, "yara", 1, ring_names[0], NULL);
    assert_true(keeps(&w, &c, 0, 1, 0, &a));
    assert_int_equal(a.decision, BEACON_PERMIT_WAIT);
    assert_non_null(strstr(a.reason, "held by the operator until"));
    struct fleet_counts after = fleet_state_counts(w.fleet, "yara", 1, ring_names[0], NULL);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(exposed(&w, 1, 0), 0);
    w.now.s += 3600;
    assert_false(keeps(&w, &c, 0, 1, 0, &a));
    end(&w);
}

TEST(nobody_is_kept_at_what_was_halted_or_is_not_listed)
{
    struct world w;
    struct rw_err err;
    struct beacon_permit_answer a;
    begin(&w);
    all_alive(&w, 0);
    run_good(&w, 1);
    start(&w, 2);
    tick(&w);
    MUST(command(&w, 2, ROLLOUT_HALT, 0, &err));
    tick(&w);
    run_good(&w, 3);
    struct control c = hold(&w);
    int infos = w.infos;
    assert_true(keeps(&w, &c, 0, 3, 1, &a));
    assert_false(keeps(&w, &c, 0, 3, 2, &a));  /* halted */
    assert_false(keeps(&w, &c, 0, 3, 10, &a)); /* not listed */
    assert_int_equal(w.infos,
                     infos); /* whatever an endpoint says it runs, nothing is read for it */
    end(&w);
}

TEST(who_lags_behind_gets_what_went_through_and_nothing_else)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    run_good(&w, 1);
    start(&w, 2);
    tick(&w);
    MUST(command(&w, 2, ROLLOUT_HALT, 0, &err));
    tick(&w);
    run_good(&w, 3);
    run_good(&w, 4);
    tick(&w);
    int64_t before = exposed(&w, 4, 0);
    assert_int_equal(ask(&w, 0, PER_RING + 1, 3).decision, BEACON_PERMIT_GRANTED);
    assert_int_equal(exposed(&w, 4, 0), before); /* its vote is on what it takes */
    assert_int_equal(ask(&w, 0, PER_RING + 2, 2).decision, BEACON_PERMIT_REFUSED);
    end(&w);
}

TEST(unpausable_class_is_refused_to_controls_never_to_a_pause_of_a_rollout)
{
    struct world w;
    struct rw_err err;
    struct control c = {.kind = CONTROL_HOLD, .family = "yara"};
    begin(&w);
    all_alive(&w, 0);
    w.run->policy.classes[0].unpausable = true;
    w.run->policy.classes[0].unpausable_line = 4;
    MUST(rollout_control_check(w.run, &c, &err)); /* nothing is known of the family yet */
    start(&w, 1);
    tick(&w);
    MUST_FAIL(rollout_control_check(w.run, &c, &err), RW_E_POLICY);
    assert_non_null(strstr(err.text,
                           "hold of family 'yara' is refused: class 'rules' cannot be controlled "
                           "(policy line 4)"));
    assert_non_null(strstr(err.hint, "rollout pause"));
    c.family[0] = '\0'; /* every family: others may be kept */
    MUST(rollout_control_check(w.run, &c, &err));
    /* Stopping is always possible. */
    MUST(command(&w, 1, ROLLOUT_PAUSE, 0, &err));
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_WAIT);
    /* A family with releases of other classes, too. */
    w.run->policy.classes[0].unpausable = false;
    (void)snprintf(c.family, sizeof(c.family), "yara");
    MUST(rollout_control_check(w.run, &c, &err));
    end(&w);
}

RUN_TESTS(cmocka_unit_test(unpausable_class_is_refused_to_controls_never_to_a_pause_of_a_rollout),
          cmocka_unit_test(what_is_set_survives_a_restart_and_is_on_record),
          cmocka_unit_test(inv_11_old_controls_are_told_to_their_tenant_alone),
          cmocka_unit_test(inv_9_what_cannot_be_recorded_is_set_neither_in_store_nor_memory),
          cmocka_unit_test(kept_endpoint_waits_and_counts_nowhere),
          cmocka_unit_test(nobody_is_kept_at_what_was_halted_or_is_not_listed),
          cmocka_unit_test(who_lags_behind_gets_what_went_through_and_nothing_else))
