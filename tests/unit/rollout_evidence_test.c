/* Goal: control that was borrowed in an incident, and windows that were not judged in it, can be told afterwards
 * (INV-12): they come through the store and a restart, and are shown. Every older stored form is read; whatever is no
 * such form is refused. */
#include "server/rollout/rollout_cause.h"
#include "server/rollout/rollout_evidence.h"
#include "tests/unit/rollout_audit.h"

enum {
    TREATED = 2,
    FORMAT_BORROWED = 4,
    HEAD_BYTES = 29, /* format, rings, scopes, three times */
    RESUMES_BYTES = 8,
    NUMBERS_IN = 26,
    MIX_BYTES = 3 * LATE_RULE_RATIOS * 8,
    SCOPE_BYTES = NUMBERS_IN * 8 + MIX_BYTES,
    BORROWED_AT = HEAD_BYTES + 22 * 8, /* in the first scope: canary as a whole */
};

/* Two of canary, one of each cohort, are exposed and have no control in their ring; all of the ring behind it is
 * control. Nobody is heard of any more until every window has closed. */
static void fall_silent(struct world *w)
{
    begin(w);
    send(w, 0, 0, BEACON_ALIVE, 0);
    send(w, 0, 1, BEACON_ALIVE, 0);
    start(w, 1);
    tick(w);
    for (size_t i = 0; i < TREATED; i++) {
        assert_int_equal(ask(w, 0, i, 1).decision, BEACON_PERMIT_GRANTED);
    }
    for (size_t i = 0; i < PER_RING; i++) {
        send(w, 1, i, BEACON_ALIVE, 0);
    }
    commit(w);
    w->now.s += 1200;
    tick(w);
}

static void stored(struct world *w, struct rw_buf *body, int64_t *generation)
{
    struct rw_err err;
    MUST(store_doc_get(&w->store, "evidence", "yara/0000000001", body, generation, &err));
}

enum { ABSENT = -1 };

/* The first term dark_control in the text has that number, or none of that name. */
static void expect_told(const char *text, const char *name, int want)
{
    char member[64];
    const char *term = text == NULL ? NULL : strstr(text, "\"term\":\"dark_control\"");
    const char *term_end = term == NULL ? NULL : strchr(term, '}');
    if (term_end == NULL) {
        fail_msg("no such scope, or no such term in it");
        return;
    }
    (void)snprintf(member, sizeof(member), "\"%s\":", name);
    if (want != ABSENT) { (void)snprintf(member, sizeof(member), "\"%s\":%d,", name, want); }
    const char *found = strstr(term, member);
    assert_int_equal(found != NULL && found < term_end, want != ABSENT);
}

static void explain(struct world *w, struct rw_buf *text)
{
    struct rw_err err;
    struct json_writer j = json_begin(text);
    MUST(rollout_run_explain(w->run, "yara", 1, &j, &err));
    MUST(json_done(&j, &err));
}

TEST(inv_12_borrowed_control_and_unjudged_windows_are_told_also_after_a_restart)
{
    struct world w;
    fall_silent(&w);
    assert_false(the(&w, 1)->halt.there);
    for (int round = 0; round < 2; round++) {
        RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 20);
        explain(&w, &text);
        const char *s = rw_buf_str(&text);
        const char *whole = strstr(s, "\"terms\":[");
        const char *cohort = strstr(s, "\"cohorts\":[");
        const char *broad = strstr(s, "\"ring\":\"broad\"");
        expect_told(whole, "borrowed", PER_RING);
        expect_told(whole, "borrowed_failures", PER_RING);
        expect_told(whole, "control", 0);
        expect_told(whole, "unjudged", ABSENT);
        expect_told(cohort, "unjudged", 1);
        expect_told(cohort, "unjudged_failures", 1);
        expect_told(cohort, "borrowed", ABSENT);
        expect_told(broad, "borrowed", ABSENT); /* its control is its own */
        restart(&w);
        tick(&w);
    }
    end(&w);
}

/* What a halt rests on goes into its audit record by these members. */
TEST(inv_12_the_cause_of_a_stop_tells_what_darkness_was_held_against)
{
    static struct rollout_facts f;
    struct rw_err err;
    f = (struct rollout_facts){.has_culprit = true, .culprit_term = HEALTH_DARK_CONTROL};
    f.culprit.terms[HEALTH_DARK_CONTROL] = (struct rollout_facts_term){.failures = 90,
                                                                       .exposures = 100,
                                                                       .control_failures = 3,
                                                                       .control = 7,
                                                                       .borrowed_failures = 60,
                                                                       .borrowed = 600};
    static const char members[] = "\"control_failures\":3,\"control\":7,\"borrowed_failures\":60,"
                                  "\"borrowed\":600,\"log_e\"";
    for (int round = 0; round < 3; round++) {
        RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 16);
        struct json_writer j = json_begin(&text);
        if (round == 1) {
            f.verdict = VERDICT_TENANT;
        } /* the others are what it was held against */
        if (round == 2) {
            f = (struct rollout_facts){.has_culprit = true, .culprit_term = HEALTH_DARK};
        }
        const struct rollout_cause cause = rollout_cause_of("canary", &f);
        json_open_object(&j, NULL);
        rollout_cause_put(&j, &cause);
        json_close_object(&j);
        MUST(json_done(&j, &err));
        assert_int_equal(strstr(rw_buf_str(&text), members) != NULL, round == 0);
        assert_int_equal(strstr(rw_buf_str(&text), "\"control") != NULL, round == 0);
    }
}

