/* Goal: of those who want to speak with the signer the core goes first, so that it waits for one slice of a payload and
 * not for the whole of it. */
#include "server/release/release_signer_turn.h"
#include "tests/harness.h"

enum { ROUNDS = 200 };

static struct table {
    struct release_signer_turn turn;
    char order[3];
    size_t count;
} table;

static void note(char who)
{
    table.order[table.count++] = who; /* with the turn */
}

static void *first(void *arg)
{
    (void)arg;
    release_signer_turn_take(&table.turn);
    note('f');
    release_signer_turn_give(&table.turn);
    return NULL;
}

static void *last(void *arg)
{
    (void)arg;
    release_signer_turn_take_last(&table.turn);
    note('l');
    release_signer_turn_give(&table.turn);
    return NULL;
}

static void wait_until_somebody_waits(void)
{
    for (bool waits = false; !waits;) {
        (void)pthread_mutex_lock(&table.turn.lock);
        waits = table.turn.waiting > 0;
        (void)pthread_mutex_unlock(&table.turn.lock);
    }
}

TEST(the_core_goes_before_the_thread_beside_it)
{
    struct rw_err err = {0};
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t threads[2];
        table.count = 0;
        MUST(release_signer_turn_make(&table.turn, &err));
        release_signer_turn_take(&table.turn);
        assert_int_equal(pthread_create(&threads[0], NULL, last, NULL), 0);
        assert_int_equal(pthread_create(&threads[1], NULL, first, NULL), 0);
        wait_until_somebody_waits();
        release_signer_turn_give(&table.turn);
        (void)pthread_join(threads[0], NULL);
        (void)pthread_join(threads[1], NULL);
        assert_string_equal(table.order, "fl");
        release_signer_turn_drop(&table.turn);
    }
}

TEST(a_try_waits_for_nobody)
{
    struct rw_err err = {0};
    MUST(release_signer_turn_make(&table.turn, &err));
    assert_true(release_signer_turn_try(&table.turn));
    assert_false(release_signer_turn_try(&table.turn));
    release_signer_turn_give(&table.turn);
    assert_true(release_signer_turn_try(&table.turn));
    release_signer_turn_give(&table.turn);
    release_signer_turn_drop(&table.turn);
}

RUN_TESTS(cmocka_unit_test(the_core_goes_before_the_thread_beside_it),
          cmocka_unit_test(a_try_waits_for_nobody))
