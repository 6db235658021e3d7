/* Goal: the table of client addresses counts exactly, whatever comes and goes in whatever order. */
#include "server/api/http_peers.h"
#include "tests/harness.h"

enum { KEYS = 200, STEPS = 100000, PER_ADDRESS = 3 };

TEST(an_address_has_its_fill_and_gets_room_again)
{
    struct rw_err err = {0};
    struct http_peers *p = NULL;
    MUST(http_peers_new(10, 2, &p, &err));
    assert_true(http_peers_enter(p, 0)); /* a key of zero is a key */
    assert_true(http_peers_enter(p, 0));
    assert_false(http_peers_enter(p, 0));
    assert_true(http_peers_enter(p, 1));
    http_peers_leave(p, 0);
    assert_true(http_peers_enter(p, 0));
    http_peers_free(p);
}

TEST(without_a_cap_only_the_table_is_the_limit)
{
    struct rw_err err = {0};
    struct http_peers *p = NULL;
    MUST(http_peers_new(8, 0, &p, &err));
    for (int i = 0; i < 1000; i++) {
        assert_true(http_peers_enter(p, 5));
    }
    uint64_t key = 100;
    while (http_peers_enter(p, key)) {
        key++;
    }
    assert_true(key >= 100 + 7);         /* the eight that were promised */
    assert_true(http_peers_enter(p, 5)); /* known ones still come in */
    http_peers_leave(p, 100);
    assert_true(http_peers_enter(p, key));
    http_peers_free(p);
}

TEST(counts_agree_with_a_plain_model)
{
    struct rw_err err = {0};
    struct http_peers *p = NULL;
    unsigned model[KEYS] = {0};
    uint64_t random = 88172645463325252U; /* fixed: the table's own seed differs from run to run */
    print_message("           seed %llu\n", (unsigned long long)random);
    MUST(http_peers_new(KEYS, PER_ADDRESS, &p, &err));
    for (int i = 0; i < STEPS; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        size_t k = (size_t)(random >> 8) % KEYS;
        if ((random & 1) != 0) {
            bool in = http_peers_enter(p, k * 0x100000001U);
            assert_int_equal(in, model[k] < PER_ADDRESS);
            model[k] += in;
        } else if (model[k] > 0) {
            http_peers_leave(p, k * 0x100000001U);
            model[k]--;
        }
    }
    http_peers_free(p);
}

RUN_TESTS(cmocka_unit_test(an_address_has_its_fill_and_gets_room_again),
          cmocka_unit_test(without_a_cap_only_the_table_is_the_limit),
          cmocka_unit_test(counts_agree_with_a_plain_model))
