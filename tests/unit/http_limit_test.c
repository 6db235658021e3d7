/* Goal: who is verified answers for himself and for nobody else, all others for their address (INV-11); what is
 * refused is counted, and the log hears of it once a minute. */
#include "server/api/http_limit.h"
#include "tests/harness.h"

static struct rw_mono mono_of(void *ctx)
{
    return *(struct rw_mono *)ctx;
}

struct rig {
    struct rw_mono now;
    struct http_limit *limit;
};

static void begin_with(struct rig *r, int64_t per_s, int64_t burst_ms)
{
    struct rw_err err;
    const struct http_limit_rates rates = {.endpoint_per_s = per_s,
                                           .operator_per_s = per_s,
                                           .address_per_s = per_s,
                                           .burst_ms = burst_ms};
    r->now.ms = 1000;
    MUST(http_limit_new(&rates, (struct rw_clock){.mono = mono_of, .ctx = &r->now}, &r->limit,
                        &err));
}

/* Ten a second, twenty at once, for everybody. */
static void begin(struct rig *r)
{
    begin_with(r, 10, 2000);
}

static struct http_limit_peer from(uint64_t key)
{
    return (struct http_limit_peer){.text = "192.0.2.7", .key = key, .known = true};
}

static struct api_identity endpoint(uint8_t id, const char *tenant)
{
    struct api_identity who = {.level = API_AUTH_ENDPOINT, .endpoint = {id}};
    (void)snprintf(who.tenant, sizeof(who.tenant), "%s", tenant);
    return who;
}

static struct api_identity bearer(enum api_auth level, uint8_t token, bool once)
{
    return (struct api_identity){.level = level, .token_sha256 = {token}, .once = once};
}

static size_t passed(struct rig *r, const struct api_identity *who, size_t tries)
{
    const struct http_limit_peer peer = from(1);
    size_t n = 0;
    for (size_t i = 0; i < tries; i++) {
        struct rw_err err;
        int64_t retry_s = -1;
        struct rw_rc rc = http_limit_known(r->limit, who, &peer, &retry_s, &err);
        n += rw_is_ok(rc);
        if (rw_is_ok(rc)) { continue; }
        assert_int_equal(rc.code, RW_E_LIMITED);
        assert_in_range(retry_s, 1, 6);
        assert_non_null(strstr(err.hint, "Retry-After"));
    }
    return n;
}

static size_t passed_from(struct rig *r, enum http_limit_kind kind, struct http_limit_peer peer,
                          size_t tries)
{
    size_t n = 0;
    for (size_t i = 0; i < tries; i++) {
        struct rw_err err;
        int64_t retry_s = -1;
        n += rw_is_ok(http_limit_address(r->limit, kind, &peer, &retry_s, &err));
    }
    return n;
}

static const struct whose_case {
    const char *id;
    struct api_identity first;
    struct api_identity second;
    size_t left; /* of 20, for the second, when the first has taken all */
} whose_cases[] = {
    {"an_endpoint_by_itself",
     {.level = API_AUTH_ENDPOINT, .endpoint = {1}, .tenant = "red"},
     {.level = API_AUTH_ENDPOINT, .endpoint = {1}, .tenant = "red"},
     0},
    {"its_next_token",
     {.level = API_AUTH_ENDPOINT, .endpoint = {1}, .tenant = "red"},
     {.level = API_AUTH_ENDPOINT, .endpoint = {1}, .tenant = "red", .renew = true},
     0},
    {"its_neighbour",
     {.level = API_AUTH_ENDPOINT, .endpoint = {1}, .tenant = "red"},
     {.level = API_AUTH_ENDPOINT, .endpoint = {2}, .tenant = "red"},
     20},
    {"the_same_id_in_another_tenant",
     {.level = API_AUTH_ENDPOINT, .endpoint = {1}, .tenant = "red"},
     {.level = API_AUTH_ENDPOINT, .endpoint = {1}, .tenant = "blue"},
     20},
    {"an_operator_by_himself",
     {.level = API_AUTH_VIEWER, .token_sha256 = {1}},
     {.level = API_AUTH_VIEWER, .token_sha256 = {1}},
     0},
    {"another_operator",
     {.level = API_AUTH_VIEWER, .token_sha256 = {1}},
     {.level = API_AUTH_VIEWER, .token_sha256 = {2}},
     20},
    {"a_token_for_one_endpoint",
     {.level = API_AUTH_ENROL, .token_sha256 = {1}, .once = true},
     {.level = API_AUTH_ENROL, .token_sha256 = {1}, .once = true},
     0},
};