/* A tenant that is held is taken out by working all buckets in anew: nothing may be counted twice. */
TEST(inv_11_what_is_worked_in_anew_is_borrowed_once)
{
    struct world w;
    fall_silent(&w);
    struct rollout_evidence *e = the(&w, 1)->evidence;
    assert_non_null(e);
    rollout_evidence_take_out(e, the(&w, 1), w.fleet, w.now);
    assert_int_equal(rollout_evidence_scope(e, 0, 0)->late.borrowed, PER_RING);
    assert_int_equal(rollout_evidence_scope(e, 0, 1)->late.unjudged, 1);
    end(&w);
}

/* The same evidence as a program of before has stored it. */
static void in_format(const struct rw_buf *body, uint8_t format, struct rw_buf *out)
{
    static const size_t numbers[] = {0, 10, 21, 22, NUMBERS_IN};
    struct rw_err err;
    const uint8_t *b = rw_buf_span(body).p;
    assert_true(body->n > HEAD_BYTES && (body->n - HEAD_BYTES) % SCOPE_BYTES == 0);
    MUST(rw_buf_append(out, (struct rw_span){&format, 1}, &err));
    MUST(rw_buf_append(
        out, (struct rw_span){b + 1, HEAD_BYTES - 1 - (format == 1 ? RESUMES_BYTES : 0)}, &err));
    for (size_t at = HEAD_BYTES; at < body->n; at += SCOPE_BYTES) {
        const uint8_t *mix = b + at + (size_t)NUMBERS_IN * 8;
        MUST(rw_buf_append(out, (struct rw_span){b + at, numbers[format] * 8}, &err));
        MUST(rw_buf_append(out, (struct rw_span){mix, MIX_BYTES}, &err));
    }
}

/* Stores it and reads it; NULL: it is refused. */
static struct rollout_evidence *read_back(struct world *w, struct rw_span body)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf before = rw_buf_make(1 << 20);
    struct store_doc doc = {.id = "yara/0000000001", .body = body};
    struct rollout_evidence *e = NULL;
    stored(w, &before, &doc.generation);
    doc.generation++;
    MUST(store_begin(&w->store, &err));
    MUST(store_doc_put(&w->store, "evidence", &doc, &err));
    MUST(store_commit(&w->store, &err));
    struct rw_rc rc = rollout_evidence_open(&w->store, the(w, 1), w->now, &e, &err);
    if (!rw_is_ok(rc)) { assert_int_equal(rc.code, RW_E_PROTOCOL); }
    return e;
}

TEST(every_older_form_is_read_and_borrows_nothing)
{
    struct world w;
    int64_t generation = 0;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(1 << 20);
    fall_silent(&w);
    stored(&w, &body, &generation);
    assert_int_equal(rw_buf_span(&body).p[0], FORMAT_BORROWED);
    for (int format = 1; format <= FORMAT_BORROWED; format++) {
        RW_AUTO(rw_buf) struct rw_buf older = rw_buf_make(1 << 20);
        in_format(&body, (uint8_t)format, &older);
        struct rollout_evidence *e = read_back(&w, rw_buf_span(&older));
        assert_non_null(e);
        struct late_rule got = rollout_evidence_scope(e, 0, 0)->late;
        struct late_rule want = rollout_evidence_scope(the(&w, 1)->evidence, 0, 0)->late;
        bool all = format == FORMAT_BORROWED;
        assert_int_equal(got.borrowed, all ? want.borrowed : 0);
        assert_int_equal(got.borrowed_dark, all ? want.borrowed_dark : 0);
        assert_memory_equal(&got.dark, &want.dark, sizeof(got.dark));
        assert_true(got.windows == want.windows && got.drips == want.drips);
        rollout_evidence_drop(&e);
    }
    end(&w);
}

TEST(what_is_no_such_form_is_refused)
{
    struct world w;
    struct rw_err err;
    int64_t generation = 0;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(1 << 20);
    fall_silent(&w);
    stored(&w, &body, &generation);
    uint8_t *b = (uint8_t *)body.p;
    assert_null(read_back(&w, (struct rw_span){b, body.n - 1}));
    assert_null(read_back(&w, (struct rw_span){b, HEAD_BYTES}));
    b[0] = FORMAT_BORROWED - 1; /* another number of integers than it says */
    assert_null(read_back(&w, rw_buf_span(&body)));
    b[0] = FORMAT_BORROWED + 1;
    assert_null(read_back(&w, rw_buf_span(&body)));
    b[0] = FORMAT_BORROWED;
    for (size_t pair = 0; pair < 2; pair++) { /* more dark than there were: borrowed, unjudged */
        uint8_t *dark = b + BORROWED_AT + (2 * pair + 1) * 8;
        uint8_t was = dark[0];
        dark[0] = PER_RING + 1;
        assert_null(read_back(&w, rw_buf_span(&body)));
        dark[0] = was;
    }
    MUST(rw_buf_append(&body, rw_span_str("x"), &err));
    assert_null(read_back(&w, rw_buf_span(&body)));
    end(&w);
}

/* Without an incident a program of before can go on with it. */
TEST(who_borrowed_nothing_is_stored_as_before)
{
    struct world w;
    int64_t generation = 0;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(1 << 20);
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    for (int m = 0; m < 3; m++) {
        minute(&w, 1, 0);
    }
    stored(&w, &body, &generation);
    assert_int_equal(rw_buf_span(&body).p[0], 2);
    end(&w);
}

RUN_TESTS(
    cmocka_unit_test(inv_12_the_cause_of_a_stop_tells_what_darkness_was_held_against),

    cmocka_unit_test(inv_12_borrowed_control_and_unjudged_windows_are_told_also_after_a_restart),
    cmocka_unit_test(inv_11_what_is_worked_in_anew_is_borrowed_once),
    cmocka_unit_test(every_older_form_is_read_and_borrows_nothing),
    cmocka_unit_test(what_is_no_such_form_is_refused),
    cmocka_unit_test(who_borrowed_nothing_is_stored_as_before))
