/* Goal: who asks why is shown the answer that this very endpoint got last about this family, or none. */
#include "server/api/permit_memory.h"
#include "tests/harness.h"

static struct fleet_who who(uint8_t first, uint8_t last)
{
    struct fleet_who me = {.endpoint = {[0] = first}};
    me.endpoint[FLEET_ENDPOINT_BYTES - 1] = last;
    return me;
}

static void note(struct permit_memory *m, const struct fleet_who *me, const char *family,
                 int64_t release, const char *reason)
{
    struct beacon_permit_request q = {.release = release};
    struct beacon_permit_answer a = {.decision = BEACON_PERMIT_WAIT, .retry_after_s = 60};
    (void)snprintf(q.family, sizeof(q.family), "%s", family);
    (void)snprintf(a.reason, sizeof(a.reason), "%s", reason);
    permit_memory_note(m, me, &q, (struct rw_wall){1000 + release}, &a);
}

TEST(the_latest_answer_of_an_endpoint_and_family_is_remembered)
{
    struct permit_memory m = {0};
    struct fleet_who me = who(1, 0);
    assert_null(permit_memory_find(&m, &me, "yara"));
    note(&m, &me, "yara", 2, "full");
    note(&m, &me, "template", 5, "held");
    note(&m, &me, "yara", 3, "the ring is closed");
    const struct permit_memory_entry *e = permit_memory_find(&m, &me, "yara");
    assert_non_null(e);
    assert_int_equal(e->release, 3);
    assert_int_equal(e->at.s, 1003);
    assert_string_equal(e->answer.reason, "the ring is closed");
    assert_int_equal(permit_memory_find(&m, &me, "template")->release, 5);
    permit_memory_drop(&m);
}

TEST(an_answer_is_never_shown_as_another_endpoints)
{
    struct permit_memory m = {0};
    struct fleet_who me = who(1, 0);
    struct fleet_who twin = who(1, 9); /* the same place in the table */
    note(&m, &me, "yara", 2, "full");
    assert_null(permit_memory_find(&m, &twin, "yara"));
    note(&m, &twin, "yara", 2, "full");
    assert_null(permit_memory_find(&m, &me, "yara"));
    assert_non_null(permit_memory_find(&m, &twin, "yara"));
    permit_memory_drop(&m);
}

RUN_TESTS(cmocka_unit_test(the_latest_answer_of_an_endpoint_and_family_is_remembered),
          cmocka_unit_test(an_answer_is_never_shown_as_another_endpoints))