TEST_EACH(everybody_answers_for_himself, whose_cases)
{
    struct rig r;
    begin(&r);
    assert_int_equal(passed(&r, &it->first, 30), 20);
    assert_int_equal(passed(&r, &it->second, 20), it->left);
    http_limit_free(r.limit);
}

/* A million endpoints of one image enrol with one token from one address: none of them is refused for it. */
TEST(enrolment_with_a_shared_token_has_no_rate)
{
    struct rig r;
    begin(&r);
    const struct api_identity image = bearer(API_AUTH_ENROL, 1, false);
    assert_int_equal(passed(&r, &image, 1000), 1000);
    http_limit_free(r.limit);
}

/* INV-11: wrong tokens, whatever they claim, count to the address; whoever has a valid one there is not held by it. */
TEST(strangers_hold_their_address_and_nobody_who_is_known)
{
    struct rig r;
    begin(&r);
    const struct api_identity good = endpoint(1, "red");
    assert_int_equal(passed_from(&r, HTTP_LIMIT_STRANGER, from(1), 1000), 20);
    assert_int_equal(passed_from(&r, HTTP_LIMIT_STRANGER, from(2), 20), 20);
    assert_int_equal(passed_from(&r, HTTP_LIMIT_OPEN, from(1), 20), 20); /* probes are apart */
    assert_int_equal(passed(&r, &good, 20), 20);
    const struct http_limit_peer local = {.text = "unix"};
    assert_int_equal(passed_from(&r, HTTP_LIMIT_STRANGER, local, 1000), 1000);
    http_limit_free(r.limit);
}

/* Far more strangers than all slots together, each at its limit: endpoints at theirs do not get out of it. */
TEST(strangers_push_no_endpoint_out)
{
    enum { ENDPOINTS = 20, STRANGERS = 300000 };
    struct rig r;
    begin_with(&r, 1, 1000);
    for (uint8_t i = 0; i < ENDPOINTS; i++) {
        const struct api_identity who = endpoint(i, "red");
        assert_int_equal(passed(&r, &who, 1), 1);
    }
    for (uint64_t key = 0; key < STRANGERS; key++) {
        (void)passed_from(&r, HTTP_LIMIT_STRANGER, from(key), 1);
    }
    for (uint8_t i = 0; i < ENDPOINTS; i++) {
        const struct api_identity who = endpoint(i, "red");
        assert_int_equal(passed(&r, &who, 1), 0);
    }
    http_limit_free(r.limit);
}

TEST(a_rate_of_zero_is_none)
{
    struct rig r = {.now = {1000}};
    struct rw_err err;
    const struct http_limit_rates rates = {.burst_ms = 2000};
    MUST(http_limit_new(&rates, (struct rw_clock){.mono = mono_of, .ctx = &r.now}, &r.limit, &err));
    const struct api_identity who = endpoint(1, "red");
    assert_int_equal(passed(&r, &who, 1000), 1000);
    assert_int_equal(passed_from(&r, HTTP_LIMIT_OPEN, from(1), 1000), 1000);
    http_limit_free(r.limit);
}

/* What a test writes to standard error, while it runs. */
static size_t lines_of(const char *path)
{
    char text[16384];
    size_t n = 0;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t got = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f);
    text[got] = '\0';
    for (const char *at = text; (at = strstr(at, "event=requests_limited")) != NULL; at++) {
        n++;
    }
    return n;
}

