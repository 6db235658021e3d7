/* Goal: an alarm is recorded once when it begins and once when it ends, also over a restart. */
#include "server/report/alarm_log.h"

#include "server/store/store_sqlite.h"
#include "tests/harness.h"

static RW_RC count_one(void *arg, const struct store_audit *a, struct rw_err *err)
{
    int *seen = arg;
    char text[600];
    (void)err;
    (void)snprintf(text, sizeof(text), "%.*s", (int)a->record.n, (const char *)a->record.p);
    seen[0] += strstr(text, "\"alarm.raise\"") != NULL;
    seen[1] += strstr(text, "\"alarm.clear\"") != NULL;
    return RW_OK;
}

static const struct step {
    const char *id, *alarms;
    int raised, cleared; /* so far */
} steps[] = {
    {"none", "[]", 0, 0},
    {"one", "[\"a\"]", 1, 0},
    {"the_same", "[\"a\"]", 1, 0},
    {"one_more", "[\"b\",\"a\"]", 2, 0},
    {"other_order", "[\"a\",\"b\"]", 2, 0},
    {"one_less", "[\"b\"]", 2, 1},
    {"another_instead", "[\"c\"]", 3, 2},
    {"none_again", "[]", 3, 3},
};

TEST(alarms_are_recorded_when_they_change)
{
    struct store store;
    struct rw_err err;
    MUST(store_sqlite_open(":memory:", &store, &err));
    for (size_t i = 0; i < RW_LEN(steps); i++) {
        int seen[2] = {0};
        MUST(alarm_log_update(&store, rw_span_str(steps[i].alarms), (struct rw_wall){1700000000},
                              &err));
        MUST(store_audit_each(&store, 0, 100, count_one, seen, &err));
        if (seen[0] != steps[i].raised || seen[1] != steps[i].cleared) {
            fail_msg("%s: %d raised, %d cleared", steps[i].id, seen[0], seen[1]);
        }
    }
    store_close(&store);
}

RUN_TESTS(cmocka_unit_test(alarms_are_recorded_when_they_change))
