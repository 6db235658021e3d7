/* Goal: pieces of the pool never overlap, keep what was written, and are used again. */
#include "server/health/fleet_pool.h"
#include "tests/harness.h"

enum { PIECES = 200, ROUNDS = 20000 };

struct piece {
    uint32_t place;
    size_t size;
    uint64_t mark;
};

static void fill(const struct fleet_pool *p, const struct piece *piece)
{
    uint64_t *units = fleet_pool_at(p, piece->place);
    for (size_t i = 0; i < piece->size; i++) {
        units[i] = piece->mark + i;
    }
}

static void expect(const struct fleet_pool *p, const struct piece *piece)
{
    const uint64_t *units = fleet_pool_at(p, piece->place);
    for (size_t i = 0; i < piece->size; i++) {
        assert_true(units[i] == piece->mark + i);
    }
}

TEST(sizes_are_powers_of_two)
{
    const size_t counts[] = {0, 1, 2, 3, 4, 5, 8, 9, 31, 32};
    const size_t sizes[] = {0, 1, 2, 4, 4, 8, 8, 16, 32, 32};
    for (size_t i = 0; i < RW_LEN(counts); i++) {
        assert_int_equal(fleet_pool_size(counts[i]), sizes[i]);
    }
}

TEST(pieces_keep_what_was_written_whatever_comes_and_goes)
{
    struct fleet_pool p = {.unit_bytes = sizeof(uint64_t)};
    struct piece pieces[PIECES] = {{.place = 0}};
    struct rw_err err;
    uint32_t seed = harness_seed();
    for (uint64_t round = 0; round < ROUNDS; round++) {
        seed = seed * 1664525U + 1013904223U;
        struct piece *one = &pieces[(seed >> 8) % PIECES];
        size_t size = (size_t)1 << ((seed >> 20) % FLEET_POOL_SIZES);
        MUST(fleet_pool_reserve(&p, FLEET_POOL_PIECE_MAX, &err));
        if (one->place == 0) {
            *one = (struct piece){fleet_pool_take(&p, size), size, round << 8};
            fill(&p, one);
        } else if ((seed >> 28) % 2 == 0) {
            fleet_pool_give(&p, one->place, one->size);
            *one = (struct piece){.place = 0};
        } else {
            size_t kept = size < one->size ? size : one->size;
            size_t first = one->size - kept;
            one->place = fleet_pool_move(&p, one->place, one->size, size, first, kept);
            one->size = kept; /* what was kept stands at the front; the rest is anybody's */
            one->mark += first;
            expect(&p, one);
            one->size = size;
            fill(&p, one);
        }
        for (size_t i = 0; i < PIECES && round % 64 == 0; i++) {
            expect(&p, &pieces[i]);
        }
    }
    assert_true(p.used <=
                (size_t)PIECES * FLEET_POOL_PIECE_MAX * 2); /* given back means used again */
    fleet_pool_drop(&p);
}

RUN_TESTS(cmocka_unit_test(sizes_are_powers_of_two),
          cmocka_unit_test(pieces_keep_what_was_written_whatever_comes_and_goes))