TEST(refusals_are_counted_and_told_once_a_minute)
{
    RW_AUTO(harness_dir) struct harness_dir dir = harness_dir();
    char path[256];
    struct rig r;
    struct http_limit_count counts[HTTP_LIMIT_KINDS];
    begin(&r);
    (void)snprintf(path, sizeof(path), "%s/log", dir.path);
    int was = dup(STDERR_FILENO);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(was >= 0 && log >= 0 && dup2(log, STDERR_FILENO) >= 0);
    const struct api_identity who = endpoint(1, "red");
    http_limit_counts(r.limit, counts);
    assert_int_equal(counts[HTTP_LIMIT_ENDPOINT].ago_ms, -1);
    (void)passed(&r, &who, 120);
    size_t first = lines_of(path);
    r.now.ms += 59999;
    (void)passed(&r, &who, 120);
    size_t before = lines_of(path);
    r.now.ms += 1;
    (void)passed(&r, &who, 120);
    size_t behind = lines_of(path);
    (void)http_limit_shared(r.limit, &who, "192.0.2.7"); /* another kind has a line of its own */
    size_t other = lines_of(path);
    assert_true(dup2(was, STDERR_FILENO) >= 0);
    (void)close(was);
    (void)close(log);
    assert_int_equal(first, 1);
    assert_int_equal(before, 1);
    assert_int_equal(behind, 2);
    assert_int_equal(other, 3);
    r.now.ms += 500;
    http_limit_counts(r.limit, counts);
    assert_int_equal(counts[HTTP_LIMIT_ENDPOINT].refused, 100 + 100 + 120);
    assert_int_equal(counts[HTTP_LIMIT_ENDPOINT].ago_ms, 500);
    assert_int_equal(counts[HTTP_LIMIT_TENANT].refused, 1);
    assert_int_equal(counts[HTTP_LIMIT_STRANGER].refused, 0);
    http_limit_free(r.limit);
}

static size_t connected(struct rig *r, uint64_t address, size_t tries)
{
    const struct http_limit_peer peer = from(address);
    size_t n = 0;
    for (size_t i = 0; i < tries; i++) {
        n += http_limit_connect(r->limit, &peer);
    }
    return n;
}

TEST(connections_hold_their_address_and_no_request)
{
    struct rig r;
    struct rw_err err;
    struct http_limit_count counts[HTTP_LIMIT_KINDS];
    const struct http_limit_rates rates = {
        .address_per_s = 10, .burst_ms = 1000, .connect_per_s = 4, .connect_burst = 30};
    const struct http_limit_peer local = {.text = "unix", .known = false};
    r.now.ms = 1000;
    MUST(http_limit_new(&rates, (struct rw_clock){.mono = mono_of, .ctx = &r.now}, &r.limit, &err));
    assert_int_equal(connected(&r, 1, 100), 30);
    assert_int_equal(connected(&r, 2, 5), 5); /* a neighbour */
    assert_int_equal(passed_from(&r, HTTP_LIMIT_STRANGER, from(1), 5), 5);
    for (size_t i = 0; i < 100; i++) {
        assert_true(http_limit_connect(r.limit, &local));
    }
    r.now.ms += 2000;
    assert_int_equal(connected(&r, 1, 100), 8);
    http_limit_counts(r.limit, counts);
    assert_int_equal(counts[HTTP_LIMIT_CONNECTION].refused, 70 + 92);
    assert_int_equal(counts[HTTP_LIMIT_STRANGER].refused, 0);
    http_limit_free(r.limit);
}

/* 2^14 buckets: whoever has more addresses than that pushes out the fullest, never one that is at its limit. */
TEST(a_flood_from_many_addresses_frees_no_address_of_its_limit)
{
    struct rig r;
    struct rw_err err;
    const struct http_limit_rates rates = {.connect_per_s = 1, .connect_burst = 10};
    r.now.ms = 1000;
    MUST(http_limit_new(&rates, (struct rw_clock){.mono = mono_of, .ctx = &r.now}, &r.limit, &err));
    assert_int_equal(connected(&r, 1, 20), 10);
    for (uint64_t i = 0; i < 100000; i++) {
        (void)connected(&r, 1000 + i, 1);
    }
    assert_int_equal(connected(&r, 1, 20), 0);
    http_limit_free(r.limit);
}

RUN_TESTS(cmocka_unit_test(everybody_answers_for_himself),
          cmocka_unit_test(enrolment_with_a_shared_token_has_no_rate),
          cmocka_unit_test(strangers_hold_their_address_and_nobody_who_is_known),
          cmocka_unit_test(strangers_push_no_endpoint_out),
          cmocka_unit_test(a_rate_of_zero_is_none),
          cmocka_unit_test(refusals_are_counted_and_told_once_a_minute),
          cmocka_unit_test(connections_hold_their_address_and_no_request),
          cmocka_unit_test(a_flood_from_many_addresses_frees_no_address_of_its_limit))
