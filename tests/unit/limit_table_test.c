/* Goal: buckets do not mix, the table never grows, and nobody at his limit gets out of it by bringing others. */
#include "server/api/limit_table.h"
#include "tests/harness.h"

#include <pthread.h>

enum { SLOTS = 512, THREADS = 4, EACH = 200000 };

static const struct limit_rate ten = {.every_us = 100000, .burst_us = 2000000}; /* 20 at once */

static struct limit_table *make(void)
{
    struct rw_err err;
    struct limit_table *t = NULL;
    MUST(limit_table_new(SLOTS, &t, &err));
    return t;
}

static size_t passed(struct limit_table *t, uint64_t key, size_t tries, int64_t now_ms)
{
    size_t n = 0;
    for (size_t i = 0; i < tries; i++) {
        n += limit_table_take(t, key, &ten, now_ms).pass;
    }
    return n;
}

TEST(each_key_has_a_bucket_of_its_own)
{
    struct limit_table *t = make();
    assert_int_equal(passed(t, 0, 30, 1000), 20);  /* a key of zero is a key */
    assert_int_equal(passed(t, 64, 30, 1000), 20); /* the same place */
    assert_int_equal(passed(t, 1, 30, 1000), 20);
    assert_int_equal(passed(t, 0, 30, 1000), 0);
    assert_int_equal(passed(t, 0, 30, 2000), 10);
    limit_table_free(t);
}

/* INV-11: one flood beside ten times as many clients as there are slots, each of which sends a little. */
TEST(who_is_at_his_limit_stays_there_whoever_else_comes)
{
    struct limit_table *t = make();
    assert_int_equal(passed(t, 7, 25, 1000), 20);
    for (uint64_t key = 1000; key < 1000 + UINT64_C(10) * SLOTS; key++) {
        assert_true(limit_table_take(t, key, &ten, 1000).pass);
    }
    assert_int_equal(passed(t, 7, 25, 1000), 0);
    limit_table_free(t);
}

/* And the others are not held by those who flood, even when these have filled every slot. */
TEST(a_table_full_of_floods_refuses_nobody_new)
{
    struct limit_table *t = make();
    for (uint64_t key = 0; key < SLOTS; key++) {
        assert_int_equal(passed(t, key, 25, 1000), 20);
    }
    for (uint64_t key = 5000; key < 5000 + SLOTS; key++) {
        assert_true(limit_table_take(t, key, &ten, 1000).pass);
    }
    limit_table_free(t);
}

TEST(a_bucket_that_is_full_again_gives_its_slot_away)
{
    struct limit_table *t = make();
    for (uint64_t i = 0; i < 8; i++) { /* all of one place */
        assert_int_equal(passed(t, i * UINT64_C(64), 25, 1000), 20);
    }
    assert_int_equal(passed(t, 7 * UINT64_C(64), 25, 2500), 15); /* still in debt */
    assert_int_equal(passed(t, 8 * UINT64_C(64), 25, 3500), 20); /* takes a free one */
    assert_int_equal(passed(t, 7 * UINT64_C(64), 25, 3500), 10); /* which is not this one */
    limit_table_free(t);
}

struct work {
    struct limit_table *t;
    pthread_barrier_t *start;
    size_t passed;
};

static const struct limit_rate many = {.every_us = 1, .burst_us = EACH};

static void *hammer(void *arg)
{
    struct work *w = arg;
    (void)pthread_barrier_wait(w->start);
    for (size_t i = 0; i < EACH; i++) {
        w->passed += limit_table_take(w->t, 42, &many, 1000).pass;
    }
    return NULL;
}

TEST(threads_share_one_bucket_exactly)
{
    struct limit_table *t = make();
    pthread_t threads[THREADS];
    pthread_barrier_t start;
    struct work work[THREADS];
    size_t total = 0;
    assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (size_t i = 0; i < THREADS; i++) {
        work[i] = (struct work){.t = t, .start = &start};
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &work[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        total += work[i].passed;
    }
    assert_int_equal(total, EACH);
    (void)pthread_barrier_destroy(&start);
    limit_table_free(t);
}

RUN_TESTS(cmocka_unit_test(each_key_has_a_bucket_of_its_own),
          cmocka_unit_test(who_is_at_his_limit_stays_there_whoever_else_comes),
          cmocka_unit_test(a_table_full_of_floods_refuses_nobody_new),
          cmocka_unit_test(a_bucket_that_is_full_again_gives_its_slot_away),
          cmocka_unit_test(threads_share_one_bucket_exactly))
