/* Goal: INV-12: whatever is reported, each beacon says what the sandbox and the trust are worth and whether the
 * clock can be believed, as the endpoint knows it at that moment. */
#include "agent/report/report.h"

#include "common/base/file.h"
#include "tests/harness.h"

static const struct state_case {
    const char *id, *grade, *trust, *clock;
    const char *said[3]; /* members of the beacon */
} states[] = {
    {"a_weak_sandbox", "weak", "ok", "", {"\"grade\":\"weak\"", "\"trust\":\"ok\"", ""}},
    {"no_sandbox_and_development_keys",
     "none",
     "development",
     "",
     {"\"grade\":\"none\"", "\"trust\":\"development\"", ""}},
    {"expired_metadata_and_a_clock_behind",
     "full",
     "expired",
     "behind",
     {"\"grade\":\"full\"", "\"trust\":\"expired\"", "\"clock\":\"behind\""}},
    {"nothing_known_yet", "", "", "", {"\"trust\":\"ok\"", "", ""}},
};

TEST_EACH(every_beacon_tells_which_safeguard_is_missing, states)
{
    struct rw_err err = {0};
    RW_AUTO(harness_dir) struct harness_dir home = harness_dir();
    RW_AUTO(rw_fd) rw_fd dir = -1;
    MUST(rw_dir_open(home.path, &dir, &err));
    for (int kind = BEACON_ALIVE; kind <= BEACON_UNABLE; kind++) {
        struct beacon_spool spool;
        size_t count = 0;
        RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BEACON_BODY_BYTES_MAX);
        MUST(beacon_spool_open(dir, 64, &spool, &err));
        struct report r = {.spool = &spool, .clock = rw_clock_system()};
        (void)snprintf(r.grade, sizeof(r.grade), "%s", it->grade);
        (void)snprintf(r.trust, sizeof(r.trust), "%s", it->trust);
        (void)snprintf(r.clock_state, sizeof(r.clock_state), "%s", it->clock);
        struct beacon b = {.kind = (enum beacon_kind)kind, .release = 1, .family = "yara"};
        assert_true(report_add(&r, &b));
        MUST(beacon_spool_newest(&spool, &body, &count, &err));
        assert_true(count >= 1);
        for (size_t i = 0; i < RW_LEN(it->said); i++) {
            if (strstr(rw_buf_str(&body), it->said[i]) == NULL) {
                fail_msg("%s misses %s", rw_buf_str(&body), it->said[i]);
            }
        }
        assert_true(it->grade[0] != '\0' || strstr(rw_buf_str(&body), "\"grade\"") == NULL);
        beacon_spool_drop(&spool);
    }
}

RUN_TESTS(cmocka_unit_test(every_beacon_tells_which_safeguard_is_missing))
